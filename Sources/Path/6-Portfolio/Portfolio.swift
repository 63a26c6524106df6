public import MartletBase
public import MartletModel

/// What we hold, by our own books: positions and the balances that must follow from them.
///
/// It moves on fills and on orders alone, never on being asked, so it is right before the venue says
/// so; what the venue says is kept beside it and compared.
///
/// - Bounds: as many positions and assets as `init` says; they are found by binary search.
public struct Portfolio: ~Copyable, Sendable {
  public let capacity: Int
  /// Balances the venue told of that did not fit, since the start.
  public internal(set) var balancesIgnored: UInt64 = 0
  // Sorted by their keys: walks are in one order in every process.
  var positions: [Position] = []
  var entries: [LedgerEntry] = []
  var tracks: [EquityTrack] = []
  // Of contracts alone: empty for a spot bot.
  var contracts: [ContractBook] = []
  var holdings: [ContractHolding] = []

  /// - Parameter capacity: positions, and assets, and equity tracks there may be.
  public init(capacity: Int = 2048) {
    precondition(capacity >= 1, "portfolio of \(capacity)")
    self.capacity = capacity
    positions.reserveCapacity(min(capacity, 64))
    entries.reserveCapacity(min(capacity, 64))
    tracks.reserveCapacity(min(capacity, 64))
  }

  // MARK: Booking

  /// Books one execution of ours, told for the first time: position, profit, fees, ledger.
  ///
  /// Spot moves both assets. A contract moves its settlement asset alone: by what was realized and by
  /// the fee.
  public mutating func book(
    _ fill: Fill, of instrument: Instrument, side: Position.PositionSide = .net, at now: Timestamp
  ) {
    let index = positionIndex(fill.account, fill.instrument, side)
    if instrument.isContract { return bookContract(fill, index, instrument, at: now) }
    _ = positions[index].book(fill, of: instrument)
    moveLedger(fill, instrument, at: now)
  }

  /// Books one execution of an order that is not ours: the account's assets moved, our position did
  /// not.
  public mutating func bookForeign(_ fill: Fill, of instrument: Instrument, at now: Timestamp) {
    moveLedger(fill, instrument, at: now)
  }

  /// Moves what a spot order holds of the balance: released as it fills, all of it when it ends.
  ///
  /// Of a contract it holds nothing of a balance; what it may add to the position counts towards margin.
  ///
  /// - Parameters: the order before, nil when it has just appeared, and after; of a contract which position
  ///   it is for and whether it can only take from it.
  public mutating func orderChanged(
    _ account: AccountID, _ instrument: Instrument, before: OrderView?, after: OrderView,
    positionSide: PositionSide = .net, onlyReduces: Bool = false
  ) {
    guard instrument.kind == .spot else {
      if !onlyReduces { workChanged(account, instrument, positionSide, before, after) }
      return
    }
    let asset = after.side == .buy ? instrument.quote : instrument.base
    guard let index = entryIndex(account, asset) else { return }
    var reserved = entries[index].reserved + Portfolio.reservation(of: after, instrument.scale)
    if let before { reserved = reserved - Portfolio.reservation(of: before, instrument.scale) }
    entries[index].reserved = reserved
  }

  /// What an order holds: the value of its leaves for a buy, the leaves for a sell.
  public static func reservation(of order: OrderView, _ scale: InstrumentScale) -> Amount {
    if order.state.isTerminal || order.leaves.quanta <= 0 { return .zero }
    switch order.side {
    case .buy: return scale.notional(of: order.leaves, at: order.price)
    case .sell: return scale.amount(of: order.leaves)
    }
  }

  // MARK: The venue's word

  /// Keeps what the venue says an account has. It moves nothing: `adopt` or `difference` do.
  public mutating func tell(_ balance: Balance, at now: Timestamp) {
    guard let index = entryIndex(balance.account, balance.asset) else {
      balancesIgnored += 1
      return
    }
    entries[index].told = balance
    entries[index].toldAt = now
  }

  /// Takes the venue's word for an asset: at the start, and after someone explained a difference.
  /// What is frozen beyond our own orders is taken for other people's. An asset the venue never told
  /// of is taken for zero.
  ///
  /// To be called when all news has arrived, own orders and their fills included.
  ///
  /// - Returns: what was added; counted as a transfer unless it is the first time.
  @discardableResult public mutating func adopt(
    _ account: AccountID, _ asset: InlineText, at now: Timestamp
  ) -> Amount {
    guard let index = entryIndex(account, asset) else { return .zero }
    let told = entries[index].told
    let added = (told?.total ?? .zero) - entries[index].expected
    let isFirst = !entries[index].isAdopted
    entries[index].expected = told?.total ?? .zero
    entries[index].foreignFrozen = max((told?.frozen ?? .zero) - entries[index].reserved, .zero)
    entries[index].isAdopted = true
    entries[index].movedAt = now
    if !isFirst { entries[index].transfers = entries[index].transfers + added }
    return added
  }

  /// What the venue has more of an asset than our books; nil before it told or was adopted.
  public func difference(_ account: AccountID, _ asset: InlineText) -> Amount? {
    ledger(account, asset)?.difference
  }

