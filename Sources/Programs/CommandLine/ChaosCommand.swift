import Glibc
import MartletBase
import MartletChaos
import MartletClock
import MartletConfiguration
import MartletLive
import MartletSimulation

/// `chaos CONFIG.toml`
enum ChaosCommand {
  static let command = Command(
    name: "chaos",
    usage:
      "CONFIG.toml [--seeds N | --seed S | --points N] [--from S] [--every K] [--minutes M] [--troubles N] [--canary NAME] [--keep DIR] [--json]",
    does: """
      Runs the bot of a configuration through days that go wrong: its kernel, session, journal and recovery
      against the simulated exchange, on one virtual clock, with a network, a disk and a machine that
      fail as a seed says: lost, late, doubled and garbled messages, cuts, partitions, refused disks, power
      cuts, clocks that jump, deaths at any point. Then everything heals, and what is left is held against
      the exchange's own books. Prints a scorecard; exit 1 names each seed that broke and what it broke.
      Nothing leaves this machine and no file is written.
      """,
    options: [
      .init("--seeds", "N", "so many days, of seeds that nobody has seen before; 20"),
      .init("--seed", "S", "the day of this seed, with its diary"),
      .init("--from", "S", "with --seeds or --points: of S and those that follow it"),
      .init(
        "--points", "N",
        "instead of days: short sessions, and a death behind every record written, message sent and message"
          + " that came, N of them"),
      .init("--every", "K", "with --points: only each K-th of them; 1"),
      .init("--minutes", "M", "how long trouble comes in each day; 5"),
      .init("--troubles", "N", "how many in each day; 16 to 40, as the seed says"),
      .init(
        "--canary", "NAME",
        "plant a bug that must be found: \(Canary.allCases.map(\.rawValue).joined(separator: ", "))"
      ),
      .init(
        "--keep", "DIR",
        "with --seed: leaves the day's journal, all of its wire and its diary in a new folder"),
      .init("--json", nil, "one object a day, and one at the end, on standard output"),
    ],
    positional: 1...1,
    example: "./martlet chaos Docs/grid.toml --seeds 3",
    run: run)

  private static func run(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    let minutes = try arguments.integer("--minutes", default: 5, in: 1...1_440)
    let count = try arguments.integer("--seeds", default: 20, in: 1...1_000_000)
    let troubles = try arguments.integer("--troubles", default: 0, in: 0...10_000)
    var canary: Canary?
    if let name = arguments.last("--canary") {
      guard let known = Canary(rawValue: name) else {
        throw Arguments.Misuse(
          message: "--canary: expected one of"
            + " \(Canary.allCases.map(\.rawValue).joined(separator: ", ")), found “\(name)”")
      }
      canary = known
    }
    if arguments.has("--seed") && (arguments.has("--seeds") || arguments.has("--from")) {
      throw Arguments.Misuse(message: "expected --seed for one day, or --seeds for several")
    }
    // What would be passed over in silence would be taken for tried.
    let others =
      arguments.has("--points")
      ? ["--seed", "--seeds", "--minutes", "--troubles", "--keep"] : ["--every"]
    if let other = others.first(where: { arguments.has($0) }) {
      throw Arguments.Misuse(
        message: arguments.has("--points")
          ? "--points takes --every, --from and --canary, not \(other)"
          : "\(other) is for --points")
    }
    let one = try seed(arguments, "--seed")
    let seeds: [UInt64]
    if let one {
      seeds = [one]
    } else if let first = try seed(arguments, "--from") {
      seeds = (0..<UInt64(count)).map { first &+ $0 }
    } else {
      var system = SystemRandomNumberGenerator()
      seeds = (0..<count).map { _ in UInt64.random(in: 1...999_999_999_999, using: &system) }
    }
    let folder = arguments.last("--keep")
    if folder != nil && one == nil {
      throw Arguments.Misuse(message: "--keep keeps one day: name it with --seed")
    }
    let path = arguments.positional[0]
    let plan: BotPlan
    do throws(ConfigurationFault) {
      plan = try BotPlan(
        configurationText: try BotConfiguration.text(of: path), file: path, seed: 1,
        build: BuildIdentity.text)
    } catch {
      Console.fail("\(error)")
      if case .refused = error { return .unsafe }
      return .misuse
    }
    if arguments.has("--points") {
      let points = try arguments.integer("--points", default: 10_000, in: 1...100_000_000)
      let every = try arguments.integer("--every", default: 1, in: 1...1_000_000)
      return enumerate(
        Chaos(plan, canary: canary), points: points, every: UInt64(every),
        from: try seed(arguments, "--from") ?? 1,
        asJSON: arguments.has("--json"))
    }
    return run(
      Chaos(
        plan, span: .seconds(Int64(minutes) * 60),
        troubles: arguments.has("--troubles") ? troubles : nil,
        canary: canary), seeds,
      asJSON: arguments.has("--json"), isDetailed: one != nil, folder: folder)
  }

