internal import Glibc
internal import MartletBase
internal import MartletBook
internal import MartletKernel
internal import MartletModel
internal import MartletOrders
internal import MartletSimulation
internal import MartletVenueKit
internal import WhiteBITWire

// A frame in memory to what leaves, through everything that lies between.
extension BenchSuite {
  func fillToSigned() throws -> BenchResult {
    let ops = amount(2_000, small: 12)
    var watch = Stopwatch(pieces: ops)
    var rounds = Rounds()
    var checksum = Checksum()
    var lines: [String] = []
    for round in 0..<amount(15, small: 1) {
      try trade(fills: ops, &watch, &checksum) {
        if round == 0 { lines.append(String($0)) }
      }
      rounds.add(watch)
    }
    let result = fillResult("fill-to-signed", rounds, checksum)
    fillFrames = lines
    fillToSignedP50 = result.p50
    return result
  }

  /// One life of many fills: every bounded memory of the bot is full and forgets, and its tables have
  /// outgrown the near caches.
  func fillToSignedLong() throws -> BenchResult {
    let ops = amount(60_000, small: 60)
    var watch = Stopwatch(pieces: ops)
    var rounds = Rounds()
    var checksum = Checksum()
    var growths: [Double] = []
    for _ in 0..<amount(5, small: 1) {
      try trade(fills: ops, &watch, &checksum) { _ in }
      rounds.add(watch)
      let sixth = ops / 6
      growths.append(watch.summary(last: sixth).p50 / watch.summary(first: sixth).p50)
    }
    var result = fillResult("fill-to-signed-long", rounds, checksum)
    result.remark(
      "p50 of the last sixth \(BenchResult.number(Rounds.median(growths))) x the first's")
    return result
  }

  private func fillResult(_ name: String, _ rounds: Rounds, _ checksum: Checksum) -> BenchResult {
    var result = rounds.result(name, checksum: checksum.value)
    result.remark(goal("p50", result.p50, atMost: 5_000))
    result.remark(goal("p99", result.p99, atMost: 15_000))
    result.forbidAllocations()
    return result
  }

  /// One life: `watch` times each of its fills until the replacement is signed.
  private func trade(
    fills ops: Int, _ watch: inout Stopwatch, _ checksum: inout Checksum,
    seeing frame: (Span<UInt8>) -> Void
  ) throws {
    let day = try recordedDay()
    defer { discard("\(folder)/fills") }
    // All of it in one segment: the next one is made ready once in thousands of fills, which at this
    // pace were many times a second.
    var bot = try TradingBot.open(
      day, journal: "\(folder)/fills", segmentMegabytes: max(64, ops / 200))
    var venue = FillingVenue(day)
    watch.reset()
    // The first steps of a life meet memory for the first time.
    for _ in 0..<amount(200, small: 2) {
      try venue.fill(&bot)
      try bot.step(.venue(.frame(StreamID(0))), venue.frame.span)
      try bot.recordNotes()
      try venue.settle(&bot)
    }
    for _ in 0..<ops {
      try venue.fill(&bot)
      watch.start()
      try bot.step(.venue(.frame(StreamID(0))), venue.frame.span)
      watch.stop()
      frame(venue.frame.span)
      guard bot.placed.count == 1 else {
        let notes = bot.driver.kernel.notes.map { "\($0.note)" }.joined(separator: "\n  ")
        throw Fault("a fill led to \(bot.placed.count) orders, expected 1; \(notes)")
      }
      // What follows a fill allocates nothing either, though it is not timed.
      watch.countOn()
      try bot.recordNotes()
      _ = bot.driver.kernel.nextDeadline
      watch.countOff()
      try venue.settle(&bot)
    }
    checksum.fold(bot.checksum.value)
    checksum.fold(bot.driver.kernel.counts.fills)
  }

