public import MartletBase
public import MartletJSON
public import MartletModel

/// One fill of an own order as the venue tells it: pushed as a flat list, or as a row of a history.
///
/// - Source: WhiteBIT docs, `deals_update` and `executed-history`. A push's first eight elements have
///   always been there; side, role and fee asset are newer, and came as numbers or in quotes.
public struct WireFill: WireRow, Equatable, BitwiseCopyable {
  public var tradeID: UInt64
  public var time: Timestamp
  /// Empty in a row whose market is the key above it, or the one asked for.
  public var market: InlineText
  /// nil where the row does not tell it.
  public var orderID: UInt64?
  public var price: Amount
  /// In stock.
  public var amount: Amount
  public var fee: Amount
  public var clientID: ClientText
  public var side: Side?
  public var role: LiquidityRole
  /// Empty where it is not told.
  public var feeAsset: InlineText

  public init(
    tradeID: UInt64, time: Timestamp, market: InlineText, orderID: UInt64?, price: Amount,
    amount: Amount, fee: Amount, clientID: ClientText, side: Side?, role: LiquidityRole,
    feeAsset: InlineText
  ) {
    self.tradeID = tradeID
    self.time = time
    self.market = market
    self.orderID = orderID
    self.price = price
    self.amount = amount
    self.fee = fee
    self.clientID = clientID
    self.side = side
    self.role = role
    self.feeAsset = feeAsset
  }

  /// Reads a row of `executed-history`, of one order's deals, or of `deals_request`.
  public static func read(
    _ cursor: inout JSONCursor, in text: Span<UInt8>
  ) throws(JSONFault) -> WireFill {
    var id: UInt64?
    var time: Timestamp?
    var price: Amount?
    var amount: Amount?
    var fee: Amount?
    var fill = WireFill(
      tradeID: 0, time: .zero, market: InlineText(), orderID: nil, price: .zero, amount: .zero,
      fee: .zero, clientID: ClientText(), side: nil, role: .unknown, feeAsset: InlineText())
    try cursor.beginObject(in: text)
    while let key = try cursor.nextKey(in: text) {
      switch key.count {
      case 2 where key.equals("id", in: text): id = try cursor.identifier(in: text)
      case 3 where key.equals("fee", in: text): fee = try cursor.amount(in: text)
      case 4 where key.equals("time", in: text): time = try cursor.seconds(in: text)
      case 4 where key.equals("side", in: text): fill.side = try cursor.side(in: text)
      case 4 where key.equals("role", in: text): fill.role = try cursor.role(in: text)
      case 5 where key.equals("price", in: text): price = try cursor.amount(in: text)
      case 6 where key.equals("amount", in: text): amount = try cursor.amount(in: text)
      case 6 where key.equals("market", in: text): fill.market = try cursor.shortText(in: text)
      case 7 where key.equals("orderId", in: text), 8 where key.equals("order_id", in: text):
        fill.orderID = try cursor.identifier(in: text)
      case 8 where key.equals("feeAsset", in: text), 9 where key.equals("fee_asset", in: text):
        fill.feeAsset = cursor.isNull(in: text) ? InlineText() : try cursor.shortText(in: text)
      case 13 where key.equals("clientOrderId", in: text),
        15 where key.equals("client_order_id", in: text):
        fill.clientID = try cursor.clientText(in: text)
      default: try cursor.skipValue(in: text)
      }
    }
    guard let id, let time, let price, let amount, let fee else {
      throw cursor.missingKey(in: text)
    }
    fill.tradeID = id
    fill.time = time
    fill.price = price
    fill.amount = amount
    fill.fee = fee
    return fill
  }

  /// This fill of an order of `instrument`, on its grids; nil when it lies off them or lacks what a
  /// ledger needs (side, fee asset).
  public func fill(
    account: AccountID, instrument: InstrumentID, scale: InstrumentScale, source: NewsSource
  ) -> Fill? {
    guard let price = scale.exactPrice(of: price), let quantity = scale.exactQuantity(of: amount),
      let side, let clientOrderID = clientID.clientOrderID, !feeAsset.isEmpty || fee == .zero
    else { return nil }
    return Fill(
      account: account, instrument: instrument, clientOrderID: clientOrderID,
      venueOrderID: orderID.map { VenueOrderID(low: $0) } ?? .none, tradeID: TradeID(low: tradeID),
      side: side, price: price, quantity: quantity, fee: fee, feeAsset: feeAsset, role: role,
      exchangeTime: time, source: source)
  }

  // MARK: Writing, for the desk

