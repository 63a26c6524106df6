public import MartletBase
public import MartletVenueKit

/// How a session stands, for a person who looks: nothing decides by it.
public struct WhiteBITStanding: Equatable, Sendable {
  /// What a group of requests may still do.
  public struct Group: Equatable, Sendable {
    public var group: RequestGroup
    /// Requests that may leave at once.
    public var permits: Int64
    /// Nothing of it is sent, before the venue bans us.
    public var isBroken: Bool
    /// When the next request may leave; nil when one may now.
    public var nextAt: Timestamp?
  }

  /// The session as a whole: `idle`, `preparing`, `waiting`, `running`, `stopping`, `stopped`, `halted`.
  public var phase: String
  /// Its stream: `down`, `token`, `opening`, `authorizing`, `subscribing`, `reconciling`, `live`, `closing`.
  public var link: String
  /// What is being read of the venue's lists: `none`, `orders`, `clear`, `fills`, `balances`, `check`, `fates`.
  public var reading: String
  /// When the next connection is tried; nil while there is one.
  public var retryAt: Timestamp?
  /// By when a pong must come; nil when none is awaited.
  public var pongBy: Timestamp?
  public var requestsInFlight: Int
  public var placementsQueued: Int
  public var cancelsQueued: Int
  /// Orders whose fate is asked for.
  public var inquiries: Int
  /// Private news held until everything is read.
  public var newsHeld: Int
  /// In the order of their urgency.
  public var quota: [Group]
}

extension WhiteBITSession {
  /// The most of what `standing` counts; of placements it is the configuration's.
  public static var bounds: (requests: Int, cancels: Int, inquiries: Int, news: Int) {
    (maxInFlight, maxQueued, maxInquiries, maxHeld)
  }

  /// As of the last input.
  public var standing: WhiteBITStanding {
    WhiteBITStanding(
      phase: phase.word, link: link.stage.word, reading: step.word,
      retryAt: link.stage == .down && link.retryAt < .distantFuture ? link.retryAt : nil,
      pongBy: link.pongBy < .distantFuture ? link.pongBy : nil, requestsInFlight: requests.count,
      placementsQueued: queue.count, cancelsQueued: cancels.count, inquiries: inquiries.count,
      newsHeld: held.count,
      quota: RequestGroup.allCases.map { quota.standing($0, at: clock) })
  }
}

extension WhiteBITSession.Phase {
  var word: String {
    switch self {
    case .idle: "idle"
    case .preparing: "preparing"
    case .waiting: "waiting"
    case .running: "running"
    case .stopping: "stopping"
    case .stopped: "stopped"
    case .halted: "halted"
    }
  }
}

extension Link.Stage {
  var word: String {
    switch self {
    case .down: "down"
    case .token: "token"
    case .opening: "opening"
    case .authorizing: "authorizing"
    case .subscribing: "subscribing"
    case .reconciling: "reconciling"
    case .live: "live"
    case .closing: "closing"
    }
  }
}

extension ReconcileStep {
  var word: String {
    switch self {
    case .none: "none"
    case .orders: "orders"
    case .clear: "clear"
    case .fills: "fills"
    case .balances: "balances"
    case .check: "check"
    case .fates: "fates"
    }
  }
}
