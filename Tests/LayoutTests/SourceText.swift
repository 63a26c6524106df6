/// One Swift file as its code alone: comments and the text of string literals are blanked out, lines
/// stay where they were.
struct SourceText: Sendable {
  /// A word, a number, or one other character, with its line.
  struct Token: Equatable, Sendable {
    var text: String
    var line: Int
    /// The character right before it, to tell `.random` from `random` and `$0.1` from `0.1`.
    var previous: Character?
  }

  /// Path from the root of the checkout.
  let path: String
  let raw: String
  let code: String
  let tokens: [Token]

  init(path: String, raw: String) {
    self.path = path
    self.raw = raw
    var blanker = Blanker(input: Array(raw.utf8))
    blanker.copyCode(untilClosing: false)
    code = String(decoding: blanker.output, as: UTF8.self)
    tokens = SourceText.tokens(of: blanker.output)
  }

  var lines: [Substring] { code.split(separator: "\n", omittingEmptySubsequences: false) }

  /// Whether the file itself says, with a reason, that a rule does not bind it.
  func allows(_ rule: String) -> Bool {
    let mark = "// Layout exception (\(rule)): "
    guard raw.contains(mark) else { return false }
    for line in raw.split(separator: "\n") {
      guard let start = line.firstRange(of: mark)?.upperBound else { continue }
      if line[start...].split(separator: " ").count >= 4 { return true }
    }
    return false
  }

  /// The modules the file imports, with what stands before the word `import`.
  var imports: [(module: String, attributes: String, line: Int)] {
    var found: [(module: String, attributes: String, line: Int)] = []
    for (index, line) in lines.enumerated() where line.contains("import ") {
      var words = line.split(separator: " ")
      guard let at = words.firstIndex(of: "import") else { continue }
      let attributes = words[..<at].joined(separator: " ")
      guard words[..<at].allSatisfy({ $0.hasPrefix("@") || SourceText.accessLevels.contains($0) })
      else { continue }
      words.removeSubrange(...at)
      if let kind = words.first, SourceText.importKinds.contains(kind) { words.removeFirst() }
      guard let module = words.first?.split(separator: ".").first else { continue }
      found.append((String(module), attributes, index + 1))
    }
    return found
  }

  private static let accessLevels: Set<Substring> = [
    "public", "package", "internal", "fileprivate", "private",
  ]
  private static let importKinds: Set<Substring> = [
    "struct", "class", "enum", "protocol", "typealias", "func", "var", "let",
  ]

  private static func tokens(of code: [UInt8]) -> [Token] {
    var found: [Token] = []
    var line = 1
    var index = 0
    while index < code.count {
      let start = index
      index += 1
      if isWord(code[start]) {
        while index < code.count, isWord(code[index]) { index += 1 }
      } else if code[start] == 10 {
        line += 1
        continue
      } else if code[start] == 32 || code[start] == 9 {
        continue
      }
      let previous = start > 0 ? Character(UnicodeScalar(code[start - 1])) : nil
      found.append(
        Token(
          text: String(decoding: code[start..<index], as: UTF8.self), line: line,
          previous: previous))
    }
    return found
  }

  /// Letters, digits, `_`, `$`, and whatever is not ASCII.
  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case 48...57, 65...90, 97...122, 95, 36, 128...255: true
    default: false
    }
  }
}

/// Copies Swift source with comments and literal text left out; code inside interpolations stays.
private struct Blanker {
  let input: [UInt8]
  var output: [UInt8] = []
  var index = 0

  init(input: [UInt8]) {
    self.input = input
    output.reserveCapacity(input.count)
  }

  private func byte(_ offset: Int = 0) -> UInt8 {
    index + offset < input.count ? input[index + offset] : 0
  }

  /// Copies code, to the end or to the parenthesis that closes an interpolation.
  mutating func copyCode(untilClosing: Bool) {
    var depth = 0
    while index < input.count {
      switch byte() {
      case 47 where byte(1) == 47:
        while index < input.count && byte() != 10 { index += 1 }
      case 47 where byte(1) == 42: skipBlockComment()
      case 34: skipLiteral(hashes: 0)
      case 35:
        var hashes = 1
        while byte(hashes) == 35 { hashes += 1 }
        if byte(hashes) == 34 {
          skipLiteral(hashes: hashes)
        } else {
          output.append(35)
          index += 1
        }
      case let other:
        if other == 40 { depth += 1 }
        if other == 41 {
          if untilClosing && depth == 0 { return }
          depth -= 1
        }
        output.append(other)
        index += 1
      }
    }
  }

  private mutating func skipBlockComment() {
    var depth = 0
    while index < input.count {
      if byte() == 47 && byte(1) == 42 {
        depth += 1
        index += 2
      } else if byte() == 42 && byte(1) == 47 {
        depth -= 1
        index += 2
        if depth == 0 { return }
      } else {
        if byte() == 10 { output.append(10) }
        index += 1
      }
    }
  }

  private func isAt(_ character: UInt8, count: Int, then hashes: Int) -> Bool {
    for offset in 0..<count where byte(offset) != character { return false }
    for offset in 0..<hashes where byte(count + offset) != 35 { return false }
    return true
  }

  private mutating func skipLiteral(hashes: Int) {
    index += hashes
    let quotes = byte(1) == 34 && byte(2) == 34 ? 3 : 1
    index += quotes
    output += [34, 34]
    while index < input.count {
      if isAt(34, count: quotes, then: hashes) {
        index += quotes + hashes
        return
      }
      if isAt(92, count: 1, then: hashes) {
        index += 1 + hashes
        if byte() == 40 {
          index += 1
          output.append(32)
          copyCode(untilClosing: true)
          output.append(32)
        }
        if byte() == 10 { output.append(10) }
        index += 1
        continue
      }
      if byte() == 10 {
        output.append(10)
        if quotes == 1 { return }  // An unterminated literal ends with its line.
      }
      index += 1
    }
  }
}
