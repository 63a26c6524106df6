public import MartletBase
public import MartletJSON

/// One entry of `GET /api/v4/public/markets`.
///
/// - Source: WhiteBIT docs and a live probe of 2026-09: precisions are whole numbers in quotes and
///   may be negative, steps may be "", fees are percent, and only tradeable markets are listed.
public struct MarketListing: WireRow, Equatable, BitwiseCopyable {
  public var name: InlineText
  public var stock: InlineText
  public var money: InlineText
  /// Decimals of an amount; −3 means multiples of 1,000.
  public var stockPrecision: Int
  /// Decimals of a price.
  public var moneyPrecision: Int
  /// Decimals of fee arithmetic.
  public var feePrecision: Int
  public var makerFee: Rate
  public var takerFee: Rate
  /// In stock.
  public var minAmount: Amount
  /// Least price × amount, in money.
  public var minTotal: Amount
  /// Largest price × amount; zero when there is none.
  public var maxTotal: Amount
  public var tradesEnabled: Bool
  public var isCollateral: Bool
  public var kind: Kind
  /// Price step; nil when the venue leaves it to `moneyPrecision`.
  public var tickSize: Amount?
  /// Amount step; nil when the venue leaves it to `stockPrecision`.
  public var stepSize: Amount?

  public enum Kind: UInt8, Sendable, BitwiseCopyable {
    case spot
    case futures
    case other
  }

  public init(
    name: InlineText, stock: InlineText, money: InlineText, stockPrecision: Int,
    moneyPrecision: Int, feePrecision: Int, makerFee: Rate, takerFee: Rate, minAmount: Amount,
    minTotal: Amount, maxTotal: Amount = .zero, tradesEnabled: Bool = true,
    isCollateral: Bool = false, kind: Kind = .spot, tickSize: Amount? = nil,
    stepSize: Amount? = nil
  ) {
    self.name = name
    self.stock = stock
    self.money = money
    self.stockPrecision = stockPrecision
    self.moneyPrecision = moneyPrecision
    self.feePrecision = feePrecision
    self.makerFee = makerFee
    self.takerFee = takerFee
    self.minAmount = minAmount
    self.minTotal = minTotal
    self.maxTotal = maxTotal
    self.tradesEnabled = tradesEnabled
    self.isCollateral = isCollateral
    self.kind = kind
    self.tickSize = tickSize
    self.stepSize = stepSize
  }

  public static func read(
    _ cursor: inout JSONCursor, in text: Span<UInt8>
  ) throws(JSONFault) -> MarketListing {
    var name: InlineText?
    var stock: InlineText?
    var money: InlineText?
    var stockPrecision: Int?
    var moneyPrecision: Int?
    var listing = MarketListing(
      name: "", stock: "", money: "", stockPrecision: 0, moneyPrecision: 0, feePrecision: 6,
      makerFee: .zero, takerFee: .zero, minAmount: .zero, minTotal: .zero)
    try cursor.beginObject(in: text)
    while let key = try cursor.nextKey(in: text) {
      if key.equals("name", in: text) {
        name = try cursor.shortText(in: text)
      } else if key.equals("stock", in: text) {
        stock = try cursor.shortText(in: text)
      } else if key.equals("money", in: text) {
        money = try cursor.shortText(in: text)
      } else if key.equals("stockPrec", in: text) {
        stockPrecision = try cursor.precision(in: text)
      } else if key.equals("moneyPrec", in: text) {
        moneyPrecision = try cursor.precision(in: text)
      } else if key.equals("feePrec", in: text) {
        listing.feePrecision = try cursor.precision(in: text)
      } else if key.equals("makerFee", in: text) {
        listing.makerFee = try cursor.percent(in: text)
      } else if key.equals("takerFee", in: text) {
        listing.takerFee = try cursor.percent(in: text)
      } else if key.equals("minAmount", in: text) {
        listing.minAmount = try cursor.amount(in: text)
      } else if key.equals("minTotal", in: text) {
        listing.minTotal = try cursor.amount(in: text)
      } else if key.equals("maxTotal", in: text) {
        listing.maxTotal = try cursor.optionalAmount(in: text) ?? .zero
      } else if key.equals("tradesEnabled", in: text) {
        listing.tradesEnabled = try cursor.bool(in: text)
      } else if key.equals("isCollateral", in: text) {
        listing.isCollateral = try cursor.bool(in: text)
      } else if key.equals("type", in: text) {
        let word = try cursor.string(in: text)
        listing.kind =
          word.equals("spot", in: text)
          ? .spot : word.equals("futures", in: text) ? .futures : .other
      } else if key.equals("tickSize", in: text) {
        listing.tickSize = try cursor.optionalAmount(in: text)
      } else if key.equals("stepSize", in: text) {
        listing.stepSize = try cursor.optionalAmount(in: text)
      } else {
        try cursor.skipValue(in: text)
      }
    }
    guard let name, let stock, let money, let stockPrecision, let moneyPrecision else {
      throw cursor.missingKey(in: text)
    }
    listing.name = name
    listing.stock = stock
    listing.money = money
    listing.stockPrecision = stockPrecision
    listing.moneyPrecision = moneyPrecision
    return listing
  }

