public import MartletBase

/// A whole JSON document as a tree, for start-up, reports and tests; the path uses the cursor.
///
/// - Shape: keys keep their order and their duplicates; numbers keep their text.
public indirect enum JSONValue: Equatable, Sendable {
  public struct Member: Equatable, Sendable {
    public var key: String
    public var value: JSONValue
    public init(_ key: String, _ value: JSONValue) {
      self.key = key
      self.value = value
    }
  }

  case null
  case bool(Bool)
  /// As it stands; when made by hand, it must be a number of JSON.
  case number(String)
  case string(String)
  case array([JSONValue])
  case object([Member])

  /// Reads one document.
  ///
  /// - Throws: `JSONFault` when `text` is not one JSON value, or is nested deeper than 64.
  public init(_ text: Span<UInt8>) throws(JSONFault) {
    var cursor = JSONCursor()
    self = try JSONValue(from: &cursor, in: text)
    try cursor.end(in: text)
  }

  /// Reads the value that stands next.
  public init(from cursor: inout JSONCursor, in text: Span<UInt8>) throws(JSONFault) {
    switch try cursor.kind(in: text) {
    case .object:
      var members: [Member] = []
      try cursor.beginObject(in: text)
      while let key = try cursor.nextKey(in: text) {
        let name = try key.decoded(in: text)
        members.append(Member(name, try JSONValue(from: &cursor, in: text)))
      }
      self = .object(members)
    case .array:
      var elements: [JSONValue] = []
      try cursor.beginArray(in: text)
      while try cursor.nextElement(in: text) {
        elements.append(try JSONValue(from: &cursor, in: text))
      }
      self = .array(elements)
    case .string: self = .string(try cursor.string(in: text).decoded(in: text))
    case .number: self = .number(try cursor.numberText(in: text).decoded(in: text))
    case .true, .false: self = .bool(try cursor.bool(in: text))
    case .null:
      try cursor.null(in: text)
      self = .null
    }
  }

  /// Writes the document behind what `buffer` holds.
  public func write(into buffer: inout ByteBuffer, style: JSONWriter.Style = .compact) {
    var writer = JSONWriter(style: style)
    write(with: &writer, into: &buffer)
  }

  /// Writes this as the next value of `writer`.
  public func write(with writer: inout JSONWriter, into buffer: inout ByteBuffer) {
    switch self {
    case .null: writer.null(into: &buffer)
    case .bool(let value): writer.bool(value, into: &buffer)
    case .number(let digits):
      let bytes = Array(digits.utf8)
      writer.json(bytes.span, into: &buffer)
    case .string(let value): writer.string(text: value, into: &buffer)
    case .array(let elements):
      writer.beginArray(into: &buffer)
      for element in elements { element.write(with: &writer, into: &buffer) }
      writer.endArray(into: &buffer)
    case .object(let members):
      writer.beginObject(into: &buffer)
      for member in members {
        writer.key(text: member.key, into: &buffer)
        member.value.write(with: &writer, into: &buffer)
      }
      writer.endObject(into: &buffer)
    }
  }

  /// The value under `key`, the last one where there are several; nil when there is none or this
  /// is no object.
  public subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.key == key }?.value
  }

  /// The element at `index`; nil beyond the end or when this is no array.
  public subscript(index: Int) -> JSONValue? {
    guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
    return elements[index]
  }

  /// The text of a string or of a number; nil for others.
  public var text: String? {
    switch self {
    case .string(let text), .number(let text): text
    case .null, .bool, .array, .object: nil
    }
  }
}

extension JSONValue: CustomStringConvertible {
  /// The document, compact.
  public var description: String {
    var buffer = ByteBuffer()
    write(into: &buffer)
    return String(buffer.span)
  }
}
