internal import Glibc

/// One file within a zip.
struct ZipEntry: Equatable {
  let name: String
  let isStored: Bool
  let checksum: UInt32
  /// Unpacked.
  let size: Int64
  let offset: Int64
}

/// The directory at the end of a zip file, as venues publish them: deflated or stored, not encrypted.
///
/// - Source: PKWARE's APPNOTE.TXT, 4.3.7, 4.3.12, 4.3.16 and 4.5.3: local heads, the central directory,
///   its end, and sizes of 64 bits.
/// - Bounds: 65,535 entries, a directory of 16 MiB.
struct ZipDirectory {
  private(set) var entries: [ZipEntry] = []

  var summary: String {
    entries.isEmpty ? "none" : entries.prefix(3).map(\.name).joined(separator: ", ")
  }

  init(path: String, descriptor: Int32) throws(HistoryFault) {
    var information = stat()
    // `information` lives for the call, which fills it.
    guard unsafe fstat(descriptor, &information) == 0 else {
      throw .system(path, "look at it", errno)
    }
    let size = Int64(information.st_size)
    // The end is 22 bytes and a comment of at most 65,535.
    let tailLength = Int(min(size, 65_557))
    let tail = try Self.read(path, descriptor, size - Int64(tailLength), tailLength)
    var at = tailLength - 22
    while at >= 0, Self.word(tail, at) != 0x0605_4b50 { at -= 1 }
    guard at >= 0 else {
      throw HistoryFault(
        path, .truncated(expected: "a zip's directory at the end", found: "none: the file was cut"))
    }
    let length = Int64(Self.word(tail, at + 12))
    let start = Int64(Self.word(tail, at + 16))
    guard length <= 16 << 20, start + length <= size else {
      throw HistoryFault(
        path, .damaged("the zip's directory of \(length) bytes at \(start) is not in the file"))
    }
    let bytes = try Self.read(path, descriptor, start, Int(length))
    var offset = 0
    while offset + 46 <= bytes.count, Self.word(bytes, offset) == 0x0201_4b50 {
      let nameLength = Self.half(bytes, offset + 28)
      let extraLength = Self.half(bytes, offset + 30)
      let end = offset + 46 + nameLength + extraLength + Self.half(bytes, offset + 32)
      guard end <= bytes.count else {
        throw HistoryFault(path, .damaged("the zip's directory ends within an entry"))
      }
      let name = String(decoding: bytes[(offset + 46)..<(offset + 46 + nameLength)], as: UTF8.self)
      let method = Self.half(bytes, offset + 10)
      guard method == 0 || method == 8, Self.half(bytes, offset + 8) & 1 == 0 else {
        throw HistoryFault(
          path, .value(expected: "\(name) deflated or stored, without a password", found: "another")
        )
      }
      let wide = Self.wide(bytes, offset, extra: offset + 46 + nameLength, extraLength)
      entries.append(
        ZipEntry(
          name: name, isStored: method == 0, checksum: Self.word(bytes, offset + 16),
          size: wide.size, offset: wide.offset))
      offset = end
    }
    entries.sort { $0.name < $1.name }
  }

  /// Where the content of an entry begins: behind a head of its own.
  static func content(
    of entry: ZipEntry, path: String, descriptor: Int32
  ) throws(HistoryFault) -> Int64 {
    let head = try read(path, descriptor, entry.offset, 30)
    guard word(head, 0) == 0x0403_4b50 else {
      throw HistoryFault(path, .damaged("\(entry.name) is not where the zip's directory says"))
    }
    return entry.offset + 30 + Int64(half(head, 26)) + Int64(half(head, 28))
  }

  /// Size and place of an entry: where 32 bits did not do, they stand among its extra fields.
  private static func wide(
    _ bytes: [UInt8], _ offset: Int, extra start: Int, _ length: Int
  ) -> (size: Int64, offset: Int64) {
    var size = Int64(word(bytes, offset + 24))
    var place = Int64(word(bytes, offset + 42))
    let isPackedWide = word(bytes, offset + 20) == .max
    var at = start
    while at + 4 <= start + length {
      let next = at + 4 + half(bytes, at + 2)
      if half(bytes, at) == 1 {
        var field = at + 4
        func take() -> Int64? {
          guard field + 8 <= min(next, start + length) else { return nil }
          let value = Int64(word(bytes, field)) | Int64(word(bytes, field + 4)) << 32
          field += 8
          return value
        }
        if size == Int64(UInt32.max) { size = take() ?? size }
        if isPackedWide { _ = take() }
        if place == Int64(UInt32.max) { place = take() ?? place }
      }
      at = next
    }
    return (size, place)
  }

  private static func read(
    _ path: String, _ descriptor: Int32, _ offset: Int64, _ count: Int
  ) throws(HistoryFault) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      // Writes below `count`, which is what was reserved.
      let read = unsafe bytes.withUnsafeMutableBytes { target in
        unsafe pread(
          descriptor, target.baseAddress.unsafelyUnwrapped + done, count - done,
          off_t(offset + Int64(done)))
      }
      if read < 0 && errno == EINTR { continue }
      guard read > 0 else {
        throw HistoryFault(
          path, .truncated(expected: "\(count) bytes at \(offset)", found: "\(done)"))
      }
      done += read
    }
    return bytes
  }

  private static func half(_ bytes: [UInt8], _ at: Int) -> Int {
    Int(bytes[at]) | Int(bytes[at + 1]) << 8
  }
  private static func word(_ bytes: [UInt8], _ at: Int) -> UInt32 {
    UInt32(half(bytes, at)) | UInt32(half(bytes, at + 2)) << 16
  }
}
