public import MartletBase
public import MartletModel

/// What margin needs to know of one contract.
public struct ContractBook: Equatable, Sendable {
  public internal(set) var terms: ContractTerms
  /// How it is traded, as declared.
  public internal(set) var plan: MarginPlan
  /// The venue's; nil before it told one.
  public internal(set) var mark: Price?
  var instrument: InstrumentID { terms.instrument.id }
}

/// Beside a position in a contract: what works for it, what funding brought, what is set aside for it.
@frozen public struct ContractHolding: Equatable, Sendable, BitwiseCopyable {
  public let account: AccountID
  public let instrument: InstrumentID
  public let side: PositionSide
  /// What working orders that may add to the position may still buy and sell, and what that is worth at
  /// their prices, in the settlement asset. Orders that only reduce are not among them.
  public internal(set) var buyLeaves = Quantity.zero
  public internal(set) var sellLeaves = Quantity.zero
  public internal(set) var buyValue = Amount.zero
  public internal(set) var sellValue = Amount.zero
  /// Funding received less paid, in the settlement asset.
  public internal(set) var funding = Amount.zero
  /// When the last payment booked was due.
  public internal(set) var fundedAt = Timestamp.zero
  /// What is set aside for an isolated position, of the wallet; zero under cross margin.
  public internal(set) var isolated = Amount.zero

  init(account: AccountID, instrument: InstrumentID, side: PositionSide) {
    self.account = account
    self.instrument = instrument
    self.side = side
  }
}

/// How one settlement asset of an account stands against what its contracts need, at their marks.
@frozen public struct MarginFigures: Equatable, Sendable, BitwiseCopyable {
  /// All there is of the asset, by our own books.
  public internal(set) var wallet: Amount
  /// What of it is set aside for isolated positions, which have no other cover and cover nothing else.
  public internal(set) var isolated = Amount.zero
  /// What cross positions would bring now.
  public internal(set) var unrealized = Amount.zero
  /// What cross positions, and all orders that may add to any, must be begun with.
  public internal(set) var initial = Amount.zero
  /// What cross positions must stay covered by.
  public internal(set) var maintenance = Amount.zero

  init(wallet: Amount) { self.wallet = wallet }

  /// What covers the cross positions.
  public var equity: Amount { wallet - isolated + unrealized }
  /// What new orders may still be begun with; negative when the market took more than there was.
  public var free: Amount { equity - initial }
  /// Equity over maintenance margin as one share: liquidated at 1 and over; nil without positions.
  public var maintenanceShare: Rate? {
    guard maintenance > .zero, equity > .zero else { return nil }
    let share = divide(
      maintenance.units, times: powerOfTen(Rate.places), by: equity.units, rounded: .up)
    return Rate(units: Int64(clamping: share))
  }
}

extension ContractBook {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(terms)
    snapshot.write(plan)
    snapshot.write(mark != nil)
    snapshot.write(mark ?? Price(quanta: 0))
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    terms = try snapshot.contractTerms()
    plan = try snapshot.marginPlan()
    let isMarked = try snapshot.bool()
    let mark = try snapshot.price()
    self.mark = isMarked ? mark : nil
  }
}

extension ContractHolding {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(account.index)
    snapshot.write(instrument.index)
    snapshot.write(side.rawValue)
    snapshot.write(buyLeaves)
    snapshot.write(sellLeaves)
    snapshot.write(buyValue)
    snapshot.write(sellValue)
    snapshot.write(funding)
    snapshot.write(fundedAt)
    snapshot.write(isolated)
  }

  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    let account = AccountID(try snapshot.read())
    let instrument = InstrumentID(try snapshot.read())
    guard let side = PositionSide(rawValue: try snapshot.byte()) else {
      throw .impossible("a position side", offset: snapshot.offset - 1)
    }
    self.init(account: account, instrument: instrument, side: side)
    buyLeaves = try snapshot.quantity()
    sellLeaves = try snapshot.quantity()
    buyValue = try snapshot.amount()
    sellValue = try snapshot.amount()
    funding = try snapshot.amount()
    fundedAt = try snapshot.timestamp()
    isolated = try snapshot.amount()
  }
}
