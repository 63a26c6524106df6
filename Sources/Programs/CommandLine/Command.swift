/// One word a user types after `martlet`.
struct Command: Sendable {
  let name: String
  /// What stands after it, for help.
  let usage: String
  let does: String
  let options: [Arguments.Option]
  let positional: ClosedRange<Int>
  /// Works as pasted.
  let example: String
  let run: @Sendable (Arguments) throws(Arguments.Misuse) -> ExitCode

  func help() -> String {
    var text = "usage: ./martlet \(name) \(usage)\n\n\(does)\n"
    if !options.isEmpty { text += "\noptions:\n" }
    for option in options {
      let shown = option.name + (option.value.map { " \($0)" } ?? "")
      let padding = String(repeating: " ", count: max(1, 28 - shown.count))
      text += "  \(shown)\(padding)\(option.help)\n"
    }
    return text + "\nexample:\n  \(example)\n"
  }
}
