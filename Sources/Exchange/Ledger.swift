internal import MartletBase
internal import MartletModel

/// Who has what: every account's available and frozen amount of every asset, and the two accounts
/// that make the sum constant, the outside market and the fees.
///
/// Of each asset: everything available and frozen + outside + fees = everything deposited.
struct Ledger {
  private(set) var assets: [InlineText] = []
  private(set) var accountCount = 0
  /// By account, then asset.
  private var available: [Amount] = []
  private var frozen: [Amount] = []
  private(set) var outside: [Amount] = []
  private(set) var fees: [Amount] = []
  private(set) var deposited: [Amount] = []
  /// What changed since it was last told, in the order of the first change.
  private var changed: [Int] = []
  private var isChanged: [Bool] = []

  init(assets: [InlineText]) {
    self.assets = assets
    outside = [Amount](repeating: .zero, count: assets.count)
    fees = outside
    deposited = outside
  }

  mutating func addAccount() -> AccountID {
    precondition(accountCount < Int(UInt16.max), "more accounts than an account id can name")
    defer { accountCount += 1 }
    for _ in assets {
      available.append(.zero)
      frozen.append(.zero)
      isChanged.append(false)
    }
    return AccountID(UInt16(accountCount))
  }

  private func place(_ account: AccountID, _ asset: AssetID) -> Int {
    Int(account.index) * assets.count + Int(asset.index)
  }

  func available(_ account: AccountID, _ asset: AssetID) -> Amount {
    available[place(account, asset)]
  }

  func frozen(_ account: AccountID, _ asset: AssetID) -> Amount { frozen[place(account, asset)] }

  private mutating func touch(_ place: Int) {
    if !isChanged[place] {
      isChanged[place] = true
      changed.append(place)
    }
    precondition(
      available[place] >= .zero && frozen[place] >= .zero,
      "an account owes \(assets[place % assets.count])")
  }

  mutating func deposit(_ amount: Amount, of asset: AssetID, to account: AccountID) {
    let place = place(account, asset)
    available[place] += amount
    deposited[Int(asset.index)] += amount
    touch(place)
  }

  /// From available to frozen; the caller has seen that there is enough.
  mutating func freeze(_ amount: Amount, of asset: AssetID, in account: AccountID) {
    let place = place(account, asset)
    available[place] -= amount
    frozen[place] += amount
    touch(place)
  }

  mutating func release(_ amount: Amount, of asset: AssetID, in account: AccountID) {
    freeze(Amount(units: -amount.units), of: asset, in: account)
  }

  /// Takes `amount` from what is frozen in an account; it goes to whoever the caller credits.
  mutating func spend(_ amount: Amount, of asset: AssetID, in account: AccountID) {
    let place = place(account, asset)
    frozen[place] -= amount
    touch(place)
  }

  mutating func credit(_ amount: Amount, of asset: AssetID, to account: AccountID) {
    let place = place(account, asset)
    available[place] += amount
    touch(place)
  }

  /// The outside market's own balance, negative when it gave more than it took.
  mutating func creditOutside(_ amount: Amount, of asset: AssetID) {
    outside[Int(asset.index)] += amount
  }

  mutating func creditFees(_ amount: Amount, of asset: AssetID) {
    fees[Int(asset.index)] += amount
  }

  func sum(of asset: AssetID) -> Amount {
    var sum = outside[Int(asset.index)] + fees[Int(asset.index)]
    for account in 0..<accountCount {
      let place = place(AccountID(UInt16(account)), asset)
      sum += available[place] + frozen[place]
    }
    return sum
  }

  /// Tells each balance that changed since the last call, once.
  mutating func tellChanges(to events: inout [ExchangeEvent]) {
    for place in changed {
      isChanged[place] = false
      let asset = place % assets.count
      events.append(
        .balance(
          Balance(
            account: AccountID(UInt16(place / assets.count)), asset: assets[asset],
            available: available[place], frozen: frozen[place]),
          AssetID(UInt16(asset))))
    }
    changed.removeAll(keepingCapacity: true)
  }
}
