internal import MartletBase

/// Which publisher's CSV a dump is.
public enum DumpSource: String, CaseIterable, Sendable { case binance, tardis }

/// What a dump holds, by its publisher's own word.
///
/// - Source: Binance's public data repository, and tardis' page of its CSV data types.
public enum DumpKind: String, CaseIterable, Sendable {
  case trades, aggTrades, bookTicker, klines, markPriceKlines, indexPriceKlines, premiumIndexKlines
  case fundingRate
  case liquidations, quotes
  case book = "incremental_book_L2"
  case ticker = "derivative_ticker"

  public var schema: HistorySchema {
    switch self {
    case .trades, .aggTrades, .liquidations: .trades
    case .bookTicker, .quotes: .bbo
    case .klines: .candles
    case .markPriceKlines, .indexPriceKlines, .premiumIndexKlines: .markOHLC
    case .fundingRate: .funding
    case .book: .book
    case .ticker: .mark
    }
  }

  /// The kinds that a publisher has.
  public static func all(of source: DumpSource) -> [DumpKind] {
    switch source {
    case .binance:
      [
        .trades, .aggTrades, .bookTicker, .klines, .markPriceKlines, .indexPriceKlines,
        .premiumIndexKlines, .fundingRate,
      ]
    case .tardis: [.trades, .liquidations, .book, .quotes, .ticker]
    }
  }
}

/// Reads dumps row by row, each as its schema's columns have it.
final class DumpReader {
  /// The row, one value for each column of the schema.
  private(set) var row: [ExactDecimal]
  /// The dump that the row came from.
  var place: CSVRows? { csv }

  private let kind: DumpKind
  private let source: DumpSource
  private var paths: ArraySlice<String>
  private var csv: CSVRows?
  private var count: Int64 = 0
  /// Of tardis: where each name stands.
  private var names: [String: Int] = [:]
  /// Of Binance: the head that the first line of a file may be, and of a zip's further files.
  private var head: String?
  // Of a book: its frame's number, what tells its message, and the row held back until the next one
  // shows whether its frame has ended.
  private var frame: Int64 = -1
  private var message: (event: Int64, received: Int64, isSnapshot: Bool)?
  private var held: [ExactDecimal]?
  // Of a ticker, where a field is empty when nothing has changed.
  private var mark: ExactDecimal?
  private var index = ExactDecimal.zero
  private var rate = ExactDecimal.zero
  private var nextFunding = ExactDecimal.zero

  init(_ source: DumpSource, _ kind: DumpKind, _ paths: [String]) {
    self.source = source
    self.kind = kind
    self.paths = paths[...]
    row = []
  }

  /// Goes to the next row.
  ///
  /// - Returns: false behind the last.
  func next() throws(HistoryFault) -> Bool {
    while true {
      guard let csv else {
        guard let path = paths.popFirst() else { return endBook() }
        self.csv = try CSVRows(path: path)
        if source == .tardis { try readHead() }
        continue
      }
      guard try csv.next() else {
        self.csv = nil
        continue
      }
      switch source {
      case .binance:
        if try isHead(csv) { continue }
        try readBinance(csv)
        count += 1
        return true
      case .tardis:
        // A zip's further files begin with a head too.
        if csv.text(0) == "exchange" { continue }
        let isRow = try readTardis(csv)
        count += 1
        if isRow { return true }
      }
    }
  }

  private func isHead(_ csv: CSVRows) throws(HistoryFault) -> Bool {
    let first = csv.text(0)
    guard first.first?.isLetter == true else { return false }
    guard csv.line == 1 || first == head else {
      throw csv.fault(.value(expected: "a number first", found: "“\(first)”"))
    }
    head = first
    return true
  }

  /// Milliseconds, or microseconds in spot files of 2025 and later, as nanoseconds.
  private func moment(_ csv: CSVRows, _ field: Int) throws(HistoryFault) -> ExactDecimal {
    let value = try csv.integer(field, "time")
    let (product, overflow) = value.multipliedReportingOverflow(
      by: value >= 100_000_000_000_000 ? 1_000 : 1_000_000)
    guard !overflow, value >= 0 else {
      throw csv.fault(
        .value(expected: "a time in ms or µs", found: "“\(csv.text(field))”"), field: "time")
    }
    return ExactDecimal(product)
  }

  /// An id, or -1 for one that is no number of less than 19 digits.
  private func identity(_ csv: CSVRows, _ field: Int) -> ExactDecimal {
    let text = csv.text(field)
    let isNumber = !text.isEmpty && text.utf8.count < 19 && text.utf8.allSatisfy { 48...57 ~= $0 }
    return ExactDecimal(isNumber ? Int64(text) ?? -1 : -1)
  }

  private func isTrue(_ csv: CSVRows, _ field: Int) throws(HistoryFault) -> Bool {
    switch csv.text(field).lowercased() {
    case "true", "1", "t": return true
    case "false", "0", "f": return false
    case let other: throw csv.fault(.value(expected: "true or false", found: "“\(other)”"))
    }
  }

