import MartletBase
import MartletModel
import MartletOrders
import Testing

@Suite struct OrdersLifecycleTests {
  typealias Event = OrderLifecycle.Event

  static func order(_ quantity: Int64 = 10, at price: Int64 = 100) -> OrderLifecycle {
    OrderLifecycle(price: Price(quanta: price), quantity: Quantity(quanta: quantity))
  }
  static func fill(_ quantity: Int64, at price: Int64 = 100) -> Event {
    .fill(Quantity(quanta: quantity), at: Price(quanta: price))
  }
  static func open(_ cumulative: Int64 = 0, isAnswer: Bool = false) -> Event {
    .reported(.open, cumulative: Quantity(quanta: cumulative), isAnswer: isAnswer)
  }
  static func canceled(_ cumulative: Int64 = 0) -> Event {
    .reported(.canceled, cumulative: Quantity(quanta: cumulative), isAnswer: false)
  }
  static func filled(_ cumulative: Int64 = 10) -> Event {
    .reported(.filled, cumulative: Quantity(quanta: cumulative), isAnswer: false)
  }

  /// The state after `events`, and what the last one asked for.
  static func after(
    _ events: [Event], of order: OrderLifecycle = order()
  ) -> (order: OrderLifecycle, last: OrderLifecycle.Consequence) {
    var order = order
    var last = OrderLifecycle.Consequence()
    for event in events { last = order.apply(event) }
    return (order, last)
  }

  // MARK: Examples

  @Test func anOrderRestsFillsInPartsAndIsFilled() {
    var order = OrdersLifecycleTests.order()
    #expect(order.state == .pendingNew)
    #expect(order.apply(OrdersLifecycleTests.open()).isChanged && order.state == .open)
    #expect(order.apply(OrdersLifecycleTests.fill(4)).isChanged && order.state == .open)
    #expect(order.leaves.quanta == 6)
    #expect(!order.apply(OrdersLifecycleTests.open(4)).isChanged)
    let last = order.apply(OrdersLifecycleTests.fill(6))
    #expect(order.state == .filled && last.isChanged && last.alarms.isEmpty && !last.asksVenue)
  }

