/// What one API key of a venue opens; whoever trades both spot and contracts there needs to know.
public enum KeyScope: Equatable, Sendable {
  /// A key is made for the account, and there is no other for contracts: one fills both slots.
  case account
  /// Keys are made for spot or for contracts: the same one in both slots is refused.
  case product
}
