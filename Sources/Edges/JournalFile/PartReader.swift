internal import CMartletCrypto
internal import CMartletZstd
internal import Glibc
internal import MartletRecord

/// One part, its digest looked at, whose records are unpacked as they are asked for.
///
/// - Bounds: memory of one unpacker and of a window, which is as long as all plain bytes where somebody
///   goes back in them; the file is mapped.
@safe struct PartReader: ~Copyable {
  /// Its name, such as `00000001.mjd`.
  let file: String
  let head: PartHead
  let digest: RecordLink
  /// That its digest does not hold, although its head reads; nil when it does.
  let damage: PartDamage?
  var bytes: Int { mapped.bytes }
  private let mapped: MappedSegment
  private let unpacker: UnsafeMutableRawPointer
  /// Of packed bytes, in the file.
  private var position = PartHead.bytes
  private var isEnded = false
  /// Plain bytes that are unpacked, in memory of its own.
  private let window: MappedSegment
  /// All that was ever unpacked is in the window.
  private let isHeld: Bool
  /// What was not asked for yet, in the window.
  private var ready = 0..<0
  /// Plain bytes that are not unpacked yet, and those not asked for.
  private var packed: UInt64
  private var left: UInt64
  /// The file could not be unpacked behind what is ready.
  private var isBroken = false

  private static let windowBytes = 1 << 17

  /// - Parameters:
  ///   - isDigestNeeded: false opens a file whose digest does not hold all the same, for whoever proves each
  ///     of its records otherwise.
  ///   - isHeld: it can be gone back to what was read.
  /// - Returns: nil when there is no such file.
  static func open(
    _ path: String, as file: String, isDigestNeeded: Bool = true, isHeld: Bool = false
  ) throws(JournalFault) -> PartReader? {
    guard let mapped = try MappedSegment.map(0, at: path) else {
      if Paths.exists(path) { throw damaged(file, .cut(expected: least, found: 0)) }
      return nil
    }
    guard let unpacker = unsafe cmartlet_zstd_unpacker_create() else {
      mapped.close()
      throw .system(call: "zstd", path: path, errno: ENOMEM)
    }
    do throws(JournalFault) {
      let (head, digest, damage) = try look(at: mapped, file, isDigestNeeded: isDigestNeeded)
      let bytes = isHeld ? Int(head.plainBytes) : windowBytes
      let window = try MappedSegment.blank(0, bytes: bytes)
      return unsafe PartReader(
        file, head, digest, damage, mapped, unpacker, window, isHeld: isHeld)
    } catch {
      mapped.close()
      unsafe cmartlet_zstd_unpacker_free(unpacker)
      throw error
    }
  }

  private static func look(
    at mapped: MappedSegment, _ file: String, isDigestNeeded: Bool
  ) throws(JournalFault) -> (PartHead, RecordLink, PartDamage?) {
    do throws(PartDamage) {
      let head = try head(of: mapped)
      let digest = digest(of: mapped)
      let found = RecordLink(before: mapped.bytes, in: mapped.span)
      let damage = found == digest ? nil : PartDamage.digest(expected: digest, found: found)
      if isDigestNeeded, let damage { throw damage }
      return (head, digest, damage)
    } catch { throw damaged(file, error) }
  }

  private static let least = PartHead.bytes + PartHead.digestBytes

  private static func damaged(_ file: String, _ damage: PartDamage) -> JournalFault {
    .damaged(file, damage)
  }

  private static func head(of mapped: MappedSegment) throws(PartDamage) -> PartHead {
    guard mapped.bytes >= least else { throw .cut(expected: least, found: mapped.bytes) }
    let span = mapped.span
    return try PartHead(reading: (0..<PartHead.bytes).map { span[$0] })
  }

  private static func digest(of mapped: MappedSegment) -> RecordLink {
    let end = mapped.bytes - PartHead.digestBytes
    var digest = RecordLink.origin
    unsafe mapped.raw(0, end).withUnsafeBytes { content in
      unsafe withUnsafeMutableBytes(of: &digest) {
        // A digest has the 32 bytes that the shim writes.
        unsafe cmartlet_sha256(
          content.baseAddress, content.count,
          $0.assumingMemoryBound(to: UInt8.self).baseAddress.unsafelyUnwrapped)
      }
    }
    return digest
  }

  private init(
    _ file: String, _ head: PartHead, _ digest: RecordLink, _ damage: PartDamage?,
    _ mapped: MappedSegment, _ unpacker: UnsafeMutableRawPointer, _ window: MappedSegment,
    isHeld: Bool
  ) {
    self.file = file
    self.head = head
    self.digest = digest
    self.damage = damage
    self.mapped = mapped
    unsafe self.unpacker = unsafe unpacker
    self.window = window
    self.isHeld = isHeld
    packed = head.plainBytes
    left = head.plainBytes
  }

