internal import CMartletZstd
internal import Glibc

/// What every bundled recording is wrapped in: magic, version, lengths, header lines, one packed
/// content, checksum. The layout stands in `Fixtures/Markets/README.md`.
struct RecordingContainer {
  static let magic: [UInt8] = [0x4d, 0x4d, 0x52, 0x0d, 0x0a, 0x1a, 0x0a, 0x00]
  static let version: UInt16 = 1
  static let fixedLength = 24
  /// Bounds on what a header may make us reserve.
  static let largestHeader = 64 << 10
  static let largestContent = 1 << 30

  let header: [(key: String, value: String)]
  let content: [UInt8]

  init(_ bytes: [UInt8], kind: UInt16) throws(RecordingFault) {
    guard bytes.count >= Self.magic.count, bytes[..<Self.magic.count].elementsEqual(Self.magic)
    else { throw .notARecording }
    guard bytes.count >= Self.fixedLength + 4 else {
      throw .wrongLength(expected: Self.fixedLength + 4, found: bytes.count)
    }
    let version = UInt16(truncatingIfNeeded: Self.word(bytes, 8))
    guard version <= Self.version else {
      throw .newerVersion(supported: Self.version, found: version)
    }
    let found = UInt16(truncatingIfNeeded: Self.word(bytes, 10))
    guard found == kind else { throw .wrongKind(expected: kind, found: found) }
    let headerLength = Int(Self.word(bytes, 12))
    let packedLength = Int(Self.word(bytes, 16))
    let contentLength = Int(Self.word(bytes, 20))
    let end = Self.fixedLength + headerLength + packedLength
    guard end + 4 == bytes.count else {
      throw .wrongLength(expected: end + 4, found: bytes.count)
    }
    let expected = Self.word(bytes, end)
    let checksum = CRC32.checksum(of: bytes.span.extracting(0..<end))
    guard checksum == expected else { throw .checksum(expected: expected, found: checksum) }
    guard headerLength <= Self.largestHeader else {
      throw .header(key: "length", found: "\(headerLength)")
    }
    guard contentLength <= Self.largestContent else {
      throw .header(key: "content length", found: "\(contentLength)")
    }
    let headerEnd = Self.fixedLength + headerLength
    header = Self.lines(bytes[Self.fixedLength..<headerEnd])
    guard
      let content = Self.unpack(
        bytes.span.extracting(headerEnd..<end), length: contentLength)
    else { throw .corrupt(column: "content", row: 0) }
    self.content = content
  }

  func text(_ key: String) throws(RecordingFault) -> String {
    for line in header where line.key == key { return line.value }
    throw .header(key: key, found: "")
  }

  func number(_ key: String) throws(RecordingFault) -> Int {
    let value = try text(key)
    guard let number = Int(value), number >= 0 else { throw .header(key: key, found: value) }
    return number
  }

  /// The content's columns, which must be exactly these and fill it exactly.
  func columns(_ names: [String]) throws(RecordingFault) -> [ColumnReader] {
    var columns: [ColumnReader] = []
    var offset = 0
    for name in names {
      guard offset + 4 <= content.count else { throw .corrupt(column: name, row: 0) }
      let length = Int(Self.word(content, offset))
      guard length <= content.count - offset - 4 else { throw .corrupt(column: name, row: 0) }
      columns.append(
        ColumnReader(name: name, bytes: content[(offset + 4)..<(offset + 4 + length)]))
      offset += 4 + length
    }
    guard offset == content.count else { throw .corrupt(column: "content", row: names.count) }
    return columns
  }

  static func word(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
    UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
      | UInt32(bytes[offset + 3]) << 24
  }

  static func lines(_ bytes: ArraySlice<UInt8>) -> [(key: String, value: String)] {
    String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { line in
      let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return (String(parts[0]), parts.count == 2 ? String(parts[1]) : "")
    }
  }

