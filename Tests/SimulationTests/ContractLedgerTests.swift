import MartletBase
import MartletExchange
import MartletModel
import MartletPortfolio
import MartletRisk
import Testing

/// The bot's books and the exchange's, which share no line of arithmetic, over the same random days.
@Suite struct ContractLedgerTests {
  /// What a deliberate error in the bot's books would be.
  enum Bug { case none, fundingSign, inverseSign }

  /// One exchange, and a bot's portfolio that is told what the exchange tells.
  struct Pair: ~Copyable {
    var exchange: Exchange
    var portfolio = Portfolio()
    var accounts: [AccountID] = []
    let instruments: [Instrument]
    let plan: MarginPlan
    let bug: Bug
    /// Working orders as last told, by number.
    var orders: [(number: UInt64, view: OrderView)] = []
    var liquidations = 0
    var fills = 0
    /// Orders that Risk let through and the exchange would not take for want of margin or leverage.
    var surprises: [String] = []
    var refusals = 0

    init(_ plan: MarginPlan, _ listings: [Listing], bug: Bug = .none) throws {
      self.plan = plan
      self.bug = bug
      instruments = listings.map(\.instrument)
      exchange = Exchange(configuration: ExchangeConfiguration(), listings: listings)
      for listing in listings {
        if let terms = listing.contract { portfolio.learn(terms, plan) }
      }
      for index in UInt16(0)..<3 {
        let opened = exchange.addAccount()
        #expect(opened == AccountID(index))
        accounts.append(AccountID(index))
      }
      for account in accounts {
        for (asset, wallet) in [("USD" as InlineText, "3000"), ("BTC", "0.05")] {
          let isIn = exchange.depositMargin(try Amount(wallet), of: asset, to: account)
          #expect(isIn)
          adopt(account, asset)
        }
        for instrument in instruments {
          try exchange.setMargin(
            MarginSetting(leverage: plan.leverage, mode: plan.mode), of: account,
            on: instrument.id, at: .zero)
        }
        try exchange.setHedged(plan.isHedged, of: account, at: .zero)
      }
      exchange.removeAllEvents()
    }

    /// Takes the exchange's word for a wallet.
    mutating func adopt(_ account: AccountID, _ asset: InlineText) {
      let id = exchange.asset(asset) ?? AssetID(0)
      let wallet = exchange.margin(of: account, in: id).wallet
      portfolio.tell(
        Balance(account: account, asset: asset, available: wallet, frozen: .zero), at: .zero)
      portfolio.adopt(account, asset, at: .zero)
    }

    mutating func hear() {
      for event in exchange.events {
        switch event {
        case .rested(let record), .canceled(let record): follow(record)
        case .fill(let fill, let record):
          fills += 1
          book(fill)
          follow(record)
        case .liquidation(let fill, _):
          liquidations += 1
          book(fill)
        case .funding(var payment):
          if bug == .fundingSign { payment.amount = -payment.amount }
          let instrument = instruments[Int(payment.instrument.index)]
          let own = portfolio.book(payment, of: instrument, at: payment.dueAt)
          if bug == .none && own != payment.amount {
            surprises.append("funding \(payment.amount), own \(own.map { "\($0)" } ?? "twice")")
          }
        case .mark(let id, let price, _): portfolio.mark(id, at: price)
        // What the insurance fund gave is no trade: it shows as a difference, and is taken over.
        case .insured(let account, let asset, let amount, _):
          let name = exchange.name(of: asset)
          let own = portfolio.ledger(account, name)?.expected ?? .zero
          portfolio.tell(
            Balance(account: account, asset: name, available: own + amount, frozen: .zero),
            at: .zero)
          portfolio.adopt(account, name, at: .zero)
        case .accepted, .waiting, .triggered, .completed, .balance, .position, .wallet,
          .fundingMissing, .trade, .book:
          break
        }
      }
      exchange.removeAllEvents()
    }

