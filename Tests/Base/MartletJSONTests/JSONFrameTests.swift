import Foundation
import MartletBase
import MartletJSON
import Testing

/// Recorded WhiteBIT frames and replies, one a line, in the folder shared beside the package.
enum RecordedFrames {
  static let folder: URL? = {
    var place = URL(fileURLWithPath: #filePath)
    while place.path != "/" {
      place.deleteLastPathComponent()
      let frames = place.appending(path: "shared/data/frames/whitebit")
      if FileManager.default.fileExists(atPath: frames.path) { return frames }
    }
    return nil
  }()

  static func lines() throws -> [[UInt8]] {
    guard let folder else { return [] }
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    return try names.filter { $0.hasSuffix(".jsonl") }.flatMap { name in
      [UInt8](try Data(contentsOf: folder.appending(path: name)))
        .split(separator: 0x0a).map(Array.init)
    }
  }
}

/// Python's own reader, as a second opinion on many documents at once.
enum PythonReader {
  static let interpreter: URL? = {
    for folder in (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":") {
      let place = URL(fileURLWithPath: String(folder)).appending(path: "python3")
      if FileManager.default.isExecutableFile(atPath: place.path) { return place }
    }
    return nil
  }()

  /// One line for each document: `-` when refused, `~` when it holds half a surrogate pair, and
  /// otherwise what it means, in a form without any choice.
  private static let script = #"""
    import json, sys
    class Number(str): pass
    class Members(list): pass
    def refuse(word): raise ValueError(word)
    def form(value):
        if value is None: return "n"
        if value is True: return "t"
        if value is False: return "f"
        if isinstance(value, Number): return "#" + value
        if isinstance(value, str): return '"' + value.encode("utf-8").hex()
        if isinstance(value, Members):
            return "{" + ",".join(form(k) + ":" + form(v) for k, v in value) + "}"
        return "[" + ",".join(form(v) for v in value) + "]"
    with open(sys.argv[1]) as cases, open(sys.argv[2], "w") as answers:
        for line in cases:
            try:
                text = bytes.fromhex(line.strip()).decode("utf-8")
                answer = form(json.loads(text, parse_int=Number, parse_float=Number,
                    parse_constant=refuse, object_pairs_hook=Members))
            except UnicodeEncodeError:
                answer = "~"
            except (ValueError, RecursionError):
                answer = "-"
            answers.write(answer + "\n")
    """#

  static func read(_ documents: [[UInt8]]) throws -> [String] {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "martlet-json-\(ProcessInfo.processInfo.processIdentifier)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let cases = folder.appending(path: "cases")
    let answers = folder.appending(path: "answers")
    let lines = documents.map { $0.map { String(format: "%02x", $0) }.joined() }
    try Data(lines.joined(separator: "\n").utf8).write(to: cases)
    let process = Process()
    process.executableURL = interpreter
    process.arguments = ["-c", script, cases.path, answers.path]
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return String(decoding: try Data(contentsOf: answers), as: UTF8.self)
      .split(separator: "\n").map(String.init)
  }

  /// The same form, of our tree.
  static func form(_ value: JSONValue) -> String {
    switch value {
    case .null: "n"
    case .bool(let flag): flag ? "t" : "f"
    case .number(let text): "#" + text
    case .string(let text): form(text)
    case .array(let elements): "[" + elements.map(form).joined(separator: ",") + "]"
    case .object(let members):
      "{" + members.map { form($0.key) + ":" + form($0.value) }.joined(separator: ",") + "}"
    }
  }

  private static func form(_ text: String) -> String {
    "\"" + text.utf8.map { String(format: "%02x", $0) }.joined()
  }
}

@Suite struct JSONFrameTests {
  /// One document, changed in one to three places.
  private func changed(_ document: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
    var bytes = document
    let likely = Array("{}[]\",:\\u0123456789.eE+-tfn \n\u{1}d8".utf8)
    for _ in 0...random.below(3) where !bytes.isEmpty {
      let place = Int(random.below(UInt64(bytes.count)))
      let byte =
        random.chance(1, in: 5)
        ? UInt8(random.below(256)) : likely[Int(random.below(UInt64(likely.count)))]
      switch random.below(4) {
      case 0: bytes[place] = byte
      case 1: bytes.insert(byte, at: place)
      case 2: bytes.remove(at: place)
      default: bytes.swapAt(place, Int(random.below(UInt64(bytes.count))))
      }
    }
    return bytes
  }

  @Test(.enabled(if: RecordedFrames.folder != nil, "no ../shared/data/frames/whitebit here"))
  func recordedFramesAreReadAndEveryTruncationIsRefused() throws {
    let lines = try RecordedFrames.lines()
    #expect(lines.count >= 118)
    for (number, line) in lines.enumerated() {
      try #require(fault(in: line) == nil, "frame \(number)")
      let document = try JSONValue(line.span)
      var buffer = ByteBuffer()
      document.write(into: &buffer)
      try #require(try JSONValue(buffer.copy().span) == document, "frame \(number)")
      for length in line.indices {
        let cut = Array(line[..<length])
        guard let error = fault(in: cut) else {
          Issue.record("frame \(number) cut to \(length) bytes passes")
          continue
        }
        try #require(error.offset <= length, "frame \(number) cut to \(length)")
        try #require(
          error.found == (error.offset < length ? cut[error.offset] : nil), "frame \(number)")
      }
    }
  }

  /// The recorded bytes come out again as they were, in one style or the other.
  @Test(.enabled(if: RecordedFrames.folder != nil, "no ../shared/data/frames/whitebit here"))
  func recordedFramesAreWrittenByteForByte() throws {
    var exact = 0
    let lines = try RecordedFrames.lines()
    for line in lines {
      let document = try JSONValue(line.span)
      for style in [JSONWriter.Style.compact, .spaced] {
        var buffer = ByteBuffer()
        document.write(into: &buffer, style: style)
        if buffer.copy() == line {
          exact += 1
          break
        }
      }
    }
    #expect(exact >= lines.count * 9 / 10)
  }

  @Test(.enabled(if: PythonReader.interpreter != nil, "no python3 here"))
  func pythonReadsTheSameDocumentsTheSameWay() throws {
    var documents = try RecordedFrames.lines()
    for seed in UInt64(1)...300 {
      var random = SeededRandom(seed: seed)
      let document = Array(RandomDocument(&random).text.utf8)
      documents.append(document)
      for _ in 0..<10 { documents.append(changed(document, &random)) }
    }
    var random = SeededRandom(seed: 301)
    for line in try RecordedFrames.lines() {
      for _ in 0..<10 { documents.append(changed(line, &random)) }
    }
    let answers = try PythonReader.read(documents)
    try #require(answers.count == documents.count)
    var counts = (read: 0, refused: 0)
    for (document, answer) in zip(documents, answers) {
      let text = String(decoding: document, as: UTF8.self)
      do {
        let form = PythonReader.form(try JSONValue(document.span))
        counts.read += 1
        try #require(form == answer, "\(text)")
      } catch let error as JSONFault {
        counts.refused += 1
        switch error.expected {
        case .surrogate:
          // What is no JSON further on is refused by Python before it looks at the strings.
          try #require(answer == (fault(in: document) == nil ? "~" : "-"), "\(text): \(error)")
        case .shallowerNesting: continue  // Python reads deeper.
        default: try #require(answer == "-", "\(text): \(error)")
        }
      }
    }
    #expect(counts.read > 500 && counts.refused > 1_000)
  }

  @Test func garbageIsRefusedAndNeverTraps() {
    var passed = 0
    for seed in UInt64(1)...300 {
      var random = SeededRandom(seed: seed)
      let letters = Array("{}[]\",:\\u0aE+-.e tfnrulse\n".utf8)
      for _ in 0..<40 {
        let bytes = (0..<random.below(40)).map { _ in
          random.chance(1, in: 8)
            ? UInt8(random.below(256)) : letters[Int(random.below(UInt64(letters.count)))]
        }
        let error = fault(in: bytes)
        if let error {
          #expect(error.offset <= bytes.count, "seed \(seed)")
        } else {
          passed += 1
        }
        // The tree is made of what the cursor lets through, save half a surrogate pair.
        do {
          _ = try JSONValue(bytes.span)
          #expect(error == nil, "seed \(seed)")
        } catch {
          #expect(fault(in: bytes) != nil || error.expected == .surrogate, "seed \(seed)")
        }
      }
    }
    #expect(passed < 1_000)
  }
}
