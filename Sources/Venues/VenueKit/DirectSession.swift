public import MartletBase
public import MartletModel

/// What is asked of a venue without a wire.
@frozen public enum DirectCommand: Equatable, Sendable, BitwiseCopyable {
  case place(OrderIntent, as: ClientOrderID)
  case cancel(ClientOrderID, of: InstrumentID)
  /// What became of an order that nobody has heard of for too long.
  case query(ClientOrderID, of: InstrumentID)
}

/// A session with a venue that has no wire: an exchange simulated in the same process.
///
/// What the venue tells goes to the kernel in the words that every venue shares (`Kernel.step(told:…)`);
/// what is asked of it stands in `commands` until the next step. There is nothing to connect to, to sign
/// or to lose. A quota is kept as on a wire: cancels go first, placements go several to a request.
///
/// - Bounds: what waits for the quota is bounded by the orders that the kernel may have.
public struct DirectSession: VenueSession, Sendable {
  public struct Configuration: Equatable, Sendable {
    /// Requests that may leave in any `window`, placements and cancels each.
    public var requests: Int64 = 9_000
    public var window = TimeSpan.seconds(10)
    /// Placements that go in one request.
    public var ordersPerRequest = 20
    public init() {}
  }

  /// There is no key to open anything with.
  public static var keyScope: KeyScope { .account }

  public let configuration: Configuration
  /// What left with the last step, in order.
  public private(set) var commands: [DirectCommand] = []
  private var cancels: [DirectCommand] = []
  private var places: [DirectCommand] = []
  private var cancelQuota: TokenBucket
  private var placeQuota: TokenBucket
  /// Times that a book made no sense and was wanted anew.
  public private(set) var booksRefused: UInt64 = 0

  public init(_ configuration: Configuration = Configuration()) {
    self.configuration = configuration
    cancelQuota = TokenBucket(limit: configuration.requests, window: configuration.window)
    placeQuota = cancelQuota
    commands.reserveCapacity(256)
    cancels.reserveCapacity(256)
    places.reserveCapacity(256)
  }

  /// Nothing of a wire comes here; a stop is carried out once nothing of ours rests, which the kernel sees.
  public mutating func receive(
    _ input: VenueInput, bytes: Span<UInt8>, at now: Timestamp, events: inout VenueEvents,
    effects: inout VenueEffects
  ) {}

  public mutating func place(
    _ order: Approved<OrderIntent>, as clientOrderID: ClientOrderID, trace: TraceID
  ) { places.append(.place(order.value, as: clientOrderID)) }

  public mutating func cancel(
    _ clientOrderID: ClientOrderID, venueOrderID: VenueOrderID, of instrument: InstrumentID
  ) { cancels.append(.cancel(clientOrderID, of: instrument)) }

  public mutating func query(
    _ clientOrderID: ClientOrderID, venueOrderID: VenueOrderID, of instrument: InstrumentID,
    sentAt: Timestamp
  ) { cancels.append(.query(clientOrderID, of: instrument)) }

  public mutating func refreshBook(_ instrument: InstrumentID) { booksRefused += 1 }

  public mutating func flush(at now: Timestamp, effects: inout VenueEffects) {
    if !commands.isEmpty { commands.removeAll(keepingCapacity: true) }
    if cancels.isEmpty && places.isEmpty { return }
    var sent = 0
    while sent < cancels.count, cancelQuota.take(at: now) { sent += 1 }
    commands += cancels[..<sent]
    cancels.removeFirst(sent)
    sent = 0
    while sent < places.count, placeQuota.take(at: now) {
      sent = min(places.count, sent + configuration.ordersPerRequest)
    }
    commands += places[..<sent]
    places.removeFirst(sent)
  }

  /// When the quota next lets something go.
  public var nextDeadline: Timestamp {
    var next = Timestamp.distantFuture
    if !cancels.isEmpty { next = min(next, cancelQuota.nextAt) }
    if !places.isEmpty { next = min(next, placeQuota.nextAt) }
    return next
  }
}

extension DirectSession {
  public func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("direct-1")
    cancelQuota.write(to: &snapshot)
    placeQuota.write(to: &snapshot)
  }

  /// Only between steps that left nothing waiting.
  public mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("direct-1")
    try cancelQuota.read(from: &snapshot)
    try placeQuota.read(from: &snapshot)
  }
}
