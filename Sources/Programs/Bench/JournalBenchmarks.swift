internal import MartletBase
internal import MartletJournalFile
internal import MartletKernel
internal import MartletLive
internal import MartletModel
internal import MartletRecord
internal import MartletSimulation
internal import MartletVenueKit
internal import WhiteBITSession
internal import WhiteBITWire

// Whole journals in files: the states in them, their replay, and a long one to find a record in.
extension BenchSuite {
  /// A bot's state when every bounded memory of it is full, written and journaled as the live program
  /// does it, on the kernel's thread.
  func snapshotRecord() throws -> BenchResult {
    let day = try recordedDay()
    let path = "\(folder)/states"
    defer { discard(path) }
    var bot = try TradingBot.open(day, journal: path, segmentMegabytes: effort == .full ? 640 : 64)
    var venue = FillingVenue(day)
    for _ in 0..<amount(70_000, small: 8) {
      try venue.fill(&bot)
      try bot.step(.venue(.frame(StreamID(0))), venue.frame.span)
      try bot.recordNotes()
      try venue.settle(&bot)
    }
    let count = amount(40, small: 2)
    var watch = Stopwatch(pieces: count)
    var rounds = Rounds()
    var checksum = Checksum()
    var size = 0
    for _ in 0..<amount(3, small: 1) {
      watch.reset()
      for _ in 0..<count {
        watch.start()
        size = try bot.keepState(of: day)
        watch.stop()
        checksum.fold(UInt64(size))
      }
      rounds.add(watch)
    }
    var result = rounds.result("snapshot-record", checksum: checksum.value)
    result.remark("\(size) bytes; at most once in \(StateCadence.records) records or a segment")
    return result
  }

  /// `replay --verify` of a journal of a recorded day's runs, without the start of a process; beside it, turn
  /// by turn, the same without a thread that proves ahead.
  func replayFile() throws -> BenchResult {
    let day = try recordedDay()
    let path = "\(folder)/replayed"
    defer { discard(path) }
    let records = try write(day, runs: amount(30, small: 2), to: path)
    var watch = Stopwatch(pieces: 1)
    var rounds = Rounds()
    var ratios: [Double] = []
    var alone: [Double] = []
    var checksum = Checksum()
    for _ in 0..<amount(5, small: 1) {
      var means: [Double] = []
      for provesAhead in [false, true] {
        watch.reset()
        watch.start()
        guard let fold = try JournalFold.whole(path, provesAhead: provesAhead),
          fold.difference == nil, fold.records == records
        else { throw Fault("replay-file: the journal does not fold to what it holds") }
        watch.stop(ops: Int(records))
        means.append(watch.summary().mean)
        checksum.fold(fold.inputs)
        checksum.fold(fold.compared)
      }
      rounds.add(watch)
      alone.append(means[0])
      ratios.append(means[1] / means[0])
    }
    var result = rounds.result("replay-file", checksum: checksum.value)
    if let mean = result.nanosecondsPerOp, mean > 0 {
      result.remark("\(Int64(1_000_000_000 / mean)) records/s")
      result.remark(goal("mean", mean, atMost: 1_000))
      result.remark(
        "\(Int64((Rounds.median(ratios) * 100).rounded())) % of its time on one thread"
          + " (\(Int64(1_000_000_000 / Rounds.median(alone))) records/s)")
    }
    return result
  }

  /// Writes a recorded day as the live program does, again and again, each time as a run of its own.
  ///
  /// - Returns: how many records.
  private func write(_ day: RecordedDay, runs: Int, to path: String) throws -> UInt64 {
    var options = JournalOptions(build: "bench")
    options.sync = .atClose
    var last: UInt64 = 0
    for _ in 0..<runs {
      let writer = try JournalWriter.open(folder: path, options: options, at: RecordedDay.start)
      var driver = KernelDriver(
        kernel: day.plan.makeKernel { $0.bookLag = RecordedDay.noLag },
        sink: MappedJournal(writer: writer))
      let plan = day.plan.record()
      _ = try driver.sink.writer.append(
        kind: RecordKind(JournalKind.start), time: RecordedDay.start, payload: plan.span)
      for entry in day.entries where entry.kind == JournalKind.input {
        guard let (input, start) = InputCoding.read(entry.payload.span) else {
          throw Fault("an unreadable input in the recorded day")
        }
        try driver.feed(
          input, bytes: entry.payload.span.extracting(start..<entry.payload.count), at: entry.time)
      }
      last = driver.sink.writer.nextSequence - 1
    }
    return last
  }

  /// Writes a journal of `records` records: a bot trades until its memories are full, a tenth of the
  /// way at most, and then is told last prices, with its state in between as the live program has it.
  /// Its full segments are put away as the live program's are, all but the newest.
  ///
  /// - Parameters:
  ///   - path: a folder that must not exist; `removeJournal` takes it away again.
  ///   - segmentBytes: nil for the usual length.
  public func makeJournal(records: UInt64, at path: String, segmentBytes: Int? = nil) throws {
    let day = try recordedDay()
    let cadence = records / 200 < StateCadence.records ? records / 20 : nil
    var bot = try TradingBot.begin(day, journal: path, segmentBytes: segmentBytes)
    bot.keepsNotes = true
    var venue = FillingVenue(day, isTimeless: true)
    var written = 0
    while bot.nextSequence < records / 10 {
      try venue.fill(&bot)
      try bot.step(.venue(.frame(StreamID(0))), venue.frame.span)
      try venue.settle(&bot)
      written = try bot.keepStateIfDue(of: day, each: cadence) ?? written
    }
    guard let instrument = bot.driver.kernel.markets[0].instrument,
      let last = bot.driver.kernel.markets[0].lastPrice
    else { throw Fault("the recorded day told no last price") }
    let frames = (0..<64).map { step in
      var frame = ByteBuffer(capacity: 256)
      Trades.writeLastPrice(
        market: instrument.symbol,
        price: instrument.scale.amount(
          of: Price(quanta: last.quanta + Int64(step % 8) * instrument.rules.tickSize)),
        into: &frame)
      return frame.copy()
    }
    var index = 0
    while bot.nextSequence <= records {
      bot.pass(.milliseconds(1))
      let frame = frames[index % 64]
      try bot.step(.venue(.frame(StreamID(0))), frame.span)
      index += 1
      written = try bot.keepStateIfDue(of: day, each: cadence) ?? written
    }
    guard written > 0 else { throw Fault("no state was due in \(records) records") }
    try bot.awaitParting()
  }

  /// Removes what `makeJournal` made.
  public func removeJournal(at path: String) { discard(path) }
}
