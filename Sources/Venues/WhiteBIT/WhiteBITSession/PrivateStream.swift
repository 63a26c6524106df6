internal import MartletBase
internal import MartletModel
internal import MartletVenueKit
internal import WhiteBITWire

/// The one socket that carries private and public channels.
///
/// The connect budget: every market's channels share this socket, and each connection spends a token of
/// the session's quota, so that a process opens at most 10 in any 60 s, whatever fails and however
/// short the waits between tries. The venue lets an address open 1000 a minute.
///
/// - Source: WhiteBIT docs: public channels may be mixed on an authorized socket; subscriptions are
///   forgotten on disconnect, and nothing is repeated.
struct Link: Equatable, Sendable {
  enum Stage: UInt8, Sendable {
    /// Not connected; `retryAt` says when to try.
    case down = 0
    /// The token is being fetched.
    case token = 1
    case opening = 2
    case authorizing = 3
    /// Private channels are being subscribed to; their pushes are held.
    case subscribing = 4
    /// Orders, fills and balances are being read; pushes are held.
    case reconciling = 5
    case live = 6
    /// We asked for the end of the stream and wait to be told of it.
    case closing = 7
  }

  var stage = Stage.down
  var retryAt = Timestamp.distantFuture
  /// Connections that failed or broke in a row before one became live.
  var attempt: Int32 = 0
  /// Since when it is live; `distantFuture` while it is not.
  var liveSince = Timestamp.distantFuture
  /// By when the stage must be left, or the stream is given up.
  var deadline = Timestamp.distantFuture
  /// The token of this connection, or the handle that stands for it; empty when used.
  var token: [UInt8] = []
  /// The id of the `authorize` frame.
  var authorization: UInt64 = 0
  /// The ids of the private subscriptions that are not yet acknowledged; 0 for none.
  var awaited: [UInt64] = []
  var nextPing = Timestamp.distantFuture
  /// By when the pong must come; `distantFuture` when none is awaited.
  var pongBy = Timestamp.distantFuture

  /// Whether there is a socket to speak on.
  var isOpen: Bool {
    switch stage {
    case .authorizing, .subscribing, .reconciling, .live: true
    case .down, .token, .opening, .closing: false
    }
  }

  /// Whether private pushes are held until the state is reconciled.
  var isHolding: Bool { stage == .subscribing || stage == .reconciling || stage == .authorizing }
}

extension WhiteBITSession {
  /// The one stream of this session.
  static var stream: StreamID { StreamID(0) }
  /// Private news held while reconciling.
  static var maxHeld: Int { 4096 }
  /// A token longer than this is none.
  static var maxToken: Int { 512 }

  /// Sends a frame with an id of its own.
  @discardableResult
  mutating func sendFrame(
    hasSecret: Bool = false, effects: inout VenueEffects,
    _ write: (UInt64, inout ByteBuffer) -> Void
  ) -> UInt64 {
    lastFrame += 1
    let start = effects.bytes.count
    write(lastFrame, &effects.bytes)
    effects.append(
      .sendFrame(
        WhiteBITSession.stream,
        bytes: ByteRange(start: start, count: effects.bytes.count - start), hasSecret: hasSecret))
    return lastFrame
  }

  // MARK: Connecting

  mutating func readToken(
    _ body: Span<UInt8>, effects: inout VenueEffects, at now: Timestamp
  ) -> Bool {
    guard link.stage == .token else { return true }  // Stopped while it was on its way.
    guard let range = try? SocketToken.read(body), range.count <= WhiteBITSession.maxToken else {
      return false
    }
    link.token.removeAll(keepingCapacity: true)
    for index in range { link.token.append(body[index]) }
    link.stage = .opening
    link.deadline = now + configuration.stepDeadline
    effects.append(.openStream(WhiteBITSession.stream))
    return true
  }

  mutating func streamOpened(at now: Timestamp, effects: inout VenueEffects) {
    guard link.stage == .opening else { return }
    link.stage = .authorizing
    link.deadline = now + configuration.stepDeadline
    link.nextPing = now + configuration.pingInterval
    link.pongBy = .distantFuture
    let token = link.token
    link.authorization = sendFrame(hasSecret: true, effects: &effects) { id, bytes in
      Envelope.writeAuthorize(id: id, token: token.span, into: &bytes)
    }
    link.token.removeAll(keepingCapacity: true)
  }

  private mutating func subscribePrivate(at now: Timestamp, effects: inout VenueEffects) {
    link.stage = .subscribing
    link.deadline = now + configuration.stepDeadline
    let names = markets.map(\.symbol.market)
    link.awaited.removeAll(keepingCapacity: true)
    link.awaited.append(
      sendFrame(effects: &effects) { Orders.writeSubscribe(id: $0, markets: names, into: &$1) })
    link.awaited.append(
      sendFrame(effects: &effects) { Fills.writeSubscribe(id: $0, markets: names, into: &$1) })
    link.awaited.append(
      sendFrame(effects: &effects) { Balances.writeSubscribe(id: $0, into: &$1) })
  }

