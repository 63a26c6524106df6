import Glibc
import MartletBase
import MartletChaos
import MartletClock
import MartletJournalFile
import MartletRecord
import MartletSimulation

/// Leaves a chaos day on disk for whoever looks into it: the journal as a bot writes one, so that
/// `explain`, `journal` and `replay` read it, and the wire and the diary as text.
enum ChaosKeeping {
  struct Fault: Error, CustomStringConvertible { let description: String }

  static func keep(_ outcome: ChaosOutcome, in folder: String) throws {
    // Both paths are C strings for the length of the calls.
    guard unsafe mkdir(folder, 0o700) == 0 else {
      throw Fault(
        description: "\(folder): expected a folder that is not there yet, whose parent is")
    }
    var writer = try JournalWriter.open(
      folder: folder + "/journal", options: JournalOptions(build: BuildIdentity.text),
      at: SystemClock.realtime())
    for entry in outcome.journal {
      _ = try writer.append(
        kind: RecordKind(entry.kind), lane: entry.lane, time: entry.time,
        payload: entry.payload.span)
    }
    try writer.close()
    try write(outcome.diary.joined(separator: "\n") + "\n", to: folder + "/diary.txt")
    try write(outcome.wire.map(line).joined(separator: "\n") + "\n", to: folder + "/wire.txt")
  }

  private static func line(_ entry: TraceEntry) -> String {
    let start = WhiteBITScenario.start
    return "\((entry.time - start).milliseconds) ms, process \(entry.life): \(words(entry.event))"
  }

  private static func words(_ event: TraceEntry.Event) -> String {
    func text(_ bytes: [UInt8]) -> String {
      String(decoding: bytes.prefix(4_096).map { $0 == 10 ? 32 : $0 }, as: UTF8.self)
    }
    return switch event {
    case .started: "begins"
    case .killed: "ends"
    case .slept(let span): "does nothing for \(span.milliseconds) ms"
    case .requested(let number, let party, let target, let body):
      "request \(number) leaves (\(party)) \(target) \(text(body))"
    case .arrived(let number): "request \(number) arrives"
    case .answered(let number, let status, let body):
      "request \(number) is answered \(status) \(text(body))"
    case .replied(let number, let status, let body):
      "reply \(number) comes \(status) \(text(body))"
    case .failed(let number, let failure): "request \(number) fails: \(failure)"
    case .opened(let link): "stream \(link) opens"
    case .closed(let link): "stream \(link) closes"
    case .sent(let link, let frame): "stream \(link) > \(text(frame))"
    case .told(let link, let frame): "stream \(link) < \(text(frame))"
    }
  }

  private static func write(_ text: String, to path: String) throws {
    // The mode is a C string for the length of the call; the stream is closed below.
    guard let file = unsafe fopen(path, "w") else {
      throw Fault(description: "\(path): cannot be written, errno \(errno)")
    }
    defer { unsafe fclose(file) }
    let bytes = Array(text.utf8)
    guard unsafe fwrite(bytes, 1, bytes.count, file) == bytes.count else {
      throw Fault(description: "\(path): cannot be written, errno \(errno)")
    }
  }
}
