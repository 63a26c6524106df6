public import MartletBase
public import MartletJSON
public import MartletModel

/// One order as the venue tells it: in the words of REST, in the numbers of the socket, or as a row
/// of the history. One reader takes all three; each has its writer.
///
/// - Source: WhiteBIT docs, order object of `order/new`, `orders`, `ordersPending`, `order/history`.
public struct WireOrder: WireRow, Equatable, BitwiseCopyable {
  public enum Kind: UInt8, Sendable, BitwiseCopyable {
    case limit
    case market
    case stockMarket
    case stopLimit
    case stopMarket
    case stockStopMarket
    /// Margin and futures kinds, and what is new.
    case other

    var word: StaticString {
      switch self {
      case .limit: "limit"
      case .market: "market"
      case .stockMarket: "stock market"
      case .stopLimit: "stop limit"
      case .stopMarket: "stop market"
      case .stockStopMarket: "stock stop market"
      case .other: "margin limit"
      }
    }

    var number: Int {
      switch self {
      case .limit: 1
      case .market: 2
      case .stockMarket: 202
      case .stopLimit: 3
      case .stopMarket: 4
      case .stockStopMarket: 203
      case .other: 7
      }
    }
  }

  public var orderID: UInt64
  /// Empty when none was given.
  public var clientID: ClientText
  /// Empty in a history row, whose market is the key above it.
  public var market: InlineText
  public var side: Side
  public var kind: Kind
  public var createdAt: Timestamp
  /// Last change, or the end in a history row; `createdAt` where it is not told.
  public var modifiedAt: Timestamp
  /// nil for kinds without one.
  public var price: Amount?
  /// As asked: in stock, but in money for a market buy.
  public var amount: Amount
  /// What is unfilled, in the unit of `amount`; `amount` less `dealStock` where it is not told.
  public var left: Amount
  public var dealStock: Amount
  public var dealMoney: Amount
  public var dealFee: Amount
  /// Empty while nothing was charged.
  public var feeAsset: InlineText
  public var isPostOnly: Bool
  public var isIOC: Bool
  public var status: OrderStatus
  /// `no`, `cb`, `cn` or `co`.
  public var stp: InlineText
  /// Of stop kinds.
  public var stop: Stop?

  /// A stop order's trigger.
  public struct Stop: Equatable, Sendable, BitwiseCopyable {
    public var activationPrice: Amount
    /// Whether a trade at or above it sets the order off; at or below otherwise.
    public var isAtOrAbove: Bool
    public var isActivated: Bool

    public init(activationPrice: Amount, isAtOrAbove: Bool, isActivated: Bool) {
      self.activationPrice = activationPrice
      self.isAtOrAbove = isAtOrAbove
      self.isActivated = isActivated
    }
  }

  public init(
    orderID: UInt64, clientID: ClientText, market: InlineText, side: Side, kind: Kind = .limit,
    createdAt: Timestamp, modifiedAt: Timestamp, price: Amount?, amount: Amount, left: Amount,
    dealStock: Amount = .zero, dealMoney: Amount = .zero, dealFee: Amount = .zero,
    feeAsset: InlineText = InlineText(), isPostOnly: Bool = false, isIOC: Bool = false,
    status: OrderStatus, stp: InlineText = "no", stop: Stop? = nil
  ) {
    self.orderID = orderID
    self.clientID = clientID
    self.market = market
    self.side = side
    self.kind = kind
    self.createdAt = createdAt
    self.modifiedAt = modifiedAt
    self.price = price
    self.amount = amount
    self.left = left
    self.dealStock = dealStock
    self.dealMoney = dealMoney
    self.dealFee = dealFee
    self.feeAsset = feeAsset
    self.isPostOnly = isPostOnly
    self.isIOC = isIOC
    self.status = status
    self.stp = stp
    self.stop = stop
  }

  // MARK: Reading

