public import MartletBase

/// What a reading of a configuration has found so far.
public final class ConfigurationLog {
  /// One value of the configuration and where it came from.
  public struct Setting: Equatable, Sendable, CustomStringConvertible {
    /// Such as `dead_man.timeout`.
    public let key: String
    /// As it would stand in the file; never a secret.
    public let value: String
    /// Nil for a default.
    public let position: TextPosition?

    public var description: String {
      "\(key) = \(value)  # " + (position.map { "line \($0.line)" } ?? "default")
        + (isHeld ? "" : ", not held by this build")
    }
  }

  public let file: String
  public internal(set) var problems: [ConfigurationProblem] = []
  public internal(set) var refusals: [SafetyRefusal] = []
  public internal(set) var settings: [Setting] = []
  /// Whole names of the keys asked for, whether they are in the file or not.
  public internal(set) var keys: [String] = []

  public init(file: String) { self.file = file }

  public func problem(_ key: String, at position: TextPosition?, _ message: String) {
    problems.append(
      ConfigurationProblem(file: file, position: position, key: key, message: message))
  }

  public func refusal(_ key: String, at position: TextPosition?, _ message: String) {
    refusals.append(SafetyRefusal(file: file, position: position, key: key, message: message))
  }
}

/// Reads one table strictly: whatever is asked for is known, and what is not asked for is a problem.
///
/// It never stops at a problem: it notes it and answers nil, so that one run tells them all.
public struct TableReader {
  public let log: ConfigurationLog
  /// Where this table stands, such as `strategy[0]`; empty for the document.
  public let path: String
  /// Nil when the table is not in the file at all.
  public let position: TextPosition?
  private let table: TOMLTable?
  private var known: [String] = []

  public init(_ table: TOMLTable?, path: String, at position: TextPosition?, log: ConfigurationLog)
  {
    self.table = table
    self.path = path
    self.position = position
    self.log = log
  }

  public var exists: Bool { table != nil }

  /// Whether a key stands in the table, whatever is under it.
  public func has(_ key: String) -> Bool { table?[key] != nil }

  /// The whole name of a key of this table.
  public func name(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  /// Where a key stands, or the table that lacks it.
  public func position(of key: String) -> TextPosition? { table?[key]?.position ?? position }

  public func problem(_ key: String, _ message: String) {
    log.problem(name(key), at: position(of: key), message)
  }

  // MARK: Values

  /// Text, as `check` accepts it.
  ///
  /// - Parameters:
  ///   - fallback: taken when the key is absent; nil makes the key required.
  ///   - check: what was expected, when the text is not that.
  public mutating func string(
    _ key: String, default fallback: String? = nil,
    check: (String) -> String? = { _ in nil }
  ) -> String? {
    guard let item = take(key, expected: "a string", isRequired: fallback == nil) else {
      return defaulted(key, fallback) { TableReader.quoted($0) }
    }
    guard case .string(let text) = item.value else {
      return mismatch(key, "a string", item.value)
    }
    if let expected = check(text) {
      problem(key, "expected \(expected), found \(TableReader.quoted(text))")
      return nil
    }
    note(key, TableReader.quoted(text), item.position)
    return text
  }

  /// Text that need not be there. Its absence is not noted as a setting.
  public mutating func optionalString(
    _ key: String, check: (String) -> String? = { _ in nil }
  ) -> String? {
    remember(key)
    return table?[key] == nil ? nil : string(key, check: check)
  }

  /// Texts of an array, as `check` accepts each; none when the key is absent.
  public mutating func strings(
    _ key: String, atMost limit: Int, check: (String) -> String? = { _ in nil }
  ) -> [String]? {
    remember(key)
    guard let item = table?[key] else { return [] }
    guard case .array(let items) = item.value else {
      return mismatch(key, "an array of strings", item.value)
    }
    guard items.count <= limit else {
      problem(key, "expected at most \(limit) strings, found \(items.count)")
      return nil
    }
    var texts: [String] = []
    for item in items {
      guard case .string(let text) = item.value else {
        return mismatch(key, "an array of strings", item.value)
      }
      if let expected = check(text) {
        log.problem(
          name(key), at: item.position, "expected \(expected), found \(TableReader.quoted(text))")
        return nil
      }
      texts.append(text)
    }
    note(key, "[" + texts.map(TableReader.quoted).joined(separator: ", ") + "]", item.position)
    return texts
  }

  /// Text that is not noted, nor repeated when it is something else.
  mutating func optionalText(_ key: String) -> String? {
    remember(key)
    guard let item = table?[key] else { return nil }
    if case .string(let text) = item.value { return text }
    return mismatch(key, "a string", item.value)
  }

  /// One of the names of `Choice`.
  public mutating func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, default fallback: Choice? = nil
  ) -> Choice? where Choice.RawValue == String {
    let names = Choice.allCases.map(\.rawValue)
    let listed = names.map(TableReader.quoted).joined(separator: ", ")
    let text = string(key, default: fallback?.rawValue) { text in
      guard Choice(rawValue: text) == nil else { return nil }
      let meant = nearest(to: text, among: names)
      return meant.map { "one of \(listed) (did you mean \(TableReader.quoted($0))?)" }
        ?? "one of \(listed)"
    }
    return text.flatMap { Choice(rawValue: $0) }
  }

