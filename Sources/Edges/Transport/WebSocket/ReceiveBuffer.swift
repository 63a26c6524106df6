internal import MartletBase

/// Bytes received and not yet consumed: one contiguous buffer with one owner, kept and reused.
///
/// The socket is read straight into its spare room, and frames are unmasked where they lie. It moves
/// what is left to the front, or doubles, only when the room at the end runs out; whoever drains it
/// bounds it, by refusing what would not fit. Pointers because every received byte passes here.
@safe struct ReceiveBuffer: ~Copyable {
  private var storage: UnsafeMutablePointer<UInt8>
  private var capacity: Int
  private var head = 0
  private var tail = 0

  /// Bytes waiting.
  var count: Int { tail &- head }

  init(capacity: Int) {
    self.capacity = max(capacity, 64)
    unsafe storage = .allocate(capacity: self.capacity)
    // Initialized once, so that all of it may be lent out for writing ever after.
    unsafe storage.initialize(repeating: 0, count: self.capacity)
  }

  // Allocated in `init` or `makeRoom`, and lent only to calls that have ended.
  deinit { unsafe storage.deallocate() }

  subscript(offset: Int) -> UInt8 {
    precondition(offset >= 0 && offset < count, "byte \(offset) of \(count)")
    // Checked to be a byte that was received.
    return unsafe storage[head &+ offset]
  }

  /// `length` waiting bytes from `offset` on; borrowed until the next change.
  @_lifetime(borrow self)
  func span(from offset: Int, count length: Int) -> Span<UInt8> {
    precondition(offset >= 0 && length >= 0 && offset <= count - length, "span of \(count)")
    // The range was checked to lie within the bytes that were received.
    let bytes = unsafe UnsafeBufferPointer(start: storage + head + offset, count: length)
    return unsafe _overrideLifetime(Span(_unsafeElements: bytes), borrowing: self)
  }

  /// Appends `length` waiting bytes from `offset` on to `output`.
  func copy(from offset: Int, count length: Int, to output: inout ByteBuffer) {
    output.append(span(from: offset, count: length))
  }

  /// Runs `validator` over `length` waiting bytes from `offset` on.
  func check(from offset: Int, count length: Int, with validator: inout UTF8Validator) -> Bool {
    validator.accept(span(from: offset, count: length))
  }

  /// Drops the first `length` waiting bytes.
  mutating func consume(_ length: Int) {
    precondition(length >= 0 && length <= count, "consume \(length) of \(count)")
    head &+= length
    if head == tail {
      head = 0
      tail = 0
    }
  }

  /// Lends spare room of at least `room` bytes to `body`, which says how many it filled.
  ///
  /// - Returns: what `body` returned; bytes are added when it is positive.
  mutating func fill(room: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
    makeRoom(room)
    // From `tail` to `capacity` nothing is lent to anyone else.
    let spare = unsafe UnsafeMutableRawBufferPointer(start: storage + tail, count: capacity - tail)
    let filled = unsafe body(spare)
    precondition(filled <= spare.count, "\(filled) bytes written into \(spare.count)")
    if filled > 0 { tail &+= filled }
    return filled
  }

  mutating func append(_ bytes: Span<UInt8>) {
    let length = bytes.count
    if length == 0 { return }
    makeRoom(length)
    unsafe bytes.withUnsafeBufferPointer { source in
      // Not nil, as it has bytes; the room was made above.
      unsafe (storage + tail).update(from: source.baseAddress.unsafelyUnwrapped, count: length)
    }
    tail &+= length
  }

  /// Removes the mask `key` (in memory order) from `length` bytes at `offset`, where they lie.
  mutating func unmask(from offset: Int, count length: Int, key: UInt32) {
    precondition(offset >= 0 && length >= 0 && offset <= count - length, "unmask of \(count)")
    // The range was checked.
    let bytes = unsafe UnsafeMutableRawBufferPointer(start: storage + head + offset, count: length)
    unsafe WebSocketMask.apply(key, to: bytes)
  }

  private mutating func makeRoom(_ room: Int) {
    if capacity &- tail >= room { return }
    let waiting = count
    // What moves was received, and fits where it goes: into a larger room, or to this one's front.
    // Doubling when more than half is in use keeps the moving linear in what is received.
    if waiting + room > capacity || waiting > capacity / 2 {
      let larger = max(waiting + room, capacity * 2)
      let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
      unsafe moved.initialize(repeating: 0, count: larger)
      unsafe moved.update(from: storage + head, count: waiting)
      unsafe storage.deallocate()
      unsafe storage = moved
      capacity = larger
    } else {
      unsafe storage.update(from: storage + head, count: waiting)
    }
    head = 0
    tail = waiting
  }
}
