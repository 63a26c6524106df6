public import MartletBase

extension SnapshotWriter {
  public mutating func write(_ instrument: Instrument) {
    write(instrument.id.index)
    write(instrument.venue.rawValue)
    write(instrument.kind.rawValue)
    write(instrument.symbol)
    write(instrument.base)
    write(instrument.quote)
    write(instrument.scale.price.count)
    write(instrument.scale.quantity.count)
    let rules = instrument.rules
    write(rules.tickSize)
    write(rules.lotStep)
    write(rules.minQuantity)
    write(rules.minNotional)
    write(rules.maxNotional)
    write(rules.makerFee)
    write(rules.takerFee)
    write(rules.isTrading)
  }
}

extension SnapshotReader {
  public mutating func instrument() throws(Fault) -> Instrument {
    let id = InstrumentID(try read())
    guard let venue = VenueID(rawValue: try byte()),
      let kind = Instrument.Kind(rawValue: try byte())
    else { throw .impossible("venue or kind of an instrument", offset: offset - 1) }
    let symbol = try inlineText()
    let base = try inlineText()
    let quote = try inlineText()
    let price = Int(try read(Int8.self))
    let quantity = Int(try read(Int8.self))
    guard (-12...20).contains(price), (-12...20).contains(quantity),
      (-18...20).contains(price + quantity)
    else { throw .impossible("places \(price) and \(quantity)", offset: offset - 2) }
    let rules = InstrumentRules(
      tickSize: try read(), lotStep: try read(), minQuantity: try self.quantity(),
      minNotional: try amount(), maxNotional: try amount(), makerFee: try rate(),
      takerFee: try rate(), isTrading: try bool())
    guard rules.tickSize > 0, rules.lotStep > 0 else {
      throw .impossible("tick \(rules.tickSize) or lot \(rules.lotStep)", offset: offset)
    }
    return Instrument(
      id: id, venue: venue, kind: kind, symbol: symbol, base: base, quote: quote,
      scale: InstrumentScale(price: DecimalPlaces(price), quantity: DecimalPlaces(quantity)),
      rules: rules)
  }
}
