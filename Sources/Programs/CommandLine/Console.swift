import Glibc
import MartletBase
import MartletClock
import MartletJournalFile

/// Where words go: results to standard output, everything else to standard error.
enum Console {
  static func out(_ text: String) { write(text, to: 1) }
  static func note(_ text: String) { write(text + "\n", to: 2) }

  static func ask(_ text: String) { write(text, to: 2) }
  static func fail(_ text: String) { write("martlet: " + text + "\n", to: 2) }

  /// Market files that a command met and could not read as they were written, with what to do.
  static func fail(_ damaged: [DamagedMarket]) {
    for market in damaged {
      fail("\(market); put the file back from a copy: decisions are proven without it")
    }
  }

  /// A bar in place, with rate and time left, where a person looks on.
  ///
  /// - Parameter begun: when the work began.
  static func progress(
    _ done: Int, of total: Int, _ unit: String, failed: Int, since begun: Timestamp
  ) {
    guard isatty(2) == 1 else { return }
    let milliseconds = max((SystemClock.monotonic() - begun).milliseconds, 1)
    guard milliseconds > 2_000 else { return }
    let filled = done * 24 / max(total, 1)
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 24 - filled)
    let left = milliseconds / Int64(max(done, 1)) * Int64(total - done) / 1000
    let rate = Int64(done) * 60_000 / milliseconds
    write(
      "\r[\(bar)] \(done) of \(total) \(unit), \(rate) a minute, \(left) s left"
        + (failed > 0 ? ", \(failed) failed" : "") + "\u{1b}[K" + (done == total ? "\n" : ""),
      to: 2)
  }

  private static func write(_ text: String, to descriptor: Int32) {
    let bytes = Array(text.utf8)
    var sent = 0
    while sent < bytes.count {
      let count = unsafe bytes[sent...].withUnsafeBytes {
        unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }  // Nobody reads any more: there is no one to tell.
      sent += count
    }
  }
}

/// How a command ends; frozen.
enum ExitCode: Int32 {
  case done = 0
  case failed = 1
  case misuse = 2
  case unsafe = 3
  case interrupted = 130
}
