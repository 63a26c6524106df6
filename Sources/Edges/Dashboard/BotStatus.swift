public import MartletBase
public import MartletModel

/// What a running bot shows of itself at one moment: plain data for the terminal and the page.
///
/// Money stays on its grids; the renderers write it as exact decimal text.
public struct BotStatus: Equatable, Sendable {
  public enum State: Equatable, Sendable {
    case starting, connecting, reconciling, trading, paused
    /// The clocks are too far apart, or the journal has no room: nothing new is placed.
    case holding
    case halted(HaltReason)
    case stopping, stopped
  }

  /// One of the bot's ways to its venue.
  public struct Connection: Equatable, Sendable {
    public enum State: String, Sendable { case down, connecting, up }
    public var name: String
    public var state: State
    public init(name: String, state: State) {
      self.name = name
      self.state = state
    }
  }

  /// What happened so far.
  public struct Counts: Equatable, Sendable {
    public var fills: UInt64 = 0
    public var ordersPlaced: UInt64 = 0
    public var ordersCanceled: UInt64 = 0
    public var ordersRefused: UInt64 = 0
    /// Orders and cancels whose outcome was unknown for a while.
    public var doubts: UInt64 = 0
    public var frames: UInt64 = 0
    public init() {}
  }

  public struct AssetAmount: Equatable, Sendable {
    public var asset: InlineText
    public var amount: Amount
    public init(asset: InlineText, amount: Amount) {
      self.asset = asset
      self.amount = amount
    }
  }

  /// From a frame's bytes in user memory to the signed order in the send buffer.
  public struct Latency: Equatable, Sendable {
    public var p50: TimeSpan
    public var p99: TimeSpan
    public init(p50: TimeSpan, p99: TimeSpan) {
      self.p50 = p50
      self.p99 = p99
    }
  }

  /// The venue's timer for one market.
  public struct DeadManTimer: Equatable, Sendable {
    public var market: String
    /// Until the venue cancels this market's orders by itself, at the earliest; nil while no timer
    /// runs.
    public var left: TimeSpan?
    /// When it cancels, by its own clock, as it last said; nil while it told of none.
    public var cancelsAt: Timestamp?
    public init(market: String, left: TimeSpan?, cancelsAt: Timestamp?) {
      self.market = market
      self.left = left
      self.cancelsAt = cancelsAt
    }
  }

  /// A stop that the bot holds itself.
  public struct Stop: Equatable, Sendable {
    public var market: String
    /// Of the order that it fires.
    public var side: Side
    /// `inert`, `armed`, `fired` or `done`.
    public var state: String
    /// Where it stands, as the venue writes prices; nil while that is not known.
    public var level: String?
    /// For how long nobody has looked at the price with it; nil while somebody does, or never did.
    public var inert: TimeSpan?
    /// The same in all, the present time included.
    public var unprotected: TimeSpan
    /// How often it was armed again.
    public var losses: UInt32
    public init(
      market: String, side: Side, state: String, level: String?, inert: TimeSpan?,
      unprotected: TimeSpan, losses: UInt32
    ) {
      self.market = market
      self.side = side
      self.state = state
      self.level = level
      self.inert = inert
      self.unprotected = unprotected
      self.losses = losses
    }
  }

  public struct Alert: Equatable, Sendable {
    public enum Severity: String, Sendable { case info, warning, critical }
    public var time: Timestamp
    public var severity: Severity
    public var text: String
    public init(time: Timestamp, severity: Severity, text: String) {
      self.time = time
      self.severity = severity
      self.text = text
    }
  }

  /// Most working orders, fills and alerts that are shown; give no more, the rest is left out.
  public static let maxOrders = 200
  public static let maxFills = 50
  public static let maxAlerts = 20

  public var bot: String
  /// As configured: `paper` or `live`.
  public var mode: String
  public var venue: String
  public var market: String
  public var base: String
  public var quote: String
  /// The asset that equity and profit are counted in.
  public var valuation: String
  public var scale: InstrumentScale
  /// Decimals a price is shown with: the tick's. The grid may count finer, so that a finer tick can
  /// be followed.
  public var pricePlaces: Int

