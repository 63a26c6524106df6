/// One Swift file as its code alone: comments and the text of string literals are blanked out, lines
/// stay where they were.
struct SourceText {
  /// A word, a number, or one other character, with its line.
  struct Token: Equatable {
    var text: Substring
    var line: Int
    /// The character right before it, to tell `.random` from `random` and `$0.1` from `0.1`.
    var previous: Character?
  }

  /// Path from the root of the checkout.
  let path: String
  let raw: String
  let code: String

  init(path: String, raw: String) {
    self.path = path
    self.raw = raw
    code = SourceText.code(of: raw)
  }

  var lines: [Substring] { code.split(separator: "\n", omittingEmptySubsequences: false) }

  /// Whether the file itself says, with a reason, that a rule does not bind it.
  func allows(_ rule: String) -> Bool {
    for line in raw.split(separator: "\n") {
      guard let start = line.firstRange(of: "// Layout exception (\(rule)): ")?.upperBound else {
        continue
      }
      if line[start...].split(separator: " ").count >= 4 { return true }
    }
    return false
  }

  /// The modules the file imports, with what stands before the word `import`.
  var imports: [(module: String, attributes: String, line: Int)] {
    var found: [(module: String, attributes: String, line: Int)] = []
    for (index, line) in lines.enumerated() {
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

  var tokens: [Token] {
    var found: [Token] = []
    var line = 1
    var previous: Character?
    var index = code.startIndex
    while index < code.endIndex {
      let start = index
      let character = code[index]
      if character.isWord {
        while index < code.endIndex, code[index].isWord { index = code.index(after: index) }
        found.append(Token(text: code[start..<index], line: line, previous: previous))
        previous = code[code.index(before: index)]
        continue
      }
      index = code.index(after: index)
      if character == "\n" { line += 1 }
      if !character.isWhitespace {
        found.append(Token(text: code[start..<index], line: line, previous: previous))
        previous = character
      }
    }
    return found
  }

  private static let accessLevels: Set<Substring> = [
    "public", "package", "internal", "fileprivate", "private",
  ]
  private static let importKinds: Set<Substring> = [
    "struct", "class", "enum", "protocol", "typealias", "func", "var", "let",
  ]

  /// Blanks comments and literal text; code inside interpolations stays.
  static func code(of raw: String) -> String {
    var input = Array(raw.utf8)[...]
    var output: [UInt8] = []
    output.reserveCapacity(input.count)
    copyCode(&input, &output, untilClosing: false)
    return String(decoding: output, as: UTF8.self)
  }

  /// Copies code, to the end or to the parenthesis that closes an interpolation.
  private static func copyCode(
    _ input: inout ArraySlice<UInt8>, _ output: inout [UInt8], untilClosing: Bool
  ) {
    var depth = 0
    while let byte = input.first {
      if input.starts(with: "//".utf8) {
        while let next = input.first, next != 10 { input.removeFirst() }
      } else if input.starts(with: "/*".utf8) {
        skipBlockComment(&input, &output)
      } else if byte == 34 || byte == 35, let hashes = literalHashes(input) {
        skipLiteral(&input, &output, hashes: hashes)
      } else {
        if byte == 40 { depth += 1 }
        if byte == 41 {
          if untilClosing && depth == 0 { return }
          depth -= 1
        }
        output.append(byte)
        input.removeFirst()
      }
    }
  }

  private static func skipBlockComment(
    _ input: inout ArraySlice<UInt8>, _ output: inout [UInt8]
  ) {
    var depth = 0
    while !input.isEmpty {
      if input.starts(with: "/*".utf8) {
        depth += 1
        input.removeFirst(2)
      } else if input.starts(with: "*/".utf8) {
        depth -= 1
        input.removeFirst(2)
        if depth == 0 { return }
      } else if input.removeFirst() == 10 {
        output.append(10)
      }
    }
  }

  /// How many `#` stand before the quote that begins here; nil when no literal does.
  private static func literalHashes(_ input: ArraySlice<UInt8>) -> Int? {
    let hashes = input.prefix { $0 == 35 }.count
    let after = input.dropFirst(hashes)
    return after.first == 34 ? hashes : nil
  }

  private static func skipLiteral(
    _ input: inout ArraySlice<UInt8>, _ output: inout [UInt8], hashes: Int
  ) {
    input.removeFirst(hashes)
    let isLong = input.starts(with: "\"\"\"".utf8)
    let quotes = Array(repeating: UInt8(34), count: isLong ? 3 : 1)
    let end = quotes + Array(repeating: UInt8(35), count: hashes)
    let escape = [UInt8(92)] + Array(repeating: UInt8(35), count: hashes)
    input.removeFirst(quotes.count)
    output += quotes
    while !input.isEmpty {
      if input.starts(with: end) {
        input.removeFirst(end.count)
        break
      }
      if input.starts(with: escape) {
        input.removeFirst(escape.count)
        if input.first == 40 {
          input.removeFirst()
          output.append(32)
          copyCode(&input, &output, untilClosing: true)
          output.append(32)
        }
        if let next = input.first {
          if next == 10 { output.append(10) }
          input.removeFirst()
        }
        continue
      }
      let byte = input.removeFirst()
      if byte == 10 {
        output.append(10)
        if !isLong { break }  // An unterminated literal ends with its line.
      }
    }
    output += quotes
  }
}

extension Character {
  fileprivate var isWord: Bool { isLetter || isNumber || self == "_" || self == "$" }
}