  /// A death behind each event of one session after the other, until so many deaths are through.
  private static func enumerate(
    _ chaos: Chaos, points: Int, every: UInt64, from first: UInt64, asJSON: Bool
  ) -> ExitCode {
    Interruption.watch()
    let begun = SystemClock.monotonic()
    var (done, failed, sessions, seed) = (0, 0, 0, first)
    var digest = RunDigest()
    do {
      sessions: while done < points {
        let (whole, last) = try chaos.session(seed)
        sessions += 1
        for violation in whole.violations.prefix(12) {
          Console.fail("session \(seed): \(violation)")
        }
        failed += whole.violations.isEmpty ? 0 : 1
        for point in stride(from: 1, through: last, by: UInt64.Stride(every)) {
          if Interruption.isRequested { break sessions }
          let outcome = try chaos.session(seed, dyingBehind: point)
          digest.fold(outcome.digest.value)
          done += 1
          failed += outcome.violations.isEmpty ? 0 : 1
          for violation in outcome.violations.prefix(12) {
            Console.fail("session \(seed), dead behind event \(point): \(violation)")
          }
          if !outcome.violations.isEmpty {
            for line in outcome.diary.prefix(40) { Console.fail("  " + line) }
          }
          Console.progress(done, of: points, "deaths", failed: failed, since: begun)
          if done == points { break sessions }
        }
        seed += 1
      }
    } catch {
      Console.fail("\(error)")
      return .misuse
    }
    Console.out(
      asJSON
        ? "{\"points\":\(done),\"sessions\":\(sessions),\"failed\":\(failed),\"digest\":\"\(digest)\"}\n"
        : "\(done) deaths in \(sessions) sessions, \(failed) failed, digest \(digest)\n")
    if Interruption.isRequested { return .interrupted }
    return failed == 0 ? .done : .failed
  }

  private static func seed(
    _ arguments: Arguments, _ name: String
  ) throws(Arguments.Misuse) -> UInt64? {
    guard let text = arguments.last(name) else { return nil }
    guard let seed = UInt64(text) else {
      throw Arguments.Misuse(message: "\(name): expected a whole number, found “\(text)”")
    }
    return seed
  }

  private static func run(
    _ chaos: Chaos, _ seeds: [UInt64], asJSON: Bool, isDetailed: Bool, folder: String?
  ) -> ExitCode {
    Interruption.watch()
    let begun = SystemClock.monotonic()
    var card = ChaosCard()
    for seed in seeds {
      if Interruption.isRequested { break }
      let outcome: ChaosOutcome
      do {
        outcome = try chaos.day(seed, isKept: folder != nil)
        if let folder { try ChaosKeeping.keep(outcome, in: folder) }
      } catch {
        Console.fail("\(error)")
        return .misuse
      }
      card.take(outcome)
      if asJSON {
        Console.out(ChaosCard.json(outcome) + "\n")
      } else if isDetailed {
        for line in outcome.diary { Console.out(line + "\n") }
      }
      for violation in outcome.violations.prefix(12) {
        Console.fail("seed \(seed): \(violation)")
      }
      if !outcome.violations.isEmpty {
        Console.fail("seed \(seed): ./martlet chaos CONFIG.toml --seed \(seed) tells its day")
      }
      Console.progress(
        card.seeds, of: seeds.count, "days", failed: card.failed.count, since: begun)
    }
    Console.out(asJSON ? card.json + "\n" : card.text)
    if Interruption.isRequested { return .interrupted }
    return card.failed.isEmpty ? .done : .failed
  }
}
