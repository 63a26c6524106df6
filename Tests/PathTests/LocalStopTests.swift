import MartletBase
import MartletModel
import Testing

@testable import MartletKernel

/// One stop, by itself: where it stands, when it fires, and for how long nobody looked.
@Suite struct LocalStopTests {
  private static func at(_ second: Int64) -> Timestamp {
    Timestamp(milliseconds: 1_790_000_000_000 + second * 1_000)
  }

  private static func stop(_ side: Side, price: Int64? = nil, trailing: Int64? = nil) -> LocalStop {
    guard
      let rule = StopRule(side: side, price: price.map { Price(quanta: $0) }, trailing: trailing)
    else { preconditionFailure("no rule") }
    return LocalStop(rule, strategy: StrategyID(0), instrument: InstrumentID(0))
  }

  private static func restored(_ stop: LocalStop) throws -> LocalStop {
    var writer = SnapshotWriter()
    stop.write(to: &writer)
    var reader = SnapshotReader(writer.bytes.copy())
    let copy = try LocalStop(from: &reader)
    #expect(reader.isAtEnd)
    return copy
  }

  @Test func aRuleStandsAtTheNearerOfItsTwo() {
    let peak = Price(quanta: 1_000)
    func level(_ side: Side, _ price: Int64?, _ trailing: Int64?) -> Int64? {
      StopRule(side: side, price: price.map { Price(quanta: $0) }, trailing: trailing)?
        .level(peak: peak)?.quanta
    }
    #expect(level(.sell, 900, nil) == 900 && level(.sell, nil, 50) == 950)
    #expect(level(.sell, 900, 50) == 950 && level(.sell, 980, 50) == 980)
    #expect(level(.buy, 1_100, 50) == 1_050 && level(.buy, 1_020, 50) == 1_020)
    #expect(level(.buy, nil, .max) == nil && level(.buy, 1_100, .max) == 1_100)
    #expect(StopRule(side: .sell, price: nil) == nil)
    #expect(StopRule(side: .sell, price: peak, trailing: 0) == nil)
    #expect(StopRule(side: .sell, price: nil, trailing: 50)?.level(peak: nil) == nil)
  }

  /// Method: a random walk with jumps, losses and deaths; the peak and the level are kept apart from the
  /// stop, as the extreme of all prices seen, and what the stop does is compared after each of them.
  @Test(
    "M64 M55: a trailing stop only ratchets, fires on the first price past it, across gaps too, and never twice"
  )
  func aTrailingStopRatchets() throws {
    for seed in UInt64(1)...400 {
      var random = SeededRandom(seed: seed)
      let side: Side = random.chance(1, in: 2) ? .sell : .buy
      let sign: Int64 = side == .sell ? 1 : -1
      let distance = Int64(1 + random.below(60))
      let fixed = random.chance(1, in: 3) ? 100_000 - sign * Int64(40 + random.below(60)) : nil
      var stop = Self.stop(side, price: fixed, trailing: distance)
      var price: Int64 = 100_000
      var best: Int64?
      var last: Int64?
      var fired = 0
      var lost: Timestamp?
      var unprotected = TimeSpan.zero
      for step in Int64(1)...200 {
        let now = Self.at(step)
        if random.chance(1, in: 15) {
          let since = now - .seconds(Int64(random.below(3)))
          if stop.state == .armed { lost = since } else { lost = lost.map { min($0, since) } }
          stop.lose(since: since)
        }
        if random.chance(1, in: 20) { stop = try Self.restored(stop) }
        price += Int64(random.below(21)) - 10
        // What happens meanwhile nobody sees.
        if lost != nil && random.chance(2, in: 3) { continue }
        if random.chance(1, in: 40) { price += sign * (Int64(random.below(200)) - 100) }
        let before = stop.level
        let look = stop.look(at: Price(quanta: price), told: .zero, now: now)
        if fired > 0 {
          #expect(look == LocalStop.Look(), "seed \(seed): fired again at step \(step)")
          continue
        }
        if let since = lost {
          unprotected = unprotected + (now - since)
          #expect(look.unprotected == now - since, "seed \(seed)")
        }
        lost = nil
        let followed = best.map { $0 - sign * distance }
        let level = [followed, fixed].compactMap { $0 }.map { $0 * sign }.max().map { $0 * sign }
        let isPast = level.map { (price - $0) * sign <= 0 } ?? false
        #expect(look.hasFired == isPast, "seed \(seed), step \(step): \(price) at \(level ?? 0)")
        if look.hasFired {
          fired += 1
          stop.fire(at: Price(quanta: price), now: now, trace: TraceID(UInt64(step)))
          #expect(stop.firedLevel.quanta == level)
          continue
        }
        best = max((best ?? price) * sign, price * sign) * sign
        if let before, let after = stop.level {
          #expect((after.quanta - before.quanta) * sign >= 0, "seed \(seed): loosened")
        }
        if let last, let after = stop.level { #expect((after.quanta - last) * sign >= 0) }
        last = stop.level?.quanta
      }
      #expect(stop.unprotected == unprotected, "seed \(seed)")
    }
  }

  @Test func whatWasPrintedBeforeItWasArmedDoesNotFireIt() {
    var stop = Self.stop(.sell, price: 900)
    #expect(!stop.isPassed(byPrintAt: Price(quanta: 800), told: Self.at(9)))
    _ = stop.look(at: Price(quanta: 1_000), told: Self.at(10), now: Self.at(20))
    #expect(!stop.isPassed(byPrintAt: Price(quanta: 800), told: Self.at(9)))
    #expect(!stop.isPassed(byPrintAt: Price(quanta: 901), told: Self.at(10)))
    #expect(stop.isPassed(byPrintAt: Price(quanta: 900), told: Self.at(10)))
    stop.lose(since: Self.at(21))
    #expect(!stop.isPassed(byPrintAt: Price(quanta: 900), told: Self.at(22)))
  }

  @Test func theEarlierLossCounts() {
    var stop = Self.stop(.sell, price: 900)
    // Before it was ever armed, there is nothing to count.
    stop.lose(since: Self.at(1))
    #expect(stop.inert(at: Self.at(5)) == nil)
    #expect(stop.look(at: Price(quanta: 950), told: .zero, now: Self.at(5)).unprotected == .zero)
    stop.lose(since: Self.at(30))
    stop.lose(since: Self.at(25))
    stop.lose(since: Self.at(31))
    #expect(stop.inert(at: Self.at(40)) == .seconds(15))
    let look = stop.look(at: Price(quanta: 950), told: .zero, now: Self.at(41))
    #expect(look.unprotected == .seconds(16) && stop.losses == 1)
    #expect(stop.unprotected == .seconds(16) && stop.inert(at: Self.at(50)) == nil)
  }

  @Test func ordersThatMoveNothingComeEverMoreSeldom() {
    var stop = Self.stop(.sell, price: 900)
    _ = stop.look(at: Price(quanta: 900), told: .zero, now: Self.at(0))
    stop.fire(at: Price(quanta: 900), now: Self.at(0), trace: TraceID(7))
    var waits: [Int64] = []
    for held in [5, 5, 5, 3, 3, 3, 3, 3, 3, 3, 3, 3] as [Int64] {
      stop.trade(Quantity(quanta: held), now: Self.at(1))
      waits.append((stop.nextAt - Self.at(1)).milliseconds)
    }
    #expect(
      waits == [
        250, 500, 1_000, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 32_000,
      ])
    stop.rearm()
    #expect(stop.state == .inert && stop.inert(at: Self.at(9)) == nil)
  }
}
