import MartletBase
import Testing
import WhiteBITWire

/// Which frames a journal may let go of one day.
@Suite struct MarketPushTests {
  private static let methods = [
    "depth_update", "trades_update", "lastprice_update", "market_update", "bookTicker_update",
    "candles_update",
  ]

  private func isMarket(_ text: String) -> Bool { MarketPush.isFound(in: Array(text.utf8).span) }

  @Test("of all captured and documented frames the public pushes are found, and no other")
  func fixtures() throws {
    var found = 0
    for name in ["captured_20260922.jsonl", "docs_examples.jsonl"] {
      for line in try fixtureLines(name) {
        let text = String(decoding: line, as: UTF8.self)
        let isPush = Self.methods.contains { text.contains("\"method\":\"\($0)\"") }
        #expect(MarketPush.isFound(in: line.span) == isPush, "\(text.prefix(120))")
        found += isPush ? 1 : 0
      }
    }
    #expect(found == 12)
  }

  @Test("each way in which the venue begins a push is known, for each public method")
  func forms() {
    let filler = String(repeating: "1,", count: 40) + "1"
    for method in Self.methods {
      #expect(
        isMarket("{\"method\":\"\(method)\",\"params\":[\(filler)],\"id\":null}"), "\(method)")
      #expect(
        isMarket("{\"id\":null,\"method\":\"\(method)\",\"params\":[\(filler)]}"), "\(method)")
      #expect(
        isMarket("{\"method\": \"\(method)\", \"params\": [\(filler)], \"id\": null}"), "\(method)")
    }
  }

  @Test("what only looks like a public push is kept")
  func doubts() {
    let filler = String(repeating: "1,", count: 40) + "1"
    for text in [
      // Another method before the params, or a private one.
      "{\"method\":\"depth_update\",\"method\":\"deals_update\",\"params\":[\(filler)]}",
      "{\"method\":\"deals_update\",\"params\":[\(filler)],\"method\":\"depth_update\"}",
      "{\"id\":null,\"method\":\"ordersPending_update\",\"params\":[\(filler)]}",
      "{\"method\":\"balanceSpot_update\",\"params\":[\(filler)],\"id\":null}",
      // Replies, requests, text that quotes a push.
      "{\"id\":7,\"result\":\"{\\\"method\\\":\\\"depth_update\\\",\\\"params\\\":[\(filler)]\",\"error\":null}",
      "{\"id\":12,\"method\":\"depth_update\",\"params\":[\(filler)]}",
      "{\"id\":null,\"method\":\"depth_updates\",\"params\":[\(filler)]}",
      "{\"id\":null,\"method\":\"depth_updat\",\"params\":[\(filler)]}",
      "{\"id\":null,\"method\":\"Depth_update\",\"params\":[\(filler)]}",
      // Ways in which the venue was never seen to begin.
      " {\"method\":\"depth_update\",\"params\":[\(filler)]}",
      "{\"method\" : \"depth_update\",\"params\":[\(filler)]}",
      "{\"params\":[\(filler)],\"method\":\"depth_update\"}",
      "{\"method\":\"depth_update\",\"id\":null,\"params\":[\(filler)]}",
      // Shorter than anything there is.
      "{\"method\":\"depth_update\",\"params\":[1]}", "{}", "",
    ] { #expect(!isMarket(text), "\(text)") }
  }

  @Test("any bytes are looked at without a trap")
  func anyBytes() {
    var random = SeededRandom(seed: 20_261_121)
    let push = Array(
      "{\"id\":null,\"method\":\"lastprice_update\",\"params\":[\"ETH_BTC\",\"0.020681\"]}".utf8)
    for _ in 0..<5_000 {
      var bytes = Array(push.prefix(Int.random(in: 0...push.count, using: &random)))
      for _ in 0..<Int.random(in: 0...3, using: &random) where !bytes.isEmpty {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(
          in: 0...255, using: &random)
      }
      // Changed or cut, it is a push only where its beginning is still one.
      if MarketPush.isFound(in: bytes.span) {
        #expect(Array(bytes.prefix(47)) == Array(push.prefix(47)))
      }
    }
  }
}
