internal import MartletBase

/// One client of a server: requests one at a time, until it leaves or becomes a WebSocket.
final class HTTPPeer: ChannelOwner, WebSocketLinkOwner {
  private struct Asked {
    let id: UInt64
    let keepsAlive: Bool
    let isHead: Bool
  }

  /// - Unit: bytes of further requests held while one is being answered.
  private static let readAhead = 65_536

  let id: UInt64
  private unowned let server: HTTPServer
  private var channel: Channel?
  private(set) var link: WebSocketLink?
  private var decoder: HTTPRequestDecoder
  private var asked: Asked?
  private var isAdvancing = false
  private var hasInputEnded = false
  /// Since when the request in arrival, or the next one, is awaited.
  private var waitingSince: LoopTime
  private var isFirst = true
  private var timer: LoopTimer?

  /// - Throws: `SystemFault` when the loop cannot watch the stream.
  init(_ server: HTTPServer, id: UInt64, stream: any ByteStream) throws(SystemFault) {
    self.server = server
    self.id = id
    decoder = HTTPRequestDecoder(limits: server.configuration.http)
    waitingSince = server.loop.clock()
    channel = try Channel(server.loop, stream, owner: self, isConnecting: false)
    timer = LoopTimer(server.loop) { [weak self] in self?.checkPatience() }
    checkPatience()
  }

  // MARK: Requests

  func channelOpened() {}

  func channelReadable() {
    guard let channel else { return }
    let wasMidRequest = decoder.isMidRequest
    for _ in 0..<4 {
      let room = 16_384
      // The socket writes into the lent room within the call, and says how much.
      let count = unsafe decoder.fill(room: room) { unsafe channel.read(into: $0) }
      if count == 0 { break }
      if asked != nil, decoder.unreadCount > Self.readAhead {
        channel.setWantsInput(false)
        break
      }
      if asked == nil { advance() }
      if count < room || link != nil { break }
    }
    if decoder.isMidRequest, !wasMidRequest {
      waitingSince = server.loop.clock()
      checkPatience()
    }
  }

  func channelTurnEnded() { advance() }

  func channelInputEnded() {
    hasInputEnded = true
    // A client may end its side and still wait for the reply.
    if asked == nil { leave() }
  }

  /// Hands over requests until one is unanswered.
  private func advance() {
    guard !isAdvancing else { return }
    isAdvancing = true
    defer { isAdvancing = false }
    while asked == nil, link == nil, let channel, channel.isOpen {
      do throws(HTTPFault) {
        switch try decoder.next() {
        case nil:
          if hasInputEnded { leave() }
          return
        case .continueExpected?:
          _ = channel.append { $0.append("HTTP/1.1 100 Continue\r\n\r\n") }
        case .request(let request)?: receive(request)
        }
      } catch {
        return refuse(error.status, "\(error)")
      }
    }
  }

  private func receive(_ request: HTTPRequest) {
    isFirst = false
    if WebSocketHandshake.isRequested(by: request) { return upgrade(request) }
    let id = server.numberRequest(of: self)
    asked = Asked(id: id, keepsAlive: request.keepsAlive, isHead: request.method == "HEAD")
    decoder.withBody { server.delegate?.server(server, received: request, id: id, body: $0) }
  }

  /// - Returns: whether the reply is on its way.
  func reply(_ response: HTTPResponse, body: Span<UInt8>) -> Bool {
    guard let asked, let channel else { return false }
    self.asked = nil
    let closes = !asked.keepsAlive
    let isQueued: Bool? = channel.append { output in
      do throws(HTTPFault) {
        try response.append(
          body: body, isBodyOmitted: asked.isHead, closes: closes, into: &output)
        return true
      } catch {
        // A field that would forge another: better no answer of ours than a forged one.
        write(500, "a header field of the reply was unsafe", closes: true, into: &output)
        return false
      }
    }
    guard isQueued == true, !closes else {
      leave()
      return isQueued ?? false
    }
    waitingSince = server.loop.clock()
    channel.setWantsInput(true)
    // The next request, if it is here, is handed over when nobody's callback is on the stack.
    channel.callAtTurnEnd()
    checkPatience()
    return true
  }

