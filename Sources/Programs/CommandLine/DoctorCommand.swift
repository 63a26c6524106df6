import MartletBase
import MartletJSON
import MartletLive
import MartletSecrets

/// `doctor [CONFIG.toml]`
enum DoctorCommand {
  static let command = Command(
    name: "doctor", usage: "[CONFIG.toml] [--passphrase-file FILE] [--json]",
    does: """
      Looks at what a bot needs, and places and changes nothing: clock, limits, disk, configuration, key,
      network, TLS, the venue's clock, the key's rights, funds. Each is ok, warn or fail, with what to do;
      exits 1 when one fails. Without a configuration it looks at the machine alone.
      """,
    options: [
      .init(
        "--passphrase-file", "FILE", "opens the key store; else MARTLET_PASSPHRASE, or asked for"),
      .init("--json", nil, "one object on standard output, nothing else there"),
    ],
    positional: 0...1, example: "./martlet doctor", run: run)

  private static func run(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    let isJSON = arguments.has("--json")
    let doctor = Doctor(passphrase: PassphraseSource(file: arguments.last("--passphrase-file"))) {
      finding in
      if isJSON { return }
      let name = finding.name + String(repeating: " ", count: max(1, 16 - finding.name.count))
      let level = finding.level.rawValue + (finding.level == .ok ? "  " : "")
      Console.out("\(level)  \(name)\(finding.found)\n")
      if !finding.todo.isEmpty { Console.out("        → \(finding.todo)\n") }
    }
    doctor.examine(arguments.positional.first)
    func count(_ level: Doctor.Level) -> Int {
      doctor.findings.filter { $0.level == level }.count
    }
    if isJSON {
      Console.out(json(doctor.findings, ok: count(.ok), warn: count(.warn), fail: count(.fail)))
    } else {
      Console.out("\(count(.ok)) ok, \(count(.warn)) warn, \(count(.fail)) fail\n")
    }
    return count(.fail) > 0 ? .failed : .done
  }

  private static func json(_ findings: [Doctor.Finding], ok: Int, warn: Int, fail: Int) -> String {
    var line = ByteBuffer(capacity: 2_048)
    var writer = JSONWriter()
    writer.beginObject(into: &line)
    writer.key("findings", into: &line)
    writer.beginArray(into: &line)
    for finding in findings {
      writer.beginObject(into: &line)
      for (key, text) in [
        ("name", finding.name), ("level", finding.level.rawValue), ("found", finding.found),
        ("do", finding.todo),
      ] {
        writer.key(text: key, into: &line)
        writer.string(text: text, into: &line)
      }
      writer.endObject(into: &line)
    }
    writer.endArray(into: &line)
    for (key, count) in [("ok", ok), ("warn", warn), ("fail", fail)] {
      writer.key(text: key, into: &line)
      writer.integer(Int64(count), into: &line)
    }
    writer.endObject(into: &line)
    return String(line.span) + "\n"
  }
}
