import MartletBase
import MartletJSON
import MartletModel
import Testing
import WhiteBITWire

@Suite struct WireFillsTests {
  func push(_ params: String) -> [UInt8] {
    bytes("{\"method\": \"deals_update\", \"params\": \(params), \"id\": null}")
  }

  func read(_ frame: [UInt8]) throws -> WireFill {
    var message = try Envelope.read(frame.span)
    let fill = try Fills.readPush(&message.cursor, in: frame.span)
    try message.close(in: frame.span)
    return fill
  }

  func fill(_ random: inout CaseSource) -> WireFill {
    WireFill(
      tradeID: random.next() >> 11, time: random.time(), market: random.shortText(),
      orderID: random.next() >> 11, price: random.amount(below: 9_999_999_999, places: 4),
      amount: random.amount(below: 999_999_999, places: 8),
      fee: random.amount(below: 999_999_999, places: 14), clientID: random.clientText(),
      side: Bool.random(using: &random) ? .buy : .sell,
      role: Bool.random(using: &random) ? .maker : .taker, feeAsset: random.shortText())
  }

  @Test("M77: the flat list of eleven, both ways; side 1 is sell")
  func roundTrips() throws {
    for seed in UInt64(1)...200 {
      var random = CaseSource(seed: seed)
      let fill = fill(&random)
      let frame = written { Fills.writePush(fill, into: &$0) }
      #expect(try read(frame) == fill, "seed \(seed)")
      for byMarket in [false, true] {
        let body = written { Fills.writeHistory([fill, fill], byMarket: byMarket, into: &$0) }
        var rows = try MarketRows<WireFill>(body.span)
        var count = 0
        while var row = try rows.next(in: body.span) {
          #expect((rows.market != nil) == byMarket)
          row.market = fill.market
          #expect(row == fill, "seed \(seed)")
          count += 1
        }
        #expect(count == 2)
      }
      var deals: [WireFill] = []
      let body = written { Fills.writeDeals([(fill, 7)], offset: 0, limit: 50, into: &$0) }
      try Fills.readDeals(body.span, into: &deals)
      #expect(deals.count == 1 && deals[0].tradeID == fill.tradeID && deals[0].side == nil)
    }
    let sell = try read(push(#"[1,1.5,"A_B",2,"3","4","0","c",1,2,"B"]"#))
    #expect(sell.side == .sell && sell.role == .taker)
  }

  @Test("M77: eight to eleven elements, side and role also in quotes; any other length is told")
  func lengths() throws {
    let elements = [
      "13674578673", "1738251095.345432", "\"ETH_BTC\"", "1212909726406", "\"0.03084\"",
      "\"0.2625\"", "\"0.0002625\"", "\"mrt-1\"", "\"2\"", "\"1\"", "\"ETH\"", "1", "2",
    ]
    for length in 0...elements.count {
      let frame = push("[" + elements[0..<length].joined(separator: ",") + "]")
      if length >= 8 && length <= 11 {
        let fill = try read(frame)
        #expect(fill.tradeID == 13_674_578_673 && fill.amount == amount("0.2625"))
        #expect(fill.side == (length > 8 ? .buy : nil))
        #expect(fill.role == (length > 9 ? .maker : .unknown))
        #expect(fill.feeAsset == (length > 10 ? "ETH" : ""))
      } else {
        #expect(throws: Fills.Fault.length(length)) { try read(frame) }
      }
    }
    #expect(throws: Fills.Fault.self) { try read(push("{}")) }
    #expect(throws: Fills.Fault.self) { try read(push(#"["x",1,"A_B",2,"3","4","0","c"]"#)) }
  }

  @Test("M50: a fill a ledger can book has side and fee asset, and lies on the grid")
  func onTheGrid() throws {
    var random = CaseSource(seed: 2)
    var wire = fill(&random)
    wire.clientID = ClientText(ClientOrderID("mt1"))
    wire.price = amount("60000.5")
    wire.amount = amount("0.0004")
    wire.fee = amount("0.0000004")
    func booked() -> Fill? {
      wire.fill(
        account: AccountID(0), instrument: InstrumentID(3), scale: btcScale, source: .history)
    }
    let fill = try #require(booked())
    #expect(fill.price.quanta == 600_005_000 && fill.quantity.quanta == 40_000)
    #expect(fill.fee == wire.fee && fill.clientOrderID == ClientOrderID("mt1"))
    wire.feeAsset = ""
    #expect(booked() == nil)
    wire.fee = .zero
    #expect(booked() != nil)
    wire.side = nil
    #expect(booked() == nil)
    wire.side = .buy
    wire.amount = amount("0.000000001")
    #expect(booked() == nil)
  }
}
