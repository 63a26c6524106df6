internal import CMartletCrypto

/// Bytes that nobody may see: one copy, wiped when the last owner lets go, and `<redacted>` to
/// everything that prints, describes or mirrors.
@safe public final class Secret: @unchecked Sendable {
  // Written in `init` alone, so any thread may read it.
  private let storage: UnsafeMutableBufferPointer<UInt8>

  /// Keeps a copy. Whoever has the original wipes that.
  public init(copying bytes: Span<UInt8>) {
    unsafe storage = .allocate(capacity: bytes.count)
    unsafe bytes.withUnsafeBufferPointer { source in
      // As many as were allocated.
      _ = unsafe storage.initialize(from: source)
    }
  }

  /// Keeps a copy of `bytes` and wipes them.
  convenience init(taking bytes: inout [UInt8]) {
    self.init(copying: bytes.span)
    Secret.wipe(&bytes)
  }

  deinit {
    unsafe cmartlet_wipe(storage.baseAddress, storage.count)
    unsafe storage.deallocate()
  }

  public var count: Int { span.count }

  /// The bytes themselves, for as long as the owner lives.
  public var span: Span<UInt8> {
    @_lifetime(borrow self)
    get {
      // Initialized whole in `init`, freed in `deinit`.
      let bytes = unsafe UnsafeBufferPointer(storage)
      return unsafe _overrideLifetime(Span(_unsafeElements: bytes), borrowing: self)
    }
  }

  /// Whether both are the same bytes, in a time that does not tell where they differ.
  public func isEqual(to other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    return unsafe other.withUnsafeBufferPointer { other in
      // Both are `count` bytes long.
      unsafe cmartlet_equal(storage.baseAddress, other.baseAddress, count) == 1
    }
  }

  /// Overwrites with zeros in a way that no compiler leaves out, and empties.
  static func wipe(_ bytes: inout [UInt8]) {
    unsafe bytes.withUnsafeMutableBytes { unsafe cmartlet_wipe($0.baseAddress, $0.count) }
    bytes.removeAll()
  }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  public var description: String { "<redacted>" }
  public var debugDescription: String { "<redacted>" }
  public var customMirror: Mirror { Mirror(self, children: []) }
}
