public import MartletBase
public import MartletJSON
internal import MartletModel
public import MartletVenueKit

/// An error as the venue words it, in any of its envelopes.
///
/// - Source: WhiteBIT docs, error envelope `{code, message, errors: {field: [text]}}`; live bodies
///   also without code (`{field: [text]}`), with nested messages, and with a single text a field.
public struct VenueError: Equatable, Sendable {
  public struct Entry: Equatable, Sendable {
    public var field: String
    public var text: String
    public init(field: String, text: String) {
      self.field = field
      self.text = text
    }
  }

  /// nil when the body carries none.
  public var code: Int32?
  public var message: String
  /// In the body's order; several for one field are several entries.
  public var entries: [Entry]

  public init(code: Int32?, message: String, entries: [Entry] = []) {
    self.code = code
    self.message = message
    self.entries = entries
  }

  /// One text of one field.
  public init(code: Int32?, message: String, field: String, _ texts: String...) {
    self.init(
      code: code, message: message, entries: texts.map { Entry(field: field, text: $0) })
  }

  /// - Returns: nil when the body is no JSON object.
  public init?(_ body: Span<UInt8>) {
    guard let root = try? JSONValue(body), case .object = root else { return nil }
    self.init(root)
  }

  public init(_ root: JSONValue) {
    code = nil
    message = ""
    entries = []
    guard case .object(let members) = root else { return }
    for member in members {
      switch member.key {
      case "code":
        if let text = member.value.text, let number = Int32(text) { code = number }
      case "message": readMessage(member.value)
      case "errors":
        if case .object(let fields) = member.value {
          for field in fields { add(field.value, field: field.key) }
        }
      case "success", "result", "response", "status", "notification", "warning", "_token": break
      default: add(member.value, field: member.key)
      }
    }
  }

  private mutating func readMessage(_ value: JSONValue) {
    switch value {
    case .string(let text): message = text
    case .array(let items):
      // An old shape nests its one text twice.
      for item in items where message.isEmpty { readMessage(item) }
    case .object(let fields): for field in fields { add(field.value, field: field.key) }
    case .null, .bool, .number: break
    }
  }

  private mutating func add(_ value: JSONValue, field: String) {
    switch value {
    case .string(let text): entries.append(Entry(field: field, text: text))
    case .array(let items): for item in items { add(item, field: field) }
    case .null, .bool, .number, .object: break
    }
  }

  public func write(with writer: inout JSONWriter, into buffer: inout ByteBuffer) {
    writer.beginObject(into: &buffer)
    writer.key("code", into: &buffer)
    writer.integer(code ?? 0, into: &buffer)
    writer.key("message", into: &buffer)
    writer.string(text: message, into: &buffer)
    // Auth failures come without the map; the others always have it.
    if !entries.isEmpty || code == 0 {
      writer.key("errors", into: &buffer)
      writeEntries(with: &writer, into: &buffer)
    }
    writer.endObject(into: &buffer)
  }

  /// Writes the error as a whole body.
  public func write(into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    write(with: &writer, into: &buffer)
  }

  /// Writes the map of texts by field alone, as public endpoints answer.
  public func writeEntries(with writer: inout JSONWriter, into buffer: inout ByteBuffer) {
    writer.beginObject(into: &buffer)
    for (index, entry) in entries.enumerated() {
      let isNewField = index == 0 || entries[index - 1].field != entry.field
      if isNewField {
        if index > 0 { writer.endArray(into: &buffer) }
        writer.key(text: entry.field, into: &buffer)
        writer.beginArray(into: &buffer)
      }
      writer.string(text: entry.text, into: &buffer)
    }
    if !entries.isEmpty { writer.endArray(into: &buffer) }
    writer.endObject(into: &buffer)
  }

  /// What a person needs: code, message, fields and their texts.
  public var summary: String {
    var text = "code \(code.map { "\($0)" } ?? "none")"
    if !message.isEmpty { text += ", “\(message)”" }
    for entry in entries { text += "; \(entry.field): \(entry.text)" }
    return text
  }
}

