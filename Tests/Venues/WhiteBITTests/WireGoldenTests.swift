import MartletBase
import MartletJSON
import MartletModel
import MartletVenueKit
import Testing
import WhiteBITWire

/// Every checked-in frame is read, and how many must be is stated.
@Suite struct WireGoldenTests {
  struct NotRead: Error { var line: String }

  /// Reads one message in whichever direction it goes, its params or result included where this
  /// room speaks the channel.
  ///
  /// - Returns: whether it was a push of a channel of ours.
  func read(_ line: [UInt8]) throws -> Bool {
    if (try? Envelope.read(line.span)) == nil || isRequest(line) {
      _ = try Envelope.readRequest(line.span)
      return false
    }
    var message = try Envelope.read(line.span)
    switch message.kind {
    case .reply: return false
    case .failure:
      #expect(try Envelope.failure(message, in: line.span).code != 0)
      return false
    case .push(let channel):
      switch channel {
      case .depth:
        let scale = InstrumentScale(price: DecimalPlaces(8), quantity: DecimalPlaces(8))
        var levels: [BookLevel] = []
        let update = try Depth.read(&message.cursor, in: line.span, scale: scale, into: &levels)
        #expect(!levels.isEmpty && Depth.market(of: line.span) == update.market)
        #expect(update.isSnapshot == (update.pastUpdateID == nil))
        let again = written {
          Depth.writePush(update, levels: levels.span, scale: scale, into: &$0)
        }
        var told: [BookLevel] = []
        var copy = try Envelope.read(again.span)
        #expect(try Depth.read(&copy.cursor, in: again.span, scale: scale, into: &told) == update)
        #expect(told == levels)
      case .trades:
        var trades: [WireTrade] = []
        let market = try Trades.readPush(&message.cursor, in: line.span, into: &trades)
        #expect(!trades.isEmpty)
        let again = written { Trades.writePush(market: market, trades: trades, into: &$0) }
        var told: [WireTrade] = []
        var copy = try Envelope.read(again.span)
        #expect(try Trades.readPush(&copy.cursor, in: again.span, into: &told) == market)
        #expect(told == trades)
      case .lastPrice:
        let (market, price) = try Trades.readLastPrice(&message.cursor, in: line.span)
        #expect(price > .zero)
        let again = written { Trades.writeLastPrice(market: market, price: price, into: &$0) }
        var copy = try Envelope.read(again.span)
        #expect(try Trades.readLastPrice(&copy.cursor, in: again.span) == (market, price))
      case .market:
        #expect(try Trades.readStatistics(&message.cursor, in: line.span).statistics.last > .zero)
      case .deals:
        let fill = try Fills.readPush(&message.cursor, in: line.span)
        #expect(fill.side != nil)
        let again = written { Fills.writePush(fill, into: &$0) }
        var copy = try Envelope.read(again.span)
        #expect(try Fills.readPush(&copy.cursor, in: again.span) == fill)
      case .ordersPending:
        let (event, order) = try Orders.readPending(&message.cursor, in: line.span)
        #expect(order.orderID > 0)
        let again = written { Orders.writePending(event, order, into: &$0) }
        var copy = try Envelope.read(again.span)
        #expect(try Orders.readPending(&copy.cursor, in: again.span) == (event, order))
      case .ordersExecuted:
        #expect(try Orders.readExecuted(&message.cursor, in: line.span).status == .filled)
      case .balanceSpot:
        var rows = try Balances(push: message.cursor, in: line.span)
        var found: [WireBalance] = []
        while let row = try rows.next(in: line.span) { found.append(row) }
        #expect(!found.isEmpty)
        message.cursor = rows.end
        let again = written { Balances.writePush(found, into: &$0) }
        let copy = try Envelope.read(again.span)
        var told = try Balances(push: copy.cursor, in: again.span)
        for row in found { #expect(try told.next(in: again.span) == row) }
      case .other:
        try message.skip(in: line.span)
        return false
      }
      try message.close(in: line.span)
      return true
    }
  }

  func isRequest(_ line: [UInt8]) -> Bool {
    guard let request = try? Envelope.readRequest(line.span) else { return false }
    switch request.method {
    case .other(let name): return !name.hasSuffix("_update")
    default: return true
    }
  }

  @Test(
    "M18 M19 M21 M77 M78: every captured socket frame is read: 11 of 11, four of them pushes of ours, which round-trip"
  )
  func captured() throws {
    let lines = try fixtureLines("captured_20260922.jsonl")
    var pushes = 0
    for line in lines { pushes += try read(line) ? 1 : 0 }
    #expect(lines.count == 11)
    #expect(pushes == 4)
  }

  @Test(
    "M18 M77 M78: every documented socket message is read: 97 of 97, nine of them pushes of ours, which round-trip"
  )
  func documented() throws {
    // One of the 98 lines is the documentation's table of fields, a bare list.
    let lines = try fixtureLines("docs_examples.jsonl").filter { $0.first != 0x5b }
    var pushes = 0
    for line in lines { pushes += try read(line) ? 1 : 0 }
    #expect(lines.count == 97)
    #expect(pushes == 9)
  }

  @Test("M85: captured REST error bodies are classified, and the time is read: 4 of 4")
  func restErrors() throws {
    let lines = try fixtureLines("rest_errors_20260922.jsonl")
    #expect(lines.count == 4)
    func verdict(_ status: UInt16, _ line: Int) -> Faults.Verdict {
      let body = lines[line]
      return Faults.verdict(status: status, body: body.span)
    }
    #expect(verdict(422, 0).outcome == .refused(.instrumentUnavailable, code: 422))
    #expect(verdict(422, 1).outcome == .refused(.other, code: 422))
    #expect(verdict(422, 1).field == "limit")
    #expect(verdict(451, 2).outcome == .refused(.instrumentUnavailable, code: 451))
    let time = lines[3]
    #expect(try Markets.readTime(time.span).seconds == 1_790_112_989)
  }

  @Test("A captured REST trade list is read, its volumes swapped and its numbers quoted")
  func restTrades() throws {
    let lines = try fixtureLines("rest_captured_2024-2025.jsonl")
    #expect(lines.count == 5)
    let body = lines[0]
    var rows = try Rows<WireTrade>(body.span)
    let trade = try #require(try rows.next(in: body.span))
    #expect(trade.tradeID == 3_717_193_477)
    #expect(trade.amount == amount("0.003212") && trade.aggressor == .sell)
    #expect(try rows.next(in: body.span) == nil)
  }

  @Test("Every fixture cut at every byte is a fault, never a crash or a half message")
  func truncated() throws {
    for name in ["captured_20260922.jsonl", "docs_examples.jsonl"] {
      for line in try fixtureLines(name) where line.first != 0x5b {
        for length in stride(from: 0, to: line.count, by: 3) {
          #expect(throws: (any Error).self) { try read(Array(line[0..<length])) }
        }
      }
    }
  }
}
