internal import MartletBase
internal import MartletExchange
internal import MartletModel
internal import WhiteBITWire

// Orders on their way in: the venue's checks in the venue's order, in its words.
extension WhiteBITDesk {
  /// Which endpoint an order came by, kept with it: the exchange knows no such difference.
  enum Mark: UInt8 {
    case plain = 0
    /// Sized in stock by an endpoint that always takes stock.
    case stock = 1
  }

  // MARK: Limit orders

  mutating func placeLimit(
    _ request: PlaceRequest, _ account: AccountID
  ) throws(Refusal) -> WireOrder {
    try require([
      ("market", request.market.isMissing), ("side", request.side.isMissing),
      ("amount", request.amount.isMissing), ("price", request.price.isMissing),
    ])
    let side = try side(request.side)
    let market = try market(request.market)
    let instrument = markets[market].instrument
    let isPostOnly = try flag(request.isPostOnly, "postOnly", "PostOnly")
    let isIOC = try flag(request.isIOC, "ioc", "IOC")
    if isPostOnly && isIOC {
      throw .field(
        "ioc", code: 37, "Either IOC or PostOnly flag in true state is allowed.")
    }
    let amount = try positive(request.amount, "amount", "Amount", code: 32)
    let price = try positive(request.price, "price", "Price", code: 33)
    let quantity = try quantity(amount, market)
    let onTick = try self.price(price, "price", code: 33, market)
    try checkTotal(instrument.scale.notional(of: quantity, at: onTick), market)
    let label = try label(request.clientOrderID, account, instrument.id)
    return try enter(
      NewOrder(
        account: account, instrument: instrument.id, side: side, size: .base(quantity),
        price: onTick, isPostOnly: isPostOnly, isImmediate: isIOC,
        selfTrade: try selfTrade(request.stp), label: label))
  }

  // MARK: Market and stop orders

  mutating func placeOther(
    _ endpoint: Endpoint, _ body: ClientBody, _ account: AccountID
  ) throws(Refusal) -> WireOrder {
    let isStop = endpoint == .stopLimitOrder || endpoint == .stopMarketOrder
    var needed = [
      ("market", body.text("market").isMissing), ("side", body.side().isMissing),
      ("amount", body.decimal("amount").isMissing),
    ]
    if endpoint == .stopLimitOrder { needed.append(("price", body.decimal("price").isMissing)) }
    if isStop {
      needed.append(("activation_price", body.decimal("activation_price").isMissing))
    }
    try require(needed)
    let side = try side(body.side())
    let market = try market(body.text("market"))
    let instrument = markets[market].instrument
    let amount = try positive(body.decimal("amount"), "amount", "Amount", code: 32)
    // A market buy names the money to spend; every other order names stock.
    let isInMoney = side == .buy && (endpoint == .marketOrder || endpoint == .stopMarketOrder)
    var order = NewOrder(
      account: account, instrument: instrument.id, side: side, size: .quote(amount),
      selfTrade: try selfTrade(body.text("stp")))
    order.mark = (endpoint == .stockMarketOrder ? Mark.stock : .plain).rawValue
    switch endpoint {
    case .stopLimitOrder: order.kind = .stopLimit
    case .stopMarketOrder: order.kind = .stopMarket
    default: order.kind = .market
    }
    if isInMoney {
      if amount < instrument.rules.minNotional {
        throw .field(
          "amount", code: 32,
          "Total amount should be no less than \(instrument.rules.minNotional) + trade fee")
      }
    } else {
      order.size = .base(try quantity(amount, market))
    }
    if endpoint == .stopLimitOrder, case .base(let quantity) = order.size {
      let price = try positive(body.decimal("price"), "price", "Price", code: 33)
      order.price = try self.price(price, "price", code: 33, market)
      try checkTotal(instrument.scale.notional(of: quantity, at: order.price), market)
    }
    if isStop {
      let trigger = try positive(
        body.decimal("activation_price"), "activation_price", "Activation price", code: 30)
      order.trigger = try self.price(trigger, "activation_price", code: 30, market)
      // Over REST the side decides: a buy is set off at or above, a sell at or below.
      order.condition = side == .buy ? .atOrAbove : .atOrBelow
    }
    order.label = try label(body.text("clientOrderId"), account, instrument.id)
    return try enter(order)
  }

  // MARK: Many at once

  mutating func placeBulk(
    _ body: ClientBody, _ account: AccountID
  ) throws(Refusal) -> Answer {
    let request = BulkRequest(body)
    guard case .value(let items) = request.orders else {
      throw .field("orders", "The orders must be an array.")
    }
    guard (1...20).contains(items.count) else { throw .field("orders", "validation.between") }
    let stops = try flag(request.stopsOnFail, "stopOnFail", "StopOnFail")
    var results: [Orders.BulkItem] = []
    for item in items {
      do throws(Refusal) {
        guard let item else { throw .field("request", "Invalid order format") }
        results.append(.order(try placeLimit(item, account)))
      } catch {
        results.append(.refused(error.error))
        // Whether what was not tried is answered is not established: here it is not.
        if stops { break }
      }
    }
    return answer { Orders.writeBulk(results, into: &$0) }
  }

