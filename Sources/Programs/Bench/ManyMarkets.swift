internal import MartletBase
internal import MartletKernel
internal import MartletModel
internal import MartletOrders
internal import MartletRisk
internal import MartletSecrets
internal import MartletSimulation
internal import MartletStrategies
internal import MartletVenueKit
internal import WhiteBITDesk
internal import WhiteBITSession
internal import WhiteBITWire

/// A bot that watches a hundred markets and trades none: how it came to, as its journal, and what it is
/// told from then on.
struct ManyMarkets {
  static let count = 100

  /// Up to the moment when it is subscribed to each of them.
  let entries: [MemoryJournal.Entry]
  /// Whole books of 20 + 20 levels in the venue's words, of the markets in turn; one round is one frame
  /// of each.
  let rounds: [[Frame]]

  /// A depth frame whose number, the book's update, is written anew each time.
  struct Frame {
    var bytes: [UInt8]
    let number: Range<Int>

    /// - Parameter value: below 10^16, and as wide as the number that stands there.
    mutating func write(_ value: UInt64) {
      var rest = value
      for index in number.reversed() {
        bytes[index] = UInt8(truncatingIfNeeded: 0x30 + rest % 10)
        rest /= 10
      }
    }
  }

  init(_ frames: MarketFrames, rounds count: Int) throws {
    var scenario = WhiteBITScenario(seed: 13)
    scenario.latency = .milliseconds(1)
    // One is enough for the dead-man, which is armed before anything else happens.
    scenario.market = ManyMarkets.symbols[0].market
    var configuration = WhiteBITDeskConfiguration(start: RecordedDay.start, seed: 13)
    configuration.roundsBefore = 0
    let setups = ManyMarkets.symbols.map { symbol in
      WhiteBITMarketSetup(
        listing: .bitcoin(
          name: symbol.market, stock: ManyMarkets.stock(of: symbol), money: "DUSDT"),
        rows: [], pricePlaces: scenario.pricePlaces, quantityPlaces: scenario.quantityPlaces)
    }
    var desk = try WhiteBITDesk(configuration, markets: setups, keyedHash: keyedHash)
    guard
      desk.addAccount(
        key: BenchKey.key, secret: BenchKey.secret,
        balances: [(asset: "DUSDT", amount: Amount(units: powerOfTen(26)))]) != nil
    else { throw BenchSuite.Fault("the simulated venue opens no account") }
    var world = WhiteBITWorld(
      kernel: ManyMarkets.makeKernel(), deadMan: try scenario.makeDeadMan(), desk: desk,
      credentials: BenchKey.credentials, start: RecordedDay.start, seed: scenario.seed,
      latency: scenario.latency, secretField: "websocket_token",
      clockOffset: WhiteBITScenario.clockOffset)
    world.start()
    // Books of markets in which nobody trades are empty; what comes later fills them.
    let isReady = world.run(for: .seconds(60)) { $0.kernel.isReady }
    world.run(for: .seconds(1))
    guard isReady else {
      throw BenchSuite.Fault("the simulated bot was not told of \(ManyMarkets.count) markets")
    }
    entries = world.journal.entries
    rounds = try (0..<min(count, frames.wholeBooks.count)).map { round in
      try ManyMarkets.symbols.map { symbol in
        try ManyMarkets.frame(frames.wholeBooks[round], of: symbol.market)
      }
    }
  }

  static func makeKernel() -> Kernel<WhiteBITSession, BuiltInStrategy> {
    var configuration = WhiteBITConfiguration(
      account: AccountID(0), symbols: symbols, ownPrefix: "mtBnch")
    configuration.seed = 13
    configuration.bookLag = RecordedDay.noLag
    return Kernel(
      account: AccountID(0), symbols: symbols.map(\.market), bookDepth: configuration.depthLimit,
      session: WhiteBITSession(configuration), strategies: [], orders: OrderStore(tag: "Bnch"),
      risk: RiskGate(limits: RiskLimits()))
  }

  private static let symbols = (0..<count).map { index in
    WhiteBITSymbol(
      market: InlineText("M\(100 + index)_DUSDT") ?? MarketFrames.market,
      instrument: InstrumentID(UInt16(index)))
  }

  private static func stock(of symbol: WhiteBITSymbol) -> InlineText {
    InlineText("\("\(symbol.market)".prefix(4))") ?? symbol.market
  }

  /// A frame of the bundled market as another's, with room for a number of sixteen digits.
  private static func frame(_ original: [UInt8], of market: InlineText) throws -> Frame {
    var text = String(decoding: original, as: UTF8.self)
    let key = "\"update_id\": "
    guard let name = text.range(of: "\(MarketFrames.market)") else {
      throw BenchSuite.Fault("a depth frame without its market")
    }
    text.replaceSubrange(name, with: "\(market)")
    guard let found = text.range(of: key) else {
      throw BenchSuite.Fault("a depth frame without its number")
    }
    let digits = text[found.upperBound...].prefix { $0.isNumber }
    text.replaceSubrange(
      digits.startIndex..<digits.endIndex, with: String(repeating: "1", count: 16))
    let start = text[..<found.upperBound].utf8.count
    return Frame(bytes: Array(text.utf8), number: start..<start + 16)
  }
}

extension String {
  /// Where `part` stands first.
  fileprivate func range(of part: String) -> Range<Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(part) {
        return start..<index(start, offsetBy: part.count)
      }
      start = index(after: start)
    }
    return nil
  }
}
