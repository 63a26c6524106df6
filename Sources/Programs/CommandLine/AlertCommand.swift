import MartletAlerts
import MartletBase
import MartletClock
import MartletConfiguration

/// `alert test CONFIG.toml`
enum AlertCommand {
  static let command = Command(
    name: "alert", usage: "test CONFIG.toml",
    does: """
      test  sends one test alert each way that the configuration names, and says which arrived; ends
            with 1 when one did not
      """,
    options: [], positional: 2...2, example: "./martlet alert test Docs/grid.toml",
    run: run)

  private static func run(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    guard arguments.positional[0] == "test" else {
      throw Arguments.Misuse(message: "expected test, found “\(arguments.positional[0])”")
    }
    let configuration: BotConfiguration
    do throws(ConfigurationFault) {
      configuration = try BotConfiguration.load(arguments.positional[1])
    } catch {
      Console.fail("\(error)")
      if case .refused = error { return .unsafe }
      return .misuse
    }
    let alert = Alert(
      time: SystemClock.realtime(), event: .raised, code: .test, subject: configuration.name,
      what: "a test: nothing happened", count: 1)
    let sinks: [any AlertSink] = [
      StandardErrorSink(bot: configuration.name),
      AlertFileSink(path: configuration.alerts.file, bot: configuration.name),
    ]
    var ending = ExitCode.done
    for var sink in sinks {
      do throws(AlertSinkFault) {
        try sink.deliver(alert)
        Console.out("\(sink.name): sent\n")
      } catch {
        Console.fail("\(error)")
        ending = .failed
      }
    }
    return ending
  }
}
