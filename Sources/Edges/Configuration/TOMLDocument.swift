internal import CMartletTOML

/// A place in a configuration file, both counted from 1.
public struct TextPosition: Hashable, Comparable, Sendable {
  public let line: Int
  public let column: Int
  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }
  public static func < (lhs: TextPosition, rhs: TextPosition) -> Bool {
    (lhs.line, lhs.column) < (rhs.line, rhs.column)
  }
}

/// A value of a TOML document.
public enum TOMLValue: Equatable, Sendable {
  case string(String)
  case integer(Int64)
  case boolean(Bool)
  /// Its digits are not kept: no number that matters is given as one.
  case float
  case time
  case array([TOMLItem])
  case table(TOMLTable)

  /// What a message calls a value of this kind.
  public var kind: String {
    switch self {
    case .string: "a string"
    case .integer: "an integer"
    case .boolean: "a boolean"
    case .float: "a floating-point number"
    case .time: "a date or time"
    case .array: "an array"
    case .table: "a table"
    }
  }
}

/// A value and where it stands.
public struct TOMLItem: Equatable, Sendable {
  public let value: TOMLValue
  public let position: TextPosition
  public init(_ value: TOMLValue, at position: TextPosition) {
    self.value = value
    self.position = position
  }
}

/// Names and values in the order of the file.
public struct TOMLTable: Equatable, Sendable {
  public struct Entry: Equatable, Sendable {
    public let key: String
    public let item: TOMLItem
  }
  public let entries: [Entry]
  public init(entries: [Entry]) { self.entries = entries }
  public subscript(key: String) -> TOMLItem? { entries.first { $0.key == key }?.item }
}

/// Why a text is no TOML document.
public struct TOMLFault: Error, Equatable, Sendable {
  public let position: TextPosition
  public let message: String
}

extension TOMLTable {
  /// The largest text read.
  public static let maximumBytes = 65_536

  /// Reads a TOML 1.0 document.
  ///
  /// - Throws: at the first place that is none; for a text larger than `maximumBytes`, and for
  ///   tables and arrays nested more than 32 deep.
  public init(parsing text: Span<UInt8>) throws(TOMLFault) {
    guard text.count <= TOMLTable.maximumBytes else {
      throw TOMLFault(
        position: TextPosition(line: 1, column: 1),
        message:
          "expected at most \(TOMLTable.maximumBytes) bytes, found \(text.count)")
    }
    try TOMLTable.checkDots(in: text)
    var fault = cmartlet_toml_fault()
    let document = unsafe text.withUnsafeBytes {
      // The text is read during the call; the document is freed below.
      unsafe cmartlet_toml_parse(
        $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count, &fault)
    }
    guard let document = unsafe document else {
      let message = unsafe withUnsafeBytes(of: fault.message) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      throw TOMLFault(
        position: TextPosition(line: Int(fault.line), column: Int(fault.column)), message: message)
    }
    defer { unsafe cmartlet_toml_free(document) }
    let nodes = unsafe (0..<cmartlet_toml_count(document)).map {
      // Below the count; its texts live as long as the document.
      unsafe Node(cmartlet_toml_node_at(document, $0))
    }
    self = TOMLTable.table(0, nodes)
  }

  /// A node whose texts have been copied.
  private struct Node {
    let kind: Int
    let parent: Int
    let key: String
    let text: String
    let integer: Int64
    let position: TextPosition

    @unsafe init(_ node: cmartlet_toml_node) {
      kind = unsafe Int(node.kind)
      parent = unsafe Int(node.parent)
      key = unsafe Node.text(node.key, node.key_length)
      text = unsafe Node.text(node.text, node.text_length)
      integer = unsafe node.integer
      position = unsafe TextPosition(line: Int(node.line), column: Int(node.column))
    }

    @unsafe private static func text(_ start: UnsafePointer<CChar>, _ length: Int) -> String {
      // As many bytes as the shim says stand there.
      let bytes = unsafe UnsafeRawBufferPointer(start: start, count: length)
      return unsafe String(decoding: bytes, as: UTF8.self)
    }
  }

  private static func children(of parent: Int, _ nodes: [Node]) -> [Int] {
    nodes.indices.filter { nodes[$0].parent == parent }
  }

  private static func table(_ index: Int, _ nodes: [Node]) -> TOMLTable {
    TOMLTable(
      entries: children(of: index, nodes).map {
        Entry(key: nodes[$0].key, item: item($0, nodes))
      })
  }

  private static func item(_ index: Int, _ nodes: [Node]) -> TOMLItem {
    let node = nodes[index]
    let value: TOMLValue =
      switch node.kind {
      case CMARTLET_TOML_TABLE: .table(table(index, nodes))
      case CMARTLET_TOML_ARRAY: .array(children(of: index, nodes).map { item($0, nodes) })
      case CMARTLET_TOML_STRING: .string(node.text)
      case CMARTLET_TOML_INTEGER: .integer(node.integer)
      case CMARTLET_TOML_FLOAT: .float
      case CMARTLET_TOML_BOOLEAN: .boolean(node.integer != 0)
      default: .time
      }
    return TOMLItem(value, at: node.position)
  }

  /// Each dot of a name makes a table within a table, and the library takes them apart by recursion
  /// without a bound of its own: a few bytes a level would run a thread's stack over.
  static let mostDots = 64

  /// Refuses lines with more dots than anybody needs.
  private static func checkDots(in text: Span<UInt8>) throws(TOMLFault) {
    var line = 1
    var dots = 0
    for index in 0..<text.count {
      if text[index] == 10 {
        line += 1
        dots = 0
      } else if text[index] == 46 {
        dots += 1
        if dots > mostDots {
          throw TOMLFault(
            position: TextPosition(line: line, column: 1),
            message: "expected at most \(mostDots) dots in a line, found more")
        }
      }
    }
  }
}
