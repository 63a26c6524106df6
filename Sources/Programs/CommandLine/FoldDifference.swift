import MartletLive

/// Where a fold and its journal first disagree, for a person: both in words, and where their bytes part.
enum FoldDifference {
  /// What is shown of one record.
  private static let longest = 400

  /// - Returns: nil when they agree in all that this build wrote.
  static func text(_ fold: borrowing JournalFold) -> String? {
    guard let difference = fold.difference else { return nil }
    return text(difference, fold.differing, RecordText(instruments: fold.instruments))
  }

  private static func text(
    _ difference: String, _ differing: JournalFold.Differing?, _ text: RecordText
  ) -> String {
    guard let found = differing else { return difference }
    var words = text
    let recorded = words.line(kind: found.kind, payload: found.recorded.span)
    guard let due = found.folded else {
      return
        "record \(found.sequence) is not caused by its input:\n  recorded \(recorded.prefix(longest))"
    }
    let folded = words.line(kind: found.kind, payload: due.span)
    let common = zip(found.recorded, due).prefix { $0 == $1 }.count
    return "first difference at record \(found.sequence):\n  recorded \(recorded.prefix(longest))\n"
      + "  folded   \(folded.prefix(longest))\n  from byte \(common) of it on: recorded"
      + " \(bytes(found.recorded, common)), folded \(bytes(due, common))"
  }

  /// Each place where two builds make something else of the same inputs, and what that means.
  ///
  /// - Returns: nil when there is none.
  static func ofBuilds(_ fold: borrowing JournalFold) -> String? {
    let count = fold.buildDifferenceCount
    guard count > 0 else { return nil }
    let words = RecordText(instruments: fold.instruments)
    var lines = ""
    for found in fold.buildDifferences {
      lines +=
        "the builds differ: \(text(found.text, found.differing, words))\nwritten by \(found.build); "
        + (found.resumed > 0
          ? "folded again from record \(found.resumed) on\n"
          : "no state that could be folded from is kept behind it\n")
    }
    let more = count - UInt64(fold.buildDifferences.count)
    if more > 0 { lines += "and \(more) more\n" }
    lines +=
      "\(fold.passed) records behind \(count == 1 ? "it" : "them") could not be folded. That is a difference between the"
      + " builds"
    return fold.fault != nil
      ? lines
      : lines + " and no failure of the journal, of which each record that was asked for is proven:"
        + " the build that wrote it replays it"
  }

  private static func bytes(_ payload: [UInt8], _ start: Int) -> String {
    guard start < payload.count else { return "nothing more" }
    return payload[start...].prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
      .joined(separator: " ")
  }
}