  // MARK: Modify

  mutating func modify(_ body: ClientBody, _ account: AccountID) throws(Refusal) -> WireOrder {
    let market = try market(body.text("market"))
    let instrument = markets[market].instrument
    let old = try find(OrderChoice(body), account)
    var change = OrderChange()
    let amount = body.decimal("amount")
    let total = body.decimal("total")
    let price = body.decimal("price")
    // The documentation spells it in camel case here, and adapters as in a placement.
    let trigger =
      body.decimal("activationPrice").isMissing
      ? body.decimal("activation_price") : body.decimal("activationPrice")
    guard ![amount, total, price, trigger].allSatisfy(\.isMissing) else {
      throw .field("amount", "Amount, total, price or activationPrice field is required.")
    }
    if !amount.isMissing && !total.isMissing {
      throw .field("total", code: 162, "total cannot be specified for this order type")
    }
    if !total.isMissing {
      guard old.isSizedInQuote else {
        throw .field("total", code: 162, "total cannot be specified for this order type")
      }
      change.size = .quote(try positive(total, "total", "Total", code: 30))
    }
    if !amount.isMissing {
      guard !old.isSizedInQuote else {
        throw .field("amount", code: 163, "amount cannot be specified for this order type")
      }
      let size = try positive(amount, "amount", "Amount", code: 32)
      change.size = .base(try quantity(size, market))
    }
    if !price.isMissing {
      guard old.kind.hasPrice else {
        throw .field("price", code: 159, "price cannot be specified for this order type")
      }
      let value = try positive(price, "price", "Price", code: 33)
      change.price = try self.price(value, "price", code: 33, market)
    }
    if !trigger.isMissing {
      guard old.kind.isStop else {
        throw .field(
          "activation_price", code: 158, "activation price cannot be specified for this order type")
      }
      let value = try positive(trigger, "activationPrice", "Activation price", code: 30)
      change.trigger = try self.price(value, "activationPrice", code: 30, market)
    }
    if old.kind.hasPrice {
      var quantity = old.leaves
      if case .base(let size) = change.size { quantity = size }
      try checkTotal(
        instrument.scale.notional(of: quantity, at: change.price ?? old.price), market)
    }
    if !body.text("stp").isMissing { change.selfTrade = try selfTrade(body.text("stp")) }
    do throws(OrderRefusal) {
      return wire(try exchange.modify(old.id, of: account, change, at: now))
    } catch {
      throw worded(error, market)
    }
  }

  // MARK: Cancel

  /// The one working order that a request names.
  func find(_ choice: OrderChoice, _ account: AccountID) throws(Refusal) -> OrderRecord {
    let market = try market(choice.market)
    let instrument = markets[market].instrument.id
    switch (choice.orderID, choice.clientOrderID) {
    case (.value(let id), let other) where other.isMissing:
      guard let identity = UInt64(exactly: id),
        let order = exchange.workingOrder(ExchangeOrderID(identity), of: account),
        order.instrument == instrument
      else { throw .notOpen }
      return order
    case (let other, .value(let text)) where other.isMissing:
      guard let label = ClientLabel(text), !label.isEmpty,
        let order = exchange.workingOrder(label, of: account, at: instrument)
      else { throw .notOpen }
      return order
    case (let first, let second) where first.isMissing && second.isMissing:
      throw .field("orderId", "OrderId field is required.")
    case (.unreadable, _): throw .field("orderId", "OrderId field should be an integer.")
    case (_, .unreadable): throw .field("clientOrderId", "ClientOrderId field should be a string.")
    default: throw .field("orderId", "api.validation.order.chooseOneId")
    }
  }

  mutating func cancel(
    _ choice: OrderChoice, _ account: AccountID
  ) throws(Refusal) -> WireOrder {
    let order = try find(choice, account)
    do throws(OrderRefusal) {
      return wire(try exchange.cancel(order.id, of: account, at: now))
    } catch {
      throw .notOpen
    }
  }