  public var state: State = .starting
  /// What an operator gave as the reason of a halt.
  public var haltWords: String?
  /// Why nothing new is placed while it is `holding`.
  public var holdWords: String?
  public var since: Timestamp
  public var now: Timestamp
  /// When a run of a set length ends.
  public var endsAt: Timestamp?

  public var bestBid: Price?
  public var bestAsk: Price?
  public var last: Price?
  public var isBookTrusted = false

  /// Ours and not terminal, in any order.
  public var orders: [OrderView] = []
  /// Oldest first.
  public var recentFills: [Fill] = []
  public var counts = Counts()

  /// Of the base asset, signed.
  public var position: Quantity = .zero
  public var balances: [Balance] = []
  /// Nil until balances and a price are known.
  public var equity: Amount?
  /// Equity when it was first known; `profit` counts from it.
  public var startEquity: Amount?
  /// Before fees, as `Position` counts it.
  public var realized: Amount = .zero
  public var unrealized: Amount = .zero
  public var fees: [AssetAmount] = []
  /// Largest fall of equity from a peak, not negative.
  public var maxDrawdown: Amount = .zero

  /// Until the venue cancels our orders by itself; nil when the switch is not armed.
  public var deadManLeft: TimeSpan?
  public var deadManTimeout: TimeSpan = .seconds(60)
  /// The same, market by market.
  public var deadManTimers: [DeadManTimer] = []
  public var stops: [Stop] = []
  /// By how much a nonce has led the venue's clock at most; nil before the first.
  public var nonceLead: TimeSpan?
  public var connections: [Connection] = []
  /// Nil before the first order.
  public var frameToOrder: Latency?

  public var journalPath = ""
  /// What is wrong with how it is kept while trading goes on; nil when nothing is.
  public var journalWords: String?
  public var exchangeAddress = ""
  /// Oldest first.
  public var alerts: [Alert] = []

  public init(
    bot: String, mode: String, venue: String, market: String, base: String, quote: String,
    valuation: String, scale: InstrumentScale, since: Timestamp
  ) {
    self.bot = bot
    self.mode = mode
    self.venue = venue
    self.market = market
    self.base = base
    self.quote = quote
    self.valuation = valuation
    self.scale = scale
    pricePlaces = max(0, Int(scale.price.count))
    self.since = since
    now = since
  }

  /// Why trading stopped, for people, with an operator's own words; nil when it did not.
  public var haltText: String? {
    guard let reason = state.haltText, let haltWords else { return state.haltText }
    return "\(reason): \(haltWords)"
  }

  /// What equity has gained since it was first known.
  public var profit: Amount? {
    guard let equity, let startEquity else { return nil }
    return equity - startEquity
  }

  /// Working orders, highest price first; of one price, sells first.
  var ladder: [OrderView] {
    orders.prefix(BotStatus.maxOrders).sorted {
      ($1.price, $1.side.rawValue, $0.clientOrderID) < (
        $0.price, $0.side.rawValue, $1.clientOrderID
      )
    }
  }
}

extension BotStatus.State {
  /// One lowercase word, stable.
  public var word: String {
    switch self {
    case .starting: "starting"
    case .connecting: "connecting"
    case .reconciling: "reconciling"
    case .trading: "trading"
    case .holding: "holding"
    case .paused: "paused"
    case .halted: "halted"
    case .stopping: "stopping"
    case .stopped: "stopped"
    }
  }

  /// Why trading stopped, for people; nil when it did not.
  public var haltText: String? {
    guard case .halted(let reason) = self else { return nil }
    return reason.means
  }
}

extension Side {
  var word: String { self == .buy ? "buy" : "sell" }
}

extension OrderState {
  var word: String {
    switch self {
    case .pendingNew: "pendingNew"
    case .open: "open"
    case .pendingAmend: "pendingAmend"
    case .pendingCancel: "pendingCancel"
    case .inDoubt: "inDoubt"
    case .filled: "filled"
    case .canceled: "canceled"
    case .rejected: "rejected"
    }
  }
}

extension LiquidityRole {
  var word: String {
    switch self {
    case .unknown: "unknown"
    case .maker: "maker"
    case .taker: "taker"
    }
  }
}