  public static func read(
    _ cursor: inout JSONCursor, in text: Span<UInt8>
  ) throws(JSONFault) -> WireOrder {
    var id: UInt64?
    var side: Side?
    var created: Timestamp?
    var modified: Timestamp?
    var amount: Amount?
    var left: Amount?
    var status: OrderStatus?
    var trigger: Amount?
    var isAtOrAbove = false
    var isActivated = false
    var order = WireOrder(
      orderID: 0, clientID: ClientText(), market: InlineText(), side: .buy, createdAt: .zero,
      modifiedAt: .zero, price: nil, amount: .zero, left: .zero, status: .unknown,
      stp: InlineText())
    try cursor.beginObject(in: text)
    while let key = try cursor.nextKey(in: text) {
      // By length first: an order has some twenty keys, and each would be compared with all.
      switch key.count {
      case 2 where key.equals("id", in: text), 7 where key.equals("orderId", in: text):
        id = try cursor.identifier(in: text)
      case 3 where key.equals("ioc", in: text): order.isIOC = try cursor.flag(in: text)
      case 3 where key.equals("stp", in: text): order.stp = try cursor.shortText(in: text)
      case 4 where key.equals("side", in: text): side = try cursor.side(in: text)
      case 4 where key.equals("type", in: text): order.kind = try cursor.orderKind(in: text)
      case 4 where key.equals("left", in: text): left = try cursor.amount(in: text)
      case 5 where key.equals("ctime", in: text), 9 where key.equals("timestamp", in: text):
        created = try cursor.seconds(in: text)
      case 5 where key.equals("mtime", in: text), 5 where key.equals("ftime", in: text):
        modified = try cursor.seconds(in: text)
      case 5 where key.equals("price", in: text):
        order.price = try cursor.optionalAmount(in: text)
      case 6 where key.equals("market", in: text): order.market = try cursor.shortText(in: text)
      case 6 where key.equals("amount", in: text): amount = try cursor.amount(in: text)
      case 6 where key.equals("status", in: text):
        status = OrderStatus(try cursor.string(in: text), in: text)
      case 7 where key.equals("dealFee", in: text), 8 where key.equals("deal_fee", in: text):
        order.dealFee = try cursor.amount(in: text)
      case 8 where key.equals("postOnly", in: text), 9 where key.equals("post_only", in: text):
        order.isPostOnly = try cursor.flag(in: text)
      case 8 where key.equals("feeAsset", in: text), 9 where key.equals("fee_asset", in: text):
        order.feeAsset = cursor.isNull(in: text) ? InlineText() : try cursor.shortText(in: text)
      case 9 where key.equals("dealStock", in: text), 10 where key.equals("deal_stock", in: text):
        order.dealStock = try cursor.amount(in: text)
      case 9 where key.equals("dealMoney", in: text), 10 where key.equals("deal_money", in: text):
        order.dealMoney = try cursor.amount(in: text)
      case 13 where key.equals("clientOrderId", in: text),
        15 where key.equals("client_order_id", in: text):
        order.clientID = try cursor.clientText(in: text)
      case 15 where key.equals("activationPrice", in: text),
        16 where key.equals("activation_price", in: text):
        trigger = try cursor.optionalAmount(in: text)
      case 19 where key.equals("activationCondition", in: text),
        20 where key.equals("activation_condition", in: text):
        guard try cursor.kind(in: text) == .string else {
          try cursor.skipValue(in: text)
          break
        }
        let word = try cursor.string(in: text)
        isAtOrAbove = word.equals("gte", in: text) || word.equals(">=", in: text)
      case 9 where key.equals("activated", in: text):
        guard try cursor.kind(in: text) == .number else {
          try cursor.skipValue(in: text)
          break
        }
        isActivated = try !cursor.decimalText(in: text).equals("0", in: text)
      default: try cursor.skipValue(in: text)
      }
    }
    guard let id, let side, let created, let amount, let status else {
      throw cursor.missingKey(in: text)
    }
    // A plain order may carry the keys with nothing in them.
    if let trigger, trigger > .zero {
      order.stop = Stop(
        activationPrice: trigger, isAtOrAbove: isAtOrAbove, isActivated: isActivated)
    }
    order.orderID = id
    order.side = side
    order.createdAt = created
    order.modifiedAt = modified ?? created
    order.amount = amount
    order.left = left ?? max(amount - order.dealStock, .zero)
    order.status = status
    return order
  }

