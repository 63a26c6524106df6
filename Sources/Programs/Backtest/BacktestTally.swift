internal import MartletBase
internal import MartletExchange
internal import MartletKernel
internal import MartletModel
internal import MartletPortfolio
internal import MartletRisk
internal import MartletStrategies
internal import MartletVenueKit

/// What one market's fills add up to.
struct Tally {
  var fills: UInt64 = 0
  var makerFills: UInt64 = 0
  var bought = Amount.zero
  var sold = Amount.zero
  var turnover = Amount.zero
}

// How both fidelities come to their result: from the kernel's own books, by the same sums.
extension BacktestResult {
  mutating func decide(
    _ command: DirectCommand, _ scale: InstrumentScale, at time: Timestamp, isKept: Bool
  ) {
    decisions.fold(command, scale)
    digest.fold(time)
    if isKept { decided.append(Decision(time: time, command: command)) }
  }

  mutating func count(_ fill: Fill, _ scale: InstrumentScale, _ tallies: inout [Tally]) {
    let index = Int(fill.instrument.index)
    tallies[index].fills += 1
    if fill.role == .maker { tallies[index].makerFills += 1 }
    let size = scale.amount(of: fill.quantity)
    if fill.side == .buy {
      tallies[index].bought = tallies[index].bought + size
    } else {
      tallies[index].sold = tallies[index].sold + size
    }
    tallies[index].turnover =
      tallies[index].turnover + scale.notional(of: fill.quantity, at: fill.price)
    if fills.count < BacktestResult.mostFills { fills.append(fill) }
    digest.fold(fill.exchangeTime)
    digest.fold(scale.amount(of: fill.price))
    digest.fold(size)
    digest.fold(fill.fee)
  }

  mutating func conclude<Session: VenueSession & ~Copyable>(
    _ kernel: borrowing Kernel<Session, BuiltInStrategy>, _ instruments: [Instrument],
    _ tallies: [Tally], _ coverage: [TapeCoverage]
  ) {
    events = coverage.reduce(0) { $0 + $1.rows }
    placed = kernel.counts.placed
    canceled = kernel.counts.canceled
    refusedByRisk = kernel.counts.refusedByRisk
    refusedByVenue = kernel.counts.refusedByVenue
    doubts = kernel.counts.doubts
    halt = kernel.risk.halt?.reason
    for (index, instrument) in instruments.enumerated() {
      let scale = instrument.scale
      let position = kernel.portfolio.position(kernel.account, instrument.id)
      let track = kernel.portfolio.track(kernel.account, instrument.id)
      let mark = track?.mark
      let feesBase = mark.map { scale.value(of: position.baseFees, at: $0, rounded: .up) }
      let (tally, tape) = (tallies[index], coverage[index])
      markets.append(
        Market(
          instrument: instrument, rows: tape.rows, frames: tape.frames, trades: tape.trades,
          first: tape.first, last: tape.last, fills: tally.fills, makerFills: tally.makerFills,
          bought: tally.bought, sold: tally.sold, turnover: tally.turnover, position: position.net,
          realized: position.realized,
          unrealized: mark.map { position.unrealized(at: $0, scale) } ?? .zero,
          feesBase: position.baseFees, feesQuote: position.quoteFees,
          fees: position.quoteFees + (feesBase ?? .zero), startEquity: track?.start ?? .zero,
          endEquity: track?.current ?? .zero, maxDrawdown: track?.deepest ?? .zero, mark: mark))
    }
  }

  /// Holds our own ledger against the exchange's, asset by asset.
  mutating func reconcile<Session: VenueSession & ~Copyable>(
    _ kernel: borrowing Kernel<Session, BuiltInStrategy>, _ instruments: [Instrument],
    with exchange: borrowing Exchange, _ account: AccountID
  ) {
    var names: [InlineText] = []
    for instrument in instruments {
      for asset in [instrument.base, instrument.quote] where !names.contains(asset) {
        names.append(asset)
      }
    }
    for name in names {
      guard let asset = exchange.asset(name) else { continue }
      let theirs = exchange.balance(of: account, asset).total
      let ours = kernel.portfolio.ledger(kernel.account, name)?.expected ?? .zero
      digest.fold(ours)
      if ours != theirs {
        differences.append("\(name): our books have \(ours), the exchange \(theirs)")
      }
    }
    isReconciled = differences.isEmpty
  }
}

extension Instrument {
  /// What is assumed of the venue's terms.
  var assumption: String {
    "\(symbol): maker fee \(rules.makerFee.percent), taker fee \(rules.takerFee.percent), tick"
      + " \(scale.amount(of: Price(quanta: rules.tickSize))), lot"
      + " \(scale.amount(of: Quantity(quanta: rules.lotStep))), least value \(rules.minNotional)"
  }
}
