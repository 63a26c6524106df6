public import MartletBase
internal import MartletModel

extension RiskGate: Snapshotting {
  public borrowing func write(to snapshot: inout SnapshotWriter) {
    // Where no rule of contracts ever spoke it is written as before there were any.
    var contracts: UInt64 = 0
    for index in 16..<20 { contracts += refusals[index] }
    snapshot.section(contracts == 0 ? "risk" : "risk-2")
    snapshot.write(halt?.reason.rawValue ?? 0)
    snapshot.write(halt?.at ?? .zero)
    snapshot.write(rearmedBy)
    snapshot.write(rearmedAt)
    snapshot.write(verdicts)
    snapshot.write(approvals)
    for index in 0..<16 { snapshot.write(refusals[index]) }
    if contracts > 0 { for index in 16..<20 { snapshot.write(refusals[index]) } }
    rate.write(to: &snapshot)
  }

  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    let hasContracts = snapshot.takeSection("risk-2")
    if !hasContracts { try snapshot.section("risk") }
    let start = snapshot.offset
    let raw = try snapshot.byte()
    let at = try snapshot.timestamp()
    if raw == 0 {
      halt = nil
    } else if let reason = HaltReason(rawValue: raw) {
      halt = Halt(reason: reason, at: at)
    } else {
      throw .impossible("halt reason \(raw)", offset: start)
    }
    rearmedBy = try snapshot.inlineText()
    rearmedAt = try snapshot.timestamp()
    verdicts = try snapshot.read()
    approvals = try snapshot.read()
    for index in 0..<16 { refusals[index] = try snapshot.read() }
    for index in 16..<20 { refusals[index] = hasContracts ? try snapshot.read() : 0 }
    try rate.read(from: &snapshot)
  }
}
