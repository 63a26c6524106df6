internal import MartletBase
internal import MartletExchange
internal import MartletModel
internal import WhiteBITWire

// The exchange's plain records in the wire's types.
extension WhiteBITDesk {
  func wire(_ record: OrderRecord) -> WireOrder {
    let market = markets[Int(record.instrument.index)]
    let scale = market.scale
    let filled = scale.amount(of: record.cumulative)
    return WireOrder(
      orderID: record.id.number, clientID: text(record.label), market: market.name,
      side: record.side, kind: kind(record), createdAt: record.createdAt,
      modifiedAt: record.modifiedAt,
      price: record.kind.hasPrice ? scale.amount(of: record.price) : nil,
      amount: record.isSizedInQuote ? record.budget : scale.amount(of: record.quantity),
      left: record.isSizedInQuote ? record.budgetLeft : scale.amount(of: record.leaves),
      dealStock: filled, dealMoney: record.cumulativeValue, dealFee: record.fee,
      feeAsset: record.cumulative > .zero ? exchange.name(of: record.feeAsset) : InlineText(),
      isPostOnly: record.isPostOnly, isIOC: record.isImmediate, status: status(record),
      stp: word(record.selfTrade), stop: stop(record, scale))
  }

  private func kind(_ record: OrderRecord) -> WireOrder.Kind {
    switch record.kind {
    case .limit: .limit
    case .market: record.mark == Mark.stock.rawValue ? .stockMarket : .market
    case .stopLimit: .stopLimit
    case .stopMarket: .stopMarket
    }
  }

  private func stop(_ record: OrderRecord, _ scale: InstrumentScale) -> WireOrder.Stop? {
    guard record.kind.isStop else { return nil }
    return WireOrder.Stop(
      activationPrice: scale.amount(of: record.trigger),
      isAtOrAbove: record.condition == .atOrAbove, isActivated: record.isTriggered)
  }

  private func status(_ record: OrderRecord) -> OrderStatus {
    switch record.status {
    case .waiting: return .open
    case .open: return record.cumulative > .zero ? .partiallyFilled : .open
    case .filled: return .filled
    case .canceled:
      switch record.reason {
      case .selfTrade: return .canceledSTP
      case .noLiquidity: return .canceledTakerBand
      case .reduceOnly: return .autoCanceledReduceOnly
      case .liquidation: return .autoCanceledLiquidation
      case .margin: return .autoCanceledUserMargin
      case .none, .requested, .immediateRest, .deadMan, .replaced: return .canceled
      }
    }
  }

  private func word(_ mode: SelfTradeMode) -> InlineText {
    switch mode {
    case .allow: "no"
    case .cancelBoth: "cb"
    case .cancelNew: "cn"
    case .cancelOld: "co"
    }
  }

  func wire(_ execution: Execution) -> WireFill {
    let market = markets[Int(execution.instrument.index)]
    return WireFill(
      tradeID: execution.tradeID.low, time: execution.time, market: market.name,
      orderID: execution.order.number, price: market.scale.amount(of: execution.price),
      amount: market.scale.amount(of: execution.quantity), fee: execution.fee,
      clientID: text(execution.label), side: execution.side, role: execution.role,
      feeAsset: exchange.name(of: execution.feeAsset))
  }

  func wire(_ balance: Balance) -> WireBalance {
    WireBalance(asset: balance.asset, available: balance.available, freeze: balance.frozen)
  }

  private func text(_ label: ClientLabel) -> ClientText {
    ClientText(text: label.description) ?? ClientText()
  }
}
