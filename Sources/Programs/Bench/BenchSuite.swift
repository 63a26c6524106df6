internal import MartletBase
internal import MartletHistory
internal import MartletJournalFile

/// The benchmarks that run within this process, by name, on the bundled recording.
///
/// What they are given is made once, when the first of them needs it, and is not timed.
public final class BenchSuite {
  /// How much is run: enough for figures, or each once so that none rots.
  public enum Effort: Sendable { case full, small }

  /// Why a benchmark could not run, for a person.
  public struct Fault: Error, CustomStringConvertible, Sendable {
    public let description: String
    init(_ description: String) { self.description = description }
  }

  /// In the order in which they are run.
  public static let names = [
    "fill-to-signed", "fill-to-signed-long", "quiet-step", "depth-20", "book-row", "json-scan",
    "client-order-id", "risk-review", "order-queue", "sign", "journal-append-660",
    "journal-append-synced", "journal-sync-behind", "journal-sync-close", "journal-sync-each",
    "snapshot",
    "snapshot-record", "replay", "replay-file",
    "depth-streams",
  ]

  /// What each does, for help.
  public static func purpose(of name: String) -> String {
    switch name {
    case "fill-to-signed": "a fill frame in memory to the signed bytes of its replacement"
    case "fill-to-signed-long": "the same in one life of 60,000 fills"
    case "quiet-step": "a depth frame in memory to a kernel that finds nothing to do"
    case "depth-20": "a frame of 20 + 20 levels decoded and applied to a book"
    case "book-row": "one level applied to a book"
    case "json-scan": "every value of such a frame read past"
    case "client-order-id": "the name of one order made"
    case "risk-review": "one order judged and approved"
    case "order-queue": "one order of a burst of 1,000 through the queue for the quota"
    case "sign": "one order's body encoded and signed"
    case "journal-append-660": "a record of 660 bytes made safe from kill -9"
    case "journal-append-synced": "the same while a thread brings it to disk"
    case "snapshot-record": "the step that journals the state of a bot whose memories are full"
    case "replay-file": "one record of a journal in files proven, folded and compared"
    case "journal-sync-behind": "the same, with a thread that brings it to disk every 100 ms"
    case "journal-sync-close": "the same, brought to disk when a file is full and at the end"
    case "journal-sync-each": "the same, on disk before it is done"
    case "depth-streams": "100 markets told ten times a second each, over TLS, to one core"
    case "snapshot": "a trading bot's whole state written"
    case "replay": "one journal record folded and compared"
    default: ""
    }
  }

  let effort: Effort
  /// How long `depth-streams` is told of its markets.
  let streamSeconds: Int
  /// Path of the bundled recording.
  private let recordingPath: String
  /// A folder for journals, ours alone; what is made there is removed.
  let folder: String
  private var market: MarketFrames?
  private var day: RecordedDay?
  /// The fill frames of the last `fill-to-signed`, for programs to compare with.
  public internal(set) var fillFrames: [String] = []
  /// p50 of the last `fill-to-signed`, in nanoseconds.
  public internal(set) var fillToSignedP50: Double?

  public init(
    recording path: String, folder: String, effort: Effort = .full, streamSeconds: Int = 10
  ) {
    recordingPath = path
    self.streamSeconds = streamSeconds
    self.folder = folder
    self.effort = effort
  }

  public func run(_ name: String) throws -> BenchResult {
    switch name {
    case "fill-to-signed": try fillToSigned()
    case "fill-to-signed-long": try fillToSignedLong()
    case "quiet-step": try quietStep()
    case "depth-20": try depth20()
    case "book-row": try bookRow()
    case "json-scan": try jsonScan()
    case "client-order-id": clientOrderID()
    case "risk-review": try riskReview()
    case "order-queue": try orderQueue()
    case "sign": sign()
    case "journal-append-660": try journalAppend()
    case "journal-append-synced": try journalAppendSynced()
    case "snapshot-record": try snapshotRecord()
    case "replay-file": try replayFile()
    case "journal-sync-behind": try journalSync(name, .behind(every: .milliseconds(100)))
    case "journal-sync-close": try journalSync(name, .atClose)
    case "journal-sync-each": try journalSync(name, .eachRecord)
    case "depth-streams": try depthStreams()
    case "snapshot": try snapshot()
    case "replay": try replay()
    default: throw Fault("no benchmark \(name)")
    }
  }

  /// `full` rounds or operations, or as many as show that it works.
  func amount(_ full: Int, small: Int) -> Int { effort == .full ? full : small }

  func frames() throws -> MarketFrames {
    if let market { return market }
    let made = try MarketFrames(try recording(), count: amount(512, small: 8))
    market = made
    return made
  }

  func recordedDay() throws -> RecordedDay {
    if let day { return day }
    let made = try RecordedDay(
      try recording(), trading: .seconds(effort == .full ? 60 : 4))
    day = made
    return made
  }

  private func recording() throws -> Recording {
    do throws(RecordingFault) { return try Recording(path: recordingPath) } catch {
      throw Fault("\(recordingPath): \(error)")
    }
  }
}
