internal import CMartletLinux
internal import Glibc
internal import MartletBase
internal import MartletClock
internal import MartletConfiguration
internal import MartletJSON
internal import MartletJournalFile
internal import MartletModel
public import MartletSecrets
internal import MartletTransport
internal import MartletVenueKit
internal import WhiteBITWire

/// Looks at everything that a bot will need, and says of each whether it is there and what to do.
///
/// It places and changes nothing. At the venue it asks for the end of an order that cannot exist, which
/// only a key with the right to trade may ask for.
public final class Doctor {
  public enum Level: String, Sendable { case ok, warn, fail }

  public struct Finding: Sendable {
    /// A few words, such as `stream` or `key may trade`.
    public let name: String
    public let level: Level
    public let found: String
    /// Empty when there is nothing to do.
    public let todo: String
  }

  public private(set) var findings: [Finding] = []
  private let heard: (Finding) -> Void
  private let passphrase: PassphraseSource

  /// - Parameter heard: called with each finding, as it is found.
  public init(passphrase: PassphraseSource, heard: @escaping (Finding) -> Void) {
    self.passphrase = passphrase
    self.heard = heard
  }

  /// - Parameter path: a bot's configuration; nil looks at the machine alone.
  public func examine(_ path: String?) {
    lookAtMachine()
    guard let path else { return lookAtDisk(".", for: "this folder") }
    guard let plan = configuration(path) else { return }
    lookAtDisk(plan.configuration.journalFolder, for: "the journal")
    lookAtRoom(plan.configuration)
    lookAtCuts(plan.configuration.journalFolder)
    let credentials = key(of: plan, path)
    guard let venue = address(of: plan) else { return }
    lookAtVenue(plan, venue)
    lookAtStream(venue)
    if let credentials { lookAtAccount(plan, venue, credentials) }
  }

  private func tell(_ name: String, _ level: Level, _ found: String, _ todo: String = "") {
    let finding = Finding(name: name, level: level, found: found, todo: todo)
    findings.append(finding)
    heard(finding)
  }

  // MARK: The machine

  private func lookAtMachine() {
    // What nobody sets is marked so by the system itself.
    let error = cmartlet_clock_error()
    if error < 0 {
      tell(
        "clock", .warn, "nothing on this machine says that it sets the clock",
        "let NTP set it, such as with chrony; the venue refuses requests more than 5 s off")
    } else {
      tell(
        "clock", .ok,
        "set by the system, off by at most \(error / 1_000) ms by its own word")
    }
    var limit = rlimit()
    _ = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    if limit.rlim_cur >= 256 {
      tell("open files", .ok, "\(limit.rlim_cur) allowed")
    } else {
      tell(
        "open files", .fail, "\(limit.rlim_cur) allowed", "allow 1024 at least: ulimit -n 1024")
    }
    do throws(KeyLockFault) {
      tell("key locks", .ok, "kept in \(try KeyLock.folder())")
    } catch {
      tell("key locks", .fail, "\(error)", "make the folder, or name another with XDG_STATE_HOME")
    }
  }

  /// What is not there yet will be made below the first that is.
  private func existing(_ path: String) -> String {
    var folder = path
    while unsafe access(folder, F_OK) != 0, let slash = folder.lastIndex(of: "/") {
      folder = slash == folder.startIndex ? "/" : String(folder[..<slash])
    }
    return unsafe access(folder, F_OK) == 0 ? folder : "."
  }

  private func lookAtDisk(_ path: String, for what: String) {
    let folder = existing(path)
    guard unsafe access(folder, W_OK | X_OK) == 0 else {
      return tell(
        "disk", .fail, "\(folder), where \(what) goes, cannot be written",
        "give this user the right to, or name another folder")
    }
    var status = statvfs()
    guard unsafe statvfs(folder, &status) == 0 else { return }
    let free = UInt64(status.f_bavail) * UInt64(status.f_frsize) / 1_048_576
    let found = "\(free) MB free where \(what) goes"
    let todo = "make room: a bot that cannot journal stops trading"
    tell("disk", free < 100 ? .fail : free < 1_024 ? .warn : .ok, found, free < 1_024 ? todo : "")
  }

  private func lookAtRoom(_ configuration: BotConfiguration) {
    guard let space = DiskSpace(of: existing(configuration.journalFolder)) else { return }
    let bytes = space.segmentBytes(atMost: configuration.journalSegmentBytes)
    if let words = RetentionWords.words(configuration, in: space, segmentBytes: bytes) {
      tell("retention", .warn, words.found, words.todo)
    }
  }

