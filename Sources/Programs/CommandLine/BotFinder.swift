import Glibc
import MartletBase
import MartletJSON
import MartletTransport

/// Finds running bots by their control sockets below `.martlet`.
enum BotFinder {
  struct Bot {
    let folder: String
    let caller: LocalCaller
  }

  /// Why there is no one bot to talk to: what to say, and how to end.
  struct Absence: Error {
    let message: String
    let code: ExitCode
  }

  static let root = ".martlet"
  /// Folders looked at below it; a journal's folder has more files, not more folders.
  private static let maxFolders = 1_024

  /// - Parameter name: a bot's name, or the folder its journal stands in; nil for the only one.
  static func find(_ name: String?) throws(Absence) -> Bot {
    if let name, name.contains("/") { return try connect(name) }
    var live: [Bot] = []
    var dead: [String] = []
    for folder in folders() {
      let isNamed = name.map { folder == root + "/" + $0 } ?? true
      do throws(LocalCaller.Absence) {
        let caller = try LocalCaller(LocalAddress(folder: folder))
        if isNamed || name == botName(caller) { live.append(Bot(folder: folder, caller: caller)) }
      } catch {
        if case .dead = error, isNamed || folder.hasSuffix("/" + (name ?? "")) {
          dead.append(folder)
        }
      }
    }
    if live.count == 1 { return live[0] }
    if live.count > 1 {
      throw Absence(
        message: "several bots run here: name one with --bot, of "
          + live.map(\.folder).sorted().joined(separator: ", "), code: .misuse)
    }
    if let name, let folder = dead.first(where: { $0 == root + "/" + name }) ?? dead.first {
      throw died(folder)
    }
    if name == nil, !dead.isEmpty { throw died(dead) }
    throw Absence(
      message: name.map {
        "no bot “\($0)” runs here; expected its name, or its journal's parent folder"
      }
        ?? "no bot runs here: none below \(root) answers", code: .misuse)
  }

  private static func connect(_ folder: String) throws(Absence) -> Bot {
    do throws(LocalCaller.Absence) {
      return Bot(folder: folder, caller: try LocalCaller(LocalAddress(folder: folder)))
    } catch {
      switch error {
      case .none: throw Absence(message: "\(folder): no bot runs here", code: .misuse)
      case .dead: throw died(folder)
      case .fault(let fault): throw Absence(message: "\(fault)", code: .failed)
      }
    }
  }

  private static func died(_ folder: String) -> Absence {
    Absence(
      message:
        "\(folder): not running: its process ended without a word; what rests at the venue is"
        + " canceled by the kill-switch, or now by ./martlet panic CONFIG.toml", code: .misuse)
  }

  /// Nobody is meant and none runs: those that died are told as what they are, the latest first.
  private static func died(_ folders: [String]) -> Absence {
    let demos = folders.filter { $0.hasPrefix(root + "/demo/") }
    let bots = folders.filter { !$0.hasPrefix(root + "/demo/") }
    let dead = (bots.isEmpty ? demos : bots).sorted { began($0) > began($1) }
    var names = dead.prefix(3).joined(separator: ", ")
    if dead.count > 3 { names += " and \(dead.count - 3) more" }
    let rest =
      bots.isEmpty
      ? "a demo's exchange ends with it, so nothing of it rests anywhere"
      : "what rests at the venue is canceled by the kill-switch, or now by ./martlet panic CONFIG.toml"
    return Absence(
      message:
        "no bot runs here; not running, as the process ended without a word: \(names); \(rest)",
      code: .misuse)
  }

  /// When the socket was made, in seconds; 0 when that cannot be told.
  private static func began(_ folder: String) -> Int {
    LocalAddress(folder: folder).paths.map {
      var facts = stat()
      return unsafe lstat($0, &facts) == 0 ? facts.st_mtim.tv_sec : 0
    }.max() ?? 0
  }

  private static func botName(_ caller: LocalCaller) -> String? {
    guard let reply = caller.ask(Array("{\"do\":\"status\"}".utf8)),
      let json = try? JSONValue(reply.span)
    else { return nil }
    return json["status"]?["bot"]?.text
  }

  /// Folders one and two below the root, in order.
  private static func folders() -> [String] {
    var found: [String] = []
    for name in names(in: root).sorted() {
      found.append(root + "/" + name)
      // `latest` and the like point at a folder that is found by its own name.
      if isLink(root + "/" + name) { continue }
      for inner in names(in: root + "/" + name).sorted() where !isLink("\(root)/\(name)/\(inner)") {
        found.append("\(root)/\(name)/\(inner)")
      }
    }
    return Array(found.suffix(maxFolders))
  }

  private static func isLink(_ path: String) -> Bool {
    var facts = stat()
    return unsafe lstat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFLNK
  }

  private static func names(in folder: String) -> [String] {
    // `opendir` gives a stream that is closed below; its entries live until the next `readdir`.
    guard let stream = unsafe opendir(folder) else { return [] }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      guard
        unsafe entry.pointee.d_type == UInt8(DT_DIR) || entry.pointee.d_type == UInt8(DT_UNKNOWN)
      else { continue }
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        // The name ends in a zero byte inside its field.
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
          unsafe String(cString: $0)
        }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }
}
