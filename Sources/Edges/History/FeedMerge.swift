internal import MartletBase

/// What a stream knows of its files: which has the next frame.
@safe struct FeedMerge {
  /// Files whose frames one sequence orders.
  private struct Capture {
    var feeds: [Int]
    /// The feed whose frame is next; -1 at the end.
    var head = -1
    /// When the last frame that was handed out arrived.
    var arrived = Int64.min
  }

  private(set) var feeds: [HistoryFeed]
  private var captures: [Capture]
  /// The capture whose frame comes next; -1 at the end.
  private var current = -1
  /// What the best of the other captures has to offer: until then the current one goes on alone.
  private var limit = Int64.max
  private var limitCapture = Int.max

  /// Frames handed out.
  private(set) var frames: Int64 = 0
  /// Rows in them.
  private(set) var rows: Int64 = 0

  init(_ inputs: [MarketStream.Input], batch: Int) throws(HistoryFault) {
    guard !inputs.isEmpty else { throw HistoryFault("(no file)", .noRows) }
    guard inputs.count <= MarketStream.mostFiles else {
      throw HistoryFault(
        inputs[MarketStream.mostFiles].file.path,
        .tooMuch("expected at most \(MarketStream.mostFiles) files, found \(inputs.count)"))
    }
    var feeds: [HistoryFeed] = []
    var captures: [Capture] = []
    var names: [String?] = []
    for (index, input) in inputs.enumerated() {
      feeds.append(try HistoryFeed(input, index: index, batch: batch))
      let name = input.file.capture
      if let name, let known = names.firstIndex(of: name) {
        captures[known].feeds.append(index)
      } else {
        names.append(name)
        captures.append(Capture(feeds: [index]))
      }
    }
    self.feeds = feeds
    self.captures = captures
    for capture in captures.indices { try choose(in: capture) }
    chooseCapture()
  }

  /// As `MarketStream.next`.
  mutating func next() throws(HistoryFault) -> HistoryFrame? {
    guard current >= 0 else { return nil }
    let head = captures[current].head
    if feeds[head].isHandedOut {
      do throws(HistoryFault) {
        try feeds[head].advance()
        try choose(in: current)
      } catch {
        current = -1
        throw error
      }
      let next = captures[current].head
      let arrival = next < 0 ? Int64.max : feeds[next].frame.arrivedAt.nanoseconds
      if next < 0 || arrival > limit || arrival == limit && limitCapture < current {
        chooseCapture()
        guard current >= 0 else { return nil }
      }
    }
    let next = captures[current].head
    feeds[next].isHandedOut = true
    let frame = feeds[next].frame
    captures[current].arrived = frame.arrivedAt.nanoseconds
    frames &+= 1
    rows &+= Int64(frame.count)
    return frame
  }

  /// Finds the feed with the least sequence in a capture.
  private mutating func choose(in capture: Int) throws(HistoryFault) {
    var head = -1
    for feed in captures[capture].feeds where !feeds[feed].isAtEnd {
      if head < 0 || feeds[feed].frame.sequence < feeds[head].frame.sequence {
        head = feed
      } else if feeds[feed].frame.sequence == feeds[head].frame.sequence {
        throw HistoryFault(
          feeds[feed].source.file.path,
          .outOfOrder(
            expected: "each line of a capture in one of its files",
            found: "\(feeds[feed].frame.sequence) in \(feeds[head].source.file.path) too"),
          column: HistoryColumn.frameSequence.rawValue, row: feeds[feed].row)
      }
    }
    captures[capture].head = head
    guard head >= 0 else { return }
    let arrival = feeds[head].frame.arrivedAt.nanoseconds
    guard arrival >= captures[capture].arrived else {
      throw HistoryFault(
        feeds[head].source.file.path,
        .outOfOrder(
          expected: "times of arrival that do not step back, \(captures[capture].arrived) or later",
          found: "\(arrival)"),
        column: feeds[head].arrivalColumn.rawValue, row: feeds[head].row)
    }
  }

  /// Finds the capture whose frame arrived first, and how long it may go on alone.
  private mutating func chooseCapture() {
    current = -1
    limit = .max
    limitCapture = .max
    var best = Int64.max
    for index in captures.indices {
      let head = captures[index].head
      guard head >= 0 else { continue }
      let arrival = feeds[head].frame.arrivedAt.nanoseconds
      if current < 0 || arrival < best {
        (limit, limitCapture) = current < 0 ? (.max, .max) : (best, current)
        (best, current) = (arrival, index)
      } else if arrival < limit {
        (limit, limitCapture) = (arrival, index)
      }
    }
  }
}
