internal import CMartletCrypto
internal import CMartletLinux
internal import Glibc
internal import MartletBase
internal import MartletRecord

/// Journals' heads in a folder of the user's own, apart from the journals: a file a journal, named for
/// the journal's folder and sealed with a key that only this user's Martlet has.
///
/// Whoever can write a journal and not this folder cannot cut the journal unseen. Who can write both
/// can put back an old head with an old journal.
///
/// - Bounds: 1,024 heads of at most 8 KiB; then the one that was kept longest ago is forgotten.
public struct HeadBook: Sendable {
  public typealias Seal = @Sendable (Span<UInt8>) -> [UInt8]

  public let path: String
  private let seal: Seal
  static let limit = 1_024
  static let fileLimit = 8_192
  static let suffix = ".head"

  /// - Parameters:
  ///   - path: the folder, which is there.
  ///   - seal: makes the code that nobody without the key can make.
  public init(_ path: String, seal: @escaping Seal) {
    self.path = path
    self.seal = seal
  }

  /// What a writer of the journal in `folder`, which is there, keeps its head with.
  public func keeper(of folder: String) -> HeadFile {
    let folder = HeadBook.canonical(folder)
    return HeadFile(book: self, path: file(of: folder), folder: folder)
  }

  /// How the journal in `folder` stands to the head kept for that folder, or else, when the journal was
  /// moved or is a copy, to the newest kept of a journal of its name.
  ///
  /// - Throws: what is wrong with the journal itself.
  public func standing(of folder: String) throws(JournalFault) -> HeadStanding {
    try find(folder).standing(of: folder)
  }

  // MARK: Finding

  /// Whether it holds a head of the journal in `folder`, or a file in its place.
  public func knows(_ folder: String) -> Bool {
    if case .none = find(folder) { false } else { true }
  }

  enum Found {
    case none
    case forged(String)
    case kept(KeptHead)

    func standing(of folder: String) throws(JournalFault) -> HeadStanding {
      switch self {
      case .none: .unknown
      case .forged(let path): .forged(path: path)
      case .kept(let kept): try JournalReader.standing(of: folder, to: kept)
      }
    }
  }

  func find(_ folder: String) -> Found {
    let own = read(file(of: HeadBook.canonical(folder)))
    if case .none = own { return findElsewhere(folder) }
    return own
  }

  /// The newest head of a journal of the same name that was kept for another folder.
  private func findElsewhere(_ folder: String) -> Found {
    guard let journal = try? JournalReader.open(folder: folder).segment.journalID else {
      return .none
    }
    var newest: KeptHead?
    for name in names() {
      guard case .kept(let kept) = read(path + "/" + name), kept.head.journalID == journal else {
        continue
      }
      if kept.head.sequence >= newest?.head.sequence ?? 0 { newest = kept }
    }
    return newest.map { .kept($0) } ?? .none
  }

  private func file(of canonical: String) -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    let bytes = Array(canonical.utf8)
    // The digest takes 32 bytes; the text lives through the call.
    unsafe cmartlet_sha256(bytes, bytes.count, &digest)
    return path + "/" + HeadText.hexadecimal(Array(digest[..<16])) + HeadBook.suffix
  }

  private func read(_ path: String) -> Found {
    // A link leads nowhere; the path is a C string for the length of the call.
    let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return errno == ENOENT ? .none : .forged(path) }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: HeadBook.fileLimit)
    let count = unsafe Glibc.read(descriptor, &bytes, bytes.count)
    guard count >= 0 else { return .forged(path) }
    guard let kept = HeadText.read(Array(bytes[..<count]), at: path, seal: seal) else {
      return .forged(path)
    }
    return .kept(kept)
  }

  /// The names of the files that keep heads, in no order.
  private func names() -> [String] {
    // Closed below; its entries live until the next `readdir`.
    guard let stream = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        // The name ends in a zero byte inside its field.
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
          unsafe String(cString: $0)
        }
      }
      if name.hasSuffix(HeadBook.suffix) { names.append(name) }
    }
    return names
  }

  // MARK: Keeping

  /// Writes a head whole or not at all: a process that dies, or a machine, leaves the former one.
  func write(_ head: JournalHead, of folder: String, to file: String) throws(JournalFault) {
    let keptAt = Timestamp(nanoseconds: cmartlet_realtime_nanoseconds())
    let text = HeadText.write(head, of: folder, at: keptAt, seal: seal)
    let new = file + ".new"
    let descriptor = unsafe Glibc.open(
      new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw .failed("open", new, errno: errno) }
    let written = unsafe Glibc.write(descriptor, text, text.count)
    // Before its name: a name whose bytes a power cut took would look like a forgery.
    let result =
      written == text.count ? cmartlet_fdatasync(descriptor) : -(written < 0 ? errno : ENOSPC)
    Glibc.close(descriptor)
    guard result >= 0 else {
      _ = Paths.remove(new)
      throw .failed("write", new, errno: -result, neededBytes: text.count)
    }
    guard unsafe rename(new, file) == 0 else { throw .failed("rename", file, errno: errno) }
  }

  /// Forgets the heads that were kept longest ago, so that one more has room.
  func makeRoom() {
    var ages: [(time: Int64, name: String)] = []
    for name in names() {
      var status = stat()
      guard unsafe lstat(path + "/" + name, &status) == 0 else { continue }
      ages.append(
        (Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec), name))
    }
    guard ages.count >= HeadBook.limit else { return }
    ages.sort { $0.time < $1.time }
    for old in ages.prefix(ages.count - HeadBook.limit + 1) {
      _ = Paths.remove(path + "/" + old.name)
    }
  }

  /// A folder's own path, whatever links lead to it; of one that is not there, as far as it is.
  public static func canonical(_ folder: String) -> String {
    var rest = ""
    var path = folder
    while true {
      // The system makes the text, which is freed as soon as it was copied.
      if let real = unsafe realpath(path.isEmpty ? "." : path, nil) {
        defer { unsafe free(real) }
        return unsafe String(cString: real) + rest
      }
      while path.count > 1, path.hasSuffix("/") { path.removeLast() }
      guard let slash = path.lastIndex(of: "/") else {
        rest = "/" + path + rest
        path = "."
        continue
      }
      rest = String(path[slash...]) + rest
      path = slash == path.startIndex ? "/" : String(path[..<slash])
    }
  }
}

