internal import Glibc
public import MartletRecord

/// A fault in the chain, and in which file.
public struct SegmentFault: Error, Equatable, Sendable, CustomStringConvertible {
  /// The segment's file name, such as `00000001.mjl`.
  public let file: String
  public let fault: RecordFault
  public var description: String { "\(file) \(fault)" }
}

/// What is wrong with a part of a segment, and with which.
public struct PartFault: Error, Equatable, Sendable, CustomStringConvertible {
  /// The part's file name, such as `00000001.mjd`.
  public let file: String
  public let damage: PartDamage
  public init(file: String, damage: PartDamage) {
    self.file = file
    self.damage = damage
  }
  public var description: String { "\(file): \(damage)" }
}

/// A market file that is damaged or lost. Its segment's decisions stand without it, and so do those of its
/// records that prove themselves.
public struct DamagedMarket: Equatable, Sendable, CustomStringConvertible {
  public let fault: PartFault
  /// Market records that cannot be read, and that it had.
  public let unreadable: UInt64
  public let records: UInt64
  public var description: String {
    unreadable == 0
      ? "\(fault); all of its \(records) market records prove themselves even so"
      : "\(fault); \(unreadable) of its \(records) market records cannot be read"
  }
}

/// Why a journal cannot be opened, read or written.
public enum JournalFault: Error, Equatable, Sendable {
  case folderMissing(String)
  /// The folder holds something, and no journal.
  case notAJournal(folder: String, found: String)
  /// Written by a later build.
  ///
  /// - Parameter build: which, as far as it can be made out.
  case newerVersion(file: String, supported: UInt8, found: UInt8, build: String? = nil)
  case permission(path: String)
  /// Nobody may write to the file system.
  case readOnly(path: String)
  case diskFull(path: String, neededBytes: Int)
  /// Another writer has this journal.
  case inUse(folder: String, processID: Int?)
  case payloadTooLarge(limit: Int, found: Int)
  case segmentMissing(file: String)
  case corrupt(SegmentFault)
  /// Of a segment that was parted.
  case part(PartFault)
  /// Any other refusal of the system.
  case system(call: String, path: String, errno: Int32)

  /// Whether the journal is not what was written, or not all of it: nothing that goes by with time.
  public var isDamage: Bool {
    switch self {
    case .corrupt, .part, .segmentMissing: true
    case .folderMissing, .notAJournal, .newerVersion, .permission, .readOnly, .diskFull, .inUse,
      .payloadTooLarge, .system:
      false
    }
  }

  /// What is wrong and where, without a word on what to do.
  public var finding: String {
    switch self {
    case .corrupt(let fault): "\(fault)"
    case .part(let fault): "\(fault)"
    default: "\(self)"
    }
  }

  /// The fault that a failed call means.
  static func failed(
    _ call: String, _ path: String, errno: Int32, neededBytes: Int = 0
  ) -> JournalFault {
    switch errno {
    case ENOENT: .folderMissing(path)
    case EACCES, EPERM: .permission(path: path)
    case EROFS: .readOnly(path: path)
    case ENOSPC, EDQUOT: .diskFull(path: path, neededBytes: neededBytes)
    default: .system(call: call, path: path, errno: errno)
    }
  }

  /// The fault that damage in a part means.
  static func damaged(_ file: String, _ damage: PartDamage) -> JournalFault {
    if case .version(let found) = damage, found > PartHead.version {
      return .newerVersion(file: file, supported: PartHead.version, found: found)
    }
    return .part(PartFault(file: file, damage: damage))
  }

  /// What it says of a part; nil when it says nothing of one.
  var damageOfPart: PartDamage? {
    switch self {
    case .part(let fault): fault.damage
    case .newerVersion(_, _, let found, _): .version(found: found)
    default: nil
    }
  }

  /// The same, with the build that says in the first bytes of a segment of a later version that it wrote
  /// it, as every version does.
  func naming(buildIn segment: Span<UInt8>) -> JournalFault {
    guard case .newerVersion(let file, let supported, let found, nil) = self else { return self }
    let sign = Array("martlet ".utf8)
    var start: Int?
    for index in 0..<max(min(segment.count, 4_096) - sign.count, 0) where start == nil {
      var isSame = true
      for offset in sign.indices where segment[index + offset] != sign[offset] { isSame = false }
      if isSame { start = index }
    }
    guard let start else { return self }
    var name: [UInt8] = []
    for index in start..<min(segment.count, start + 80) {
      guard segment[index] > 31, segment[index] < 127 else { break }
      name.append(segment[index])
    }
    return .newerVersion(
      file: file, supported: supported, found: found, build: String(decoding: name, as: UTF8.self))
  }

  /// The fault that damage in a segment means.
  static func damaged(_ file: String, _ fault: RecordFault) -> JournalFault {
    if case .version(let found) = fault.damage, found > RecordFraming.version {
      return .newerVersion(file: file, supported: RecordFraming.version, found: found)
    }
    return .corrupt(SegmentFault(file: file, fault: fault))
  }
}

extension JournalFault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .folderMissing(let path):
      "\(path): no such file or folder; give the folder of a journal, or create its parent"
    case .notAJournal(let folder, let found):
      "\(folder): expected a journal (00000001.mjl) or an empty folder, found \(found)"
    case .newerVersion(let file, let supported, let found, let build):
      "\(file): record version \(found), this build reads up to \(supported); use the build that wrote it"
        + (build.map { ", \($0)" } ?? "")
    case .permission(let path):
      "\(path): permission denied; give the user who runs Martlet read and write access"
    case .readOnly(let path):
      "\(path): the file system is read-only; see the system's log for why, repair it and mount it for writing"
    case .diskFull(let path, let neededBytes):
      "\(path): the disk is full, \(neededBytes) bytes are needed; free some space"
    case .inUse(let folder, let processID):
      "\(folder): another process writes this journal\(processID.map { " (process \($0))" } ?? ""); stop it or choose another folder"
    case .payloadTooLarge(let limit, let found):
      "a record of \(found) bytes; this journal takes at most \(limit)"
    case .segmentMissing(let file):
      "\(file): missing between the segments of this journal; put it back"
    case .corrupt(let fault): "\(fault); keep the folder for inspection and begin a new one"
    case .part(let fault) where fault.file.hasSuffix(".mjm"):
      "\(fault); put the file back from a copy: decisions are proven without it"
    case .part(let fault):
      "\(fault); put the file back from a copy, or keep the folder for inspection and begin a new one"
    case .system(let call, let path, let errno):
      // Static text, or this thread's own until its next call; copied at once.
      "\(path): \(call) failed: \(unsafe String(cString: strerror(errno)))"
    }
  }
}
