internal import MartletBase

/// The fields of a request, written into one buffer that is kept from request to request.
public struct RESTHeaders: ~Copyable {
  /// More fields are refused.
  public static let limit = 60

  // `Name: value` and a zero byte for each field, as the library's shim takes them.
  private(set) var lines = ByteBuffer(capacity: 1_024)
  public private(set) var count = 0

  public init() {}

  /// Fields that do not change; those that cannot stand in a head are refused.
  public init(_ headers: [HTTPHeader]) throws(HTTPFault) {
    for header in headers {
      guard HTTPText.isSafe(header), count < Self.limit else {
        throw .malformedField(index: count)
      }
      lines.append(text: header.name)
      lines.append(": ")
      lines.append(text: header.value)
      lines.append(0)
      count += 1
    }
  }

  public mutating func removeAll() {
    lines.removeAll()
    count = 0
  }

  /// Appends a field.
  ///
  /// - Parameter value: not empty, and without control characters, so that it cannot end its line.
  /// - Throws: `malformedField` otherwise, and for more than `limit` fields; nothing is appended.
  public mutating func append(_ name: StaticString, _ value: Span<UInt8>) throws(HTTPFault) {
    guard count < Self.limit, value.count > 0 else { throw .malformedField(index: count) }
    for index in value.indices {
      guard HTTPText.isFieldValue(value[index]) else { throw .malformedField(index: count) }
    }
    lines.append(name)
    lines.append(": ")
    lines.append(value)
    lines.append(0)
    count += 1
  }
}
