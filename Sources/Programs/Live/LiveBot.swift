internal import MartletBase
internal import MartletClock
internal import MartletJournalFile
internal import MartletKernel
internal import MartletModel
internal import MartletRecord
internal import MartletSecrets
internal import MartletStrategies
internal import MartletTransport
internal import MartletVenueKit
internal import WhiteBITSession

/// One bot's kernel with its world around it: journal, sockets, clock, on one thread.
///
/// Every input is journaled before it acts and every effect before it leaves; what leaves is then
/// signed and handed to the transport. Nothing here decides.
final class LiveBot {
  typealias Driver = KernelDriver<WhiteBITSession, BuiltInStrategy, JournalFileSink>

  private(set) var driver: Driver
  /// From a frame's bytes in user memory to its last signed order in the send buffer.
  private(set) var frameToOrder = LatencyHistogram()
  /// Why the journal can no longer be written; nothing leaves after that.
  private(set) var journalFault: JournalFault?
  private(set) var trail: FillTrail
  /// Called after each step.
  var onStep: (() -> Void)?

  private let loop: EventLoop
  private let endpoint: VenueEndpoint
  private let signer: Signer
  private let nonces: NonceClock
  private let rest: RESTClient
  private var clock: AnchoredClock
  private var streams: [LiveStream] = []
  private var secrets = SecretHandles()
  private var secretRequests: [UInt64] = []
  private var signed = SignedHeaders()
  /// What leaves: body or frame, with nonce and secrets in place.
  private var outgoing = ByteBuffer(capacity: 65_536)
  private var concealed = ByteBuffer(capacity: 4096)
  private var record = ByteBuffer(capacity: 64)
  /// Inputs that a step's own effects caused at once; folded after it, never within.
  private var pending: [VenueInput] = []
  private var isStepping = false
  /// Requests that wait for a nonce that does not lead venue time too far. At most 256: the session
  /// has no more in flight.
  private var waiting: [WaitingRequest] = []
  private var timer: LoopTimer?
  private var nonceTimer: LoopTimer?

  private struct WaitingRequest {
    let effect: RequestEffect
    let target: String
    let body: [UInt8]
  }

  init(
    _ loop: EventLoop, driver: consuming Driver, endpoint: VenueEndpoint,
    signer: consuming Signer, nonces: NonceClock, rest: RESTClient
  ) {
    self.loop = loop
    self.driver = driver
    self.endpoint = endpoint
    self.signer = signer
    self.nonces = nonces
    self.rest = rest
    clock = AnchoredClock()
    trail = FillTrail()
    timer = LoopTimer(loop) { [weak self] in self?.feed(.timer) }
    nonceTimer = LoopTimer(loop) { [weak self] in self?.sendWaiting() }
  }

  // MARK: Inputs

  func feed(_ input: KernelInput) { feed(input, Span()) }

  /// Journals and folds one input, then carries out what it caused.
  func feed(_ input: KernelInput, _ bytes: Span<UInt8>) {
    guard journalFault == nil else { return }
    precondition(!isStepping, "an input within a step")
    isStepping = true
    let received = loop.clock()
    do throws(JournalFault) {
      try driver.feed(
        input, bytes: bytes, at: clock.now(at: Timestamp(nanoseconds: received.nanoseconds)))
      if try carryOut(), case .venue(.frame) = input {
        frameToOrder.record(loop.clock() - received)
      }
    } catch {
      // Nothing more may leave; the dead-man stops being refreshed, and the venue cancels.
      journalFault = error
    }
    trail.take(driver.kernel.notes)
    isStepping = false
    onStep?()
    if let next = pending.popLast() {
      feed(.venue(next))
      return
    }
    armTimer()
  }

  /// Appends a record of the edge's own: dead-man news, totals.
  func note(_ kind: UInt16, lane: RecordLane = .decisions, _ text: String) {
    guard journalFault == nil else { return }
    var payload = ByteBuffer()
    payload.append(text: text)
    do throws(JournalFault) {
      _ = try driver.sink.writer.append(
        kind: RecordKind(kind), lane: lane, time: clock.now(), payload: payload.span)
    } catch { journalFault = error }
  }