  mutating func cancelBulk(
    _ body: ClientBody, _ account: AccountID
  ) throws(Refusal) -> Answer {
    let items: [ClientBody?]
    switch body.items("orders") {
    case .absent, .null: throw .field("orders", "validation.required")
    case .unreadable: throw .field("orders", "The orders must be an array.")
    case .value(let found): items = found
    }
    guard (1...100).contains(items.count) else { throw .field("orders", "validation.between") }
    var results: [Orders.CancelItem] = []
    for item in items {
      do throws(Refusal) {
        guard let item else { throw .field("request", "Invalid order format") }
        let choice = OrderChoice(item)
        if choice.market.isMissing { throw .field("market", "validation.required") }
        guard let name = choice.market.value, index(of: name) != nil else {
          throw .field("market", "validation.market_not_exist")
        }
        if choice.orderID.isMissing && choice.clientOrderID.isMissing {
          throw .field("request", "validation.required")
        }
        if !choice.orderID.isMissing && !choice.clientOrderID.isMissing {
          throw .field("request", "api.validation.order.chooseOneId")
        }
        results.append(.canceled(try cancel(choice, account)))
      } catch {
        // Within a list what is not open has words of its own.
        results.append(
          .refused(
            error.error.code == 2
              ? VenueError(
                code: 404, message: "Order not found", field: "orderId",
                "Order does not exist or already cancelled")
              : error.error))
      }
    }
    return answer { Orders.writeCancelBulk(results, into: &$0) }
  }

  mutating func cancelAll(
    _ body: ClientBody, _ account: AccountID
  ) throws(Refusal) -> Answer {
    let market = try optionalMarket(body.text("market"))
    var coversSpot = true
    switch body.texts("type") {
    case .absent, .null: break
    case .unreadable: throw .field("type", "The type must be an array.")
    case .value(let types):
      guard types.allSatisfy({ ["spot", "margin", "futures"].contains($0) }) else {
        throw .field("type", "The selected type is invalid.")
      }
      coversSpot = types.isEmpty || types.contains("spot")
    }
    if coversSpot {
      exchange.cancelAll(
        of: account, instrument: market.map { markets[$0].instrument.id }, at: now)
    }
    return answer { $0.append("[]") }
  }

  // MARK: Single checks

  /// All fields that are missing are named together.
  private func require(_ fields: [(name: String, isMissing: Bool)]) throws(Refusal) {
    let missing = fields.filter(\.isMissing)
    guard !missing.isEmpty else { return }
    throw Refusal(
      VenueError(
        code: 30, message: Refusal.validation,
        entries: missing.map {
          VenueError.Entry(field: $0.name, text: "\(Self.title($0.name)) field is required.")
        }))
  }

  private static func title(_ field: String) -> String {
    switch field {
    case "market": "Market"
    case "side": "Side"
    case "amount": "Amount"
    case "price": "Price"
    default: "Activation price"
    }
  }

  private func side(_ given: Given<Side>) throws(Refusal) -> Side {
    guard case .value(let side) = given else {
      throw .field("side", "Side field should contain only 'buy' or 'sell' values.")
    }
    return side
  }

  private func flag(
    _ given: Given<Bool>, _ field: String, _ title: String
  ) throws(Refusal) -> Bool {
    switch given {
    case .absent, .null: return false
    case .value(let value): return value
    case .unreadable: throw .field(field, "\(title) field should be a boolean.")
    }
  }

  private func positive(
    _ given: Given<Amount>, _ field: String, _ title: String, code: Int32
  ) throws(Refusal) -> Amount {
    guard case .value(let amount) = given else {
      throw .field(field, code: code, "\(title) field should be numeric string or number.")
    }
    guard amount > .zero else {
      throw .field(field, code: code, "\(title) should be greater than 0.")
    }
    return amount
  }

  /// Minimum and step, told together when both are missed.
  private func quantity(_ amount: Amount, _ market: Int) throws(Refusal) -> Quantity {
    let instrument = markets[market].instrument
    let scale = instrument.scale
    let step = scale.amount(of: Quantity(quanta: instrument.rules.lotStep))
    var texts: [VenueError.Entry] = []
    if amount < scale.amount(of: instrument.rules.minQuantity) {
      let least = scale.text(instrument.rules.minQuantity)
      texts.append(
        VenueError.Entry(field: "amount", text: "Given amount is less than min amount \(least)"))
    }
    if amount.units % step.units != 0 {
      texts.append(VenueError.Entry(field: "amount", text: "Min amount step = \(step)"))
    }
    guard texts.isEmpty, let quantity = scale.exactQuantity(of: amount) else {
      if texts.isEmpty {
        texts.append(VenueError.Entry(field: "amount", text: "Amount is too large."))
      }
      throw Refusal(VenueError(code: 32, message: Refusal.validation, entries: texts))
    }
    return quantity
  }

  private func price(
    _ amount: Amount, _ field: String, code: Int32, _ market: Int
  ) throws(Refusal) -> Price {
    let instrument = markets[market].instrument
    let tick = instrument.scale.amount(of: Price(quanta: instrument.rules.tickSize))
    guard amount.units % tick.units == 0, let price = instrument.scale.exactPrice(of: amount)
    else {
      let name = code == 33 ? "price" : "activation price"
      throw .field(field, code: code, "Min \(name) step = \(tick)")
    }
    return price
  }