  /// What this says of an order of `instrument`, on its grids; nil when it lies off them.
  ///
  /// - Parameters:
  ///   - isFinished: the message says that the order has ended, whatever its status word.
  public func report(
    account: AccountID, instrument: InstrumentID, scale: InstrumentScale, isFinished: Bool = false,
    source: NewsSource
  ) -> OrderReport? {
    guard let price = scale.exactPrice(of: price ?? .zero),
      let quantity = scale.exactQuantity(of: amount),
      let cumulative = scale.exactQuantity(of: dealStock)
    else { return nil }
    return OrderReport(
      account: account, instrument: instrument,
      clientOrderID: clientID.clientOrderID ?? ClientOrderID(InlineText()),
      venueOrderID: VenueOrderID(low: orderID), side: side, price: price, quantity: quantity,
      cumulative: cumulative,
      status: status.standing(isFinished: isFinished, isLeftZero: left == .zero),
      exchangeTime: modifiedAt, source: source)
  }

  // MARK: Writing, for the desk

  /// Writes the form of REST replies and of `orders`.
  public func writeREST(with writer: inout JSONWriter, into buffer: inout ByteBuffer) {
    writer.beginObject(into: &buffer)
    writer.key("orderId", into: &buffer)
    writer.integer(orderID, into: &buffer)
    writer.key("clientOrderId", into: &buffer)
    writer.string(clientID, into: &buffer)
    writer.key("market", into: &buffer)
    writer.string(market, into: &buffer)
    writer.key("side", into: &buffer)
    writer.string(side.wireWord, into: &buffer)
    writer.key("type", into: &buffer)
    writer.string(kind.word, into: &buffer)
    writer.key("timestamp", into: &buffer)
    writer.seconds(createdAt, into: &buffer)
    writer.key("dealMoney", into: &buffer)
    writer.decimal(dealMoney, into: &buffer)
    writer.key("dealStock", into: &buffer)
    writer.decimal(dealStock, into: &buffer)
    writer.key("amount", into: &buffer)
    writer.decimal(amount, into: &buffer)
    writer.key("left", into: &buffer)
    writer.decimal(left, into: &buffer)
    writer.key("dealFee", into: &buffer)
    writer.decimal(dealFee, into: &buffer)
    if !feeAsset.isEmpty {
      writer.key("feeAsset", into: &buffer)
      writer.string(feeAsset, into: &buffer)
    }
    writer.key("ioc", into: &buffer)
    writer.bool(isIOC, into: &buffer)
    if let price {
      writer.key("price", into: &buffer)
      writer.decimal(price, into: &buffer)
      writer.key("postOnly", into: &buffer)
      writer.bool(isPostOnly, into: &buffer)
    }
    writer.key("status", into: &buffer)
    writer.string(status.word, into: &buffer)
    writer.key("stp", into: &buffer)
    writer.string(stp, into: &buffer)
    writer.key("rpi", into: &buffer)
    writer.bool(false, into: &buffer)
    if let stop {
      writer.key("activation_price", into: &buffer)
      writer.decimal(stop.activationPrice, into: &buffer)
      writer.key("activationCondition", into: &buffer)
      writer.string(stop.isAtOrAbove ? "gte" : "lte", into: &buffer)
      writer.key("activated", into: &buffer)
      writer.integer(stop.isActivated ? 1 : 0, into: &buffer)
    }
    writer.endObject(into: &buffer)
  }