/// Tells what became of a request from the answer it got.
///
/// By code, field and text, as the pages contradict each other on the rest: 400 and 422 mean the
/// same, code 10 is a missing balance or a bad signature, code 2 a finished order or a disabled key,
/// and 429 a limit or a stale nonce.
///
/// - Source: WhiteBIT docs and observed bodies; reference sections 1.4, 5.1, 5.2, 5.3.
public enum Faults {
  /// What an answer means.
  public struct Verdict: Equatable, Sendable {
    public var outcome: Outcome
    /// What else is worth telling.
    public var anomaly: VenueAnomaly?
    /// The body, where it was one of the venue's errors.
    public var error: VenueError?

    public init(_ outcome: Outcome, anomaly: VenueAnomaly? = nil, error: VenueError? = nil) {
      self.outcome = outcome
      self.anomaly = anomaly
      self.error = error
    }

    /// Whether the same question may get an answer later: after a limit, a stale nonce, a broken
    /// venue, a body nobody can read. Any other 4xx is an answer, whoever on the way gave it.
    ///
    /// - Source: WhiteBIT's bot guide: a 4xx other than 429 is not retried.
    public func isWorthAsking(status: UInt16) -> Bool {
      switch outcome {
      case .accepted, .backOff: true
      // Its own words ask for another try.
      case .inDoubt: !(400..<500).contains(status) || error != nil
      case .refused, .stop: false
      }
    }

    /// Whether the body is an error as the venue writes one, and not a page or words of somebody between.
    public var isInVenuesWords: Bool {
      guard let error else { return false }
      return error.code != nil || !error.message.isEmpty
    }

    /// The first field named, for the message to the strategy or the operator; empty for none.
    public var field: String { error?.entries.first?.field ?? "" }
  }

  /// Classifies a whole HTTP answer.
  ///
  /// - Returns: `accepted` for any 2xx: whether its body can be read is the caller's to find out,
  ///   and a placement whose body cannot be read is in doubt.
  public static func verdict(status: UInt16, body: Span<UInt8>) -> Verdict {
    if status >= 200 && status < 300 { return Verdict(.accepted) }
    let error = VenueError(body)
    // Whatever it says, something broke on the way, and nobody knows how far the request came.
    if status >= 500 { return Verdict(.inDoubt, anomaly: .serverError, error: error) }
    if let error, let class_ = textClass(of: error) {
      return verdict(class_, error, status: status)
    }
    switch status {
    case 401, 403: return Verdict(.stop(code: error?.code ?? Int32(status)), error: error)
    case 429:
      // The gateway's own is HTML or text. The venue's JSON with this wording was met above.
      return Verdict(.backOff, anomaly: .rateLimited, error: error)
    case 400...499:
      // A page of the front end, or half a body, proves nothing about what stands behind it.
      guard let error else { return Verdict(.inDoubt, anomaly: .malformed) }
      switch status {
      // Words of nobody, though in JSON.
      case _ where [404, 451, 453].contains(status) && error.code == nil && error.message.isEmpty:
        return Verdict(.inDoubt, anomaly: .malformed, error: error)
      case 404: return Verdict(.refused(.other, code: error.code ?? 404), error: error)
      case 451:
        return Verdict(.refused(.instrumentUnavailable, code: error.code ?? 451), error: error)
      case 453: return Verdict(.refused(.invalidField, code: error.code ?? 453), error: error)
      default: return verdict(codeClass(of: error), error, status: status)
      }
    default: return Verdict(.inDoubt, anomaly: .malformed, error: error)
    }
  }

  /// Classifies an error inside a bulk reply.
  public static func verdict(item error: VenueError) -> Verdict {
    verdict(textClass(of: error) ?? codeClass(of: error), error, status: 422)
  }

  // MARK: The table

  enum Class: Equatable, Sendable {
    case refused(RefusalReason)
    /// Key, signature or permission: nothing of ours will be executed.
    case stop
    /// The nonce was too low or too old: not executed.
    case staleNonce
    /// Not executed, and worth another try later.
    case backOff
    /// To be asked about before anything else.
    case doubt
  }

  struct Row: Sendable {
    /// nil: any.
    let code: Int32?
    /// The field a text stands under; nil: any, the message included.
    let field: String?
    /// Found anywhere in the text, case aside; nil: any.
    let text: String?
    let meaning: Class
    init(_ code: Int32?, _ field: String?, _ text: String?, _ meaning: Class) {
      self.code = code
      self.field = field
      self.text = text
      self.meaning = meaning
    }
  }

