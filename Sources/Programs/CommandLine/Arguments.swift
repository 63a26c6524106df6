/// The words a user typed after a command, read strictly: what is not known is an error that names
/// the nearest known word.
struct Arguments {
  /// What a command takes.
  struct Option: Sendable {
    let name: String
    /// What stands after it in help; nil for a switch.
    let value: String?
    let help: String
    init(_ name: String, _ value: String? = nil, _ help: String) {
      self.name = name
      self.value = value
      self.help = help
    }
  }

  struct Misuse: Error { let message: String }

  private(set) var positional: [String] = []
  /// In the order typed: some options belong to the one before them.
  private(set) var given: [(name: String, value: String)] = []

  /// - Throws: `Misuse` for an unknown option, a missing value or too many words.
  init(_ words: [String], options: [Option], positional limit: ClosedRange<Int>) throws(Misuse) {
    var index = 0
    while index < words.count {
      let word = words[index]
      index += 1
      guard word.hasPrefix("--") else {
        positional.append(word)
        continue
      }
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      guard let option = options.first(where: { $0.name == parts[0] }) else {
        let nearest = Arguments.nearest(to: parts[0], among: options.map(\.name))
        let hint = nearest.map { "; did you mean \($0)?" } ?? ""
        throw Misuse(message: "unknown option \(parts[0])\(hint)")
      }
      guard let shape = option.value else {
        if parts.count > 1 { throw Misuse(message: "\(option.name) takes no value") }
        given.append((option.name, ""))
        continue
      }
      if parts.count > 1 {
        given.append((option.name, parts[1]))
      } else if index < words.count {
        given.append((option.name, words[index]))
        index += 1
      } else {
        throw Misuse(message: "\(option.name) needs a value: \(option.name) \(shape)")
      }
    }
    if positional.count < limit.lowerBound {
      throw Misuse(message: "expected \(limit.lowerBound) argument(s), found \(positional.count)")
    }
    if positional.count > limit.upperBound {
      throw Misuse(message: "unexpected argument “\(positional[limit.upperBound])”")
    }
  }

  func has(_ name: String) -> Bool { given.contains { $0.name == name } }
  func last(_ name: String) -> String? { given.last { $0.name == name }?.value }

  /// A length of time that is not none.
  func duration(_ name: String) throws(Misuse) -> Int64? {
    guard has(name) else { return nil }
    let milliseconds = try milliseconds(name, default: 0)
    guard milliseconds > 0 else {
      throw Misuse(
        message: "\(name): expected a time above none, such as 60s; without it there is no end")
    }
    return milliseconds
  }

  /// A length of time such as `60s`, `1500ms`, `5m`, in milliseconds.
  func milliseconds(_ name: String, default standard: Int64) throws(Misuse) -> Int64 {
    guard let text = last(name) else { return standard }
    for (unit, factor) in [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)]
      as [(String, Int64)]
    {
      guard text.hasSuffix(unit), let count = Int64(text.dropLast(unit.count)), count >= 0 else {
        continue
      }
      let (product, overflow) = count.multipliedReportingOverflow(by: factor)
      if !overflow { return product }
    }
    throw Misuse(message: "\(name): expected a time such as 60s, 1500ms or 5m, found “\(text)”")
  }

  func integer(
    _ name: String, default standard: Int, in range: ClosedRange<Int>
  ) throws(Misuse) -> Int {
    guard let text = last(name) else { return standard }
    guard let value = Int(text), range.contains(value) else {
      throw Misuse(
        message: "\(name): expected \(range.lowerBound) … \(range.upperBound), found “\(text)”")
    }
    return value
  }

  /// The known word that takes the fewest changes, when they are few.
  static func nearest(to word: String, among known: [String]) -> String? {
    let scored = known.map { (word: $0, changes: changes(word, $0)) }
    guard let best = scored.min(by: { $0.changes < $1.changes }),
      best.changes <= max(2, word.count / 3)
    else { return nil }
    return best.word
  }

  /// Levenshtein distance.
  private static func changes(_ lhs: String, _ rhs: String) -> Int {
    let right = Array(rhs)
    var row = Array(0...right.count)
    for (i, left) in lhs.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for j in right.indices {
        let previous = row[j + 1]
        row[j + 1] = min(
          row[j + 1] + 1, row[j] + 1, diagonal + (left == right[j] ? 0 : 1))
        diagonal = previous
      }
    }
    return row[right.count]
  }
}
