public import MartletBase
public import MartletJSON

/// One object that the venue sends in lists, readable and writable.
public protocol WireRow: Sendable {
  static func read(
    _ cursor: inout JSONCursor, in text: Span<UInt8>
  ) throws(JSONFault) -> Self
}

/// Reads a body that is a list of rows, one at a time, without building the list.
///
///     var rows = try Rows<WireOrder>(body)
///     while let order = try rows.next(in: body) { ... }
///
/// The venue sends `[]` for an empty map and `{}` for an empty list; both end at once.
public struct Rows<Row: WireRow>: Sendable {
  @usableFromInline var cursor = JSONCursor()
  @usableFromInline var isEmptyObject = false
  @usableFromInline var isDone = false

  /// - Throws: `JSONFault` when the body begins neither a list nor an empty object.
  public init(_ text: Span<UInt8>) throws(JSONFault) {
    if try cursor.kind(in: text) == .object {
      try cursor.beginObject(in: text)
      if try cursor.nextKey(in: text) != nil { throw cursor.fault(.array, in: text) }
      try cursor.end(in: text)
      isDone = true
    } else {
      try cursor.beginArray(in: text)
    }
  }

  /// The next row; nil once the list and the body have ended.
  public mutating func next(in text: Span<UInt8>) throws(JSONFault) -> Row? {
    if isDone { return nil }
    if try cursor.nextElement(in: text) { return try Row.read(&cursor, in: text) }
    try cursor.end(in: text)
    isDone = true
    return nil
  }
}

/// Reads a body that is either a list of rows or an object of such lists by market.
///
/// Histories come as a list when a market was asked for, as `{MARKET: [row]}` when none was, and as
/// `[]` or `{}` when there is nothing.
public struct MarketRows<Row: WireRow>: Sendable {
  var cursor = JSONCursor()
  let isKeyed: Bool
  var isInside = false
  var isDone = false
  /// The market whose list is being read; nil while the body is a plain list.
  public private(set) var market: InlineText?

  public init(_ text: Span<UInt8>) throws(JSONFault) {
    isKeyed = try cursor.kind(in: text) == .object
    if isKeyed {
      try cursor.beginObject(in: text)
    } else {
      try cursor.beginArray(in: text)
      isInside = true
    }
  }

  /// The next row; nil once everything was read. `market` then tells whose row it was.
  public mutating func next(in text: Span<UInt8>) throws(JSONFault) -> Row? {
    while !isDone {
      if isInside {
        if try cursor.nextElement(in: text) { return try Row.read(&cursor, in: text) }
        isInside = false
        if isKeyed { continue }
      } else if let key = try cursor.nextKey(in: text) {
        market = try key.inlineText(in: text)
        try cursor.beginArray(in: text)
        isInside = true
        continue
      }
      try cursor.end(in: text)
      isDone = true
    }
    return nil
  }
}

extension JSONCursor {
  func fault(_ expected: JSONFault.Expected, in text: Span<UInt8>) -> JSONFault {
    fault(expected, at: position, in: text)
  }

  func fault(
    _ expected: JSONFault.Expected, at offset: Int, in text: Span<UInt8>
  ) -> JSONFault {
    JSONFault(
      offset: offset, expected: expected,
      found: offset >= 0 && offset < text.count ? text[offset] : nil)
  }

  /// An exact amount from a string or a number.
  mutating func amount(in text: Span<UInt8>) throws(JSONFault) -> Amount {
    let digits = try decimalText(in: text)
    do {
      return try DecimalText.parseAmount(digits.bytes(in: text))
    } catch {
      throw fault(.number, at: digits.start, in: text)
    }
  }

  /// An exact amount, or nil for `null` and for an empty string.
  mutating func optionalAmount(in text: Span<UInt8>) throws(JSONFault) -> Amount? {
    if isNull(in: text) { return nil }
    var ahead = self
    if try ahead.decimalText(in: text).count == 0 {
      self = ahead
      return nil
    }
    return try amount(in: text)
  }

  /// A percentage as a ratio: "0.1" is 0.001.
  mutating func percent(in text: Span<UInt8>) throws(JSONFault) -> Rate {
    let digits = try decimalText(in: text)
    // Two places fewer than the rate's own: read on that grid, a percent is a ratio.
    guard
      let units = try? DecimalText.parseWide(digits.bytes(in: text), places: Rate.places - 2),
      let narrow = Int64(exactly: units)
    else { throw fault(.number, at: digits.start, in: text) }
    return Rate(units: narrow)
  }

  /// A time in seconds, from a number or a string.
  mutating func seconds(in text: Span<UInt8>) throws(JSONFault) -> Timestamp {
    let digits = try decimalText(in: text)
    guard let time = Times.parse(digits.bytes(in: text)) else {
      throw fault(.number, at: digits.start, in: text)
    }
    return time
  }

  mutating func shortText(in text: Span<UInt8>) throws(JSONFault) -> InlineText {
    try string(in: text).inlineText(in: text)
  }

  /// A number that may also come in quotes, such as an id.
  mutating func identifier(in text: Span<UInt8>) throws(JSONFault) -> UInt64 {
    let digits = try decimalText(in: text)
    guard let value = try? DecimalText.parseWide(digits.bytes(in: text), places: 0),
      let id = UInt64(exactly: value)
    else { throw fault(.integer, at: digits.start, in: text) }
    return id
  }

  mutating func clientText(in text: Span<UInt8>) throws(JSONFault) -> ClientText {
    if isNull(in: text) { return ClientText() }
    let content = try string(in: text)
    if !content.hasEscapes, let id = ClientText(content.bytes(in: text)) { return id }
    guard let id = ClientText(text: try content.decoded(in: text)) else {
      throw fault(.shortText, at: content.start, in: text)
    }
    return id
  }
}

extension JSONWriter {
  /// Writes a time as a number of seconds with six decimals.
  mutating func seconds(_ time: Timestamp, into buffer: inout ByteBuffer) {
    json(InlineArray<0, UInt8>(repeating: 0).span, into: &buffer)
    Times.write(time, into: &buffer)
  }

  mutating func string(_ value: ClientText, into buffer: inout ByteBuffer) {
    if value.tail.isEmpty {
      string(value.head, into: &buffer)
    } else {
      string(text: value.description, into: &buffer)
    }
  }

  /// Writes a ratio as the percentage the venue speaks in: 0.001 is "0.1".
  mutating func percent(_ rate: Rate, into buffer: inout ByteBuffer) {
    decimal(Int128(rate.units), places: Rate.places - 2, into: &buffer)
  }
}