  /// What starts cut off the journal's end, behind a machine that went down.
  private func lookAtCuts(_ folder: String) {
    let cuts = JournalFolder(folder).cuts()
    guard !cuts.isEmpty else { return }
    let files = cuts.map { "\($0.name) (\($0.bytes) bytes)" }.joined(separator: ", ")
    tell(
      "journal", .warn,
      "an earlier start cut off what did not prove itself, kept in \(folder): \(files)",
      "see whether a halt, a pause or a setting of that time still holds; then move the files elsewhere"
    )
  }

  // MARK: The configuration

  private func configuration(_ path: String) -> BotPlan? {
    do {
      let plan = try BotPlan(
        configurationText: BotConfiguration.text(of: path), file: path, seed: 0, build: "")
      let mode = plan.configuration.mode
      tell("configuration", .ok, "\(path) is sound, mode \(mode.rawValue)")
      return plan
    } catch {
      tell("configuration", .fail, "\(error)", "mend what is named")
      return nil
    }
  }

  private func key(of plan: BotPlan, _ path: String) -> Credentials? {
    do {
      let credentials = try KeyFit.credentials(for: plan, file: path, passphrase: passphrase)
      tell("key", .ok, "\(credentials), as the configuration names it")
      guard plan.configuration.mode == .live else { return credentials }
      let consent = try KeyConsent(
        credentials, at: plan.configuration.whitebit.rest, for: plan.symbols.map { "\($0)" })
      for (market, line) in consent.given() {
        if let line {
          tell("consent", .ok, line)
        } else {
          tell(
            "consent", .warn, "nobody has said yet to know what this key may do in \(market) here",
            "see Docs/RealMoney.md, then ./martlet run \(path) --i-understand, once")
        }
      }
      return credentials
    } catch {
      tell("key", .fail, "\(error)", "see ./martlet keys --help")
      return nil
    }
  }

  // MARK: The venue

  private func address(of plan: BotPlan) -> VenueAddress? {
    do throws(VenueAddress.Fault) {
      return try VenueAddress(plan.configuration.whitebit)
    } catch {
      tell(
        "venue", .fail, "\(error)",
        plan.configuration.whitebit.endpoint == .local
          ? "start ./martlet exchange --venue whitebit --listen 127.0.0.1:8481 first"
          : "mend what is named")
      return nil
    }
  }

  /// Name, connection, TLS and clock, by one public question.
  private func lookAtVenue(_ plan: BotPlan, _ venue: VenueAddress) {
    let rest = plan.configuration.whitebit.rest
    guard let client = try? BlockingRESTClient(venue.rest, configuration: venue.configuration())
    else { return }
    let target = Array("/api/v4/public/time".utf8)
    let nothing: [UInt8] = []
    var best: (offset: Int64, doubt: Int64)?
    // The venue tells whole seconds: several answers, each as wide as a second and its way.
    var low = Int64.min
    var high = Int64.max
    for _ in 0..<5 {
      let sent = SystemClock.realtime()
      let outcome = try? client.perform(
        target: target.span, headers: RESTHeaders(), body: nothing.span, timeout: .seconds(5))
      let received = SystemClock.realtime()
      switch outcome {
      case .replied(200, _, let body)?:
        guard let value = try? JSONValue(body.span), let text = value["time"]?.text,
          let time = Int64(text)
        else {
          return tell("venue", .fail, "\(rest) does not answer as WhiteBIT does", "check rest")
        }
        low = max(low, time * 1_000 - received.milliseconds)
        high = min(high, time * 1_000 + 1_000 - sent.milliseconds)
        best = ((low + high) / 2, max((high - low) / 2, 1))
        SystemClock.sleep(.milliseconds(170))
      case .replied(let status, _, _)?:
        return tell(
          "venue", .fail, "\(rest) answers with HTTP \(status)", "look at its status page")
      case .failed(let fault)?:
        return tell("venue", .fail, "\(rest): \(fault)", "check address, network and certificates")
      case nil: return tell("venue", .fail, "\(rest) cannot be asked", "check the address")
      }
    }
    tell(
      "venue", .ok,
      "\(rest) answers" + (rest.hasPrefix("https") ? ", over TLS 1.3" : ", without TLS"))
    guard let best else { return }
    let tolerance = plan.configuration.whitebit.clockTolerance.milliseconds
    let found = "the venue's clock is \(best.offset) ms from ours, give or take \(best.doubt) ms"
    let certain = max(abs(best.offset) - best.doubt, 0)
    if certain > tolerance / 2 {
      tell(
        "clock at venue", .fail, found,
        "set this machine's clock: the venue takes \(tolerance) ms, and nothing is placed beyond half of it"
      )
    } else if certain > tolerance / 5 {
      tell("clock at venue", .warn, found, "let NTP set this machine's clock")
    } else {
      tell("clock at venue", .ok, found)
    }
  }