  private func checkTotal(_ total: Amount, _ market: Int) throws(Refusal) {
    let rules = markets[market].instrument.rules
    if total < rules.minNotional {
      throw .field("total", "Total (amount * price) is less than \(rules.minNotional)")
    }
    if rules.maxNotional > .zero && total > rules.maxNotional {
      throw .field("total", "Total (amount * price) is greater than \(rules.maxNotional)")
    }
  }

  /// A client's name for its order: of the wide alphabet, and not open at this market already.
  private func label(
    _ given: Given<String>, _ account: AccountID, _ instrument: InstrumentID
  ) throws(Refusal) -> ClientLabel {
    switch given {
    case .absent, .null: return ClientLabel()
    case .unreadable:
      throw .field("clientOrderId", code: 36, "ClientOrderId field should be a string.")
    case .value(let text):
      let isPlain = text.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
        default: false
        }
      }
      guard isPlain, !text.isEmpty, let label = ClientLabel(text) else {
        throw .field(
          "clientOrderId", code: 36,
          "ClientOrderId field should contain only latin letters, numbers and dashes.")
      }
      guard exchange.workingOrder(label, of: account, at: instrument) == nil else {
        throw .field(
          "clientOrderId", code: 36,
          "This client order id is already used by the current account.")
      }
      return label
    }
  }

  private func selfTrade(_ given: Given<String>) throws(Refusal) -> SelfTradeMode {
    switch given {
    case .absent, .null: return .allow
    case .value("no"): return .allow
    case .value("cb"), .value("cancel_both"): return .cancelBoth
    case .value("cn"), .value("cancel_new"): return .cancelNew
    case .value("co"), .value("cancel_old"): return .cancelOld
    case .value, .unreadable: throw .field("stp", "The selected stp is invalid.")
    }
  }

  private mutating func enter(_ order: NewOrder) throws(Refusal) -> WireOrder {
    do throws(OrderRefusal) {
      return wire(try exchange.place(order, at: now))
    } catch {
      throw worded(error, Int(order.instrument.index))
    }
  }

  /// The exchange's refusal in the venue's words.
  private func worded(_ refusal: OrderRefusal, _ market: Int) -> Refusal {
    let instrument = markets[market].instrument
    switch refusal {
    case .instrumentUnavailable: return .noMarket
    case .insufficientBalance: return .engine("amount", code: 10, "Not enough balance.")
    case .postOnlyWouldTake:
      return .engine(
        "postOnly", code: 13,
        "This order couldn't be executed as a maker order and was canceled.")
    case .noLiquidity:
      return .engine(
        "amount", code: 12, "The amount field value, that the API unable to process.")
    case .triggerAtLast:
      return .engine(
        "activation_price", code: 101,
        "Activation price should not be equal to the last price.")
    case .noLastPrice: return .field("market", "Empty history")
    case .notFound: return .notOpen
    case .tooManyOrders(let limit):
      return .engine("error", code: 1, "Max. number of open orders (\(limit)) has been reached.")
    case .belowMinQuantity, .belowMinNotional:
      return .engine("amount", code: 11, "Amount too small.")
    case .aboveMaxNotional(let most):
      return .field("total", "Total (amount * price) is greater than \(most)")
    case .priceNotPositive, .priceOffTick:
      return .field(
        "price", code: 33,
        "Min price step = \(instrument.scale.text(Price(quanta: instrument.rules.tickSize)))")
    case .triggerOffTick(let tick):
      return .field(
        "activation_price", "Min activation price step = \(instrument.scale.text(tick))")
    case .quantityNotPositive: return .field("amount", code: 32, "Amount should be greater than 0.")
    case .quantityOffLot(let lot):
      return .field("amount", code: 32, "Min amount step = \(instrument.scale.text(lot))")
    case .insufficientMargin: return .engine("amount", code: 17, "Not enough margin.")
    case .leverage: return .engine("amount", code: 111, "Position is too big.")
    case .nothingToReduce:
      return .engine(
        "reduceOnly", code: 116, "Reduce-only: Position doesn't exist or wrong side")
    case .positionSideMismatch: return .engine("positionSide", code: 114, "Invalid position side.")
    case .positionOrOrderOpen:
      return .engine("leverage", code: 113, "Positions or orders are open.")
    case .invalidCombination, .nothingToChange, .noMarkPrice:
      return .engine("amount", code: 1, "Invalid argument.")
    }
  }
}

extension Given {
  /// Not there, or there with nothing in it.
  var isMissing: Bool { self == .absent || self == .null }
}
