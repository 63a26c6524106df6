internal import MartletBase
internal import MartletKernel
internal import MartletModel
internal import MartletOrders
internal import MartletPortfolio
internal import MartletStrategies
internal import WhiteBITSession

/// What our own books say, for the comparison with the venue's.
struct OwnLedger: Equatable, Sendable {
  struct Asset: Equatable, Sendable {
    let name: InlineText
    let total: Amount
    let fees: Amount
  }

  struct Market: Equatable, Sendable {
    let name: InlineText
    /// Signed sum of our fills, in base units.
    let traded: Amount
  }

  /// One of our orders that is not known to have ended.
  struct Order: Equatable, Sendable {
    let id: String
    let market: InlineText
    let side: Side
    let price: Amount
    /// What is still to fill, in base units.
    let left: Amount
    let state: OrderState
  }

  var assets: [Asset] = []
  var markets: [Market] = []
  var orders: [Order] = []
  var fills: UInt64
  /// What our client order ids begin with.
  var prefix: InlineText
  /// By the venue's clock, in whole seconds: fills before it are an earlier run's.
  var since: Timestamp
  /// Fills of that second and later that are an earlier run's too.
  var earlier: [TradeID]
  /// Every order's fate is known and every fill told of is booked.
  var isQuiescent: Bool

  init(
    _ kernel: borrowing Kernel<WhiteBITSession, BuiltInStrategy>, prefix: InlineText,
    earlier: [TradeID]
  ) {
    self.prefix = prefix
    self.earlier = earlier
    since = kernel.session.epoch
    fills = kernel.counts.fills
    isQuiescent = kernel.orders.isQuiescent
    for market in kernel.markets {
      guard let instrument = market.instrument else { continue }
      for asset in [instrument.base, instrument.quote]
      where !assets.contains(where: { $0.name == asset }) {
        if let entry = kernel.portfolio.ledger(kernel.account, asset) {
          assets.append(Asset(name: asset, total: entry.expected, fees: entry.fees))
        }
      }
      let position = kernel.portfolio.position(kernel.account, instrument.id)
      markets.append(
        Market(name: instrument.symbol, traded: instrument.scale.amount(of: position.net)))
    }
    var records: [OrderRecord] = []
    kernel.orders.fill(&records)
    for record in records {
      let view = record.view
      guard Int(view.instrument.index) < kernel.markets.count,
        let instrument = kernel.markets[Int(view.instrument.index)].instrument
      else { continue }
      orders.append(
        Order(
          id: "\(view.clientOrderID)", market: instrument.symbol, side: view.side,
          price: instrument.scale.amount(of: view.price),
          left: instrument.scale.amount(of: view.leaves), state: view.state))
    }
  }
}

/// Fills of an earlier run's orders that were told to this one: they are in the balances it began
/// with.
///
/// - Bounds: `most`; only those around the start are told.
struct EarlierFills {
  static let most = 4096
  private(set) var trades: [TradeID] = []

  /// Takes the notes of one step.
  mutating func take(_ notes: [TracedNote]) {
    for index in notes.indices {
      guard case .fill(let fill) = notes[index].note else { continue }
      // One that is booked moves a position.
      let next = index + 1 < notes.count ? notes[index + 1].note : nil
      guard case .position? = next else {
        if trades.count < EarlierFills.most { trades.append(fill.tradeID) }
        continue
      }
      trades.removeAll { $0 == fill.tradeID }
    }
  }
}
