/// What a file of market history holds.
@frozen public enum HistorySchema: String, CaseIterable, Sendable, BitwiseCopyable {
  case trades = "martlet.trades.v1"
  /// Trades without ids or times of receipt.
  case tradesMin = "martlet.trades_min.v1"
  /// Best bid and offer, every change.
  case bbo = "martlet.bbo.v1"
  case book = "martlet.book.v1"
  case mark = "martlet.mark.v1"
  /// Best bid and offer, sampled.
  case quotes = "martlet.quotes.v1"
  case candles = "martlet.candles.v1"
  case markOHLC = "martlet.mark_ohlc.v1"
  case funding = "martlet.funding.v1"
  case basis8h = "martlet.basis8h.v1"

  /// As in `trades`.
  public var name: String { String(rawValue.dropFirst("martlet.".count).dropLast(".v1".count)) }

  /// Columns that every file of it has.
  public var columns: [HistoryColumn] {
    switch self {
    case .trades:
      [
        .frameSequence, .eventTime, .emitTime, .receivedAt, .tradeID, .price, .quantity, .side,
        .kind,
      ]
    case .tradesMin: [.eventTime, .price, .quantity, .side]
    case .bbo:
      [
        .frameSequence, .eventTime, .emitTime, .receivedAt, .update, .bidPrice, .bidQuantity,
        .askPrice, .askQuantity,
      ]
    case .book:
      [
        .frameSequence, .eventTime, .emitTime, .receivedAt, .firstUpdate, .lastUpdate,
        .previousUpdate, .flags, .side, .price, .quantity,
      ]
    case .mark:
      [
        .frameSequence, .eventTime, .receivedAt, .markPrice, .indexPrice, .settlePrice,
        .fundingRate, .nextFunding,
      ]
    case .quotes: [.eventTime, .bidPrice, .bidQuantity, .askPrice, .askQuantity]
    case .candles: [.openTime, .open, .high, .low, .close, .volume]
    case .markOHLC: [.openTime, .open, .high, .low, .close]
    case .funding: [.fundingTime, .fundingRate]
    case .basis8h:
      [.openTime, .venue, .contractType, .open, .high, .low, .close, .volume, .fundingRate]
    }
  }

  /// Columns that a file of several series has: who each row belongs to.
  public var optionalColumns: [HistoryColumn] {
    switch self {
    case .markOHLC: [.symbol]
    case .funding: [.symbol, .venue]
    default: []
    }
  }

  /// The column whose time is when something happened at the venue.
  public var time: HistoryColumn {
    switch self {
    case .candles, .markOHLC, .basis8h: .openTime
    case .funding: .fundingTime
    default: .eventTime
    }
  }

  /// Whether its rows are of a span of time, and known only at the end of it.
  public var isOfSpans: Bool { self == .candles || self == .markOHLC || self == .basis8h }

  /// Whether its files come from a capture, whose lines `frame_seq` counts.
  public var isCaptured: Bool { columns.contains(.frameSequence) }

  /// What a replay needs: all but emit times, update ids and trade ids.
  public var replayColumns: [HistoryColumn] {
    let spared: [HistoryColumn] = [
      .emitTime, .firstUpdate, .lastUpdate, .previousUpdate, .update, .tradeID,
    ]
    return columns.filter { !spared.contains($0) }
  }
}
