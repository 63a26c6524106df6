public import MartletBase
public import MartletModel

/// One instrument's book as its venue tells it, bounded, and trusted only while its chain is whole.
///
/// A venue tells frames; the book is looked at between them, never inside one: in mid-frame a real
/// book is crossed more often than not (HOTPATH, section 3).
///
/// - Bounds: `limit` levels a side between frames, `limit` + `slack` inside one. What is worse is
///   dropped, because a venue that tells `limit` levels says nothing more of them.
public struct OrderBook: Sendable {
  /// What became of a frame.
  @frozen public enum Verdict: UInt8, Sendable, BitwiseCopyable {
    /// Applied; the book is trusted.
    case applied = 0
    /// A delta while the book was not trusted: nothing to apply it to.
    case ignored = 1
    /// After the whole frame the best bid was not below the best ask. The book is not trusted now.
    case crossed = 2
    /// A level had a negative quantity. The book is not trusted now.
    case malformed = 3
  }

  /// Levels a side that are kept between frames.
  public let limit: Int
  /// Levels a side beyond `limit` that a frame may add before it removes others.
  public let slack: Int
  /// Whether the book may be traded on.
  public private(set) var isTrusted = false
  /// Frames applied since the start.
  public private(set) var framesApplied: UInt64 = 0
  /// Frames after which the book was crossed, since the start.
  public private(set) var crossedFrames: UInt64 = 0
  /// Frames with a level that no book can have, since the start.
  public private(set) var malformedFrames: UInt64 = 0

  var bidSide: BookSide
  var askSide: BookSide

  /// - Parameters:
  ///   - limit: levels a side, as subscribed; 1 ... 10,000, meant for some hundred at most.
  ///   - slack: room for levels that appear in a frame before others go.
  public init(limit: Int = 100, slack: Int = 32) {
    precondition(limit >= 1 && limit <= 10_000 && slack >= 0, "book of \(limit) + \(slack) levels")
    self.limit = limit
    self.slack = slack
    bidSide = BookSide(capacity: limit + slack)
    askSide = BookSide(capacity: limit + slack)
  }

  /// The best of both sides, or nil while the book is not trusted.
  public var top: TrustedTop? {
    guard isTrusted else { return nil }
    let bid = bidSide.count > 0 ? bidSide.entry(at: 0) : nil
    let ask = askSide.count > 0 ? askSide.entry(at: 0) : nil
    return TrustedTop(
      bid: bid.map { Price(quanta: $0.rank) }, bidQuantity: Quantity(quanta: bid?.quantity ?? 0),
      ask: ask.map { Price(quanta: ~$0.rank) }, askQuantity: Quantity(quanta: ask?.quantity ?? 0))
  }

  /// Replaces the book by `levels`, which makes it trusted.
  ///
  /// - Parameter levels: both sides, in any order; fastest when each side comes best first.
  /// - Complexity: linear when each side comes best first, quadratic otherwise.
  @discardableResult public mutating func applySnapshot(_ levels: Span<BookLevel>) -> Verdict {
    bidSide.removeAll()
    askSide.removeAll()
    var isOrdered = true
    for index in 0..<levels.count where isOrdered {
      let level = levels[index]
      // A level removed, or told twice, is no simple list; the rows then say it one by one.
      guard level.quantity.quanta > 0 else {
        isOrdered = false
        break
      }
      switch level.side {
      case .buy:
        isOrdered = bidSide.fill(rank: level.price.quanta, quantity: level.quantity.quanta)
      case .sell:
        isOrdered = askSide.fill(rank: ~level.price.quanta, quantity: level.quantity.quanta)
      }
    }
    if isOrdered {
      bidSide.finishFill()
      askSide.finishFill()
    } else {
      bidSide.removeAll()
      askSide.removeAll()
      guard applyRows(levels) else { return reject() }
    }
    isTrusted = true
    return finishFrame()
  }

  /// Changes the book by one frame of `levels`; a quantity of zero removes a level.
  ///
  /// - Complexity: for each level, linear in the levels better than it.
  @discardableResult public mutating func apply(_ levels: Span<BookLevel>) -> Verdict {
    guard isTrusted else { return .ignored }
    guard applyRows(levels) else { return reject() }
    return finishFrame()
  }

  /// The chain of updates broke: nothing may be traded on until the next snapshot.
  public mutating func distrust() { isTrusted = false }

  // MARK: Reading, best first

  /// Levels of one side.
  public func count(_ side: Side) -> Int {
    switch side {
    case .buy: bidSide.count
    case .sell: askSide.count
    }
  }

  /// The level of `side` at `depth`, 0 for the best; traps at `count(side)` and beyond.
  public func level(_ side: Side, at depth: Int) -> BookLevel {
    switch side {
    case .buy:
      let entry = bidSide.entry(at: depth)
      return BookLevel(
        side: side, price: Price(quanta: entry.rank), quantity: Quantity(quanta: entry.quantity))
    case .sell:
      let entry = askSide.entry(at: depth)
      return BookLevel(
        side: side, price: Price(quanta: ~entry.rank), quantity: Quantity(quanta: entry.quantity))
    }
  }

  /// What is shown at `price`, zero when nothing is.
  public func quantity(_ side: Side, at price: Price) -> Quantity {
    for depth in 0..<count(side) {
      let level = level(side, at: depth)
      if level.price == price { return level.quantity }
    }
    return .zero
  }

  mutating func restore(isTrusted: Bool, counts: (UInt64, UInt64, UInt64)) {
    self.isTrusted = isTrusted
    (framesApplied, crossedFrames, malformedFrames) = counts
  }

  // MARK: Steps of a frame

  private mutating func applyRows(_ levels: Span<BookLevel>) -> Bool {
    for index in 0..<levels.count {
      let level = levels[index]
      if level.quantity.quanta < 0 { return false }
      switch level.side {
      case .buy: bidSide.apply(rank: level.price.quanta, quantity: level.quantity.quanta)
      case .sell: askSide.apply(rank: ~level.price.quanta, quantity: level.quantity.quanta)
      }
    }
    return true
  }

  private mutating func finishFrame() -> Verdict {
    bidSide.truncate(to: limit)
    askSide.truncate(to: limit)
    if bidSide.count > 0 && askSide.count > 0
      && bidSide.entry(at: 0).rank >= ~askSide.entry(at: 0).rank
    {
      crossedFrames += 1
      isTrusted = false
      return .crossed
    }
    framesApplied += 1
    return .applied
  }

  private mutating func reject() -> Verdict {
    malformedFrames += 1
    isTrusted = false
    return .malformed
  }
}