  /// Wordings that decide whatever the status and the code are. The first that fits counts.
  static let texts: [Row] = [
    // Nonce. Observed as 429 with code 0, documented as 401.
    Row(nil, nil, "nonce is more than 5 seconds", .staleNonce),
    Row(0, nil, "too many requests.", .staleNonce),
    Row(nil, nil, "too many attempts", .backOff),
    // Key, signature, permission.
    Row(nil, nil, "unauthorized request", .stop),
    Row(nil, nil, "this action is unauthorized", .stop),
    Row(nil, nil, "invalid payload", .stop),
    Row(nil, nil, "payload not provided", .stop),
    Row(nil, nil, "nonce not provided", .stop),
    Row(nil, nil, "invalid noncewindow", .stop),
    Row(nil, nil, "request not provided", .stop),
    Row(nil, nil, "this api key is not authorized", .stop),
    Row(nil, nil, "you don't have permission", .stop),
    // The order itself, under whichever code.
    Row(nil, nil, "not enough balance", .refused(.insufficientBalance)),
    Row(nil, nil, "unexecuted order was not found", .refused(.notFound)),
    Row(nil, nil, "order does not exist or already cancelled", .refused(.notFound)),
    Row(nil, nil, "orderhistory was not found", .refused(.notFound)),
    Row(nil, nil, "order was not found", .refused(.notFound)),
    Row(nil, nil, "order not found", .refused(.notFound)),
    Row(nil, nil, "market is not available", .refused(.instrumentUnavailable)),
    Row(nil, nil, "market_not_exist", .refused(.instrumentUnavailable)),
    Row(nil, nil, "trading in the market is not allowed", .refused(.instrumentUnavailable)),
    Row(nil, nil, "already used by the current account", .refused(.duplicateClientOrderID)),
    Row(nil, nil, "couldn't be executed as a maker order", .refused(.postOnlyWouldTake)),
    Row(nil, nil, "less than min amount", .refused(.belowMinimum)),
    Row(nil, nil, "amount too small", .refused(.belowMinimum)),
    Row(nil, nil, "total (amount * price) is less than", .refused(.belowMinimum)),
    Row(nil, nil, "total amount should be no less than", .refused(.belowMinimum)),
    Row(nil, nil, "min amount step", .refused(.offGrid)),
    Row(nil, nil, "min price step", .refused(.offGrid)),
    Row(nil, nil, "min total step", .refused(.offGrid)),
    Row(nil, nil, "min activation price step", .refused(.offGrid)),
    Row(nil, nil, "should be a multiple of", .refused(.offGrid)),
    Row(nil, nil, "price field should be at least", .refused(.priceBand)),
    Row(nil, nil, "price should be less than or equal to", .refused(.priceBand)),
    Row(nil, nil, "price should be greater than or equal to", .refused(.priceBand)),
    Row(nil, nil, "price is out of bands", .refused(.priceBand)),
    Row(nil, nil, "please try again later", .doubt),
  ]

