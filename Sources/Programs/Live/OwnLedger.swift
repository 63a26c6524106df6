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
    let instrument: InstrumentID
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
  /// By the venue's clock: fills before it are not compared, nor are they in the figures here.
  var since: Timestamp
  /// Fills of that time and later that are not, either.
  var earlier: [TradeID]
  /// What an earlier process had booked.
  var start: LedgerStart?
  /// Every order's fate is known and every fill told of is booked.
  var isQuiescent: Bool

  /// - Parameter start: what the books held when the fills that are compared began; nil when they
  ///   began with none.
  init(
    _ kernel: borrowing Kernel<WhiteBITSession, BuiltInStrategy>, prefix: InlineText,
    earlier: [TradeID], start: LedgerStart? = nil
  ) {
    self.prefix = prefix
    self.earlier = earlier
    self.start = start
    since = start?.since ?? kernel.session.epoch
    fills = kernel.counts.fills - (start?.fills ?? 0)
    isQuiescent = kernel.orders.isQuiescent
    for market in kernel.markets {
      guard let instrument = market.instrument else { continue }
      for asset in [instrument.base, instrument.quote]
      where !assets.contains(where: { $0.name == asset }) {
        if let entry = kernel.portfolio.ledger(kernel.account, asset) {
          let before = start?.fees(in: asset) ?? .zero
          assets.append(Asset(name: asset, total: entry.expected, fees: entry.fees - before))
        }
      }
      let position = kernel.portfolio.position(kernel.account, instrument.id)
      let before = start?.traded(on: instrument.id) ?? .zero
      markets.append(
        Market(
          name: instrument.symbol, instrument: instrument.id,
          traded: instrument.scale.amount(of: position.net) - before))
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

extension OwnLedger {
  /// Whether a fill that the venue lists is in none of these figures.
  func isEarlier(_ id: String, of market: Market) -> Bool {
    guard let id = UInt64(id) else { return false }
    let trade = TradeID(low: id)
    if start?.holds(WhiteBITSession.key(of: trade, on: market.instrument)) == true { return true }
    return earlier.contains(trade)
  }
}

/// What our books held at the moment from which on they are compared with the venue's fills: a bot's
/// whole life is more than a venue lists.
struct LedgerStart: Equatable, Sendable {
  private struct Sum<Of: Equatable & Sendable>: Equatable, Sendable {
    let of: Of
    let amount: Amount
  }

  let since: Timestamp
  let fills: UInt64
  private var traded: [Sum<InstrumentID>] = []
  private var fees: [Sum<InlineText>] = []
  /// Fills that were told before, and those of them that were not booked yet.
  private let known: BoundedSet<UInt128>
  private let held: [UInt128]

  /// - Returns: nil for books that begin with nothing.
  init?(_ kernel: borrowing Kernel<WhiteBITSession, BuiltInStrategy>) {
    // The venue's clock is the first thing that is read.
    guard kernel.session.epoch > .zero else { return nil }
    since = kernel.session.fillsStart
    fills = kernel.counts.fills
    known = kernel.session.knownFills
    held = kernel.session.heldFills
    for market in kernel.markets {
      guard let instrument = market.instrument else { continue }
      let position = kernel.portfolio.position(kernel.account, instrument.id)
      traded.append(
        Sum(of: instrument.id, amount: instrument.scale.amount(of: position.net)))
    }
    for entry in kernel.portfolio.allEntries {
      fees.append(Sum(of: entry.asset, amount: entry.fees))
    }
  }

  /// Signed sum of the fills before, in base units.
  func traded(on instrument: InstrumentID) -> Amount {
    traded.first { $0.of == instrument }?.amount ?? .zero
  }

  func fees(in asset: InlineText) -> Amount {
    fees.first { $0.of == asset }?.amount ?? .zero
  }

  /// Whether a fill is in these figures.
  func holds(_ fill: UInt128) -> Bool { known.contains(fill) && !held.contains(fill) }
}

/// Follows a process so that what is compared with the venue's fills stays less than a venue lists,
/// however long the process lives.
///
/// - Bounds: between one and two times `span` fills are compared once there were so many, and all
///   before that. Those before were each compared with the venue's own rows by the session's proofs.
struct LedgerStarts {
  static let span: UInt64 = 4_096
  /// Where the comparison begins; nil when the books began with nothing and it compares all.
  private(set) var current: LedgerStart?
  /// Where it will begin when as many fills are behind it.
  private var next: LedgerStart?
  private let span: UInt64

  /// - Parameter first: what the books held when the process began.
  init(_ first: LedgerStart?, span: UInt64 = LedgerStarts.span) {
    current = first
    self.span = span
  }

  /// Called after each step.
  mutating func follow(_ kernel: borrowing Kernel<WhiteBITSession, BuiltInStrategy>) {
    guard kernel.counts.fills - ((next ?? current)?.fills ?? 0) >= span else { return }
    current = next ?? current
    next = LedgerStart(kernel)
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
