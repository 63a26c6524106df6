internal import MartletBase
internal import MartletClock
internal import MartletConfiguration
internal import MartletJSON
internal import MartletSecrets
internal import MartletTransport
internal import WhiteBITWire

/// Takes everything of a bot's own off its venue, straight there: without its journal, its kernel or
/// its process.
///
/// It knows the bot's orders by the prefix of their client ids, which follows from the bot's name.
public struct PanicProgram {
  public struct Options {
    public var configurationPath: String
    public var passphraseFile: String?
    /// Sell what can be sold of each market's base asset, too.
    public var flattens = false
    /// Even while another process holds the key.
    public var evenIfRunning = false
    public init(configurationPath: String) { self.configurationPath = configurationPath }
  }

  public struct Result: Sendable {
    public enum Ending: Sendable { case done, failed, misconfigured, refused }
    public var ending: Ending
    public var canceled = 0
    /// Orders of ours that rest there still.
    public var left = 0
    /// Sold, in base units; nil unless asked for.
    public var sold: [String] = []
    public var error: String?
  }

  private struct Fault: Error, CustomStringConvertible { let description: String }
  private struct Resting {
    let market: InlineText
    let id: String
    let row: JSONValue
  }

  /// A list may still show an order whose cancel was answered; so often it is looked at again.
  private static let rounds = 10
  /// How often a question or a cancel is put when the venue is busy.
  private static let tries = 5
  /// As many orders as the venue cancels in one request.
  private static let batch = 20

  private let options: Options
  private let print: (String) -> Void

  /// - Parameter print: takes a line for each step and what the venue said of it.
  public init(_ options: Options, print: @escaping (String) -> Void) {
    self.options = options
    self.print = print
  }

  public func run() -> Result {
    do {
      return try start()
    } catch {
      var result = Result(ending: .failed, error: "\(error)")
      switch error {
      case let fault as ConfigurationFault:
        if case .refused = fault {
          result.ending = .refused
        } else {
          result.ending = .misconfigured
        }
      case KeyLockFault.inUse:
        result.ending = .refused
        result.error =
          "\(error); the bot itself takes its orders off with ./martlet halt, and places none after;"
          + " --even-if-running does not wait for it"
      case is SecretsFault, is VenueAddress.Fault: result.ending = .misconfigured
      default: break
      }
      return result
    }
  }

  private func start() throws -> Result {
    let plan = try BotPlan(
      configurationText: BotConfiguration.text(of: options.configurationPath),
      file: options.configurationPath, seed: 0, build: "", forPanic: true)
    let credentials = try KeyFit.credentials(
      for: plan, file: options.configurationPath,
      passphrase: PassphraseSource(file: options.passphraseFile))
    let venue = try VenueAddress(plan.configuration.whitebit)
    let now = SystemClock.realtime()
    var nonces: NonceClock
    do {
      let lock = try KeyLock(credentials, for: "panic", at: now)
      nonces = NonceClock(
        venueTime: now, at: SystemClock.monotonic(), file: try NonceFile(lock))
    } catch KeyLockFault.inUse where options.evenIfRunning {
      // Somewhat behind the other process, whose nonces are of now: a nonce is good for 5 s.
      print("another process holds the key: going on even so")
      nonces = NonceClock(venueTime: now - .seconds(2), at: SystemClock.monotonic())
    }
    let time = try get("/api/v4/public/time", venue)
    guard let seconds = time["time"]?.text.flatMap({ Int64($0) }) else {
      throw Fault(description: "the venue's clock: expected a number of seconds, found \(time)")
    }
    let behind: TimeSpan = options.evenIfRunning ? .seconds(2) : .zero
    // The venue tells whole seconds, the last one that began; ours tells the rest when they agree.
    let offset = Timestamp(nanoseconds: seconds * 1_000_000_000) - SystemClock.realtime()
    if abs(offset.milliseconds) > 1_500 {
      nonces.anchor(
        venueTime: Timestamp(nanoseconds: seconds * 1_000_000_000) + .milliseconds(500) - behind,
        at: SystemClock.monotonic())
    }
    var questions = try SignedQuestions(venue, signer: Signer(credentials), nonces: nonces)
    print("venue \(plan.configuration.whitebit.rest), orders that begin with \(plan.ownPrefix)")
    var result = Result(ending: .done)
    try cancelAll(plan, &questions, &result)
    if options.flattens { try flatten(plan, venue, &questions, &result) }
    try? nonces.settle()
    return result
  }

  // MARK: Orders

  private func cancelAll(
    _ plan: BotPlan, _ questions: inout SignedQuestions, _ result: inout Result
  ) throws {
    for round in 0..<PanicProgram.rounds {
      let found = try resting(plan, &questions)
      result.left = found.count
      if round == 0 { print("found \(found.count) open order(s) of this bot") }
      if found.isEmpty {
        print("the venue lists no open order of this bot")
        return
      }
      for start in stride(from: 0, to: found.count, by: PanicProgram.batch) {
        for order in found[start..<min(start + PanicProgram.batch, found.count)] {
          cancel(order, &questions, &result)
        }
      }
      if round > 0 { SystemClock.sleep(.milliseconds(200)) }
    }
    result.left = try resting(plan, &questions).count
    if result.left > 0 {
      result.ending = .failed
      result.error = "\(result.left) order(s) of this bot still rest there"
    }
  }

