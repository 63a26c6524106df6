internal import MartletBase
internal import MartletConfiguration
internal import MartletGrid
internal import MartletJSON
internal import MartletKernel
internal import MartletModel
internal import MartletTransport

/// Whether what a configuration asks for can be traded by the rules that the venue told, found before
/// anything is armed or placed: a bot that will trade nothing has no reason to run.
enum MarketFit {
  struct Problem: Equatable {
    /// As the configuration's reader names it, such as `strategy[0].amount`.
    let key: String
    /// What was expected, what was found, what to do.
    let message: String
  }

  /// - Parameters:
  ///   - markets: as the kernel knows them once rules and last prices were read.
  ///   - listed: names of the markets that the venue has; empty when that is not known.
  static func problems(
    of configuration: BotConfiguration, markets: [KernelMarket], listed: [String] = []
  ) -> [Problem] {
    var problems: [Problem] = []
    for (index, strategy) in configuration.strategies.enumerated() {
      switch strategy {
      case .grid(let grid):
        func add(_ key: String, _ message: String) {
          problems.append(Problem(key: "strategy[\(index)].\(key)", message: message))
        }
        guard let market = markets.first(where: { $0.symbol == grid.market }),
          let instrument = market.instrument
        else {
          add("market", unknown("\(grid.market)", among: listed))
          continue
        }
        if instrument.quote != configuration.valuation {
          problems.append(
            Problem(
              key: "bot.valuation",
              message: "equity is counted in what the market is quoted in; expected"
                + " \"\(instrument.quote)\", as strategy[\(index)] trades \(grid.market), found"
                + " \"\(configuration.valuation)\""))
        }
        do throws(GridSettings.Fault) {
          _ = try GridStrategy(
            settings: BotPlan.gridSettings(of: grid),
            instrument: instrument)
          if let text = worth(grid, instrument, market.lastPrice, configuration.risk) {
            add("amount", text)
          }
        } catch {
          add(key(of: error), "\(error)")
        }
      }
    }
    return problems
  }

  /// The names of all markets, asked for once it is clear that one of ours is not among them; empty
  /// when the venue does not say.
  static func listed(by venue: VenueAddress) -> [String] {
    let target = Array("/api/v4/public/markets".utf8)
    let nothing: [UInt8] = []
    guard
      let client = try? BlockingRESTClient(venue.rest, configuration: venue.configuration()),
      case .replied(200, _, let body)? = try? client.perform(
        target: target.span, headers: RESTHeaders(), body: nothing.span, timeout: .seconds(2)),
      case .array(let rows)? = try? JSONValue(body.span)
    else { return [] }
    return rows.compactMap { $0["name"]?.text }
  }

  /// What the trade account lacks for a strategy's orders, in words.
  struct Shortage: Equatable {
    let key: String
    let text: String
    /// Whether it can pay for no order at all.
    let isEmpty: Bool
  }

  /// What the trade account lacks for each strategy that it lacks something for.
  ///
  /// - Parameter balance: what the trade account has of an asset.
  static func shortages(
    of configuration: BotConfiguration, markets: [KernelMarket],
    balance: (InlineText) -> Amount
  ) -> [Shortage] {
    var found: [Shortage] = []
    for (index, strategy) in configuration.strategies.enumerated() {
      switch strategy {
      case .grid(let grid):
        guard let market = markets.first(where: { $0.symbol == grid.market }),
          let instrument = market.instrument,
          let lacking = lack(
            of: grid, instrument, lastPrice: market.lastPrice, band: configuration.risk.priceBand,
            base: balance(instrument.base), quote: balance(instrument.quote))
        else { continue }
        found.append(
          Shortage(
            key: "strategy[\(index)].market", text: lacking.text, isEmpty: lacking.isEmpty))
      }
    }
    return found
  }

