import MartletBase
import MartletDashboard
import MartletJSON
import MartletModel
import Testing

@Suite struct DashboardTerminalTests {
  private let page = "http://127.0.0.1:8088/"

  @Test func aBlockOfEightyColumns() throws {
    let lines = StatusBlock.lines(
      try DashboardFixture.status(step: 420), trail: try DashboardFixture.trail(steps: 420),
      on: TerminalShape(width: 80, height: 24, hasColor: false), pageAddress: page)
    let expected = """
      grid-demo  WhiteBIT DBTC_DUSDT  paper                    ● trading  0:42 of 1:00
      ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━───────────────────── 0:18 left
      price  61,297.03 DUSDT  spread 0.10      equity 100,000.53 DUSDT  +0.5265
      ▄▅▆▆▆▅▆▆▇▇▇▇▆▅▄▄▄▄▄▄▃▂▂▁▁▁▁▁▂▂▂▂▂▂▃▄▅▅   ▄▅▅▅▅▅▅▆▇▇▇▇▆▅▄▄▄▄▄▄▃▂▂▁▁▁▁▂▂▂▂▂▂▃▄▅▆▆

      ladder  20 working, nearest 8 shown      realized    +0.4795
       sell   61,500.00    0.001    +202.97    unrealized  +0.0470
       sell   61,450.00    0.001    +152.97    fees        1.22500800 DUSDT
       sell   61,400.00    0.001    +102.97                0.00001599 DBTC
       sell   61,350.00    0.001  ━━────       drawdown    2.1000
       ▸ 61,296.93 · 61,297.03 ┄┄┄┄┄┄┄┄┄┄┄┄┄   position    -0.003 DBTC
       buy    61,200.00    0.001     -96.93    orders      55 placed · 2 canceled
       buy    61,150.00    0.001    -146.93    trouble     0 refused · 0 in doubt
       buy    61,100.00    0.001    -196.93    latency     p50 4.3 µs · p99 12.0 µs
       buy    61,050.00    0.001    -246.93    dead-man    ━━━━────────── 18 s
                                               ● market data  ● private  ◌ REST

      fills  35 so far · 15,540 frames read
       00:00:40.837  buy      0.001 @  61,250.00  taker  fee 0.000001 DBTC
       00:00:39.637  sell     0.001 @  61,250.00  maker  fee 0.0612504 DUSDT
       00:00:38.437  sell     0.001 @  61,200.00  maker  fee 0.0612504 DUSDT
      00:00:03.000  depth chain broke, resubscribed: expected 4711, found 4713
      page http://127.0.0.1:8088/  journal .martlet/journals/grid-demo-20240808T000000
      """
    #expect(lines.joined(separator: "\n") == expected)
  }

  @Test(
    "M67: each market's seconds until its orders are canceled are in the terminal and the status")
  func everyMarketsTimerIsShown() throws {
    var status = try DashboardFixture.status(step: 420)
    status.deadManTimers = [
      .init(market: "A_B", left: .milliseconds(18_900), cancelsAt: nil),
      .init(market: "C_D", left: nil, cancelsAt: nil),
    ]
    let lines = StatusBlock.lines(
      status, trail: try DashboardFixture.trail(steps: 420),
      on: TerminalShape(width: 80, height: 24, hasColor: false), pageAddress: nil)
    #expect(lines.contains { $0.contains("dead-man    A_B 18 s  C_D not armed") }, "\(lines)")
    var buffer = ByteBuffer()
    status.writeJSON(into: &buffer)
    let json = try JSONValue(buffer.copy().span)
    #expect(json["dead_man_timers"]?[0]?["left_ms"]?.text == "18900")
    #expect(json["dead_man_timers"]?[1]?["left_ms"] == .null)
  }

  @Test func noLineIsWiderAndNoBlockHigherThanTheTerminal() throws {
    let trail = try DashboardFixture.trail(steps: 60)
    var status = try DashboardFixture.status(step: 60)
    for round in 0..<2 {
      for width in [20, 41, 75, 76, 80, 97, 200] {
        for height in [3, 12, 24, 40, 90] {
          let shape = TerminalShape(width: width, height: height, hasColor: false)
          let lines = StatusBlock.lines(status, trail: trail, on: shape, pageAddress: page)
          #expect(lines.count <= height - 1, "\(width) × \(height), round \(round)")
          #expect(lines.allSatisfy { $0.count <= width }, "\(width) × \(height), round \(round)")
        }
      }
      // And again with nothing known yet.
      status = BotStatus(
        bot: "grid-demo", mode: "paper", venue: "WhiteBIT", market: "DBTC_DUSDT", base: "DBTC",
        quote: "DUSDT", valuation: "DUSDT", scale: DashboardFixture.scale,
        since: DashboardFixture.start)
    }
  }

  @Test func aBlockStandsStillWhileTheRunGoesOn() throws {
    var trail = StatusTrail()
    var block = StatusBlock()
    var height: Int?
    for step in stride(from: 0, through: 600, by: 7) {
      let status = try DashboardFixture.status(step: step)
      trail.append(status)
      let bytes = block.draw(status, trail: trail, on: TerminalShape())
      let lines = bytes.count { $0 == "\n" }
      if let height {
        #expect(bytes.hasPrefix("\u{1B}[?2026h\u{1B}[?25l\r\u{1B}[\(height)A"), "step \(step)")
        #expect(lines == height, "step \(step)")
      }
      height = lines
    }
    #expect(block.finish(on: TerminalShape()) == "\u{1B}[?25h")
  }