  /// Writes the form of `ordersPending` and `ordersExecuted`.
  public func writeSocket(with writer: inout JSONWriter, into buffer: inout ByteBuffer) {
    writer.beginObject(into: &buffer)
    writer.key("id", into: &buffer)
    writer.integer(orderID, into: &buffer)
    writer.key("market", into: &buffer)
    writer.string(market, into: &buffer)
    writer.key("type", into: &buffer)
    writer.integer(kind.number, into: &buffer)
    writer.key("side", into: &buffer)
    writer.integer(side.wireNumber, into: &buffer)
    writer.key("post_only", into: &buffer)
    writer.bool(isPostOnly, into: &buffer)
    writer.key("ioc", into: &buffer)
    writer.bool(isIOC, into: &buffer)
    writer.key("ctime", into: &buffer)
    writer.seconds(createdAt, into: &buffer)
    writer.key("mtime", into: &buffer)
    writer.seconds(modifiedAt, into: &buffer)
    writer.key("price", into: &buffer)
    writer.decimal(price ?? .zero, into: &buffer)
    writer.key("amount", into: &buffer)
    writer.decimal(amount, into: &buffer)
    writer.key("left", into: &buffer)
    writer.decimal(left, into: &buffer)
    writer.key("deal_stock", into: &buffer)
    writer.decimal(dealStock, into: &buffer)
    writer.key("deal_money", into: &buffer)
    writer.decimal(dealMoney, into: &buffer)
    writer.key("deal_fee", into: &buffer)
    writer.decimal(dealFee, into: &buffer)
    writer.key("client_order_id", into: &buffer)
    writer.string(clientID, into: &buffer)
    writer.key("stp", into: &buffer)
    writer.string(stp, into: &buffer)
    writer.key("status", into: &buffer)
    writer.string(status.word, into: &buffer)
    if let stop {
      writer.key("activation_price", into: &buffer)
      writer.decimal(stop.activationPrice, into: &buffer)
      writer.key("activation_condition", into: &buffer)
      writer.string(stop.isAtOrAbove ? "gte" : "lte", into: &buffer)
      writer.key("activated", into: &buffer)
      writer.integer(stop.isActivated ? 1 : 0, into: &buffer)
    }
    writer.endObject(into: &buffer)
  }

  /// Writes a row of `trade-account/order/history`, whose market is the key above it.
  public func writeHistory(with writer: inout JSONWriter, into buffer: inout ByteBuffer) {
    writer.beginObject(into: &buffer)
    writer.key("id", into: &buffer)
    writer.integer(orderID, into: &buffer)
    writer.key("clientOrderId", into: &buffer)
    writer.string(clientID, into: &buffer)
    writer.key("ctime", into: &buffer)
    writer.seconds(createdAt, into: &buffer)
    writer.key("ftime", into: &buffer)
    writer.seconds(modifiedAt, into: &buffer)
    writer.key("side", into: &buffer)
    writer.string(side.wireWord, into: &buffer)
    writer.key("type", into: &buffer)
    writer.string(kind.word, into: &buffer)
    writer.key("amount", into: &buffer)
    writer.decimal(amount, into: &buffer)
    writer.key("price", into: &buffer)
    writer.decimal(price ?? .zero, into: &buffer)
    writer.key("dealStock", into: &buffer)
    writer.decimal(dealStock, into: &buffer)
    writer.key("dealMoney", into: &buffer)
    writer.decimal(dealMoney, into: &buffer)
    writer.key("dealFee", into: &buffer)
    writer.decimal(dealFee, into: &buffer)
    writer.key("feeAsset", into: &buffer)
    writer.string(feeAsset, into: &buffer)
    writer.key("postOnly", into: &buffer)
    writer.bool(isPostOnly, into: &buffer)
    writer.key("ioc", into: &buffer)
    writer.bool(isIOC, into: &buffer)
    writer.key("stp", into: &buffer)
    writer.string(stp, into: &buffer)
    writer.key("status", into: &buffer)
    writer.string(status.word, into: &buffer)
    writer.key("rpi", into: &buffer)
    writer.bool(false, into: &buffer)
    if let stop {
      // Here the condition is an operator, and `activated` a time: the last change stands for it.
      writer.key("activationPrice", into: &buffer)
      writer.decimal(stop.activationPrice, into: &buffer)
      writer.key("activationCondition", into: &buffer)
      writer.string(stop.isAtOrAbove ? ">=" : "<=", into: &buffer)
      writer.key("activated", into: &buffer)
      writer.integer(stop.isActivated ? modifiedAt.seconds : 0, into: &buffer)
    }
    writer.endObject(into: &buffer)
  }
}

/// Placing, canceling and listing orders, both ways.
public enum Orders {
  /// What happened, in an `ordersPending_update`.
  public enum Event: Int64, Sendable {
    case new = 1
    case update = 2
    case finish = 3
  }

