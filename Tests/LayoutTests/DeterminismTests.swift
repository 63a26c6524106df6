import Testing

@Suite struct DeterminismTests {
  /// Words that bring in a clock, a thread, a hash seed or the outside, each with what it is.
  static let words: Set<String> = [
    "Task", "TaskGroup", "await", "async", "actor", "Date", "ContinuousClock", "SuspendingClock",
    "Thread", "DispatchQueue", "SystemRandomNumberGenerator", "hashValue",
    "CommandLine",
  ]
  /// Functions that reach the outside when called; a constant may be named like one: a trade is a print.
  static let calls: Set<String> = ["getenv", "print", "debugPrint", "readLine"]
  static let modules: Set<String> = [
    "Foundation", "FoundationEssentials", "Glibc", "Dispatch", "Synchronization", "Musl", "Darwin",
  ]
  static let draws: Set<String> = ["random", "randomElement", "shuffled", "shuffle"]

  @Test("what decides imports nothing of the system and names no clock, task or output")
  func noOutside() throws {
    var files = 0
    for folder in SourceTree.deterministic {
      for source in try SourceTree.swift(under: folder) {
        files += 1
        for found in source.imports where Self.modules.contains(found.module) {
          Issue.record("\(source.path):\(found.line): imports \(found.module)")
        }
        for token in Self.outsideWords(source) where !source.allows(token.text) {
          Issue.record("\(source.path):\(token.line): says \(token.text)")
        }
      }
    }
    #expect(files > 30)
  }

  static func outsideWords(_ source: SourceText) -> [SourceText.Token] {
    let tokens = source.tokens
    return tokens.indices.filter { index in
      let token = tokens[index]
      let isCall = index + 1 < tokens.count && tokens[index + 1].text == "("
      // A member or a label of that name is somebody's own word.
      return token.previous != "."
        && (words.contains(token.text) || (isCall && calls.contains(token.text)))
    }.map { tokens[$0] }
  }

  @Test("what decides draws from a seed only")
  func noUnseededRandom() throws {
    for folder in SourceTree.deterministic {
      for source in try SourceTree.swift(under: folder) {
        for place in Self.unseededDraws(source) {
          Issue.record("\(source.path):\(place): draws without `using:`")
        }
      }
    }
  }

  static func unseededDraws(_ source: SourceText) -> [Int] {
    let tokens = source.tokens
    var found: [Int] = []
    for (index, token) in tokens.enumerated()
    where token.previous == "." && draws.contains(token.text) {
      guard index + 1 < tokens.count, tokens[index + 1].text == "(" else { continue }
      var depth = 0
      var isSeeded = false
      for next in tokens[(index + 1)...] {
        if next.text == "(" { depth += 1 }
        if next.text == ")" { depth -= 1 }
        if next.text == "using" { isSeeded = true }
        if depth == 0 { break }
      }
      if !isSeeded { found.append(token.line) }
    }
    return found
  }

  @Test("what decides never walks a Dictionary or a Set")
  func noHashOrder() throws {
    for folder in SourceTree.deterministic {
      for source in try SourceTree.swift(under: folder) where !source.allows("hash order") {
        for walk in Self.hashWalks(source) {
          Issue.record("\(source.path):\(walk.line): walks \(walk.name) in hash order")
        }
      }
    }
  }

  static let walkers: Set<String> = [
    "keys", "values", "map", "flatMap", "compactMap", "filter", "forEach", "reduce", "first", "min",
    "max", "sorted", "enumerated", "makeIterator", "popFirst", "randomElement", "joined",
    "compactMapValues", "description", "elements", "startIndex",
  ]

  /// Uses, in a file, of a name declared there as a Dictionary or a Set, that depend on hash order.
  static func hashWalks(_ source: SourceText) -> [(name: String, line: Int)] {
    let tokens = source.tokens
    var hashed: Set<String> = []
    for (index, token) in tokens.enumerated() where index + 3 < tokens.count {
      guard token.text == "var" || token.text == "let" else { continue }
      let tail = tokens[(index + 2)...].prefix(40)
      guard tail.first?.text == ":" || tail.first?.text == "=" else { continue }
      if isHashed(Array(tail.dropFirst())) { hashed.insert(tokens[index + 1].text) }
    }
    var found: [(name: String, line: Int)] = []
    for (index, token) in tokens.enumerated() where hashed.contains(token.text) {
      let before = index > 0 ? tokens[index - 1].text : ""
      let twoBefore = index > 2 ? tokens[index - 3].text : ""
      let isWalked = before == "in" || before == "." && twoBefore == "in"
      let next = index + 2 < tokens.count ? tokens[index + 1].text : ""
      let member = index + 2 < tokens.count ? tokens[index + 2].text : ""
      if isWalked && next != "[" && next != "." || next == "." && walkers.contains(member) {
        found.append((token.text, token.line))
      }
    }
    return found
  }

  /// Whether a type or an initial value begins as `Set`, `Dictionary`, `[Key: Value]` or `[:]`.
  private static func isHashed(_ tail: [SourceText.Token]) -> Bool {
    guard let first = tail.first else { return false }
    if first.text == "Set" || first.text == "Dictionary" { return true }
    guard first.text == "[" else { return false }
    var depth = 0
    for token in tail {
      if "[(<".contains(token.text) { depth += 1 }
      if "])>".contains(token.text) { depth -= 1 }
      if depth == 0 { return false }
      if token.text == ":" && depth == 1 { return true }
      if token.text == "," && depth == 1 { return false }
    }
    return false
  }

  @Test("the readers above find what they look for, and nothing else")
  func readersWork() {
    func source(_ raw: String) -> SourceText { SourceText(path: "x", raw: raw) }
    func outside(_ raw: String) -> [String] { Self.outsideWords(source(raw)).map(\.text) }
    #expect(outside("print(a); let b = Date(); c.print(d)") == ["print", "Date"])
    #expect(outside("for print in prints { tell(print.price) }").isEmpty)
    #expect(Self.unseededDraws(source("let a = Int.random(in: 1...2)")) == [1])
    #expect(Self.unseededDraws(source("\nx.shuffled()")) == [2])
    #expect(Self.unseededDraws(source("let a = Int.random(in: f(1)...2, using: &g)")).isEmpty)
    #expect(Self.hashWalks(source("var a: [Int: Int] = [:]\nfor b in a { }")).map(\.line) == [2])
    #expect(Self.hashWalks(source("let a = Set<Int>()\nfor b in self.a { }")).map(\.line) == [2])
    #expect(Self.hashWalks(source("var a: [Int: Int]\na.values.map { $0 }")).map(\.line) == [2])
    #expect(Self.hashWalks(source("var a: [Int: Int]\nlet b = a[3]\na[3] = 4")).isEmpty)
    #expect(Self.hashWalks(source("var a: [Int] = [1, 2]\nfor b in a { }")).isEmpty)
    #expect(Self.hashWalks(source("var a = [f(x: 1), 2]\nfor b in a { }")).isEmpty)
    let blanked = source("let a = \"Date \\(b + \"Task\") \" // await\n/* Task /* */ */ let c = 1")
    #expect(blanked.tokens.map(\.text).contains("b"))
    #expect(!blanked.code.contains("Task") && !blanked.code.contains("await"))
    #expect(blanked.tokens.last?.line == 2)
    #expect(
      source("@testable internal import A\nimport struct B.C").imports.map(\.module) == ["A", "B"])
  }
}