  // MARK: Reading

  public func position(
    _ account: AccountID, _ instrument: InstrumentID, side: Position.PositionSide = .net
  ) -> Position {
    let (index, isPresent) = search(account, instrument, side)
    return isPresent
      ? positions[index] : Position(account: account, instrument: instrument, side: side)
  }

  /// All positions ever opened, by account, instrument and side.
  public var allPositions: [Position] { positions }

  public func ledger(_ account: AccountID, _ asset: InlineText) -> LedgerEntry? {
    let (index, isPresent) = search(account, asset)
    return isPresent ? entries[index] : nil
  }

  /// All assets, by account and name.
  public var allEntries: [LedgerEntry] { entries }

  /// The own ledger of an asset in the venue's shape; nothing is free before it was adopted.
  public func balance(_ account: AccountID, _ asset: InlineText) -> Balance {
    ledger(account, asset)?.balance
      ?? Balance(account: account, asset: asset, available: .zero, frozen: .zero)
  }

  /// What a new order may use of an asset; nil while no balance is known.
  public func free(_ account: AccountID, _ asset: InlineText) -> Amount? {
    guard let entry = ledger(account, asset), entry.isAdopted else { return nil }
    return entry.free
  }

  // MARK: Equity

  /// Values an account's base and quote of one spot instrument at `mark`, in quote units, the base
  /// rounded down. Of a contract: the wallet of its settlement asset with what is unrealized of all
  /// contracts settled in it, this one at `mark` unless the venue told a mark of its own.
  public func equity(_ account: AccountID, _ instrument: Instrument, at mark: Price) -> Amount {
    if instrument.isContract { return contractEquity(account, instrument, at: mark) }
    let base = ledger(account, instrument.base)?.expected ?? .zero
    let quote = ledger(account, instrument.quote)?.expected ?? .zero
    return quote + instrument.scale.value(of: base, at: mark, rounded: .down)
  }

  /// Notes the equity at `mark` for peak and drawdown, once both assets are adopted.
  ///
  /// - Returns: the track after it; nil before.
  @discardableResult public mutating func mark(
    _ account: AccountID, _ instrument: Instrument, at mark: Price, now: Timestamp
  ) -> EquityTrack? {
    if instrument.isContract {
      guard ledger(account, instrument.settlement)?.isAdopted == true else { return nil }
    } else {
      guard ledger(account, instrument.base)?.isAdopted == true,
        ledger(account, instrument.quote)?.isAdopted == true
      else { return nil }
    }
    let equity = equity(account, instrument, at: mark)
    let (index, isPresent) = searchTrack(account, instrument.id)
    if isPresent {
      tracks[index].observe(equity, mark: mark, at: now)
    } else {
      precondition(tracks.count < capacity, "more than \(capacity) equity tracks")
      tracks.insert(
        EquityTrack(
          account: account, instrument: instrument.id, equity: equity, mark: mark, at: now),
        at: index)
    }
    return tracks[index]
  }

  public func track(_ account: AccountID, _ instrument: InstrumentID) -> EquityTrack? {
    let (index, isPresent) = searchTrack(account, instrument)
    return isPresent ? tracks[index] : nil
  }

  /// Moves start and peak of an instrument's equity by what a transfer of one of its assets is worth
  /// at the last mark, the base rounded down.
  ///
  /// - Parameter added: what `adopt` returned for `asset`.
  public mutating func transferred(
    _ added: Amount, of asset: InlineText, _ account: AccountID, _ instrument: Instrument
  ) {
    let (index, isPresent) = searchTrack(account, instrument.id)
    guard isPresent else { return }
    if instrument.isContract {
      if asset == instrument.settlement { tracks[index].transfer(added) }
    } else if asset == instrument.quote {
      tracks[index].transfer(added)
    } else if asset == instrument.base {
      tracks[index].transfer(
        instrument.scale.value(of: added, at: tracks[index].mark, rounded: .down))
    }
  }

  // MARK: Steps

  private mutating func moveLedger(_ fill: Fill, _ instrument: Instrument, at now: Timestamp) {
    if instrument.kind == .spot {
      let base = instrument.scale.amount(of: fill.quantity)
      let quote = instrument.scale.notional(of: fill.quantity, at: fill.price)
      move(fill.account, instrument.base, by: fill.side == .buy ? base : -base, at: now)
      move(fill.account, instrument.quote, by: fill.side == .buy ? -quote : quote, at: now)
    }
    payFee(fill, at: now)
  }

  mutating func payFee(_ fill: Fill, at now: Timestamp) {
    if fill.fee != .zero, let index = entryIndex(fill.account, fill.feeAsset) {
      entries[index].expected = entries[index].expected - fill.fee
      entries[index].fees = entries[index].fees + fill.fee
      entries[index].movedAt = now
    }
  }

  mutating func move(
    _ account: AccountID, _ asset: InlineText, by amount: Amount, at now: Timestamp
  ) {
    guard let index = entryIndex(account, asset) else { return }
    entries[index].expected = entries[index].expected + amount
    entries[index].movedAt = now
  }
}
