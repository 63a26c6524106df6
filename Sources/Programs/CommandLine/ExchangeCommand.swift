import CMartletLinux
import Glibc
import MartletBase
import MartletClock
import MartletExchangeServer
import MartletJSON
import MartletSecrets
import MartletTransport

/// `exchange --venue whitebit …`
enum ExchangeCommand {
  static let command = Command(
    name: "exchange", usage: "--venue whitebit [--listen HOST:PORT] …",
    does: """
      Serves the simulated exchange for any client. When it is ready it prints one JSON line with its
      addresses, its markets, and the file of the certificate that clients are to trust.
      """,
    options: [
      .init("--venue", "NAME", "whose wire it speaks: whitebit"),
      .init("--listen", "HOST:PORT", "default 127.0.0.1:0, port 0 lets the system choose"),
      .init("--data", "FILE", "recording to replay (.mmr); default: the bundled one, in a loop"),
      .init("--speed", "N", "how fast the recorded market runs, 1 … 1000; default 1"),
      .init(
        "--account", "KEY:SECRET", "opens an account, or @FILE of mode 0600 with that; may repeat"),
      .init("--balance", "ASSET=AMOUNT", "money of the account before it; may repeat"),
      .init(
        "--market", "NAME", "another market with the recorded prices, as ETH_USDT; may repeat"),
      .init("--read-only", nil, "the account before it has a key without the right to trade"),
      .init(
        "--ca", "FILE", "where to write that certificate; default .martlet/exchange/PORT/ca.pem"),
      .init("--plain", nil, "http and ws without TLS, loopback only"),
      .init("--time", "MS", "start the exchange's clock at this Unix time in milliseconds"),
      .init("--seed", "N", "chance: update ids and tokens; default 1"),
      .init("--parent", "PID", "end when this process is no longer the parent"),
    ],
    positional: 0...0,
    example:
      "./martlet exchange --venue whitebit --account demo:secret --balance DUSDT=1000",
    run: run)

  private static func run(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    guard let venue = arguments.last("--venue") else {
      throw Arguments.Misuse(message: "expected --venue whitebit")
    }
    guard venue == "whitebit" else {
      throw Arguments.Misuse(message: "--venue: expected whitebit, found “\(venue)”")
    }
    let isPlain = arguments.has("--plain")
    if isPlain, arguments.has("--ca") {
      throw Arguments.Misuse(message: "--ca: a plain exchange has no certificate; leave one out")
    }
    guard let recording = arguments.last("--data") ?? Installation.bundledRecording else {
      Console.fail(
        "exchange: the bundled recording is not near \(Installation.program); give --data")
      return .failed
    }
    var options = LocalExchange.Options(
      recording: recording,
      seed: UInt64(try arguments.integer("--seed", default: 1, in: 0...Int.max)))
    (options.address, options.port) = try listen(
      arguments.last("--listen") ?? "127.0.0.1:0", isPlain: isPlain)
    options.speed = Int64(try arguments.integer("--speed", default: 1, in: 1...1000))
    if arguments.has("--time") {
      let time = try arguments.integer("--time", default: 0, in: 0...4_102_444_800_000)
      options.clock = Timestamp(milliseconds: Int64(time))
    }
    options.accounts = try accounts(arguments)
    options.moreMarkets = arguments.given.compactMap { $0.name == "--market" ? $0.value : nil }
    let parent = try arguments.integer("--parent", default: 0, in: 0...Int(Int32.max))
    return serve(
      options, isPlain: isPlain, authority: arguments.last("--ca"), parent: pid_t(parent))
  }

