internal import MartletBase
internal import MartletKernel
internal import MartletSecrets
internal import MartletStrategy
internal import MartletVenueKit

/// Something on its way.
struct Message {
  enum Kind {
    case request(DeskRequest, [UInt8])
    case reply(UInt64, status: Int, body: [UInt8])
    case failure(UInt64, RequestFailure)
    case open(UInt64)
    case opened(UInt64)
    /// An open that came to nothing.
    case unopened(UInt64)
    case frameToDesk(UInt64, [UInt8])
    case frame(UInt64, [UInt8])
    case closeAtDesk(UInt64)
    case closed(UInt64, StreamID)
  }

  let time: Timestamp
  let order: UInt64
  /// The client process it belongs to.
  let life: Int
  let kind: Kind
}

/// One stream's connection, under the number the desk knows it by.
struct StreamLink {
  let id: UInt64
  let stream: StreamID
  var isOpen = false
  /// Nothing comes through any more, and neither end knows.
  var isDead = false
  /// When the last frame arrives each way: later ones do not overtake it.
  var lastToDesk = Timestamp.zero
  var lastToClient = Timestamp.zero
}

/// A request whose reply the client waits for.
struct InFlight {
  /// The world's number for it.
  let number: UInt64
  let party: TraceEntry.Party
  /// The client's own number for it.
  let id: RequestID
  let target: String
  let isReplySecret: Bool
  let expiresAt: Timestamp
  /// Zero for one that was not signed.
  let nonce: Int64
  /// For a planted bug alone.
  var sent: (DeskRequest, [UInt8])?
}

extension World where Session: ~Copyable, Desk: ~Copyable {
  /// How long a stream's opening, or the answer to our closing it, is waited for.
  private var openPatience: TimeSpan { .seconds(5) }

  // MARK: From the client

  /// Carries out what the kernel's last step wants, as the live edge does.
  mutating func carryOut() {
    for index in 0..<life.driver.kernel.effects.list.count {
      guard life.isAlive else { return }
      switch life.driver.kernel.effects.list[index] {
      case .request(let effect):
        send(PendingRequest(effect, by: .kernel, in: life.driver.kernel.effects.bytes))
      case .openStream(let stream): open(stream)
      case .closeStream(let stream): close(stream)
      case .sendFrame(let stream, let range, let hasSecret):
        sendFrame(stream, range, hasSecret: hasSecret)
      }
    }
  }

  mutating func send(_ request: PendingRequest) {
    // Nonces leave in the order of the requests.
    guard life.waiting.isEmpty || request.signing == .none else {
      life.waiting.append(request)
      return
    }
    sign(request)
  }

  mutating func sendWaiting() {
    life.nonceAt = .distantFuture
    let held = life.waiting
    life.waiting.removeAll()
    for request in held where life.isAlive { send(request) }
  }

  private mutating func sign(_ request: PendingRequest) {
    var headers: [(name: String, value: String)] = [("Content-Type", "application/json")]
    var body = ByteBuffer(capacity: request.body.count)
    body.append(request.body.span)
    var signedWith: Int64 = 0
    if request.signing != .none {
      guard let outcome = try? nonces.next(at: now) else {
        preconditionFailure("a nonce clock without a file fails at nothing")
      }
      guard case .nonce(let nonce) = outcome else {
        if case .wait(let span) = outcome { life.nonceAt = now + span }
        life.waiting.append(request)
        return
      }
      signedWith = nonce
      switch request.party {
      case .kernel: journal(nonce, of: request.id)
      case .deadMan: journal(nonce, request)
      }
      guard life.isAlive else { return }
      signer.sign(
        request.signing, body: ByteRange(start: 0, count: body.count), in: &body, nonce: nonce,
        into: &signed)
      headers.append((text(SignedHeaders.keyName), String(signer.key)))
      headers.append((text(SignedHeaders.payloadName), String(signed.payload.span)))
      headers.append((text(SignedHeaders.signatureName), String(signed.signature.span)))
    }
    transmit(request, headers, body.copy(), nonce: signedWith)
    _ = passes()
  }

