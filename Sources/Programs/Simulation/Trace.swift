public import MartletBase
public import MartletVenueKit

/// Everything that crossed between client and venue, in order: what trace tests and the auditor read.
public struct TraceEntry: Sendable {
  /// Who of the client asked.
  public enum Party: Equatable, Sendable { case kernel, deadMan }

  public enum Event: Sendable {
    /// A client process began: its kernel, its dead-man, its journal are new.
    case started
    /// It died.
    case killed
    /// Its kernel's thread does nothing from here on, for so long at least.
    case slept(TimeSpan)
    /// A request left the client, signed.
    case requested(UInt64, by: Party, target: String, body: [UInt8])
    /// It reached the venue.
    case arrived(UInt64)
    /// The venue answered it.
    case answered(UInt64, status: Int, body: [UInt8])
    /// The answer reached the client.
    case replied(UInt64, status: Int, body: [UInt8])
    /// The client was told that there will be none.
    case failed(UInt64, RequestFailure)
    /// A stream is open, as the client sees it.
    case opened(UInt64)
    /// It is gone, as the client sees it.
    case closed(UInt64)
    /// The client sent a frame.
    case sent(UInt64, [UInt8])
    /// A frame reached the client.
    case told(UInt64, [UInt8])
  }

  public let time: Timestamp
  /// Of the client, from 1; which process it was.
  public let life: Int
  public let event: Event
}

/// - Bounds: `capacity` entries; what comes after is counted and not kept.
public struct Trace: Sendable {
  public private(set) var entries: [TraceEntry] = []
  /// Entries that found no room: an audit of this trace proves nothing.
  public private(set) var dropped = 0
  let capacity: Int
  /// Frames and requests that were sent, and frames and replies that came.
  public private(set) var messages = 0
  /// Orders in the placements that left.
  public private(set) var orders = 0

  init(capacity: Int) { self.capacity = capacity }

  mutating func append(_ event: TraceEntry.Event, life: Int, at time: Timestamp) {
    switch event {
    case .requested(_, _, let target, let body):
      messages += 1
      if target == WhiteBITPaths.place { orders += 1 }
      if target == WhiteBITPaths.placeMany {
        orders += JournalAudit.clientOrderIDs(in: String(decoding: body, as: UTF8.self)).count
      }
    case .replied, .sent, .told: messages += 1
    case .started, .killed, .slept, .arrived, .answered, .failed, .opened, .closed: break
    }
    guard entries.count < capacity else {
      dropped += 1
      return
    }
    entries.append(TraceEntry(time: time, life: life, event: event))
  }

  /// Every request that left, in order.
  ///
  /// - Parameter party: nil for both.
  public func requests(
    by party: TraceEntry.Party? = nil
  ) -> [(time: Timestamp, target: String, body: String)] {
    var found: [(time: Timestamp, target: String, body: String)] = []
    for entry in entries {
      if case .requested(_, let asker, let target, let body) = entry.event,
        party == nil || party == asker
      {
        found.append((entry.time, target, String(decoding: body, as: UTF8.self)))
      }
    }
    return found
  }

  /// How many requests left for `target`.
  public func count(of target: String) -> Int {
    var count = 0
    for entry in entries {
      if case .requested(_, _, target, _) = entry.event { count += 1 }
    }
    return count
  }

  /// Every frame the client sent, in order.
  public var framesSent: [(time: Timestamp, text: String)] {
    var found: [(time: Timestamp, text: String)] = []
    for entry in entries {
      if case .sent(_, let bytes) = entry.event {
        found.append((entry.time, String(decoding: bytes, as: UTF8.self)))
      }
    }
    return found
  }

  /// Every frame that reached the client and holds `text`, in order.
  public func framesTold(containing text: String) -> [(time: Timestamp, text: String)] {
    var found: [(time: Timestamp, text: String)] = []
    for entry in entries {
      if case .told(_, let bytes) = entry.event {
        let frame = String(decoding: bytes, as: UTF8.self)
        if frame.holds(text) { found.append((entry.time, frame)) }
      }
    }
    return found
  }
}

extension String {
  /// Whether `part` stands anywhere in this, byte for byte.
  func holds(_ part: String) -> Bool { Array(utf8).holds(Array(part.utf8)) }
}

extension [UInt8] {
  func holds(_ part: [UInt8]) -> Bool { place(of: part) != nil }

  /// Where `part` first stands in this; nil when it does not.
  func place(of part: [UInt8]) -> Int? {
    guard let first = part.first else { return 0 }
    guard count >= part.count else { return nil }
    var start = 0
    while start <= count - part.count {
      if self[start] == first && self[start..<start + part.count].elementsEqual(part) {
        return start
      }
      start += 1
    }
    return nil
  }
}