  private func lookAtStream(_ venue: VenueAddress) {
    do {
      let probe = try StreamProbe(venue)
      if let fault = probe.run() {
        tell("stream", .fail, fault, "check websocket, network and certificates")
      } else {
        tell("stream", .ok, "opens")
      }
    } catch {
      tell("stream", .fail, "\(error)", "check websocket")
    }
  }

  // MARK: The account

  private func lookAtAccount(_ plan: BotPlan, _ venue: VenueAddress, _ credentials: Credentials) {
    let now = SystemClock.realtime()
    do {
      let lock = try KeyLock(credentials, for: "doctor", at: now)
      let nonces = NonceClock(
        venueTime: now, at: SystemClock.monotonic(), file: try NonceFile(lock))
      defer { try? nonces.settle() }
      var questions = try SignedQuestions(venue, signer: Signer(credentials), nonces: nonces)
      guard let market = plan.symbols.first else { return }
      let (rights, balances) = try KeyProbe.ask(&questions, in: market)
      for right in rights { tell(right, isLive: plan.configuration.mode == .live) }
      if let balances { lookAtFunds(balances, plan) }
    } catch let fault as KeyLockFault {
      tell("account", .warn, "\(fault)", "stop that bot to have the account looked at too")
    } catch {
      tell("account", .fail, "\(error)", "look at the network")
    }
  }

  private func tell(_ right: KeyProbe.Finding, isLive: Bool) {
    let name = "key may \(right.key.replacing("_", with: " "))"
    switch right.verdict {
    case .allowed: tell(name, .ok, "it may \(right.what)")
    case .refused:
      let problem = right.problem ?? ("", "")
      tell(name, .fail, "refused to \(right.what): \(problem.what)", problem.todo)
    case .notTold:
      tell(
        name, isLive ? .warn : .ok, "WhiteBIT tells nobody whether a key may \(right.what)",
        isLive ? "look at the key in the venue's API settings: it must not" : "")
    }
  }

  private func lookAtFunds(_ balances: JSONValue, _ plan: BotPlan) {
    for market in plan.symbols {
      for asset in "\(market)".split(separator: "_") {
        let held = ["available", "freeze"].compactMap { balances["\(asset)"]?[$0]?.text }
          .compactMap { try? Amount($0) }.reduce(Amount.zero) { $0 + $1 }
        if held == .zero {
          tell(
            "funds", .warn, "the trade balance has no \(asset)",
            "move some from the main balance, unless that is meant")
        } else {
          tell("funds", .ok, "\(held) \(asset) in the trade balance")
        }
      }
    }
  }
}

/// Opens a stream once.
private final class StreamProbe: WebSocketClientDelegate {
  private let loop: EventLoop
  private var client: WebSocketClient?
  private var timer: LoopTimer?
  private var fault: String?
  private static let patience = TimeSpan.seconds(10)

  init(_ venue: VenueAddress) throws(SystemFault) {
    loop = try EventLoop(timers: 16)
    client = WebSocketClient(loop, venue.websocket, tls: venue.tls, delegate: self)
    timer = LoopTimer(loop) { [unowned self] in
      fault = "no answer"
      loop.stop()
    }
  }

  /// - Returns: why it does not open; nil when it does.
  func run() -> String? {
    do throws(SystemFault) { try client?.connect() } catch { return "\(error)" }
    timer?.arm(after: StreamProbe.patience)
    loop.run()
    timer?.disarm()
    client?.drop()
    return fault
  }

  func webSocketOpened(_ client: WebSocketClient) { loop.stop() }
  func webSocket(_ client: WebSocketClient, received message: Span<UInt8>, isText: Bool) {}
  func webSocket(_ client: WebSocketClient, closed end: ConnectionEnd) {
    fault = "\(end)"
    loop.stop()
  }
}
