import Glibc
import MartletBase
import MartletBench
import MartletClock
import MartletJSON
import MartletJournalFile
import MartletKernel
import MartletRecord

/// The benchmarks that need other processes: the guide's pipeline in Python, the demo itself, and a bot
/// whose exchange is here.
enum ProcessBenchmarks {
  static let names = [
    "guide-python", "demo-first-order", "live-memory", "wire-order", "wire-return", "journal-seek",
    "parquet-rows",
  ]

  static func purpose(of name: String) -> String {
    switch name {
    case "guide-python":
      "the guide's own way from the same fill frames to a signed order, in Python"
    case "demo-first-order": "a second demo, from its start to its first order"
    case "live-memory": "the peak memory of a bot over a demo of ten seconds"
    case "wire-order": "a fill leaves the exchange, to the bot's order there, beside a bare echo"
    case "wire-return": "every connection cut, to the whole book asked for anew"
    case "journal-seek": "the state at a record of ten million, from the start of the process on"
    case "parquet-rows": "a row of a book out of a Parquet file, beside pyarrow"
    default: ""
    }
  }

  struct Fault: Error, CustomStringConvertible { let description: String }

  static func run(
    _ name: String, _ suite: BenchSuite, folder: String, root: String
  ) throws -> BenchResult {
    switch name {
    case "guide-python": try guidePython(suite, folder: folder, root: root)
    case "demo-first-order": try demoFirstOrder()
    case "live-memory": try liveMemory(root: root)
    case "wire-order": try wireOrder(suite, folder: folder)
    case "wire-return": try wireReturn(suite, folder: folder)
    case "journal-seek": try journalSeek(suite, folder: folder)
    case "parquet-rows": try parquetRows(folder: folder, root: root)
    default: throw Fault(description: "no benchmark \(name)")
    }
  }

  private static func guidePython(
    _ suite: BenchSuite, folder: String, root: String
  ) throws -> BenchResult {
    guard isOnPath("python3") else {
      return .skipped("guide-python", because: "python3 is not on PATH")
    }
    // The same frames in the same run, or the ratio would say nothing.
    if suite.fillFrames.isEmpty { _ = try suite.run("fill-to-signed") }
    let path = folder + "/frames.jsonl"
    guard
      Installation.write(
        suite.fillFrames.joined(separator: "\n") + "\n", to: path, mode: 0o600)
    else { throw Fault(description: "cannot write \(path)") }
    defer { unsafe unlink(path) }
    let python = try ChildProcess(
      "/usr/bin/env", ["python3", root + "/Benchmarks/guide_pipeline.py", path], output: .piped)
    let line = python.line(within: 120_000) ?? ""
    guard python.reap(blocking: true) == .exited(0) else {
      throw Fault(description: "python3 could not run Benchmarks/guide_pipeline.py")
    }
    let bytes = Array(line.utf8)
    let told = try JSONValue(bytes.span)
    func number(_ key: String) -> Double? { told[key]?.text.flatMap { Double($0) } }
    var result = BenchResult(
      name: "guide-python", ops: Int(number("ops") ?? 0), nanosecondsPerOp: number("ns_per_op"),
      p50: number("p50"), p99: number("p99"), checksum: UInt64(number("checksum") ?? 0))
    if let p50 = result.p50, let ours = suite.fillToSignedP50, ours > 0 {
      let tenths = Int64((p50 / ours * 10).rounded())
      result.note = "p50 \(tenths / 10).\(tenths % 10) x that of fill-to-signed on the same frames"
    }
    return result
  }

  private static func isOnPath(_ program: String) -> Bool {
    guard let value = unsafe getenv("PATH") else { return false }
    // A C string of the environment, which nothing here changes.
    let path = unsafe String(cString: value)
    return path.split(separator: ":").contains { directory in
      // A path is a C string for the length of the call.
      unsafe access("\(directory)/\(program)", X_OK) == 0
    }
  }

