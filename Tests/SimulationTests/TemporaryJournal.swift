import Glibc

/// A folder for one journal, removed with its files at the end of this object.
final class TemporaryJournal {
  let folder: String

  struct SystemFault: Error {}

  init() throws {
    var template = Array("/tmp/martlet-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemFault() }
    folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    var number: UInt32 = 1
    while unlink(folder + "/" + Self.file(number)) == 0 { number += 1 }
    unlink(folder + "/lock")
    rmdir(folder)
  }

  /// What a journal calls its segments.
  static func file(_ number: UInt32) -> String {
    let text = String(number)
    return String(repeating: "0", count: 8 - text.count) + text + ".mjl"
  }
}