  private static func listen(_ text: String, isPlain: Bool) throws(Arguments.Misuse) -> (
    String, UInt16
  ) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]),
      colon != text.startIndex
    else {
      throw Arguments.Misuse(message: "--listen: expected HOST:PORT, found “\(text)”")
    }
    var host = String(text[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    guard !isPlain || host == "127.0.0.1" || host == "::1" || host == "localhost" else {
      throw Arguments.Misuse(
        message:
          "--listen: without TLS only loopback is served; expected 127.0.0.1, found “\(host)”")
    }
    return (host == "localhost" ? "127.0.0.1" : host, port)
  }

  private static func accounts(
    _ arguments: Arguments
  ) throws(Arguments.Misuse) -> [LocalExchange.Account] {
    var accounts: [LocalExchange.Account] = []
    for (name, value) in arguments.given {
      if name == "--account" {
        accounts.append(try account(value))
      } else if name == "--read-only" {
        guard !accounts.isEmpty else {
          throw Arguments.Misuse(message: "--read-only stands before any --account")
        }
        accounts[accounts.count - 1].mayTrade = false
      } else if name == "--balance" {
        guard !accounts.isEmpty else {
          throw Arguments.Misuse(message: "--balance \(value) stands before any --account")
        }
        let parts = value.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, let amount = try? Amount(String(parts[1])), amount >= .zero else {
          throw Arguments.Misuse(message: "--balance: expected ASSET=AMOUNT, found “\(value)”")
        }
        accounts[accounts.count - 1].balances.append((String(parts[0]), amount))
      }
    }
    return accounts
  }

  private static func account(
    _ value: String
  ) throws(Arguments.Misuse) -> LocalExchange.Account {
    if value.hasPrefix("@") {
      do throws(SecretsFault) {
        let credentials = try Credentials.load(.file(String(value.dropFirst())))
        return .init(
          key: String(credentials.key.span), secret: String(credentials.secret.span))
      } catch { throw Arguments.Misuse(message: "--account: \(error)") }
    }
    let parts = value.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
      // Not shown: what stands here is a secret.
      throw Arguments.Misuse(message: "--account: expected KEY:SECRET or @FILE")
    }
    return .init(key: String(parts[0]), secret: String(parts[1]))
  }

  private static func serve(
    _ options: LocalExchange.Options, isPlain: Bool, authority: String?, parent: pid_t
  ) -> ExitCode {
    // A venue is on another machine. Here a client's send wakes it, and by default it would take the
    // core from within that send: a bot's latency would have the venue's own in it. Refused, it only
    // costs a bot on this machine its good figures.
    _ = cmartlet_wait_when_woken()
    do {
      var options = options
      let identity = isPlain ? nil : try ExchangeIdentity(address: options.address)
      options.tls = identity?.context
      let loop = try EventLoop()
      try loop.catchStopSignals { _ in loop.stop() }
      let exchange: LocalExchange
      do throws(LocalExchange.Fault) {
        exchange = try LocalExchange(loop, options)
      } catch {
        Console.fail("exchange: \(error)")
        return error.isMisuse ? .misuse : .failed
      }
      let file = try identity?.publish(
        to: authority ?? ".martlet/exchange/\(exchange.port)/ca.pem")
      Console.out(ready(exchange, address: options.address, certificate: file))
      let watch = parent > 0 ? OrphanWatch(loop, parent) : nil
      loop.run()
      watch?.end()
      exchange.stop()
      // A file that nobody named is of use only while its exchange runs.
      if authority == nil, let file { Installation.removeWithFolder(file) }
      return .done
    } catch {
      Console.fail("exchange: \(error)")
      return .failed
    }
  }
}

/// The line that says where clients find the exchange.
private func ready(_ exchange: LocalExchange, address: String, certificate: String?) -> String {
  let host = (address.contains(":") ? "[\(address)]" : address) + ":\(exchange.port)"
  let letter = certificate == nil ? "" : "s"
  var line = ByteBuffer(capacity: 512)
  var writer = JSONWriter()
  writer.beginObject(into: &line)
  writer.key("ready", into: &line)
  writer.bool(true, into: &line)
  writer.key("venue", into: &line)
  writer.string("whitebit", into: &line)
  writer.key("rest", into: &line)
  writer.string(text: "http\(letter)://\(host)", into: &line)
  writer.key("ws", into: &line)
  writer.string(text: "ws\(letter)://\(host)", into: &line)
  writer.key("ca", into: &line)
  if let certificate {
    writer.string(text: certificate, into: &line)
  } else {
    writer.null(into: &line)
  }
  writer.key("markets", into: &line)
  writer.beginArray(into: &line)
  for market in exchange.markets { writer.string(text: market, into: &line) }
  writer.endArray(into: &line)
  writer.endObject(into: &line)
  return String(line.span) + "\n"
}

/// Who the exchange is, made anew at each start: its key is never on disk.
struct ExchangeIdentity {
  let context: TLSContext
  private let certificate: [UInt8]

  /// Why the certificate cannot be handed to clients.
  struct Fault: Error, CustomStringConvertible {
    let description: String
  }

  /// - Parameter address: where it listens; it stands for that and for this machine's own names.
  init(address: String) throws(TLSSetupFault) {
    let now = SystemClock.realtime()
    let start = now - .seconds(3_600)
    let end = now + .seconds(365 * 86_400)
    let authority = try TLSIdentity.authority(
      named: "Martlet local exchange", from: start, until: end)
    let own = ["localhost", "127.0.0.1", "::1"]
    let identity = try authority.issue(
      hosts: own + (own.contains(address) ? [] : [address]), from: start, until: end)
    context = try TLSContext(identity)
    certificate = authority.certificate
  }

  /// Writes the certificate that clients are to trust.
  ///
  /// - Returns: its whole path.
  func publish(to path: String) throws(Fault) -> String {
    let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
      .joined(separator: "/")
    guard folder.isEmpty || Installation.makeFolder(folder),
      Installation.write(String(decoding: certificate, as: UTF8.self), to: path, mode: 0o644),
      // The library gives memory of its own, which is freed here.
      let whole = unsafe realpath(path, nil)
    else { throw Fault(description: "cannot write \(path): \(systemReason(errno))") }
    defer { unsafe free(whole) }
    return unsafe String(cString: whole)
  }
}

/// Ends the loop once the parent is another: who started us has died and cannot.
private final class OrphanWatch {
  private var timer: LoopTimer?

  init(_ loop: EventLoop, _ parent: pid_t) {
    timer = LoopTimer(loop) { [weak self] in
      if getppid() == parent { self?.timer?.arm(after: .milliseconds(500)) } else { loop.stop() }
    }
    timer?.arm(after: .milliseconds(500))
  }

  func end() { timer?.disarm() }
}
