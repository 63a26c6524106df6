internal import MartletBase
public import MartletKernel
public import MartletStrategies
public import WhiteBITSession

/// A snapshot record: the plan of a run, whose account it trades on and the whole state of its kernel,
/// so that a fold can begin there and needs no record before it.
public struct StateRecord: Sendable {
  /// Version of the record; a change of meaning changes it.
  static let section: StaticString = "martlet-state-1"

  public let plan: BotPlan
  /// The fingerprint of the key.
  public let key: String
  /// As the kernel wrote it.
  public let state: [UInt8]

  /// The payload of a snapshot record.
  public static func payload(
    _ plan: BotPlan, key: String,
    _ kernel: borrowing Kernel<WhiteBITSession, BuiltInStrategy>
  ) -> [UInt8] {
    var writer = SnapshotWriter()
    writer.section(section)
    writer.write(plan.record().span)
    writer.write(key)
    writer.writeContent { kernel.write(to: &$0) }
    return writer.bytes.copy()
  }

  /// - Throws: `BotPlan.Fault` when `payload` is no snapshot that this build can fold from.
  public init(payload: [UInt8]) throws(BotPlan.Fault) {
    var reader = SnapshotReader(payload)
    do {
      try reader.section(StateRecord.section)
      plan = try BotPlan(record: try reader.content())
      key = try reader.text()
      state = try reader.content()
    } catch {
      throw BotPlan.Fault(description: "a snapshot record: \(error)")
    }
  }
}