  @Test("M44: a lost reply puts the order in doubt and asks; nothing is ever sent again")
  func aLostReplyAsksAndNeverResends() {
    let (order, last) = OrdersLifecycleTests.after([.replyLost])
    #expect(order.state == .inDoubt && last.asksVenue && !last.sendsCancel)
    #expect(OrdersLifecycleTests.after([.replyLost, .neverArrived]).order.state == .rejected)
    #expect(
      OrdersLifecycleTests.after([.replyLost, OrdersLifecycleTests.open()]).order.state == .open)
    #expect(
      OrdersLifecycleTests.after([.replyLost, OrdersLifecycleTests.fill(3)]).order.state == .open)
    let late = OrdersLifecycleTests.after([OrdersLifecycleTests.open(), .replyLost])
    #expect(late.order.state == .open && !late.last.asksVenue)
  }

  @Test("M56: a cancel is pending until the venue proves the end; a fill during it is booked")
  func aCancelIsPendingUntilProof() {
    var (order, last) = OrdersLifecycleTests.after([OrdersLifecycleTests.open(), .cancelRequested])
    #expect(order.state == .pendingCancel && last.sendsCancel)
    #expect(!order.apply(.cancelRequested).sendsCancel)
    last = order.apply(OrdersLifecycleTests.fill(4))
    #expect(order.state == .pendingCancel && order.cumulative.quanta == 4)
    last = order.apply(OrdersLifecycleTests.open(4))
    #expect(order.state == .pendingCancel && !last.sendsCancel)
    last = order.apply(OrdersLifecycleTests.canceled(4))
    #expect(order.state == .canceled && last.alarms.isEmpty)
  }

  @Test("M56: a fill that wins against our cancel fills the order")
  func aFillMayWinAgainstOurCancel() {
    let events = [
      OrdersLifecycleTests.open(), .cancelRequested, OrdersLifecycleTests.fill(10), .cancelRefused,
    ]
    let (order, last) = OrdersLifecycleTests.after(events)
    #expect(order.state == .filled && !last.asksVenue && last.alarms.isEmpty)
  }

  @Test("M56 M62: a refused or lost cancel asks, and what the venue answers decides")
  func aRefusedCancelAsks() {
    for news in [Event.cancelRefused, .cancelReplyLost] {
      var (order, last) = OrdersLifecycleTests.after([
        OrdersLifecycleTests.open(), .cancelRequested, news,
      ])
      #expect(order.state == .pendingCancel && last.asksVenue && !last.sendsCancel)
      // The stream may be older than the cancel; an answer is not.
      #expect(!order.apply(OrdersLifecycleTests.open()).sendsCancel)
      last = order.apply(OrdersLifecycleTests.open(isAnswer: true))
      #expect(order.state == .pendingCancel && last.sendsCancel)
      #expect(order.apply(OrdersLifecycleTests.canceled()).isChanged && order.state == .canceled)
    }
  }

  @Test func aCancelThatNeverTakesEndsInAnAlarm() {
    var order = OrdersLifecycleTests.after([OrdersLifecycleTests.open(), .cancelRequested]).order
    var sent = 1
    var last = OrderLifecycle.Consequence()
    while last.alarms.isEmpty {
      _ = order.apply(.cancelRefused)
      last = order.apply(OrdersLifecycleTests.open(isAnswer: true))
      if last.sendsCancel { sent += 1 }
    }
    #expect(sent == OrderLifecycle.cancelAttemptsAllowed && last.alarms == .cancelNotTaken)
    #expect(order.state == .open)
    #expect(order.apply(.cancelRequested).sendsCancel && order.state == .pendingCancel)
  }

  @Test func aCancelOfAnOrderInDoubtIsSentAndItsRefusalProvesNothing() {
    var (order, last) = OrdersLifecycleTests.after([.replyLost, .cancelRequested])
    #expect(order.state == .pendingCancel && last.sendsCancel)
    last = order.apply(.cancelRefused)
    #expect(order.state == .pendingCancel && last.asksVenue)
    // It arrived after the cancel.
    last = order.apply(OrdersLifecycleTests.open(isAnswer: true))
    #expect(order.state == .pendingCancel && last.sendsCancel)
    let never = OrdersLifecycleTests.after([
      .replyLost, .cancelRequested, .cancelRefused, .neverArrived,
    ])
    #expect(never.order.state == .rejected)
  }

  @Test func anOrderThatVanishedWithoutARecordWasCanceled() {
    let gone = OrdersLifecycleTests.after([
      OrdersLifecycleTests.open(), OrdersLifecycleTests.fill(3), .neverArrived,
    ])
    #expect(gone.order.state == .canceled && gone.last.alarms.isEmpty)
    let missing = OrdersLifecycleTests.after([OrdersLifecycleTests.open(3), .neverArrived])
    #expect(missing.order.state == .open && missing.last.asksVenue)
  }

  @Test func noOrderIsTerminalBeforeItsFillsAreBooked() {
    var (order, last) = OrdersLifecycleTests.after([
      OrdersLifecycleTests.open(), OrdersLifecycleTests.canceled(7),
    ])
    #expect(order.state == .open && order.isMissingFills && order.hasEnded)
    #expect(!order.apply(.cancelRequested).sendsCancel)
    last = order.apply(OrdersLifecycleTests.fill(3))
    #expect(order.state == .open)
    last = order.apply(OrdersLifecycleTests.fill(4))
    #expect(order.state == .canceled && last.alarms.isEmpty && !order.isMissingFills)
    let whole = OrdersLifecycleTests.after([
      OrdersLifecycleTests.filled(), OrdersLifecycleTests.fill(10),
    ])
    #expect(whole.order.state == .filled)
  }

  @Test("M80: an end with nothing left is a fill, else a cancel")
  func anEndWithNothingLeftIsAFill() {
    let canceled = OrdersLifecycleTests.after([
      OrdersLifecycleTests.fill(10), OrdersLifecycleTests.canceled(10),
    ])
    #expect(canceled.order.state == .filled)
    let part = OrdersLifecycleTests.after([
      OrdersLifecycleTests.fill(9), OrdersLifecycleTests.canceled(9),
    ])
    #expect(part.order.state == .canceled && part.order.leaves.quanta == 1)
  }

  @Test func whatCannotBeTrueRaisesAnAlarmAndLosesNothing() {
    typealias Case = (events: [Event], state: OrderState, cumulative: Int64)
    let cases: [Case] = [
      ([.refused, OrdersLifecycleTests.fill(4)], .open, 4),
      ([.refused, OrdersLifecycleTests.open()], .open, 0),
      ([.refused, OrdersLifecycleTests.canceled(0)], .canceled, 0),
      ([.refused, OrdersLifecycleTests.canceled(4)], .inDoubt, 0),
      ([OrdersLifecycleTests.open(), .refused], .open, 0),
      ([OrdersLifecycleTests.canceled(), .refused], .canceled, 0),
      ([OrdersLifecycleTests.fill(10), .refused], .filled, 10),
      ([OrdersLifecycleTests.canceled(2), OrdersLifecycleTests.fill(3)], .canceled, 3),
      ([OrdersLifecycleTests.fill(3), OrdersLifecycleTests.canceled(2)], .canceled, 3),
      ([OrdersLifecycleTests.fill(3), OrdersLifecycleTests.filled(3)], .canceled, 3),
    ]
    for (events, state, cumulative) in cases {
      let (order, last) = OrdersLifecycleTests.after(events)
      #expect(order.state == state && order.cumulative.quanta == cumulative, "\(events)")
      #expect(last.alarms == .contradiction, "\(events)")
    }
    let (order, last) = OrdersLifecycleTests.after([
      OrdersLifecycleTests.fill(6), OrdersLifecycleTests.fill(6),
    ])
    #expect(order.state == .filled && order.cumulative.quanta == 12 && last.alarms == .overfill)
  }

  @Test func aStatusThatIsNotKnownAsksAndAssumesNothing() {
    let event = Event.reported(.unknown, cumulative: .zero, isAnswer: false)
    let (order, last) = OrdersLifecycleTests.after([OrdersLifecycleTests.open(), event])
    #expect(order.state == .open && last.asksVenue)
    #expect(!OrdersLifecycleTests.after([OrdersLifecycleTests.fill(10), event]).last.asksVenue)
  }

  // MARK: Amending

  static let wanted = Event.amendRequested(Price(quanta: 90), Quantity(quanta: 20))
  static let amended = Event.amended(Price(quanta: 90), Quantity(quanta: 20))

  @Test func anAmendmentIsPendingUntilTheVenueSaysSo() {
    var (order, last) = OrdersLifecycleTests.after([
      OrdersLifecycleTests.open(), OrdersLifecycleTests.wanted,
    ])
    #expect(order.state == .pendingAmend && order.price.quanta == 100)
    last = order.apply(OrdersLifecycleTests.amended)
    #expect(order.state == .open && order.price.quanta == 90 && order.quantity.quanta == 20)
    #expect(last.isChanged && last.alarms.isEmpty)
    #expect(!order.apply(OrdersLifecycleTests.amended).isChanged)
    let other = order.apply(.amended(Price(quanta: 80), Quantity(quanta: 20)))
    #expect(other.alarms == .contradiction && other.asksVenue && order.price.quanta == 90)
  }

  @Test func aVenueThatAmendsByReplacingDoesNotEndTheOrder() {
    var order = OrdersLifecycleTests.after([
      OrdersLifecycleTests.open(), OrdersLifecycleTests.fill(4), OrdersLifecycleTests.wanted,
    ]).order
    _ = order.apply(OrdersLifecycleTests.canceled(4))
    #expect(order.state == .pendingAmend)
    _ = order.apply(OrdersLifecycleTests.amended)
    #expect(order.state == .open && order.leaves.quanta == 16)
    // The other way round: the replacement was refused, the old order is gone.
    var gone = OrdersLifecycleTests.after([
      OrdersLifecycleTests.open(), OrdersLifecycleTests.wanted, OrdersLifecycleTests.canceled(0),
    ]).order
    _ = gone.apply(.amendRefused)
    #expect(gone.state == .canceled)
  }

  @Test func aRefusedAmendmentLeavesTheOldOrderAndAsks() {
    let (order, last) = OrdersLifecycleTests.after([
      OrdersLifecycleTests.open(), OrdersLifecycleTests.wanted, .amendRefused,
    ])
    #expect(order.state == .open && order.price.quanta == 100 && last.asksVenue)
    var lost = OrdersLifecycleTests.after([
      OrdersLifecycleTests.open(), OrdersLifecycleTests.wanted, .amendReplyLost,
    ])
    #expect(lost.order.state == .pendingAmend && lost.last.asksVenue)
    // The stream may be older than the amendment, an answer is not.
    _ = lost.order.apply(OrdersLifecycleTests.open())
    #expect(lost.order.state == .pendingAmend)
    _ = lost.order.apply(OrdersLifecycleTests.open(isAnswer: true))
    #expect(lost.order.state == .open && lost.order.price.quanta == 100)
  }

  @Test func anOrderFilledWhileItsAmendmentFliesIsNotFilledUntilItLands() {
    let flying = [
      OrdersLifecycleTests.open(), OrdersLifecycleTests.wanted, OrdersLifecycleTests.fill(10),
    ]
    #expect(OrdersLifecycleTests.after(flying).order.state == .pendingAmend)
    #expect(
      OrdersLifecycleTests.after(flying + [OrdersLifecycleTests.amended]).order.state == .open)
    #expect(OrdersLifecycleTests.after(flying + [.amendRefused]).order.state == .filled)
    #expect(
      OrdersLifecycleTests.after(flying + [OrdersLifecycleTests.filled()]).order.state == .filled)
  }

  @Test func onlyARestingOrderIsAmended() {
    for events in [[], [Event.replyLost], [.refused], [OrdersLifecycleTests.fill(10)]] {
      let before = OrdersLifecycleTests.after(events).order
      let after = OrdersLifecycleTests.after(events + [OrdersLifecycleTests.wanted]).order
      #expect(before == after)
    }
  }

  // MARK: Properties

  @Test("M53: for any split of any order, filled and open part add up and the average is exact")
  func theAverageIsExactForAnySplit() {
    for seed in UInt64(1)...300 {
      var random = SeededRandom(seed: seed)
      let quantity = random.integer(in: 1...1_000_000_000_000)
      var order = OrdersLifecycleTests.order(quantity, at: 5)
      var rest = quantity
      var notional: Int128 = 0
      while rest > 0 {
        let last = random.chance(1, in: 4) ? rest : random.integer(in: 1...rest)
        let price = random.integer(in: 1...9_000_000_000_000)
        #expect(order.apply(OrdersLifecycleTests.fill(last, at: price)).alarms.isEmpty)
        rest -= last
        notional += Int128(last) * Int128(price)
        #expect(order.cumulative + order.leaves == order.quantity, "seed \(seed)")
        #expect(order.leaves.quanta == rest && order.notional == notional, "seed \(seed)")
      }
      #expect(order.state == .filled)
      let fraction = order.averagePriceFraction
      #expect(fraction?.numerator == notional && fraction?.denominator == quantity)
      // Rounded down at 8 more places, it is the largest such number not above the fraction.
      let down = order.averagePrice(places: 8, rounded: .down) ?? 0
      let up = order.averagePrice(places: 8, rounded: .up) ?? 0
      let scale = UInt128(100_000_000)
      let exact = UInt128(notional).multipliedFullWidth(by: scale)
      let below = UInt128(down).multipliedFullWidth(by: UInt128(quantity))
      let above = UInt128(up).multipliedFullWidth(by: UInt128(quantity))
      #expect((below.high, below.low) <= (exact.high, exact.low), "seed \(seed)")
      #expect((above.high, above.low) >= (exact.high, exact.low), "seed \(seed)")
      #expect(up - down <= 1 && (up == down) == (below.low == exact.low), "seed \(seed)")
    }
  }

  @Test("M53: averages of published fractions")
  func averagesOfKnownFractions() {
    var order = OrdersLifecycleTests.order(3)
    #expect(order.averagePrice(places: 2, rounded: .nearestEven) == nil)
    _ = order.apply(OrdersLifecycleTests.fill(1, at: 100))
    _ = order.apply(OrdersLifecycleTests.fill(2, at: 101))
    // 302 ÷ 3 = 100.666…
    #expect(order.averagePrice(places: 0, rounded: .down) == 100)
    #expect(order.averagePrice(places: 3, rounded: .down) == 100_666)
    #expect(order.averagePrice(places: 3, rounded: .nearestEven) == 100_667)
    #expect(order.averagePrice(places: 18, rounded: .up) == 100_666_666_666_666_666_667)
  }

  @Test("M79: the same news in every order, with repetitions, ends in the same state")
  func everyOrderOfTheSameNewsConverges() {
    typealias Story = (
      name: String, first: [Event], news: [Event], state: OrderState, cumulative: Int64
    )
    let open = OrdersLifecycleTests.open(_:isAnswer:)
    let fill = OrdersLifecycleTests.fill(_:at:)
    let canceled = OrdersLifecycleTests.canceled(_:)
    let filled = OrdersLifecycleTests.filled(_:)
    let stories: [Story] = [
      (
        "partly filled, canceled", [],
        [
          open(0, false), open(3, false), fill(3, 100), fill(4, 101), open(7, true), canceled(7),
          canceled(7),
        ], .canceled, 7
      ),
      (
        "filled, reply lost", [],
        [
          open(0, false), fill(4, 100), fill(6, 99), filled(10), open(4, true), .replyLost,
          filled(10),
        ], .filled, 10
      ),
      (
        "resting, reply lost", [], [open(0, false), open(3, true), fill(3, 100), .replyLost], .open,
        3
      ),
      ("refused", [], [.refused, .replyLost, .refused, .replyLost], .rejected, 0),
      (
        "refused, yet filled and canceled", [],
        [.refused, open(0, false), fill(3, 100), canceled(3), .replyLost, .refused], .canceled, 3
      ),
      ("refused, yet resting", [], [.refused, open(0, false), .refused, open(0, true)], .open, 0),
      ("overfilled", [], [open(0, false), fill(6, 100), fill(6, 100), filled(10)], .filled, 12),
      (
        "canceled too early", [], [canceled(4), fill(4, 100), fill(6, 100), open(4, false)],
        .filled, 10
      ),
      (
        "canceled by us, cancel lost and refused", [.cancelRequested],
        [
          open(0, false), fill(4, 100), canceled(4), .cancelRefused, .cancelReplyLost,
          open(4, false),
        ],
        .canceled, 4
      ),
      (
        "filled against our cancel", [.cancelRequested],
        [open(0, false), fill(4, 100), fill(6, 100), .cancelRefused, filled(10), .replyLost],
        .filled, 10
      ),
      (
        "canceled while in doubt", [.replyLost, .cancelRequested],
        [open(0, false), canceled(0), .cancelRefused, canceled(0)], .canceled, 0
      ),
      (
        "amended by replacing", [open(0, false), OrdersLifecycleTests.wanted],
        [fill(4, 100), OrdersLifecycleTests.amended, fill(5, 90), open(9, false), fill(11, 90)],
        .filled, 20
      ),
    ]
    for story in stories {
      var orders = 0
      OrdersLifecycleTests.permute(story.news) { news in
        orders += 1
        var order = OrdersLifecycleTests.after(story.first).order
        var terminal: [OrderState] = []
        for event in news {
          let before = order.state
          _ = order.apply(event)
          if order.state.isTerminal && order.state != before { terminal.append(order.state) }
        }
        #expect(
          order.state == story.state && order.cumulative.quanta == story.cumulative,
          "\(story.name): \(news)")
        // No way back out of canceled or filled, but that more fills make canceled filled.
        #expect(
          terminal.filter { $0 != .rejected }.count <= (story.name == "canceled too early" ? 2 : 1),
          "\(story.name): \(news)")
      }
      #expect(orders == (1...story.news.count).reduce(1, *))
    }
  }

  /// Whatever a venue says, in whatever order, every fill is booked, and no order ends unproven.
  ///
  /// Method: draw news from a seed. A contradiction may alarm; no quantity may vanish.
  @Test func everyFillIsBookedAndNoEndIsInvented() {
    for seed in UInt64(1)...400 {
      var random = SeededRandom(seed: seed)
      var order = OrdersLifecycleTests.order(20)
      var booked: Int64 = 0
      var wasToldOfEnd = false
      var wasRefused = false
      for _ in 0..<40 {
        let quantity = random.integer(in: 1...9)
        let event: Event
        switch random.below(15) {
        case 0, 1, 2:
          event = OrdersLifecycleTests.fill(quantity)
          booked += quantity
        case 3: event = OrdersLifecycleTests.open(quantity, isAnswer: true)
        case 4: event = OrdersLifecycleTests.open(quantity)
        case 5: event = OrdersLifecycleTests.canceled(quantity)
        case 6: event = OrdersLifecycleTests.filled(20)
        case 7: event = .refused
        case 8: event = .replyLost
        case 9: event = .cancelRequested
        case 10: event = .cancelRefused
        case 11: event = .amendRequested(Price(quanta: 1), Quantity(quanta: 20 + quantity))
        case 12: event = .amendRefused
        case 13: event = .moved(Price(quanta: 7), Quantity(quanta: 15 + quantity))
        default: event = .cancelReplyLost
        }
        if case .reported(let status, _, _) = event, status != .open { wasToldOfEnd = true }
        if event == .refused { wasRefused = true }
        let consequence = order.apply(event)
        #expect(order.cumulative.quanta == booked, "seed \(seed)")
        #expect(order.notional == Int128(booked) * 100, "seed \(seed)")
        switch order.state {
        case .filled: #expect(booked >= order.quantity.quanta, "seed \(seed)")
        case .canceled: #expect(wasToldOfEnd && order.hasEnded, "seed \(seed)")
        case .rejected: #expect(wasRefused && booked == 0, "seed \(seed)")
        case .pendingNew, .open, .pendingAmend, .pendingCancel, .inDoubt:
          #expect(booked < max(order.quantity.quanta, order.amendedQuantity.quanta), "seed \(seed)")
        }
        #expect(!consequence.sendsCancel || order.state == .pendingCancel, "seed \(seed)")
      }
    }
  }

  /// Calls `body` with every order of `elements`, by Heap's method.
  static func permute(_ elements: [Event], _ body: ([Event]) -> Void) {
    var elements = elements
    var counters = Array(repeating: 0, count: elements.count)
    body(elements)
    var index = 0
    while index < elements.count {
      if counters[index] < index {
        elements.swapAt(index % 2 == 0 ? 0 : counters[index], index)
        body(elements)
        counters[index] += 1
        index = 0
      } else {
        counters[index] = 0
        index += 1
      }
    }
  }
}
