internal import CMartletCrypto
internal import CMartletSodium

/// Bytes that nobody may see: one copy, in memory of its own that is kept out of swap and of core
/// dumps, wiped when the last owner lets go, and `<redacted>` to everything that prints, describes or
/// mirrors.
///
/// - Bounds: each takes four pages of address space and one that is locked in memory. Past the
///   process's limit of locked memory (`ulimit -l`) it may be swapped; all else still holds.
@safe public final class Secret: @unchecked Sendable {
  // Written in `init` alone, so any thread may read it.
  private let storage: UnsafeMutableRawPointer
  public let count: Int

  /// Keeps a copy. Whoever has the original wipes that.
  public convenience init(copying bytes: Span<UInt8>) {
    unsafe self.init(capacity: bytes.count) { room in
      // As many bytes of room as there are.
      unsafe bytes.withUnsafeBytes { unsafe room.copyMemory(from: $0) }
      return bytes.count
    }
  }

  /// Lets `fill` write the bytes where they stay, so that there never is another copy.
  ///
  /// - Parameters:
  ///   - capacity: how much room `fill` gets; zeros at first.
  ///   - fill: says how many bytes it has written.
  @unsafe init<Fault: Error>(
    capacity: Int, fill: (UnsafeMutableRawBufferPointer) throws(Fault) -> Int
  ) throws(Fault) {
    let size = max(capacity, 1)
    guard let room = unsafe cmartlet_guarded_allocate(size) else {
      preconditionFailure("no memory for a secret of \(capacity) bytes")
    }
    let bytes = unsafe UnsafeMutableRawBufferPointer(start: room, count: capacity)
    unsafe room.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    do throws(Fault) {
      count = try unsafe fill(bytes)
    } catch {
      unsafe cmartlet_guarded_free(room)
      throw error
    }
    precondition(count >= 0 && count <= capacity, "a secret larger than its room")
    unsafe cmartlet_guarded_freeze(room)
    unsafe storage = room
  }

  deinit {
    // Wipes it too.
    unsafe cmartlet_guarded_free(storage)
  }

  /// The bytes themselves, for as long as the owner lives.
  public var span: Span<UInt8> {
    @_lifetime(borrow self)
    get {
      // Initialized whole in `init`, freed in `deinit`.
      let bytes = unsafe UnsafeRawBufferPointer(start: storage, count: count)
      return unsafe _overrideLifetime(
        Span(_unsafeElements: bytes.assumingMemoryBound(to: UInt8.self)), borrowing: self)
    }
  }

  /// Whether both are the same bytes, in a time that does not tell where they differ.
  public func isEqual(to other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    return unsafe other.withUnsafeBufferPointer { other in
      // Both are `count` bytes long.
      unsafe cmartlet_equal(storage, other.baseAddress, count) == 1
    }
  }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  public var description: String { "<redacted>" }
  public var debugDescription: String { "<redacted>" }
  public var customMirror: Mirror { Mirror(self, children: []) }
}
