public import MartletVenueKit

/// Which of a venue's keys does what: one for spot, one for contracts.
public struct KeySlots: Equatable, Sendable {
  /// By which a key is known: its fingerprint, or where it is when it cannot be read.
  public var spot: String?
  public var contracts: String?

  public init(spot: String?, contracts: String?) {
    self.spot = spot
    self.contracts = contracts
  }

  /// Whether one key is in both slots, where the venue makes keys for one product each.
  public func isShared(against scope: KeyScope) -> Bool {
    switch scope {
    case .account: false
    case .product: spot != nil && spot == contracts
    }
  }
}