    private mutating func book(_ execution: Execution) {
      var instrument = instruments[Int(execution.instrument.index)]
      if bug == .inverseSign && instrument.kind == .inverse {
        instrument = Instrument(
          id: instrument.id, venue: instrument.venue, kind: .linear, symbol: instrument.symbol,
          base: instrument.base, quote: instrument.quote, scale: instrument.scale,
          rules: instrument.rules)
      }
      portfolio.book(
        Fill(
          account: execution.account, instrument: execution.instrument,
          clientOrderID: ClientOrderID("a"),
          venueOrderID: VenueOrderID(low: execution.order.number),
          tradeID: execution.tradeID, side: execution.side, price: execution.price,
          quantity: execution.quantity, fee: execution.fee,
          feeAsset: exchange.name(of: execution.feeAsset), role: execution.role,
          exchangeTime: execution.time, source: .stream, positionSide: execution.positionSide),
        of: instrument, side: execution.positionSide, at: execution.time)
    }

    private mutating func follow(_ record: OrderRecord) {
      guard record.kind.hasPrice, record.status != .waiting else { return }
      let view = OrderView(
        clientOrderID: ClientOrderID("a"), instrument: record.instrument, side: record.side,
        price: record.price, quantity: record.quantity, cumulative: record.cumulative,
        state: record.status.isFinished ? .canceled : .open, tag: 0)
      let index = orders.firstIndex { $0.number == record.id.number }
      portfolio.orderChanged(
        record.account, instruments[Int(record.instrument.index)],
        before: index.map { orders[$0].view }, after: view, positionSide: record.positionSide,
        onlyReduces: record.isReduceOnly)
      if let index { orders.remove(at: index) }
      if !record.status.isFinished { orders.append((record.id.number, view)) }
    }

    /// Puts one order before Risk and, if that lets it through, before the exchange.
    mutating func trade(_ order: NewOrder, at now: Timestamp) {
      guard case .base(let quantity) = order.size else { return }
      exchange.advance(to: now)
      hear()
      let intent = OrderIntent(
        strategy: StrategyID(0), account: order.account, instrument: order.instrument,
        side: order.side, price: order.price, quantity: quantity,
        isReduceOnly: order.isReduceOnly, positionSide: order.positionSide)
      var gate = RiskGate(limits: RiskLimits(priceBand: Rate(units: .max)))
      var context = RiskContext(
        now: now, instrument: instruments[Int(order.instrument.index)],
        reference: ReferencePrice(last: order.price), freeBase: nil, freeQuote: nil,
        position: portfolio.position(
          order.account, order.instrument, side: order.positionSide),
        workingOnInstrument: 0, workingBuyLeaves: .zero, workingOfStrategy: 0)
      context.margin = portfolio.marginContext(for: intent)
      let isPriced = order.kind == .limit
      var isApproved = false
      if case .approved = gate.review(intent, context: context) { isApproved = true }
      do throws(OrderRefusal) {
        _ = try exchange.place(order, at: now)
        if isPriced && !isApproved && !order.isReduceOnly
          && !order.positionSide.isClosed(by: order.side)
        {
          surprises.append("Risk refused what the exchange took: \(order)")
        }
      } catch {
        refusals += 1
        switch error {
        case .insufficientMargin, .leverage:
          if isPriced && isApproved { surprises.append("\(error) of \(order)") }
        default: break
        }
      }
      hear()
    }

    /// What differs between both, to the last digit.
    func differences() -> [String] {
      var found: [String] = []
      func compare(_ what: String, _ own: Amount, _ told: Amount) {
        if own != told { found.append("\(what): own \(own), exchange \(told)") }
      }
      for account in accounts {
        for instrument in instruments {
          for side in PositionSide.allCases {
            let own = portfolio.position(account, instrument.id, side: side)
            let told = exchange.position(of: account, in: instrument.id, side: side)
            let name = "\(instrument.symbol) \(side) of \(account.index)"
            if own.net != told.net { found.append("\(name): \(own.net) and \(told.net)") }
            compare("\(name) cost", own.cost, told.isLong ? told.paid : -told.paid)
            compare("\(name) realized", own.realized, told.realized)
            let holding = portfolio.holding(account, instrument.id, side: side)
            compare("\(name) funding", holding.funding, told.funding)
            compare("\(name) isolated", holding.isolated, told.isolated)
          }
        }
        for asset in ["USD" as InlineText, "BTC"] {
          let told = exchange.margin(of: account, in: exchange.asset(asset) ?? AssetID(0))
          guard let own = portfolio.margin(account, in: asset) else {
            found.append("no figures of \(asset)")
            continue
          }
          let name = "\(asset) of \(account.index)"
          compare("\(name) wallet", own.wallet, told.wallet)
          compare("\(name) isolated", own.isolated, told.isolated)
          compare("\(name) unrealized", own.unrealized, told.unrealized)
          compare("\(name) initial", own.initial, told.initial)
          compare("\(name) maintenance", own.maintenance, told.maintenance)
        }
      }
      return found
    }
  }