/// One journal's head in a `HeadBook`.
public final class HeadFile: HeadKeeping {
  public let path: String
  private let book: HeadBook
  private let folder: String

  init(book: HeadBook, path: String, folder: String) {
    self.book = book
    self.path = path
    self.folder = folder
    // The path is a C string for the length of the call.
    if unsafe access(path, F_OK) != 0 { book.makeRoom() }
  }

  public func keep(_ head: JournalHead) throws(JournalFault) {
    try book.write(head, of: folder, to: path)
  }
}

/// A kept head as text: a line a field, the last one its seal.
enum HeadText {
  private static let version = "martlet-head 1"

  static func write(
    _ head: JournalHead, of folder: String, at time: Timestamp, seal: HeadBook.Seal
  ) -> [UInt8] {
    let text = """
      \(version)
      folder \(escaped(folder))
      journal \(head.journalID)
      segment \(head.segment)
      sequence \(head.sequence)
      link \(head.link)
      kept \(time.nanoseconds)

      """
    let bytes = Array(text.utf8)
    return bytes + Array("seal \(hexadecimal(seal(bytes.span)))\n".utf8)
  }

  /// - Returns: nil when the seal is not the one that belongs to it, or no head is there.
  static func read(_ bytes: [UInt8], at path: String, seal: HeadBook.Seal) -> KeptHead? {
    let text = String(decoding: bytes, as: UTF8.self)
    guard text.utf8.elementsEqual(bytes), let place = text.range(ofLast: "\nseal ") else {
      return nil
    }
    let sealed = Array(text[..<text.index(after: place)].utf8)
    guard text[text.index(after: place)...] == "seal \(hexadecimal(seal(sealed.span)))\n" else {
      return nil
    }
    var fields: [String: Substring] = [:]
    let lines = text.split(separator: "\n")
    guard lines.first.map(String.init) == version else { return nil }
    for line in lines.dropFirst() {
      let words = line.split(separator: " ", maxSplits: 1)
      if words.count == 2 { fields[String(words[0])] = words[1] }
    }
    guard let folder = fields["folder"], let journal = fields["journal"].flatMap(words),
      journal.count == 2,
      let segment = fields["segment"].flatMap({ UInt32($0) }),
      let sequence = fields["sequence"].flatMap({ UInt64($0) }),
      let link = fields["link"].flatMap(words), link.count == 4,
      let kept = fields["kept"].flatMap({ Int64($0) })
    else { return nil }
    return KeptHead(
      head: JournalHead(
        journalID: JournalID(high: journal[0], low: journal[1]), segment: segment,
        sequence: sequence,
        link: RecordLink(
          words: (link[0].bigEndian, link[1].bigEndian, link[2].bigEndian, link[3].bigEndian))),
      path: path, folder: String(folder), keptAt: Timestamp(nanoseconds: kept))
  }

  /// Sixteen digits a word, as they are written.
  private static func words(_ text: Substring) -> [UInt64]? {
    let digits = Array(text.utf8)
    guard digits.count % 16 == 0 else { return nil }
    var words: [UInt64] = []
    for start in stride(from: 0, to: digits.count, by: 16) {
      guard
        let word = UInt64(String(decoding: digits[start..<start + 16], as: UTF8.self), radix: 16)
      else { return nil }
      words.append(word)
    }
    return words
  }

  static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// One line, whatever a folder is called.
  private static func escaped(_ text: String) -> String {
    String(decoding: text.utf8.map { $0 < 32 || $0 == 127 ? 63 : $0 }, as: UTF8.self)
  }
}

extension String {
  /// Where the last of these begins.
  fileprivate func range(ofLast part: String) -> Index? {
    guard var place = indices.last else { return nil }
    while true {
      if self[place...].hasPrefix(part) { return place }
      guard place > startIndex else { return nil }
      place = index(before: place)
    }
  }
}