  public func write(with writer: inout JSONWriter, into buffer: inout ByteBuffer) {
    writer.beginObject(into: &buffer)
    writer.key("name", into: &buffer)
    writer.string(name, into: &buffer)
    writer.key("stock", into: &buffer)
    writer.string(stock, into: &buffer)
    writer.key("money", into: &buffer)
    writer.string(money, into: &buffer)
    writer.key("stockPrec", into: &buffer)
    writer.decimal(Int128(stockPrecision), places: 0, into: &buffer)
    writer.key("moneyPrec", into: &buffer)
    writer.decimal(Int128(moneyPrecision), places: 0, into: &buffer)
    writer.key("feePrec", into: &buffer)
    writer.decimal(Int128(feePrecision), places: 0, into: &buffer)
    writer.key("makerFee", into: &buffer)
    writer.percent(makerFee, into: &buffer)
    writer.key("takerFee", into: &buffer)
    writer.percent(takerFee, into: &buffer)
    writer.key("minAmount", into: &buffer)
    writer.decimal(minAmount, into: &buffer)
    writer.key("minTotal", into: &buffer)
    writer.decimal(minTotal, into: &buffer)
    writer.key("tradesEnabled", into: &buffer)
    writer.bool(tradesEnabled, into: &buffer)
    writer.key("type", into: &buffer)
    let word: StaticString =
      switch kind {
      case .spot: "spot"
      case .futures: "futures"
      case .other: "tradfiFutures"
      }
    writer.string(word, into: &buffer)
    writer.key("isCollateral", into: &buffer)
    writer.bool(isCollateral, into: &buffer)
    writer.key("maxTotal", into: &buffer)
    writer.decimal(maxTotal, into: &buffer)
    writer.key("isTradFiFutures", into: &buffer)
    writer.bool(kind == .other, into: &buffer)
    writer.key("delistedAt", into: &buffer)
    writer.null(into: &buffer)
    writer.key("tickSize", into: &buffer)
    MarketListing.writeStep(tickSize, with: &writer, into: &buffer)
    writer.key("stepSize", into: &buffer)
    MarketListing.writeStep(stepSize, with: &writer, into: &buffer)
    writer.endObject(into: &buffer)
  }

  private static func writeStep(
    _ step: Amount?, with writer: inout JSONWriter, into buffer: inout ByteBuffer
  ) {
    if let step { writer.decimal(step, into: &buffer) } else { writer.string("", into: &buffer) }
  }
}

/// One market's 24 hours in `GET /api/v4/public/ticker`, whose body is an object by market.
public struct TickerRow: Equatable, Sendable, BitwiseCopyable {
  public var market: InlineText
  public var lastPrice: Amount
  /// In stock.
  public var baseVolume: Amount
  /// In money.
  public var quoteVolume: Amount
  /// Trading is halted.
  public var isFrozen: Bool
  /// Percent against 24 hours ago.
  public var change: Amount

  public init(
    market: InlineText, lastPrice: Amount, baseVolume: Amount = .zero, quoteVolume: Amount = .zero,
    isFrozen: Bool = false, change: Amount = .zero
  ) {
    self.market = market
    self.lastPrice = lastPrice
    self.baseVolume = baseVolume
    self.quoteVolume = quoteVolume
    self.isFrozen = isFrozen
    self.change = change
  }

  /// Reads the value under `market`.
  static func read(
    _ cursor: inout JSONCursor, market: InlineText, in text: Span<UInt8>
  ) throws(JSONFault) -> TickerRow {
    var row = TickerRow(market: market, lastPrice: .zero)
    var hasPrice = false
    try cursor.beginObject(in: text)
    while let key = try cursor.nextKey(in: text) {
      if key.equals("last_price", in: text) {
        row.lastPrice = try cursor.amount(in: text)
        hasPrice = true
      } else if key.equals("base_volume", in: text) {
        row.baseVolume = try cursor.amount(in: text)
      } else if key.equals("quote_volume", in: text) {
        row.quoteVolume = try cursor.amount(in: text)
      } else if key.equals("isFrozen", in: text) {
        row.isFrozen = try cursor.bool(in: text)
      } else if key.equals("change", in: text) {
        row.change = try cursor.amount(in: text)
      } else {
        try cursor.skipValue(in: text)
      }
    }
    guard hasPrice else { throw cursor.missingKey(in: text) }
    return row
  }

