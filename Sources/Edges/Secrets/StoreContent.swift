internal import CMartletCrypto
internal import CMartletSodium
internal import MartletBase

/// A sealed store as it stands in its file, version 1, numbers little-endian:
///
/// ```
/// "martletK"  version u16  entries u16  bytes of the file u32  passes u32  KiB u32  salt 16
/// an entry:   name and venue, each u8 length and text  slot u8  added i64  fingerprint 6
///             nonce 24  length u16  sealed KEY:SECRET, which binds magic, version and all above nonce
/// the end:    nonce 24  seal 16 over all before  SHA-256 of all before
/// ```
///
/// The digest tells chance from a wrong passphrase; the seal tells whoever lacks the passphrase from
/// whoever has it.
struct StoreContent {
  static let magic = Array("martletK".utf8)
  static let version: UInt16 = 1
  static let headerBytes = 40
  static let endBytes = Int(CMARTLET_SEALING_NONCE) + Int(CMARTLET_SEAL) + 32
  static let fingerprintBytes = 6
  /// More than the largest store takes.
  static let maximumBytes = 512 * 1024

  struct Row {
    let entry: SealedStore.Entry
    let nonce: [UInt8]
    let sealed: [UInt8]
  }

  let cost: SealedStore.Cost
  let salt: [UInt8]
  var rows: [Row] = []
  /// The file's bytes up to its seal, and the seal; empty for a store that was never written.
  private var body: [UInt8] = []
  private var seal: [UInt8] = []

  init(cost: SealedStore.Cost, salt: [UInt8]) {
    self.cost = cost
    self.salt = salt
  }

  /// Reads a file, and proves that it is whole.
  init(reading path: String) throws(StoreFault) {
    let file = try StoreFile.read(path, atMost: StoreContent.maximumBytes)
    try self.init(file, path)
  }

  init(_ file: [UInt8], _ path: String) throws(StoreFault) {
    let magic = StoreContent.magic
    guard file.prefix(magic.count).elementsEqual(magic.prefix(file.count)), !file.isEmpty else {
      throw .notAStore(path: path)
    }
    var reader = StoreReader(file, at: magic.count)
    let least = StoreContent.headerBytes + StoreContent.endBytes
    guard let version = reader.number(UInt16.self), let count = reader.number(UInt16.self),
      let length = reader.number(UInt32.self)
    else { throw .truncated(path: path, expected: least, found: file.count) }
    guard version <= StoreContent.version else {
      throw .newerVersion(path: path, found: version, known: StoreContent.version)
    }
    guard file.count >= min(Int(length), StoreContent.maximumBytes), file.count >= least else {
      throw .truncated(path: path, expected: max(Int(length), least), found: file.count)
    }
    let digestAt = file.count - 32
    guard version == StoreContent.version, file.count == length,
      StoreContent.digest(file[..<digestAt]).elementsEqual(file[digestAt...])
    else { throw .damaged(path: path) }
    // By its digest it is as it was written: what does not fit below was written by somebody else.
    guard let passes = reader.number(UInt32.self), let kibibytes = reader.number(UInt32.self),
      let salt = reader.bytes(Int(CMARTLET_SALT)), count <= SealedStore.maximumEntries
    else { throw .damaged(path: path) }
    cost = SealedStore.Cost(passes: passes, kibibytes: kibibytes)
    self.salt = salt
    guard cost.isAccepted else {
      throw .cost(path: path, passes: passes, kibibytes: kibibytes)
    }
    for _ in 0..<count {
      guard let row = Row(&reader) else { throw .damaged(path: path) }
      rows.append(row)
    }
    guard reader.position == file.count - StoreContent.endBytes else {
      throw .damaged(path: path)
    }
    body = Array(file[..<reader.position])
    seal = Array(file[reader.position..<digestAt])
  }

  /// Whether all that was read was sealed with `key`.
  func isSealed(with key: Span<UInt8>) -> Bool {
    let nonce = Array(seal.prefix(Int(CMARTLET_SEALING_NONCE)))
    let tag = Array(seal.dropFirst(Int(CMARTLET_SEALING_NONCE)))
    guard tag.count == Int(CMARTLET_SEAL) else { return false }
    return unsafe key.withUnsafeBufferPointer {
      // A seal over nothing opens into nothing.
      unsafe cmartlet_unseal(
        nil, tag, tag.count, body, body.count, nonce, $0.baseAddress.unsafelyUnwrapped) == 0
    }
  }

  /// The whole file, sealed.
  func sealed(with key: Span<UInt8>) -> [UInt8] {
    var file = StoreContent.magic
    append(StoreContent.version, to: &file)
    append(UInt16(rows.count), to: &file)
    let length =
      StoreContent.headerBytes + StoreContent.endBytes + rows.reduce(0) { $0 + $1.bytes.count }
    append(UInt32(length), to: &file)
    append(cost.passes, to: &file)
    append(cost.kibibytes, to: &file)
    file += salt
    for row in rows { file += row.bytes }
    let nonce = StoreContent.random(Int(CMARTLET_SEALING_NONCE))
    var tag = [UInt8](repeating: 0, count: Int(CMARTLET_SEAL))
    unsafe key.withUnsafeBufferPointer {
      // The tag has the room that a seal over nothing takes.
      unsafe cmartlet_seal(
        &tag, nil, 0, file, file.count, nonce, $0.baseAddress.unsafelyUnwrapped)
    }
    file += nonce + tag
    file += StoreContent.digest(file[...])
    precondition(file.count == length, "a store of another length than it says")
    return file
  }

