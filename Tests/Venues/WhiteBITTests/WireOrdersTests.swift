import MartletBase
import MartletJSON
import MartletModel
import MartletVenueKit
import Testing
import WhiteBITWire

struct JSONWriterBox {
  var writer = JSONWriter()
  mutating func write(_ error: VenueError) -> [UInt8] {
    var buffer = ByteBuffer()
    error.write(with: &writer, into: &buffer)
    return buffer.copy()
  }
}

@Suite struct WireOrdersTests {
  func order(_ random: inout CaseSource) -> WireOrder {
    let quantity = random.amount(below: 1_000_000_000, places: 8)
    let filled = Amount(units: quantity.units / 2)
    return WireOrder(
      orderID: random.next() >> 11, clientID: random.clientText(), market: random.shortText(),
      side: Bool.random(using: &random) ? .buy : .sell,
      kind: [.limit, .market, .stockMarket, .stopLimit, .stopMarket].randomElement(using: &random)
        ?? .limit, createdAt: random.time(), modifiedAt: random.time(),
      price: random.amount(below: 99_999_999_999, places: 5), amount: quantity,
      left: quantity - filled, dealStock: filled,
      dealMoney: random.amount(below: 1_000_000_000, places: 8),
      dealFee: random.amount(below: 1_000_000, places: 12), feeAsset: random.shortText(),
      isPostOnly: Bool.random(using: &random), isIOC: Bool.random(using: &random),
      status: OrderStatus.allCases.dropLast().randomElement(using: &random) ?? .open,
      stp: ["no", "cb", "cn", "co"].randomElement(using: &random) ?? "no")
  }

  @Test("M41 M78: an order in REST's words, the socket's numbers and the history's row, both ways")
  func roundTrips() throws {
    for seed in UInt64(1)...300 {
      var random = CaseSource(seed: seed)
      let order = order(&random)

      let reply = written { Orders.writeReply(order, into: &$0) }
      var rest = try Orders.readReply(reply.span)
      rest.modifiedAt = order.modifiedAt  // REST tells the creation alone.
      #expect(rest == order, "seed \(seed)")

      let push = written { Orders.writePending(.update, order, into: &$0) }
      var message = try Envelope.read(push.span)
      #expect(message.kind == .push(.ordersPending))
      var (event, socket) = try Orders.readPending(&message.cursor, in: push.span)
      try message.close(in: push.span)
      socket.feeAsset = order.feeAsset  // The channel does not tell it.
      #expect(event == .update && socket == order, "seed \(seed)")

      let history = written { Orders.writeHistory([order], into: &$0) }
      var rows = try MarketRows<WireOrder>(history.span)
      var row = try #require(try rows.next(in: history.span))
      row.market = try #require(rows.market)
      row.left = order.left
      #expect(row == order, "seed \(seed)")
      #expect(try rows.next(in: history.span) == nil)
    }
  }

  @Test("M49: a list of open orders is read row by row, empty in either shape")
  func lists() throws {
    var random = CaseSource(seed: 3)
    var orders = (0..<5).map { _ in order(&random) }
    for index in orders.indices { orders[index].modifiedAt = orders[index].createdAt }
    let body = written { Orders.writeList(orders, into: &$0) }
    var rows = try Rows<WireOrder>(body.span)
    var found: [WireOrder] = []
    while let order = try rows.next(in: body.span) { found.append(order) }
    #expect(found == orders)
    for empty in ["[]", "{}", " [ ] "] {
      let body = bytes(empty)
      var rows = try Rows<WireOrder>(body.span)
      #expect(try rows.next(in: body.span) == nil)
      var keyed = try MarketRows<WireOrder>(body.span)
      #expect(try keyed.next(in: body.span) == nil)
    }
    #expect(throws: JSONFault.self) { try Rows<WireOrder>(bytes("{\"a\":1}").span) }
    #expect(throws: JSONFault.self) { try Rows<WireOrder>(bytes("<html>").span) }
  }

