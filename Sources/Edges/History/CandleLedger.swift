internal import Glibc
public import MartletBase

/// One candle as a venue told it, its numbers still text.
public struct FetchedCandle: Equatable, Sendable {
  public var openTime: Timestamp
  public var open: String
  public var high: String
  public var low: String
  public var close: String
  public var volume: String
  public init(
    openTime: Timestamp, open: String, high: String, low: String, close: String, volume: String
  ) {
    self.openTime = openTime
    self.open = open
    self.high = high
    self.low = low
    self.close = close
    self.volume = volume
  }
}

/// Candles as they are fetched: closed ones alone, each once, in order, and what is missing by name.
///
/// What was taken stands in a file beside the one to be made, a line a candle, so that a download that
/// was cut short goes on where it was.
///
/// - Bounds: one page in memory; the file grows by a line a candle.
public final class CandleLedger {
  public enum Verdict: Equatable, Sendable {
    case taken
    /// It was taken before.
    case known
    /// It has not closed by the venue's clock: its numbers are not final.
    case forming
    /// One or more before it are missing: ask once more for what is `next`.
    case gap
  }

  public let interval: TimeSpan
  /// When the candle begins that is wanted next.
  public private(set) var next: Timestamp
  /// How many were taken, in this run and before.
  public private(set) var count: Int64 = 0
  /// How many of them another run had taken.
  public private(set) var resumed: Int64 = 0
  /// Candles that the venue does not have, between such that it has: first and how many.
  public private(set) var gaps: [(first: Timestamp, count: Int64)] = []
  /// Bound on `gaps`; a series with more holes is no series.
  public static let mostGaps = 1_000

  private let path: String
  private let head: String
  private let descriptor: Int32

