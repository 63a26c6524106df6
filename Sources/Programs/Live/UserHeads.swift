public import MartletJournalFile
internal import MartletSecrets

/// The heads of this user's journals, beside the locks of their keys and sealed with a key of their own.
public enum UserHeads {
  /// - Throws: why there can be none.
  public static func book() throws -> HeadBook {
    let folder = try UserState.folder("journals")
    let seal = try UserSeal(keyAt: folder + "/key")
    return HeadBook(folder) { seal.code(of: $0) }
  }
}
