public import MartletBase

/// A signed request that left beside the kernel's own, or what came of it: payload of a `side` record.
///
/// The dead-man, the look at what rests before a run trades, and the comparison of ledgers ask over
/// connections of their own. Nothing folds from what they ask and hear; it is kept so that no byte on a
/// wire goes unrecorded.
///
/// Payload, version 1, little-endian: part (1), party (1), nonce (8), when it left or came (8); then of a
/// request nonce offset (4), target and body, of a reply status (2), length (4) and body, of a failure its
/// words; each of these with a count (4) before it.
public struct SideRecord: Equatable, Sendable {
  /// Who asks. A number never changes its meaning.
  public enum Party: UInt8, CaseIterable, Sendable {
    case deadMan = 1
    /// Looks, before a run trades, whose orders rest in its markets.
    case restingOrders = 2
    /// Compares our books with the venue's, at a run's end or when an operator asks.
    case ledgerCheck = 3
  }

  public enum Part: Equatable, Sendable {
    /// As written before it is signed: at `nonceOffset` of the body stand thirteen digits that give way to
    /// the nonce. Neither key nor signature is in it.
    case request(target: [UInt8], body: [UInt8], nonceOffset: UInt32)
    /// What came, up to the bytes that are kept of it; `length` is that of the whole body.
    case reply(status: UInt16, body: [UInt8], length: UInt32)
    /// No reply came, or nothing left, as the words say.
    case failed([UInt8])
  }

  public var party: Party
  /// The request's nonce, which nothing else of the same key has: what came of it bears it too.
  public var nonce: Int64
  /// When it left or came, by the clock of the records. The record's own time is when it was journaled,
  /// which for the dead-man's may be later.
  public var at: Timestamp
  public var part: Part

  public init(party: Party, nonce: Int64, at: Timestamp, _ part: Part) {
    self.party = party
    self.nonce = nonce
    self.at = at
    self.part = part
  }

  // MARK: Coding

  public func write(into payload: inout ByteBuffer) {
    let tag: UInt8 =
      switch part {
      case .request: 1
      case .reply: 2
      case .failed: 3
      }
    payload.append(tag)
    payload.append(party.rawValue)
    payload.append(word: nonce)
    payload.append(word: at.nanoseconds)
    switch part {
    case .request(let target, let body, let nonceOffset):
      payload.append(word: nonceOffset)
      SideRecord.append(target, to: &payload)
      SideRecord.append(body, to: &payload)
    case .reply(let status, let body, let length):
      payload.append(word: status)
      payload.append(word: length)
      SideRecord.append(body, to: &payload)
    case .failed(let words): SideRecord.append(words, to: &payload)
    }
  }

  /// - Returns: nil for a payload that is none.
  public init?(_ payload: Span<UInt8>) {
    var cursor = ByteCursor()
    guard let tag = cursor.word(UInt8.self, in: payload),
      let party = cursor.word(UInt8.self, in: payload).flatMap({ Party(rawValue: $0) }),
      let nonce = cursor.word(Int64.self, in: payload),
      let at = cursor.word(Int64.self, in: payload)
    else { return nil }
    func bytes(_ range: Range<Int>) -> [UInt8] { range.map { payload[$0] } }
    switch tag {
    case 1:
      guard let offset = cursor.word(UInt32.self, in: payload),
        let target = cursor.counted(in: payload), let body = cursor.counted(in: payload)
      else { return nil }
      part = .request(target: bytes(target), body: bytes(body), nonceOffset: offset)
    case 2:
      guard let status = cursor.word(UInt16.self, in: payload),
        let length = cursor.word(UInt32.self, in: payload), let body = cursor.counted(in: payload)
      else { return nil }
      part = .reply(status: status, body: bytes(body), length: length)
    case 3:
      guard let words = cursor.counted(in: payload) else { return nil }
      part = .failed(bytes(words))
    default: return nil
    }
    self.party = party
    self.nonce = nonce
    self.at = Timestamp(nanoseconds: at)
  }

  private static func append(_ bytes: [UInt8], to payload: inout ByteBuffer) {
    payload.append(word: UInt32(bytes.count))
    payload.append(bytes.span)
  }

  /// The same with at most `most` bytes of a reply's body; its length still tells of the whole.
  public func clipped(to most: Int) -> SideRecord {
    guard case .reply(let status, let body, let length) = part, body.count > most else {
      return self
    }
    var clipped = self
    clipped.part = .reply(status: status, body: Array(body.prefix(most)), length: length)
    return clipped
  }

  /// The same by a clock that shows `span` more.
  public func moved(by span: TimeSpan) -> SideRecord {
    var moved = self
    moved.at = at + span
    return moved
  }

  // MARK: Words

  /// A request's body as it left, a reply's as far as it is kept; nil when there is none.
  public var body: [UInt8]? { part.body(nonce: nonce) }

  /// What it is, in one line without its body.
  public var heading: String {
    var time = ByteBuffer(capacity: 32)
    time.append(decimal: at.seconds)
    time.append(".")
    time.append(decimal: (at.nanoseconds - at.seconds * 1_000_000_000) / 1_000, width: 6)
    let start = "\(party) \(String(time.span))"
    switch part {
    case .request(let target, let body, _):
      let verb = body.isEmpty ? "GET" : "POST"
      return "\(start) request \(nonce) \(verb) \(String(target.span))"
    case .reply(let status, let body, let length):
      let missing = Int(length) - body.count
      return "\(start) reply \(nonce) HTTP \(status)"
        + (missing > 0 ? ", \(missing) of its \(length) bytes not kept" : "")
    case .failed(let words): return "\(start) request \(nonce) failed: \(String(words.span))"
    }
  }
}

extension SideRecord.Part {
  /// A request's body as it leaves with this nonce, a reply's as far as it is kept; nil when there is none.
  public func body(nonce: Int64) -> [UInt8]? {
    switch self {
    case .request(_, var body, let nonceOffset):
      let digits = Array("\(nonce)".utf8)
      let start = Int(nonceOffset)
      if start + digits.count <= body.count {
        body.replaceSubrange(start..<start + digits.count, with: digits)
      }
      return body.isEmpty ? nil : body
    case .reply(_, let body, _): return body.isEmpty ? nil : body
    case .failed: return nil
    }
  }
}

extension SideRecord.Party: CustomStringConvertible {
  public var description: String {
    switch self {
    case .deadMan: "dead-man"
    case .restingOrders: "resting-orders"
    case .ledgerCheck: "ledger-check"
    }
  }
}
