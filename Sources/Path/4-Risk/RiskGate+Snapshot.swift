public import MartletBase
internal import MartletModel

extension RiskGate: Snapshotting {
  public borrowing func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("risk")
    snapshot.write(halt?.reason.rawValue ?? 0)
    snapshot.write(halt?.at ?? .zero)
    snapshot.write(rearmedBy)
    snapshot.write(rearmedAt)
    snapshot.write(verdicts)
    snapshot.write(approvals)
    for index in 0..<16 { snapshot.write(refusals[index]) }
    rate.write(to: &snapshot)
  }

  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("risk")
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
    try rate.read(from: &snapshot)
  }
}