  // MARK: Requests

  /// Writes one limit order, as the fields of `order/new` or as an item of `order/bulk`.
  ///
  /// - Bounds: GTC and IOC only, which is what the venue has.
  public static func writePlace(
    _ intent: OrderIntent, as id: ClientOrderID, market: InlineText, scale: InstrumentScale,
    with writer: inout JSONWriter, into buffer: inout ByteBuffer
  ) {
    writer.key("market", into: &buffer)
    writer.string(market, into: &buffer)
    writer.key("side", into: &buffer)
    writer.string(intent.side.wireWord, into: &buffer)
    writer.key("amount", into: &buffer)
    writer.decimal(intent.quantity, scale, into: &buffer)
    writer.key("price", into: &buffer)
    writer.decimal(intent.price, scale, into: &buffer)
    writer.key("clientOrderId", into: &buffer)
    writer.string(id.text, into: &buffer)
    if intent.isPostOnly {
      writer.key("postOnly", into: &buffer)
      writer.bool(true, into: &buffer)
    }
    if intent.timeInForce == .ioc {
      writer.key("ioc", into: &buffer)
      writer.bool(true, into: &buffer)
    }
  }

  /// Writes the fields of `order/bulk`: `count` orders of one market.
  ///
  /// - Bounds: 1 ... 20 orders, which is what the venue takes.
  public static func writeBatch(
    _ count: Int, market: InlineText, scale: InstrumentScale, with writer: inout JSONWriter,
    into buffer: inout ByteBuffer, order: (Int) -> (OrderIntent, ClientOrderID)
  ) {
    precondition(count >= 1 && count <= 20, "a batch of \(count) orders")
    writer.key("orders", into: &buffer)
    writer.beginArray(into: &buffer)
    for index in 0..<count {
      let (intent, id) = order(index)
      writer.beginObject(into: &buffer)
      writePlace(intent, as: id, market: market, scale: scale, with: &writer, into: &buffer)
      writer.endObject(into: &buffer)
    }
    writer.endArray(into: &buffer)
  }

  /// Writes the fields that choose one order, by its client id, which outlives amendments.
  public static func writeChoice(
    market: InlineText, clientOrderID: ClientOrderID, with writer: inout JSONWriter,
    into buffer: inout ByteBuffer
  ) {
    writer.key("market", into: &buffer)
    writer.string(market, into: &buffer)
    writer.key("clientOrderId", into: &buffer)
    writer.string(clientOrderID.text, into: &buffer)
  }

  /// Writes the fields of a page of a list; those that are nil are left to the venue.
  public static func writePage(
    market: InlineText, clientOrderID: ClientOrderID? = nil, startDate: Timestamp? = nil,
    limit: Int, offset: Int, with writer: inout JSONWriter, into buffer: inout ByteBuffer
  ) {
    writer.key("market", into: &buffer)
    writer.string(market, into: &buffer)
    if let clientOrderID {
      writer.key("clientOrderId", into: &buffer)
      writer.string(clientOrderID.text, into: &buffer)
    }
    if let startDate {
      writer.key("startDate", into: &buffer)
      writer.integer(startDate.seconds, into: &buffer)
    }
    writer.key("limit", into: &buffer)
    writer.integer(limit, into: &buffer)
    writer.key("offset", into: &buffer)
    writer.integer(offset, into: &buffer)
  }

  /// Writes the fields of `order/cancel/all` for one market's spot orders.
  public static func writeCancelAll(
    market: InlineText, with writer: inout JSONWriter, into buffer: inout ByteBuffer
  ) {
    writer.key("market", into: &buffer)
    writer.string(market, into: &buffer)
    writer.key("type", into: &buffer)
    writer.beginArray(into: &buffer)
    writer.string("spot", into: &buffer)
    writer.endArray(into: &buffer)
  }

  public static func writeSubscribe(
    id: UInt64, markets: [InlineText], into buffer: inout ByteBuffer
  ) {
    Envelope.writeRequest(id, "ordersPending_subscribe", flat: markets, into: &buffer)
  }

  // MARK: Replies and pushes, read