  private func cancel(
    _ order: Resting, _ questions: inout SignedQuestions, _ result: inout Result
  ) {
    let what =
      "\(order.row["side"]?.text ?? "") \(order.row["left"]?.text ?? "?") at"
      + " \(order.row["price"]?.text ?? "?") \(order.market)"
    do {
      let answer = try questions.post(
        "\(Endpoint.cancelOrder.path)",
        "\"market\":\"\(order.market)\",\"clientOrderId\":\"\(order.id)\",",
        tries: PanicProgram.tries)
      switch answer {
      case .told(let reply):
        result.canceled += 1
        print("canceled \(order.id) (\(what)): \(reply["status"]?.text ?? "taken")")
      case .refused(let status, let words):
        print("not canceled \(order.id) (\(what)): HTTP \(status) \(words)")
      }
    } catch { print("cancel of \(order.id) (\(what)) is in doubt: \(error)") }
  }

  private func resting(
    _ plan: BotPlan, _ questions: inout SignedQuestions
  ) throws -> [Resting] {
    var found: [Resting] = []
    for market in plan.symbols {
      for row in try questions.rows(
        "\(Endpoint.openOrders.path)", of: market, tries: PanicProgram.tries)
      {
        guard let id = row["clientOrderId"]?.text, id.hasPrefix("\(plan.ownPrefix)") else {
          continue
        }
        found.append(Resting(market: market, id: id, row: row))
      }
    }
    return found
  }

  // MARK: Inventory

  /// Sells the free base asset of each market with one order that ends at once. Not asked for unless
  /// somebody says so: without the journal it is not known what of it the bot began with.
  private func flatten(
    _ plan: BotPlan, _ venue: VenueAddress, _ questions: inout SignedQuestions,
    _ result: inout Result
  ) throws {
    let listings = try get("/api/v4/public/markets", venue)
    for market in plan.symbols {
      guard case .array(let rows) = listings,
        let rules = rows.first(where: { $0["name"]?.text == "\(market)" }),
        let asset = rules["stock"]?.text,
        let places = rules["stockPrec"]?.text.flatMap({ Int($0) }), (0...18).contains(places),
        let least = rules["minAmount"]?.text.flatMap({ try? Amount($0) })
      else { throw Fault(description: "\(market): the venue does not tell its rules") }
      let balances = try questions.value(
        "\(Endpoint.tradeBalance.path)", "", tries: PanicProgram.tries)
      guard let free = balances[asset]?["available"]?.text.flatMap({ try? Amount($0) })
      else { throw Fault(description: "\(asset): the venue does not tell the balance") }
      let lot = powerOfTen(Amount.places - places)
      let amount = Amount(units: free.units / lot * lot)
      guard amount > .zero, amount >= least else {
        print("\(asset): \(free) free, less than the least order of \(least): nothing to sell")
        continue
      }
      let book = try get("/api/v4/public/orderbook/\(market)?limit=20", venue)
      guard let best = book["bids"]?[0]?[0]?.text.flatMap({ try? Amount($0) }) else {
        throw Fault(description: "\(market): nobody buys there now")
      }
      let step = powerOfTen(
        Amount.places - (rules["moneyPrec"]?.text.flatMap { Int($0) } ?? 0).clamped(to: 0...18))
      // One hundredth through the best bid, and not below: the order takes what is there and ends.
      let price = Amount(units: (best.units - best.units / 100 + step - 1) / step * step)
      // In doubt it must not be put twice: one try.
      let answer = try questions.post(
        "\(Endpoint.newOrder.path)",
        "\"market\":\"\(market)\",\"side\":\"sell\",\"amount\":\"\(amount)\",\"price\":\"\(price)\","
          + "\"ioc\":true,")
      switch answer {
      case .told(let row):
        let done = row["dealStock"]?.text ?? "?"
        result.sold.append("\(done) \(asset)")
        print(
          "sold \(done) of \(amount) \(asset) at \(price) or better: order \(row["orderId"]?.text ?? "?")"
        )
        if done != "\(amount)", (try? Amount(done)) != amount {
          result.ending = .failed
          result.error = "\(asset): sold \(done) of \(amount); run it again"
        }
      case .refused(let status, let words):
        result.ending = .failed
        result.error = "\(market): the venue did not take the sale: HTTP \(status) \(words)"
      }
    }
  }

  // MARK: Helpers

  private func get(_ path: String, _ venue: VenueAddress) throws -> JSONValue {
    let target = Array(path.utf8)
    let nothing: [UInt8] = []
    let client = try BlockingRESTClient(venue.rest, configuration: venue.configuration())
    switch try client.perform(
      target: target.span, headers: RESTHeaders(), body: nothing.span, timeout: .seconds(5))
    {
    case .replied(200, _, let body): return try JSONValue(body.span)
    case .replied(let status, _, _): throw Fault(description: "\(path): HTTP \(status)")
    case .failed(let fault): throw Fault(description: "\(path): \(fault)")
    }
  }
}

extension Int {
  fileprivate func clamped(to range: ClosedRange<Int>) -> Int {
    Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
  }
}