  /// - Parameters:
  ///   - output: the file to be made; the other one is `output.fetch`.
  ///   - subject: whose candles they are; another download's file is refused.
  ///   - since: begins an interval.
  public init(
    for output: String, subject: String, interval: TimeSpan, since: Timestamp
  ) throws(HistoryFault) {
    self.interval = interval
    next = since
    path = output + ".fetch"
    head = "martlet-candles,1,\(subject),\(interval.nanoseconds),\(since.seconds)"
    // The path lives for the call.
    descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .system(path, "open it", errno) }
    try resume()
  }

  deinit { close(descriptor) }

  /// Judges one candle and keeps it when it is the next one and has closed.
  ///
  /// - Parameter venueTime: the venue's clock before it was asked.
  public func take(
    _ candle: FetchedCandle, venueTime: Timestamp
  ) throws(HistoryFault) -> Verdict {
    let width = interval.nanoseconds
    guard (candle.openTime - next).nanoseconds % width == 0 else {
      throw HistoryFault(
        path,
        .value(
          expected: "candles that begin \(width / 1_000_000_000) s apart from \(next.seconds) on",
          found: "one at \(candle.openTime.seconds)"))
    }
    if candle.openTime < next { return .known }
    if candle.openTime + interval > venueTime { return .forming }
    if candle.openTime > next { return .gap }
    try append(candle)
    next = next + interval
    count += 1
    return .taken
  }

  /// The venue has none before this candle, asked again: what is missing is noted.
  public func accept(gapBefore candle: Timestamp) throws(HistoryFault) {
    let missing = (candle - next).nanoseconds / interval.nanoseconds
    // Before the first one a market may not have been there.
    if count > 0 {
      guard gaps.count < Self.mostGaps else {
        throw HistoryFault(path, .tooMuch("expected at most \(Self.mostGaps) gaps, found more"))
      }
      gaps.append((next, missing))
    }
    next = candle
  }

  /// Makes the file of what was taken, and removes the one beside it.
  public func finish(
    _ output: String, venue: String, symbol: String, contract: HistoryFile.Contract,
    intervalName: String
  ) throws(HistoryFault) {
    guard count > 0 else { throw HistoryFault(output, .noRows) }
    var price = 0
    var quantity = 0
    try each { _, numbers throws(HistoryFault) in
      for number in numbers.prefix(4) { price = max(price, number.decimals) }
      quantity = max(quantity, numbers[4].decimals)
    }
    let writer = try HistoryWriter(
      path: output,
      HistoryWriter.Head(
        .candles, venue: venue, symbol: symbol, contract: contract, pricePlaces: price,
        quantityPlaces: quantity, interval: intervalName, more: [("source", "\(venue) REST")]))
    try each { time, numbers throws(HistoryFault) in
      var row: [Int64] = [time * 1_000_000_000]
      for (index, number) in numbers.enumerated() {
        guard let value = number.scaled(to: index < 4 ? price : quantity) else {
          throw HistoryFault(
            output,
            .beyondScale(
              expected: "numbers that fit 64 bits on one grid", found: "\(number.digits)"),
            row: writer.rows)
        }
        row.append(value)
      }
      try writer.append(row.span)
    }
    try writer.finish()
    // The path lives for the call.
    _ = unsafe unlink(path)
  }

  /// Reads what another run has taken. A line that it could not end is cut off.
  private func resume() throws(HistoryFault) {
    let text = try DumpText.read(path)
    let whole = text.lastIndex(of: 10).map { $0 + 1 } ?? 0
    var lines = text[..<whole].split(separator: 10)[...]
    guard let first = lines.popFirst() else {
      guard ftruncate(descriptor, 0) == 0 else { throw .system(path, "begin it anew", errno) }
      try write(head + "\n")
      return
    }
    guard first.elementsEqual(head.utf8) else {
      throw HistoryFault(
        path,
        .value(
          expected: "a download begun as \(head)",
          found: "\(String(decoding: first.prefix(120), as: UTF8.self)); remove it to begin anew"))
    }
    for line in lines {
      guard let (time, _) = Self.parse(line), time >= next.seconds else {
        throw HistoryFault(
          path,
          .value(
            expected: "a candle a line, each later than the one before",
            found: "“\(String(decoding: line.prefix(80), as: UTF8.self))”; remove it to begin anew")
        )
      }
      let moment = Timestamp(nanoseconds: time * 1_000_000_000)
      if moment > next { try accept(gapBefore: moment) }
      next = moment + interval
      count += 1
    }
    resumed = count
    guard ftruncate(descriptor, off_t(whole)) == 0, lseek(descriptor, 0, SEEK_END) >= 0 else {
      throw .system(path, "go on with it", errno)
    }
  }

  private func append(_ candle: FetchedCandle) throws(HistoryFault) {
    let line =
      [candle.open, candle.high, candle.low, candle.close, candle.volume]
      .reduce("\(candle.openTime.seconds)") { $0 + "," + $1 } + "\n"
    guard Self.parse(ArraySlice(line.utf8.dropLast())) != nil else {
      throw HistoryFault(
        path, .value(expected: "a candle's numbers", found: "“\(line.dropLast())”"))
    }
    try write(line)
  }

  private func write(_ text: String) throws(HistoryFault) {
    let bytes = Array(text.utf8)
    var done = 0
    while done < bytes.count {
      // Within the array, which lives for the call.
      let count = unsafe bytes.withUnsafeBytes {
        unsafe Glibc.write(
          descriptor, $0.baseAddress.unsafelyUnwrapped + done, bytes.count - done)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw .system(path, "write to it", errno) }
      done += count
    }
  }

  private func each(
    _ body: (Int64, [ExactDecimal]) throws(HistoryFault) -> Void
  ) throws(HistoryFault) {
    let rows = try CSVRows(path: path)
    while try rows.next() {
      if rows.line == 1 { continue }
      var numbers: [ExactDecimal] = []
      for field in 1...5 { numbers.append(try rows.decimal(field, "candle")) }
      try body(try rows.integer(0, "time"), numbers)
    }
  }

  private static func parse(_ line: ArraySlice<UInt8>) -> (time: Int64, numbers: [ExactDecimal])? {
    let fields = line.split(separator: 44, omittingEmptySubsequences: false)
    guard fields.count == 6, let time = Int64(String(decoding: fields[0], as: UTF8.self)) else {
      return nil
    }
    var numbers: [ExactDecimal] = []
    for field in fields.dropFirst() {
      guard !field.isEmpty, let number = ExactDecimal(field) else { return nil }
      numbers.append(number)
    }
    return (time, numbers)
  }
}

/// A small file's whole text.
enum DumpText {
  /// - Bounds: 1 GiB.
  static func read(_ path: String) throws(HistoryFault) -> [UInt8] {
    do throws(RecordingFault) { return try RecordingContainer.read(path) } catch {
      if case .unreadable(_, let code) = error { throw .system(path, "read it", code) }
      throw HistoryFault(path, .tooMuch("expected at most 1 GiB, found more"))
    }
  }
}