  static func unpack(_ packed: Span<UInt8>, length: Int) -> [UInt8]? {
    var written = -1
    let content = unsafe [UInt8](unsafeUninitializedCapacity: max(length, 1)) { target, count in
      unsafe packed.withUnsafeBufferPointer { source in
        guard let into = target.baseAddress, let from = source.baseAddress else { return }
        // Both buffers outlive the call, which writes at most `length` bytes and keeps neither.
        written = Int(unsafe cmartlet_zstd_unpack(into, length, from, source.count))
      }
      count = max(written, 0)
    }
    return written == length ? content : nil
  }

  /// The bytes of a whole file.
  ///
  /// - Bounds: at most `largestContent` bytes.
  static func read(_ path: String) throws(RecordingFault) -> [UInt8] {
    // The path lives for the call.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .unreadable(path: path, errno: errno) }
    defer { close(descriptor) }
    var information = stat()
    // `information` lives for the call, which fills it.
    guard unsafe fstat(descriptor, &information) == 0 else {
      throw .unreadable(path: path, errno: errno)
    }
    let size = Int(information.st_size)
    guard size <= largestContent else { throw .wrongLength(expected: largestContent, found: size) }
    var failure: Int32 = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: max(size, 1)) { target, count in
      while count < size, let base = target.baseAddress {
        // Writes below `size`, which is what was reserved.
        let read = unsafe Glibc.read(descriptor, base + count, size - count)
        if read < 0 && errno == EINTR { continue }
        if read <= 0 {
          failure = read < 0 ? errno : 0
          return
        }
        count += read
      }
    }
    guard failure == 0 else { throw .unreadable(path: path, errno: failure) }
    return bytes
  }
}

/// Reads one column of LEB128 numbers.
struct ColumnReader {
  let name: String
  private let bytes: ArraySlice<UInt8>
  private var offset: Int
  private(set) var row = 0

  init(name: String, bytes: ArraySlice<UInt8>) {
    self.name = name
    self.bytes = bytes
    offset = bytes.startIndex
  }

  mutating func byte() throws(RecordingFault) -> UInt8 {
    guard offset < bytes.endIndex else { throw .corrupt(column: name, row: row) }
    defer { offset += 1 }
    row += 1
    return bytes[offset]
  }

  mutating func plain() throws(RecordingFault) -> Int64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while offset < bytes.endIndex && shift < 63 {
      let byte = bytes[offset]
      offset += 1
      value |= UInt64(byte & 127) << shift
      if byte < 128 {
        row += 1
        return Int64(value)
      }
      shift += 7
    }
    throw .corrupt(column: name, row: row)
  }

  mutating func signed() throws(RecordingFault) -> Int64 {
    let folded = try plain()
    return folded & 1 == 0 ? folded >> 1 : -(folded >> 1) - 1
  }

  /// `base` plus the next difference; corrupt where that would not be a count.
  mutating func next(after base: Int64) throws(RecordingFault) -> Int64 {
    let (value, overflow) = base.addingReportingOverflow(try signed())
    guard !overflow else { throw .corrupt(column: name, row: row) }
    return value
  }

  /// `base` plus the next plain number.
  mutating func plain(after base: Int64) throws(RecordingFault) -> Int64 {
    let (value, overflow) = base.addingReportingOverflow(try plain())
    guard !overflow else { throw .corrupt(column: name, row: row) }
    return value
  }

  /// The next plain number, at most `limit`.
  mutating func plain(upTo limit: Int) throws(RecordingFault) -> Int64 {
    let value = try plain()
    guard value <= limit else { throw .corrupt(column: name, row: row) }
    return value
  }

  func end() throws(RecordingFault) {
    guard offset == bytes.endIndex else { throw .corrupt(column: name, row: row) }
  }
}

/// CRC-32 as of IEEE 802.3, which Python's `zlib` computes too.
enum CRC32 {
  static let table: [UInt32] = (0..<256).map { index in
    var value = UInt32(index)
    for _ in 0..<8 { value = value & 1 == 1 ? 0xedb8_8320 ^ (value >> 1) : value >> 1 }
    return value
  }

  static func checksum(of bytes: Span<UInt8>) -> UInt32 {
    let table = table
    var value: UInt32 = 0xffff_ffff
    for index in 0..<bytes.count {
      value = table[Int((value ^ UInt32(bytes[index])) & 255)] ^ (value >> 8)
    }
    return ~value
  }
}