  private mutating func journal(_ nonce: Int64, of request: RequestID) {
    var record = ByteBuffer(capacity: 16)
    record.append(word: request.number)
    record.append(word: nonce)
    keep(JournalKind.nonce, record, Span())
  }

  /// What the dead-man asks stands in the journal as well, before it leaves.
  private mutating func journal(_ nonce: Int64, _ request: PendingRequest) {
    guard case .whitebit(let nonceOffset) = request.signing else { return }
    journal(
      nonce,
      .request(target: Array(request.target.utf8), body: request.body, nonceOffset: nonceOffset))
  }

  /// What came of it, or the request itself.
  private mutating func journal(_ nonce: Int64, _ part: SideRecord.Part) {
    var payload = ByteBuffer(capacity: 1_024)
    SideRecord(party: .deadMan, nonce: nonce, at: clientNow, part).write(into: &payload)
    keep(JournalKind.side, payload, Span())
  }

  private func text(_ name: StaticString) -> String { "\(name)" }

  private mutating func transmit(
    _ request: PendingRequest, _ headers: [(name: String, value: String)], _ body: [UInt8],
    nonce: Int64
  ) {
    lastRequest += 1
    let number = lastRequest
    let parts = request.target.split(separator: "?", maxSplits: 1).map(String.init)
    let waited = InFlight(
      number: number, party: request.party, id: request.id, target: parts[0],
      isReplySecret: request.isReplySecret, expiresAt: now + request.timeout,
      nonce: nonce)
    inFlight.append(waited)
    trace.append(
      .requested(number, by: request.party, target: parts[0], body: body), life: life.number,
      at: now)
    var headers = headers
    var wait = passage()
    switch faults.take(.request, { $0 == parts[0] }) {
    case .refuseConnection:
      enqueue(.failure(number, .notSent), after: .zero)
      return
    case .loseRequest: return
    case .refuseRequest(let status, let text):
      enqueue(.reply(number, status: status, body: text), after: wait + wait)
      return
    case .delayRequest(let by): wait = wait + by
    case .spoilSignature:
      for index in headers.indices
      where headers[index].name == text(SignedHeaders.signatureName) {
        headers[index].value = String(repeating: "0", count: headers[index].value.utf8.count)
      }
    case nil, .loseReply, .breakReply, .delayReply, .replaceReply, .dropFrame, .repeatFrame,
      .delayFrame, .replaceFrame, .precedeFrame:
      break
    }
    let asked = DeskRequest(
      id: number, method: body.isEmpty ? "GET" : "POST", path: parts[0],
      query: parts.count > 1 ? parts[1] : "", headers: headers)
    if canary == .resend, parts[0] == WhiteBITPaths.place {
      inFlight[inFlight.count - 1].sent = (asked, body)
    }
    enqueue(.request(asked, body), after: wait)
    plantStray(behind: request)
  }

  private mutating func open(_ stream: StreamID) {
    lastLink += 1
    links.append(StreamLink(id: lastLink, stream: stream))
    enqueue(.open(lastLink), after: passage())
    enqueue(.unopened(lastLink), after: openPatience)
  }

  private mutating func close(_ stream: StreamID) {
    guard let link = links.last(where: { $0.stream == stream }) else { return }
    // A dead stream answers nothing: its end is told when patience is over.
    if !link.isDead { enqueue(.closeAtDesk(link.id), after: passage()) }
    enqueue(.closed(link.id, stream), after: link.isDead ? openPatience : latency + latency)
  }

  private mutating func sendFrame(_ stream: StreamID, _ range: ByteRange, hasSecret: Bool) {
    var frame = copy(range)
    guard let index = links.lastIndex(where: { $0.stream == stream && $0.isOpen }) else { return }
    trace.append(.sent(links[index].id, frame), life: life.number, at: now)
    if hasSecret {
      var revealed = ByteBuffer(capacity: 256)
      // A handle forgotten long ago is sent as it stands: the venue refuses it.
      if (try? life.secrets.reveal(frame.span, into: &revealed)) != nil { frame = revealed.copy() }
    }
    let arrival = max(now + passage(), links[index].lastToDesk)
    links[index].lastToDesk = arrival
    enqueue(.frameToDesk(links[index].id, frame), at: arrival)
    _ = passes()
  }

