public import MartletBase
public import MartletModel

/// A position in a contract as this exchange keeps it: unsigned, with a direction.
@frozen public struct ExchangePosition: Equatable, Sendable, BitwiseCopyable {
  public internal(set) var isLong = true
  /// In quantity quanta; zero when there is none.
  public internal(set) var size: Int64 = 0
  /// What the open part was worth when it was opened, in the settlement asset.
  public internal(set) var paid = Amount.zero
  /// What is set aside for it, of the wallet, under isolated margin.
  public internal(set) var isolated = Amount.zero
  /// Gains of what was closed, before fees; fees; and funding got less paid. In the settlement asset.
  public internal(set) var realized = Amount.zero
  public internal(set) var fees = Amount.zero
  public internal(set) var funding = Amount.zero

  init() {}

  /// Signed.
  public var net: Quantity { Quantity(quanta: isLong ? size : -size) }

  /// What an order of `side` may close of it.
  func closable(by side: Side) -> Int64 { isLong == (side == .sell) ? size : 0 }
}

/// How an account trades one contract.
@frozen public struct MarginSetting: Equatable, Sendable, BitwiseCopyable {
  public var leverage: Int
  public var mode: MarginMode
  public init(leverage: Int = 1, mode: MarginMode = .cross) {
    self.leverage = leverage
    self.mode = mode
  }
}

/// How an account stands in one settlement asset, at the marks.
@frozen public struct ExchangeMargin: Equatable, Sendable, BitwiseCopyable {
  /// Everything of the asset, isolated margins included.
  public internal(set) var wallet: Amount
  public internal(set) var isolated = Amount.zero
  public internal(set) var unrealized = Amount.zero
  /// Of cross positions, and of what orders may add to any.
  public internal(set) var initial = Amount.zero
  public internal(set) var maintenance = Amount.zero
  public var equity: Amount { wallet - isolated + unrealized }
  public var free: Amount { equity - initial }
}

/// Wallets and positions of all accounts, and what makes the sum constant.
///
/// Of each asset: wallets + fees + insurance + what funding left over − what open positions were paid for,
/// where that is still to come back, + what the outside market traded = everything deposited.
struct MarginBooks: Sendable {
  private(set) var assetCount: Int
  private(set) var marketCount: Int
  private(set) var accountCount = 0
  /// By account, then asset.
  private var wallets: [Amount] = []
  /// By account, then market, then position side.
  private var positions: [ExchangePosition] = []
  /// By account, then market.
  private var settings: [MarginSetting] = []
  private var hedged: [Bool] = []
  // By asset.
  var fees: [Amount]
  var insurance: [Amount]
  var fundingLeft: [Amount]
  var outside: [Amount]
  private(set) var deposited: [Amount]
  private var changed: [Int] = []
  private var isChanged: [Bool] = []
  /// Positions that moved since working orders that only reduce were last looked at.
  var moved: [(account: AccountID, market: Int, side: PositionSide)] = []

  init(assets: Int, markets: Int) {
    assetCount = assets
    marketCount = markets
    fees = [Amount](repeating: .zero, count: assets)
    insurance = fees
    fundingLeft = fees
    outside = fees
    deposited = fees
  }

  mutating func addAccount() {
    accountCount += 1
    for _ in 0..<assetCount {
      wallets.append(.zero)
      isChanged.append(false)
    }
    for _ in 0..<marketCount {
      for _ in PositionSide.allCases { positions.append(ExchangePosition()) }
      settings.append(MarginSetting())
    }
    hedged.append(false)
  }

  private func place(_ account: AccountID, _ asset: AssetID) -> Int {
    Int(account.index) * assetCount + Int(asset.index)
  }

  func wallet(_ account: AccountID, _ asset: AssetID) -> Amount { wallets[place(account, asset)] }

  mutating func credit(_ amount: Amount, of asset: AssetID, to account: AccountID) {
    if amount == .zero { return }
    let place = place(account, asset)
    wallets[place] += amount
    if !isChanged[place] {
      isChanged[place] = true
      changed.append(place)
    }
  }

  mutating func deposit(_ amount: Amount, of asset: AssetID, to account: AccountID) {
    deposited[Int(asset.index)] += amount
    credit(amount, of: asset, to: account)
  }

  subscript(account: AccountID, market: Int, side: PositionSide) -> ExchangePosition {
    get { positions[(Int(account.index) * marketCount + market) * 3 + Int(side.rawValue)] }
    _modify {
      yield &positions[(Int(account.index) * marketCount + market) * 3 + Int(side.rawValue)]
    }
  }

  subscript(account: AccountID, market: Int) -> MarginSetting {
    get { settings[Int(account.index) * marketCount + market] }
    set { settings[Int(account.index) * marketCount + market] = newValue }
  }

  subscript(isHedged account: AccountID) -> Bool {
    get { hedged[Int(account.index)] }
    set { hedged[Int(account.index)] = newValue }
  }

  func sides(of account: AccountID) -> [PositionSide] {
    self[isHedged: account] ? [.long, .short] : [.net]
  }

  /// Tells each wallet that changed since the last call, once.
  mutating func tellChanges(to events: inout [ExchangeEvent]) {
    for place in changed {
      isChanged[place] = false
      events.append(
        .wallet(
          AccountID(UInt16(place / assetCount)), AssetID(UInt16(place % assetCount)),
          wallets[place]))
    }
    changed.removeAll(keepingCapacity: true)
  }
}
