public import MartletBase

extension SnapshotWriter {
  public mutating func write(_ terms: ContractTerms) {
    section("contract")
    write(terms.instrument)
    write(terms.contractSize)
    write(terms.fundingInterval)
    write(terms.liquidationFee)
    write(UInt32(terms.brackets.count))
    for bracket in terms.brackets {
      write(bracket.upTo)
      write(Int64(bracket.maxLeverage))
      write(bracket.maintenance)
    }
  }

  public mutating func write(_ plan: MarginPlan) {
    write(UInt32(plan.leverage))
    write(plan.mode.rawValue)
    write(plan.isHedged)
  }
}

extension SnapshotReader {
  public mutating func contractTerms() throws(Fault) -> ContractTerms {
    let start = offset
    try section("contract")
    let instrument = try instrument()
    let size = try amount()
    let interval = try timeSpan()
    let fee = try rate()
    var brackets: [MarginBracket] = []
    for _ in 0..<(try count(ofSize: 32)) {
      let upTo = try amount()
      let leverage = try read(Int64.self)
      brackets.append(
        MarginBracket(upTo: upTo, maxLeverage: Int(leverage), maintenance: try rate()))
    }
    do throws(ContractTerms.Fault) {
      return try ContractTerms(
        of: instrument, contractSize: size, fundingInterval: interval, liquidationFee: fee,
        brackets: brackets)
    } catch {
      throw .impossible("terms of a contract: \(error)", offset: start)
    }
  }

  public mutating func marginPlan() throws(Fault) -> MarginPlan {
    let leverage = try read(UInt32.self)
    guard leverage >= 1, let mode = MarginMode(rawValue: try byte()) else {
      throw .impossible("leverage \(leverage), or a margin mode", offset: offset - 1)
    }
    return MarginPlan(leverage: Int(leverage), mode: mode, isHedged: try bool())
  }
}
