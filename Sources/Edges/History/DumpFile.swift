internal import CMartletZlib
internal import Glibc

/// A published dump as a stream of bytes: plain, gzip, or the CSV files of a zip, one after another.
///
/// - Bounds: two buffers of 256 KiB, whatever the file's size.
@safe final class DumpFile {
  static let piece = 256 << 10

  let path: String
  private let descriptor: Int32
  private var raw = [UInt8](repeating: 0, count: DumpFile.piece)
  private var rawRange = 0..<0
  private var form = Form.plain
  // Nil while nothing is being unpacked.
  private var unpacker: UnsafeMutableRawPointer?
  /// Entries of a zip that are still to come, the last one first.
  private var entries: [ZipEntry] = []
  private var entry: ZipEntry?
  private var checksum: UInt32 = 0
  private var unpacked: Int64 = 0
  private var isAtEnd = false

  private enum Form { case plain, gzip, zip }

  init(path: String) throws(HistoryFault) {
    self.path = path
    // The path lives for the call.
    descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(path, "open it", errno) }
    try fill()
    guard !rawRange.isEmpty else { throw HistoryFault(path, .empty) }
    let head = Array(raw[rawRange].prefix(4))
    if head.starts(with: [0x1f, 0x8b]) {
      form = .gzip
      unsafe unpacker = cmartlet_zlib_unpacker_create(Int32(CMARTLET_ZLIB_GZIP))
    } else if head == [0x50, 0x4b, 3, 4] || head == [0x50, 0x4b, 5, 6] {
      form = .zip
      let directory = try ZipDirectory(path: path, descriptor: descriptor)
      entries = directory.entries.filter { $0.name.hasSuffix(".csv") }.reversed()
      guard !entries.isEmpty else {
        throw HistoryFault(
          path, .value(expected: "a CSV file in the zip", found: directory.summary))
      }
      try nextEntry()
    } else if head == Array("PAR1".utf8) {
      throw HistoryFault(path, .value(expected: "CSV, plain, gzip or zip", found: "Parquet"))
    }
  }

  deinit {
    if let unpacker = unsafe unpacker { unsafe cmartlet_zlib_unpacker_free(unpacker) }
    close(descriptor)
  }

  /// Appends more bytes to `output`.
  ///
  /// - Returns: false at the end.
  func read(into output: inout [UInt8]) throws(HistoryFault) -> Bool {
    guard !isAtEnd else { return false }
    if case .plain = form {
      if rawRange.isEmpty { try fill() }
      guard !rawRange.isEmpty else {
        isAtEnd = true
        return false
      }
      output += raw[rawRange]
      rawRange = rawRange.upperBound..<rawRange.upperBound
      return true
    }
    if let entry, entry.isStored { return try readStored(entry, &output) }
    return try unpack(into: &output)
  }

  private func unpack(into output: inout [UInt8]) throws(HistoryFault) -> Bool {
    guard let unpacker = unsafe unpacker else {
      throw HistoryFault(path, .tooMuch("the system has no memory left"))
    }
    while true {
      if rawRange.isEmpty { try fill() }
      guard !rawRange.isEmpty else {
        throw HistoryFault(
          path, .truncated(expected: "the end of what is packed", found: "the end of the file"))
      }
      let before = output.count
      output.append(contentsOf: repeatElement(0, count: Self.piece))
      var step = cmartlet_zlib_step()
      // Both ranges lie within their arrays, which live for the call.
      let state = unsafe output.withUnsafeMutableBytes { target in
        unsafe raw.withUnsafeBytes { source in
          unsafe cmartlet_zlib_unpack_some(
            unpacker, target.baseAddress.unsafelyUnwrapped + before, Self.piece,
            source.baseAddress.unsafelyUnwrapped + rawRange.lowerBound, rawRange.count, &step)
        }
      }
      output.removeLast(Self.piece - step.written)
      rawRange = (rawRange.lowerBound + step.taken)..<rawRange.upperBound
      guard state >= 0 else {
        throw HistoryFault(path, .damaged("what is packed cannot be unpacked"))
      }
      checksum = unsafe output.withUnsafeBytes { bytes in
        unsafe cmartlet_zlib_crc32(
          checksum, bytes.baseAddress.unsafelyUnwrapped + before, step.written)
      }
      unpacked += Int64(step.written)
      if state == 0 { try endOfStream() }
      if step.written > 0 { return true }
      if isAtEnd { return false }
    }
  }

  private func readStored(
    _ entry: ZipEntry, _ output: inout [UInt8]
  ) throws(HistoryFault) -> Bool {
    if rawRange.isEmpty { try fill() }
    let left = entry.size - unpacked
    let count = Int(min(left, Int64(rawRange.count)))
    guard count > 0 || left == 0 else {
      throw HistoryFault(
        path, .truncated(expected: "\(left) more bytes", found: "the end of the file"))
    }
    let taken = rawRange.lowerBound..<(rawRange.lowerBound + count)
    output += raw[taken]
    checksum = unsafe raw.withUnsafeBytes { bytes in
      // Within the bytes that were read.
      unsafe cmartlet_zlib_crc32(
        checksum, bytes.baseAddress.unsafelyUnwrapped + taken.lowerBound, count)
    }
    unpacked += Int64(count)
    rawRange = taken.upperBound..<rawRange.upperBound
    if unpacked == entry.size { try endOfStream() }
    return count > 0 || !isAtEnd
  }

  /// One stream is whole: gzip may have another behind it, a zip another entry.
  private func endOfStream() throws(HistoryFault) {
    if let entry {
      guard checksum == entry.checksum, unpacked == entry.size else {
        throw HistoryFault(path, .damaged("the checksum or size of \(entry.name) does not hold"))
      }
      try nextEntry()
      return
    }
    if rawRange.isEmpty { try fill() }
    isAtEnd = rawRange.isEmpty
    if !isAtEnd, let unpacker = unsafe unpacker { unsafe cmartlet_zlib_unpacker_renew(unpacker) }
  }

  private func nextEntry() throws(HistoryFault) {
    if let unpacker = unsafe unpacker { unsafe cmartlet_zlib_unpacker_free(unpacker) }
    unsafe unpacker = nil
    checksum = 0
    unpacked = 0
    guard let next = entries.popLast() else {
      isAtEnd = true
      return
    }
    entry = next
    let start = try ZipDirectory.content(of: next, path: path, descriptor: descriptor)
    guard lseek(descriptor, off_t(start), SEEK_SET) >= 0 else {
      throw .system(path, "go to \(next.name)", errno)
    }
    rawRange = 0..<0
    if !next.isStored {
      unsafe unpacker = cmartlet_zlib_unpacker_create(Int32(CMARTLET_ZLIB_BARE))
    }
  }

  private func fill() throws(HistoryFault) {
    while true {
      // Writes at most as many bytes as the array has.
      let count = unsafe Glibc.read(descriptor, &raw, raw.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw .system(path, "read it", errno) }
      rawRange = 0..<count
      return
    }
  }
}