  /// Reads the reply to a placement, a cancel or a modification: an order, or a list of one as older
  /// deployments answer.
  public static func readReply(_ body: Span<UInt8>) throws(JSONFault) -> WireOrder {
    var cursor = JSONCursor()
    let isList = try cursor.kind(in: body) == .array
    if isList {
      try cursor.beginArray(in: body)
      guard try cursor.nextElement(in: body) else { throw cursor.fault(.object, in: body) }
    }
    let order = try WireOrder.read(&cursor, in: body)
    guard !order.market.isEmpty else { throw cursor.missingKey(in: body) }
    if isList, try cursor.nextElement(in: body) { throw cursor.fault(.commaOrBracket, in: body) }
    try cursor.end(in: body)
    return order
  }

  /// Reads an `ordersPending_update`'s params: event and order.
  public static func readPending(
    _ cursor: inout JSONCursor, in frame: Span<UInt8>
  ) throws(JSONFault) -> (event: Event, order: WireOrder) {
    try cursor.beginArray(in: frame)
    guard try cursor.nextElement(in: frame) else { throw cursor.fault(.integer, in: frame) }
    let number = try cursor.integer(in: frame)
    guard let event = Event(rawValue: number) else { throw cursor.fault(.integer, in: frame) }
    guard try cursor.nextElement(in: frame) else { throw cursor.fault(.object, in: frame) }
    let order = try WireOrder.read(&cursor, in: frame)
    guard !order.market.isEmpty else { throw cursor.missingKey(in: frame) }
    while try cursor.nextElement(in: frame) { try cursor.skipValue(in: frame) }
    return (event, order)
  }

  /// Reads an `ordersExecuted_update`'s params: the finished order alone.
  public static func readExecuted(
    _ cursor: inout JSONCursor, in frame: Span<UInt8>
  ) throws(JSONFault) -> WireOrder {
    try cursor.beginArray(in: frame)
    guard try cursor.nextElement(in: frame) else { throw cursor.fault(.object, in: frame) }
    let order = try WireOrder.read(&cursor, in: frame)
    guard !order.market.isEmpty else { throw cursor.missingKey(in: frame) }
    while try cursor.nextElement(in: frame) { try cursor.skipValue(in: frame) }
    return order
  }

  /// One entry of a bulk reply, in request order.
  public enum BulkItem: Equatable, Sendable {
    case order(WireOrder)
    case refused(VenueError)
    /// Neither an order nor an error: nothing is known.
    case empty
  }

  /// Reads a bulk reply item by item.
  public struct BulkItems: Sendable {
    var cursor = JSONCursor()
    var isDone = false

    public init(_ body: Span<UInt8>) throws(JSONFault) { try cursor.beginArray(in: body) }

    public mutating func next(in body: Span<UInt8>) throws(JSONFault) -> BulkItem? {
      if isDone { return nil }
      guard try cursor.nextElement(in: body) else {
        try cursor.end(in: body)
        isDone = true
        return nil
      }
      var item = BulkItem.empty
      try cursor.beginObject(in: body)
      while let key = try cursor.nextKey(in: body) {
        if cursor.isNull(in: body) {
          continue
        } else if key.equals("result", in: body) {
          item = .order(try WireOrder.read(&cursor, in: body))
        } else if key.equals("error", in: body) {
          item = .refused(VenueError(try JSONValue(from: &cursor, in: body)))
        } else {
          try cursor.skipValue(in: body)
        }
      }
      return item
    }
  }

  // MARK: Replies and pushes, written

  public static func writePending(
    _ event: Event, _ order: WireOrder, into buffer: inout ByteBuffer
  ) {
    Envelope.writePush("ordersPending_update", into: &buffer) { writer, buffer in
      writer.beginArray(into: &buffer)
      writer.integer(event.rawValue, into: &buffer)
      order.writeSocket(with: &writer, into: &buffer)
      writer.endArray(into: &buffer)
    }
  }

  public static func writeExecuted(_ order: WireOrder, into buffer: inout ByteBuffer) {
    Envelope.writePush("ordersExecuted_update", into: &buffer) { writer, buffer in
      writer.beginArray(into: &buffer)
      order.writeSocket(with: &writer, into: &buffer)
      writer.endArray(into: &buffer)
    }
  }

