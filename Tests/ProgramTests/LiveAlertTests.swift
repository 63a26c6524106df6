import MartletAlerts
import MartletBase
import MartletDashboard
import MartletKernel
import MartletModel
import MartletTransport
import MartletVenueKit
import Testing

@testable import MartletLive

/// What each thing that a run notes becomes for a person.
@Suite struct LiveAlertTests {
  static func moment(_ seconds: Int64) -> Timestamp {
    Timestamp(nanoseconds: 1_764_000_000_000_000_000) + .seconds(seconds)
  }

  /// Alerts of a plan with standard settings whose file cannot be made: they are read where the page
  /// reads them.
  static func alerts(_ loop: EventLoop) throws -> LiveAlerts {
    let text = """
      [bot]
      name = "bot"
      valuation = "DUSDT"
      [venue.whitebit]
      [[strategy]]
      kind = "grid"
      market = "DBTC_DUSDT"
      [alerts]
      file = "/dev/null/alerts.jsonl"
      """
    let plan = try BotPlan(
      configurationText: Array(text.utf8), file: "test.toml", seed: 1, build: "test")
    return try LiveAlerts(loop, plan: plan, showsOnTerminal: true, now: { moment(0) })
  }

  static func take(_ note: KernelNote, _ alerts: LiveAlerts, at second: Int64) {
    alerts.take(note, at: moment(second), isStopping: false, isKnownOrder: { true })
  }

  @Test("a journal file that cannot be packed is told once, and then every hour while it lasts")
  func packingThatFails() throws {
    let alerts = try Self.alerts(try EventLoop())
    defer { alerts.finish() }
    var told: [Int64] = []
    // Looked at twice a second by the bot; here every minute, for three hours and a half.
    for minute in Int64(0)..<210 {
      let before = alerts.shown.count
      alerts.set(
        .journalPacking, "journal", "00000001.mjd.new: the disk is full", "", holds: true,
        at: Self.moment(minute * 60))
      alerts.repeatDue(at: Self.moment(minute * 60))
      if alerts.shown.count > before { told.append(minute) }
    }
    #expect(told == [0, 60, 120, 180])
    #expect(alerts.shown.allSatisfy { $0.severity == .warning })
    #expect(alerts.shown.last?.text.contains("00000001.mjd.new") == true)
    alerts.clear(
      .journalPacking, "journal", "full files are packed again", at: Self.moment(12_600))
    #expect(alerts.shown.last?.text.contains("cleared") == true && alerts.shown.count == 5)
  }

  @Test("M89: every task whose tries run out reaches a person, and its end")
  func retriesThatRunOut() throws {
    let alerts = try Self.alerts(try EventLoop())
    defer { alerts.finish() }
    for (index, task) in RetriedTask.allCases.enumerated() {
      let order = ClientOrderID(task == .inquiry ? "mtAAAA1" : "")
      Self.take(
        .notice(.retriesExhausted(task, tries: 5, order: order)), alerts, at: Int64(index))
      #expect(alerts.active(.retriesExhausted).count == 1)
      #expect(alerts.shown.last?.severity == .critical)
      Self.take(.notice(.retriesSucceeded(task, order: order)), alerts, at: Int64(index))
      #expect(alerts.active(.retriesExhausted).isEmpty)
      #expect(alerts.shown.last?.text.contains("cleared") == true)
    }
  }

