import CMartletLinux
import MartletBase
import Testing

@testable import MartletTransport

extension EventLoop {
  /// Turns until `condition` holds.
  ///
  /// A test waits for events; the limit only keeps a broken one from hanging.
  func turn(until condition: () -> Bool, _ place: SourceLocation = #_sourceLocation) {
    let limit = clock() + .seconds(30)
    while !condition() {
      guard clock() < limit else {
        Issue.record("what was awaited did not happen", sourceLocation: place)
        return
      }
      turn(waitingAtMost: .milliseconds(100))
    }
  }
}

extension HTTPServer {
  /// Answers with text. Spans cannot pass through `#expect`.
  func reply(
    to request: UInt64, _ text: String,
    _ response: HTTPResponse = HTTPResponse(contentType: "text/plain")
  ) -> Bool {
    reply(to: request, response, body: bytes(text).span)
  }
}

/// A server's delegate that notes what happens and does as it is told.
final class Clerk: HTTPServerDelegate {
  struct Call: Equatable {
    let id: UInt64
    let method: String
    let target: String
    let body: String
  }

  var calls: [Call] = []
  var opened: [UInt64] = []
  var messages: [String] = []
  var closed: [(connection: UInt64, end: ConnectionEnd)] = []
  var abandoned: [UInt64] = []
  var refusal: HTTPResponse?
  /// What to do with a request; by default it is echoed.
  var onRequest: ((HTTPServer, HTTPRequest, UInt64, [UInt8]) -> Void)?
  /// What to do with a message; by default it is echoed.
  var onMessage: ((HTTPServer, _ message: [UInt8], _ isText: Bool, UInt64) -> Void)?
  var onOpen: ((HTTPServer, UInt64) -> Void)?

  func server(_ server: HTTPServer, received request: HTTPRequest, id: UInt64, body: Span<UInt8>) {
    let bytes = [UInt8](copying: body)
    calls.append(
      Call(id: id, method: request.method, target: request.target, body: String(body)))
    if let onRequest {
      onRequest(server, request, id, bytes)
    } else {
      server.reply(to: id, HTTPResponse(contentType: "text/plain"), body: body)
    }
  }

  func server(_ server: HTTPServer, refusalOf upgrade: HTTPRequest) -> HTTPResponse? { refusal }

  func server(_ server: HTTPServer, opened connection: UInt64, by request: HTTPRequest) {
    opened.append(connection)
    onOpen?(server, connection)
  }

  func server(
    _ server: HTTPServer, received message: Span<UInt8>, isText: Bool, from connection: UInt64
  ) {
    messages.append(String(message))
    if let onMessage {
      onMessage(server, [UInt8](copying: message), isText, connection)
    } else if isText {
      server.send(text: message, to: connection)
    } else {
      server.send(binary: message, to: connection)
    }
  }

  func server(_ server: HTTPServer, closed connection: UInt64, _ end: ConnectionEnd) {
    closed.append((connection, end))
  }

  func server(_ server: HTTPServer, abandoned request: UInt64) { abandoned.append(request) }
}

/// A client's delegate that notes what happens.
final class Listener: WebSocketClientDelegate {
  var openings = 0
  var messages: [[UInt8]] = []
  var texts: [String] { messages.map { String(decoding: $0, as: UTF8.self) } }
  var ends: [ConnectionEnd] = []
  var onOpen: ((WebSocketClient) -> Void)?
  var onMessage: ((WebSocketClient, [UInt8]) -> Void)?

  func webSocketOpened(_ client: WebSocketClient) {
    openings += 1
    onOpen?(client)
  }

  func webSocket(_ client: WebSocketClient, received message: Span<UInt8>, isText: Bool) {
    let bytes = [UInt8](copying: message)
    messages.append(bytes)
    onMessage?(client, bytes)
  }

  func webSocket(_ client: WebSocketClient, closed end: ConnectionEnd) { ends.append(end) }
}

/// A bare connection, for saying what a well-behaved client never would.
final class RawPeer: ChannelOwner {
  var received: [UInt8] = []
  var text: String { String(decoding: received, as: UTF8.self) }
  var isOver = false
  var reads = true
  var isConnected = false
  private var channel: Channel?

  init(_ loop: EventLoop, port: UInt16) throws {
    let descriptor = cmartlet_tcp_connect("127.0.0.1", port)
    try #require(descriptor >= 0)
    channel = try Channel(loop, PlainStream(adopting: descriptor), owner: self, isConnecting: true)
  }

  init(_ loop: EventLoop, stream: any ByteStream) throws {
    channel = try Channel(loop, stream, owner: self, isConnecting: false)
  }

  func say(_ text: String) { say(bytes(text)) }
  func say(_ bytes: [UInt8]) { _ = channel?.append { $0.append(bytes.span) } }
  func stopReading() { channel?.setWantsInput(false) }
  func resumeReading() { channel?.setWantsInput(true) }
  /// Ends our side and goes on reading in vain.
  func finish() { channel?.finish() }
  func close() { channel?.close(resets: false) }

  func channelOpened() { isConnected = true }
  func channelReadable() {
    var room = ReceiveBuffer(capacity: 65_536)
    guard let channel else { return }
    let count = room.fill(room: 65_536) { channel.read(into: $0) }
    if count > 0 { received += [UInt8](copying: room.span(from: 0, count: count)) }
  }
  func channelInputEnded() {
    isOver = true
    channel?.close(resets: false)
  }
  func channelTurnEnded() {}
  func channelEnded(_ end: ConnectionEnd) { isOver = true }
}

// Spans cannot pass through `#expect`; arrays can.
extension WebSocketClient {
  func send(_ text: [UInt8]) -> Bool { send(text: text.span) }
  func sendBinary(_ bytes: [UInt8]) -> Bool { send(binary: bytes.span) }
  func ping(_ payload: [UInt8]) -> Bool { ping(payload.span) }
}

extension HTTPServer {
  func send(_ text: [UInt8], to connection: UInt64) -> Bool {
    send(text: text.span, to: connection)
  }
}
