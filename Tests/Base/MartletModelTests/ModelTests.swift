import MartletBase
import MartletModel
import Testing

@Suite struct ModelTests {
  private func rules(lotStep: Int64) -> InstrumentRules {
    InstrumentRules(
      tickSize: 1, lotStep: lotStep, minQuantity: .zero, minNotional: .zero, maxNotional: .zero,
      makerFee: .zero, takerFee: .zero, isTrading: true)
  }

  @Test func quantitiesAreRoundedDownToWholeLots() {
    for seed in UInt64(1)...200 {
      var random = SeededRandom(seed: seed)
      let rules = rules(lotStep: random.integer(in: 1...1_000))
      let quantity = Quantity(quanta: random.integer(in: 0 ... .max))
      let rounded = rules.roundedDown(quantity)
      #expect(rounded <= quantity && rounded.quanta % rules.lotStep == 0, "seed \(seed)")
      #expect(quantity.quanta - rounded.quanta < rules.lotStep, "seed \(seed)")
    }
  }

  @Test func anOrderIsTerminalOnlyWithEvidence() {
    let states: [OrderState] = [
      .pendingNew, .open, .pendingAmend, .pendingCancel, .inDoubt, .filled, .canceled, .rejected,
    ]
    #expect(states.filter(\.isTerminal) == [.filled, .canceled, .rejected])
  }

  @Test func leavesAreWhatIsNotYetFilled() {
    let order = OrderView(
      clientOrderID: ClientOrderID("a"), instrument: InstrumentID(0), side: .sell,
      price: Price(quanta: 1), quantity: Quantity(quanta: 10), cumulative: Quantity(quanta: 4),
      state: .open, tag: 0)
    #expect(order.leaves == Quantity(quanta: 6) && order.side.opposite == .buy)
  }

  @Test func aBalanceIsWhatIsFreeAndWhatIsHeld() throws {
    let balance = Balance(
      account: AccountID(0), asset: "DUSDT", available: try Amount("1.25"),
      frozen: try Amount("0.75"))
    #expect(balance.total.description == "2")
  }
}
