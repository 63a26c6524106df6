public import MartletBase

/// When what a journal has is also brought to disk, as `[journal] sync` says: `"behind 100ms"`,
/// `"each"` or `"close"`.
public enum JournalSync: Equatable, Sendable {
  /// By a thread of its own, this long behind; 10 ms to 10 s.
  case behind(TimeSpan)
  /// Before each record acts.
  case each
  /// When one of its files is full, and at the end.
  case atClose

  static let bounds = TimeSpan.milliseconds(10)...TimeSpan.seconds(10)
  static let expected =
    "\"behind 100ms\" (\"10ms\" to \"10s\"), \"each\" or \"close\""

  /// - Returns: nil for any other text.
  init?(_ text: String) {
    switch text {
    case "each": self = .each
    case "close": self = .atClose
    default:
      let words = text.split(separator: " ", omittingEmptySubsequences: false)
      guard words.count == 2, words[0] == "behind", let span = TableReader.span(String(words[1])),
        JournalSync.bounds.contains(span)
      else { return nil }
      self = .behind(span)
    }
  }
}
