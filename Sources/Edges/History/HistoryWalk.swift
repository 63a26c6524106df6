internal import MartletBase

/// The state of a check as it walks a file.
struct HistoryWalk {
  private let file: HistoryFile
  private let silence: TimeSpan?
  private var check: HistoryCheck

  private var lastTime = Int64.min
  private var lastLine = Int64.min
  private var lastTrade = Int64.min
  private var lastUpdate = Int64.min
  private var series: [Int32] = []
  // Of a book.
  private var book = CheckedBook()
  private var isOpen = false
  private var followsSnapshot = false
  private var frameLine: Int64 = 0
  private var frameRow: Int64 = 0
  private var frameFirst: Int64 = 0
  private var framePrevious: Int64 = 0
  private var frameLast: Int64 = 0
  private var frameIsSnapshot = false
  // Of funding: how often each step was, in minutes, and the latest rows of a step.
  private var steps: [(minutes: Int64, count: Int64, row: Int64, example: String)] = []

  init(_ file: HistoryFile, silence: TimeSpan?) {
    self.file = file
    self.silence = silence
    check = HistoryCheck(schema: file.schema)
  }

  mutating func take(_ reader: borrowing HistoryReader) {
    let schema = file.schema
    let times = reader.wide(schema.isCaptured ? .receivedAt : schema.time)
    let names = file.columns.filter { $0.width == .text }
    for row in 0..<reader.count {
      let place = reader.firstRow + Int64(row)
      if !names.isEmpty {
        let own = names.map { reader.narrow($0)[row] }
        if own != series {
          endSeries()
          series = own
          lastTime = .min
        }
      }
      clock(times[row], place)
      if schema.isCaptured { line(reader.wide(.frameSequence)[row], place) }
      switch schema {
      case .trades, .tradesMin: trade(reader, row, place)
      case .bbo, .quotes: quote(reader, row, place)
      case .book: level(reader, row, place)
      case .candles, .markOHLC, .basis8h: candle(reader, row, place)
      case .mark:
        if reader.wide(.markPrice)[row] <= 0 || reader.wide(.indexPrice)[row] < 0 {
          check.note(.badValue, row: place, "mark \(reader.wide(.markPrice)[row])")
        }
      case .funding: break
      }
      if schema != .book { check.frames += 1 }
    }
    check.rows += Int64(reader.count)
  }

  mutating func end() -> HistoryCheck {
    if isOpen {
      check.note(.brokenFrame, row: frameRow, "the file ends within the frame \(frameLine)")
    }
    endSeries()
    return check
  }

  private mutating func clock(_ time: Int64, _ row: Int64) {
    if lastTime != .min {
      let step = time &- lastTime
      if step < 0 { check.note(.timeOrder, row: row, "\(time) after \(lastTime)") }
      if let interval = file.interval, step != interval.nanoseconds {
        check.note(
          .step, row: row,
          "\(step / 1_000_000_000) s after the one before, expected"
            + " \(interval.nanoseconds / 1_000_000_000) s")
      }
      if file.schema == .funding { fundingStep(step, row, time) }
      if step > check.longestSilence.nanoseconds {
        check.longestSilence = TimeSpan(nanoseconds: step)
        check.silenceAt = Timestamp(nanoseconds: lastTime)
      }
      if let silence, step > silence.nanoseconds {
        check.note(.silence, row: row, "\(step / 1_000_000) ms from \(lastTime) on")
      }
    }
    if check.rows == 0 && row == 0 || time < check.first.nanoseconds {
      check.first = Timestamp(nanoseconds: time)
    }
    if row == 0 || time > check.last.nanoseconds { check.last = Timestamp(nanoseconds: time) }
    lastTime = time
  }

  private mutating func line(_ line: Int64, _ row: Int64) {
    if line < lastLine { check.note(.lineOrder, row: row, "\(line) after \(lastLine)") }
    lastLine = line
  }

  private mutating func trade(_ reader: borrowing HistoryReader, _ row: Int, _ place: Int64) {
    let price = reader.wide(.price)[row]
    let quantity = reader.wide(.quantity)[row]
    let side = reader.narrow(.side)[row]
    if price <= 0 || quantity <= 0 || side < -1 || side > 1 {
      check.note(.badValue, row: place, "price \(price), qty \(quantity), side \(side)")
    }
    guard file.schema == .trades else { return }
    let id = reader.wide(.tradeID)[row]
    guard id >= 0 else { return }
    if lastTrade != .min {
      if id <= lastTrade {
        check.note(.tradeOrder, row: place, "\(id) after \(lastTrade)")
      } else if id != lastTrade + 1 {
        check.note(.tradeGap, row: place, "\(id) after \(lastTrade)")
      }
    }
    lastTrade = id
  }

  private mutating func quote(_ reader: borrowing HistoryReader, _ row: Int, _ place: Int64) {
    let bid = reader.wide(.bidPrice)[row]
    let ask = reader.wide(.askPrice)[row]
    // A side without orders is told as 0.
    if bid > 0 && ask > 0 && bid >= ask { check.note(.crossed, row: place, "\(bid) over \(ask)") }
    let bidQuantity = reader.wide(.bidQuantity)[row]
    let askQuantity = reader.wide(.askQuantity)[row]
    if bid < 0 || ask < 0 || bidQuantity < 0 || askQuantity < 0 {
      check.note(.badValue, row: place, "\(bidQuantity) at \(bid), \(askQuantity) at \(ask)")
    }
    guard file.schema == .bbo else { return }
    let update = reader.wide(.update)[row]
    if update >= 0 {
      if update <= lastUpdate {
        check.note(.updateOrder, row: place, "\(update) after \(lastUpdate)")
      }
      lastUpdate = update
    }
  }

