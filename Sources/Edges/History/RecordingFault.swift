internal import Glibc

/// Why a bundled recording cannot be used.
public enum RecordingFault: Error, Equatable, Sendable {
  /// The operating system would not give the file.
  case unreadable(path: String, errno: Int32)
  /// The file does not begin like a recording.
  case notARecording
  /// A recording, but of something else.
  case wrongKind(expected: UInt16, found: UInt16)
  /// Made by a newer build.
  case newerVersion(supported: UInt16, found: UInt16)
  /// The file's own lengths do not add up to its size.
  case wrongLength(expected: Int, found: Int)
  case checksum(expected: UInt32, found: UInt32)
  /// A header line is missing or is not what its key promises.
  case header(key: String, found: String)
  /// Intact as packed, and yet not a recording.
  case corrupt(column: String, row: Int)
}

extension RecordingFault: CustomStringConvertible {
  public var description: String {
    let again =
      "; take the file from the repository again, or rebuild it with"
      + " scripts/bundle_recording.py"
    switch self {
    case .unreadable(let path, let errno):
      // Static text, or this thread's own until its next call; copied at once.
      return "cannot read the recording \(path): \(unsafe String(cString: strerror(errno)))"
    case .notARecording:
      return "not a recording: expected a file that begins with MMR (.mmr)"
    case .wrongKind(let expected, let found):
      return "a recording of kind \(found), expected kind \(expected)"
        + " (1 market, 2 best bid and offer)"
    case .newerVersion(let supported, let found):
      return
        "recording version \(found), this build reads up to \(supported); build a newer Martlet"
    case .wrongLength(let expected, let found):
      return "the recording has \(found) bytes, its header says \(expected)" + again
    case .checksum(let expected, let found):
      return "the recording's checksum is \(found), expected \(expected)" + again
    case .header(let key, let found):
      return "the recording's header says \(key)=\(found)" + again
    case .corrupt(let column, let row):
      return "the recording's column \(column) breaks at row \(row)" + again
    }
  }
}
