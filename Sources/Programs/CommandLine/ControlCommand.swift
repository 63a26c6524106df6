import Glibc
import MartletBase
import MartletJSON
import MartletTransport

/// `status`, `pause`, `resume`, `halt`, `rearm`, `flatten`: a word to a running bot.
enum ControlCommand {
  static let commands = [status, pause, resume, halt, rearm, flatten, reload]

  private static let bot = Arguments.Option(
    "--bot", "NAME",
    "its name, or the folder that its journal stands in; without it: the only one that runs here")
  private static let json = Arguments.Option(
    "--json", nil, "one object on standard output, nothing else there")
  private static let yes = Arguments.Option("--yes", nil, "do it without asking")

  private static let status = Command(
    name: "status", usage: "[--watch] [--bot NAME] [--json]",
    does: """
      Shows how a running bot stands: its state, orders, inventory, profit, the time its dead-man has
      left, and its latest alerts. Ends with 2 when none runs, and says so when one died.
      """,
    options: [.init("--watch", nil, "again every second, until Ctrl-C"), bot, json],
    positional: 0...0, example: "./martlet status --bot grid-demo", run: runStatus)

  private static let pause = Command(
    name: "pause", usage: "[--bot NAME] [--json]",
    does: """
      Places nothing new. What rests at the venue stays there, may fill and is booked; nothing replaces
      it. The dead-man stays armed.
      """,
    options: [bot, json], positional: 0...0, example: "./martlet pause",
    run: { arguments throws(Arguments.Misuse) in send("pause", arguments) })

  private static let resume = Command(
    name: "resume", usage: "[--bot NAME] [--json]",
    does: "Takes placing up again after a pause. A halt is not lifted by it: see rearm.",
    options: [bot, json], positional: 0...0, example: "./martlet resume",
    run: { arguments throws(Arguments.Misuse) in send("resume", arguments) })

  private static let halt = Command(
    name: "halt", usage: "[--reason TEXT] [--bot NAME] [--json]",
    does: """
      Places nothing and cancels every order of the bot's own, until rearm. The bot goes on listening and
      keeps its dead-man armed. Answers when no order is left, or after 5 s with 1.
      """,
    options: [.init("--reason", "TEXT", "kept in the journal and in the alert"), bot, json],
    positional: 0...0, example: "./martlet halt --reason \"a strange price\"",
    run: { arguments throws(Arguments.Misuse) in send("halt", arguments) })

  private static let rearm = Command(
    name: "rearm", usage: "[--yes] [--bot NAME] [--json]",
    does: """
      Lifts a halt, whatever caused it; trading goes on unless the bot is paused, too. After a stop the grid is
      laid anew around the price of the moment; while that is past the stop it halts again at once.
      """,
    options: [yes, bot, json], positional: 0...0, example: "./martlet rearm --yes",
    run: { arguments throws(Arguments.Misuse) in
      send("rearm", arguments, confirming: "lift the halt and trade again")
    })

  private static let flatten = Command(
    name: "flatten", usage: "[--yes] [--bot NAME] [--json]",
    does: """
      Pauses, cancels every order of the bot's own, and trades back what its fills have added to
      or taken from the inventory that its first run began with: limited orders that end at once, at most one hundredth
      through the best price, each through the risk rules, for up to 60 s. Less than the market's least
      order stays, and is told. The bot stays paused. A halted bot flattens too, and stays halted: what a
      halt keeps off is more risk, and this only takes some away.
      """,
    options: [yes, bot, json], positional: 0...0, example: "./martlet flatten --yes",
    run: { arguments throws(Arguments.Misuse) in
      send("flatten", arguments, confirming: "cancel all orders and trade the inventory back")
    })

  private static let reload = Command(
    name: "reload", usage: "[--bot NAME] [--json]",
    does: """
      Has a running bot read its configuration's file again. Levels, spacing, amount and stops of a
      strategy change while it trades: only orders that no longer fit are moved. Anything else in the file
      must be as it was; what does not fit the market is refused, and nothing changes.
      """,
    options: [bot, json], positional: 0...0, example: "./martlet reload",
    run: { arguments throws(Arguments.Misuse) in send("reload", arguments) })

  // MARK: Asking

  /// - Parameter what: done only when somebody says yes.
  private static func send(
    _ verb: String, _ arguments: Arguments, confirming what: String? = nil
  ) -> ExitCode {
    do throws(BotFinder.Absence) {
      let bot = try BotFinder.find(arguments.last("--bot"))
      var isConfirmed = arguments.has("--yes")
      if let what, !isConfirmed, isatty(0) == 1, isatty(2) == 1 {
        isConfirmed = confirms("\(bot.folder): \(what)? Type yes: ")
      }
      return tell(
        verb, bot, yes: isConfirmed, reason: arguments.last("--reason"),
        asJSON: arguments.has("--json"))
    } catch { return fail(error, asJSON: arguments.has("--json")) }
  }

  private static func confirms(_ question: String) -> Bool {
    Console.ask(question)
    return readLine() == "yes"
  }

