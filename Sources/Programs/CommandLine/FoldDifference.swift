import MartletLive

/// Where a fold and its journal first disagree, for a person: both in words, and where their bytes part.
enum FoldDifference {
  /// What is shown of one record.
  private static let longest = 400

  /// - Returns: nil when they agree.
  static func text(_ fold: borrowing JournalFold) -> String? {
    guard let difference = fold.difference else { return nil }
    guard let found = fold.differing else { return difference }
    var words = RecordText(instruments: fold.instruments)
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

  /// That two builds make something else of the same inputs.
  static func ofBuilds(_ difference: String) -> String {
    "the builds differ: \(difference)\nThat is a difference between the builds and no failure of the"
      + " journal, of which each record that was asked for is proven: the build that wrote it replays it"
  }

  private static func bytes(_ payload: [UInt8], _ start: Int) -> String {
    guard start < payload.count else { return "nothing more" }
    return payload[start...].prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
      .joined(separator: " ")
  }
}