  @Test(
    "M80 T13: a finish with nothing left is a fill, with something left a cancel, by status first")
  func standings() {
    let rows: [(OrderStatus, Bool, Bool, OrderReport.Status)] = [
      (.open, false, false, .open), (.new, false, false, .open), (.pending, false, false, .open),
      (.partiallyFilled, false, false, .open), (.partiallyFilled, true, false, .canceled),
      (.open, true, true, .filled), (.open, true, false, .canceled),
      (.filled, true, true, .filled), (.filled, true, false, .filled),
      (.canceled, true, false, .canceled), (.canceled, false, true, .canceled),
      (.maintenance, true, false, .canceled), (.delisting, false, false, .canceled),
      (.unknown, false, false, .unknown), (.unknown, true, true, .filled),
      (.unknown, true, false, .canceled),
    ]
    for (status, isFinished, isLeftZero, expected) in rows {
      #expect(
        status.standing(isFinished: isFinished, isLeftZero: isLeftZero) == expected,
        "\(status) \(isFinished) \(isLeftZero)")
    }
  }

  @Test(
    "M42: a report carries our id, the venue's and the filled total; off the grid there is none")
  func reports() throws {
    var random = CaseSource(seed: 9)
    var order = order(&random)
    order.clientID = ClientText(ClientOrderID("mt0001abc"))
    order.price = amount("60000.5")
    order.amount = amount("0.001")
    order.dealStock = amount("0.0004")
    order.left = amount("0.0006")
    order.status = .partiallyFilled
    let report = try #require(
      order.report(
        account: AccountID(1), instrument: InstrumentID(2), scale: btcScale, source: .stream))
    #expect(report.clientOrderID == ClientOrderID("mt0001abc"))
    #expect(report.venueOrderID == VenueOrderID(low: order.orderID))
    #expect(report.price.quanta == 600_005_000 && report.quantity.quanta == 100_000)
    #expect(report.cumulative.quanta == 40_000 && report.status == .open)
    order.price = amount("60000.00001")
    #expect(
      order.report(
        account: AccountID(1), instrument: InstrumentID(2), scale: btcScale, source: .stream)
        == nil)
  }

  @Test("M18: an order missing what it must have is a fault; one cut anywhere is too")
  func malformed() throws {
    var random = CaseSource(seed: 4)
    let body = written { Orders.writeReply(order(&random), into: &$0) }
    for length in 0..<body.count {
      #expect(throws: JSONFault.self) { try Orders.readReply(Array(body[0..<length]).span) }
    }
    for missing in ["orderId", "market", "side", "timestamp", "amount", "status"] {
      let less = text(body).replacing("\"\(missing)\"", with: "\"other\"")
      #expect(throws: JSONFault.self, "\(missing)") { try Orders.readReply(bytes(less).span) }
    }
    for body in ["", "<html></html>", "[]", "null", "{}", "42"] {
      #expect(throws: JSONFault.self, "\(body)") { try Orders.readReply(bytes(body).span) }
    }
  }

  @Test("M41 M42: a placement's exact fields, and a desk reads them")
  func placement() throws {
    let intent = OrderIntent(
      strategy: StrategyID(0), account: AccountID(0), instrument: InstrumentID(0), side: .buy,
      price: Price(quanta: 600_000_000), quantity: Quantity(quanta: 100_000), timeInForce: .gtc,
      isPostOnly: true)
    let body = written { buffer in
      var signed = SignedBody(.newOrder, into: &buffer)
      signed.fields(into: &buffer) {
        Orders.writePlace(
          intent, as: ClientOrderID("mrt1"), market: "DBTC_DUSDT", scale: btcScale, with: &$0,
          into: &$1)
      }
      _ = signed.end(into: &buffer)
    }
    #expect(
      text(body) == """
        {"request":"/api/v4/order/new","nonce":1000000000000,"nonceWindow":true,\
        "market":"DBTC_DUSDT","side":"buy","amount":"0.001","price":"60000",\
        "clientOrderId":"mrt1","postOnly":true}
        """)
    let client = try ClientBody(body.span)
    #expect(client.request == .value("/api/v4/order/new"))
    #expect(client.nonceWindow == .value(true))
    let request = PlaceRequest(client)
    #expect(request.market == .value("DBTC_DUSDT") && request.side == .value(.buy))
    #expect(request.amount == .value(amount("0.001")) && request.price == .value(amount("60000")))
    #expect(request.clientOrderID == .value("mrt1") && request.isPostOnly == .value(true))
    #expect(request.isIOC == .absent)
  }

  @Test(
    "M27 M28 M31 C2 T11: nonceWindow is always sent; the nonce is thirteen digits, an integer, at the offset the plan names"
  )
  func noncePlace() throws {
    for endpoint in Endpoint.allCases where endpoint.isPrivate {
      var buffer = ByteBuffer()
      buffer.append("something before")
      let signed = SignedBody(endpoint, into: &buffer)
      let (range, plan) = signed.end(into: &buffer)
      guard case .whitebit(let offset) = plan else {
        Issue.record("\(endpoint) is not signed")
        continue
      }
      let start = Int(range.start) + Int(offset)
      for index in 0..<13 { buffer[start + index] = UInt8(48 + index % 10) }
      let body = Array(buffer.copy()[Int(range.start)..<Int(range.start) + Int(range.count)])
      #expect(
        text(body)
          == "{\"request\":\"\(endpoint.path)\",\"nonce\":0123456789012,\"nonceWindow\":true}")
    }
    for nonce in ["1700000000000", "\"1700000000000\""] {
      let body = try ClientBody(bytes("{\"nonce\": \(nonce) }").span)
      #expect(body.nonce == .value(1_700_000_000_000), "both forms are taken: \(nonce)")
    }
  }

  @Test("A client's fields: missing, null, unusable and read are told apart")
  func leniency() throws {
    let body = try ClientBody(
      bytes(
        """
         { "amount" : 0.001, "price":"60000.50", "orderId":"4180284841", "postOnly":"true",
        "side":"BUY","market":null, "clientOrderId": 7, "ioc":true }
        """
      ).span)
    let request = PlaceRequest(body)
    #expect(request.amount == .value(amount("0.001")))
    #expect(request.price == .value(amount("60000.5")))
    #expect(request.isPostOnly == .unreadable && request.isIOC == .value(true))
    #expect(request.side == .unreadable && request.market == .null)
    #expect(request.clientOrderID == .unreadable && request.stp == .absent)
    #expect(OrderChoice(body).orderID == .value(4_180_284_841))
    #expect(throws: JSONFault.self) { try ClientBody(bytes("[1]").span) }
    #expect(throws: JSONFault.self) { try ClientBody(bytes("").span) }
  }

  @Test("M45 M46: a bulk request and its reply of orders and refusals, in request order")
  func bulk() throws {
    let request = BulkRequest(
      try ClientBody(
        bytes(
          #"{"orders":[{"market":"A_B","side":"buy","amount":"1","price":"2"},7],"stopOnFail":false}"#
        ).span))
    guard case .value(let items) = request.orders else {
      Issue.record("no orders")
      return
    }
    #expect(items.count == 2 && items[0]?.market == .value("A_B") && items[1] == nil)

    var random = CaseSource(seed: 8)
    var order = order(&random)
    order.modifiedAt = order.createdAt
    let sent: [Orders.BulkItem] = [
      .order(order), .empty,
      .refused(
        VenueError(
          code: 32, message: "Validation failed", field: "amount",
          "Given amount is less than min amount 0.001.")),
    ]
    let body = written { Orders.writeBulk(sent, into: &$0) }
    var rows = try Orders.BulkItems(body.span)
    var found: [Orders.BulkItem] = []
    while let item = try rows.next(in: body.span) { found.append(item) }
    #expect(found == sent)
    #expect(throws: JSONFault.self) { try Orders.BulkItems(bytes("{}").span) }
  }

  @Test("M44 M49 M50 T12: queries and cancels carry market and client id; cancel-all names spot")
  func otherRequests() {
    func fields(_ body: (inout JSONWriter, inout ByteBuffer) -> Void) -> String {
      var buffer = ByteBuffer()
      var writer = JSONWriter()
      writer.beginObject(into: &buffer)
      body(&writer, &buffer)
      writer.endObject(into: &buffer)
      return text(buffer.copy())
    }
    #expect(
      fields {
        Orders.writeChoice(
          market: "A_B", clientOrderID: ClientOrderID("m1"), with: &$0, into: &$1)
      } == #"{"market":"A_B","clientOrderId":"m1"}"#)
    #expect(
      fields {
        Orders.writePage(
          market: "A_B", clientOrderID: ClientOrderID("m1"),
          startDate: Timestamp(milliseconds: 1_790_000_000_999), limit: 100, offset: 200,
          with: &$0, into: &$1)
      } == """
        {"market":"A_B","clientOrderId":"m1","startDate":1790000000,"limit":100,"offset":200}
        """)
    #expect(
      fields { Orders.writeCancelAll(market: "A_B", with: &$0, into: &$1) }
        == #"{"market":"A_B","type":["spot"]}"#)
  }

  @Test("M66 M68 M72: the timeout is a string, null is null, and types are spot alone")
  func deadMan() throws {
    func fields(_ seconds: Int64?) -> String {
      var buffer = ByteBuffer()
      var writer = JSONWriter()
      writer.beginObject(into: &buffer)
      DeadManSwitch.writeRequest(market: "A_B", seconds: seconds, with: &writer, into: &buffer)
      writer.endObject(into: &buffer)
      return text(buffer.copy())
    }
    #expect(fields(60) == #"{"market":"A_B","timeout":"60","types":["spot"]}"#)
    #expect(fields(nil) == #"{"market":"A_B","timeout":null,"types":["spot"]}"#)
    func timeout(_ json: String) throws -> DeadManSwitch.Request.Timeout {
      DeadManSwitch.Request(try ClientBody(bytes(json).span)).timeout
    }
    #expect(try timeout(fields(60)) == .seconds(60))
    #expect(try timeout(fields(nil)) == .remove)
    #expect(try timeout(#"{"timeout":60}"#) == .notText)
    #expect(try timeout(#"{"timeout":"null"}"#) == .notANumber("null"))
    #expect(try timeout("{}") == .absent)
    let body = bytes(
      #"{"market":"A_B","startTime":1790000000,"cancellationTime":1790000060,"types":["spot"]}"#)
    let timer = try DeadManSwitch.readReply(body.span)
    #expect(timer.cancellationTime.seconds == 1_790_000_060 && timer.coversSpot)
    #expect(throws: JSONFault.self) { try DeadManSwitch.readReply(bytes("[]").span) }
  }

  @Test("M75 M76 M77 M78 M90: the exact frames of a private session, and a desk reads them")
  func sessionFrames() throws {
    let token = bytes("tok-1")
    let frames: [([UInt8], String, SocketMethod)] = [
      (
        written { Envelope.writeAuthorize(id: 1, token: token.span, into: &$0) },
        #"{"id":1,"method":"authorize","params":["tok-1","public"]}"#, .authorize
      ),
      (
        written { Orders.writeSubscribe(id: 2, markets: ["A_B"], into: &$0) },
        #"{"id":2,"method":"ordersPending_subscribe","params":["A_B"]}"#, .ordersPendingSubscribe
      ),
      (
        written { Fills.writeSubscribe(id: 3, markets: ["A_B", "C_D"], into: &$0) },
        #"{"id":3,"method":"deals_subscribe","params":[["A_B","C_D"]]}"#, .dealsSubscribe
      ),
      (
        written { Balances.writeSubscribe(id: 4, into: &$0) },
        #"{"id":4,"method":"balanceSpot_subscribe","params":[]}"#, .balanceSpotSubscribe
      ),
      (
        written { Trades.writeLastPriceSubscribe(id: 5, markets: ["A_B"], into: &$0) },
        #"{"id":5,"method":"lastprice_subscribe","params":["A_B"]}"#, .lastPriceSubscribe
      ),
      (
        written { Trades.writeSubscribe(id: 6, markets: ["A_B"], into: &$0) },
        #"{"id":6,"method":"trades_subscribe","params":["A_B"]}"#, .tradesSubscribe
      ),
      (
        written { Envelope.writePing(id: 0, into: &$0) },
        #"{"id":0,"method":"ping","params":[]}"#, .ping
      ),
    ]
    for (frame, expected, method) in frames {
      #expect(text(frame) == expected)
      #expect(try Envelope.readRequest(frame.span).method == method)
    }
    let (first, third) = (frames[0].0, frames[2].0)
    let authorize = try Envelope.readRequest(first.span)
    #expect(try SocketToken.read(authorize, in: first.span) == "tok-1")
    let deals = try Envelope.readRequest(third.span)
    #expect(try NameList.read(deals, in: third.span, nested: true) == ["A_B", "C_D"])
    #expect(try NameList.read(deals, in: third.span) == nil)
  }

  @Test("T9: replies are matched by id, in the venue's own spacing; a push is no reply")
  func replies() throws {
    let id = bytes("999")
    let success = written { Envelope.writeSuccess(id: id.span, into: &$0) }
    #expect(text(success) == #"{"error": null, "result": {"status": "success"}, "id": 999}"#)
    let message = try Envelope.read(success.span)
    #expect(message.kind == .reply(id: 999))
    #expect(try Envelope.isSuccess(message, in: success.span))
    let pong = written { Envelope.writePong(id: id.span, into: &$0) }
    #expect(text(pong) == #"{"error": null, "result": "pong", "id": 999}"#)
    #expect(try !Envelope.isSuccess(try Envelope.read(pong.span), in: pong.span))
    let failure = written {
      Envelope.writeFailure(
        code: 9, message: "market X does not exist", id: id.span, into: &$0)
    }
    let told = try Envelope.read(failure.span)
    #expect(told.kind == .failure(id: 999))
    #expect(try Envelope.failure(told, in: failure.span).code == 9)
    #expect(throws: JSONFault.self) { try Envelope.read(bytes("{}").span) }
    #expect(throws: JSONFault.self) { try Envelope.read(bytes("[]").span) }
    #expect(throws: JSONFault.self) { try Envelope.readRequest(bytes("{\"id\":1}").span) }
  }

  @Test func tokensAreFoundWhereTheyLie() throws {
    let body = written { SocketToken.write("$2y$10$abc", into: &$0) }
    let range = try SocketToken.read(body.span)
    #expect(text(Array(body[range])) == "$2y$10$abc")
    for bad in ["{}", #"{"websocket_token":""}"#, #"{"websocket_token":"a\n"}"#, "", "<html>"] {
      #expect(throws: JSONFault.self, "\(bad)") { try SocketToken.read(bytes(bad).span) }
    }
  }

  @Test func endpointsAreNamedByTheirPath() {
    for endpoint in Endpoint.allCases where endpoint != .orderBook && endpoint != .trades {
      #expect(Endpoint.named(by: endpoint.path.description)?.endpoint == endpoint)
    }
    let book = Endpoint.named(by: "/api/v4/public/orderbook/BTC_USDT")
    #expect(book?.endpoint == .orderBook && book?.market == "BTC_USDT")
    #expect(Endpoint.named(by: "/api/v4/public/orderbook/") == nil)
    #expect(Endpoint.named(by: "/api/v4/nothing") == nil)
  }

  @Test func base64AndHexAreTheStandardOnes() {
    let cases = [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
      ("\u{ff}\u{fe}~~?", "w7/Dvn5+Pw=="),
    ]
    for (plain, encoded) in cases {
      #expect(text(written { Signing.writeBase64(bytes(plain).span, into: &$0) }) == encoded)
    }
    #expect(text(written { Signing.writeHex([0, 10, 255].span, into: &$0) }) == "000aff")
  }
}