  /// A market that wanders, and falls or rises hard now and then.
  private func tape(_ random: inout SeededRandom, _ size: Int64) -> [MarketRow] {
    var rows: [MarketRow] = []
    var middle: Int64 = 600_000
    for frame in 0..<UInt32(160) {
      middle +=
        random.below(12) == 0
        ? random.integer(in: -40_000...40_000) : random.integer(in: -900...900)
      middle = max(middle, 200_000)
      func row(_ kind: MarketRow.Kind, _ side: Side, _ price: Int64, _ quantity: Int64) -> MarketRow
      {
        MarketRow(
          receivedAt: Timestamp(milliseconds: Int64(frame) * 500_000), price: Price(quanta: price),
          quantity: Quantity(quanta: quantity), frame: frame, kind: kind, side: side,
          endsFrame: false)
      }
      if frame > 0 && random.below(3) == 0 {
        rows.append(
          row(
            .trade, random.below(2) == 0 ? .buy : .sell, middle, random.integer(in: 1...200) * size)
        )
      } else {
        for step in 1...Int64(3) {
          rows.append(row(.snapshot, .buy, middle - step * 200, random.integer(in: 1...40) * size))
          rows.append(row(.snapshot, .sell, middle + step * 200, random.integer(in: 1...40) * size))
        }
      }
      rows[rows.count - 1].endsFrame = true
    }
    return rows
  }

  private func day(
    seed: UInt64, bug: Bug = .none
  ) throws -> (
    differences: [String], surprises: [String], fills: Int, liquidations: Int, refusals: Int
  ) {
    var random = SeededRandom(seed: seed)
    let plan = MarginPlan(
      leverage: [5, 20, 50][Int(random.below(3))], mode: random.below(2) == 0 ? .cross : .isolated,
      isHedged: random.below(2) == 0)
    let listings = [
      try Listing.contract(.linear, 0, rows: tape(&random, 5)),
      try Listing.contract(.inverse, 1, rows: tape(&random, 300)),
    ]
    var pair = try Pair(plan, listings, bug: bug)
    for step in 0..<320 {
      let now = Timestamp(milliseconds: Int64(step) * 250_000)
      pair.exchange.advance(to: now)
      for instrument in pair.instruments {
        let last = pair.exchange.lastPrice(of: instrument.id) ?? Price(quanta: 600_000)
        pair.exchange.setMark(
          Price(quanta: last.quanta + random.integer(in: -300...300)), of: instrument.id, at: now)
        if random.below(3) > 0 {
          pair.exchange.setFundingRate(
            Rate(units: random.integer(in: -30_000_000...30_000_000)), of: instrument.id, at: now)
        }
      }
      pair.hear()
      for _ in 0...random.below(3) {
        pair.trade(draw(&random, pair), at: now)
      }
      if random.below(6) == 0 {
        let account = pair.accounts[Int(random.below(3))]
        pair.exchange.cancelAll(of: account, at: now)
        pair.hear()
      }
      let found = pair.differences()
      if !found.isEmpty {
        return (
          ["step \(step)"] + found, pair.surprises, pair.fills, pair.liquidations, pair.refusals
        )
      }
      for asset in pair.exchange.assets.indices {
        let sums = pair.exchange.marginConservation(of: AssetID(UInt16(asset)))
        #expect(sums.sum == sums.deposited, "seed \(seed), step \(step)")
      }
    }
    return ([], pair.surprises, pair.fills, pair.liquidations, pair.refusals)
  }