  /// Writes the key and its value into the object begun last.
  public func write(with writer: inout JSONWriter, into buffer: inout ByteBuffer) {
    writer.key(market, into: &buffer)
    writer.beginObject(into: &buffer)
    writer.key("base_id", into: &buffer)
    writer.integer(0, into: &buffer)
    writer.key("quote_id", into: &buffer)
    writer.integer(0, into: &buffer)
    writer.key("last_price", into: &buffer)
    writer.decimal(lastPrice, into: &buffer)
    writer.key("base_volume", into: &buffer)
    writer.decimal(baseVolume, into: &buffer)
    writer.key("quote_volume", into: &buffer)
    writer.decimal(quoteVolume, into: &buffer)
    writer.key("isFrozen", into: &buffer)
    writer.bool(isFrozen, into: &buffer)
    writer.key("change", into: &buffer)
    writer.decimal(change, into: &buffer)
    writer.endObject(into: &buffer)
  }
}

/// The public endpoints that say which markets there are and what they last did.
public enum Markets {
  /// Why a ticker body gives no price.
  public enum TickerFault: Error, Equatable, Sendable {
    case malformed(JSONFault)
    /// The body does not list the market: it is halted, delisted, or barred here.
    case unlisted(InlineText)
  }

  /// The row of `market` in a ticker body.
  public static func ticker(
    of market: InlineText, in body: Span<UInt8>
  ) throws(TickerFault) -> TickerRow {
    var found: TickerRow?
    do throws(JSONFault) {
      var rows = try Tickers(body)
      while let row = try rows.next(in: body) {
        if row.market == market { found = row }
      }
    } catch {
      throw .malformed(error)
    }
    guard let found else { throw .unlisted(market) }
    return found
  }

  /// Reads a ticker body market by market.
  public struct Tickers: Sendable {
    var cursor = JSONCursor()
    var isDone = false

    public init(_ body: Span<UInt8>) throws(JSONFault) { try cursor.beginObject(in: body) }

    public mutating func next(in body: Span<UInt8>) throws(JSONFault) -> TickerRow? {
      if isDone { return nil }
      if let key = try cursor.nextKey(in: body) {
        return try TickerRow.read(&cursor, market: key.inlineText(in: body), in: body)
      }
      try cursor.end(in: body)
      isDone = true
      return nil
    }
  }

  /// Writes the markets endpoint's body.
  public static func writeListings(_ listings: [MarketListing], into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    writer.beginArray(into: &buffer)
    for listing in listings { listing.write(with: &writer, into: &buffer) }
    writer.endArray(into: &buffer)
  }

  /// Writes the ticker endpoint's body.
  public static func writeTickers(_ rows: [TickerRow], into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    writer.beginObject(into: &buffer)
    for row in rows { row.write(with: &writer, into: &buffer) }
    writer.endObject(into: &buffer)
  }

  /// Reads the time endpoint's body: whole seconds.
  public static func readTime(_ body: Span<UInt8>) throws(JSONFault) -> Timestamp {
    var cursor = JSONCursor()
    var time: Timestamp?
    try cursor.beginObject(in: body)
    while let key = try cursor.nextKey(in: body) {
      if key.equals("time", in: body) {
        time = try cursor.seconds(in: body)
      } else {
        try cursor.skipValue(in: body)
      }
    }
    try cursor.end(in: body)
    guard let time else { throw cursor.missingKey(in: body) }
    return time
  }

  public static func writeTime(_ now: Timestamp, into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    writer.beginObject(into: &buffer)
    writer.key("time", into: &buffer)
    writer.integer(now.seconds, into: &buffer)
    writer.endObject(into: &buffer)
  }
}

extension JSONCursor {
  /// A number of decimals, −12 ... 20, quoted or bare.
  mutating func precision(in text: Span<UInt8>) throws(JSONFault) -> Int {
    let digits = try decimalText(in: text)
    guard let value = try? DecimalText.parseWide(digits.bytes(in: text), places: 0),
      value >= -12, value <= 20
    else { throw fault(.integer, at: digits.start, in: text) }
    return Int(value)
  }
}