  /// What is lacking for the smallest order of each side of a grid; nil when nothing is.
  ///
  /// - Parameter band: how far from the last price Risk lets an order through.
  static func lack(
    of grid: BotConfiguration.Grid, _ instrument: Instrument, lastPrice: Price?, band: Rate,
    base: Amount, quote: Amount
  ) -> (text: String, isEmpty: Bool)? {
    guard
      let strategy = try? GridStrategy(
        settings: BotPlan.gridSettings(of: grid),
        instrument: instrument)
    else { return nil }
    let scale = instrument.scale
    let (sold, bought) = (instrument.base, instrument.quote)
    let needsBase = strategy.sellSize
    var needsQuote = max(instrument.rules.minNotional, Amount(units: 1))
    var level = ""
    if let lastPrice, lastPrice.quanta > 0 {
      let reach = divide(
        Int128(lastPrice.quanta) * Int128(band.units), by: powerOfTen(Rate.places), rounded: .down)
      let floor = Price(quanta: lastPrice.quanta - Int64(clamping: reach))
      if let cheapest = strategy.cheapestBuy(
        around: lastPrice, of: instrument, notBelow: floor)
      {
        needsQuote = cheapest.cost
        level = ", at \(scale.text(cheapest.price))"
      }
    }
    let lacksBase = base < needsBase
    let lacksQuote = quote < needsQuote
    let sell = "the smallest sell of this grid needs \(needsBase) \(sold)"
    let buy = "the smallest buy of this grid needs \(needsQuote) \(bought)\(level)"
    let move = "move some from the main balance to the trade balance"
    switch (lacksBase, lacksQuote) {
    case (false, false): return nil
    case (true, true):
      let least = scale.text(
        Quantity(quanta: max(instrument.rules.minQuantity.quanta, instrument.rules.lotStep)))
      return (
        "the trade balance has \(quote) \(bought) to buy with and \(base) \(sold) to sell, too little for"
          + " any order: \(buy), and \(sell); expected enough for one at least: \(move) (Main to Trade), on"
          + " the venue's page or in its app, or lower amount, down to what the market takes: \(least)"
          + " \(sold) and \(instrument.rules.minNotional) \(bought)", true
      )
    case (true, false):
      return (
        "the trade balance has \(base) \(sold), and \(sell): sells wait until something was bought, or \(move)",
        false
      )
    case (false, true):
      return (
        "the trade balance has \(quote) \(bought), and \(buy): buys wait until something was sold, or \(move)",
        false
      )
    }
  }

  private static func unknown(_ name: String, among listed: [String]) -> String {
    var text = "expected a market that the exchange lists, found \"\(name)\""
    if let meant = nearest(to: name, among: listed) {
      text += "; did you mean \"\(meant)\"?"
    } else if !listed.isEmpty && listed.count <= 12 {
      text += "; it lists " + listed.joined(separator: ", ")
    }
    return text
  }

  private static func key(of fault: GridSettings.Fault) -> String {
    switch fault {
    case .levels: "levels"
    case .notSpot: "market"
    case .leverage: "leverage"
    case .spacing, .tooWide: "spacing"
    case .stop: "stop_price_above"
    case .amount: "amount"
    }
  }

  /// What is wrong with one level's worth at the last price. Nothing, when no price is known.
  private static func worth(
    _ grid: BotConfiguration.Grid, _ instrument: Instrument, _ lastPrice: Price?,
    _ risk: BotConfiguration.Risk
  ) -> String? {
    let scale = instrument.scale
    let rules = instrument.rules
    guard let lastPrice, lastPrice.quanta > 0 else { return nil }
    let quantity = scale.quantity(of: grid.amount, rounded: .down)
    let (units, isBeyond) = (Int128(lastPrice.quanta) * Int128(quantity.quanta))
      .multipliedReportingOverflow(by: scale.notionalFactor)
    // Risk leaves as much room for fees and sums, and refuses what is more.
    guard !isBeyond, units <= Int128.max / 4 else {
      return "grid: amount is beyond counting: lower it"
    }
    let worth = Amount(units: units)
    let found =
      "grid: amount is \(grid.amount), worth \(worth) \(instrument.quote) at the last price,"
      + " \(scale.text(lastPrice))"
    if worth < rules.minNotional {
      // The least number of lots whose worth is not below the minimum.
      let lot = scale.notional(of: Quantity(quanta: rules.lotStep), at: lastPrice).units
      let lots = (rules.minNotional.units + lot - 1) / lot
      let least = scale.amount(of: Quantity(quanta: Int64(clamping: lots) * rules.lotStep))
      return "\(found); the market takes orders of at least \(rules.minNotional)"
        + " \(instrument.quote): expected an amount of at least \(least)"
    }
    if rules.maxNotional != .zero, worth > rules.maxNotional {
      return "\(found); the market takes orders of at most \(rules.maxNotional)"
        + " \(instrument.quote): lower it"
    }
    if let most = risk.maxOrderNotional, worth > most {
      return "\(found); risk.max_order_notional allows \(most): lower the one or raise the other"
    }
    return nil
  }
}