  private func armTimer() {
    let next = driver.kernel.nextDeadline
    guard next < .distantFuture else {
      timer?.disarm()
      return
    }
    timer?.arm(after: max(next - clock.now(), .zero))
  }

  // MARK: Effects

  /// - Returns: whether an order left.
  private func carryOut() throws(JournalFault) -> Bool {
    var placed = false
    for index in 0..<driver.kernel.effects.list.count {
      switch driver.kernel.effects.list[index] {
      case .request(let effect):
        if effect.requestClass == .place { placed = true }
        try send(effect)
      case .openStream(let stream): open(stream)
      case .closeStream(let stream): streams.first { $0.id == stream }?.close()
      case .sendFrame(let stream, let range, let hasSecret):
        outgoing.removeAll()
        let frame = driver.kernel.effects.bytes.span.extracting(range.indices)
        if hasSecret {
          // An unknown handle is of a secret forgotten long ago: the venue will refuse the frame.
          do throws(SecretHandles.UnknownHandle) { try secrets.reveal(frame, into: &outgoing) } catch {
            continue
          }
        } else {
          outgoing.append(frame)
        }
        streams.first { $0.id == stream }?.send(outgoing.span)
      }
    }
    return placed
  }

  private func send(_ effect: RequestEffect) throws(JournalFault) {
    outgoing.removeAll()
    outgoing.append(driver.kernel.effects.bytes.span.extracting(effect.body.indices))
    let target = String(driver.kernel.effects.bytes.span.extracting(effect.target.indices))
    if effect.isReplySecret { secretRequests.append(effect.id.number) }
    if case .none = effect.signing {
      transmit(effect, target)
      return
    }
    // Nonces leave in the order of the requests.
    if !waiting.isEmpty {
      waiting.append(WaitingRequest(effect: effect, target: target, body: outgoing.copy()))
      return
    }
    try sign(effect, target)
  }

  private func sign(_ effect: RequestEffect, _ target: String) throws(JournalFault) {
    let outcome: NonceClock.Outcome
    do throws(NonceFault) {
      outcome = try nonces.next(at: SystemClock.monotonic())
    } catch {
      // The last nonce cannot be kept: nothing was sent, and the session is told just that.
      pending.insert(.requestFailed(effect.id, .notSent), at: 0)
      return
    }
    switch outcome {
    case .wait(let span):
      waiting.append(WaitingRequest(effect: effect, target: target, body: outgoing.copy()))
      nonceTimer?.arm(after: span)
    case .nonce(let nonce):
      record.removeAll()
      record.append(word: effect.id.number)
      record.append(word: nonce)
      _ = try driver.sink.writer.append(
        kind: RecordKind(JournalKind.nonce), time: clock.now(), payload: record.span)
      signer.sign(
        effect.signing, body: ByteRange(start: 0, count: outgoing.count), in: &outgoing,
        nonce: nonce, into: &signed)
      transmit(effect, target)
    }
  }

  private func sendWaiting() {
    let held = waiting
    waiting.removeAll(keepingCapacity: true)
    do throws(JournalFault) {
      for request in held {
        if !waiting.isEmpty {
          waiting.append(request)
          continue
        }
        outgoing.removeAll()
        outgoing.append(request.body.span)
        try sign(request.effect, request.target)
      }
    } catch { journalFault = error }
    while let next = pending.popLast() { feed(.venue(next)) }
  }

  private func transmit(_ effect: RequestEffect, _ target: String) {
    let id = effect.id
    rest.send(
      RESTRequest(
        target: target, body: outgoing.span, signedBy: signed, key: signer.key,
        isSigned: effect.signing != .none, timeout: effect.timeout)
    ) { [weak self] outcome in self?.answered(id, outcome) }
  }

  private func answered(_ id: RequestID, _ outcome: borrowing RESTOutcome) {
  }

  // MARK: Streams

  private func open(_ stream: StreamID) {
    let live: LiveStream
    if let known = streams.first(where: { $0.id == stream }) {
      live = known
    } else {
      live = LiveStream(loop, stream, endpoint.websocket, bot: self)
      streams.append(live)
    }
    if !live.connect() { pending.insert(.streamClosed(stream), at: 0) }
  }
}
