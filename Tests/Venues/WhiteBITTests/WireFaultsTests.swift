import MartletModel
import MartletVenueKit
import Testing
import WhiteBITWire

/// The rows of sections 1.4, 5.2 and 5.3 of the reference, one by one.
@Suite struct WireFaultsTests {
  func outcome(_ status: UInt16, _ body: String) -> Outcome {
    Faults.verdict(status: status, body: bytes(body).span).outcome
  }

  func error(_ code: Int, _ field: String, _ texts: String...) -> String {
    let list = texts.map { "\"\($0)\"" }.joined(separator: ",")
    return
      "{\"code\":\(code),\"message\":\"Validation failed\",\"errors\":{\"\(field)\":[\(list)]}}"
  }

  @Test("M84 M85 C18: every trade code of the reference, under 400 and under 422 alike")
  func tradeCodes() {
    let rows: [(Int, String, String, Outcome)] = [
      (1, "amount", "Invalid argument.", .refused(.invalidField, code: 1)),
      (2, "orderId", "Unexecuted order was not found.", .refused(.notFound, code: 2)),
      (2, "id", "Unexecuted order was not found.", .refused(.notFound, code: 2)),
      (2, "otoId", "Unexecuted order was not found.", .refused(.notFound, code: 2)),
      (3, "amount", "You don't have such amount", .refused(.other, code: 3)),
      (5, "amount", "Not enough", .refused(.insufficientBalance, code: 5)),
      (6, "orderId", "Unexecuted order was not found.", .refused(.notFound, code: 6)),
      (6, "amount", "below fee", .refused(.other, code: 6)),
      (7, "orderId", "order not found.", .refused(.notFound, code: 7)),
      (9, "address", "wrong", .refused(.other, code: 9)),
      (10, "amount", "Not enough balance.", .refused(.insufficientBalance, code: 10)),
      (10, "market", "Market is not available.", .refused(.instrumentUnavailable, code: 10)),
      (10, "market", "unknown", .refused(.instrumentUnavailable, code: 10)),
      (11, "amount", "Amount too small.", .refused(.belowMinimum, code: 11)),
      (
        12, "amount", "The amount field value, that the API unable to process.",
        .refused(.other, code: 12)
      ),
      (
        13, "postOnly", "This order couldn't be executed as a maker order and was canceled.",
        .refused(.postOnlyWouldTake, code: 13)
      ),
      (14, "postOnly", "anything", .refused(.postOnlyWouldTake, code: 14)),
      (15, "error", "Please try again later.", .inDoubt),
      (16, "error", "Please try again later.", .inDoubt),
      (17, "amount", "Not enough balance.", .refused(.insufficientBalance, code: 17)),
      (20, "quoteId", "x", .refused(.other, code: 20)),
      (24, "amount", "x", .refused(.other, code: 24)),
      (25, "market", "x", .refused(.other, code: 25)),
      (27, "amount", "x", .refused(.other, code: 27)),
      (30, "price", "Price field is required.", .refused(.invalidField, code: 30)),
      (
        30, "total", "Total (amount * price) is less than 5.05",
        .refused(.belowMinimum, code: 30)
      ),
      (30, "market", "Market is not available.", .refused(.instrumentUnavailable, code: 30)),
      (30, "orderHistory", "OrderHistory was not found.", .refused(.notFound, code: 30)),
      (30, "orderType", "This order type is not available", .refused(.invalidField, code: 30)),
      (31, "market", "Market is not available.", .refused(.instrumentUnavailable, code: 31)),
      (31, "market", "Market field is required.", .refused(.invalidField, code: 31)),
      (31, "market", "Market field should be a string.", .refused(.invalidField, code: 31)),
      (31, "market", "gone", .refused(.instrumentUnavailable, code: 31)),
      (
        32, "amount", "Given amount is less than min amount 0.001",
        .refused(.belowMinimum, code: 32)
      ),
      (32, "amount", "Min amount step = 0.000001", .refused(.offGrid, code: 32)),
      (32, "amount", "Should be a multiple of 100000.", .refused(.offGrid, code: 32)),
      (
        32, "amount", "Total amount should be no less than 5.05 + trade fee",
        .refused(.belowMinimum, code: 32)
      ),
      (32, "amount", "Not enough balance.", .refused(.insufficientBalance, code: 32)),
      (32, "amount", "Amount should be numeric", .refused(.invalidField, code: 32)),
      (33, "price", "Price field should be at least 10", .refused(.priceBand, code: 33)),
      (33, "price", "Min price step = 0.000001", .refused(.offGrid, code: 33)),
      (33, "price", "Min  total step = = 0.000001", .refused(.offGrid, code: 33)),
      (33, "stop_limit_price", "must be numeric", .refused(.invalidField, code: 33)),
      (35, "maker_fee", "Incorrect maker fee", .refused(.invalidField, code: 35)),
      (
        36, "clientOrderId", "This client order id is already used by the current account.",
        .refused(.duplicateClientOrderID, code: 36)
      ),
      (
        36, "clientOrderId", "ClientOrderId field field should be a string.",
        .refused(.invalidField, code: 36)
      ),
      (
        37, "ioc", "Either IOC or PostOnly flag in true state is allowed.",
        .refused(.invalidField, code: 37)
      ),
      (40, "postOnly", "Limit order is not post only", .refused(.invalidField, code: 40)),
      (41, "retail", "x", .refused(.invalidField, code: 41)),
      (42, "stp", "trading group does not match", .refused(.invalidField, code: 42)),
      (43, "rpi", "not allowed", .refused(.invalidField, code: 43)),
      (
        51, "price", "Trading in the market is not allowed.",
        .refused(.instrumentUnavailable, code: 51)
      ),
      (
        101, "activation_price", "Activation price should not be equal to the last price.",
        .refused(.priceBand, code: 101)
      ),
      (103, "error", "Max. limit of margin stop limit orders", .refused(.other, code: 103)),
      (104, "positionId", "position doesn't exist.", .refused(.notFound, code: 104)),
      (105, "takeProfit", "Wrong activation price for x", .refused(.invalidField, code: 105)),
      (106, "stopLoss", "Wrong activation price for x", .refused(.invalidField, code: 106)),
      (111, "amount", "margin position too big", .refused(.aboveMaximum, code: 111)),
      (112, "amount", "margin pending orders value too big", .refused(.aboveMaximum, code: 112)),
      (113, "hedgeMode", "Position side cannot be changed", .refused(.other, code: 113)),
      (114, "hedgeMode", "does not match user's setting", .refused(.invalidField, code: 114)),
      (115, "hedgeMode", "opposite direction", .refused(.invalidField, code: 115)),
      (116, "reduceOnly", "Position doesn't exist or wrong side", .refused(.other, code: 116)),
      (150, "price", "Can't place limit order.", .refused(.invalidField, code: 150)),
      (
        151, "activation_price", "Wrong activation price for stop loss.",
        .refused(.priceBand, code: 151)
      ),
      (
        152, "price", "Not enough balance for stop limit order.",
        .refused(.insufficientBalance, code: 152)
      ),
      (
        153, "price", "Not enough balance for limit order.",
        .refused(.insufficientBalance, code: 153)
      ),
      (155, "orderId", "Can't modify conditional order.", .refused(.invalidField, code: 155)),
      (157, "amount", "Wrong order deal size.", .inDoubt),
      (158, "activation_price", "cannot be set", .refused(.invalidField, code: 158)),
      (159, "price", "cannot be set", .refused(.invalidField, code: 159)),
      (160, "orderId", "tpsl orders can't be modified.", .refused(.invalidField, code: 160)),
      (161, "price", "Wrong order conditions", .refused(.invalidField, code: 161)),
      (162, "total", "cannot be specified", .refused(.invalidField, code: 162)),
      (163, "amount", "cannot be specified", .refused(.invalidField, code: 163)),
      (
        250, "price", "The Price should be less than or equal to 1.277",
        .refused(.priceBand, code: 250)
      ),
      (250, "price", "The Price is out of bands", .refused(.priceBand, code: 250)),
      (251, "stopLimitPrice", "The Price is out of bands", .refused(.priceBand, code: 251)),
      (300, "request", "fee not found", .backOff),
      (302, "amount", "magnitude limit exceeded", .refused(.aboveMaximum, code: 302)),
      (330, "request", "fee not found", .backOff),
      (404, "orderId", "Order does not exist", .refused(.notFound, code: 404)),
      (500, "error", "Service temporary unavailable", .inDoubt),
      (9_999, "what", "is this", .refused(.other, code: 9_999)),
    ]
    for (code, field, text, expected) in rows {
      for status in [UInt16(400), 422] {
        #expect(outcome(status, error(code, field, text)) == expected, "\(code) \(field): \(text)")
      }
      #expect(
        Faults.verdict(item: VenueError(code: Int32(code), message: "", field: field, text))
          .outcome == expected, "item \(code) \(field): \(text)")
    }
    #expect(rows.count == 84)
  }

  @Test("M83 C18: insufficient balance, in each way it is told")
  func insufficientBalance() {
    for (code, status) in [(5, 422), (10, 400), (10, 422), (17, 400), (32, 422)] {
      #expect(
        outcome(UInt16(status), error(code, "amount", "Not enough balance."))
          == .refused(.insufficientBalance, code: Int32(code)))
    }
  }

  @Test("M82 M85 C18: a body that says so is a stop, whatever its status and code")
  func authTexts() {
    let bodies = [
      #"{"code":10,"message":"Unauthorized request."}"#,
      #"{"code":9,"message":"Invalid payload."}"#,
      #"{"code":2,"message":"This action is unauthorized. Enable your key in API settings"}"#,
      #"{"code":0,"errors":{},"message":"This action is unauthorized."}"#,
      #"{"code":4,"message":"This API Key is not authorized to perform this action."}"#,
      #"{"code":0,"message":"You don't have permission to use this endpoint. Ask support."}"#,
      #"{"code":0,"message":"Payload not provided."}"#,
      #"{"code":0,"message":"Nonce not provided."}"#,
      #"{"code":0,"message":"Invalid nonceWindow."}"#,
      #"{"code":0,"message":"Request not provided."}"#,
      #"{"success":false,"message":[["Unauthorized request."]],"result":[]}"#,
    ]
    for body in bodies {
      for status in [UInt16(400), 401, 403, 422] {
        guard case .stop = outcome(status, body) else {
          Issue.record("\(status) \(body) is \(outcome(status, body))")
          continue
        }
      }
    }
    #expect(outcome(401, "<html>Unauthorized</html>") == .stop(code: 401))
    #expect(outcome(403, "") == .stop(code: 403))
  }

  @Test("A 429 in JSON with code 0 is a stale nonce; any other is a limit. Neither was executed")
  func tooManyRequests() {
    let nonce = Faults.verdict(
      status: 429,
      body: bytes(#"{"code":0,"errors":{},"message":"Too many requests."}"#).span)
    #expect(nonce.outcome == .backOff && nonce.anomaly == .staleNonce)
    let late = Faults.verdict(
      status: 401,
      body: bytes(
        #"{"code":0,"message":"Your nonce is more than 5 seconds lesser than the current nonce"}"#
      ).span)
    #expect(late.outcome == .backOff && late.anomaly == .staleNonce)
    for body in ["<html>429</html>", "", #"{"message":"Too Many Attempts.","code":0}"#] {
      let verdict = Faults.verdict(status: 429, body: bytes(body).span)
      #expect(verdict.outcome == .backOff && verdict.anomaly == .rateLimited, "\(body)")
    }
  }

  @Test("M86: statuses of the reference; what is no JSON of the venue's proves nothing")
  func statuses() {
    #expect(outcome(200, "{}") == .accepted)
    #expect(outcome(201, "") == .accepted)
    #expect(outcome(404, error(404, "a", "b")) == .refused(.other, code: 404))
    #expect(outcome(451, error(451, "a", "b")) == .refused(.instrumentUnavailable, code: 451))
    for status in [UInt16(404), 451, 453] {
      for body in ["", "<html>", "null", #"{"id":null,"params":[1]}"#] {
        #expect(outcome(status, body) == .inDoubt, "\(status) \(body)")
      }
    }
    #expect(
      outcome(453, error(30, "orderType", "This order type is not available"))
        == .refused(.invalidField, code: 30))
    for status in [UInt16(500), 502, 503, 504, 520, 522, 524] {
      for body in ["", "<html>", #"{"error":["Internal server error."]}"#, error(10, "a", "b")] {
        #expect(outcome(status, body) == .inDoubt, "\(status) \(body)")
      }
    }
    for body in ["", "<html>Bad request</html>", "[]", "null", "{", "42"] {
      #expect(outcome(400, body) == .inDoubt, "\(body)")
      #expect(outcome(422, body) == .inDoubt, "\(body)")
      #expect(outcome(302, body) == .inDoubt, "\(body)")
    }
  }

  @Test("M84: field names and every text surface, in whichever envelope they came")
  func fieldsSurface() throws {
    let body = """
      {"code":32,"message":"Validation failed","errors":{"amount":["Given amount is less than min \
      amount 0.001","Min amount step = 0.000001"],"price":"single"}}
      """
    let parsed = VenueError(bytes(body).span)
    let found = try #require(parsed)
    #expect(found.code == 32 && found.entries.count == 3)
    #expect(found.entries[1].text == "Min amount step = 0.000001")
    #expect(found.entries[2] == VenueError.Entry(field: "price", text: "single"))
    let old = """
      {"response":null,"status":422,"errors":{"amount":["Bad"]},"notification":null,
      "warning":"Bad","_token":null}
      """
    #expect(
      VenueError(bytes(old).span)?.entries == [VenueError.Entry(field: "amount", text: "Bad")])
    #expect(VenueError(bytes(#"{"code":1,"errors":[]}"#).span)?.entries == [])
    #expect(Faults.verdict(status: 422, body: bytes(body).span).field == "amount")
  }

  @Test func whatTheDeskWritesReadsBack() {
    let errors = [
      VenueError(code: 10, message: "Unauthorized request."),
      VenueError(
        code: 2, message: "Inner validation failed", field: "orderId",
        "Unexecuted order was not found."),
      VenueError(code: 0, message: "Too many requests."),
      VenueError(
        code: 32, message: "Validation failed",
        entries: [
          .init(field: "amount", text: "a"), .init(field: "amount", text: "b"),
          .init(field: "price", text: "c"),
        ]),
    ]
    for error in errors {
      var writer = JSONWriterBox()
      #expect(VenueError(writer.write(error).span) == error)
    }
  }
}
