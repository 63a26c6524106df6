public import MartletBase
public import MartletJSON
public import MartletModel

/// One asset of the trade balance.
public struct WireBalance: Equatable, Sendable, BitwiseCopyable {
  public var asset: InlineText
  public var available: Amount
  /// Held by open orders.
  public var freeze: Amount

  public init(asset: InlineText, available: Amount, freeze: Amount) {
    self.asset = asset
    self.available = available
    self.freeze = freeze
  }

  public func balance(of account: AccountID) -> Balance {
    Balance(account: account, asset: asset, available: available, frozen: freeze)
  }

  static func readPair(
    _ cursor: inout JSONCursor, asset: InlineText, in text: Span<UInt8>
  ) throws(JSONFault) -> WireBalance {
    try cursor.beginObject(in: text)
    var available: Amount?
    var freeze: Amount?
    while let key = try cursor.nextKey(in: text) {
      if key.equals("available", in: text) {
        available = try cursor.amount(in: text)
      } else if key.equals("freeze", in: text) {
        freeze = try cursor.amount(in: text)
      } else {
        try cursor.skipValue(in: text)
      }
    }
    guard let available, let freeze else { throw cursor.missingKey(in: text) }
    return WireBalance(asset: asset, available: available, freeze: freeze)
  }

  /// Writes the key and its value into the object begun last.
  public func write(with writer: inout JSONWriter, into buffer: inout ByteBuffer) {
    writer.key(asset, into: &buffer)
    writer.beginObject(into: &buffer)
    writer.key("available", into: &buffer)
    writer.decimal(available, into: &buffer)
    writer.key("freeze", into: &buffer)
    writer.decimal(freeze, into: &buffer)
    writer.endObject(into: &buffer)
  }
}

/// The trade balance, over REST and pushed.
///
/// - Source: WhiteBIT docs: an object by asset, documented as non-zero rows only, so an asset that is
///   missing is zero; pushed as a list holding one such object of the changed assets.
public struct Balances: Sendable {
  var cursor = JSONCursor()
  let isBody: Bool
  var isPush = false
  var isDone = false

  /// Reads the body of `trade-account/balance` asked without a ticker; `[]` is no rows.
  public init(_ body: Span<UInt8>) throws(JSONFault) {
    isBody = true
    if try cursor.kind(in: body) == .array {
      try cursor.beginArray(in: body)
      if try cursor.nextElement(in: body) { throw cursor.fault(.object, in: body) }
      try cursor.end(in: body)
      isDone = true
    } else {
      try cursor.beginObject(in: body)
    }
  }

  /// Reads a push's params, at which `cursor` stands; `cursor` then stands behind them when `next`
  /// has given nil.
  public init(push cursor: JSONCursor, in frame: Span<UInt8>) throws(JSONFault) {
    isBody = false
    isPush = true
    self.cursor = cursor
    try self.cursor.beginArray(in: frame)
    guard try self.cursor.nextElement(in: frame) else {
      isDone = true
      return
    }
    try self.cursor.beginObject(in: frame)
  }

  public mutating func next(in text: Span<UInt8>) throws(JSONFault) -> WireBalance? {
    while !isDone {
      if let key = try cursor.nextKey(in: text) {
        return try WireBalance.readPair(&cursor, asset: key.inlineText(in: text), in: text)
      }
      if isPush, try cursor.nextElement(in: text) {
        try cursor.beginObject(in: text)
        continue
      }
      if isBody { try cursor.end(in: text) }
      isDone = true
    }
    return nil
  }

  /// Where a push's params ended, once `next` has given nil.
  public var end: JSONCursor { cursor }

  /// All changes of every asset: naming each is refused, naming none takes all.
  public static func writeSubscribe(id: UInt64, into buffer: inout ByteBuffer) {
    Envelope.writeRequest(id, "balanceSpot_subscribe", flat: [], into: &buffer)
  }

  public static func writePush(_ rows: [WireBalance], into buffer: inout ByteBuffer) {
    Envelope.writePush("balanceSpot_update", into: &buffer) { writer, buffer in
      writer.beginArray(into: &buffer)
      writer.beginObject(into: &buffer)
      for row in rows { row.write(with: &writer, into: &buffer) }
      writer.endObject(into: &buffer)
      writer.endArray(into: &buffer)
    }
  }

  /// Writes the body of `trade-account/balance`.
  public static func writeReply(_ rows: [WireBalance], into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    writer.beginObject(into: &buffer)
    for row in rows { row.write(with: &writer, into: &buffer) }
    writer.endObject(into: &buffer)
  }
}
