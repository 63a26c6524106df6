public import MartletBase
public import MartletModel

/// What a venue's message means, in words that every venue shares.
@frozen public enum VenueEvent: Equatable, Sendable, BitwiseCopyable {
  /// What the instrument is and which orders it takes, read or changed.
  case instrument(Instrument)
  /// The instrument is no longer listed for trading.
  case instrumentUnavailable(InstrumentID)
  /// A book told whole or in part: `count` levels from `first` in `VenueEvents.levels`.
  /// A snapshot replaces the book and makes it trusted.
  case book(InstrumentID, first: UInt32, count: UInt32, isSnapshot: Bool, exchangeTime: Timestamp)
  /// The chain of updates broke: the book is not to be traded on until a snapshot.
  case bookUntrusted(InstrumentID)
  case lastPrice(InstrumentID, Price)
  case marketTrade(MarketTrade)
  case balance(Balance)
  /// The venue took the order or speaks of it.
  case order(OrderReport)
  /// The venue refused to take the order: it never was.
  case orderRefused(ClientOrderID, RefusalReason, code: Int32)
  /// A cancel was answered with “not open”: finished, but how is to be asked.
  case cancelRefused(ClientOrderID, RefusalReason, code: Int32)
  /// A placement was sent and its outcome is unknown.
  case orderInDoubt(ClientOrderID)
  /// A cancel was sent and its outcome is unknown.
  case cancelInDoubt(ClientOrderID)
  /// Open orders, history and fills all denied the order, for long enough that it cannot arrive.
  case orderNeverArrived(ClientOrderID)
  case fill(Fill)
  /// An execution of ours from before this life began: it is in the balances that we began with, and
  /// counts towards its order alone.
  case earlierFill(Fill)
  /// Open orders, fills and balances as told so far are of one moment: every fill told is in the
  /// balances, and every later one is not.
  case reconciled
  /// What a contract is beyond its instrument, which was told before: an index into `contracts`.
  case contract(UInt32)
  /// The price that positions are valued, funded and liquidated at.
  case mark(InstrumentID, Price)
  case funding(FundingPayment)
  /// An execution that the venue itself made of a position of ours: it was not covered any more, or had
  /// to stand in for another that was not.
  case liquidation(Fill)
  /// Private streams are on and state is reconciled: orders may be placed.
  case ready
  /// The private stream is gone: hold placements.
  case notReady
  /// The venue refused our key, signature or permission: stop, never retry.
  case unauthorized(status: UInt16, code: Int32)
  /// The venue refused to answer a question that nothing can go on without. It is not put again: it
  /// would be refused again, and somebody must look.
  case questionRefused(status: UInt16, code: Int32)
  /// Something the venue should never send: counted, told, and survived.
  case anomaly(VenueAnomaly)
  /// Something a person should know of.
  case notice(VenueNotice)
  /// Stop was carried out: nothing of ours rests.
  case stopped
}

/// What a venue should never send, by kind.
@frozen public enum VenueAnomaly: UInt8, Sendable, BitwiseCopyable {
  /// A frame or body that is no message of this venue.
  case malformed = 1
  /// A depth update that does not follow the last one.
  case bookGap = 2
  /// A fill of an unexpected shape.
  case unreadableFill = 3
  /// An order that is not ours.
  case foreignOrder = 4
  case rateLimited = 5
  case staleNonce = 6
  case serverError = 7
  case unknownStatus = 8
  /// A depth update that left the venue too long ago to be traded on.
  case bookLate = 9
}

/// Where a session puts what it understood; one buffer, kept from step to step.
public struct VenueEvents: Sendable {
  public private(set) var list: [VenueEvent] = []
  public var levels: [BookLevel] = []
  /// Rarely any: tables have no place in an event that is copied.
  public var contracts: [ContractTerms] = []

  /// - Parameters: room reserved now; a step that stays within it allocates nothing.
  public init(capacity: Int = 256, levels: Int = 512) {
    list.reserveCapacity(capacity)
    self.levels.reserveCapacity(levels)
  }

  @inlinable public mutating func append(_ event: VenueEvent) { add(event) }
  @usableFromInline mutating func add(_ event: VenueEvent) { list.append(event) }

  public mutating func removeAll() {
    list.removeAll(keepingCapacity: true)
    levels.removeAll(keepingCapacity: true)
    if !contracts.isEmpty { contracts.removeAll() }
  }
}
