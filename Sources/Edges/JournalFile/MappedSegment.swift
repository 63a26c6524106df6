internal import CMartletLinux
internal import Glibc
internal import MartletRecord
internal import Synchronization

/// One segment's open file and its mapping. A plain value: whoever holds it last calls `close`.
@safe public struct MappedSegment: @unchecked Sendable {
  /// Of its file; -1 of one that is in memory alone, -2 of such a one that is ours.
  let descriptor: Int32
  public let number: UInt32
  let start: UnsafeMutableRawPointer
  public let bytes: Int

  private init(descriptor: Int32, number: UInt32, start: UnsafeMutableRawPointer, bytes: Int) {
    self.descriptor = descriptor
    self.number = number
    unsafe self.start = unsafe start
    self.bytes = bytes
  }

  /// A segment in memory that is not ours: `bytes` bytes at `start`, which lies at a multiple of eight
  /// and stays there for as long as this is used.
  @unsafe public init(memory start: UnsafeMutableRawPointer, number: UInt32, bytes: Int) {
    unsafe self.init(descriptor: -1, number: number, start: start, bytes: bytes)
  }

  /// A segment of zeros in memory alone, which takes room as far as it is written.
  static func blank(_ number: UInt32, bytes: Int) throws(JournalFault) -> MappedSegment {
    let start = unsafe mmap(
      nil, max(bytes, 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    // No mapping begins at the highest address, which is what a failure gives.
    guard unsafe start != MAP_FAILED, let start = unsafe start else {
      throw .system(call: "mmap", path: "\(bytes) bytes of memory", errno: errno)
    }
    return unsafe MappedSegment(descriptor: -2, number: number, start: start, bytes: bytes)
  }

  /// Creates, or extends, a segment's file, reserves its blocks and makes its pages present, so
  /// that no store into it can find the disk full or has to wait for a page.
  ///
  /// - Parameter isNew: a new file must not exist, and is removed again when this fails.
  static func prepare(
    _ number: UInt32, at path: String, bytes: Int, isNew: Bool
  ) throws(JournalFault) -> MappedSegment {
    let flags = O_RDWR | (isNew ? O_CREAT | O_EXCL : 0)
    let descriptor = Paths.open(path, flags)
    guard descriptor >= 0 else {
      throw .failed("open", path, errno: errno, neededBytes: bytes)
    }
    var result = cmartlet_allocate(descriptor, 0, Int64(bytes))
    var start: UnsafeMutableRawPointer?
    var call = "fallocate"
    if result >= 0 {
      call = "mmap"
      result = unsafe cmartlet_map(descriptor, 0, bytes, true, &start)
    }
    if result >= 0, let start = unsafe start {
      call = "madvise"
      // The mapping was made just now and is `bytes` long.
      result = unsafe cmartlet_touch(start, bytes)
      if result >= 0 {
        return unsafe MappedSegment(
          descriptor: descriptor, number: number, start: start, bytes: bytes)
      }
      unsafe cmartlet_unmap(start, bytes)
    }
    Glibc.close(descriptor)
    if isNew { _ = Paths.remove(path) }
    throw .failed(call, path, errno: -result, neededBytes: bytes)
  }

  /// Maps a segment's file for reading, as long as it is now.
  ///
  /// - Returns: nil when there is no such file, or when it is empty.
  static func map(_ number: UInt32, at path: String) throws(JournalFault) -> MappedSegment? {
    let descriptor = Paths.open(path, O_RDONLY)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw .failed("open", path, errno: errno)
    }
    let length = lseek(descriptor, 0, SEEK_END)
    guard length != 0 else {
      Glibc.close(descriptor)
      return nil
    }
    var start: UnsafeMutableRawPointer?
    let result =
      length < 0 ? -errno : unsafe cmartlet_map(descriptor, 0, Int(length), false, &start)
    guard result >= 0, let start = unsafe start else {
      Glibc.close(descriptor)
      throw .failed("mmap", path, errno: -result)
    }
    return unsafe MappedSegment(
      descriptor: descriptor, number: number, start: start, bytes: Int(length))
  }

  /// The whole segment. Valid until `close`; the caller keeps the two in order.
  var span: Span<UInt8> {
    @_lifetime(immortal)
    get {
      // `bytes` bytes are mapped at `start`.
      let bytes = unsafe UnsafeBufferPointer(
        start: start.assumingMemoryBound(to: UInt8.self), count: bytes)
      return unsafe _overrideLifetime(Span(_unsafeElements: bytes), copying: ())
    }
  }

  /// Some of the segment's bytes. Valid until `close`.
  @_lifetime(immortal)
  func raw(_ offset: Int, _ count: Int) -> RawSpan {
    precondition(offset >= 0 && count >= 0 && offset <= bytes - count, "outside the segment")
    let span = unsafe RawSpan(_unsafeStart: start + offset, byteCount: count)
    return unsafe _overrideLifetime(span, copying: ())
  }

  func copy(_ source: Span<UInt8>, to offset: Int) {
    let count = source.count
    precondition(offset >= 0 && offset <= bytes - count, "outside the segment")
    if count == 0 { return }
    // Not nil, because not empty; the room was checked above and the two never overlap.
    unsafe source.withUnsafeBytes {
      unsafe (start + offset).copyMemory(
        from: $0.baseAddress.unsafelyUnwrapped, byteCount: count)
    }
  }

  /// Puts link and header around a payload that lies in its place.
  func lay(_ record: SealedRecord, at offset: Int, linkAt linkOffset: Int) {
    precondition(offset >= 0 && offset % RecordFraming.alignment == 0, "a crooked record")
    precondition(
      linkOffset >= offset + RecordFraming.headerBytes
        && linkOffset <= bytes - RecordFraming.linkBytes, "outside the segment")
    let link = unsafe start + linkOffset
    // Both places were checked above, and a mapping begins at a page.
    unsafe link.storeBytes(of: record.link.words.0, as: UInt64.self)
    unsafe link.storeBytes(of: record.link.words.1, toByteOffset: 8, as: UInt64.self)
    unsafe link.storeBytes(of: record.link.words.2, toByteOffset: 16, as: UInt64.self)
    unsafe link.storeBytes(of: record.link.words.3, toByteOffset: 24, as: UInt64.self)
    let header = unsafe start + offset
    unsafe header.storeBytes(of: record.header[1], toByteOffset: 8, as: UInt64.self)
    unsafe header.storeBytes(of: record.header[2], toByteOffset: 16, as: UInt64.self)
    unsafe header.storeBytes(of: record.header[3], toByteOffset: 24, as: UInt64.self)
    // Last of all, and not before the others: a writer killed anywhere above leaves no record.
    // An `Atomic<UInt64>` is laid out as its word, and the place is aligned for one.
    unsafe header.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.store(
      record.header[0], ordering: .releasing)
  }

  /// Puts header and link around a payload that lies in its place, in a segment that nobody else reads.
  func lay(
    _ words: InlineArray<4, UInt64>, _ link: RecordLink, at offset: Int, linkAt linkOffset: Int
  ) {
    precondition(
      offset >= 0 && linkOffset >= offset + RecordFraming.headerBytes
        && linkOffset <= bytes - RecordFraming.linkBytes, "outside the segment")
    // Both places were checked above; words and links are whole bytes without padding.
    unsafe (start + offset).storeBytes(of: words, as: InlineArray<4, UInt64>.self)
    unsafe (start + linkOffset).storeBytes(of: link, as: RecordLink.self)
  }

  /// Makes the segment zeros again from `offset` on, up to `end` where that is given.
  func clear(from offset: Int, to end: Int? = nil) {
    let end = end ?? bytes
    precondition(offset >= 0 && offset <= end && end <= bytes, "outside the segment")
    unsafe (start + offset).initializeMemory(as: UInt8.self, repeating: 0, count: end - offset)
  }

  func close() {
    guard descriptor != -1 else { return }
    unsafe cmartlet_unmap(start, bytes)
    if descriptor >= 0 { Glibc.close(descriptor) }
  }
}
