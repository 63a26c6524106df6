internal import CMartletCrypto
internal import CMartletZstd
internal import Glibc
internal import MartletRecord

/// One part, its digest looked at, whose records are unpacked as they are asked for.
///
/// - Bounds: memory of one unpacker; the file is mapped.
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
  private var position = PartHead.bytes
  private var left: UInt64
  private var isEnded = false

  /// - Parameter isDigestNeeded: false opens a file whose digest does not hold all the same, for whoever
  ///   proves each of its records otherwise.
  /// - Returns: nil when there is no such file.
  static func open(
    _ path: String, as file: String, isDigestNeeded: Bool = true
  ) throws(JournalFault) -> PartReader? {
    guard let mapped = try MappedSegment.map(0, at: path) else {
      if Paths.exists(path) { throw damaged(file, .cut(expected: least, found: 0)) }
      return nil
    }
    guard let unpacker = unsafe cmartlet_zstd_unpacker_create() else {
      mapped.close()
      throw .system(call: "zstd", path: path, errno: ENOMEM)
    }
    do throws(PartDamage) {
      let head = try head(of: mapped)
      let digest = digest(of: mapped)
      let found = RecordLink(before: mapped.bytes, in: mapped.span)
      let damage = found == digest ? nil : PartDamage.digest(expected: digest, found: found)
      if isDigestNeeded, let damage { throw damage }
      return unsafe PartReader(file, head, digest, damage, mapped, unpacker)
    } catch {
      mapped.close()
      unsafe cmartlet_zstd_unpacker_free(unpacker)
      throw damaged(file, error)
    }
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
    _ mapped: MappedSegment, _ unpacker: UnsafeMutableRawPointer
  ) {
    self.file = file
    self.head = head
    self.digest = digest
    self.damage = damage
    self.mapped = mapped
    unsafe self.unpacker = unsafe unpacker
    left = head.plainBytes
  }

  deinit {
    mapped.close()
    unsafe cmartlet_zstd_unpacker_free(unpacker)
  }

  /// Whether all plain bytes were read.
  var isAtEnd: Bool { left == 0 }

  /// Unpacks the next bytes to a place that has room for them.
  mutating func read(_ count: Int, to target: UnsafeMutableRawPointer) throws(PartDamage) {
    guard count <= left else { throw .packed }
    left -= UInt64(count)
    try unsafe unpack(count, to: target)
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

  private mutating func unpack(
    _ count: Int, to target: UnsafeMutableRawPointer
  ) throws(PartDamage) {
    var done = 0
    while done < count {
      guard !isEnded else { throw .packed }
      var step = cmartlet_zstd_step()
      try unsafe advance(target + done, count - done, &step)
      done += step.written
      guard step.written > 0 || step.taken > 0 else { throw .packed }
    }
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
