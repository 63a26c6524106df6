public import MartletBase
internal import MartletBook
internal import MartletModel
internal import MartletOrders
internal import MartletPortfolio
internal import MartletRisk
internal import MartletStrategy
internal import MartletVenueKit

/// Every part of the kernel's state, between two steps. What a step leaves in `effects` and `notes`
/// is not state: it was carried out and journaled.
extension Kernel: Snapshotting where Session: ~Copyable {
  public borrowing func write(to snapshot: inout SnapshotWriter) {
    // Said only when it is so: any other state is written as it ever was.
    if isHeld { snapshot.section("held") }
    // Without stops it is written as before there were any.
    snapshot.section(stops.isEmpty ? "kernel-3" : "kernel-4")
    snapshot.write(trace.sequence)
    snapshot.write(now)
    snapshot.write(isReady)
    snapshot.write(isPaused)
    snapshot.write(isStopping)
    snapshot.write(isStopped)
    snapshot.write(takesOver)
    for count in [
      counts.frames, counts.fills, counts.placed, counts.canceled, counts.refusedByRisk,
      counts.refusedByVenue, counts.doubts, counts.gaps, counts.anomalies,
    ] {
      snapshot.write(count)
    }
    snapshot.write(UInt32(markets.count))
    for market in markets {
      snapshot.write(market.instrument != nil)
      if let instrument = market.instrument { snapshot.write(instrument) }
      market.book.write(to: &snapshot)
      snapshot.write(market.lastPrice != nil)
      snapshot.write(market.lastPrice ?? Price(quanta: 0))
      snapshot.write(market.wasTrusted)
    }
    portfolio.write(to: &snapshot)
    orders.write(to: &snapshot)
    risk.write(to: &snapshot)
    snapshot.write(UInt32(strategies.count))
    for slot in strategies {
      snapshot.write(slot.wakeAt)
      slot.strategy.write(to: &snapshot)
    }
    snapshot.write(flattening != nil)
    snapshot.write(flattening?.endsAt ?? .zero)
    snapshot.write(flattening?.nextAt ?? .zero)
    snapshot.write(flattening?.orders ?? 0)
    if !stops.isEmpty {
      for market in markets { snapshot.write(market.toldAt) }
      snapshot.write(UInt32(stops.count))
      for stop in stops { stop.write(to: &snapshot) }
    }
    session.write(to: &snapshot)
  }

  /// Reads into a kernel made from the same configuration.
  ///
  /// - Throws: also when the snapshot is of a kernel with other instruments or strategies.
  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    isHeld = snapshot.takeSection("held")
    let hasStops = snapshot.takeSection("kernel-4")
    if !hasStops { try snapshot.section("kernel-3") }
    trace = TraceID(try snapshot.read())
    now = try snapshot.timestamp()
    isReady = try snapshot.bool()
    isPaused = try snapshot.bool()
    isStopping = try snapshot.bool()
    isStopped = try snapshot.bool()
    takesOver = try snapshot.bool()
    counts.frames = try snapshot.read()
    counts.fills = try snapshot.read()
    counts.placed = try snapshot.read()
    counts.canceled = try snapshot.read()
    counts.refusedByRisk = try snapshot.read()
    counts.refusedByVenue = try snapshot.read()
    counts.doubts = try snapshot.read()
    counts.gaps = try snapshot.read()
    counts.anomalies = try snapshot.read()
    let instruments = try snapshot.read(UInt32.self)
    guard Int(instruments) == markets.count else {
      throw .impossible(
        "\(instruments) instruments where \(markets.count) are configured", offset: snapshot.offset)
    }
    for index in markets.indices {
      markets[index].instrument = try snapshot.bool() ? try snapshot.instrument() : nil
      try markets[index].book.read(from: &snapshot)
      let hasLast = try snapshot.bool()
      let last = try snapshot.price()
      markets[index].lastPrice = hasLast ? last : nil
      markets[index].wasTrusted = try snapshot.bool()
      markets[index].isChanged = false
    }
    try portfolio.read(from: &snapshot)
    try orders.read(from: &snapshot)
    try risk.read(from: &snapshot)
    let count = try snapshot.read(UInt32.self)
    guard Int(count) == strategies.count else {
      throw .impossible(
        "\(count) strategies where \(strategies.count) are configured", offset: snapshot.offset)
    }
    for index in strategies.indices {
      strategies[index].wakeAt = try snapshot.timestamp()
      strategies[index].shown = nil
      try strategies[index].strategy.read(from: &snapshot)
    }
    let isFlattening = try snapshot.bool()
    let endsAt = try snapshot.timestamp()
    let nextAt = try snapshot.timestamp()
    let placed = try snapshot.read(UInt32.self)
    flattening =
      isFlattening ? Flattening(endsAt: endsAt, nextAt: nextAt, orders: placed) : nil
    stops = []
    if hasStops {
      for index in markets.indices { markets[index].toldAt = try snapshot.timestamp() }
      let count = try snapshot.read(UInt32.self)
      guard Int(count) <= 2 * strategies.count else {
        throw .impossible(
          "\(count) stops of \(strategies.count) strategies", offset: snapshot.offset)
      }
      for _ in 0..<count { stops.append(try LocalStop(from: &snapshot)) }
    }
    try session.read(from: &snapshot)
  }
}
