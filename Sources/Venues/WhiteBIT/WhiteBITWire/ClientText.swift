public import MartletBase
public import MartletModel

/// A client order id as the venue allows it: up to 64 bytes, where ours are at most 32.
///
/// - Source: WhiteBIT docs, client order id guide: letters, digits, `-`, `.`, `_`, at most 64.
@frozen public struct ClientText: Hashable, Sendable, BitwiseCopyable {
  @inlinable public static var capacity: Int { 64 }
  /// The first 32 bytes.
  public let head: InlineText
  /// What follows; empty for an id of ours.
  public let tail: InlineText

  @inlinable public init() {
    head = InlineText()
    tail = InlineText()
  }

  @inlinable public init(_ id: ClientOrderID) {
    head = id.text
    tail = InlineText()
  }

  /// - Returns: nil when `bytes` are more than 64 or hold a zero.
  @inlinable public init?(_ bytes: Span<UInt8>) {
    if bytes.count <= InlineText.capacity {
      guard let short = InlineText(bytes) else { return nil }
      head = short
      tail = InlineText()
    } else {
      guard bytes.count <= ClientText.capacity,
        let first = InlineText(bytes.extracting(0..<InlineText.capacity)),
        let rest = InlineText(bytes.extracting(InlineText.capacity..<bytes.count))
      else { return nil }
      head = first
      tail = rest
    }
  }

  /// - Returns: nil when `text` is longer than 64 bytes of UTF-8 or holds a zero.
  public init?(text: String) {
    let bytes = Array(text.utf8)
    self.init(bytes.span)
  }

  @inlinable public var isEmpty: Bool { head.isEmpty }

  /// The id as one of ours; nil when it is longer than ours ever are.
  @inlinable public var clientOrderID: ClientOrderID? {
    tail.isEmpty ? ClientOrderID(head) : nil
  }
}

extension ClientText: CustomStringConvertible {
  public var description: String { head.description + tail.description }
}
