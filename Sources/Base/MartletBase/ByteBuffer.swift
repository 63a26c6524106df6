/// Bytes being written: one contiguous buffer with one owner, kept and reused from step to step.
///
/// It grows by doubling when it must; a hot path reserves once and then never allocates. Pointers
/// because every byte that leaves the house is written through here (HOTPATH, section 8).
@safe @frozen public struct ByteBuffer: ~Copyable {
  @usableFromInline var storage: UnsafeMutablePointer<UInt8>
  @usableFromInline var reserved: Int
  @usableFromInline var written: Int = 0

  /// Bytes reserved.
  @inlinable public var capacity: Int { reserved }
  /// Bytes written.
  @inlinable public var count: Int { written }

  /// - Parameter capacity: bytes reserved now, at least 16.
  public init(capacity: Int = 256) {
    reserved = Swift.max(capacity, 16)
    unsafe storage = .allocate(capacity: reserved)
  }

  deinit { unsafe storage.deallocate() }

  /// The bytes written so far; borrowed until the next change.
  @inlinable public var span: Span<UInt8> {
    @_lifetime(borrow self)
    get {
      // `storage` holds `count` initialized bytes and lives while `self` is borrowed.
      let bytes = unsafe UnsafeBufferPointer(start: storage, count: count)
      return unsafe _overrideLifetime(Span(_unsafeElements: bytes), borrowing: self)
    }
  }

  @inlinable public subscript(index: Int) -> UInt8 {
    get {
      precondition(index >= 0 && index < count, "byte \(index) of \(count)")
      return unsafe storage[index]
    }
    set {
      precondition(index >= 0 && index < count, "byte \(index) of \(count)")
      unsafe storage[index] = newValue
    }
  }

  /// Makes room for `more` bytes beyond `count`.
  @inlinable public mutating func reserve(_ more: Int) {
    if more > capacity &- count { grow(to: count + more) }
  }

  @usableFromInline mutating func grow(to needed: Int) {
    let larger = Swift.max(needed, capacity * 2)
    let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
    unsafe moved.moveInitialize(from: storage, count: count)
    unsafe storage.deallocate()
    unsafe storage = moved
    reserved = larger
  }

  /// Forgets the content and keeps the room.
  @inlinable public mutating func removeAll() { written = 0 }

  /// Forgets what was written after the first `length` bytes.
  @inlinable public mutating func truncate(to length: Int) {
    precondition(length >= 0 && length <= count, "truncate \(count) to \(length)")
    written = length
  }

  @inlinable public mutating func append(_ byte: UInt8) {
    if count == capacity { grow(to: count + 1) }
    unsafe (storage + count).initialize(to: byte)
    written &+= 1
  }

  @inlinable public mutating func append(_ bytes: Span<UInt8>) {
    let length = bytes.count
    if length == 0 { return }
    reserve(length)
    unsafe bytes.withUnsafeBufferPointer { source in
      // Not nil: `length` > 0. The room was reserved above.
      unsafe (storage + count).initialize(from: source.baseAddress.unsafelyUnwrapped, count: length)
    }
    written &+= length
  }

  /// Appends `length` bytes that `initialize` writes, every one of them.
  ///
  /// For writers that work in words or through a C function; the pointer is good for the call only.
  @inlinable public mutating func append(
    count length: Int, initializingWith initialize: (UnsafeMutableRawBufferPointer) -> Void
  ) {
    precondition(length >= 0, "append \(length) bytes")
    reserve(length)
    // The room was reserved above, and no one else has the pointer.
    unsafe initialize(UnsafeMutableRawBufferPointer(start: storage + count, count: length))
    written &+= length
  }

  /// Appends a literal without a `String`.
  @inlinable public mutating func append(_ text: StaticString) {
    let length = text.utf8CodeUnitCount
    reserve(length)
    // A static string with a pointer representation lives for the whole process.
    unsafe (storage + count).initialize(from: text.utf8Start, count: length)
    written &+= length
  }

  // Disfavored, so that a literal is a static string and not inline text.
  @_disfavoredOverload
  @inlinable public mutating func append(_ text: InlineText) {
    reserve(InlineText.capacity)
    // The room for all of it was reserved above; what is padding is written and does not count.
    let target = unsafe UnsafeMutableRawPointer(storage + count)
    for index in 0..<4 {
      unsafe target.storeBytes(
        of: text.word(index).bigEndian, toByteOffset: index &* 8, as: UInt64.self)
    }
    written &+= text.count
  }

  /// Appends text of any length; for start-up and reports, not for the hot path.
  public mutating func append(text: String) {
    for byte in text.utf8 { append(byte) }
  }

  /// Appends `value` in decimal.
  @inlinable public mutating func append<Value: FixedWidthInteger>(decimal value: Value) {
    var digits = InlineArray<40, UInt8>(repeating: 0)
    var length = 0
    var rest = value.magnitude
    repeat {
      let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
      digits[length] = UInt8(truncatingIfNeeded: digit) &+ 48
      length &+= 1
      rest = quotient
    } while rest != 0
    if value < 0 { append(45) }
    reserve(length)
    while length > 0 {
      length &-= 1
      unsafe (storage + count).initialize(to: digits[length])
      written &+= 1
    }
  }

  /// Appends `value` in decimal, padded with zeros on the left to `width` digits.
  ///
  /// - Bounds: `value` and `width` ≥ 0, and `value` at most `width` digits long, or it traps.
  @inlinable public mutating func append(decimal value: Int64, width: Int) {
    precondition(value >= 0 && width >= 0, "\(value) padded to \(width) digits")
    reserve(width)
    var rest = value
    var index = width
    while index > 0 {
      index &-= 1
      unsafe (storage + count + index).initialize(to: UInt8(truncatingIfNeeded: rest % 10) &+ 48)
      rest /= 10
    }
    precondition(rest == 0, "\(value) has more than \(width) digits")
    written &+= width
  }

  /// A copy as an array.
  public func copy() -> [UInt8] {
    let count = count
    return unsafe [UInt8](unsafeUninitializedCapacity: count) { target, length in
      // `storage` holds `count` initialized bytes, and the array has room for as many.
      unsafe target.baseAddress?.initialize(from: storage, count: count)
      length = count
    }
  }
}

// One owner, no reference shared: moving it to another thread moves the bytes.
extension ByteBuffer: @unchecked Sendable {}

extension String {
  /// The text of UTF-8 `bytes`; what is not UTF-8 is replaced.
  public init(_ bytes: Span<UInt8>) {
    self = unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
  }
}