  /// What a code means where no wording above fits.
  static let codes: [Row] = [
    Row(1, nil, nil, .refused(.invalidField)),
    Row(2, nil, nil, .refused(.notFound)),
    Row(4, nil, nil, .stop),
    // The guide's table has 5 for a missing balance; on transfers it is the same.
    Row(5, nil, nil, .refused(.insufficientBalance)),
    Row(6, "orderId", nil, .refused(.notFound)),
    Row(7, nil, nil, .refused(.notFound)),
    Row(9, nil, nil, .refused(.other)),
    // With an entry it is a balance; without one, and not worded as a signature, it is unknown.
    Row(10, "amount", nil, .refused(.insufficientBalance)),
    // The guide has 10 for an unknown market.
    Row(10, "market", nil, .refused(.instrumentUnavailable)),
    Row(11, nil, nil, .refused(.belowMinimum)),
    Row(12, nil, nil, .refused(.other)),
    Row(13, nil, nil, .refused(.postOnlyWouldTake)),
    Row(14, nil, nil, .refused(.postOnlyWouldTake)),
    Row(15, nil, nil, .doubt),
    Row(16, nil, nil, .doubt),
    Row(17, nil, nil, .refused(.insufficientBalance)),
    Row(30, nil, nil, .refused(.invalidField)),
    Row(31, "market", "required", .refused(.invalidField)),
    Row(31, "market", "should", .refused(.invalidField)),
    Row(31, nil, nil, .refused(.instrumentUnavailable)),
    Row(32, nil, nil, .refused(.invalidField)),
    Row(33, nil, nil, .refused(.invalidField)),
    Row(35, nil, nil, .refused(.invalidField)),
    Row(36, nil, nil, .refused(.invalidField)),
    Row(37, nil, nil, .refused(.invalidField)),
    Row(40, nil, nil, .refused(.invalidField)),
    Row(41, nil, nil, .refused(.invalidField)),
    Row(42, nil, nil, .refused(.invalidField)),
    Row(43, nil, nil, .refused(.invalidField)),
    Row(51, nil, nil, .refused(.instrumentUnavailable)),
    Row(101, nil, nil, .refused(.priceBand)),
    Row(103, nil, nil, .refused(.other)),
    Row(104, nil, nil, .refused(.notFound)),
    Row(105, nil, nil, .refused(.invalidField)),
    Row(106, nil, nil, .refused(.invalidField)),
    Row(111, nil, nil, .refused(.aboveMaximum)),
    Row(112, nil, nil, .refused(.aboveMaximum)),
    Row(113, nil, nil, .refused(.other)),
    Row(114, nil, nil, .refused(.invalidField)),
    Row(115, nil, nil, .refused(.invalidField)),
    Row(116, nil, nil, .refused(.other)),
    Row(150, nil, nil, .refused(.invalidField)),
    Row(151, nil, nil, .refused(.priceBand)),
    Row(152, nil, nil, .refused(.insufficientBalance)),
    Row(153, nil, nil, .refused(.insufficientBalance)),
    Row(155, nil, nil, .refused(.invalidField)),
    Row(157, nil, nil, .doubt),
    Row(158, nil, nil, .refused(.invalidField)),
    Row(159, nil, nil, .refused(.invalidField)),
    Row(160, nil, nil, .refused(.invalidField)),
    Row(161, nil, nil, .refused(.invalidField)),
    Row(162, nil, nil, .refused(.invalidField)),
    Row(163, nil, nil, .refused(.invalidField)),
    Row(250, nil, nil, .refused(.priceBand)),
    Row(251, nil, nil, .refused(.priceBand)),
    Row(300, nil, nil, .backOff),
    Row(302, nil, nil, .refused(.aboveMaximum)),
    Row(330, nil, nil, .backOff),
    Row(404, nil, nil, .refused(.notFound)),
    Row(500, nil, nil, .doubt),
  ]

  // MARK: Looking up

  private static func textClass(of error: VenueError) -> Class? {
    texts.first { fits($0, error) }?.meaning
  }

  private static func codeClass(of error: VenueError) -> Class {
    codes.first { fits($0, error) }?.meaning ?? .refused(.other)
  }

  private static func fits(_ row: Row, _ error: VenueError) -> Bool {
    if let code = row.code, code != error.code { return false }
    if row.field == nil {
      guard let text = row.text else { return true }
      return contains(error.message, text) || error.entries.contains { contains($0.text, text) }
    }
    return error.entries.contains { entry in
      entry.field == row.field && (row.text.map { contains(entry.text, $0) } ?? true)
    }
  }

  private static func verdict(_ class_: Class, _ error: VenueError, status: UInt16) -> Verdict {
    let code = error.code ?? Int32(status)
    switch class_ {
    case .refused(let reason): return Verdict(.refused(reason, code: code), error: error)
    case .stop: return Verdict(.stop(code: code), error: error)
    case .staleNonce: return Verdict(.backOff, anomaly: .staleNonce, error: error)
    case .backOff:
      return Verdict(.backOff, anomaly: status == 429 ? .rateLimited : nil, error: error)
    case .doubt: return Verdict(.inDoubt, error: error)
    }
  }

  /// Whether `text` holds `part`, which is lowercase, case and doubled spaces aside: the venue's
  /// texts have both.
  static func contains(_ text: String, _ part: String) -> Bool {
    var folded: [UInt8] = []
    for byte in text.utf8 {
      if byte == 0x20 && folded.last == 0x20 { continue }
      folded.append(byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte)
    }
    let wanted = Array(part.utf8)
    guard folded.count >= wanted.count else { return false }
    for start in 0...(folded.count - wanted.count) {
      var length = 0
      while length < wanted.count && folded[start + length] == wanted[length] { length += 1 }
      if length == wanted.count { return true }
    }
    return false
  }
}