  /// Writes a row of `executed-history`.
  public func writeREST(with writer: inout JSONWriter, into buffer: inout ByteBuffer) {
    writer.beginObject(into: &buffer)
    writer.key("id", into: &buffer)
    writer.integer(tradeID, into: &buffer)
    writer.key("clientOrderId", into: &buffer)
    writer.string(clientID, into: &buffer)
    writer.key("time", into: &buffer)
    writer.seconds(time, into: &buffer)
    if let side {
      writer.key("side", into: &buffer)
      writer.string(side.wireWord, into: &buffer)
    }
    writer.key("role", into: &buffer)
    writer.integer(role.rawValue, into: &buffer)
    writer.key("amount", into: &buffer)
    writer.decimal(amount, into: &buffer)
    writer.key("price", into: &buffer)
    writer.decimal(price, into: &buffer)
    writer.key("deal", into: &buffer)
    writer.decimal(price.multiplied(by: amount), into: &buffer)
    writer.key("fee", into: &buffer)
    writer.decimal(fee, into: &buffer)
    if let orderID {
      writer.key("orderId", into: &buffer)
      writer.integer(orderID, into: &buffer)
    }
    writer.key("feeAsset", into: &buffer)
    writer.string(feeAsset, into: &buffer)
    writer.endObject(into: &buffer)
  }

  /// Writes a row of `trade-account/order`, which tells no side, and whose `dealOrderId` is the
  /// counterparty's order.
  public func writeDeal(
    counterOrderID: UInt64, with writer: inout JSONWriter, into buffer: inout ByteBuffer
  ) {
    writer.beginObject(into: &buffer)
    writer.key("time", into: &buffer)
    writer.seconds(time, into: &buffer)
    writer.key("fee", into: &buffer)
    writer.decimal(fee, into: &buffer)
    writer.key("price", into: &buffer)
    writer.decimal(price, into: &buffer)
    writer.key("amount", into: &buffer)
    writer.decimal(amount, into: &buffer)
    writer.key("id", into: &buffer)
    writer.integer(tradeID, into: &buffer)
    writer.key("dealOrderId", into: &buffer)
    writer.integer(counterOrderID, into: &buffer)
    writer.key("clientOrderId", into: &buffer)
    writer.string(clientID, into: &buffer)
    writer.key("role", into: &buffer)
    writer.integer(role.rawValue, into: &buffer)
    writer.key("deal", into: &buffer)
    writer.decimal(price.multiplied(by: amount), into: &buffer)
    writer.key("feeAsset", into: &buffer)
    writer.string(feeAsset, into: &buffer)
    writer.key("rpi", into: &buffer)
    writer.bool(false, into: &buffer)
    writer.endObject(into: &buffer)
  }
}

extension WireFill {
  /// Writes a row of `deals_request`, the socket's own history.
  func writeSocket(
    counterOrderID: UInt64, with writer: inout JSONWriter, into buffer: inout ByteBuffer
  ) {
    writer.beginObject(into: &buffer)
    writer.key("time", into: &buffer)
    writer.seconds(time, into: &buffer)
    writer.key("id", into: &buffer)
    writer.integer(tradeID, into: &buffer)
    if let side {
      writer.key("side", into: &buffer)
      writer.integer(side.wireNumber, into: &buffer)
    }
    writer.key("role", into: &buffer)
    writer.integer(role.rawValue, into: &buffer)
    writer.key("price", into: &buffer)
    writer.decimal(price, into: &buffer)
    writer.key("amount", into: &buffer)
    writer.decimal(amount, into: &buffer)
    writer.key("deal", into: &buffer)
    writer.decimal(price.multiplied(by: amount), into: &buffer)
    writer.key("fee", into: &buffer)
    writer.decimal(fee, into: &buffer)
    writer.key("order_id", into: &buffer)
    writer.integer(orderID ?? 0, into: &buffer)
    writer.key("deal_order_id", into: &buffer)
    writer.integer(counterOrderID, into: &buffer)
    writer.key("market", into: &buffer)
    writer.string(market, into: &buffer)
    writer.key("client_order_id", into: &buffer)
    writer.string(clientID, into: &buffer)
    writer.key("fee_asset", into: &buffer)
    writer.string(feeAsset, into: &buffer)
    writer.endObject(into: &buffer)
  }
}

/// The fills channel and the fill histories, both ways.
public enum Fills {
  /// Why a push gives no fill.
  public enum Fault: Error, Equatable, Sendable {
    case malformed(JSONFault)
    /// A list of fewer than 8 or more than 11 elements.
    case length(Int)
  }

  /// The list of markets is nested here, and nowhere else.
  public static func writeSubscribe(
    id: UInt64, markets: [InlineText], into buffer: inout ByteBuffer
  ) {
    var writer = JSONWriter()
    Envelope.begin(id, "deals_subscribe", with: &writer, into: &buffer)
    writer.beginArray(into: &buffer)
    writer.beginArray(into: &buffer)
    for market in markets { writer.string(market, into: &buffer) }
    writer.endArray(into: &buffer)
    writer.endArray(into: &buffer)
    writer.endObject(into: &buffer)
  }

