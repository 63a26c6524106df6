import MartletBase
import MartletJournalFile
import MartletKernel
import MartletLive
import MartletModel
import MartletRecord

/// `explain JOURNAL ID|TIME`
enum ExplainCommand {
  static let command = Command(
    name: "explain", usage: "JOURNAL ORDER|TIME",
    does: """
      Of an order, by its client order id: what it was for, the strategy's intent, the risk rules' word, what
      went over the wire with its nonce, what came back, each fill, and how it ended, each with the journal's
      record. Of a time (1795260713.5, or 2026-11-21T11:31:53Z): how the bot stood, what it last decided and
      why, and what kept it from trading.
      """,
    options: [],
    positional: 2...2,
    example: """
      ./martlet demo --for 5s && ./martlet explain .martlet/demo/latest/journal \\
          $(./martlet journal print .martlet/demo/latest/journal | grep -o 'approved mt[0-9A-Za-z]*' | head -1 | cut -c10-)
      """,
    run: run)

  private static func run(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    let folder = arguments.positional[0]
    let subject = arguments.positional[1]
    if let moment = moment(subject) { return explain(moment, in: folder, as: subject) }
    if let day = missingDay(of: subject) {
      throw Arguments.Misuse(
        message: "expected a day of the calendar, found \(day), which there is none of")
    }
    guard let text = InlineText(subject), subject.utf8.allSatisfy(isWord), !subject.isEmpty else {
      throw Arguments.Misuse(
        message: "expected a client order id of at most 32 letters and digits, or a time such as"
          + " 1795260713.5 or 2026-11-21T11:31:53Z, found “\(subject)”")
    }
    return explain(ClientOrderID(text), in: folder)
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case 48...57, 65...90, 97...122, 45, 95: true
    default: false
    }
  }

  // MARK: An order

  private static func explain(_ id: ClientOrderID, in folder: String) -> ExitCode {
    var story = OrderStory(of: id)
    var damaged: [DamagedMarket] = []
    do throws(JournalFault) {
      var reader = try JournalReader.open(folder: folder)
      while let header = try reader.next() {
        story.take(header, reader.payload)
        if Interruption.isRequested { return .interrupted }
      }
      damaged = reader.damaged
    } catch {
      Console.fail("\(error)")
      return .failed
    }
    story.endStep()
    guard let first = story.lines.first else {
      Console.fail(
        "\(folder): no record names \(id); ./martlet journal print --contains shows what names a part of it"
      )
      Console.fail(damaged)
      return .failed
    }
    Console.out(
      "\(id)\(story.isApproved ? "" : ": no verdict here; an earlier journal placed it")\n")
    for line in story.lines {
      let since = (line.time - first.time).nanoseconds
      Console.out(
        "  \(pad(line.part.word, 9))\(pad("\(line.sequence)", 9))\(pad(span(since), 13))\(line.text)\n"
      )
    }
    if story.isCut { Console.out("  … more than \(OrderStory.most) lines\n") }
    let end = story.last.map {
      "\($0.state)\($0.state.isTerminal ? "" : ", as far as the journal goes")"
    }
    Console.out(
      "\(end ?? "its state is not told"), \(story.fills) \(story.fills == 1 ? "fill" : "fills")\n")
    Console.fail(damaged)
    return damaged.isEmpty ? .done : .failed
  }

  private static func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
  }

  /// Since the first line.
  private static func span(_ nanoseconds: Int64) -> String {
    let microseconds = nanoseconds / 1_000
    if microseconds < 1_000 { return "+\(microseconds) us" }
    if microseconds < 10_000_000 {
      return "+\(microseconds / 1_000).\((microseconds % 1_000) / 100) ms"
    }
    return "+\(microseconds / 1_000_000) s"
  }

  // MARK: A time

  /// Decisions that are shown before a time.
  private static let decisions = 12
  /// And requests beside the kernel's own, with what came of them.
  private static let sides = 6

  private static func explain(_ time: Timestamp, in folder: String, as text: String) -> ExitCode {
    do {
      guard
        let fold = try JournalFold.seeking(folder, to: .time(time), build: BuildIdentity.text)
      else {
        Console.fail("\(folder): begins after \(text)")
        return .failed
      }
      if let difference = FoldDifference.text(fold) {
        if let fault = fold.fault { Console.fail("\(folder): \(fault)") }
        Console.fail("\(folder): \(difference)")
        Console.fail(fold.damaged)
        return .failed
      }
      if fold.isForAnotherBuild, let report = FoldDifference.ofBuilds(fold) {
        if let fault = fold.fault { Console.fail("\(folder): \(fault)") }
        Console.fail(
          "\(folder): how the bot stood at \(text) is for the build that wrote it, \(fold.build), to tell: \(report)"
        )
        Console.fail(fold.damaged)
        return .failed
      }
      if fold.isBlind, let gap = fold.gap {
        Console.fail(
          "\(folder): what the bot knew at \(text) cannot be folded: market records between"
            + " \(gap.lowerBound) and \(gap.upperBound) \(fold.whyMissing), and no state is kept between them and it"
        )
        Console.fail(fold.damaged)
        return .failed
      }
      var found = LookBack()
      let passed = try JournalReader.lookBack(
        folder: folder, from: .sequence(fold.last),
        isEnough: {
          found.endSegment()
          return found.isWhole || Interruption.isRequested
        }
      ) { header, payload in found.take(header, payload) }
      if Interruption.isRequested { return .interrupted }
      // Notes name instruments by numbers, and what they mean may be told far before.
      var words = RecordText(instruments: fold.instruments)
      func line(_ record: LookBack.Record) -> String {
        let line = words.line(kind: record.header.kind.rawValue, payload: record.payload.span)
        let shown =
          "  \(pad("\(record.header.sequence)", 9))\(pad(span(before: record.header.time, time), 14))"
        return record.header.kind.rawValue != JournalKind.note
          ? shown + String(line.prefix(OrderStory.longest))
          : shown + line.drop { $0 != "]" }.dropFirst(2)
      }
      let input = found.input.map(line) ?? "  none"
      let decisions = found.decisions.map(line)
      let sides = found.sides.map(line)
      Console.out(
        fold.state.text + "last input:\n\(input)\nlast decisions:\n"
          + (decisions.isEmpty ? "  none yet\n" : decisions.map { $0 + "\n" }.joined())
          + (sides.isEmpty
            ? "" : "last asked beside the kernel:\n" + sides.map { $0 + "\n" }.joined()))
      let damaged = passed.filter { !fold.damaged.contains($0) } + fold.damaged
      Console.fail(damaged)
      return damaged.isEmpty ? .done : .failed
    } catch {
      Console.fail("\(error)")
      return .failed
    }
  }

  /// The last input and decisions before a moment, found from the end back.
  private struct LookBack {
    struct Record {
      let header: RecordHeader
      let payload: [UInt8]
    }
    private(set) var input: Record?
    private(set) var decisions: [Record] = []
    /// Those found on the way: older journals have none, so that none is looked for.
    private(set) var sides: [Record] = []
    private var ofSegment: [Record] = []
    private var sidesOfSegment: [Record] = []
    private var lastInput: Record?

    var isWhole: Bool { input != nil && decisions.count == ExplainCommand.decisions }

    mutating func take(_ header: RecordHeader, _ payload: Span<UInt8>) {
      switch header.kind.rawValue {
      case JournalKind.input where input == nil:
        lastInput = Record(header: header, payload: payload.indices.map { payload[$0] })
      case JournalKind.note where ExplainCommand.isDecision(payload):
        if ofSegment.count == ExplainCommand.decisions { ofSegment.removeFirst() }
        ofSegment.append(
          Record(header: header, payload: payload.indices.map { payload[$0] }))
      case JournalKind.side:
        if sidesOfSegment.count == ExplainCommand.sides { sidesOfSegment.removeFirst() }
        sidesOfSegment.append(
          Record(header: header, payload: payload.indices.map { payload[$0] }))
      default: break
      }
    }

    mutating func endSegment() {
      if input == nil { input = lastInput }
      decisions = Array((ofSegment + decisions).suffix(ExplainCommand.decisions))
      ofSegment.removeAll(keepingCapacity: true)
      sides = Array((sidesOfSegment + sides).suffix(ExplainCommand.sides))
      sidesOfSegment.removeAll(keepingCapacity: true)
    }
  }

  private static func isDecision(_ payload: Span<UInt8>) -> Bool {
    guard let (note, _) = NoteCoding.read(payload) else { return false }
    return switch note {
    case .intent, .approved, .refused, .cancel, .ready, .halted, .rearmed, .paused, .bookTrust,
      .settings, .flattened, .journal, .venueRefused, .neverArrived, .stopArmed, .stopInert,
      .stopFired,
      .stopTrades, .stopDone, .funding, .liquidated:
      true
    default: false
    }
  }

  private static func span(before then: Timestamp, _ now: Timestamp) -> String {
    "-" + span((now - then).nanoseconds).dropFirst()
  }

  /// Seconds since 1970, with or without a fraction, or a moment as `2026-11-21T11:31:53.5Z`.
  static func moment(_ text: String) -> Timestamp? {
    if text.hasSuffix("Z") { return calendar(text) }
    guard text.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 || $0 == 46 }) else { return nil }
    return seconds(text)
  }

  private static func seconds(_ text: String) -> Timestamp? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 2, let whole = Int64(parts[0]), whole >= 0, whole < 9_000_000_000 else {
      return nil
    }
    var nanoseconds = whole * 1_000_000_000
    if parts.count == 2 {
      guard (1...9).contains(parts[1].count), let fraction = Int64(parts[1]) else { return nil }
      var unit: Int64 = 1
      for _ in parts[1].count..<9 { unit *= 10 }
      nanoseconds += fraction * unit
    }
    return Timestamp(nanoseconds: nanoseconds)
  }

  /// The day of a moment that would be one if its month were longer; nil of anything else.
  static func missingDay(of text: String) -> String? {
    guard text.hasSuffix("Z"), let day = text.split(separator: "T").first else { return nil }
    let date = day.split(separator: "-").compactMap { Int64($0) }
    guard date.count == 3, (1970...2250).contains(date[0]), (1...12).contains(date[1]),
      date[2] > days(ofMonth: date[1], in: date[0])
    else { return nil }
    return String(day)
  }

  private static func days(ofMonth month: Int64, in year: Int64) -> Int64 {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    return switch month {
    case 2: isLeap ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// Of the Gregorian calendar, in UTC.
  private static func calendar(_ text: String) -> Timestamp? {
    let halves = text.dropLast().split(separator: "T")
    guard halves.count == 2 else { return nil }
    let date = halves[0].split(separator: "-").compactMap { Int64($0) }
    let clock = halves[1].split(separator: ":")
    guard date.count == 3, clock.count == 3, (1970...2250).contains(date[0]),
      (1...12).contains(date[1]),
      (1...days(ofMonth: date[1], in: date[0])).contains(date[2]),
      let hour = Int64(clock[0]), (0...23).contains(hour), let minute = Int64(clock[1]),
      (0...59).contains(minute), let second = seconds(String(clock[2])),
      second < Timestamp(nanoseconds: 60_000_000_000)
    else { return nil }
    // Days since 1970 by counting years from March, so that the leap day comes last.
    let year = date[1] > 2 ? date[0] : date[0] - 1
    let month = (date[1] + 9) % 12
    let days =
      year * 365 + year / 4 - year / 100 + year / 400 + (month * 306 + 5) / 10 + date[2] - 1
      - 719_468
    return Timestamp(
      nanoseconds: (days * 86_400 + hour * 3_600 + minute * 60) * 1_000_000_000 + second.nanoseconds
    )
  }
}
