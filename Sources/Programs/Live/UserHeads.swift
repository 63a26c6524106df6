internal import Glibc
public import MartletJournalFile
internal import MartletSecrets

/// The heads of this user's journals, beside the locks of their keys and sealed with a key of their own.
public enum UserHeads {
  /// - Throws: why there can be none.
  public static func book() throws -> HeadBook { try book(in: UserState.folder("journals")) }

  /// The heads to hold one journal against: those of a demo's own state folder when it is a demo's, and the
  /// user's do not know it.
  public static func book(of journal: String) throws -> HeadBook {
    let book = try book()
    guard !book.knows(journal), let demo = demoFolder(of: HeadBook.canonical(journal)) else {
      return book
    }
    return try self.book(in: demo)
  }

  private static func book(in folder: String) throws -> HeadBook {
    let seal = try UserSeal(keyAt: folder + "/key")
    return HeadBook(folder) { seal.code(of: $0) }
  }

  /// A demo keeps its state beside its journal, in a folder below `.martlet/demo` that nobody else uses.
  /// Nowhere else is a head taken from beside the journal: who can change the one could change the other.
  private static func demoFolder(of journal: String) -> String? {
    let parts = journal.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count > 4, parts.last == "journal", parts[parts.count - 3] == "demo",
      parts[parts.count - 4] == ".martlet"
    else { return nil }
    let folder = parts.dropLast().joined(separator: "/") + "/state/martlet/journals"
    // The path is a C string for the length of the call.
    return unsafe access(folder + "/key", R_OK) == 0 ? folder : nil
  }
}