  @Test func aPipeGetsOnePlainLine() throws {
    let shape = TerminalShape(isTerminal: false, hasColor: false)
    var block = StatusBlock()
    var status = try DashboardFixture.status(step: 420)
    #expect(
      block.draw(status, trail: StatusTrail(), on: shape)
        == "grid-demo trading 0:42 bid=61,296.93 ask=61,297.03 orders=20 fills=35 position=-0.003 "
        + "equity=100,000.53 DUSDT profit=+0.5265 p50=4.3 µs p99=12.0 µs\n")
    status.state = .halted(.deadManLost)
    #expect(
      StatusBlock.line(status).hasPrefix(
        "grid-demo halted (the dead-man switch could not be kept armed) 0:42 "))
    #expect(block.finish(on: shape) == "")
  }

  @Test func colorComesOnlyWhereItIsWanted() throws {
    let status = try DashboardFixture.status(step: 420)
    let trail = try DashboardFixture.trail(steps: 420)
    let plain = StatusBlock.lines(status, trail: trail, on: TerminalShape(hasColor: false))
    let colored = StatusBlock.lines(status, trail: trail, on: TerminalShape(hasColor: true))
    #expect(!plain.joined().contains("\u{1B}"))
    #expect(colored[0].contains("\u{1B}[1;32m● trading\u{1B}[0m"))
    let bare = colored.map { $0.replacing(/\u{1B}\[[0-9;]*m/, with: "") }
    #expect(bare == plain, "color changes nothing but color")
  }

  @Test func aVenuesTextCannotMoveTheCursor() throws {
    var status = try DashboardFixture.status(step: 1)
    status.alerts = [
      .init(time: status.now, severity: .critical, text: "\u{1B}[2J\u{9B}1A\r\nall \u{202E}well")
    ]
    let shape = TerminalShape(height: 40, hasColor: false)
    let text = StatusBlock.lines(status, trail: StatusTrail(), on: shape).joined()
    #expect(text.contains("·[2J·1A·all ·well"))
    #expect(!text.unicodeScalars.contains { $0.properties.generalCategory == .control })
  }

  @Test func theSummaryTellsEverythingOnce() throws {
    var status = try DashboardFixture.status(step: 600)
    status.state = .stopped
    status.orders = []
    var summary = RunSummary(
      status: status, reconciliation: .equal(balances: 2, fills: 50),
      replayCommand: "./martlet replay .martlet/journals/grid-demo-20240808T000000Z --verify")
    let shape = TerminalShape(hasColor: false)
    let expected = """
      grid-demo on WhiteBIT DBTC_DUSDT, 1:00, stopped
        fills           50  of 70 orders placed, 2 canceled, 0 refused, 0 in doubt
        realized        +0.49750000 DUSDT
        unrealized      +0.02263000 DUSDT
        fees            1.225008 DUSDT, 0.00001599 DBTC
        equity          100,000.52013000 DUSDT  +0.52013000  +0.0005 %
        drawdown        2.10000000 DUSDT
        left            position -0.002 DBTC, 0 orders working
        reconciliation  ✓ equal to the exchange's ledger to the last digit  (2 balances, 50 fills)
        frame to order  p50 4.3 µs, p99 12.0 µs
        journal         .martlet/journals/grid-demo-20240808T000000Z
        replay it       ./martlet replay .martlet/journals/grid-demo-20240808T000000Z --verify
      """
    #expect(summary.text(on: shape) == expected + "\n")

    summary.reconciliation = .different(["DUSDT: own 1.5, exchange 1.4", "fill 7: missing here"])
    let text = summary.text(on: shape)
    #expect(text.contains("✗ 2 differences from the exchange's ledger\n"))
    #expect(text.contains("DUSDT: own 1.5, exchange 1.4\n"))
    #expect(text.contains("fill 7: missing here\n"))
  }

  @Test func theLastLineOfJSONHasTheKeysOfDemo() throws {
    var summary = RunSummary(
      status: try DashboardFixture.status(step: 420),
      reconciliation: .equal(balances: 2, fills: 35), replayCommand: "")
    #expect(
      json(summary)
        == #"{"fills":35,"reconciled":true,"realized":"0.4795","unrealized":"0.04698","#
        + #""fees":{"DUSDT":"1.225008","DBTC":"0.00001599"},"#
        + #""journal":".martlet/journals/grid-demo-20240808T000000Z","#
        + #""frame_to_order_us":{"p50":4.31,"p99":12}}"#)
    summary.reconciliation = .notChecked(reason: "no exchange")
    summary.status.frameToOrder = nil
    #expect(json(summary).contains(#""reconciled":null"#))
    #expect(json(summary).hasSuffix(#""frame_to_order_us":null}"#))
    summary.reconciliation = .different(["x"])
    #expect(json(summary).contains(#""reconciled":false"#))
  }

  private func json(_ summary: RunSummary) -> String {
    var buffer = ByteBuffer()
    summary.writeJSON(into: &buffer)
    return String(buffer.span)
  }
}
