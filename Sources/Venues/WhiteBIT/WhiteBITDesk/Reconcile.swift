internal import MartletBase
internal import MartletExchange
internal import MartletModel
internal import WhiteBITWire

// What a client asks to learn where its orders and its money stand.
extension WhiteBITDesk {
  mutating func balances(_ body: ClientBody, _ account: AccountID) throws(Refusal) -> Answer {
    var rows: [WireBalance] = []
    switch body.text("ticker") {
    case .absent, .null:
      // Only what is not zero, as documented.
      for index in exchange.assets.indices {
        let balance = exchange.balance(of: account, AssetID(UInt16(index)))
        if balance.total > .zero { rows.append(wire(balance)) }
      }
    case .unreadable: throw .field("ticker", "Ticker field should be a string.")
    case .value(let name):
      guard let ticker = InlineText(name), let asset = exchange.asset(ticker) else {
        throw .field("ticker", "Currency was not found.")
      }
      rows.append(wire(exchange.balance(of: account, asset)))
    }
    return answer { Balances.writeReply(rows, into: &$0) }
  }

  /// `orders`: what works, the oldest first.
  mutating func openOrders(_ body: ClientBody, _ account: AccountID) throws(Refusal) -> Answer {
    let page = PageRequest(body)
    let market = try optionalMarket(page.choice.market)
    let wanted = try wantedOrder(page.choice)
    if wanted != nil && market == nil { throw .field("market", "Market field is required.") }
    let (limit, offset) = try window(page, most: 100)
    var orders: [WireOrder] = []
    var skip = offset
    exchange.forEachWorkingOrder(of: account) { record in
      guard orders.count < limit, matches(record, market, wanted) else { return }
      if skip > 0 { skip -= 1 } else { orders.append(wire(record)) }
    }
    return answer { Orders.writeList(orders, into: &$0) }
  }

  /// `trade-account/executed-history`: fills, the newest first.
  mutating func executedHistory(
    _ body: ClientBody, _ account: AccountID
  ) throws(Refusal) -> Answer {
    let page = PageRequest(body)
    let market = try optionalMarket(page.choice.market)
    let label = try clientLabel(page.choice.clientOrderID)
    let (limit, offset) = try window(page, most: 500)
    let range = try dates(page)
    var fills: [WireFill] = []
    var skip = offset
    var isKnown = label == nil
    exchange.forEachExecution(of: account) { execution in
      if let label, execution.label != label { return true }
      if habits.hiddenTrades.contains(execution.tradeID.low) { return true }
      if let market, markets[market].instrument.id != execution.instrument { return true }
      isKnown = true
      guard range.contains(execution.time.seconds) else { return true }
      if skip > 0 { skip -= 1 } else { fills.append(wire(execution)) }
      return fills.count < limit
    }
    guard isKnown else { throw .field("orderHistory", "OrderHistory was not found.") }
    let byMarket = market == nil
    // Rows of one market stand together; the sort keeps the newest first within each.
    if byMarket { fills = grouped(fills) { $0.market } }
    return answer { Fills.writeHistory(fills, byMarket: byMarket, into: &$0) }
  }

  /// `trade-account/order`: the fills of one order; of an unknown one none.
  mutating func orderDeals(_ body: ClientBody, _ account: AccountID) throws(Refusal) -> Answer {
    let page = PageRequest(body)
    let id: UInt64
    switch page.choice.orderID {
    case .absent, .null: throw .field("orderId", "OrderId field is required.")
    case .unreadable: throw .field("orderId", "OrderId field should be an integer.")
    case .value(let number): id = UInt64(max(number, 0))
    }
    let (limit, offset) = try window(page, most: 100)
    var fills: [(fill: WireFill, counterOrderID: UInt64)] = []
    var skip = offset
    exchange.forEachExecution(of: account) { execution in
      guard execution.order.number == id else { return true }
      if skip > 0 {
        skip -= 1
      } else {
        fills.append((wire(execution), execution.counterOrder.number))
      }
      return fills.count < limit
    }
    return answer { Fills.writeDeals(fills, offset: offset, limit: limit, into: &$0) }
  }

