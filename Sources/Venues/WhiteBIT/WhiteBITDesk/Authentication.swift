internal import MartletBase
internal import MartletModel
internal import MartletVenueKit
internal import WhiteBITWire

/// A key, its account, and what it has been used for.
struct DeskKey {
  let key: String
  let secret: [UInt8]
  let account: AccountID
  var isEnabled = true
  var mayTrade = true
  /// The largest nonce of any call.
  var lastNonce: Int64 = 0
  /// Nonces seen, with a window or without.
  var nonces: BoundedSet<UInt64>?
  /// When socket tokens were asked for, within the quota's period.
  var tokenTimes: [Timestamp] = []

  init(key: String, secret: [UInt8], account: AccountID) {
    self.key = key
    self.secret = secret
    self.account = account
  }
}

extension WhiteBITDesk {
  /// Who sends a private call, checked in the venue's order: payload, signature, key, request, nonce,
  /// permission.
  ///
  /// - Source: reference 1.4; where a status is not established, 401 for who it is and 403 for what
  ///   it may.
  mutating func authenticate(
    _ request: DeskRequest, _ body: [UInt8], _ endpoint: Endpoint
  ) throws(Refusal) -> (caller: Int, body: ClientBody) {
    guard let payload = request.header("X-TXC-PAYLOAD"), !payload.isEmpty else {
      throw .authentication(401, code: 9, "Payload not provided.")
    }
    // Base64 has one way to write given bytes, so equal text is equal bytes.
    let encoded = bytes { Signing.writeBase64(body.span, into: &$0) }
    guard payload.utf8.elementsEqual(encoded) else {
      throw .authentication(401, code: 9, "Invalid payload.")
    }
    guard let caller = keys.firstIndex(where: { $0.key == request.header("X-TXC-APIKEY") }) else {
      throw .authentication(401, code: 10, "Unauthorized request.")
    }
    let digest = keyedHash(keys[caller].secret, encoded)
    let signature = bytes { Signing.writeHex(digest.span, into: &$0) }
    guard let given = request.header("X-TXC-SIGNATURE"), given.utf8.elementsEqual(signature)
    else { throw .authentication(401, code: 10, "Unauthorized request.") }
    guard keys[caller].isEnabled else {
      throw .authentication(
        403, code: 2, "This action is unauthorized. Enable your key in API settings")
    }
    guard let fields = try? ClientBody(body.span) else {
      throw .authentication(401, code: 9, "Invalid payload.")
    }
    guard case .value(let path) = fields.request, path == request.path else {
      throw .authentication(401, code: 0, "Request not provided.")
    }
    try spendNonce(fields, caller)
    guard keys[caller].mayTrade || !endpoint.isTrading else {
      throw .authentication(
        403, code: 4, "This API Key is not authorized to perform this action.")
    }
    return (caller, fields)
  }

  /// Without a window a nonce must be above every one before it, of whatever call; with one it must be
  /// near the clock and new.
  private mutating func spendNonce(_ fields: ClientBody, _ caller: Int) throws(Refusal) {
    guard case .value(let nonce) = fields.nonce, nonce > 0 else {
      throw .authentication(401, code: 0, "Nonce not provided.")
    }
    let isWindowed: Bool
    switch fields.nonceWindow {
    case .absent, .null: isWindowed = false
    case .value(let value): isWindowed = value
    case .unreadable: throw .authentication(401, code: 0, "Invalid nonceWindow.")
    }
    let identity = UInt64(nonce)
    var seen = keys[caller].nonces ?? BoundedSet(capacity: configuration.maximumNonces)
    keys[caller].nonces = nil
    defer { keys[caller].nonces = seen }
    if isWindowed {
      let (lead, overflow) = nonce.subtractingReportingOverflow(now.milliseconds)
      guard !overflow, lead.magnitude <= UInt64(configuration.nonceWindow.milliseconds) else {
        throw .authentication(
          401, code: 0, "Your nonce is more than 5 seconds lesser than the current nonce")
      }
      guard seen.insert(identity) else { throw .staleNonce }
    } else {
      guard nonce > keys[caller].lastNonce else { throw .staleNonce }
      _ = seen.insert(identity)
    }
    keys[caller].lastNonce = max(keys[caller].lastNonce, nonce)
  }
}

extension Endpoint {
  /// Whether a key needs the right to trade for it.
  var isTrading: Bool {
    switch self {
    case .newOrder, .bulkOrder, .marketOrder, .stockMarketOrder, .stopLimitOrder,
      .stopMarketOrder, .modifyOrder, .cancelOrder, .cancelBulk, .cancelAll, .killSwitch:
      true
    case .time, .ping, .platformStatus, .markets, .ticker, .assets, .publicFee,
      .collateralMarkets, .futures, .tickerV1, .candlesV1, .orderBook, .trades, .websocketToken,
      .tradeBalance, .executedHistory, .orderDeals, .orderHistory, .killSwitchStatus,
      .openOrders, .marketFee:
      false
    }
  }
}
