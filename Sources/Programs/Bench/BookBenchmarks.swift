internal import MartletBase
internal import MartletBook
internal import MartletJSON
internal import MartletModel
internal import WhiteBITWire

// What a frame of market data costs.
extension BenchSuite {
  func depth20() throws -> BenchResult {
    let market = try frames()
    let passes = amount(8, small: 1)
    var watch = Stopwatch(pieces: market.wholeBooks.count * passes)
    var rounds = Rounds()
    var checksum = Checksum()
    var book = OrderBook(limit: MarketFrames.depth)
    var levels: [BookLevel] = []
    levels.reserveCapacity(64)
    for _ in 0..<amount(9, small: 1) {
      watch.reset()
      for _ in 0..<passes {
        for frame in market.wholeBooks {
          let bytes = frame.span
          watch.start()
          levels.removeAll(keepingCapacity: true)
          var message = try Envelope.read(bytes)
          let update = try Depth.read(
            &message.cursor, in: bytes, scale: market.instrument.scale, limit: MarketFrames.depth,
            into: &levels)
          try message.close(in: bytes)
          let verdict = book.applySnapshot(levels.span)
          watch.stop()
          guard verdict == .applied, let top = book.top else {
            throw Fault("depth-20: a frame was \(verdict)")
          }
          checksum.fold(update.updateID)
          checksum.fold(top.bid?.quanta ?? 0)
          checksum.fold(top.ask?.quanta ?? 0)
        }
      }
      rounds.add(watch)
    }
    var result = rounds.result("depth-20", checksum: checksum.value)
    let bytes = market.wholeBooks.reduce(0) { $0 + $1.count } / market.wholeBooks.count
    result.remark("frames of \(bytes) bytes")
    result.remark(goal("p50", result.p50, atMost: 2_000))
    result.forbidAllocations()
    return result
  }

  func bookRow() throws -> BenchResult {
    let market = try frames()
    var watch = Stopwatch(pieces: market.changes.count)
    var rounds = Rounds()
    var checksum = Checksum()
    for _ in 0..<amount(25, small: 1) {
      watch.reset()
      var book = OrderBook(limit: MarketFrames.depth)
      book.applySnapshot(market.opening.span)
      var first = 0
      while first < market.changes.count {
        // Sixteen frames a piece: one alone is shorter than the clock can tell.
        let end = min(first + 16, market.changes.count)
        var rows = 0
        watch.start()
        for index in first..<end {
          let frame = market.changes[index]
          book.apply(frame.span)
          rows += frame.count
        }
        watch.stop(ops: rows)
        first = end
      }
      checksum.fold(book.framesApplied)
      checksum.fold(book.top?.bid?.quanta ?? 0)
      checksum.fold(book.top?.ask?.quanta ?? 0)
      rounds.add(watch)
    }
    var result = rounds.result("book-row", checksum: checksum.value)
    let rows = market.changes.reduce(0) { $0 + $1.count }
    result.remark("\(BenchResult.number(Double(rows) / Double(market.changes.count))) rows a frame")
    result.forbidAllocations()
    return result
  }

  func jsonScan() throws -> BenchResult {
    let market = try frames()
    let passes = amount(8, small: 1)
    var watch = Stopwatch(pieces: market.wholeBooks.count * passes)
    var rounds = Rounds()
    var checksum = Checksum()
    var bytes = 0
    for _ in 0..<amount(9, small: 1) {
      watch.reset()
      bytes = 0
      for _ in 0..<passes {
        for frame in market.wholeBooks {
          let text = frame.span
          watch.start()
          var cursor = JSONCursor()
          try cursor.skipValue(in: text)
          try cursor.end(in: text)
          watch.stop()
          checksum.fold(UInt64(cursor.position))
          bytes += frame.count
        }
      }
      rounds.add(watch)
    }
    var result = rounds.result("json-scan", checksum: checksum.value)
    if let mean = result.nanosecondsPerOp, mean > 0 {
      let perOp = Double(bytes) / Double(market.wholeBooks.count * passes)
      result.remark("\(BenchResult.number(perOp / mean)) GB/s")
    }
    result.forbidAllocations()
    return result
  }

  /// Whether a time meets its goal on this machine, now, for the note.
  func goal(_ name: String, _ value: Double?, atMost limit: Double) -> String {
    guard let value else { return "" }
    let text =
      limit >= 1000 ? "\(BenchResult.number(limit / 1000)) us" : "\(BenchResult.number(limit)) ns"
    return "goal \(name) at most \(text): \(value <= limit ? "met" : "missed here")"
  }
}