  /// True or false.
  public mutating func boolean(_ key: String, default fallback: Bool) -> Bool? {
    guard let item = take(key, expected: "true or false", isRequired: false) else {
      return defaulted(key, fallback) { "\($0)" }
    }
    guard case .boolean(let value) = item.value else {
      return mismatch(key, "true or false", item.value)
    }
    note(key, "\(value)", item.position)
    return value
  }

  public mutating func integer(
    _ key: String, in bounds: ClosedRange<Int64>, default fallback: Int64? = nil
  ) -> Int64? {
    let expected = "an integer from \(bounds.lowerBound) to \(bounds.upperBound)"
    guard let item = take(key, expected: expected, isRequired: fallback == nil) else {
      return defaulted(key, fallback) { "\($0)" }
    }
    guard case .integer(let value) = item.value else { return mismatch(key, expected, item.value) }
    guard bounds.contains(value) else {
      problem(key, "expected \(expected), found \(value)")
      return nil
    }
    note(key, "\(value)", item.position)
    return value
  }

  /// An integer that need not be there. Its absence is not noted as a setting.
  public mutating func optionalInteger(_ key: String, in bounds: ClosedRange<Int64>) -> Int64? {
    remember(key)
    return table?[key] == nil ? nil : integer(key, in: bounds)
  }

  /// An exact decimal, in quotes so that nothing rounds it on the way.
  ///
  /// - Parameter isAccepted: with what was expected, in words.
  public mutating func decimal(
    _ key: String, default fallback: String? = nil, expected: String = "a positive decimal",
    where isAccepted: (Amount) -> Bool = { $0 > .zero }
  ) -> Amount? {
    let sample = "\(expected) in quotes, such as \(TableReader.quoted(fallback ?? "0.5"))"
    guard let item = take(key, expected: sample, isRequired: fallback == nil) else {
      guard let fallback else { return nil }
      note(key, TableReader.quoted(fallback), nil)
      return TableReader.amount(fallback)
    }
    guard case .string(let text) = item.value else { return mismatch(key, sample, item.value) }
    guard let amount = TableReader.amount(text), isAccepted(amount) else {
      problem(key, "expected \(sample), found \(TableReader.quoted(text))")
      return nil
    }
    note(key, TableReader.quoted(text), item.position)
    return amount
  }

  /// A decimal that need not be there. Its absence is not noted as a setting.
  public mutating func optionalDecimal(_ key: String) -> Amount? {
    remember(key)
    return table?[key] == nil ? nil : decimal(key)
  }

  /// Percent in quotes, as a rate: "3" is 0.03.
  public mutating func percent(
    _ key: String, default fallback: String, atMost most: Int64 = 100
  ) -> Rate? {
    let expected = "a percentage above 0 and up to \(most)"
    let amount = decimal(key, default: fallback, expected: expected) { amount in
      amount > .zero && amount.units <= Int128(most) * powerOfTen(Amount.places)
        && amount.units % powerOfTen(12) == 0
    }
    // Eight places of a percent are ten of a share; the check above saw that no more were given.
    return amount.map { Rate(units: Int64($0.units / powerOfTen(12))) }
  }

  /// A length of time such as "60s", "1500ms", "5m", "2h" or "30d".
  public mutating func duration(
    _ key: String, in bounds: ClosedRange<TimeSpan>, default fallback: String? = nil
  ) -> TimeSpan? {
    let low = TableReader.text(bounds.lowerBound)
    let high = TableReader.text(bounds.upperBound)
    let expected = "a length of time from \"\(low)\" to \"\(high)\", with ms, s, m, h or d"
    guard let item = take(key, expected: expected, isRequired: fallback == nil) else {
      guard let fallback else { return nil }
      note(key, TableReader.quoted(fallback), nil)
      return TableReader.span(fallback)
    }
    guard case .string(let text) = item.value else { return mismatch(key, expected, item.value) }
    guard let span = TableReader.span(text), bounds.contains(span) else {
      problem(key, "expected \(expected), found \(TableReader.quoted(text))")
      return nil
    }
    note(key, TableReader.quoted(text), item.position)
    return span
  }

  // MARK: Tables

  /// A table within this one; a reader of nothing when it is absent.
  public mutating func table(_ key: String) -> TableReader {
    remember(key, isTable: true)
    let item = table?[key]
    var inner: TOMLTable?
    if case .table(let found)? = item?.value {
      inner = found
    } else if let item {
      problem(key, "expected a table [\(name(key))], found \(item.value.kind)")
    }
    return TableReader(inner, path: name(key), at: item?.position, log: log)
  }