  /// `trade-account/order/history`: finished orders, the newest first.
  mutating func orderHistory(_ body: ClientBody, _ account: AccountID) throws(Refusal) -> Answer {
    let page = PageRequest(body)
    let market = try optionalMarket(page.choice.market)
    let wanted = try wantedOrder(page.choice)
    let (limit, offset) = try window(page, most: 500)
    var range = try dates(page)
    var status = page.status.value ?? "ALL"
    guard ["ALL", "FILLED", "CANCELED", "PARTIALLY_FILLED", "MAINTENANCE"].contains(status) else {
      throw .field("status", "The selected status is invalid.")
    }
    if wanted != nil {
      // Looking one up, dates and status do not count, and the id counts before the client's.
      range = 0...Int64.max
      status = "ALL"
    }
    var orders: [WireOrder] = []
    var skip = offset
    exchange.forEachFinishedOrder(of: account) { record in
      guard matches(record, market, wanted), range.contains(record.modifiedAt.seconds) else {
        return true
      }
      let order = wire(record)
      guard status == "ALL" || order.status.word.description == status else { return true }
      if skip > 0 { skip -= 1 } else { orders.append(order) }
      return orders.count < limit
    }
    if orders.isEmpty, case .label = wanted {
      throw .field("orderHistory", "OrderHistory was not found.")
    }
    orders = grouped(orders) { $0.market }
    return answer { Orders.writeHistory(orders, into: &$0) }
  }

  // MARK: Reading a page

  enum WantedOrder {
    case id(UInt64)
    case label(ClientLabel)
  }

  private func wantedOrder(_ choice: OrderChoice) throws(Refusal) -> WantedOrder? {
    switch choice.orderID {
    case .absent, .null: break
    case .unreadable: throw .field("orderId", "OrderId field should be an integer.")
    case .value(let number): return .id(UInt64(max(number, 0)))
    }
    return try clientLabel(choice.clientOrderID).map { .label($0) }
  }

  private func clientLabel(_ given: Given<String>) throws(Refusal) -> ClientLabel? {
    switch given {
    case .absent, .null: return nil
    case .unreadable: throw .field("clientOrderId", "ClientOrderId field should be a string.")
    case .value(let text):
      // Longer than any order's: no order has it.
      return ClientLabel(text) ?? ClientLabel("!")
    }
  }

  private func matches(_ record: OrderRecord, _ market: Int?, _ wanted: WantedOrder?) -> Bool {
    if let market, markets[market].instrument.id != record.instrument { return false }
    switch wanted {
    case nil: return true
    case .id(let number): return record.id.number == number
    case .label(let label): return record.label == label
    }
  }

  func window(_ page: PageRequest, most: Int64) throws(Refusal) -> (limit: Int, offset: Int) {
    var limit: Int64 = 50
    switch page.limit {
    case .absent, .null: break
    case .unreadable: throw .field("limit", "The limit must be an integer.")
    case .value(let number):
      guard number >= 1 else { throw .field("limit", "The limit must be at least 1.") }
      guard number <= most else {
        throw .field("limit", "The limit may not be greater than \(most).")
      }
      limit = number
    }
    var offset: Int64 = 0
    switch page.offset {
    case .absent, .null: break
    case .unreadable: throw .field("offset", "The offset must be an integer.")
    case .value(let number):
      guard number >= 0 && number <= 4_294_967_295 else {
        throw .field("offset", "The offset must be at least 0.")
      }
      offset = number
    }
    return (Int(limit), Int(offset))
  }

  private func dates(_ page: PageRequest) throws(Refusal) -> ClosedRange<Int64> {
    var range: (Int64, Int64) = (0, .max)
    switch page.startDate {
    case .absent, .null: break
    case .unreadable: throw .field("startDate", "The startDate must be an integer.")
    case .value(let seconds): range.0 = seconds
    }
    switch page.endDate {
    case .absent, .null: break
    case .unreadable: throw .field("endDate", "The endDate must be an integer.")
    case .value(let seconds): range.1 = seconds
    }
    guard range.0 <= range.1 else {
      throw .field("startDate", "The startDate must be before endDate.")
    }
    return range.0...range.1
  }

  /// The same rows, those of one market together, markets in the order of their first row.
  private func grouped<Row>(_ rows: [Row], by market: (Row) -> InlineText) -> [Row] {
    var seen: [InlineText] = []
    for row in rows where !seen.contains(market(row)) { seen.append(market(row)) }
    return seen.flatMap { name in rows.filter { market($0) == name } }
  }
}