  private mutating func candle(_ reader: borrowing HistoryReader, _ row: Int, _ place: Int64) {
    let open = reader.wide(.open)[row]
    let high = reader.wide(.high)[row]
    let low = reader.wide(.low)[row]
    let close = reader.wide(.close)[row]
    if low > min(open, close) || high < max(open, close) || low > high {
      check.note(
        .candle, row: place, "open \(open), high \(high), low \(low), close \(close)")
    }
    let volume = file.schema == .markOHLC ? 0 : reader.wide(.volume)[row]
    // A premium index may be below zero; a price may not.
    if volume < 0 || file.schema != .markOHLC && low <= 0 {
      check.note(.badValue, row: place, "low \(low), volume \(volume)")
    }
  }

  private mutating func level(_ reader: borrowing HistoryReader, _ row: Int, _ place: Int64) {
    let flags = reader.narrow(.flags)[row]
    let line = reader.wide(.frameSequence)[row]
    let isSnapshot = flags & HistoryFeed.snapshotBit != 0
    if isOpen, line != frameLine {
      check.note(.brokenFrame, row: place, "\(line) before the last row of \(frameLine)")
      isOpen = false
    }
    if !isOpen {
      isOpen = true
      frameLine = line
      frameRow = place
      frameIsSnapshot = isSnapshot
      frameFirst = reader.wide(.firstUpdate)[row]
      framePrevious = reader.wide(.previousUpdate)[row]
      frameLast = reader.wide(.lastUpdate)[row]
      if isSnapshot { book = CheckedBook() }
    }
    let side = reader.narrow(.side)[row]
    let price = reader.wide(.price)[row]
    let quantity = reader.wide(.quantity)[row]
    if flags & HistoryFeed.emptyBit == 0 {
      if side != 1 && side != -1 || price <= 0 || quantity < 0 {
        check.note(.badValue, row: place, "side \(side), price \(price), qty \(quantity)")
      } else {
        book.set(isBid: side == 1, price, quantity)
      }
    }
    if flags & HistoryFeed.lastRowBit != 0 { endFrame() }
  }

  private mutating func endFrame() {
    isOpen = false
    check.frames += 1
    if let (bid, ask) = book.crossing { check.note(.crossed, row: frameRow, "\(bid) over \(ask)") }
    if !frameIsSnapshot, lastUpdate != .min, frameLast >= 0 {
      let isChained: Bool
      if framePrevious >= 0 {
        isChained = framePrevious == lastUpdate
      } else if frameFirst >= 0 {
        isChained = frameFirst == lastUpdate + 1
      } else {
        isChained = frameLast > lastUpdate
      }
      // The first behind a snapshot may reach back before it.
      let overlaps = followsSnapshot && frameFirst <= lastUpdate + 1 && frameLast >= lastUpdate
      if !isChained && !overlaps {
        check.note(
          .chainBreak, row: frameRow,
          "updates \(frameFirst) … \(frameLast), which follow \(framePrevious), after \(lastUpdate)"
        )
      }
    }
    followsSnapshot = frameIsSnapshot
    if frameLast >= 0 { lastUpdate = frameLast }
  }

  /// Steps of funding differ between venues and contracts; within a series one is the rule.
  private mutating func fundingStep(_ step: Int64, _ row: Int64, _ time: Int64) {
    // Rounded to minutes: venues settle some milliseconds late.
    let minutes = (step + 30_000_000_000) / 60_000_000_000
    if let index = steps.firstIndex(where: { $0.minutes == minutes }) {
      steps[index].count += 1
    } else if steps.count < 64 {
      steps.append((minutes, 1, row, "\(minutes) min before \(time)"))
    } else {
      steps[63].count += 1
    }
  }

  private mutating func endSeries() {
    guard let usual = steps.max(by: { $0.count < $1.count }) else { return }
    for other in steps where other.minutes != usual.minutes {
      for _ in 0..<other.count {
        check.note(
          .step, row: other.row, "\(other.example), expected \(usual.minutes) min as mostly")
      }
    }
    steps = []
  }
}

/// Both sides of a book, sorted, for a check.
///
/// - Bounds: 2²⁰ levels a side; what lies beyond is left out, farthest first.
struct CheckedBook {
  private static let mostLevels = 1 << 20
  // Best last.
  private var bids: [Int64] = []
  private var asks: [Int64] = []

  mutating func set(isBid: Bool, _ price: Int64, _ quantity: Int64) {
    if isBid {
      Self.set(&bids, price, isThere: quantity > 0)
    } else {
      Self.set(&asks, -price, isThere: quantity > 0)
    }
  }

  /// Best bid and best ask, when the bid is not below.
  var crossing: (bid: Int64, ask: Int64)? {
    guard let bid = bids.last, let ask = asks.last, bid >= -ask else { return nil }
    return (bid, -ask)
  }

  private static func set(_ levels: inout [Int64], _ price: Int64, isThere: Bool) {
    var low = 0
    var high = levels.count
    while low < high {
      let middle = (low + high) / 2
      if levels[middle] < price { low = middle + 1 } else { high = middle }
    }
    let isHeld = low < levels.count && levels[low] == price
    if isThere, !isHeld {
      levels.insert(price, at: low)
      if levels.count > mostLevels { levels.removeFirst() }
    } else if !isThere, isHeld {
      levels.remove(at: low)
    }
  }
}
