public import MartletBase
internal import MartletExchange
internal import MartletModel
internal import WhiteBITWire

/// What a venue may change of a market from one moment to the next; nil leaves it as it is.
public struct WhiteBITRules: Equatable, Sendable {
  /// Of prices; a multiple of the market's own grid.
  public var tick: Amount?
  /// Of amounts; a multiple of the market's own grid.
  public var step: Amount?
  /// In the base asset.
  public var minAmount: Amount?
  /// Price × amount, in the quote asset.
  public var minTotal: Amount?
  public var tradesEnabled: Bool?

  public init(
    tick: Amount? = nil, step: Amount? = nil, minAmount: Amount? = nil, minTotal: Amount? = nil,
    tradesEnabled: Bool? = nil
  ) {
    self.tick = tick
    self.step = step
    self.minAmount = minAmount
    self.minTotal = minTotal
    self.tradesEnabled = tradesEnabled
  }
}

extension WhiteBITDesk {
  /// Changes a market's rules for every order from now on. Nobody is told: as at the venue, the list
  /// of markets has them. Orders that rest stay.
  ///
  /// - Throws: when a step is finer than the market's grid, or the market is not one of the desk's.
  public mutating func setRules(
    _ rules: WhiteBITRules, of market: InlineText
  ) throws(WhiteBITSetupFault) {
    guard let index = markets.firstIndex(where: { $0.name == market }) else {
      throw .unknownMarket(market)
    }
    var listing = markets[index].listing
    listing.tickSize = rules.tick ?? listing.tickSize
    listing.stepSize = rules.step ?? listing.stepSize
    listing.minAmount = rules.minAmount ?? listing.minAmount
    listing.minTotal = rules.minTotal ?? listing.minTotal
    listing.tradesEnabled = rules.tradesEnabled ?? listing.tradesEnabled
    do throws(Grid.Fault) { try markets[index].relist(listing) } catch {
      throw .listing(market: market, error)
    }
    exchange.setRules(markets[index].instrument.rules, of: markets[index].instrument.id)
  }
}