  private func copy(_ range: ByteRange) -> [UInt8] {
    let bytes = life.driver.kernel.effects.bytes.span
    return range.indices.map { bytes[$0] }
  }

  // MARK: From the venue

  mutating func route(_ output: DeskOutput) {
    for item in output.items {
      switch item {
      case .reply(let reply): route(reply)
      case .frame(let link, let bytes): route(bytes, to: link)
      case .close(let link, _):
        if let known = links.first(where: { $0.id == link }), !known.isDead {
          enqueue(.closed(link, known.stream), at: max(now + passage(), known.lastToClient))
        }
      }
    }
  }

  private mutating func route(_ reply: DeskOutput.Reply) {
    trace.append(
      .answered(reply.request, status: reply.status, body: reply.body), life: life.number, at: now)
    guard let waited = inFlight.first(where: { $0.number == reply.request }) else { return }
    var status = reply.status
    var body = reply.body
    var wait = passage()
    switch faults.take(.reply, { $0 == waited.target }) {
    case .loseReply: return
    case .breakReply:
      enqueue(.failure(reply.request, .broken), after: wait)
      return
    case .delayReply(let by): wait = wait + by
    case .replaceReply(let other, let text):
      status = other
      body = text
    case nil, .refuseConnection, .loseRequest, .refuseRequest, .delayRequest, .spoilSignature,
      .dropFrame,
      .repeatFrame, .delayFrame, .replaceFrame, .precedeFrame:
      break
    }
    if body.count > limits.replyBytes {
      enqueue(.failure(reply.request, .malformed), after: wait)
    } else {
      enqueue(.reply(reply.request, status: status, body: body), after: wait)
    }
  }

  private mutating func route(_ bytes: [UInt8], to link: UInt64) {
    guard links.contains(where: { $0.id == link }) else { return }
    var frames = [bytes]
    let fault = faults.take(.frame) { bytes.holds(Array($0.utf8)) }
    switch fault {
    case .dropFrame: return
    case .repeatFrame: frames.append(bytes)
    case .delayFrame(let by):
      if let index = links.firstIndex(where: { $0.id == link }) {
        links[index].lastToClient = max(links[index].lastToClient, now) + by
      }
    case .replaceFrame(let other): frames = [other]
    case .precedeFrame(let other): frames.insert(other, at: 0)
    case nil, .refuseConnection, .loseRequest, .refuseRequest, .delayRequest, .spoilSignature,
      .loseReply,
      .breakReply, .delayReply, .replaceReply:
      break
    }
    if let more = phantomFill(of: bytes) { frames.append(more) }
    for frame in frames {
      guard let index = links.firstIndex(where: { $0.id == link }) else { return }
      let arrival = max(now + passage(), links[index].lastToClient)
      links[index].lastToClient = arrival
      if frame.count > limits.frameBytes || String(validating: frame, as: UTF8.self) == nil {
        // The client's transport ends a stream that carries what is no message.
        enqueue(.closeAtDesk(link), at: arrival + latency)
        enqueue(.closed(link, links[index].stream), at: arrival)
        return
      }
      enqueue(.frame(link, frame), at: arrival)
    }
  }

  // MARK: Arriving

  mutating func deliver(_ message: Message) {
    let isOfThisLife = message.life == life.number && life.isAlive
    switch message.kind {
    case .request(let request, let body):
      guard now >= downUntil else { return }
      trace.append(.arrived(request.id), life: message.life, at: now)
      atDesk { $0.receive(request, body: body.span, at: $1, output: &$2) }
    case .frameToDesk(let link, let bytes):
      guard let known = links.first(where: { $0.id == link }), !known.isDead else { return }
      atDesk { $0.receive(frame: bytes.span, from: link, at: $1, output: &$2) }
    case .open(let link):
      guard now >= downUntil, let known = links.first(where: { $0.id == link }), !known.isDead
      else { return }
      atDesk { $0.opened(link, at: $1, output: &$2) }
      enqueue(.opened(link), after: passage())
    case .closeAtDesk(let link): desk.closed(link, at: now)
    case .reply, .failure, .opened, .unopened, .frame, .closed:
      if isOfThisLife { deliverToClient(message.kind) }
    }
  }

