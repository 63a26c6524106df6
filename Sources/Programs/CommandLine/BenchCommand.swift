import Glibc
import MartletBench

/// `bench [NAME] [--minutes N] [--json]`
enum BenchCommand {
  static let command = Command(
    name: "bench", usage: "[NAME] [--minutes N] [--json]", does: purpose,
    options: [
      .init("--minutes", "N", "how long depth-streams runs, up to 60; default ten seconds"),
      .init("--json", nil, "one object a benchmark on standard output"),
    ],
    positional: 0...1, example: "./martlet bench depth-20", run: run)

  private static let purpose =
    "Measures what the product does most often, on real input, with a checksum of the work done.\n"
    + "Times are nanoseconds; p50 and p99 are of single operations, of the median round.\n\n"
    + (BenchSuite.names.map { "  \($0): \(BenchSuite.purpose(of: $0))" }
    + ProcessBenchmarks.names.map { "  \($0): \(ProcessBenchmarks.purpose(of: $0))" })
    .joined(separator: "\n")

  private static func run(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    let wanted = arguments.positional.first
    let names = BenchSuite.names + ProcessBenchmarks.names
    if let wanted, !names.contains(wanted) {
      let hint = Arguments.nearest(to: wanted, among: names).map { "; did you mean \($0)?" } ?? ""
      throw Arguments.Misuse(message: "no benchmark “\(wanted)”\(hint)")
    }
    let minutes = try arguments.integer("--minutes", default: 0, in: 0...60)
    guard let recording = Installation.bundledRecording, let root = Installation.root else {
      Console.fail("bench: the bundled recording is not near \(Installation.program)")
      return .failed
    }
    var template = Array("/tmp/martlet-bench-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else {
      Console.fail("bench: cannot make a folder in /tmp: \(systemReason(errno))")
      return .failed
    }
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { unsafe rmdir(folder) }
    let suite = BenchSuite(
      recording: recording, folder: folder, streamSeconds: minutes > 0 ? minutes * 60 : 10)
    let isJSON = arguments.has("--json")
    if !isJSON { Console.out(BenchResult.header + "\n") }
    var isFit = true
    for name in names where wanted == nil || wanted == name {
      do {
        let result =
          ProcessBenchmarks.names.contains(name)
          ? try ProcessBenchmarks.run(name, suite, folder: folder, root: root)
          : try suite.run(name)
        Console.out((isJSON ? result.json : result.row) + "\n")
        if let violation = result.violation {
          Console.fail("bench: \(violation)")
          isFit = false
        }
      } catch {
        Console.fail("bench: \(name): \(error)")
        isFit = false
      }
    }
    return isFit ? .done : .failed
  }
}