  static func tell(
    _ verb: String, _ bot: BotFinder.Bot, yes: Bool = false, reason: String? = nil, asJSON: Bool
  ) -> ExitCode {
    var request = ByteBuffer(capacity: 256)
    var members = [
      JSONValue.Member("do", .string(verb)), JSONValue.Member("yes", .bool(yes)),
    ]
    if let reason { members.append(JSONValue.Member("reason", .string(reason))) }
    JSONValue.object(members).write(into: &request)
    guard let line = bot.caller.ask(request.copy()), let reply = try? JSONValue(line.span) else {
      Console.fail(
        "\(verb): \(bot.folder): the bot did not answer; see ./martlet status whether it was done")
      return .failed
    }
    let code = reply["exit"]?.text.flatMap { Int32($0) }.flatMap { ExitCode(rawValue: $0) }
    if asJSON { Console.out("\(reply)\n") }
    if let error = reply["error"]?.text {
      Console.fail("\(verb): \(error)")
      return code ?? .failed
    }
    if !asJSON {
      Console.out("\(reply["bot"]?.text ?? bot.folder): \(reply["did"]?.text ?? "")\n")
      if case .array(let differences)? = reply["differences"] {
        for difference in differences { Console.out("  \(difference.text ?? "")\n") }
      }
      var state = "state \(reply["state"]?.text ?? "?")"
      if let reason = reply["halt_reason"]?.text { state += " (\(reason))" }
      Console.out(
        "\(state), \(reply["orders_working"]?.text ?? "?") working orders,"
          + " position \(reply["position"]?.text ?? "?")\n")
    }
    return code ?? .failed
  }

  static func fail(_ absence: BotFinder.Absence, asJSON: Bool) -> ExitCode {
    if asJSON {
      var text = ByteBuffer(capacity: 256)
      JSONValue.object([
        .init("ok", .bool(false)), .init("exit", .number("\(absence.code.rawValue)")),
        .init("error", .string(absence.message)),
      ]).write(into: &text)
      Console.out(String(text.span) + "\n")
    }
    Console.fail(absence.message)
    return absence.code
  }

  // MARK: Status

  private static func runStatus(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    Interruption.watch()
    do throws(BotFinder.Absence) {
      let bot = try BotFinder.find(arguments.last("--bot"))
      while true {
        guard let line = bot.caller.ask(Array("{\"do\":\"status\"}".utf8)),
          let reply = try? JSONValue(line.span)
        else {
          throw BotFinder.Absence(
            message: "\(bot.folder): the bot no longer answers", code: .failed)
        }
        guard let status = reply["status"] else {
          throw BotFinder.Absence(
            message: "\(bot.folder): \(reply["error"]?.text ?? "no status")", code: .failed)
        }
        Console.out(arguments.has("--json") ? "\(status)\n" : text(of: status))
        guard arguments.has("--watch") else { return .done }
        if Interruption.isRequested { return .done }
        poll(nil, 0, 1_000)
        if Interruption.isRequested { return .done }
      }
    } catch { return fail(error, asJSON: arguments.has("--json")) }
  }

  private static func text(of status: JSONValue) -> String {
    func word(_ key: String) -> String { status[key]?.text ?? "-" }
    var text =
      "\(word("bot")) \(word("mode")) on \(word("venue")) \(word("market")): \(word("state"))"
    if let reason = status["halt_reason"]?.text ?? status["hold_reason"]?.text {
      text += " (\(reason))"
    }
    let counts = status["counts"]
    func count(_ key: String) -> String { counts?[key]?.text ?? "-" }
    text +=
      "\n  book      bid \(word("best_bid")), ask \(word("best_ask"))\(status["book_trusted"] == .bool(true) ? "" : ", not trusted")"
      + "\n  orders    \(word("orders_working")) working; \(count("orders_placed")) placed, \(count("fills")) fills, \(count("orders_refused")) refused, \(count("doubts")) doubts"
      + "\n  position  \(word("position")) \(word("base")), profit \(word("profit")) \(word("quote"))"
    let left = status["dead_man_left_ms"]?.text.flatMap { Int64($0) }
    text +=
      "\n  dead-man  \(left.map { "cancels in \($0 / 1000) s unless refreshed" } ?? "not armed")"
    if case .array(let stops)? = status["stops"] {
      for stop in stops {
        func figure(_ key: String) -> Int64 { stop[key]?.text.flatMap { Int64($0) } ?? 0 }
        text +=
          "\n  stop      \(stop["side"]?.text ?? "") at \(stop["price"]?.text ?? "-") in"
          + " \(stop["market"]?.text ?? ""): \(stop["state"]?.text ?? "")"
        if figure("inert_ms") > 0 { text += " for \(figure("inert_ms") / 1_000) s" }
        let losses = figure("losses")
        text += "; unprotected for \(figure("unprotected_ms") / 1_000) s in all"
        text += ", armed again \(losses) \(losses == 1 ? "time" : "times")"
      }
    }
    if let warning = status["journal_warning"]?.text { text += "\n  journal   \(warning)" }
    if case .array(let alerts)? = status["alerts"] {
      for alert in alerts.suffix(5) {
        text += "\n  \(alert["severity"]?.text ?? "") \(alert["text"]?.text ?? "")"
      }
    }
    return text + "\n"
  }
}
