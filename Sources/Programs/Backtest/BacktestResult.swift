public import MartletBase
public import MartletModel
public import MartletVenueKit

/// What a backtest came to. Money is exact; nothing here was estimated.
public struct BacktestResult: Sendable {
  /// One instrument's part.
  public struct Market: Sendable {
    public var instrument: Instrument
    /// Recorded rows and frames of it that were replayed, and prints among the rows.
    public var rows: UInt64
    public var frames: UInt64
    public var trades: UInt64
    public var first: Timestamp
    public var last: Timestamp
    public var fills: UInt64
    /// Fills that made the book, the rest took from it.
    public var makerFills: UInt64
    /// What was bought and sold, in base and in quote.
    public var bought: Amount
    public var sold: Amount
    public var turnover: Amount
    public var position: Quantity
    /// Before fees, in quote, of what was closed; of what is open at the last bid.
    public var realized: Amount
    public var unrealized: Amount
    public var feesBase: Amount
    public var feesQuote: Amount
    /// Fees of both assets in quote, base valued at the last bid, rounded up.
    public var fees: Amount
    /// Base and quote of the account in quote at the first and the last mark, and the deepest fall from
    /// a peak on the way; zero where nothing was ever marked.
    public var startEquity: Amount
    public var endEquity: Amount
    public var maxDrawdown: Amount
    public var mark: Price?
  }

  /// One point of a curve.
  public struct Sample: Sendable {
    public var time: Timestamp
    public var equity: Amount
    public var position: Quantity
    public var mark: Price
  }

  public var markets: [Market] = []
  /// Recorded rows replayed, of all markets.
  public var events: UInt64 = 0
  /// What the bot was told: messages, each with its moment.
  public var newsTold: UInt64 = 0
  public var placed: UInt64 = 0
  public var canceled: UInt64 = 0
  public var refusedByRisk: UInt64 = 0
  public var refusedByVenue: UInt64 = 0
  public var doubts: UInt64 = 0
  /// Why trading halted, if it did.
  public var halt: HaltReason?
  public var decisions = DecisionDigest()
  /// One decision and its moment.
  public struct Decision: Equatable, Sendable {
    public var time: Timestamp
    public var command: DirectCommand
  }
  /// Each of them, where the options asked for that.
  public var decided: [Decision] = []
  /// Folds decisions with their times, fills with theirs, and the final balances.
  public var digest = WordDigest()
  /// The first fills, up to `mostFills`.
  public var fills: [Fill] = []
  public static let mostFills = 100_000
  /// The equity of each market, evenly thinned to at most `Curve.limit` points.
  public var curves: [[Sample]] = []
  /// Every assumption, one a line.
  public var assumptions: [String] = []
  /// Our own ledger equals the exchange's in every asset, to the last digit.
  public var isReconciled = false
  public var differences: [String] = []

  public var fillCount: UInt64 { markets.reduce(0) { $0 + $1.fills } }
}

/// Points of a curve as it grows, thinned to half whenever there are too many.
struct Curve {
  static let limit = 2_000
  private(set) var samples: [BacktestResult.Sample] = []
  private var every: TimeSpan
  private var nextAt = Timestamp.zero

  init(every: TimeSpan = .seconds(1)) { self.every = every }

  func isDue(_ now: Timestamp) -> Bool { now >= nextAt }

  mutating func append(_ sample: BacktestResult.Sample) {
    samples.append(sample)
    if samples.count >= Self.limit {
      samples = samples.indices.filter { $0 % 2 == 0 }.map { samples[$0] }
      every = every + every
    }
    nextAt = sample.time + every
  }
}