  /// Reads a `deals_update`'s params.
  public static func readPush(
    _ cursor: inout JSONCursor, in frame: Span<UInt8>
  ) throws(Fault) -> WireFill {
    var fill = WireFill(
      tradeID: 0, time: .zero, market: InlineText(), orderID: nil, price: .zero, amount: .zero,
      fee: .zero, clientID: ClientText(), side: nil, role: .unknown, feeAsset: InlineText())
    var length = 0
    do throws(JSONFault) {
      try cursor.beginArray(in: frame)
      while try cursor.nextElement(in: frame) {
        switch length {
        case 0: fill.tradeID = try cursor.identifier(in: frame)
        case 1: fill.time = try cursor.seconds(in: frame)
        case 2: fill.market = try cursor.shortText(in: frame)
        case 3: fill.orderID = try cursor.identifier(in: frame)
        case 4: fill.price = try cursor.amount(in: frame)
        case 5: fill.amount = try cursor.amount(in: frame)
        case 6: fill.fee = try cursor.amount(in: frame)
        case 7: fill.clientID = try cursor.clientText(in: frame)
        case 8: fill.side = try cursor.side(in: frame)
        case 9: fill.role = try cursor.role(in: frame)
        case 10: fill.feeAsset = try cursor.shortText(in: frame)
        default: try cursor.skipValue(in: frame)
        }
        length += 1
      }
    } catch {
      throw .malformed(error)
    }
    guard length >= 8 && length <= 11 else { throw .length(length) }
    return fill
  }

  public static func writePush(_ fill: WireFill, into buffer: inout ByteBuffer) {
    Envelope.writePush("deals_update", into: &buffer) { writer, buffer in
      writer.beginArray(into: &buffer)
      writer.integer(fill.tradeID, into: &buffer)
      writer.seconds(fill.time, into: &buffer)
      writer.string(fill.market, into: &buffer)
      writer.integer(fill.orderID ?? 0, into: &buffer)
      writer.decimal(fill.price, into: &buffer)
      writer.decimal(fill.amount, into: &buffer)
      writer.decimal(fill.fee, into: &buffer)
      writer.string(fill.clientID, into: &buffer)
      writer.integer((fill.side ?? .sell).wireNumber, into: &buffer)
      writer.integer(fill.role.rawValue, into: &buffer)
      writer.string(fill.feeAsset, into: &buffer)
      writer.endArray(into: &buffer)
    }
  }

  /// Writes the body of `executed-history`: a list when a market was asked for, an object by market
  /// otherwise.
  ///
  /// - Parameter fills: newest first; without a market, those of one market stand together.
  public static func writeHistory(
    _ fills: [WireFill], byMarket: Bool, into buffer: inout ByteBuffer
  ) {
    var writer = JSONWriter()
    if !byMarket {
      writer.beginArray(into: &buffer)
      for fill in fills { fill.writeREST(with: &writer, into: &buffer) }
      writer.endArray(into: &buffer)
      return
    }
    writer.beginObject(into: &buffer)
    for (index, fill) in fills.enumerated() {
      if index == 0 || fills[index - 1].market != fill.market {
        if index > 0 { writer.endArray(into: &buffer) }
        writer.key(fill.market, into: &buffer)
        writer.beginArray(into: &buffer)
      }
      fill.writeREST(with: &writer, into: &buffer)
    }
    if !fills.isEmpty { writer.endArray(into: &buffer) }
    writer.endObject(into: &buffer)
  }

  /// Writes the body of `trade-account/order`.
  public static func writeDeals(
    _ fills: [(fill: WireFill, counterOrderID: UInt64)], offset: Int, limit: Int,
    into buffer: inout ByteBuffer
  ) {
    var writer = JSONWriter()
    writer.beginObject(into: &buffer)
    writer.key("records", into: &buffer)
    writer.beginArray(into: &buffer)
    for (fill, counter) in fills {
      fill.writeDeal(counterOrderID: counter, with: &writer, into: &buffer)
    }
    writer.endArray(into: &buffer)
    writer.key("offset", into: &buffer)
    writer.integer(offset, into: &buffer)
    writer.key("limit", into: &buffer)
    writer.integer(limit, into: &buffer)
    writer.endObject(into: &buffer)
  }

  /// Reads the body of `trade-account/order` into `fills`.
  public static func readDeals(
    _ body: Span<UInt8>, into fills: inout [WireFill]
  ) throws(JSONFault) {
    var cursor = JSONCursor()
    try cursor.beginObject(in: body)
    var hasRecords = false
    while let key = try cursor.nextKey(in: body) {
      if key.equals("records", in: body) {
        hasRecords = true
        try cursor.beginArray(in: body)
        while try cursor.nextElement(in: body) {
          fills.append(try WireFill.read(&cursor, in: body))
        }
      } else {
        try cursor.skipValue(in: body)
      }
    }
    try cursor.end(in: body)
    guard hasRecords else { throw cursor.missingKey(in: body) }
  }
}

extension JSONCursor {
  /// 1 is maker, 2 is taker, as a number or in quotes.
  mutating func role(in text: Span<UInt8>) throws(JSONFault) -> LiquidityRole {
    let word = try decimalText(in: text)
    if word.equals("1", in: text) { return .maker }
    if word.equals("2", in: text) { return .taker }
    return .unknown
  }
}
