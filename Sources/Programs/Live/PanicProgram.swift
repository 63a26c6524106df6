internal import MartletBase
internal import MartletClock
internal import MartletConfiguration
internal import MartletJSON
internal import MartletKernel
internal import MartletSecrets
internal import MartletTransport
internal import WhiteBITWire

/// Takes everything of a bot's own off its venue, straight there: without its journal, its kernel or
/// its process.
///
/// It knows the bot's orders by the prefix of their client ids, which follows from the bot's name. What it
/// asks and hears stands in a file of its own, whose path it prints (`PanicRecord`).
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
  private struct Venue {
    let address: VenueAddress
    let record: PanicRecord?
  }
  private struct Resting {
    let market: String
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
    let configuration = try PanicConfiguration(
      BotConfiguration.text(of: options.configurationPath), file: options.configurationPath)
    for remark in configuration.remarks { print("going on in spite of \(remark)") }
    let credentials = try KeyFit.credentials(
      for: configuration.whitebit, file: options.configurationPath,
      passphrase: PassphraseSource(file: options.passphraseFile))
    let now = SystemClock.realtime()
    let address = try VenueAddress(configuration.whitebit)
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
    let record = makeRecord(of: configuration.name, at: now)
    defer { if let fault = record?.fault { print("not all that was asked is kept: \(fault)") } }
    let venue = Venue(address: address, record: record)
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
    var questions = try SignedQuestions(
      address, signer: Signer(credentials), nonces: nonces
    ) { nonce, part in
      record?.keep(nonce, part)
      // Taking orders off does not depend on it.
      return true
    }
    let prefix = "\(BotPlan.ownPrefix(of: configuration.name))"
    print("venue \(configuration.whitebit.rest), orders of all markets that begin with \(prefix)")
    var result = Result(ending: .done)
    try cancelAll(prefix, &questions, &result)
    if options.flattens {
      try flatten(configuration, prefix, venue, &questions, &result)
    }
    try? nonces.settle()
    return result
  }

  /// - Returns: nil when there can be none, which is told and keeps nothing from being done.
  private func makeRecord(of bot: String, at now: Timestamp) -> PanicRecord? {
    do {
      let record = try PanicRecord(bot: bot, at: now)
      print("each request and reply is kept in \(record.path)")
      return record
    } catch {
      print("requests and replies are not kept: \(error)")
      return nil
    }
  }

  // MARK: Orders

  private func cancelAll(
    _ prefix: String, _ questions: inout SignedQuestions, _ result: inout Result
  ) throws {
    for round in 0..<PanicProgram.rounds {
      let found = try resting(prefix, &questions)
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
    result.left = try resting(prefix, &questions).count
    if result.left > 0 {
      result.ending = .failed
      result.error = "\(result.left) order(s) of this bot still rest there"
    }
  }

  private func cancel(
    _ order: Resting, _ questions: inout SignedQuestions, _ result: inout Result
  ) {
    let names = JSONValue.object([
      .init("market", .string(order.market)), .init("clientOrderId", .string(order.id)),
    ])
    let what =
      "\(order.row["side"]?.text ?? "") \(order.row["left"]?.text ?? "?") at"
      + " \(order.row["price"]?.text ?? "?") \(order.market)"
    do {
      let answer = try questions.post(
        "\(Endpoint.cancelOrder.path)",
        PanicProgram.members(names),
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

  /// The bot's own orders, in whatever market: it may have traded another one before.
  private func resting(
    _ prefix: String, _ questions: inout SignedQuestions
  ) throws -> [Resting] {
    try questions.rows("\(Endpoint.openOrders.path)", of: nil, tries: PanicProgram.tries).compactMap
    {
      row in
      guard let id = row["clientOrderId"]?.text, id.hasPrefix(prefix) else { return nil }
      guard let market = row["market"]?.text else {
        throw Fault(description: "\(id): the venue does not tell its market")
      }
      return Resting(market: market, id: id, row: row)
    }
  }

  // MARK: Inventory

  /// Sells the free base asset of each market with one order that ends at once. Not asked for unless
  /// somebody says so: without the journal it is not known what of it the bot began with.
  private func flatten(
    _ configuration: PanicConfiguration, _ prefix: String, _ venue: Venue,
    _ questions: inout SignedQuestions, _ result: inout Result
  ) throws {
    func fail(_ text: String) {
      result.ending = .failed
      result.error = result.error.map { "\($0); \(text)" } ?? text
    }
    if configuration.lacksMarkets {
      fail(
        "the file names a strategy without a market that can be read: what it bought is not sold")
    }
    let listings = try get("/api/v4/public/markets", venue)
    for market in configuration.markets {
      do {
        guard let sale = try sale(in: market, listings, venue, &questions) else { continue }
        try sell(sale, prefix, &questions, &result)
      } catch { fail("\(error)") }
    }
  }

  /// One order that takes what is there and ends.
  private struct Sale {
    let market: InlineText
    let asset: String
    let amount: Amount
    let price: Amount
  }

  /// - Returns: nil when there is nothing that the market would take, which is told.
  private func sale(
    in market: InlineText, _ listings: JSONValue, _ venue: Venue,
    _ questions: inout SignedQuestions
  ) throws -> Sale? {
    guard case .array(let rows) = listings,
      let rules = rows.first(where: { $0["name"]?.text == "\(market)" }),
      let asset = rules["stock"]?.text, let quote = rules["money"]?.text,
      let places = rules["stockPrec"]?.text.flatMap({ Int($0) }), (0...10).contains(places),
      let ticks = rules["moneyPrec"]?.text.flatMap({ Int($0) }), (0...10).contains(ticks),
      let least = rules["minAmount"]?.text.flatMap({ try? Amount($0) }),
      let leastTotal = rules["minTotal"]?.text.flatMap({ try? Amount($0) })
    else { throw Fault(description: "\(market): the venue does not tell its rules") }
    let balances = try questions.value(
      "\(Endpoint.tradeBalance.path)", "", tries: PanicProgram.tries)
    guard case .object = balances else {
      throw Fault(description: "expected balances, found \(balances)")
    }
    // Of what it does not speak there is nothing.
    guard
      let free = balances[asset] == nil
        ? .zero : balances[asset]?["available"]?.text.flatMap({ try? Amount($0) })
    else { throw Fault(description: "\(asset): the venue does not tell the balance") }
    let lot = powerOfTen(Amount.places - places)
    let amount = Amount(units: free.units / lot * lot)
    guard amount > .zero, amount >= least else {
      print("\(asset): \(free) free, less than the least order of \(least): nothing to sell")
      return nil
    }
    let book = try get("/api/v4/public/orderbook/\(market)?limit=20", venue)
    guard let best = book["bids"]?[0]?[0]?.text.flatMap({ try? Amount($0) }) else {
      throw Fault(description: "\(market): nobody buys there now")
    }
    let step = powerOfTen(Amount.places - ticks)
    // One hundredth through the best bid, and not below: the order takes what is there and ends.
    let price = Amount(units: (best.units - best.units / 100 + step - 1) / step * step)
    let (count, isBeyond) = (amount.units / lot).multipliedReportingOverflow(by: price.units / step)
    let (units, isFar) = count.multipliedReportingOverflow(
      by: powerOfTen(Amount.places - places - ticks))
    if !isBeyond, !isFar, units < leastTotal.units {
      print(
        "\(asset): \(free) free, worth \(Amount(units: units)) \(quote), less than the least order of"
          + " \(leastTotal) \(quote): nothing to sell")
      return nil
    }
    return Sale(market: market, asset: asset, amount: amount, price: price)
  }

  private func sell(
    _ sale: Sale, _ prefix: String, _ questions: inout SignedQuestions, _ result: inout Result
  ) throws {
    let id = PanicProgram.orderID(prefix, at: SystemClock.realtime())
    let row: JSONValue
    do {
      // In doubt it must not be put twice: one try.
      let answer = try questions.post(
        "\(Endpoint.newOrder.path)",
        "\"market\":\"\(sale.market)\",\"side\":\"sell\",\"amount\":\"\(sale.amount)\",\"price\":\"\(sale.price)\","
          + "\"ioc\":true,\"clientOrderId\":\"\(id)\",")
      switch answer {
      case .told(let told): row = told
      case .refused(let status, let words) where status < 500:
        throw Fault(
          description: "\(sale.market): the venue did not take the sale: HTTP \(status) \(words)")
      case .refused(let status, let words):
        row = try fate(of: id, sale, "HTTP \(status) \(words)", &questions)
      }
    } catch let doubt as SignedQuestions.Fault {
      row = try fate(of: id, sale, "\(doubt)", &questions)
    }
    let done = row["dealStock"]?.text ?? "?"
    result.sold.append("\(done) \(sale.asset)")
    // The bot's own by its name: it will be found in the venue's history.
    if (try? Amount(done)) != .zero {
      print(
        "the bot will know this sale as its own: begin it with --fresh, or its flatten buys it back"
      )
    }
    print("sold \(done) of \(sale.amount) \(sale.asset) at \(sale.price) or better: order \(id)")
    if (try? Amount(done)) != sale.amount {
      throw Fault(description: "\(sale.asset): sold \(done) of \(sale.amount); run it again")
    }
  }

  /// What became of a sale whose answer did not come: it is asked for, and never put again.
  private func fate(
    of id: String, _ sale: Sale, _ doubt: String, _ questions: inout SignedQuestions
  ) throws -> JSONValue {
    print("sale \(id) is in doubt: \(doubt); asking what became of it")
    for _ in 0..<PanicProgram.looks {
      SystemClock.sleep(.milliseconds(1_500))
      // “Not found” is no proof: it may be on its way still.
      guard
        case .told(let history)? = try? questions.post(
          "\(Endpoint.orderHistory.path)",
          "\"market\":\"\(sale.market)\",\"clientOrderId\":\"\(id)\",", tries: 1),
        let row = history["\(sale.market)"]?[0]
      else { continue }
      return row
    }
    throw Fault(
      description:
        "\(sale.market): it is not known whether order \(id) sold \(sale.amount) \(sale.asset)"
        + " or a part of it, and it is not sent again (\(doubt)); the venue takes it no later than 10 s"
        + " after it was sent: look for it on the venue's page, or run this again then, which sells only"
        + " what is free")
  }

  /// Looks at an order in doubt, over longer than its nonce is taken for.
  private static let looks = 5

  /// A name with the bot's prefix, so that its fills are known as the bot's: 32 characters, of which the
  /// 21 digits are the moment in nanoseconds.
  static func orderID(_ prefix: String, at now: Timestamp) -> String {
    let digits = "\(now.nanoseconds)"
    return prefix + "PANIC" + String(repeating: "0", count: max(0, 21 - digits.count)) + digits
  }

  /// The members of an object, each with its comma behind.
  private static func members(_ object: JSONValue) -> String {
    String("\(object)".dropFirst().dropLast()) + ","
  }

  // MARK: Helpers

  private func get(_ path: String, _ venue: Venue) throws -> JSONValue {
    let target = Array(path.utf8)
    let nothing: [UInt8] = []
    let client = try BlockingRESTClient(
      venue.address.rest, configuration: venue.address.configuration())
    venue.record?.keep(nil, .request(target: target, body: nothing, nonceOffset: 0))
    let outcome = try client.perform(
      target: target.span, headers: RESTHeaders(), body: nothing.span, timeout: .seconds(5))
    switch outcome {
    case .replied(let status, _, let body):
      venue.record?.keep(nil, .reply(status: status, body: body, length: UInt32(body.count)))
    case .failed(let fault): venue.record?.keep(nil, .failed(Array("\(fault)".utf8)))
    }
    switch outcome {
    case .replied(200, _, let body): return try JSONValue(body.span)
    case .replied(let status, _, _): throw Fault(description: "\(path): HTTP \(status)")
    case .failed(let fault): throw Fault(description: "\(path): \(fault)")
    }
  }
}
