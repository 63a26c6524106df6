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

  /// Its place among all columns.
  @usableFromInline var ordinal: Int { Self.ordinals[rawValue] ?? 0 }

  static let ordinals = Dictionary(
    uniqueKeysWithValues: allCases.enumerated().map { ($0.element.rawValue, $0.offset) })
}