  private mutating func atDesk(
    _ act: (inout Desk, Timestamp, inout DeskOutput) -> Void
  ) {
    var output = DeskOutput()
    act(&desk, now, &output)
    route(output)
  }

  private mutating func deliverToClient(_ kind: Message.Kind) {
    // A process may die with what reached its socket unread.
    guard passes() else { return }
    switch kind {
    case .reply(let number, let status, let body):
      guard now >= downUntil, let index = inFlight.firstIndex(where: { $0.number == number })
      else { return }
      receive(inFlight.remove(at: index), status, body)
    case .failure(let number, let failure):
      guard let index = inFlight.firstIndex(where: { $0.number == number }) else { return }
      fail(inFlight.remove(at: index), failure)
    case .opened(let link):
      guard let index = links.firstIndex(where: { $0.id == link }), !links[index].isDead else {
        return
      }
      links[index].isOpen = true
      tell(.venue(.streamOpened(links[index].stream)), [], as: .opened(link))
    case .unopened(let link):
      guard let index = links.firstIndex(where: { $0.id == link && !$0.isOpen }) else { return }
      lose(link, links[index].stream)
    case .frame(let link, let bytes):
      guard let known = links.first(where: { $0.id == link }), !known.isDead else { return }
      tell(.venue(.frame(known.stream)), bytes, as: .told(link, bytes))
    case .closed(let link, let stream): lose(link, stream)
    case .request, .open, .frameToDesk, .closeAtDesk: break
    }
  }

  private mutating func lose(_ link: UInt64, _ stream: StreamID) {
    // Told once, whoever ended it.
    guard let index = links.firstIndex(where: { $0.id == link }) else { return }
    links.remove(at: index)
    tell(.venue(.streamClosed(stream)), [], as: .closed(link))
  }

  private mutating func receive(_ request: InFlight, _ status: Int, _ body: [UInt8]) {
    let event = TraceEntry.Event.replied(request.number, status: status, body: body)
    var body = body
    if request.isReplySecret {
      var concealed = ByteBuffer(capacity: body.count)
      _ = life.secrets.conceal(secretField, in: body.span, into: &concealed)
      body = concealed.copy()
    }
    let status = UInt16(clamping: status)
    switch request.party {
    case .kernel: tell(.venue(.response(request.id, status: status)), body, as: event)
    case .deadMan:
      trace.append(event, life: life.number, at: now)
      journal(
        request.nonce, .reply(status: status, body: body, length: UInt32(clamping: body.count)))
      guard life.isAlive else { return }
      life.deadMan.response(
        request.id, status: status, body: body.span, at: clientNow,
        effects: &life.deadManEffects, news: &life.news)
      carryOutDeadMan()
    }
  }

  mutating func fail(_ request: InFlight, _ failure: RequestFailure) {
    let event = TraceEntry.Event.failed(request.number, failure)
    plantResend(of: request)
    switch request.party {
    case .kernel: tell(.venue(.requestFailed(request.id, failure)), [], as: event)
    case .deadMan:
      trace.append(event, life: life.number, at: now)
      journal(
        request.nonce, .failed(Array((failure == .notSent ? "not sent" : "sent, no reply").utf8)))
      guard life.isAlive else { return }
      life.deadMan.failed(
        request.id, at: clientNow, effects: &life.deadManEffects, news: &life.news)
      carryOutDeadMan()
    }
  }

  // MARK: The queue

  /// How long the next message takes.
  private mutating func passage() -> TimeSpan {
    guard jitter > .zero else { return latency }
    return latency + TimeSpan(nanoseconds: Int64(random.below(UInt64(jitter.nanoseconds))))
  }

  mutating func enqueue(_ kind: Message.Kind, after wait: TimeSpan) {
    enqueue(kind, at: now + wait)
  }

  mutating func enqueue(_ kind: Message.Kind, at time: Timestamp) {
    precondition(queue.count < limits.messages, "\(limits.messages) messages under way")
    order += 1
    var index = queue.count
    while index > 0 && queue[index - 1].time > time { index -= 1 }
    queue.insert(Message(time: time, order: order, life: life.number, kind: kind), at: index)
  }
}
