import MartletJournalFile
import MartletLive

/// `replay JOURNAL [--verify] [--until SEQ] [--json]`
enum ReplayCommand {
  static let command = Command(
    name: "replay", usage: "JOURNAL [--verify] [--until SEQ] [--json]",
    does: """
      Folds a journal again, from its raw bytes on, with the recorded times: the kernel that the first
      record of each run describes gets every input, and every note and effect is compared with what
      was recorded. With --until it shows the whole state just after that record; it then begins at the
      last state that the journal keeps before it, and takes what stands before that at its word, unless
      --verify is given too. What another build wrote is folded as well; each place where this build makes
      something else of it is told as that, a failure only with --verify, and behind it the fold begins
      again where the journal keeps a state or a run begins.
      """,
    options: [
      .init(
        "--verify", nil, "prove and fold from the first record; exit 1 on any difference"),
      .init("--until", "SEQ", "stop after this sequence and show the state there"),
      .init("--json", nil, "one object on standard output"),
    ],
    positional: 1...1,
    example: "./martlet demo --for 5s && ./martlet replay --verify .martlet/demo/latest/journal",
    run: run)

  private static func run(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    let until = try arguments.integer("--until", default: Int.max, in: 1...Int.max)
    let folder = arguments.positional[0]
    do {
      let moment = JournalMoment.sequence(UInt64(until))
      let isShown = arguments.has("--until")
      let build = BuildIdentity.text
      guard
        let fold = isShown && !arguments.has("--verify")
          ? try JournalFold.seeking(folder, to: moment, build: build)
          : try JournalFold.whole(folder, to: moment, build: build)
      else {
        Console.fail("replay: \(folder): begins after record \(until)")
        return .failed
      }
      if isShown, fold.isForAnotherBuild, let report = FoldDifference.ofBuilds(fold) {
        if let fault = fold.fault { Console.fail("replay: \(folder): \(fault)") }
        Console.fail("replay: record \(until) is not reached: \(report)")
        Console.fail(fold.damaged)
        return .failed
      }
      if isShown, fold.difference == nil, fold.isBlind, let gap = fold.gap {
        Console.fail(
          "replay: \(folder): what the bot knew at record \(until) cannot be folded: market records between"
            + " \(gap.lowerBound) and \(gap.upperBound) \(fold.whyMissing), and no state is kept between them"
            + " and it")
        Console.fail(fold.damaged)
        return .failed
      }
      if fold.build != build {
        Console.note("written by another build (\(fold.build)); this one is \(build)")
      }
      Console.out(
        arguments.has("--json")
          ? json(fold, isShown: isShown) : text(fold, folder, isShown: isShown))
      Console.fail(fold.damaged)
      if let fault = fold.fault { Console.fail("replay: \(folder): \(fault)") }
      let isStrict = arguments.has("--verify")
      if let report = FoldDifference.ofBuilds(fold) {
        // A build may decide otherwise than an earlier one did; whoever wants the same bits says --verify.
        if isStrict { Console.fail("replay: \(report)") } else { Console.note(report) }
      }
      if let difference = FoldDifference.text(fold) {
        Console.fail("replay: \(difference)")
        return .failed
      }
      let isDone = fold.damaged.isEmpty && fold.fault == nil && (fold.isIdentical || !isStrict)
      return isDone ? .done : .failed
    } catch {
      Console.fail("replay: \(error)")
      return .failed
    }
  }

  private static func text(
    _ fold: borrowing JournalFold, _ folder: String, isShown: Bool
  ) -> String {
    var text =
      "\(folder): \(fold.runs == 1 ? "" : "\(fold.runs) runs, ")\(fold.records) records,"
      + " \(fold.inputs) inputs folded, \(fold.compared) notes and effects compared\n"
    if fold.isSought {
      text +=
        "begun with the state in record \(fold.first); what stands before it is taken at its word"
        + " (--verify proves it)\n"
    }
    if let gap = fold.gap {
      text +=
        "\(fold.gone + fold.unreadable) market records between \(gap.lowerBound) and \(gap.upperBound)"
        + " \(fold.whyMissing):"
        + " \(fold.skipped) records behind them were proven and could not be folded"
        + (fold.isBlind
          ? ", and no state is kept behind them\n"
          : "; folded again from the state in record \(fold.resumed) on\n")
    }
    text += "digest \(fold.digest)\n"
    if fold.isTorn { text += "the last record is torn, as a killed process leaves it\n" }
    if isShown { text += "after record \(fold.last):\n" + fold.state.text }
    if fold.isIdentical {
      text += "identical, bit for bit\(fold.gap == nil ? "" : ", in all that can be compared")\n"
    } else if fold.difference == nil, fold.fault == nil {
      text += "the same bit for bit in all that could be compared but what follows\n"
    }
    return text
  }

  /// Names and values hold no quote and no backslash but in the state, which is whole by itself.
  private static func json(_ fold: borrowing JournalFold, isShown: Bool) -> String {
    "{\"records\":\(fold.records),\"digest\":\"\(fold.digest)\","
      + "\"identical\":\(fold.isIdentical),\"first\":\(fold.first),\"last\":\(fold.last),"
      + "\"proven\":\(!fold.isSought),\"gone\":\(fold.gone),\"unreadable\":\(fold.unreadable),"
      + "\"skipped\":\(fold.skipped + fold.passed),"
      + "\"build_differences\":\(fold.buildDifferenceCount),"
      + "\"build\":\"\(fold.build.filter { $0 != "\"" && $0 != "\\" })\","
      + "\"same_build\":\(fold.build == BuildIdentity.text)"
      + (isShown ? ",\"state\":\(fold.state.json)" : "") + "}\n"
  }
}
