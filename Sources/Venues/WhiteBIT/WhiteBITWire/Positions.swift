/// Positions of this room: none.
///
/// Margin and futures positions live behind `collateral-account/*` and `positionsMargin`. This
/// slice trades spot, where what is held is the balance: see `Balances`.
public enum Positions {}
