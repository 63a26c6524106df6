import Glibc
import MartletBase
import MartletJSON
import MartletModel
import Testing

@testable import MartletAlerts
@testable import MartletTransport

@Suite struct AlertTests {
  static func moment(_ seconds: Int64) -> Timestamp {
    Timestamp(nanoseconds: 1_764_000_000_000_000_000) + .seconds(seconds)
  }

  // MARK: What is told

  @Test func theSameIsToldOnceThenSeldomWithItsCountThenCleared() {
    var table = AlertTable(repeat: .seconds(900))
    let first = table.raise(.bookSilent, "DBTC_DUSDT", "no data", at: Self.moment(0))
    #expect(first?.event == .raised && first?.severity == .critical)
    for second in 1..<900 {
      #expect(
        table.raise(.bookSilent, "DBTC_DUSDT", "no data", at: Self.moment(Int64(second))) == nil)
      #expect(table.due(at: Self.moment(Int64(second))).isEmpty)
    }
    let again = table.raise(.bookSilent, "DBTC_DUSDT", "still none", at: Self.moment(900))
    #expect(again?.event == .repeated && again?.count == 901 && again?.what == "still none")
    #expect(table.isActive(.bookSilent, "DBTC_DUSDT"))
    let end = table.clear(.bookSilent, "DBTC_DUSDT", "it is told again", at: Self.moment(901))
    #expect(end?.event == .cleared && end?.severity == .info && end?.count == 901)
    #expect(table.clear(.bookSilent, "DBTC_DUSDT", "again", at: Self.moment(902)) == nil)
    #expect(table.raise(.bookSilent, "DBTC_DUSDT", "anew", at: Self.moment(903))?.event == .raised)
  }

  @Test func otherSubjectsAndCodesAreToldOnTheirOwn() {
    var table = AlertTable(repeat: .seconds(900))
    #expect(table.raise(.bookSilent, "A", "", at: Self.moment(0)) != nil)
    #expect(table.raise(.bookSilent, "B", "", at: Self.moment(0)) != nil)
    #expect(table.raise(.tradesSilent, "A", "", at: Self.moment(0)) != nil)
    #expect(table.active(.bookSilent) == ["A", "B"])
    #expect(table.clear(.bookSilent, "A", "", at: Self.moment(1)) != nil)
    #expect(table.active(.bookSilent) == ["B"])
  }

  @Test func whatGoesOnIsToldAgainAndWhatHappenedOnceIsNot() {
    var table = AlertTable(repeat: .seconds(60))
    _ = table.raise(.halted, "trading", "an operator said so", at: Self.moment(0))
    _ = table.raise(.quota, "place", "limited", at: Self.moment(0))
    _ = table.raise(.nonceRefused, "key", "refused", at: Self.moment(0))
    _ = table.raise(.nonceRefused, "key", "refused", at: Self.moment(1))
    let told = table.due(at: Self.moment(60))
    #expect(told.map(\.code) == [.halted, .nonceRefused])
    #expect(told.map(\.count) == [1, 2])
    // The quota's is forgotten: a next one begins anew.
    #expect(table.raise(.quota, "place", "limited", at: Self.moment(61))?.event == .raised)
    #expect(table.due(at: Self.moment(120)).map(\.code) == [.halted])
  }

  @Test func theTableIsBoundedAndWhatIsTooManyIsToldTogether() {
    var table = AlertTable(repeat: .seconds(900))
    for order in 0..<10_000 {
      _ = table.raise(.orderInDoubt, "order \(order)", "in doubt", at: Self.moment(0))
      _ = table.raise(.bookSilent, "market \(order)", "silent", at: Self.moment(0))
    }
    #expect(table.count <= AlertTable.capacity + AlertCode.allCases.count)
    #expect(table.isActive(.orderInDoubt, AlertTable.others))
    var events = AlertTable(repeat: .seconds(900))
    for order in 0..<10_000 {
      let told = events.raise(.orderNeverArrived, "order \(order)", "", at: Self.moment(0))
      #expect(told?.event == .raised)
    }
    #expect(events.count == AlertTable.capacity)
  }

  @Test("M122: every code says what it means, what was done and what to do, on one line")
  func everyCodeIsWhole() {
    for code in AlertCode.allCases {
      #expect(!code.text.means.isEmpty && !code.text.done.isEmpty && !code.text.todo.isEmpty)
      #expect(
        code.rawValue.allSatisfy { $0.isLowercase && $0.isASCII || $0 == "-" }, "\(code.rawValue)")
      let alert = Alert(
        time: Self.moment(0), event: .raised, code: code, subject: "a\u{1B}[31m", what: "b\nc",
        count: 1)
      let line = alert.line(bot: "bot")
      #expect(line.filter { $0 == "\n" }.count == 1 && line.hasSuffix("\n"))
      #expect(!line.contains("\u{1B}") && line.contains(code.text.done))
    }
  }

  /// Docs/Operating.md is held to the code's table, and the reverse.
  @Test func thePageHasEveryCodeWordForWordAndNoOther() throws {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4)
    let bytes = try #require(readFile(root.joined(separator: "/") + "/Docs/Operating.md"))
    let lines = String(decoding: bytes, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false)
    let start = try #require(lines.firstIndex { $0 == "## Alerts" })
    let section = lines[(start + 1)...].prefix { !$0.hasPrefix("## ") }
    let rows = section.filter { $0.hasPrefix("| `") }
    let known = AlertCode.allCases.map { code in
      "| `\(code.rawValue)` | \(code.severity.rawValue) | \(code.text.means) | \(code.text.done) |"
        + " \(code.text.todo) |"
    }
    for row in known { #expect(rows.contains { $0 == row }, "the page lacks or mistakes \(row)") }
    for row in rows { #expect(known.contains { $0 == row }, "no code of this build: \(row)") }
  }

  /// The page's table of halts is held to the reasons that there are, and the reverse.
  @Test func thePageHasEveryHaltWordForWordAndNoOther() throws {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4)
    let bytes = try #require(readFile(root.joined(separator: "/") + "/Docs/Operating.md"))
    let lines = String(decoding: bytes, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false)
    let start = try #require(lines.firstIndex { $0 == "## When it halts" })
    let section = lines[(start + 1)...].prefix { !$0.hasPrefix("## ") }
    let rows = section.filter { $0.hasPrefix("| ") }.dropFirst()
    let known = HaltReason.all.map { "| \($0.means) | \($0.text.done) | \($0.text.todo) |" }
    #expect(rows.map(String.init) == known)
    for raw in UInt8(0)...50 {
      #expect((HaltReason(rawValue: raw) != nil) == HaltReason.all.contains { $0.rawValue == raw })
    }
  }

  @Test func aMomentIsWrittenAsTheCalendarHasIt() {
    #expect(Timestamp(nanoseconds: 0).calendarText == "1970-01-01T00:00:00.000Z")
    #expect(
      Timestamp(nanoseconds: 1_709_164_799_999_000_000).calendarText == "2024-02-28T23:59:59.999Z")
    #expect(
      Timestamp(nanoseconds: 1_709_251_199_000_000_000).calendarText == "2024-02-29T23:59:59.000Z")
    #expect(Timestamp(nanoseconds: -1_000_000).calendarText == "1969-12-31T23:59:59.999Z")
  }

  // MARK: Where it is told

  static func alert(_ number: UInt64) -> Alert {
    Alert(
      time: moment(Int64(number)), event: .raised, code: .halted, subject: "trading",
      what: "for a test, \"\(number)\"", count: 1)
  }

  @Test func theFileHasAnObjectALineAndIsForItsOwnerAlone() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/made/alerts.jsonl"
    var sink = AlertFileSink(path: path, bot: "bot")
    for number in 0..<3 { try sink.deliver(Self.alert(UInt64(number))) }
    let lines = String(decoding: try #require(readFile(path)), as: UTF8.self)
      .split(separator: "\n")
    #expect(lines.count == 3)
    for (number, line) in lines.enumerated() {
      let json = try JSONValue(Array(line.utf8).span)
      #expect(json["code"]?.text == "halted" && json["bot"]?.text == "bot")
      #expect(json["what"]?.text == "for a test, \"\(number)\"")
      #expect(json["severity"]?.text == "critical" && json["event"]?.text == "raised")
      #expect(json["time"]?.text?.hasSuffix("Z") == true && json["time_ms"] != nil)
      #expect(json["done"]?.text == AlertCode.halted.text.done && json["do"] != nil)
    }
    var facts = stat()
    #expect(stat(path, &facts) == 0 && facts.st_mode & 0o777 == 0o600)
  }

  @Test func theFileIsBoundedByMovingOn() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/alerts.jsonl"
    var sink = AlertFileSink(path: path, bot: "bot", limit: 2_000)
    for number in 0..<100 { try sink.deliver(Self.alert(UInt64(number))) }
    let now = try #require(readFile(path))
    let before = try #require(readFile(path + ".1"))
    #expect(now.count <= 2_000 && before.count <= 2_000 && before.count > 1_000)
    #expect(String(decoding: now, as: UTF8.self).contains("\\\"99\\\""))
    #expect(before.last == 10)
  }

  /// Turns until `condition` holds; the limit only keeps a broken test from hanging.
  static func turn(_ loop: EventLoop, until condition: () -> Bool) {
    let limit = loop.clock() + .seconds(30)
    while !condition(), loop.clock() < limit { loop.turn(waitingAtMost: .milliseconds(50)) }
    #expect(condition())
  }

  /// Fails while it is told to, and notes what it was given.
  final class Notebook: @unchecked Sendable {
    var told: [Alert] = []
    var isFailing = false
  }

  struct TestSink: AlertSink {
    let name: String
    let notebook: Notebook
    mutating func deliver(_ alert: Alert) throws(AlertSinkFault) {
      if notebook.isFailing { throw AlertSinkFault("\(name) is full") }
      notebook.told.append(alert)
    }
  }

  @Test func aSinkThatFailsIsToldByTheOtherAndHoldsNothingUp() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/alerts.jsonl"
    let loop = try EventLoop()
    var news: [AlertDelivery.News] = []
    // A folder stands where the first file should be.
    #expect(mkdir(folder.path + "/taken", 0o700) == 0)
    let delivery = try AlertDelivery(
      loop,
      sinks: [
        AlertFileSink(path: folder.path + "/taken", bot: "bot"),
        AlertFileSink(path: path, bot: "bot"),
      ], heard: { news.append($0) })
    delivery.deliver(Self.alert(1))
    delivery.deliver(Self.alert(2))
    Self.turn(loop) { !news.isEmpty }
    #expect(news.first?.sink == folder.path + "/taken" && news.first?.problem != nil)
    #expect(rmdir(folder.path + "/taken") == 0)
    delivery.deliver(Self.alert(3))
    Self.turn(loop) { news.count > 1 }
    // Told once that it failed and once that it works, however many were lost between.
    #expect(news.count == 2 && news.last?.problem == nil)
    delivery.finish()
    let text = String(decoding: try #require(readFile(path)), as: UTF8.self)
    #expect(text.split(separator: "\n").count == 3)
  }

  @Test func aSinkThatHangsLosesAlertsAndSaysSoOnce() throws {
    let loop = try EventLoop()
    var news: [AlertDelivery.News] = []
    let gate = Gate()
    let notebook = Notebook()
    let delivery = try AlertDelivery(
      loop, sinks: [HangingSink(gate: gate), TestSink(name: "other", notebook: notebook)],
      heard: { news.append($0) })
    var delivered = 0
    while news.isEmpty, delivered < 2_000 {
      delivery.deliver(Self.alert(UInt64(delivered)))
      delivered += 1
      // The other one keeps up.
      loop.turn(waitingAtMost: .milliseconds(1))
    }
    #expect(news.map(\.sink) == ["hanging"])
    delivery.deliver(Self.alert(0))
    #expect(news.count == 1)
    gate.open()
    delivery.finish()
    #expect(notebook.told.count == delivered + 1)
  }

  /// Holds a sink up until it is opened.
  final class Gate: @unchecked Sendable {
    private var ends: [Int32] = [0, 0]
    init() { pipe(&ends) }
    func wait() {
      var byte: UInt8 = 0
      _ = read(ends[0], &byte, 1)
    }
    func open() { close(ends[1]) }
  }

  struct HangingSink: AlertSink {
    let name = "hanging"
    let gate: Gate
    mutating func deliver(_ alert: Alert) throws(AlertSinkFault) { gate.wait() }
  }
}
