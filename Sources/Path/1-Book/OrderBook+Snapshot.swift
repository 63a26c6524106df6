public import MartletBase

extension OrderBook: Snapshotting {
  public borrowing func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("book")
    snapshot.write(UInt32(limit))
    snapshot.write(UInt32(slack))
    snapshot.write(isTrusted)
    snapshot.write(framesApplied)
    snapshot.write(crossedFrames)
    snapshot.write(malformedFrames)
    bidSide.write(to: &snapshot)
    askSide.write(to: &snapshot)
  }

  /// - Throws: also when the book that was written had other bounds than this one.
  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("book")
    let start = snapshot.offset
    let foundLimit = Int(try snapshot.read(UInt32.self))
    let foundSlack = Int(try snapshot.read(UInt32.self))
    guard foundLimit == limit && foundSlack == slack else {
      throw .impossible(
        "a book of \(foundLimit) + \(foundSlack) levels, expected \(limit) + \(slack)",
        offset: start)
    }
    let trusted = try snapshot.bool()
    let counts = (
      try snapshot.read(UInt64.self), try snapshot.read(UInt64.self), try snapshot.read(UInt64.self)
    )
    try bidSide.read(from: &snapshot)
    try askSide.read(from: &snapshot)
    restore(isTrusted: trusted, counts: counts)
  }
}

extension BookSide {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.write(UInt32(count))
    for depth in 0..<count {
      let entry = entry(at: depth)
      snapshot.write(entry.rank)
      snapshot.write(entry.quantity)
    }
  }

  mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    let start = snapshot.offset
    let found = try snapshot.count(ofSize: 16)
    guard found <= capacity else {
      throw .impossible("\(found) levels where \(capacity) fit", offset: start)
    }
    removeAll()
    for _ in 0..<found {
      let rank = try snapshot.read(Int64.self)
      let quantity = try snapshot.read(Int64.self)
      guard quantity > 0 && fill(rank: rank, quantity: quantity) else {
        throw .impossible("a level out of order", offset: start)
      }
    }
    finishFill()
  }
}
