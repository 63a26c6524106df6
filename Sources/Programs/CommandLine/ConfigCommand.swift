import MartletBase
import MartletConfiguration
import MartletLive

/// `config check|explain CONFIG.toml`
enum ConfigCommand {
  static let command = Command(
    name: "config", usage: "check|explain CONFIG.toml",
    does: """
      check    reads a configuration strictly and tells everything that is wrong with it
      explain  shows each value and where it came from
      """,
    options: [], positional: 1...2, example: "./martlet config check Docs/grid.toml",
    run: run)

  private static func run(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    let verb = arguments.positional[0]
    guard verb == "check" || verb == "explain" else {
      throw Arguments.Misuse(message: "expected check or explain, found “\(verb)”")
    }
    guard arguments.positional.count == 2 else {
      throw Arguments.Misuse(message: "\(verb): expected a configuration's file behind it")
    }
    let path = arguments.positional[1]
    do throws(ConfigurationFault) {
      let report = try BotConfiguration.check(path: path)
      if verb == "explain" {
        for setting in report.settings { Console.out("\(setting)\n") }
      }
      if let fault = report.fault ?? KeyFit.fault(of: report, file: path) { throw fault }
      if verb == "check" { Console.out("\(path): sound, \(report.settings.count) values\n") }
      return .done
    } catch {
      Console.fail("\(error)")
      if case .refused = error { return .unsafe }
      return .misuse
    }
  }
}
