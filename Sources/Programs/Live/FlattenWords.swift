internal import MartletBase
internal import MartletKernel
internal import MartletModel

/// What an operator is told of a flatten that ended: what is left of the inventory, and why.
enum FlattenWords {
  /// What fills have added to a market's base asset, or taken from it, and was not traded back.
  struct Rest: Equatable {
    let instrument: Instrument
    let held: Amount
  }

  /// - Parameters:
  ///   - isWhole: whether all that the venue takes as an order was traded back.
  ///   - hindrance: what kept it from that; not used when it is whole.
  static func ended(isWhole: Bool, rests: [Rest], hindrance: String) -> String {
    let rests = rests.filter { $0.held != .zero }
    if isWhole && rests.isEmpty {
      return "flat and paused: no order of ours rests, and the inventory is as at the start"
    }
    if isWhole {
      return
        "flat and paused: no order of ours rests; what stays is less than the market's least order: "
        + rests.map { "\(words($0)), at least \(least($0.instrument))" }.joined(separator: "; ")
    }
    let left = rests.isEmpty ? "orders of ours" : rests.map(words).joined(separator: "; ")
    return
      "not flat: given up after \(Flattening.patience.milliseconds / 1_000) s, as \(hindrance); left: \(left); paused"
  }

  private static func words(_ rest: Rest) -> String {
    let size = rest.held < .zero ? Amount.zero - rest.held : rest.held
    return
      "\(size) \(rest.instrument.base) \(rest.held < .zero ? "less" : "more") than at the start"
  }

  /// Of one order, by the rules as they are now.
  private static func least(_ instrument: Instrument) -> String {
    let (scale, rules) = (instrument.scale, instrument.rules)
    let quantity = Quantity(quanta: max(rules.minQuantity.quanta, rules.lotStep))
    var text = "\(scale.text(quantity)) \(instrument.base)"
    if rules.minNotional != .zero { text += " and \(rules.minNotional) \(instrument.quote)" }
    return text
  }
}