  /// `replay --until` as a person types it, at records drawn from a seed.
  private static func journalSeek(_ suite: BenchSuite, folder: String) throws -> BenchResult {
    let records: UInt64 = 10_000_000
    let path = folder + "/long"
    defer { suite.removeJournal(at: path) }
    let began = SystemClock.monotonic()
    try suite.makeJournal(records: records, at: path)
    let making = SystemClock.monotonic() - began
    var random = SeededRandom(seed: 10)
    var spans: [Double] = []
    var work = Checksum()
    for _ in 0..<50 {
      let sequence = 1 + random.below(records)
      let start = SystemClock.monotonic()
      let process = try ChildProcess(
        Installation.program, ["replay", path, "--until", "\(sequence)", "--json"], output: .piped,
        dropsErrors: true)
      let line = process.line(within: 60_000) ?? ""
      let ending = process.reap(blocking: true)
      spans.append(Double((SystemClock.monotonic() - start).nanoseconds))
      let bytes = Array(line.utf8)
      let told = try JSONValue(bytes.span)
      guard ending == .exited(0), told["last"]?.text == "\(sequence)",
        told["identical"] == .bool(true), let digest = told["digest"]?.text
      else { throw Fault(description: "no state at record \(sequence): \(line.prefix(200))") }
      for byte in digest.utf8 { work.fold(UInt64(byte)) }
    }
    spans.sort()
    var result = BenchResult(
      name: "journal-seek", ops: spans.count,
      nanosecondsPerOp: spans.reduce(0, +) / Double(spans.count), p50: spans[spans.count / 2],
      p99: spans[spans.count * 99 / 100], checksum: work.value)
    let worst = spans[spans.count - 1]
    result.note =
      "\(records) records, made in \(making.milliseconds / 1_000) s; the slowest of \(spans.count)"
      + " \(Int64(worst / 1e6)) ms; goal each at most 200 ms: \(worst <= 2e8 ? "met" : "missed here")"
    return result
  }

  private static func demoFirstOrder() throws -> BenchResult {
    // The first one brings programs, libraries and the recording into memory, however it ends.
    let first = try demo(seconds: 2)
    _ = first.line(within: 60_000)
    first.reap(blocking: true)
    let began = SystemClock.realtime()
    // Longer than the goal, so that one that misses it is still measured.
    let told = try summary(of: try demo(seconds: 6))
    guard let journal = told["journal"]?.text else {
      throw Fault(description: "the demo named no journal")
    }
    var reader = try JournalReader.open(folder: journal)
    var placedAt: Timestamp?
    var order = Checksum()
    while placedAt == nil, let header = try reader.next() {
      guard header.kind.rawValue == JournalKind.effect,
        EffectCoding.describe(reader.payload).contains("/api/v4/order/")
      else { continue }
      placedAt = header.time
      order.fold(header.sequence)
    }
    guard let placedAt else { throw Fault(description: "the demo placed no order") }
    let span = Double((placedAt - began).nanoseconds)
    return BenchResult(
      name: "demo-first-order", ops: 1, nanosecondsPerOp: span, checksum: order.value,
      note: "goal at most 5 s: \(span <= 5e9 ? "met" : "missed here")")
  }

  private static func liveMemory(root: String) throws -> BenchResult {
    let demo = try demo(seconds: 10)
    let peak = peakMemory(of: demo, lock: root + "/.martlet/demo/latest/journal/lock")
    let told = try summary(of: demo)
    guard peak > 0 else { throw Fault(description: "the demo's bot was not found") }
    var work = Checksum()
    work.fold(told["reconciled"] == .bool(true) ? 1 : 0)
    var result = BenchResult(
      name: "live-memory", ops: 1, checksum: work.value,
      note: "\((peak + 1023) / 1024) MB; goal under 100 MB:"
        + " \(peak < 100 * 1024 ? "met" : "missed here")")
    result.peakKilobytes = peak
    return result
  }

  /// A demo without its page.
  private static func demo(seconds: Int) throws -> ChildProcess {
    try ChildProcess(
      Installation.program, ["demo", "--for", "\(seconds)s", "--port", "0", "--json"],
      output: .piped)
  }

  /// Waits for a demo's end, and reads what it says of itself.
  private static func summary(of demo: ChildProcess) throws -> JSONValue {
    let line = demo.line(within: 60_000) ?? ""
    guard demo.reap(blocking: true) == .exited(0) else {
      throw Fault(description: "the demo did not end well: \(line)")
    }
    let bytes = Array(line.utf8)
    return try JSONValue(bytes.span)
  }

  /// The peak resident memory of the bot, in kB, looked at until its demo prints its last line.
  private static func peakMemory(of demo: ChildProcess, lock: String) -> Int {
    var peak = 0
    while demo.isSilent(for: 100) {
      guard let process = read(lock).flatMap({ Int($0.filter(\.isNumber)) }),
        let status = read("/proc/\(process)/status")
      else { continue }
      for line in status.split(separator: "\n") where line.hasPrefix("VmHWM:") {
        peak = max(peak, Int(line.filter(\.isNumber)) ?? 0)
      }
    }
    return peak
  }

  private static func read(_ path: String) -> String? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 8192)
    let count = unsafe Glibc.read(descriptor, &bytes, bytes.count)
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }
}

extension ChildProcess {
  /// Waits this long for output.
  ///
  /// - Returns: whether nothing came, and the output is not closed.
  func isSilent(for milliseconds: Int32) -> Bool {
    var wait = pollfd(fd: outputDescriptor, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&wait, 1, milliseconds) == 0
  }
}
