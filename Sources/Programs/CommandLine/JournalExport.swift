import Glibc
import MartletBase
import MartletConfiguration
import MartletJSON
import MartletJournalFile
import MartletKernel
import MartletLive
import MartletModel
import MartletRecord
import MartletVenueKit

/// Records for others to read: a line each, as JSON or CSV, with what is said in it as text and without
/// what tells whose account it is.
///
/// Left out, each as `<redacted>`: where keys are and what they are called, their fingerprints, paths of
/// this machine, who gave a command. A state is told by its size alone, since nobody reads its bytes.
/// Secrets need no leaving out: none is in a journal.
struct JournalExport {
  enum Form { case json, csv }

  static let redacted = "<redacted>"
  private let form: Form
  private var text = RecordText()
  /// Fingerprints of keys that records so far have told.
  ///
  /// - Bounds: 64; a journal knows one or two.
  private var fingerprints: [String] = []

  init(_ form: Form) { self.form = form }

  /// What stands before the first record.
  var head: String { form == .csv ? "sequence,time,kind,lane,content,body\r\n" : "" }

  /// One record's line, with its end.
  mutating func line(_ header: RecordHeader, _ payload: Span<UInt8>) -> String {
    let (kind, content, body) = parts(header, payload)
    let time = JournalExport.calendar(header.time)
    let lane =
      switch header.lane {
      case .decisions: "decisions"
      case .market: "market"
      case .deadMan: "dead-man"
      default: "\(header.lane.rawValue)"
      }
    switch form {
    case .csv:
      return [String(header.sequence), time, kind, lane, content, body ?? ""]
        .map(JournalExport.field).joined(separator: ",") + "\r\n"
    case .json:
      var line = ByteBuffer(capacity: 256)
      var writer = JSONWriter()
      writer.beginObject(into: &line)
      writer.key("sequence", into: &line)
      writer.integer(header.sequence, into: &line)
      for (key, value) in [("time", time), ("kind", kind), ("lane", lane), ("content", content)] {
        writer.key(text: key, into: &line)
        writer.string(text: value, into: &line)
      }
      if let body {
        writer.key("body", into: &line)
        writer.string(text: body, into: &line)
      }
      writer.endObject(into: &line)
      return String(line.span) + "\n"
    }
  }

  // MARK: What a record says

  private mutating func parts(
    _ header: RecordHeader, _ payload: Span<UInt8>
  ) -> (kind: String, content: String, body: String?) {
    switch header.kind.rawValue {
    case JournalKind.start:
      guard let plan = try? BotPlan(record: payload.indices.map { payload[$0] }) else {
        return ("start", "a run of a build that this one cannot read", nil)
      }
      return (
        "start", "a run of \(plan.build)",
        JournalExport.configuration(plan.configurationText)
      )
    case JournalKind.snapshot:
      if let record = try? StateRecord(payload: payload.indices.map({ payload[$0] })),
        !fingerprints.contains(record.key), fingerprints.count < 64, !record.key.isEmpty
      {
        fingerprints.append(record.key)
      }
      return ("snapshot", "\(payload.count) bytes", nil)
    case JournalKind.input:
      guard let (input, start) = InputCoding.read(payload) else {
        return ("input", RecordText.strange, nil)
      }
      let body = start < payload.count ? String(payload.extracting(start..<payload.count)) : nil
      switch input {
      case .venue(.frame(let stream)): return ("input", "frame \(stream.index)", body)
      case .venue(.response(let request, let status)):
        return ("input", "reply \(request.number) HTTP \(status)", body)
      // Who said it is named by user and process; why is for whoever reads.
      case .command(let command): return ("input", "command \(command)", body.map(withoutPerson))
      case .settings(let strategy):
        return ("input", "other settings for strategy \(strategy.index)", nil)
      case .timer, .venue, .journal: break
      }
      return ("input", words(header, payload, after: "input"), nil)
    case JournalKind.effect: return ("effect", words(header, payload, after: "effect"), nil)
    case JournalKind.note: return ("note", words(header, payload, after: "note"), nil)
    case JournalKind.nonce: return ("nonce", words(header, payload, after: "nonce"), nil)
    case JournalKind.deadMan:
      return ("dead-man", masked(words(header, payload, after: "dead-man")), nil)
    case JournalKind.operatorWord:
      return ("operator", masked(withoutPerson(words(header, payload, after: "operator"))), nil)
    case JournalKind.end: return ("end", masked(words(header, payload, after: "end")), nil)
    case JournalKind.side:
      guard let record = SideRecord(payload) else { return ("side", "damaged", nil) }
      return ("side", masked(record.heading), record.body.map { String($0.span) })
    default: return ("\(header.kind.rawValue)", "\(payload.count) bytes", nil)
    }
  }