  /// The tables of an array such as `[[strategy]]`.
  public mutating func tables(_ key: String) -> [TableReader] {
    remember(key, isTable: true)
    guard let item = table?[key] else { return [] }
    guard case .array(let items) = item.value else {
      problem(key, "expected tables [[\(name(key))]], found \(item.value.kind)")
      return []
    }
    return items.enumerated().compactMap { index, item in
      let path = "\(name(key))[\(index)]"
      guard case .table(let inner) = item.value else {
        log.problem(path, at: item.position, "expected a table, found \(item.value.kind)")
        return nil
      }
      return TableReader(inner, path: path, at: item.position, log: log)
    }
  }

  /// Notes every key that was never asked for. To be called last.
  public func finish() {
    for entry in table?.entries ?? [] where !known.contains(entry.key) {
      let message: String
      if TableReader.isSecretName(entry.key) {
        message =
          "unknown key, and secrets do not belong here: seal KEY:SECRET with ./martlet keys add NAME"
          + " and name it with key = \"keyring:NAME\", or keep it in a file of mode 0600 and name that"
          + " with key = \"file:PATH\""
      } else if let meant = nearest(to: entry.key, among: known) {
        message = "unknown key; did you mean \(meant)?"
      } else {
        message = "unknown key; expected one of \(known.sorted().joined(separator: ", "))"
      }
      log.problem(name(entry.key), at: entry.item.position, message)
    }
  }

  /// Whether people keep secrets under such a name.
  static func isSecretName(_ name: String) -> Bool {
    let name = name.lowercased()
    return ["secret", "password", "passphrase", "token", "api_key", "apikey", "private"].contains {
      name.contains($0)
    }
  }

  // MARK: Helpers

  private mutating func remember(_ key: String, isTable: Bool = false) {
    guard !known.contains(key) else { return }
    known.append(key)
    if !isTable { log.keys.append(name(key)) }
  }

  /// The item under a key; a missing required one is a problem if the table itself is there or
  /// wanted.
  private mutating func take(_ key: String, expected: String, isRequired: Bool) -> TOMLItem? {
    remember(key)
    if let item = table?[key] { return item }
    if isRequired { problem(key, "expected \(expected), found nothing") }
    return nil
  }

  private func defaulted<Value>(
    _ key: String, _ fallback: Value?, _ text: (Value) -> String
  ) -> Value? {
    if let fallback { note(key, text(fallback), nil) }
    return fallback
  }

  private func mismatch<Value>(_ key: String, _ expected: String, _ found: TOMLValue) -> Value? {
    problem(key, "expected \(expected), found \(found.kind)")
    return nil
  }

  func note(_ key: String, _ value: String, _ position: TextPosition?) {
    log.settings.append(
      ConfigurationLog.Setting(key: name(key), value: value, position: position))
  }

  /// Text in quotes, cut when it is long, on one line.
  static func quoted(_ text: String) -> String {
    var clean = ""
    for scalar in text.unicodeScalars.prefix(80) {
      switch scalar {
      case "\"", "\\": clean += "\\\(scalar)"
      case _ where scalar.value < 32 || scalar.value == 127: clean += "?"
      default: clean.unicodeScalars.append(scalar)
      }
    }
    return "\"" + clean + (text.unicodeScalars.count > 80 ? "…\"" : "\"")
  }

  static func amount(_ text: String) -> Amount? {
    let bytes = Array(text.utf8)
    return try? DecimalText.parseAmount(bytes.span)
  }

  /// "1500ms" and the like; whole numbers alone.
  static func span(_ text: String) -> TimeSpan? {
    let units: [(suffix: String, milliseconds: Int64)] = [
      ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]
    for unit in units where text.hasSuffix(unit.suffix) {
      let digits = text.dropLast(unit.suffix.count)
      guard !digits.isEmpty, digits.count <= 12,
        digits.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }), let count = Int64(digits)
      else { continue }
      let (milliseconds, isTooLong) = count.multipliedReportingOverflow(by: unit.milliseconds)
      // Three hundred years are as far as a time span reaches.
      guard !isTooLong, milliseconds <= 9_000_000_000_000 else { return nil }
      return .milliseconds(milliseconds)
    }
    return nil
  }

  /// A span in the largest unit that counts it whole.
  public static func text(_ span: TimeSpan) -> String {
    let milliseconds = span.milliseconds
    let day: Int64 = 86_400_000
    // A day is "24h", and what is longer is counted in days.
    if milliseconds > day && milliseconds % day == 0 { return "\(milliseconds / day)d" }
    for (unit, size) in [("h", Int64(3_600_000)), ("m", 60_000), ("s", 1_000)]
    where milliseconds % size == 0 && milliseconds != 0 {
      // Ninety seconds are "90s"; only whole larger units are shorter.
      return "\(milliseconds / size)\(unit)"
    }
    return "\(milliseconds)ms"
  }
}
