public import MartletBase

/// How long something takes on its way: a constant and a part drawn anew each time.
public struct Delay: Equatable, Sendable {
  public var least: TimeSpan
  /// The drawn part is below this; zero for none.
  public var spread: TimeSpan

  /// - Parameters: neither negative.
  public init(_ least: TimeSpan, spread: TimeSpan = .zero) {
    precondition(least >= .zero && spread >= .zero, "a delay back in time")
    self.least = least
    self.spread = spread
  }

  /// The longest it may be.
  var most: TimeSpan { least + spread }

  func draw(_ random: inout SeededRandom) -> TimeSpan {
    guard spread > .zero else { return least }
    return least + TimeSpan(nanoseconds: Int64(random.below(UInt64(spread.nanoseconds))))
  }
}

extension Delay: CustomStringConvertible {
  public var description: String {
    spread == .zero ? least.text : "\(least.text) to \(most.text), drawn evenly"
  }
}

extension TimeSpan {
  /// In the largest unit that takes no fraction.
  var text: String {
    if nanoseconds % 1_000_000_000 == 0 { return "\(nanoseconds / 1_000_000_000) s" }
    if nanoseconds % 1_000_000 == 0 { return "\(nanoseconds / 1_000_000) ms" }
    if nanoseconds % 1_000 == 0 { return "\(nanoseconds / 1_000) us" }
    return "\(nanoseconds) ns"
  }
}

extension Rate {
  /// In percent, exact.
  var percent: String {
    "\(Amount(units: Int128(units) * powerOfTen(Amount.places - Rate.places + 2))) %"
  }
}

/// What is on its way one way, in the order in which it left: nothing overtakes.
///
/// - Bounds: as much as leaves in one delay; the room is kept and used again.
struct Passage<Element> {
  private var items: [(due: Timestamp, element: Element)] = []
  private var head = 0
  private var last = Timestamp.zero

  var nextTime: Timestamp { head < items.count ? items[head].due : .distantFuture }
  var isEmpty: Bool { head == items.count }

  mutating func send(_ element: Element, arriving due: Timestamp) {
    last = max(last, due)
    if head == items.count {
      items.removeAll(keepingCapacity: true)
      head = 0
    } else if head >= 1024 && head * 2 >= items.count {
      items.removeFirst(head)
      head = 0
    }
    items.append((last, element))
  }

  /// What is on its way is not told any more.
  mutating func removeAll() {
    items.removeAll(keepingCapacity: true)
    head = 0
  }

  /// The first, which is there.
  mutating func receive() -> Element {
    defer { head += 1 }
    return items[head].element
  }
}