  /// The stream is gone or is to go: nothing on it is known any more.
  mutating func streamLost(at now: Timestamp, events: inout VenueEvents) {
    guard link.stage != .down, link.stage != .token else { return }
    link.stage = .down
    link.deadline = .distantFuture
    link.nextPing = .distantFuture
    link.pongBy = .distantFuture
    link.awaited.removeAll(keepingCapacity: true)
    // What was held is true, and some of it is not told again.
    release(events: &events)
    step = .none
    isRelisting = false
    isRefilling = false
    dismiss(.orders)
    dismiss(.clear)
    dismiss(.fills)
    dismiss(.book)
    dismiss(.tape)
    if phase == .running { breakProof(at: now) }
    forgetBooks(events: &events)
    updateReadiness(at: now, events: &events)
    let isSteady =
      link.liveSince != .distantFuture && now - link.liveSince >= configuration.steadyAfter
    link.liveSince = .distantFuture
    guard phase == .running else { return }
    guard !isSteady else {
      // It was well for long: most likely the next one is too. Only if not is it waited for.
      link.retryAt =
        now + TimeSpan(nanoseconds: Int64(random.below(WhiteBITSession.firstRetryJitter)))
      return
    }
    link.retryAt =
      now + configuration.backoff.delay(attempt: Int(link.attempt), random: &random)
    link.attempt = min(link.attempt + 1, 16)
    if link.attempt == configuration.tries {
      events.append(
        .notice(.retriesExhausted(.stream, tries: configuration.tries, order: ClientOrderID(""))))
    }
  }

  /// - Unit: nanoseconds; a quarter of a second, so that many clients of one venue do not come back
  ///   at once.
  static var firstRetryJitter: UInt64 { 250_000_000 }

  /// Gives the stream up. What it carried counts as lost from here on.
  mutating func closeStream(
    at now: Timestamp, events: inout VenueEvents, effects: inout VenueEffects
  ) {
    streamLost(at: now, events: &events)
    effects.append(.closeStream(WhiteBITSession.stream))
    // A new one is opened once the edge has said that this one is gone.
    link.stage = .closing
    link.deadline = now + configuration.stepDeadline
  }

  mutating func streamClosed(at now: Timestamp, events: inout VenueEvents) {
    if link.stage == .closing {
      link.stage = .down
      link.deadline = .distantFuture
    } else {
      streamLost(at: now, events: &events)
    }
  }

  /// Begins a connection when it is time: with its token, which is what the connect budget counts.
  mutating func connectIfDue(at now: Timestamp) {
    guard phase == .running, link.stage == .down, link.retryAt <= now else { return }
    link.retryAt = .distantFuture
    link.stage = .token
    want(.token, at: now)
  }

  // MARK: Keeping alive

  mutating func keepAlive(
    at now: Timestamp, events: inout VenueEvents, effects: inout VenueEffects
  ) {
    if link.deadline <= now {
      if link.stage == .closing {
        // Nobody told us of the end we asked for; a later word of it is then about the next one,
        // and costs one more connection.
        link.stage = .down
        link.deadline = .distantFuture
      } else if link.stage != .token {
        closeStream(at: now, events: &events, effects: &effects)
        return
      }
    }
    guard link.isOpen else { return }
    if link.pongBy <= now {
      closeStream(at: now, events: &events, effects: &effects)
    } else if link.nextPing <= now {
      link.nextPing = now + configuration.pingInterval
      if link.pongBy == .distantFuture { link.pongBy = now + configuration.pongDeadline }
      let start = effects.bytes.count
      Envelope.writePing(id: 0, into: &effects.bytes)
      effects.append(
        .sendFrame(
          WhiteBITSession.stream,
          bytes: ByteRange(start: start, count: effects.bytes.count - start), hasSecret: false))
    }
  }

  // MARK: Frames

  mutating func receiveFrame(
    _ frame: Span<UInt8>, at now: Timestamp, events: inout VenueEvents,
    effects: inout VenueEffects
  ) {
    guard link.isOpen else { return }
    guard let message = try? Envelope.read(frame) else {
      events.append(.anomaly(.malformed))
      return
    }
    switch message.kind {
    case .push(.depth): receiveDepth(message, frame, at: now, events: &events)
    case .push(.deals): receiveFill(message, frame, at: now, events: &events)
    case .push(.ordersPending): receiveOrder(message, frame, at: now, events: &events)
    case .push(.balanceSpot): receiveBalances(message, frame, at: now, events: &events)
    case .push(.trades): receiveTrades(message, frame, events: &events)
    case .push(.lastPrice): receiveLastPrice(message, frame, events: &events)
    case .push(.ordersExecuted), .push(.market), .push(.other):
      break  // Not subscribed to, and nothing of ours hangs on it.
    case .reply(let id):
      receiveAnswer(id, message, frame, at: now, events: &events, effects: &effects)
    case .failure(let id):
      receiveFailure(id, message, frame, at: now, events: &events, effects: &effects)
    }
  }