  private func readBinance(_ csv: CSVRows) throws(HistoryFault) {
    let number = ExactDecimal(count)
    switch kind {
    case .trades, .aggTrades:
      let isAggregate = kind == .aggTrades
      let time = try moment(csv, isAggregate ? 5 : 4)
      // The buyer made it: the seller took.
      let side = try isTrue(csv, isAggregate ? 6 : 5) ? Int64(-1) : 1
      row = [
        number, time, time, time, identity(csv, 0), try csv.decimal(1, "price"),
        try csv.decimal(2, "qty"), ExactDecimal(side), .zero,
      ]
    case .bookTicker:
      let emitted = try moment(csv, 6)
      row = [
        number, try moment(csv, 5), emitted, emitted, identity(csv, 0),
        try csv.decimal(1, "best_bid_price"), try csv.decimal(2, "best_bid_qty"),
        try csv.decimal(3, "best_ask_price"), try csv.decimal(4, "best_ask_qty"),
      ]
    case .klines, .markPriceKlines, .indexPriceKlines, .premiumIndexKlines:
      row = [
        try moment(csv, 0), try csv.decimal(1, "open"), try csv.decimal(2, "high"),
        try csv.decimal(3, "low"), try csv.decimal(4, "close"),
      ]
      if kind == .klines { row.append(try csv.decimal(5, "volume")) }
    default:
      row = [try moment(csv, 0), try csv.decimal(2, "last_funding_rate")]
    }
  }

  private func readHead() throws(HistoryFault) {
    guard let csv, try csv.next() else { return }
    names = [:]
    for field in 0..<csv.count { names[csv.text(field)] = field }
    let wanted =
      switch kind {
      case .trades, .liquidations: ["id", "side", "price", "amount"]
      case .book: ["is_snapshot", "side", "price", "amount"]
      case .quotes: ["bid_price", "bid_amount", "ask_price", "ask_amount"]
      default: ["mark_price", "index_price", "funding_rate", "funding_timestamp"]
      }
    for name in ["timestamp", "local_timestamp"] + wanted where names[name] == nil {
      throw csv.fault(
        .value(expected: "a head with \(name), as tardis' \(kind.rawValue) has it", found: "none"),
        field: name)
    }
  }

  private func field(_ name: String) -> Int { names[name] ?? 0 }

  private func microseconds(_ csv: CSVRows, _ name: String) throws(HistoryFault) -> ExactDecimal {
    let (product, overflow) = try csv.integer(field(name), name)
      .multipliedReportingOverflow(by: 1_000)
    guard !overflow else {
      throw csv.fault(
        .value(expected: "a time in µs", found: "“\(csv.text(field(name)))”"), field: name)
    }
    return ExactDecimal(product)
  }

  /// - Returns: whether the row is one to hand out now.
  private func readTardis(_ csv: CSVRows) throws(HistoryFault) -> Bool {
    let event = try microseconds(csv, "timestamp")
    let received = try microseconds(csv, "local_timestamp")
    let number = ExactDecimal(count)
    switch kind {
    case .trades, .liquidations:
      let side: Int64 =
        switch csv.text(field("side")) {
        case "buy": 1
        case "sell": -1
        default: 0
        }
      row = [
        number, event, event, received, identity(csv, field("id")),
        try csv.decimal(field("price"), "price"), try csv.decimal(field("amount"), "amount"),
        ExactDecimal(side), ExactDecimal(kind == .liquidations ? 3 : 0),
      ]
      return true
    case .quotes:
      row = [number, event, event, received, ExactDecimal(-1)]
      for name in ["bid_price", "bid_amount", "ask_price", "ask_amount"] {
        row.append(try csv.decimal(field(name), name))
      }
      return true
    case .ticker:
      if !csv.isEmpty(field("mark_price")) {
        mark = try csv.decimal(field("mark_price"), "mark_price")
      }
      if !csv.isEmpty(field("index_price")) {
        index = try csv.decimal(field("index_price"), "index_price")
      }
      if !csv.isEmpty(field("funding_rate")) {
        rate = try csv.decimal(field("funding_rate"), "funding_rate")
      }
      if !csv.isEmpty(field("funding_timestamp")) {
        nextFunding = try microseconds(csv, "funding_timestamp")
      }
      guard let mark else { return false }
      row = [number, event, received, mark, index, .zero, rate, nextFunding]
      return true
    default:
      return try readBook(csv, event, received)
    }
  }

  /// Rows of one message share both times and whether they are of a snapshot.
  private func readBook(
    _ csv: CSVRows, _ event: ExactDecimal, _ received: ExactDecimal
  ) throws(HistoryFault) -> Bool {
    let isSnapshot = try isTrue(csv, field("is_snapshot"))
    let side = csv.text(field("side"))
    guard side == "bid" || side == "ask" else {
      throw csv.fault(.value(expected: "bid or ask", found: "“\(side)”"), field: "side")
    }
    let key = (event: event.digits, received: received.digits, isSnapshot: isSnapshot)
    let isNew =
      message.map {
        $0.event != key.event || $0.received != key.received || $0.isSnapshot != isSnapshot
      }
      ?? true
    let before = held.map { isNew ? Self.ended($0) : $0 }
    if isNew {
      frame += 1
      message = key
    }
    let none = ExactDecimal(-1)
    held = [
      ExactDecimal(frame), event, event, received, none, none, none,
      ExactDecimal(isSnapshot ? 1 : 0), ExactDecimal(side == "bid" ? 1 : -1),
      try csv.decimal(field("price"), "price"), try csv.decimal(field("amount"), "amount"),
    ]
    if let before { row = before }
    return before != nil
  }

  private func endBook() -> Bool {
    guard let last = held else { return false }
    row = Self.ended(last)
    held = nil
    return true
  }

  private static func ended(_ row: [ExactDecimal]) -> [ExactDecimal] {
    var row = row
    row[7] = ExactDecimal(row[7].digits | 2)
    return row
  }
}
