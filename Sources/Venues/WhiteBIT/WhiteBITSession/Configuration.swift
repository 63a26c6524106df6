public import MartletBase
public import MartletModel
public import MartletVenueKit
public import WhiteBITWire

/// What a WhiteBIT session is told when it is made. Not part of its state: a restored session is
/// given the same.
public struct WhiteBITConfiguration: Sendable {
  /// Where market data comes from; the private side is a stream either way.
  public enum Feed: Equatable, Sendable {
    /// The public channels.
    case stream
    /// REST, each market's book, prints and last price once in every `interval`.
    case polling(interval: TimeSpan)
  }

  public var account: AccountID
  /// Markets watched and traded.
  public var symbols: [WhiteBITSymbol]
  /// What the client ids of our own orders begin with; anything else is somebody else's.
  public var ownPrefix: InlineText
  public var feed = Feed.stream
  /// Levels a side: 1, 5, 10, 20, 30, 50 or 100.
  public var depthLimit = 20
  /// Cancel everything of spot in our markets at start, our own or not, after listing it.
  public var isCleanSlate = false
  /// Seeds the random part of waits.
  public var seed: UInt64 = 1

  public var pingInterval = TimeSpan.seconds(10)
  public var pongDeadline = TimeSpan.seconds(10)
  /// A subscribed book without a frame for this long is dead: the venue repeats a quiet one after
  /// ten seconds.
  public var staleAfter = TimeSpan.seconds(11)
  /// Between two resubscriptions of one book.
  public var resubscribeInterval = TimeSpan.seconds(1)
  /// A depth frame that left the venue longer ago than this is not traded on: its book is asked for anew.
  public var bookLag = TimeSpan.seconds(3)
  /// How long a stream may take to open, and a step of its setting up to be acknowledged.
  public var stepDeadline = TimeSpan.seconds(10)
  public var placeTimeout = TimeSpan.seconds(5)
  public var cancelTimeout = TimeSpan.seconds(5)
  public var readTimeout = TimeSpan.seconds(10)
  /// How long after it was sent a request can still arrive, with a margin of a second: the venue
  /// refuses one five seconds after its nonce, which may lead the venue's clock by two and a half, and
  /// that clock is known to half a second.
  public var settleDelay = TimeSpan.seconds(9)
  /// Between two rounds of questions about one order.
  public var inquiryInterval = TimeSpan.seconds(1)
  /// How far a history is read back beyond the last fill known.
  public var historyOverlap = TimeSpan.seconds(120)
  /// How often open orders are listed while some of ours rest: a venue that loses the word of a fill
  /// loses the word of its order's end with it, and nothing else would ever tell.
  public var listInterval = TimeSpan.seconds(60)
  /// How far the venue lets a request's time be from its own; the strictest that it is said to be.
  public var clockTolerance = TimeSpan.seconds(5)
  /// How often the venue's clock is read.
  public var clockInterval = TimeSpan.seconds(60)
  /// How soon it is read again when it was not where it was thought to be.
  public var clockRecheck = TimeSpan.seconds(10)
  /// How often every execution is compared with the venue's own rows.
  public var proofInterval = TimeSpan.seconds(86_400)
  /// Between two readings of the rows where the first lacked something.
  public var proofRetry = TimeSpan.seconds(2)
  /// How often the markets' rules are read again.
  public var rulesInterval = TimeSpan.seconds(600)
  /// How soon they are read again when the venue refuses an order by a rule that ours did not break.
  public var rulesRecheck = TimeSpan.seconds(1)
  /// How soon they are read again when a market was not available.
  public var unavailableInterval = TimeSpan.seconds(10)
  /// Waits between tries, after the venue's refusals by quota, and between connections.
  public var backoff = Backoff()
  /// Failures in a row after which a person is told; the next tries come at the longest wait.
  public var tries: Int32 = 5
  /// What the venue lets this address ask.
  public var rates = WhiteBITRates()
  /// When a group of requests stops before the venue bans us.
  public var breaker = BreakerSettings()
  /// Placements that may wait for the quota, 1 ... 4,096; what comes on top is refused, and the
  /// strategy told.
  public var maxQueued = 4_096
  /// A stream that was live for so long is tried again at once when it is lost, and with `backoff`
  /// only if that fails.
  public var steadyAfter = TimeSpan.seconds(10)

  /// How long last prices that were asked for are fresh: as long as the venue itself keeps them, or, of
  /// polled ones, half of the interval, so that each round has new ones.
  ///
  /// - Source: WhiteBIT docs: tickers are cached for a second.
  var tickerLifetime: TimeSpan {
    guard case .polling(let interval) = feed else { return .seconds(1) }
    return TimeSpan(nanoseconds: max(interval.nanoseconds / 2, 1))
  }

  /// How far our clock may be from the venue's while orders are placed: half of what it tolerates.
  public var allowedSkew: TimeSpan { TimeSpan(nanoseconds: clockTolerance.nanoseconds / 2) }

  public init(
    account: AccountID, symbols: [WhiteBITSymbol], ownPrefix: InlineText
  ) {
    precondition(
      !symbols.isEmpty && symbols.count <= WhiteBITConfiguration.maxSymbols,
      "a session of \(symbols.count) markets")
    precondition(!ownPrefix.isEmpty, "without a prefix every order would be ours")
    self.account = account
    self.symbols = symbols
    self.ownPrefix = ownPrefix
  }

  /// Markets one session takes.
  public static let maxSymbols = 128
  /// Levels a side that the venue offers.
  public static let depthLimits = [1, 5, 10, 20, 30, 50, 100]
}

extension WhiteBITSession {
  /// - Source: WhiteBIT docs, "API keys": a key's permissions are levels over the whole account, and
  ///   one of them, Info and Trading, covers `order/*`, `trade-account/*` and `collateral-account/*`
  ///   alike; so does the kill-switch, unless its `types` say less.
  public static var keyScope: KeyScope { .account }

  public static func isMarketData(_ frame: Span<UInt8>) -> Bool { MarketPush.isFound(in: frame) }
}
