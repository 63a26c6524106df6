/// Text that is not JSON, or JSON that is not what the reader asked for.
@frozen public struct JSONFault: Error, Hashable, Sendable, BitwiseCopyable {
  /// What the grammar, or the caller, would have accepted.
  @frozen public enum Expected: UInt8, Sendable, BitwiseCopyable {
    case value
    case object
    case array
    case string
    case number
    /// A number without fraction or exponent that fits the type asked for.
    case integer
    case bool
    case null
    case key
    case colon
    case commaOrBrace
    case commaOrBracket
    case closingQuote
    case digit
    /// One of the eight short escapes, or `u`.
    case escape
    case hexDigit
    /// The second half of a surrogate pair.
    case surrogate
    case utf8
    /// At most 32 bytes of text, none of them zero.
    case shortText
    /// Nesting of at most 64.
    case shallowerNesting
    /// The closing brace or bracket of what was begun.
    case containerEnd
    /// Nothing but white space.
    case end
  }

  /// Bytes before the fault.
  public let offset: Int
  public let expected: Expected
  /// The byte there; nil when the text ends.
  public let found: UInt8?

  @inlinable public init(offset: Int, expected: Expected, found: UInt8?) {
    self.offset = offset
    self.expected = expected
    self.found = found
  }

  @usableFromInline init(_ expected: Expected, at offset: Int, in text: Span<UInt8>) {
    self.offset = offset
    self.expected = expected
    found = offset >= 0 && offset < text.count ? text[offset] : nil
  }
}

extension JSONFault: CustomStringConvertible {
  public var description: String {
    let wanted =
      switch expected {
      case .value: "a value"
      case .object: "an object"
      case .array: "an array"
      case .string: "a string"
      case .number: "a number"
      case .integer: "a whole number that fits"
      case .bool: "true or false"
      case .null: "null"
      case .key: "a key"
      case .colon: "a colon"
      case .commaOrBrace: "a comma or a closing brace"
      case .commaOrBracket: "a comma or a closing bracket"
      case .closingQuote: "a closing quote, and no bare control character before it"
      case .digit: "a digit"
      case .escape: "an escape of JSON"
      case .hexDigit: "a hexadecimal digit"
      case .surrogate: "a whole surrogate pair"
      case .utf8: "UTF-8"
      case .shortText: "text of at most 32 bytes without a zero"
      case .shallowerNesting: "nesting of at most 64"
      case .containerEnd: "the end of every object and array that was begun"
      case .end: "nothing more"
      }
    // The byte as a number: what a venue sent is not to be trusted with a terminal.
    let seen = found.map { "byte \($0)" } ?? "the end"
    return "JSON: expected \(wanted) at offset \(offset), found \(seen)"
  }
}