  static func random(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    unsafe bytes.withUnsafeMutableBytes {
      // Never asked for none.
      unsafe cmartlet_sodium_random($0.baseAddress.unsafelyUnwrapped, $0.count)
    }
    return bytes
  }

  private static func digest(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    unsafe bytes.withUnsafeBytes { bytes in
      // The digest takes 32 bytes.
      unsafe cmartlet_sha256(bytes.baseAddress, bytes.count, &digest)
    }
    return digest
  }
}

private func append<Number: FixedWidthInteger>(_ number: Number, to bytes: inout [UInt8]) {
  for index in 0..<Number.bitWidth / 8 {
    bytes.append(UInt8(truncatingIfNeeded: number >> Number(index * 8)))
  }
}

extension StoreContent.Row {
  init?(_ reader: inout StoreReader) {
    guard let name = reader.text(), let venue = reader.text(),
      let slot = reader.number(UInt8.self).flatMap({ SealedStore.Slot(rawValue: $0) }),
      let added = reader.number(Int64.self),
      let fingerprint = reader.bytes(StoreContent.fingerprintBytes),
      let nonce = reader.bytes(Int(CMARTLET_SEALING_NONCE)),
      let length = reader.number(UInt16.self), length >= UInt16(CMARTLET_SEAL),
      length <= Credentials.maximumBytes + Int(CMARTLET_SEAL),
      let sealed = reader.bytes(Int(length)), SealedStore.isName(name), SealedStore.isName(venue),
      // What a time stamp can show: 1970 to 2255.
      (0...9_000_000_000).contains(added)
    else { return nil }
    entry = SealedStore.Entry(
      name: name, venue: venue, slot: slot,
      fingerprint: fingerprint.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(),
      added: Timestamp(milliseconds: added * 1_000))
    self.nonce = nonce
    self.sealed = sealed
  }

  init(sealing line: Span<UInt8>, as entry: SealedStore.Entry, with key: Span<UInt8>) {
    let nonce = StoreContent.random(Int(CMARTLET_SEALING_NONCE))
    let bound = StoreContent.Row.bound(entry)
    var sealed = [UInt8](repeating: 0, count: line.count + Int(CMARTLET_SEAL))
    unsafe line.withUnsafeBytes { line in
      unsafe key.withUnsafeBufferPointer {
        // The seal's room is made above.
        unsafe cmartlet_seal(
          &sealed, line.baseAddress, line.count, bound, bound.count, nonce,
          $0.baseAddress.unsafelyUnwrapped)
      }
    }
    self.entry = entry
    self.nonce = nonce
    self.sealed = sealed
  }

  /// The line that was sealed; nil when it was not sealed so, with this key.
  func open(with key: Span<UInt8>) -> Secret? {
    let bound = StoreContent.Row.bound(entry)
    var isOpen = false
    let line = unsafe Secret(capacity: sealed.count - Int(CMARTLET_SEAL)) { room in
      unsafe key.withUnsafeBufferPointer {
        // As much room as the sealed bytes have less their seal.
        isOpen =
          unsafe cmartlet_unseal(
            room.baseAddress, sealed, sealed.count, bound, bound.count, nonce,
            $0.baseAddress.unsafelyUnwrapped) == 0
      }
      return room.count
    }
    return isOpen ? line : nil
  }

  /// As it stands in the file.
  var bytes: [UInt8] {
    var bytes = StoreContent.Row.readable(entry)
    bytes += nonce
    append(UInt16(sealed.count), to: &bytes)
    return bytes + sealed
  }

  private static func readable(_ entry: SealedStore.Entry) -> [UInt8] {
    var bytes: [UInt8] = []
    for text in [entry.name, entry.venue] {
      append(UInt8(text.utf8.count), to: &bytes)
      bytes += text.utf8
    }
    append(entry.slot.rawValue, to: &bytes)
    append(entry.added.seconds, to: &bytes)
    let digits = Array(entry.fingerprint.utf8)
    for index in 0..<StoreContent.fingerprintBytes {
      let pair = String(decoding: digits[index * 2..<index * 2 + 2], as: UTF8.self)
      // Twelve hexadecimal digits, as `Credentials` makes them.
      bytes.append(UInt8(pair, radix: 16) ?? 0)
    }
    return bytes
  }

  private static func bound(_ entry: SealedStore.Entry) -> [UInt8] {
    var bytes = StoreContent.magic
    append(StoreContent.version, to: &bytes)
    return bytes + readable(entry)
  }
}

/// Takes a file apart, never beyond its end.
struct StoreReader {
  private let file: [UInt8]
  private(set) var position: Int

  init(_ file: [UInt8], at position: Int) {
    self.file = file
    self.position = position
  }

  mutating func bytes(_ count: Int) -> [UInt8]? {
    guard count >= 0, count <= file.count - position else { return nil }
    defer { position += count }
    return Array(file[position..<position + count])
  }

  mutating func number<Number: FixedWidthInteger>(_: Number.Type) -> Number? {
    bytes(Number.bitWidth / 8)?.reversed().reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
  }

  /// A length and as much text.
  mutating func text() -> String? {
    number(UInt8.self).flatMap { bytes(Int($0)) }.map { String(decoding: $0, as: UTF8.self) }
  }
}
