internal import CMartletLinux
internal import Glibc

/// A journal's folder: `00000001.mjl`, `00000002.mjl`, …, and `lock`.
struct JournalFolder: Sendable {
  let path: String
  init(_ path: String) { self.path = path }

  static let digits = 8
  static let suffix = ".mjl"

  func file(_ number: UInt32) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(JournalFolder.digits - text.count, 0)) + text
      + JournalFolder.suffix
  }

  func path(_ number: UInt32) -> String { path + "/" + file(number) }
  var lockPath: String { path + "/lock" }

  /// What the folder holds.
  struct Content {
    /// In order.
    var segments: [UInt32] = []
    /// The first name, in order, that no journal has.
    var foreign: String?
  }

  func content() throws(JournalFault) -> Content {
    // `opendir` gives a stream that is closed below; its entries live until the next `readdir`.
    guard let stream = unsafe opendir(path) else {
      throw .failed("opendir", path, errno: errno)
    }
    defer { unsafe closedir(stream) }
    var content = Content()
    var foreign: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        // The name ends in a zero byte inside its field.
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
          unsafe String(cString: $0)
        }
      }
      if name == "." || name == ".." || name == "lock" { continue }
      if let number = number(of: name) {
        content.segments.append(number)
      } else {
        foreign.append(name)
      }
    }
    content.segments.sort()
    content.foreign = foreign.min()
    return content
  }

  private func number(of name: String) -> UInt32? {
    guard name.hasSuffix(JournalFolder.suffix) else { return nil }
    let digits = name.dropLast(JournalFolder.suffix.count)
    guard let number = UInt32(digits), number >= 1, file(number) == name else { return nil }
    return number
  }

  /// The numbers of the segments, which must run from 1 without a hole.
  func segments() throws(JournalFault) -> [UInt32] {
    let content = try content()
    for (index, number) in content.segments.enumerated() where number != UInt32(index + 1) {
      throw .segmentMissing(file: path(UInt32(index + 1)))
    }
    if content.segments.isEmpty, let foreign = content.foreign {
      throw .notAJournal(folder: path, found: foreign)
    }
    return content.segments
  }
}
