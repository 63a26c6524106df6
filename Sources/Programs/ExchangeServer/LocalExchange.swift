public import MartletBase
internal import MartletClock
internal import MartletHistory
internal import MartletSecrets
public import MartletTransport
internal import WhiteBITDesk
internal import WhiteBITWire

/// A WhiteBIT-compatible exchange: recorded markets, real sockets.
public final class LocalExchange {
  /// An account and the money it begins with.
  public struct Account: Sendable {
    public var key: String
    public var secret: String
    public var balances: [(asset: String, amount: Amount)]
    /// Whether its key has the right to trade.
    public var mayTrade = true
    public init(key: String, secret: String, balances: [(asset: String, amount: Amount)] = []) {
      self.key = key
      self.secret = secret
      self.balances = balances
    }
  }

  public struct Options: Sendable {
    public var address = "127.0.0.1"
    public var port: UInt16 = 0
    /// Who the exchange is; nil serves without encryption.
    public var tls: TLSContext?
    /// Path of a recording (`.mmr`).
    public var recording: String
    /// How fast the recorded market runs; the exchange's own clock and timers run on wall time.
    public var speed: Int64 = 1
    public var accounts: [Account] = []
    /// Further markets with the recording's prices, at most `maximumMoreMarkets`, as `ETH_USDT`.
    public var moreMarkets: [String] = []
    /// What the exchange's clock shows at the start; nil for this machine's.
    public var clock: Timestamp?
    public var seed: UInt64
    public init(recording: String, seed: UInt64) {
      self.recording = recording
      self.seed = seed
    }
  }

  /// Why it cannot open, for a person.
  public struct Fault: Error, CustomStringConvertible, Sendable {
    public let description: String
    /// Whether what was asked for is wrong, and not the machine.
    public var isMisuse = false
  }

  /// How many markets a person may add: each plays the recording for itself.
  public static let maximumMoreMarkets = 16

  private let server: ExchangeServer<WhiteBITDesk>
  public let markets: [String]

  public init(_ loop: EventLoop, _ options: Options) throws(Fault) {
    let recording: Recording
    do throws(RecordingFault) {
      recording = try Recording(path: options.recording)
    } catch {
      throw Fault(description: "\(options.recording): \(error)")
    }
    let start = options.clock ?? SystemClock.realtime()
    var configuration = WhiteBITDeskConfiguration(start: start, seed: options.seed)
    configuration.roundsBefore = 1
    // A venue never gives a number twice, not even when it starts again: a thousand for each
    // millisecond between two starts, and still whole in a client that reads them as floating point.
    configuration.firstOrderID = UInt64(clamping: SystemClock.realtime().milliseconds) * 1_000 + 1
    configuration.firstTradeID = configuration.firstOrderID
    let setups = WhiteBITMarketSetup.bitcoin(
      rows: recording.rows, pricePlaces: recording.pricePlaces,
      quantityPlaces: recording.quantityPlaces, speedThousandths: options.speed * 1000,
      more: try LocalExchange.named(options.moreMarkets))
    markets = setups.map { "\($0.listing.name)" }
    do {
      var desk = try WhiteBITDesk(configuration, markets: setups, keyedHash: keyedHash)
      for account in options.accounts {
        guard desk.account(of: account.key) == nil else {
          throw Fault(
            description: "account \(account.key): another account has this key", isMisuse: true)
        }
        for balance in account.balances where !desk.knows(asset: balance.asset) {
          throw Fault(
            description:
              "account \(account.key): no market here knows \(balance.asset); expected one of"
              + " \(desk.assets.joined(separator: ", "))", isMisuse: true)
        }
        guard
          desk.addAccount(key: account.key, secret: account.secret, balances: account.balances)
            != nil
        else {
          throw Fault(
            description: "account \(account.key): there are as many as there may be",
            isMisuse: true)
        }
        desk.setKey(account.key, mayTrade: account.mayTrade)
      }
      server = try ExchangeServer(
        loop, desk: desk, address: options.address, port: options.port, tls: options.tls,
        path: "/ws",
        origin: start)
    } catch let fault as Fault {
      throw fault
    } catch {
      throw Fault(description: "\(options.address):\(options.port): \(error)")
    }
  }

  /// Takes the names of further markets apart.
  private static func named(
    _ names: [String]
  ) throws(Fault) -> [(name: InlineText, stock: InlineText, money: InlineText)] {
    guard names.count <= maximumMoreMarkets else {
      throw Fault(
        description: "at most \(maximumMoreMarkets) further markets, found \(names.count)",
        isMisuse: true)
    }
    var found: [(name: InlineText, stock: InlineText, money: InlineText)] = []
    for text in names {
      let parts = text.split(separator: "_", omittingEmptySubsequences: false)
      let isWord = parts.allSatisfy { part in
        !part.isEmpty
          && part.utf8.allSatisfy {
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
              || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
          }
      }
      guard parts.count == 2, isWord, parts[0] != parts[1], let name = InlineText(text),
        let stock = InlineText(String(parts[0])), let money = InlineText(String(parts[1]))
      else {
        throw Fault(
          description: "market \(text): expected two words of capitals and digits as ETH_USDT",
          isMisuse: true)
      }
      guard !["DBTC_DUSDT", "BTC_USDT"].contains(text), !found.contains(where: { $0.name == name })
      else { throw Fault(description: "market \(text) is there already", isMisuse: true) }
      found.append((name, stock, money))
    }
    return found
  }

  public var port: UInt16 { server.port }
  public func stop() { server.stop() }

  /// Ends every connection, as a network that breaks would, and goes on.
  public func cut() { server.cut() }

  /// Shows `observer`, which is held weakly, what passes the sockets.
  public func observe(by observer: any WireObserver) { server.observer = observer }
}