  private func draw(_ random: inout SeededRandom, _ pair: borrowing Pair) -> NewOrder {
    let instrument = pair.instruments[Int(random.below(2))]
    let last = pair.exchange.markPrice(of: instrument.id) ?? Price(quanta: 600_000)
    let side: Side = random.below(2) == 0 ? .buy : .sell
    let unit: Int64 = instrument.kind == .inverse ? 60 : 1
    var order = NewOrder(
      account: pair.accounts[Int(random.below(3))], instrument: instrument.id, side: side,
      size: .base(Quantity(quanta: random.integer(in: 1...200) * unit)),
      price: Price(quanta: last.quanta + random.integer(in: -2_000...2_000)))
    if pair.plan.isHedged { order.positionSide = random.below(2) == 0 ? .long : .short }
    switch random.below(8) {
    case 0: order.kind = .market
    case 1: order.isReduceOnly = true
    case 2: order.isImmediate = true
    case 3:
      order.kind = .stopMarket
      order.trigger = Price(quanta: last.quanta + (side == .buy ? 3_000 : -3_000))
      order.condition = side == .buy ? .atOrAbove : .atOrBelow
      order.triggerSource = random.below(2) == 0 ? .mark : .last
      order.isReduceOnly = random.below(2) == 0
    case 4: order.selfTrade = .cancelOld
    default: break
    }
    return order
  }

  @Test(
    "M7 M16 M59: the bot's books and the exchange's agree to the last digit, liquidations included")
  func agreed() throws {
    var fills = 0
    var liquidations = 0
    var refusals = 0
    for seed in UInt64(1)...30 {
      let day = try day(seed: seed)
      #expect(day.differences.isEmpty, "seed \(seed)")
      #expect(day.surprises.isEmpty, "seed \(seed)")
      fills += day.fills
      liquidations += day.liquidations
      refusals += day.refusals
    }
    // The days must have been worth living through.
    #expect(
      fills > 3_000 && liquidations > 30 && refusals > 300, "\(fills) \(liquidations) \(refusals)")
  }

  @Test("M16: a wrong sign in the bot's books is found on every day")
  func aWrongSignIsFound() throws {
    for seed in UInt64(1)...6 {
      for bug in [Bug.fundingSign, .inverseSign] {
        let day = try day(seed: seed, bug: bug)
        #expect(!day.differences.isEmpty, "seed \(seed), \(bug)")
      }
    }
  }
}

extension Listing {
  /// BTC at 0.1, sizes at 0.001 BTC or 1 USD; brackets small enough to be left.
  static func contract(
    _ kind: Instrument.Kind, _ index: UInt16, rows: [MarketRow]
  ) throws -> Listing {
    let isInverse = kind == .inverse
    let instrument = Instrument(
      id: InstrumentID(index), venue: .binance, kind: kind,
      symbol: isInverse ? "BTC_USD" : "BTC_PERP", base: "BTC", quote: "USD",
      scale: InstrumentScale(price: DecimalPlaces(1), quantity: DecimalPlaces(isInverse ? 0 : 3)),
      rules: InstrumentRules(
        tickSize: 1, lotStep: 1, minQuantity: Quantity(quanta: 1), minNotional: .zero,
        maxNotional: .zero, makerFee: Rate(units: 2_000_000), takerFee: Rate(units: 5_000_000),
        isTrading: true))
    let terms = try ContractTerms(
      of: instrument, liquidationFee: Rate(units: 10_000_000),
      brackets: [
        MarginBracket(
          upTo: try Amount(isInverse ? "0.1" : "6000"), maxLeverage: 50,
          maintenance: Rate(units: 50_000_000)),
        MarginBracket(
          upTo: try Amount(isInverse ? "0.5" : "30000"), maxLeverage: 20,
          maintenance: Rate(units: 125_000_000)),
        MarginBracket(
          upTo: try Amount(isInverse ? "2" : "120000"), maxLeverage: 10,
          maintenance: Rate(units: 333_000_000)),
      ])
    return Listing(
      instrument: instrument, fees: FeePolicy(places: DecimalPlaces(12)),
      outside: rows.isEmpty
        ? nil
        : try OutsideMarket(
          rows: rows, pricePlaces: instrument.scale.price,
          quantityPlaces: instrument.scale.quantity, scale: instrument.scale, start: .zero),
      contract: terms)
  }
}
