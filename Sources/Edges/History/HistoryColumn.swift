/// A column of the schemas of market history, by its name in the files.
///
/// - Source: the data's own README, "Schemas": times are nanoseconds since 1970, prices, quantities and
///   rates are counts on the decimal grid that the file's metadata names.
public enum HistoryColumn: String, CaseIterable, Sendable {
  /// Line of the capture: the order of arrival among files of one capture.
  case frameSequence = "frame_seq"
  case eventTime = "ts_event_ns"
  case emitTime = "ts_emit_ns"
  case receivedAt = "ts_recv_ns"
  case tradeID = "trade_id"
  case price
  case quantity = "qty"
  /// 1 bid or buyer, -1 ask or seller, 0 none.
  case side
  /// Of a trade: 0 ordinary, 1 insurance fund, 3 liquidation.
  case kind
  case firstUpdate = "first_update_id"
  case lastUpdate = "last_update_id"
  case previousUpdate = "prev_update_id"
  /// Bits: 0 snapshot, 1 last row of its frame, 2 empty frame, 3 carried from an earlier file.
  case flags
  case update = "update_id"
  case bidPrice = "bid_price"
  case bidQuantity = "bid_qty"
  case askPrice = "ask_price"
  case askQuantity = "ask_qty"
  case markPrice = "mark_price"
  case indexPrice = "index_price"
  case settlePrice = "est_settle_price"
  case fundingRate = "funding_rate"
  case nextFunding = "next_funding_ns"
  case openTime = "ts_open_ns"
  case open, high, low, close, volume
  case fundingTime = "ts_funding_ns"
  case symbol, venue
  case contractType = "contract_type"

  /// What a count in the column is of.
  public enum Grid: String, Sendable { case price, quantity, rate }

  public enum Width: Sendable { case wide, narrow, text }

  public var width: Width {
    switch self {
    case .side, .kind, .flags: .narrow
    case .symbol, .venue, .contractType: .text
    default: .wide
    }
  }

  /// The decimal grid of the column's numbers; nil for times, ids and the rest.
  public var grid: Grid? {
    switch self {
    case .price, .bidPrice, .askPrice, .markPrice, .indexPrice, .settlePrice, .open, .high, .low,
      .close:
      .price
    case .quantity, .bidQuantity, .askQuantity, .volume: .quantity
    case .fundingRate: .rate
    default: nil
    }
  }

  /// Its place among all columns, as `allCases` has them: asked for with each frame, so no look-up.
  var ordinal: Int {
    switch self {
    case .frameSequence: 0
    case .eventTime: 1
    case .emitTime: 2
    case .receivedAt: 3
    case .tradeID: 4
    case .price: 5
    case .quantity: 6
    case .side: 7
    case .kind: 8
    case .firstUpdate: 9
    case .lastUpdate: 10
    case .previousUpdate: 11
    case .flags: 12
    case .update: 13
    case .bidPrice: 14
    case .bidQuantity: 15
    case .askPrice: 16
    case .askQuantity: 17
    case .markPrice: 18
    case .indexPrice: 19
    case .settlePrice: 20
    case .fundingRate: 21
    case .nextFunding: 22
    case .openTime: 23
    case .open: 24
    case .high: 25
    case .low: 26
    case .close: 27
    case .volume: 28
    case .fundingTime: 29
    case .symbol: 30
    case .venue: 31
    case .contractType: 32
    }
  }
}