  /// Writes one order as a whole body.
  public static func writeReply(_ order: WireOrder, into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    order.writeREST(with: &writer, into: &buffer)
  }

  /// Writes the body of `orders`.
  public static func writeList(_ orders: [WireOrder], into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    writer.beginArray(into: &buffer)
    for order in orders { order.writeREST(with: &writer, into: &buffer) }
    writer.endArray(into: &buffer)
  }

  /// Writes the body of `trade-account/order/history`: rows by market, `[]` when there are none.
  ///
  /// - Parameter orders: those of one market stand together.
  public static func writeHistory(_ orders: [WireOrder], into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    if orders.isEmpty {
      buffer.append("[]")
      return
    }
    writer.beginObject(into: &buffer)
    for (index, order) in orders.enumerated() {
      if index == 0 || orders[index - 1].market != order.market {
        if index > 0 { writer.endArray(into: &buffer) }
        writer.key(order.market, into: &buffer)
        writer.beginArray(into: &buffer)
      }
      order.writeHistory(with: &writer, into: &buffer)
    }
    writer.endArray(into: &buffer)
    writer.endObject(into: &buffer)
  }

  /// Writes the body of `order/bulk`, in request order.
  public static func writeBulk(_ items: [BulkItem], into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    writer.beginArray(into: &buffer)
    for item in items {
      writer.beginObject(into: &buffer)
      writer.key("result", into: &buffer)
      if case .order(let order) = item {
        order.writeREST(with: &writer, into: &buffer)
      } else {
        writer.null(into: &buffer)
      }
      writer.key("error", into: &buffer)
      if case .refused(let error) = item {
        error.write(with: &writer, into: &buffer)
      } else {
        writer.null(into: &buffer)
      }
      writer.endObject(into: &buffer)
    }
    writer.endArray(into: &buffer)
  }
}

extension Orders {
  /// One entry of a `order/cancel/bulk` reply, in request order.
  public enum CancelItem: Equatable, Sendable {
    case canceled(WireOrder)
    case refused(VenueError)
  }

  /// Writes the body of `order/cancel/bulk`, whose results name the order and no more.
  public static func writeCancelBulk(_ items: [CancelItem], into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    writer.beginArray(into: &buffer)
    for item in items {
      writer.beginObject(into: &buffer)
      writer.key("result", into: &buffer)
      if case .canceled(let order) = item {
        writer.beginObject(into: &buffer)
        writer.key("orderId", into: &buffer)
        writer.integer(order.orderID, into: &buffer)
        writer.key("clientOrderId", into: &buffer)
        writer.string(order.clientID, into: &buffer)
        writer.key("market", into: &buffer)
        writer.string(order.market, into: &buffer)
        writer.endObject(into: &buffer)
      } else {
        writer.null(into: &buffer)
      }
      writer.key("error", into: &buffer)
      if case .refused(let error) = item {
        error.write(with: &writer, into: &buffer)
      } else {
        writer.null(into: &buffer)
      }
      writer.endObject(into: &buffer)
    }
    writer.endArray(into: &buffer)
  }
}

extension JSONCursor {
  /// A boolean; `null` is false.
  mutating func flag(in text: Span<UInt8>) throws(JSONFault) -> Bool {
    if isNull(in: text) { return false }
    return try bool(in: text)
  }

  /// An order's kind as a word or as the socket's number.
  mutating func orderKind(in text: Span<UInt8>) throws(JSONFault) -> WireOrder.Kind {
    let word = try decimalText(in: text)
    if word.equals("1", in: text) || word.equals("limit", in: text) { return .limit }
    if word.equals("2", in: text) || word.equals("market", in: text) { return .market }
    if word.equals("202", in: text) || word.equals("stock market", in: text) {
      return .stockMarket
    }
    if word.equals("3", in: text) || word.equals("stop limit", in: text) { return .stopLimit }
    if word.equals("4", in: text) || word.equals("stop market", in: text) { return .stopMarket }
    if word.equals("203", in: text) || word.equals("stock stop market", in: text) {
      return .stockStopMarket
    }
    return .other
  }
}
