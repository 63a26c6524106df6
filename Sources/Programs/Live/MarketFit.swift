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
            settings: GridSettings(
              levelsPerSide: grid.levels, spacing: grid.spacing, amount: grid.amount),
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

  /// What the trade account lacks for each strategy, in words: `isEmpty` when it lacks everything.
  ///
  /// - Parameter balance: what the trade account has of an asset.
  static func shortages(
    of configuration: BotConfiguration, markets: [KernelMarket],
    balance: (InlineText) -> Amount
  ) -> [(key: String, text: String, isEmpty: Bool)] {
    var found: [(key: String, text: String, isEmpty: Bool)] = []
    for (index, strategy) in configuration.strategies.enumerated() {
      switch strategy {
      case .grid(let grid):
        guard let instrument = markets.first(where: { $0.symbol == grid.market })?.instrument else {
          continue
        }
        let (base, quote) = (balance(instrument.base), balance(instrument.quote))
        let move = "move some from the main balance to the trade balance"
        let key = "strategy[\(index)].market"
        if base == .zero && quote == .zero {
          let text =
            "the trade balance has no \(instrument.quote) to buy with and no \(instrument.base) to"
            + " sell; expected some of one at least: \(move), on the venue's page or in its app"
          found.append((key, text, true))
        } else if base == .zero {
          let text =
            "no \(instrument.base) in the trade balance: sells wait until something was bought, or \(move)"
          found.append((key, text, false))
        } else if quote == .zero {
          let text =
            "no \(instrument.quote) in the trade balance: buys wait until something was sold, or \(move)"
          found.append((key, text, false))
        }
      }
    }
    return found
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
    case .spacing, .tooWide: "spacing"
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
