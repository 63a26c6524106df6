import MartletBase
import MartletModel
import Testing
import WhiteBITSession

@testable import MartletLive

/// What an operator reads of orders that may rest while nobody can take them off.
@Suite struct KillSwitchWordsTests {
  static let now = Timestamp(milliseconds: 1_790_000_100_000)

  static func cover(_ market: InlineText, _ milliseconds: Int64?) -> WhiteBITDeadMan.Cover {
    WhiteBITDeadMan.Cover(
      market: market, armedUntil: .zero, cancellationTime: .zero,
      cancelsBy: milliseconds.map { now + .milliseconds($0) } ?? .zero)
  }

  private func words(_ covers: WhiteBITDeadMan.Cover..., former: Timestamp = .zero) -> String {
    KillSwitchWords.fate(covers, former: former, at: Self.now)
  }

  @Test(
    "M82: a timer that runs is told with the seconds that it may still take, the last of several")
  func runs() {
    #expect(
      words(Self.cover("A_B", 9_001)) == ", which the kill-switch takes off within 10 s")
    #expect(
      words(Self.cover("A_B", -5_000), Self.cover("C_B", 9_000))
        == ", which the kill-switch takes off within 9 s")
  }

  @Test("M82: a timer that ran out is told with the moment by which the exchange has acted")
  func ranOut() {
    #expect(
      words(Self.cover("A_B", 0))
        == ", whose kill-switch timer ran out by 2026-09-21T14:15:00.000Z: the exchange should have"
        + " taken them off by then")
  }

  @Test("M82: that no timer was set is told, of one market too, and what the run before had set")
  func none() {
    let none = "; this run has set no kill-switch timer that would take them off"
    #expect(words() == none)
    #expect(words(Self.cover("A_B", nil)) == none)
    #expect(
      words(Self.cover("A_B", nil), former: Self.now + .seconds(30))
        == none + ", and the one of the run before it runs out at 2026-09-21T14:15:30.000Z")
    #expect(
      words(former: Self.now - .seconds(30))
        == none + ", and the one of the run before it ran out at 2026-09-21T14:14:30.000Z")
    #expect(
      words(Self.cover("A_B", 2_000), Self.cover("C_D", nil))
        == ", which the kill-switch takes off within 2 s; in C_D this run has set no kill-switch timer"
    )
  }
}
