internal import MartletBase
internal import MartletKernel
internal import MartletStrategies
internal import WhiteBITSession

/// A snapshot record: the plan of a run and the whole state of its kernel, so that a fold can begin
/// there and needs no record before it.
public struct StateRecord: Sendable {
  /// Version of the record; a change of meaning changes it.
  static let section: StaticString = "martlet-state-1"

  public let plan: BotPlan
  /// As the kernel wrote it.
  public let state: [UInt8]

  /// The payload of a snapshot record.
  static func payload(_ plan: BotPlan, _ state: [UInt8]) -> [UInt8] {
    var writer = SnapshotWriter()
    writer.section(section)
    writer.write(plan.record().span)
    writer.write(state.span)
    return writer.bytes.copy()
  }

  static func payload(
    _ plan: BotPlan, of kernel: borrowing Kernel<WhiteBITSession, BuiltInStrategy>
  ) -> [UInt8] {
    var writer = SnapshotWriter()
    kernel.write(to: &writer)
    return payload(plan, writer.bytes.copy())
  }

  /// - Throws: `BotPlan.Fault` when `payload` is no snapshot that this build can fold from.
  public init(payload: [UInt8]) throws(BotPlan.Fault) {
    var reader = SnapshotReader(payload)
    do {
      try reader.section(StateRecord.section)
      plan = try BotPlan(record: try reader.content())
      state = try reader.content()
    } catch {
      throw BotPlan.Fault(description: "a snapshot record: \(error)")
    }
  }
}