  func quietStep() throws -> BenchResult {
    let day = try recordedDay()
    let ops = amount(4_000, small: 40)
    var watch = Stopwatch(pieces: ops)
    var rounds = Rounds()
    var checksum = Checksum()
    var bytes = 0
    for round in 0..<amount(9, small: 1) {
      defer { discard("\(folder)/quiet-\(round)") }
      var bot = try TradingBot.open(day, journal: "\(folder)/quiet-\(round)")
      watch.reset()
      bytes = 0
      let warmUp = amount(200, small: 2)
      for index in 0..<warmUp + ops {
        let frame = day.depthFrames[index % day.depthFrames.count]
        bot.pass(.milliseconds(1))
        watch.start()
        try bot.step(.venue(.frame(StreamID(0))), frame.span)
        try bot.recordNotes()
        _ = bot.driver.kernel.nextDeadline
        watch.stop()
        if index + 1 == warmUp { watch.reset() }
        if index >= warmUp { bytes += frame.count }
        guard bot.placed.isEmpty, bot.others == 0 else {
          throw Fault("quiet-step: a depth frame made the bot send something")
        }
      }
      guard bot.driver.kernel.markets[0].book.isTrusted, bot.driver.kernel.counts.anomalies == 0
      else { throw Fault("quiet-step: the book is not trusted") }
      rounds.add(watch)
      checksum.fold(bot.driver.kernel.markets[0].book.framesApplied)
      checksum.fold(bot.driver.kernel.markets[0].book.top?.bid?.quanta ?? 0)
    }
    var result = rounds.result("quiet-step", checksum: checksum.value)
    result.remark("frames of \(bytes / ops) bytes")
    result.forbidAllocations()
    return result
  }

  /// Removes a bot's journal and its nonces, once the bot is gone: while it lives, a thread of its
  /// writer may still lay the next segment in there. A `defer` stands before the bot for that.
  func discard(_ path: String) {
    remove(path)
    // A path is a C string for the length of the call.
    unsafe unlink(path + ".nonce")
  }
}

/// A venue that fills the grid's orders as a market that swings would, one after the other, in the
/// venue's own words.
struct FillingVenue: ~Copyable {
  /// The frame that `fill` wrote.
  private(set) var frame = ByteBuffer(capacity: 4096)
  private var reply = ByteBuffer(capacity: 4096)
  private let depthFrames: [[UInt8]]
  private var nextDepth = 0
  private var views: [OrderView] = []
  private var filled: WireOrder?
  private var tradeID: UInt64 = 30_000_000_000
  private var orderID: UInt64 = 3_000_000_000_000
  /// Fills left in this swing, and which way it goes.
  private var left = 0
  private var swing = 0
  private var armedUntil = Timestamp.zero

  /// - Parameter isTimeless: books do not tell when they left the venue. Told again long after, they would be
  ///   late to whoever folds them with nothing but the plan.
  init(_ day: RecordedDay, isTimeless: Bool = false) {
    depthFrames = isTimeless ? day.depthFrames.map(Self.timeless) : day.depthFrames
    views.reserveCapacity(64)
  }

  private static func timeless(_ frame: [UInt8]) -> [UInt8] {
    guard let start = frame.firstRange(of: Array(", \"event_time\":".utf8))?.lowerBound,
      let end = frame[start...].firstIndex(of: UInt8(ascii: "}"))
    else { return frame }
    return Array(frame[..<start] + frame[end...])
  }