  /// What `journal print` says of a record, without the word it begins with.
  private mutating func words(
    _ header: RecordHeader, _ payload: Span<UInt8>, after kind: String
  ) -> String {
    let line = text.line(kind: header.kind.rawValue, payload: payload)
    return line.hasPrefix(kind) ? String(line.dropFirst(kind.count).drop { $0 == " " }) : line
  }

  // MARK: What is left out

  /// What a configuration sets, a line each, without where keys are and without paths: as it is read and not
  /// as it was written, because there are many ways to write a key's name, and remarks may say anything.
  static func configuration(_ text: [UInt8]) -> String {
    let hidden = ["key", "spot_key", "contracts_key", "ca", "pins", "folder", "file"]
    let given = BotConfiguration.check(text, file: "").settings.compactMap { setting in
      setting.position.map { (place: $0, setting: setting) }
    }
    return given.sorted { $0.place < $1.place }.map { _, setting in
      let isHidden = setting.key.split(separator: ".").last.map { hidden.contains(String($0)) }
      return "\(setting.key) = \(isHidden == true ? "\"\(redacted)\"" : setting.value)\n"
    }.joined()
  }

  /// Words of the program without fingerprints and paths.
  private func masked(_ text: String) -> String {
    var text = text
    for fingerprint in fingerprints {
      text = text.replacing(fingerprint, with: JournalExport.redacted)
    }
    var words: [String] = []
    var isKey = false
    for word in text.split(separator: " ", omittingEmptySubsequences: false) {
      let isHidden =
        isKey && word.utf8.count == 12 && word.utf8.allSatisfy(JournalExport.isHexadecimal)
      words.append(isHidden ? JournalExport.redacted : JournalExport.withoutPaths(String(word)))
      isKey = word == "key"
    }
    return words.joined(separator: " ")
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    byte >= 48 && byte <= 57 || byte >= 97 && byte <= 102
  }

  /// A word without what begins as a path of this machine, up to its quote or its end.
  private static func withoutPaths(_ word: String) -> String {
    var pieces: [String] = []
    for piece in word.split(separator: "\"", omittingEmptySubsequences: false) {
      let isPath =
        piece.hasPrefix("/") && !piece.hasPrefix("/api/") && piece.count > 1
        || piece.hasPrefix("./")
        || piece.hasPrefix(".martlet") || piece.hasPrefix("~")
      // What the program tells to be typed is no path of anybody's.
      pieces.append(isPath && piece != "./martlet" ? redacted : String(piece))
    }
    return pieces.joined(separator: "\"")
  }

  /// `uid 1000 pid 4711: why` and `user 1000` without the numbers.
  private func withoutPerson(_ text: String) -> String {
    var words: [String] = []
    for word in text.split(separator: " ", omittingEmptySubsequences: false) {
      let isNumber = word.utf8.first.map { $0 >= 48 && $0 <= 57 } ?? false
      guard isNumber, let before = words.last, ["uid", "pid", "user", "process"].contains(before)
      else {
        words.append(String(word))
        continue
      }
      words.append(JournalExport.redacted + word.drop { $0.isNumber })
    }
    return words.joined(separator: " ")
  }

  // MARK: Forms

  /// RFC 4180: in quotes where it must be, with quotes doubled.
  private static func field(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { $0 != 34 && $0 != 44 && $0 != 10 && $0 != 13 }
    return isPlain ? text : "\"" + text.replacing("\"", with: "\"\"") + "\""
  }

  /// Such as `2026-01-31T08:15:00.123456789Z`.
  static func calendar(_ time: Timestamp) -> String {
    var seconds = time_t(time.seconds)
    var parts = unsafe tm()
    unsafe gmtime_r(&seconds, &parts)
    var text = [CChar](repeating: 0, count: 32)
    let count = unsafe strftime(&text, text.count, "%Y-%m-%dT%H:%M:%S", &parts)
    var line = String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    var fraction = ByteBuffer(capacity: 16)
    fraction.append(decimal: time.nanoseconds - time.seconds * 1_000_000_000, width: 9)
    line += "." + String(fraction.span) + "Z"
    return line
  }
}