  private mutating func receiveAnswer(
    _ id: UInt64?, _ message: VenueMessage, _ frame: Span<UInt8>, at now: Timestamp,
    events: inout VenueEvents, effects: inout VenueEffects
  ) {
    guard let id else { return }
    if id == 0 {
      link.pongBy = .distantFuture
      return
    }
    if link.stage == .authorizing && id == link.authorization {
      if (try? Envelope.isSuccess(message, in: frame)) == true {
        subscribePrivate(at: now, effects: &effects)
      } else {
        closeStream(at: now, events: &events, effects: &effects)
      }
      return
    }
    guard link.stage == .subscribing, let index = link.awaited.firstIndex(of: id) else { return }
    link.awaited.remove(at: index)
    if link.awaited.isEmpty { beginReconciliation(at: now) }
  }

  private mutating func receiveFailure(
    _ id: UInt64?, _ message: VenueMessage, _ frame: Span<UInt8>, at now: Timestamp,
    events: inout VenueEvents, effects: inout VenueEffects
  ) {
    guard let failure = try? Envelope.failure(message, in: frame) else {
      events.append(.anomaly(.malformed))
      return
    }
    guard let id else { return }
    if failure.code == 7 { events.append(.anomaly(.rateLimited)) }
    if link.stage == .authorizing && id == link.authorization
      || link.stage == .subscribing && link.awaited.contains(id)
    {
      // A token is used once and a private channel is not optional: begin again, later.
      closeStream(at: now, events: &events, effects: &effects)
      return
    }
    for index in 0..<markets.count where markets[index].subscription == id {
      if failure.code == 9 {
        markets[index].isSubscribed = false
        withdraw(index, at: now, events: &events)
      } else {
        distrust(index, at: now, events: &events)
      }
    }
  }

  // MARK: Private news

  private mutating func receiveFill(
    _ message: VenueMessage, _ frame: Span<UInt8>, at now: Timestamp, events: inout VenueEvents
  ) {
    var message = message
    do {
      let fill = try Fills.readPush(&message.cursor, in: frame)
      try message.close(in: frame)
      let market = markets.index(named: fill.market)
      if let market { judgeBook(market, byNewsOf: fill.time, at: now, events: &events) }
      guard isOwn(fill.clientID) else {
        tellForeign(fill.orderID ?? 0, events: &events)
        return
      }
      guard let index = market,
        let scale = markets[index].scale,
        let booked = fill.fill(
          account: configuration.account, instrument: markets[index].symbol.instrument,
          scale: scale, source: .stream)
      else {
        missFill(at: now, events: &events)
        return
      }
      tell(booked, events: &events)
    } catch {
      missFill(at: now, events: &events)
    }
  }

  /// A fill came that we cannot read. It moved money: the history is asked for it.
  private mutating func missFill(at now: Timestamp, events: inout VenueEvents) {
    events.append(.anomaly(.unreadableFill))
    guard link.stage == .live || link.stage == .reconciling, phase == .running else { return }
    if step == .none { isRefilling = true }
    if isWanted(.fills) { wantAll(.fills, at: now) }
  }

  private mutating func receiveOrder(
    _ message: VenueMessage, _ frame: Span<UInt8>, at now: Timestamp, events: inout VenueEvents
  ) {
    var message = message
    do {
      let (event, order) = try Orders.readPending(&message.cursor, in: frame)
      try message.close(in: frame)
      tell(
        order, isFinished: event == .finish, source: .stream, at: now, events: &events)
    } catch {
      events.append(.anomaly(.malformed))
      // News of an order was lost; all of them are read again.
      if phase == .running && link.stage == .live { relist(at: now) }
    }
  }

  private mutating func receiveBalances(
    _ message: VenueMessage, _ frame: Span<UInt8>, at now: Timestamp, events: inout VenueEvents
  ) {
    var message = message
    do {
      var rows = try Balances(push: message.cursor, in: frame)
      while let row = try rows.next(in: frame) {
        guard isOurAsset(row.asset) else { continue }
        let balance = row.balance(of: configuration.account)
        if link.isHolding {
          hold(.balance(balance), events: &events)
        } else {
          events.append(.balance(balance))
        }
      }
      message.cursor = rows.end
      try message.close(in: frame)
    } catch {
      events.append(.anomaly(.malformed))
    }
  }
}