  deinit {
    mapped.close()
    window.close()
    unsafe cmartlet_zstd_unpacker_free(unpacker)
  }

  /// Whether all plain bytes were read.
  var isAtEnd: Bool { left == 0 }
  var unpackedBytes: UInt64 { head.plainBytes - packed }
  /// Which plain byte is next.
  var offset: Int { Int(head.plainBytes - left) }

  /// Goes to another place in what was unpacked. Of a held part only.
  mutating func move(to offset: Int) {
    precondition(isHeld && offset >= 0 && offset <= ready.upperBound, "not in the window")
    ready = offset..<ready.upperBound
    left = head.plainBytes - UInt64(offset)
  }

  /// Reads the next bytes to a place that has room for them.
  mutating func read(_ count: Int, to target: UnsafeMutableRawPointer) throws(PartDamage) {
    var done = 0
    try take(count) { [window] place in
      // In the window, and within what the caller has room for.
      unsafe (target + done).copyMemory(
        from: window.start + place.lowerBound, byteCount: place.count)
      done += place.count
    }
  }

  /// Passes over the next bytes.
  mutating func skip(_ count: Int) throws(PartDamage) { try take(count) { _ in } }

  /// Reads a header's words, or those that a gap begins with.
  mutating func words() throws(PartDamage) -> InlineArray<4, UInt64> {
    var words: InlineArray<4, UInt64> = [0, 0, 0, 0]
    // Four words are as long as a header.
    try unsafe withUnsafeMutableBytes(of: &words) { (bytes) throws(PartDamage) in
      try unsafe read(bytes.count, to: bytes.baseAddress.unsafelyUnwrapped)
    }
    return words
  }

  /// Reads the rest of a gap that begins with these words.
  mutating func gap(_ start: InlineArray<4, UInt64>) throws(PartDamage) -> PartGap {
    var words = InlineArray<11, UInt64>(repeating: 0)
    for index in 0..<4 { words[index] = start[index] }
    var rest = InlineArray<7, UInt64>(repeating: 0)
    // Seven words are what a gap has behind the length of a header.
    try unsafe withUnsafeMutableBytes(of: &rest) { (bytes) throws(PartDamage) in
      try unsafe read(bytes.count, to: bytes.baseAddress.unsafelyUnwrapped)
    }
    for index in 0..<7 { words[4 + index] = rest[index] }
    guard let gap = PartGap(words) else { throw .packed }
    return gap
  }

  /// Sees that nothing is packed behind what was read.
  mutating func finish() throws(PartDamage) {
    guard left == 0 else { throw .packed }
    var beyond: UInt8 = 0
    while !isEnded {
      var step = cmartlet_zstd_step()
      try unsafe advance(&beyond, 1, &step)
      guard step.written == 0, isEnded || step.taken > 0 else { throw .packed }
    }
    guard position == mapped.bytes - PartHead.digestBytes else { throw .packed }
  }

  /// Has the next bytes unpacked, piece by piece.
  private mutating func take(
    _ count: Int, _ use: (Range<Int>) -> Void
  ) throws(PartDamage) {
    guard count <= left else { throw .packed }
    var due = count
    while due > 0 {
      if ready.isEmpty { try fill() }
      let place = ready.lowerBound..<ready.lowerBound + min(due, ready.count)
      use(place)
      ready = place.upperBound..<ready.upperBound
      left -= UInt64(place.count)
      due -= place.count
    }
  }

  /// Unpacks the next piece: as much as there is before damage, if any is there.
  private mutating func fill() throws(PartDamage) {
    guard !isBroken else { throw .packed }
    let start = isHeld ? ready.upperBound : 0
    let room = min(UInt64(PartReader.windowBytes), packed)
    var end = start
    do throws(PartDamage) {
      while end < start + Int(room) {
        guard !isEnded else { throw .packed }
        var step = cmartlet_zstd_step()
        // The window has room for a piece, or for all plain bytes.
        try unsafe advance(window.start + end, start + Int(room) - end, &step)
        end += step.written
        guard step.written > 0 || step.taken > 0 else { throw .packed }
      }
    } catch {
      isBroken = true
      if end == start { throw error }
    }
    packed -= UInt64(end - start)
    ready = start..<end
  }

  private mutating func advance(
    _ target: UnsafeMutableRawPointer, _ room: Int, _ step: inout cmartlet_zstd_step
  ) throws(PartDamage) {
    let rest = mapped.raw(position, mapped.bytes - PartHead.digestBytes - position)
    // Source and target are borrowed for the call, which keeps to their lengths.
    let result = unsafe rest.withUnsafeBytes {
      unsafe cmartlet_zstd_unpack_some(
        unpacker, target, room, $0.baseAddress, $0.count, &step)
    }
    guard result >= 0 else { throw .packed }
    position += step.taken
    isEnded = result == 0
  }
}
