public import MartletBase
internal import MartletJSON

/// One line for a person: something began, goes on, or ended.
public struct Alert: Equatable, Sendable {
  public enum Event: String, Sendable {
    case raised
    /// Told again: it goes on, or happened again.
    case repeated
    case cleared
  }

  public var time: Timestamp
  public var event: Event
  public var code: AlertCode
  /// What it is about: a market, an order, a stream.
  public var subject: String
  /// What happened, with its numbers.
  public var what: String
  /// How often it has happened since it was first told.
  public var count: UInt64

  public init(
    time: Timestamp, event: Event, code: AlertCode, subject: String, what: String, count: UInt64
  ) {
    self.time = time
    self.event = event
    self.code = code
    self.subject = subject
    self.what = what
    self.count = count
  }

  /// An end is good news, whatever began.
  public var severity: AlertSeverity { event == .cleared ? .info : code.severity }

  /// What happened and how often, on one line.
  public var summary: String {
    let times = count > 1 && event != .raised ? " (\(count) times)" : ""
    let head = "\(code.rawValue) \(subject): \(event == .cleared ? "cleared: " : "")\(what)\(times)"
    return Alert.oneLine(head)
  }

  /// The whole alert on one line, for a terminal or a log.
  public func line(bot: String) -> String {
    var text = "\(time.calendarText) \(bot) \(severity.rawValue) \(summary)"
    if event != .cleared { text += " | done: \(code.text.done) | to do: \(code.text.todo)" }
    return text + "\n"
  }

  /// One JSON object and a line's end. The keys are stable; new ones may come.
  public func writeJSON(bot: String, into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    writer.beginObject(into: &buffer)
    func text(_ key: StaticString, _ value: String) {
      writer.key(key, into: &buffer)
      writer.string(text: value, into: &buffer)
    }
    text("time", time.calendarText)
    writer.key("time_ms", into: &buffer)
    writer.integer(time.milliseconds, into: &buffer)
    text("bot", bot)
    text("severity", severity.rawValue)
    text("event", event.rawValue)
    text("code", code.rawValue)
    text("subject", subject)
    text("what", what)
    text("done", event == .cleared ? "" : code.text.done)
    text("do", event == .cleared ? "" : code.text.todo)
    writer.key("count", into: &buffer)
    writer.integer(count, into: &buffer)
    writer.endObject(into: &buffer)
    buffer.append(text: "\n")
  }

  /// What a venue or a person said may hold anything; a line holds none that moves a cursor.
  private static func oneLine(_ text: String) -> String {
    var clean = ""
    for scalar in text.unicodeScalars {
      let isControl = scalar.value < 32 || (127..<160).contains(scalar.value)
      clean.unicodeScalars.append(isControl ? "?" : scalar)
    }
    return clean
  }
}

extension Timestamp {
  /// The moment in UTC to the millisecond, such as `2026-11-21T07:04:49.120Z`.
  ///
  /// - Source: days to dates as in Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
  public var calendarText: String {
    let day = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
    let second = seconds - day * 86_400
    let shifted = day + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let month = (5 * dayOfYear + 2) / 153
    let dayOfMonth = dayOfYear - (153 * month + 2) / 5 + 1
    let isAfterNewYear = month >= 10
    let year = yearOfEra + era * 400 + (isAfterNewYear ? 1 : 0)
    func padded(_ value: Int64, _ width: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, width - text.count)) + text
    }
    return padded(year, 4) + "-" + padded(isAfterNewYear ? month - 9 : month + 3, 2) + "-"
      + padded(dayOfMonth, 2) + "T" + padded(second / 3_600, 2) + ":"
      + padded(second / 60 % 60, 2) + ":" + padded(second % 60, 2) + "."
      + padded(milliseconds - seconds * 1_000, 3) + "Z"
  }
}
