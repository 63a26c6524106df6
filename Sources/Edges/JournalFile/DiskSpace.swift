internal import Glibc
internal import MartletRecord

/// What the file system of a journal's folder has, in bytes.
public struct DiskSpace: Equatable, Sendable {
  public let total: Int
  /// For this user.
  public let free: Int

  public init(total: Int, free: Int) {
    self.total = total
    self.free = free
  }

  /// - Returns: nil when the system does not say.
  public init?(of folder: String) {
    var status = statvfs()
    guard unsafe statvfs(folder, &status) == 0 else { return nil }
    self.init(
      total: Int(clamping: status.f_blocks) * Int(clamping: status.f_frsize),
      free: Int(clamping: status.f_bavail) * Int(clamping: status.f_frsize))
  }

  /// The least that a journal's file is long.
  public static let leastSegment = 1 << 20
  /// Files that a journal has whole at a time: the one being written and the next one, two full ones, and
  /// another that is put away, with its packed files beside it.
  public static let wholeFiles = 6

  /// How long a journal's files are here: an eighth of the file system at most, so that those that are whole
  /// leave room for packed ones.
  public func segmentBytes(atMost wanted: Int) -> Int {
    let share = total / 8 & ~0xffff
    return min(wanted, max(share, DiskSpace.leastSegment))
  }

  /// What a journal in a folder may come to take, beside decisions, and what there is for it; nil when there
  /// is enough.
  ///
  /// - Parameter taken: what it takes already.
  public func shortage(
    segmentBytes: Int, keepMarketBytes: Int, taken: Int
  ) -> (needed: Int, found: Int)? {
    let needed = DiskSpace.wholeFiles * segmentBytes + keepMarketBytes
    let found = free + taken
    return found < needed ? (needed, found) : nil
  }
}

extension JournalFolder {
  /// Bytes of its whole files and of its market files, which is what comes and goes.
  public func takenBytes() -> Int {
    guard let content = try? content() else { return 0 }
    var bytes = 0
    for number in content.raw { bytes += Paths.bytes(path(number)) }
    for number in content.parted { bytes += Paths.bytes(path(number, .market)) }
    return bytes
  }
}