  @Test(
    "M89: orders that one outage leaves without an answer are one alert, until the last is answered"
  )
  func oneOutageIsOneAlert() throws {
    let alerts = try Self.alerts(try EventLoop())
    defer { alerts.finish() }
    let orders = (0..<40).map { ClientOrderID(InlineText("mtAAAA\($0)") ?? "") }
    for order in orders {
      Self.take(.notice(.retriesExhausted(.inquiry, tries: 5, order: order)), alerts, at: 1)
    }
    #expect(alerts.active(.retriesExhausted) == ["inquiry"])
    #expect(alerts.shown.count == 1 && alerts.shown[0].text.contains("order mtAAAA0"))
    // The longest silence between two lines has passed: now with their number.
    Self.take(
      .notice(.retriesExhausted(.inquiry, tries: 5, order: ClientOrderID("mtAAAAlast"))), alerts,
      at: 1_000)
    #expect(
      alerts.shown.count == 2 && alerts.shown[1].text.contains("41 order(s), such as mtAAAA0:"))
    for order in orders.dropLast() {
      Self.take(.notice(.retriesSucceeded(.inquiry, order: order)), alerts, at: 1_001)
    }
    #expect(alerts.active(.retriesExhausted) == ["inquiry"] && alerts.shown.count == 2)
    // One is told to have ended by other news, and one never arrived.
    Self.take(.neverArrived(orders[39]), alerts, at: 1_002)
    #expect(alerts.active(.retriesExhausted) == ["inquiry"])
    Self.take(
      .order(
        OrderView(
          clientOrderID: ClientOrderID("mtAAAAlast"), instrument: InstrumentID(0), side: .buy,
          price: Price(quanta: 1), quantity: Quantity(quanta: 1), cumulative: .zero,
          state: .canceled,
          tag: 0)), alerts, at: 1_003)
    #expect(alerts.active(.retriesExhausted).isEmpty)
    #expect(alerts.shown.last?.text.contains("cleared") == true)
    // Anew it is told at once.
    Self.take(.notice(.retriesExhausted(.inquiry, tries: 5, order: orders[3])), alerts, at: 1_004)
    #expect(alerts.active(.retriesExhausted) == ["inquiry"])
  }

  @Test("M122: every halt is told with its reason, and once that it was lifted")
  func halts() throws {
    let alerts = try Self.alerts(try EventLoop())
    defer { alerts.finish() }
    for raw in UInt8(1)...9 {
      let reason = try #require(HaltReason(rawValue: raw))
      Self.take(.halted(reason), alerts, at: Int64(raw))
      // What cannot be true after a refused key is not said: nothing is asked, and nobody can rearm.
      guard reason != .unauthorized else {
        #expect(!alerts.isActive(.halted, "trading"))
        #expect(alerts.shown.contains { $0.text.hasPrefix("key-refused") })
        continue
      }
      #expect(alerts.isActive(.halted, "trading"))
      let text = alerts.shown.reversed().first { $0.text.hasPrefix("halted") }?.text
      #expect(text?.contains(reason.means) == true)
      Self.take(.rearmed, alerts, at: Int64(raw))
      #expect(!alerts.isActive(.halted, "trading"))
    }
    #expect(alerts.isActive(.keyRefused, "key") == false)
  }

  @Test("M101: a silent book, silent trades and a private stream that owes news are told and end")
  func silence() throws {
    let alerts = try Self.alerts(try EventLoop())
    defer { alerts.finish() }
    let start = Self.moment(0)
    func look(_ second: Int64, book: Int64, trade: Int64, owed: Int64?) -> [Bool] {
      alerts.lookAtMarket(
        "DBTC_DUSDT", bookAt: Self.moment(book), tradedAt: Self.moment(trade), since: start,
        at: Self.moment(second))
      alerts.lookAtPrivate(
        owedSince: owed.map(Self.moment) ?? .distantFuture, at: Self.moment(second))
      return [
        alerts.isActive(.bookSilent, "DBTC_DUSDT"), alerts.isActive(.tradesSilent, "DBTC_DUSDT"),
        alerts.isActive(.privateSilent, "private"),
      ]
    }
    #expect(look(14, book: 0, trade: 0, owed: nil) == [false, false, false])
    #expect(look(15, book: 0, trade: 0, owed: nil) == [true, false, false])
    #expect(look(599, book: 599, trade: 0, owed: 590) == [false, false, false])
    #expect(look(600, book: 600, trade: 0, owed: 590) == [false, true, true])
    #expect(look(601, book: 601, trade: 601, owed: nil) == [false, false, false])
    #expect(alerts.shown.count == 6)
  }

  @Test func doubtIsToldWhenItLastsAndEndsWithTheOrdersFate() throws {
    let alerts = try Self.alerts(try EventLoop())
    defer { alerts.finish() }
    func view(_ state: OrderState) -> KernelNote {
      .order(
        OrderView(
          clientOrderID: ClientOrderID("mtAAAA1"), instrument: InstrumentID(0), side: .buy,
          price: Price(quanta: 1), quantity: Quantity(quanta: 1), cumulative: .zero, state: state,
          tag: 0))
    }
    Self.take(view(.inDoubt), alerts, at: 0)
    alerts.lookAtDoubts(at: Self.moment(9))
    #expect(alerts.shown.isEmpty)
    alerts.lookAtDoubts(at: Self.moment(10))
    alerts.lookAtDoubts(at: Self.moment(11))
    #expect(alerts.shown.count == 1 && alerts.isActive(.orderInDoubt, "mtAAAA1"))
    Self.take(view(.open), alerts, at: 12)
    #expect(alerts.shown.count == 2 && !alerts.isActive(.orderInDoubt, "mtAAAA1"))
    // Short doubt is no news.
    Self.take(view(.inDoubt), alerts, at: 20)
    Self.take(view(.open), alerts, at: 21)
    #expect(alerts.shown.count == 2)
  }

  @Test(
    "M64: for how long nobody looked with a stop is told when it is armed again, and once while it lasts"
  )
  func stopsThatNobodyLooksWith() throws {
    let alerts = try Self.alerts(try EventLoop())
    defer { alerts.finish() }
    let rule = try #require(StopRule(side: .sell, price: Price(quanta: 900)))
    var stop = LocalStop(rule, strategy: StrategyID(0), instrument: InstrumentID(0))
    func look(at second: Int64) {
      alerts.lookAtStops([stop], since: Self.moment(0), at: Self.moment(second))
    }
    func arm(at second: Int64) {
      let look = stop.look(at: Price(quanta: 950), told: .zero, now: Self.moment(second))
      Self.take(
        .stopArmed(
          InstrumentID(0), .sell, level: rule.price ?? Price(quanta: 0),
          unprotected: look.unprotected ?? .zero), alerts, at: second)
    }
    arm(at: 1)
    #expect(alerts.shown.isEmpty, "the first time is no news")
    // Short: told once it is over.
    stop.lose(since: Self.moment(20))
    look(at: 29)
    arm(at: 29)
    #expect(alerts.shown.count == 1 && alerts.shown[0].severity == .warning)
    #expect(alerts.shown[0].text.contains("unprotected for 9.000 s"))
    // Long: told while it lasts, once, and its end with the time.
    stop.lose(since: Self.moment(100))
    look(at: 109)
    #expect(alerts.shown.count == 1)
    look(at: 110)
    look(at: 111)
    #expect(alerts.shown.count == 2 && alerts.shown[1].severity == .critical)
    arm(at: 145)
    look(at: 146)
    #expect(alerts.shown.count == 3 && alerts.shown[2].text.contains("cleared"))
    #expect(alerts.shown[2].text.contains("unprotected for 45.000 s"))
    // What an earlier process left is counted from this one's start; a stop that cannot be filled is told.
    stop.lose(since: Self.moment(150))
    alerts.lookAtStops([stop], since: Self.moment(1_000), at: Self.moment(1_009))
    #expect(alerts.shown.count == 3)
  }

  @Test func aRestartTellsOfNothingLostBeforeItWasReady() throws {
    let alerts = try Self.alerts(try EventLoop())
    defer { alerts.finish() }
    let market = InstrumentID(0)
    // What a restored kernel notes at its start, and what comes moments later.
    Self.take(.ready(false), alerts, at: 0)
    Self.take(.bookTrust(market, isTrusted: false), alerts, at: 0)
    alerts.lookAtStart(at: Self.moment(1))
    Self.take(.bookTrust(market, isTrusted: true), alerts, at: 1)
    Self.take(.ready(true), alerts, at: 1)
    alerts.lookAtStart(at: Self.moment(60))
    #expect(alerts.shown.isEmpty)
    // From then on each is told at once, and its end.
    Self.take(.ready(false), alerts, at: 61)
    Self.take(.bookTrust(market, isTrusted: false), alerts, at: 61)
    #expect(alerts.isActive(.streamLost, "private"))
    #expect(alerts.isActive(.bookUntrusted, "DBTC_DUSDT"))
    Self.take(.ready(true), alerts, at: 62)
    Self.take(.bookTrust(market, isTrusted: true), alerts, at: 62)
    #expect(alerts.shown.count == 4)
    #expect(alerts.shown.suffix(2).allSatisfy { $0.text.contains("cleared") })
  }

  @Test func aRestartThatGainsNothingIsTold() throws {
    let alerts = try Self.alerts(try EventLoop())
    defer { alerts.finish() }
    let market = InstrumentID(0)
    Self.take(.ready(false), alerts, at: 0)
    Self.take(.bookTrust(market, isTrusted: false), alerts, at: 0)
    func look(_ second: Int64) -> [Bool] {
      alerts.lookAtStart(at: Self.moment(second))
      return [
        alerts.isActive(.streamLost, "private"), alerts.isActive(.bookUntrusted, "DBTC_DUSDT"),
      ]
    }
    #expect(look(9) == [false, false])
    #expect(look(10) == [true, false])
    #expect(look(15) == [true, true])
    #expect(look(16) == [true, true] && alerts.shown.count == 2)
    // Ready with a book that does not come is told of that book on.
    Self.take(.ready(true), alerts, at: 17)
    #expect(look(18) == [false, true])
    Self.take(.bookTrust(market, isTrusted: true), alerts, at: 19)
    #expect(look(60) == [false, false] && alerts.shown.count == 4)
    // A connection refused from the start is told of as always.
    Self.take(
      .notice(.retriesExhausted(.stream, tries: 5, order: ClientOrderID(""))), alerts, at: 61)
    #expect(alerts.active(.retriesExhausted).count == 1)
  }

  @Test func contradictionsOfTheVenueAreTold() throws {
    let alerts = try Self.alerts(try EventLoop())
    defer { alerts.finish() }
    let id = ClientOrderID("mtAAAA1")
    Self.take(.ledgerDifference(asset: "DBTC", own: .zero, told: Amount(units: 1)), alerts, at: 0)
    #expect(alerts.active(.ledgerDiffers) == ["DBTC"])
    for raw in [UInt8(1), 2, 4, 8] { Self.take(.alarm(id, raw), alerts, at: 1) }
    let fill = Fill(
      account: AccountID(0), instrument: InstrumentID(0), clientOrderID: ClientOrderID("mtAAAA2"),
      venueOrderID: VenueOrderID(high: 0, low: 1), tradeID: TradeID(high: 0, low: 1), side: .buy,
      price: Price(quanta: 1), quantity: Quantity(quanta: 1), fee: .zero, feeAsset: "DUSDT",
      role: .maker, exchangeTime: .zero, source: .stream)
    alerts.take(.fill(fill), at: Self.moment(2), isStopping: false, isKnownOrder: { false })
    let told = alerts.shown.map(\.text)
    #expect(told.contains { $0.hasPrefix("venue-contradiction mtAAAA1") })
    #expect(told.contains { $0.hasPrefix("venue-contradiction mtAAAA2") })
    #expect(told.contains { $0.hasPrefix("order-stuck mtAAAA1") })
  }
}
