import CMartletLinux
import Glibc
import MartletBase
import Testing

@testable import MartletTransport

/// A server that says what a well-behaved one never would: each time a request's head is whole, the
/// test answers.
final class RawServer: DescriptorHandler {
  let port: UInt16
  /// The heads and bodies of all requests, in order.
  var requests: [String] = []
  private let loop: EventLoop
  private let descriptor: CInt
  private let answer: (String, RawServerSide) -> Void
  private var watch: EventLoop.WatchID?
  private var sides: [RawServerSide] = []
  var connections: Int { sides.count }

  init(_ loop: EventLoop, answer: @escaping (String, RawServerSide) -> Void) throws {
    self.loop = loop
    self.answer = answer
    descriptor = cmartlet_tcp_listen("127.0.0.1", 0, 16)
    try #require(descriptor >= 0)
    port = UInt16(cmartlet_local_port(descriptor))
    watch = try loop.watch(descriptor, for: .readable, self)
  }

  func stop() {
    if let watch { loop.unwatch(watch, of: descriptor) }
    watch = nil
    close(descriptor)
    for side in sides { side.close() }
  }

  func descriptorReady(_ ready: Readiness) {
    let client = cmartlet_tcp_accept(descriptor)
    guard client >= 0, let side = try? RawServerSide(loop, client, self) else { return }
    sides.append(side)
  }

  fileprivate func received(_ request: String, by side: RawServerSide) {
    requests.append(request)
    answer(request, side)
  }
}

/// One connection of a raw server.
final class RawServerSide: ChannelOwner {
  private weak var server: RawServer?
  private var channel: Channel?
  private var received: [UInt8] = []

  init(_ loop: EventLoop, _ descriptor: CInt, _ server: RawServer) throws {
    self.server = server
    channel = try Channel(loop, PlainStream(adopting: descriptor), owner: self, isConnecting: false)
  }

  func say(_ text: String) { say(bytes(text)) }
  func say(_ bytes: [UInt8]) { _ = channel?.append { $0.append(bytes.span) } }
  /// Sends what was said, then ends.
  func finish() { channel?.finish() }
  func close() { channel?.close(resets: false) }
  func reset() { channel?.close(resets: true) }

  func channelOpened() {}
  func channelReadable() {
    var room = ReceiveBuffer(capacity: 65_536)
    guard let channel else { return }
    let count = room.fill(room: 65_536) { channel.read(into: $0) }
    if count > 0 { received += [UInt8](copying: room.span(from: 0, count: count)) }
    let text = String(decoding: received, as: UTF8.self)
    guard let head = text.range(of: "\r\n\r\n") else { return }
    let length =
      text[..<head.lowerBound].split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
      .flatMap { Int($0.dropFirst(16)) } ?? 0
    guard text[head.upperBound...].utf8.count >= length else { return }
    received = []
    server?.received(text, by: self)
  }
  func channelInputEnded() { channel?.close(resets: false) }
  func channelTurnEnded() {}
  func channelEnded(_ end: ConnectionEnd) {}
}

extension String {
  /// Where `text` first stands in this one.
  func range(of text: String) -> Range<String.Index>? {
    let (own, wanted) = (Array(utf8), Array(text.utf8))
    guard wanted.count <= own.count else { return nil }
    guard
      let start = (0...own.count - wanted.count).first(where: {
        own[$0..<$0 + wanted.count].elementsEqual(wanted)
      })
    else { return nil }
    let lower = utf8.index(startIndex, offsetBy: start)
    return lower..<utf8.index(lower, offsetBy: wanted.count)
  }
}

/// A server's consent to a client's opening request.
func consent(to request: String) -> String {
  let key =
    request.split(separator: "\r\n").first { $0.hasPrefix("Sec-WebSocket-Key: ") }?.dropFirst(19)
    ?? ""
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    + "Sec-WebSocket-Accept: \(WebSocketHandshake.accept(for: String(key)))\r\n\r\n"
}
