internal import MartletBase
internal import MartletClock
internal import MartletJSON
internal import MartletKernel
internal import MartletModel
internal import MartletSecrets
internal import MartletTransport
internal import MartletVenueKit

/// Asks the venue signed questions, one at a time, over a connection of its own. For what is not hot.
struct SignedQuestions: ~Copyable {
  private let client: BlockingRESTClient
  private let signer: Signer
  private let nonces: NonceClock
  private let keep: SideKeeper?
  private var signed = SignedHeaders()

  /// - Parameter keep: takes each question before it is signed, which leaves only if that is kept, and what
  ///   came of it; nil where there is no journal to keep it in.
  init(
    _ venue: VenueAddress, signer: consuming Signer, nonces: NonceClock, keep: SideKeeper? = nil
  ) throws(RESTRefusal) {
    client = try BlockingRESTClient(venue.rest, configuration: venue.configuration())
    self.signer = signer
    self.nonces = nonces
    self.keep = keep
  }

  enum Answer {
    case told(JSONValue)
    /// Any other status than 200, with the first 200 bytes of what was said.
    case refused(status: Int, words: String)
  }

  /// The venue could not be asked, or answered what cannot be read.
  struct Fault: Error, CustomStringConvertible { let description: String }

  /// - Parameter fields: members of the body, each with its comma behind.
  mutating func post(_ path: String, _ fields: String) throws(Fault) -> Answer {
    var body = ByteBuffer()
    body.append(text: "{\(fields)\"request\":\"\(path)\",\"nonceWindow\":true,\"nonce\":")
    let offset = body.count
    body.append(text: "1000000000000}")
    let target = Array(path.utf8)
    // What has been kept as a question until it is known what came of it.
    var asked: Int64?
    do {
      let nonce = try nonce(for: path)
      if let keep {
        asked = nonce
        guard
          keep(
            nonce,
            .request(target: target, body: body.copy(), nonceOffset: UInt32(offset)))
        else { throw Fault(description: "\(path): not asked, since the journal does not take it") }
      }
      signer.sign(
        .whitebit(nonceOffset: UInt32(offset)), body: ByteRange(start: 0, count: body.count),
        in: &body, nonce: nonce, into: &signed)
      var headers = RESTHeaders()
      try headers.append(SignedHeaders.keyName, signer.key)
      try headers.append(SignedHeaders.payloadName, signed.payload.span)
      try headers.append(SignedHeaders.signatureName, signed.signature.span)
      let outcome = try client.perform(
        .post, target: target.span, headers: headers, body: body.span, timeout: .seconds(5))
      asked = nil
      switch outcome {
      case .replied(let status, _, let reply):
        _ = keep?(nonce, .reply(status: status, body: reply, length: UInt32(reply.count)))
      case .failed(let fault): _ = keep?(nonce, .failed(Array("\(fault)".utf8)))
      }
      switch outcome {
      case .replied(200, _, let reply): return .told(try JSONValue(reply.span))
      case .replied(let status, _, let reply):
        return .refused(
          status: Int(status), words: String(decoding: reply.prefix(200), as: UTF8.self))
      case .failed(let fault): throw Fault(description: "\(path): \(fault)")
      }
    } catch {
      if let asked { _ = keep?(asked, .failed(Array("not sent".utf8))) }
      if let fault = error as? Fault { throw fault }
      throw Fault(description: "\(path): \(error)")
    }
  }

  /// Asks again where the venue refused a nonce or was busy: only for what may be put twice, a question
  /// or a cancel.
  ///
  /// - Parameter tries: 1 or more; each waits twice as long as the one before, from 200 ms.
  mutating func post(
    _ path: String, _ fields: String, tries: Int
  ) throws(Fault) -> Answer {
    var last = Fault(description: "\(path) was not asked")
    for attempt in 0..<tries {
      if attempt > 0 { SystemClock.sleep(.milliseconds(100 << Int64(attempt))) }
      do throws(Fault) {
        let answer = try post(path, fields)
        if case .refused(let status, let words) = answer,
          status == 429 || status >= 500 || words.contains("Too many requests")
            || words.contains("nonce")
        {
          last = Fault(description: "\(path): HTTP \(status) \(words)")
          continue
        }
        return answer
      } catch { last = error }
    }
    throw last
  }

  /// What the venue tells.
  ///
  /// - Throws: also when it refuses.
  mutating func value(
    _ path: String, _ fields: String, tries: Int = 1
  ) throws(Fault) -> JSONValue {
    switch try post(path, fields, tries: tries) {
    case .told(let value): return value
    case .refused(let status, let words):
      throw Fault(description: "\(path): HTTP \(status) \(words)")
    }
  }

  /// All rows of a market's list, or of all markets', in pages of a hundred.
  ///
  /// - Throws: also for an answer that is no list: it is no proof that there are none.
  mutating func rows(
    _ path: String, of market: InlineText?, tries: Int = 1
  ) throws(Fault) -> [JSONValue] {
    var rows: [JSONValue] = []
    let choice = market.map { "\"market\":\"\($0)\"," } ?? ""
    while true {
      let reply = try value(
        path, "\(choice)\"limit\":100,\"offset\":\(rows.count),", tries: tries)
      guard case .array(let found) = reply else {
        throw Fault(description: "\(path): expected a list, found \(reply)")
      }
      rows += found
      if found.count < 100 { return rows }
    }
  }

  /// How long the first nonce is waited for when runs in quick succession have set many aside.
  private static let patience = TimeSpan.seconds(10)

  /// The key's next nonce, as soon as the venue takes it.
  private func nonce(for path: String) throws -> Int64 {
    var left = SignedQuestions.patience
    while true {
      switch try nonces.next(at: SystemClock.monotonic()) {
      case .nonce(let nonce): return nonce
      case .wait(let span):
        guard span <= left else {
          throw Fault(
            description: "\(path): the key's last nonce is \(span.milliseconds) ms further ahead of"
              + " the venue's clock than it takes; try again then")
        }
        left = left - span
        // Nothing else is done on this thread.
        SystemClock.sleep(span + .milliseconds(1))
      }
    }
  }
}
