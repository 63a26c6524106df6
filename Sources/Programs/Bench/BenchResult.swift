/// What one benchmark measured.
public struct BenchResult: Sendable {
  public let name: String
  /// Units of work that were timed.
  public var ops: Int
  /// Nanoseconds: the mean of an operation, and what half and 99 of 100 do not exceed. nil where
  /// something else than time is measured.
  public var nanosecondsPerOp: Double?
  public var p50: Double?
  public var p99: Double?
  /// Heap allocations of an operation; nil where they happen in another process, or cannot be
  /// counted in this build.
  public var allocations: Double?
  /// Peak resident memory of the process measured, in kB; nil where something else is.
  public var peakKilobytes: Int?
  /// Folded from what the operations produced: equal work gives an equal number. Zero only when
  /// there was none, because the benchmark was skipped.
  public var checksum: UInt64
  /// What a reader should know beside it: size, ratio, goal.
  public var note = ""
  /// What must not be, whatever machine this is: an allocation where there may be none.
  public var violation: String?

  public init(
    name: String, ops: Int, nanosecondsPerOp: Double? = nil, p50: Double? = nil,
    p99: Double? = nil, allocations: Double? = nil, checksum: UInt64, note: String = ""
  ) {
    self.name = name
    self.ops = ops
    self.nanosecondsPerOp = nanosecondsPerOp
    self.p50 = p50
    self.p99 = p99
    self.allocations = allocations
    self.checksum = checksum == 0 ? 1 : checksum
    self.note = note
  }

  /// Of a benchmark that this machine lacks something for: nothing was measured, nothing is wrong.
  public static func skipped(_ name: String, because reason: String) -> BenchResult {
    var result = BenchResult(name: name, ops: 0, checksum: 0, note: "skipped: \(reason)")
    result.checksum = 0
    return result
  }

  /// Adds to the note.
  mutating func remark(_ text: String) { note += note.isEmpty ? text : "; " + text }

  /// Allocations are none of this benchmark's: the first one is a fault.
  mutating func forbidAllocations() {
    if let allocations, allocations > 0 {
      violation = "\(name): \(BenchResult.number(allocations)) allocations an operation, expected 0"
    }
  }

  // MARK: As text

  public static let header = BenchResult.row(
    "name", "ops", "ns_per_op", "p50", "p99", "allocations", "checksum", "")

  /// One line of a table.
  public var row: String {
    func text(_ value: Double?) -> String { value.map(BenchResult.number) ?? "-" }
    return BenchResult.row(
      name, "\(ops)", text(nanosecondsPerOp), text(p50), text(p99), text(allocations),
      String(checksum, radix: 16), note)
  }

  private static func row(
    _ name: String, _ ops: String, _ mean: String, _ p50: String, _ p99: String,
    _ allocations: String, _ checksum: String, _ note: String
  ) -> String {
    func right(_ text: String, _ width: Int) -> String {
      String(repeating: " ", count: max(1, width - text.count)) + text
    }
    let start = name + String(repeating: " ", count: max(0, 20 - name.count))
    return start + right(ops, 8) + right(mean, 13) + right(p50, 13) + right(p99, 13)
      + right(allocations, 13) + right(checksum, 18) + (note.isEmpty ? "" : "  " + note)
  }

  /// One object; a value that is not measured is null. The keys are frozen: none goes, one may come.
  public var json: String {
    func text(_ value: Double?) -> String { value.map(BenchResult.number) ?? "null" }
    // Names and notes are this house's own words, without a quote or a backslash.
    return
      "{\"name\":\"\(name)\",\"ops\":\(ops),\"ns_per_op\":\(text(nanosecondsPerOp)),"
      + "\"p50\":\(text(p50)),\"p99\":\(text(p99)),\"allocations\":\(text(allocations)),"
      + "\"peak_kb\":\(peakKilobytes.map { "\($0)" } ?? "null"),"
      + "\"checksum\":\"\(String(checksum, radix: 16))\",\"note\":\"\(note)\"}"
  }

  /// At most two decimals; what is above zero never shows as zero.
  static func number(_ value: Double) -> String {
    if value > 0 && value < 0.01 { return "0.01" }
    let hundredths = Int64((value * 100).rounded())
    if hundredths % 100 == 0 { return "\(hundredths / 100)" }
    let rest = hundredths % 100
    return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest % 10 == 0 ? rest / 10 : rest)"
  }
}