  /// Answers what cannot be served, and closes.
  private func refuse(_ status: Int, _ text: String) {
    server.statistics.faults += 1
    _ = channel?.append { write(status, text, closes: true, into: &$0) }
    leave()
  }

  private func write(_ status: Int, _ text: String, closes: Bool, into output: inout ByteBuffer) {
    let headers = status == 426 ? [HTTPHeader("Sec-WebSocket-Version", "13")] : []
    let response = HTTPResponse(status: status, contentType: "text/plain", headers: headers)
    var body = ByteBuffer(capacity: 128)
    body.append(text: text + "\n")
    // Fixed fields, which are safe.
    try? response.append(body: body.span, closes: closes, into: &output)
  }

  // MARK: WebSocket

  private func upgrade(_ request: HTTPRequest) {
    guard let channel else { return }
    if let refusal = server.delegate?.server(server, refusalOf: request) {
      asked = Asked(id: 0, keepsAlive: request.keepsAlive, isHead: false)
      let nothing: [UInt8] = []
      _ = reply(refusal, body: nothing.span)
      return
    }
    var consent = ByteBuffer()
    do throws(WebSocketHandshakeFault) {
      try WebSocketHandshake.accept(
        request, hasBody: decoder.withBody { $0.count > 0 }, into: &consent)
    } catch {
      return refuse(error.status, "\(error)")
    }
    _ = channel.append { $0.append(consent.span) }
    timer?.disarm()
    let settings = server.configuration
    let patience = WebSocketPatience(
      idle: settings.webSocketIdleTimeout, ping: settings.pingInterval,
      close: settings.closeTimeout, write: settings.writeTimeout)
    link = decoder.withUnread { leftover in
      WebSocketLink(
        server.loop, channel: channel, role: .server, limits: settings.webSocket,
        patience: patience, outboundLimit: settings.outboundLimit, leftover: leftover, owner: self)
    }
    server.statistics.webSockets += 1
    server.delegate?.server(server, opened: id, by: request)
  }

  func linkReceived(_ payload: Span<UInt8>, isText: Bool) {
    server.delegate?.server(server, received: payload, isText: isText, from: id)
  }

  func linkEnded(_ end: ConnectionEnd) {
    if case .slowReader = end { server.statistics.slowReaders += 1 }
    server.forget(self)
    server.delegate?.server(server, closed: id, end)
  }

  // MARK: Ending

  func channelEnded(_ end: ConnectionEnd) { forget() }

  /// Sends what waits and closes.
  private func leave() {
    channel?.finish()
    forget()
  }

  /// Breaks the connection.
  func drop() {
    channel?.close(resets: true)
    forget()
  }

  /// Ends it for a server that stops, telling a WebSocket's client that we are going away.
  func stop() {
    timer?.disarm()
    if let link { link.goAway() } else { channel?.finish() }
    channel = nil
  }

  private func forget() {
    timer?.disarm()
    channel = nil
    server.forget(self)
    if let asked {
      self.asked = nil
      server.abandon(asked.id)
    }
  }

  /// Looks at what is due, and arms the timer for what is due next.
  private func checkPatience() {
    guard let channel, link == nil else { return }
    let settings = server.configuration
    let now = server.loop.clock()
    if channel.waiting > 0 {
      let due = (channel.stalledSince ?? now) + settings.writeTimeout
      if due <= now { return drop() }
      timer?.arm(noLaterThan: due)
    }
    guard asked == nil else { return }
    let isExpected = decoder.isMidRequest || isFirst
    let due = waitingSince + (isExpected ? settings.requestTimeout : settings.keepAliveTimeout)
    if due > now {
      timer?.arm(noLaterThan: due)
    } else if decoder.isMidRequest {
      refuse(408, "\(ConnectionEnd.timedOut(.request))")
    } else {
      leave()
    }
  }
}