  /// Writes the whole fill of the order next to the market, and lets some time pass.
  mutating func fill(_ bot: inout TradingBot) throws {
    bot.pass(.milliseconds(50))
    if left == 0 {
      swing += 1
      // Down and up again by 1 ... 8 levels, so that what was bought is sold.
      left = 1 + (swing / 2 * 5) % 8
    }
    left -= 1
    bot.driver.kernel.orders.fill(&views, of: RecordedDay.strategy)
    var best = nearest(swing % 2 == 0 ? .buy : .sell)
    if best == nil {
      // The whole grid stands on the other side: the market turns round early.
      swing += 1
      best = nearest(swing % 2 == 0 ? .buy : .sell)
    }
    guard let order = best, let instrument = bot.driver.kernel.markets[0].instrument,
      let record = bot.driver.kernel.orders.record(of: order.clientOrderID)
    else {
      let states = views.map { "\($0.side)@\($0.price.quanta) \($0.state)" }
      throw BenchSuite.Fault("no order of the grid is open: \(states.joined(separator: ", "))")
    }
    let side = order.side
    let amount = instrument.scale.amount(of: order.leaves)
    let value = instrument.scale.notional(of: order.leaves, at: order.price)
    let fee = instrument.rules.makerFee.of(side == .buy ? amount : value, rounded: .up)
    let feeAsset = side == .buy ? instrument.base : instrument.quote
    tradeID += 1
    frame.removeAll()
    Fills.writePush(
      WireFill(
        tradeID: tradeID, time: bot.now, market: instrument.symbol,
        orderID: record.venueOrderID.low, price: instrument.scale.amount(of: order.price),
        amount: amount, fee: fee, clientID: ClientText(order.clientOrderID), side: side,
        role: .maker, feeAsset: feeAsset), into: &frame)
    filled = WireOrder(
      orderID: record.venueOrderID.low, clientID: ClientText(order.clientOrderID),
      market: instrument.symbol, side: side, createdAt: bot.now, modifiedAt: bot.now,
      price: instrument.scale.amount(of: order.price), amount: amount, left: .zero,
      dealStock: amount, dealMoney: value, dealFee: fee, feeAsset: feeAsset, status: .filled)
  }

  /// The open order of one side that the market meets first.
  private func nearest(_ side: Side) -> OrderView? {
    var best: OrderView?
    for view in views where view.side == side && view.state == .open {
      guard let other = best else {
        best = view
        continue
      }
      if side == .buy ? view.price > other.price : view.price < other.price { best = view }
    }
    return best
  }

  /// Tells the rest: the filled order's end, the replacement's acceptance, and what time brings.
  mutating func settle(_ bot: inout TradingBot) throws {
    let requests = bot.placed
    if let filled {
      reply.removeAll()
      Orders.writePending(.finish, filled, into: &reply)
      try bot.step(.venue(.frame(StreamID(0))), reply.span)
    }
    for request in requests { try accept(request, &bot) }
    if armedUntil < bot.now + .seconds(20) {
      armedUntil = bot.now + .seconds(60)
      try bot.step(.venue(.deadManArmed(until: armedUntil)), Span())
    }
    nextDepth = (nextDepth + 1) % depthFrames.count
    let depth = depthFrames[nextDepth]
    try bot.step(.venue(.frame(StreamID(0))), depth.span)
    while bot.driver.kernel.nextDeadline <= bot.now {
      try bot.step(.timer, Span())
      guard bot.others == 0, bot.placed.isEmpty else {
        throw BenchSuite.Fault("the bot asked for what this venue does not answer")
      }
    }
    reply.removeAll()
    reply.append("{\"id\":0,\"result\":\"pong\",\"error\":null}")
    try bot.answerPings(reply.span)
  }

  /// The newest order rests at the venue.
  private mutating func accept(_ request: RequestID, _ bot: inout TradingBot) throws {
    bot.driver.kernel.orders.fill(&views, of: RecordedDay.strategy)
    guard let order = views.last(where: { $0.state == .pendingNew }),
      let instrument = bot.driver.kernel.markets[0].instrument
    else { throw BenchSuite.Fault("a request without a new order") }
    orderID += 1
    let amount = instrument.scale.amount(of: order.quantity)
    reply.removeAll()
    Orders.writeReply(
      WireOrder(
        orderID: orderID, clientID: ClientText(order.clientOrderID), market: instrument.symbol,
        side: order.side, createdAt: bot.now, modifiedAt: bot.now,
        price: instrument.scale.amount(of: order.price), amount: amount, left: amount,
        status: .open), into: &reply)
    try bot.step(.venue(.response(request, status: 200)), reply.span)
  }
}
