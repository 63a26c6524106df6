public import MartletBase
internal import MartletModel
public import MartletVenueKit

/// What a backtest assumes of the venue and of the way there; every one of these stands in its report.
public struct BacktestOptions: Sendable {
  /// From the venue's book and tape to the bot.
  public var feedDelay = Delay(.milliseconds(1))
  /// From the bot's decision to the venue's matching.
  public var orderDelay = Delay(.milliseconds(1))
  /// From the venue's matching to the bot's knowledge of it.
  public var reportDelay = Delay(.milliseconds(1))
  /// How often the venue publishes what changed in its book.
  public var publishInterval = TimeSpan.milliseconds(100)
  /// Levels a side that the venue publishes.
  public var depth = 20
  /// How long after the first whole book trading may begin; nil for what a start on the wire takes.
  public var readyAfter: TimeSpan?
  /// Of what delays draw.
  public var seed: UInt64 = 1
  public var session = DirectSession.Configuration()
  /// Whether the result lists each decision, for whoever compares; otherwise it holds their digest alone.
  public var keepsDecisions = false
  public var balances: [(asset: String, amount: Amount)] = []

  public init() {}

  /// Round trips of a start: clock, rules, prices, balances, token, stream, authorization, subscriptions,
  /// lists.
  static let startingRounds: Int64 = 11

  /// How long after the first whole book trading begins.
  var opensAfter: TimeSpan {
    readyAfter
      ?? TimeSpan(
        nanoseconds: (orderDelay.least + reportDelay.least).nanoseconds
          * BacktestOptions.startingRounds)
  }

  /// What is assumed of an order's place, and of what it does to the market.
  var queueAssumptions: [String] {
    [
      "an order waits behind all that was shown at its price when it came; it moves up by prints at its price"
        + " and when less is shown, never by cancels behind it (pessimistic queue)",
      "what our orders take is gone from the recorded book until the recording next tells that level; the"
        + " recorded market does not react to us otherwise",
    ]
  }
}

/// Why there is no result, for a person.
public struct BacktestFault: Error, CustomStringConvertible, Sendable {
  public let description: String
  init(_ description: String) { self.description = description }
}
