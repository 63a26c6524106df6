internal import MartletBase
internal import MartletDashboard
internal import MartletJSON
internal import MartletModel
internal import MartletSecrets
internal import MartletTransport
internal import MartletVenueKit

/// What our own books say at the end of a run.
struct OwnLedger {
  var assets: [(asset: InlineText, total: Amount, fees: Amount)]
  var fills: UInt64
  /// Signed sum of our fills, in base units.
  var traded: Amount
  var market: InlineText
  /// What our client order ids begin with.
  var prefix: InlineText
  /// By the venue's clock, in whole seconds: fills before it are an earlier run's.
  var since: Timestamp
  /// Fills of that second and later that are an earlier run's too.
  var earlier: [TradeID]
}

/// Asks the venue for its own ledger, over a connection and with code of its own, and compares it
/// with ours to the last digit.
struct LedgerCheck: ~Copyable {
  private var questions: SignedQuestions

  init(_ venue: VenueAddress, signer: consuming Signer, nonces: NonceClock) throws(RESTRefusal) {
    questions = try SignedQuestions(venue, signer: signer, nonces: nonces)
  }

  /// The venue could not be asked, or answered what cannot be read.
  struct Fault: Error, CustomStringConvertible { let description: String }

  mutating func compare(_ own: OwnLedger) -> RunSummary.Reconciliation {
    do throws(Fault) {
      var differences: [String] = []
      let balances = try post("/api/v4/trade-account/balance", "")
      for entry in own.assets {
        let told = balances["\(entry.asset)"]
        let total = try amount(told?["available"]) + amount(told?["freeze"])
        if total != entry.total {
          differences.append("\(entry.asset): own \(entry.total), exchange \(total)")
        }
      }
      let orders = try post("/api/v4/orders", "\"market\":\"\(own.market)\",\"limit\":100,")
      let resting = (orders.elements ?? []).filter { isOwn($0, own) }.count
      if resting > 0 { differences.append("\(resting) of our orders still rest at the exchange") }
      let deals = try deals(own)
      if UInt64(deals.count) != own.fills {
        differences.append("fills: own \(own.fills), exchange \(deals.count)")
      }
      if deals.traded != own.traded {
        differences.append("traded: own \(own.traded), exchange \(deals.traded)")
      }
      for entry in own.assets {
        let told = deals.fees.first { $0.asset == "\(entry.asset)" }?.amount ?? .zero
        if told != entry.fees {
          differences.append("fees in \(entry.asset): own \(entry.fees), exchange \(told)")
        }
      }
      return differences.isEmpty
        ? .equal(balances: own.assets.count, fills: deals.count) : .different(differences)
    } catch {
      return .notChecked(reason: error.description)
    }
  }

  private mutating func deals(
    _ own: OwnLedger
  ) throws(Fault) -> (count: Int, traded: Amount, fees: [(asset: String, amount: Amount)]) {
    var count = 0
    var traded = Amount.zero
    var fees: [(asset: String, amount: Amount)] = []
    var offset = 0
    let page = 100
    while true {
      let reply = try post(
        "/api/v4/trade-account/executed-history",
        "\"market\":\"\(own.market)\",\"limit\":\(page),\"offset\":\(offset),")
      let rows = reply.elements ?? []
      for row in rows where isOwn(row, own) {
        let time = try amount(row["time"])
        guard time.units >= Int128(own.since.nanoseconds) * powerOfTen(11),
          !own.earlier.contains(where: { "\($0.low)" == row["id"]?.text })
        else { continue }
        count += 1
        let size = try amount(row["amount"])
        traded = row["side"]?.text == "sell" ? traded - size : traded + size
        let asset = row["feeAsset"]?.text ?? ""
        let fee = try amount(row["fee"])
        if let index = fees.firstIndex(where: { $0.asset == asset }) {
          fees[index].amount = fees[index].amount + fee
        } else {
          fees.append((asset, fee))
        }
      }
      if rows.count < page { return (count, traded, fees) }
      offset += page
    }
  }

  private func isOwn(_ row: JSONValue, _ own: OwnLedger) -> Bool {
    row["clientOrderId"]?.text?.hasPrefix("\(own.prefix)") == true
  }

  /// A string's or a number's exact amount; zero for what is not there.
  private func amount(_ value: JSONValue?) throws(Fault) -> Amount {
    guard let text = value?.text else { return .zero }
    do throws(DecimalText.Fault) { return try Amount(text) } catch {
      throw Fault(description: "the exchange told “\(text)” where an amount was expected")
    }
  }

  /// - Parameter fields: members of the body, each with its comma behind.
  private mutating func post(_ path: String, _ fields: String) throws(Fault) -> JSONValue {
    do throws(SignedQuestions.Fault) {
      switch try questions.post(path, fields) {
      case .told(let value): return value
      case .refused(let status, let words):
        throw SignedQuestions.Fault(description: "\(path): HTTP \(status) \(words)")
      }
    } catch {
      throw Fault(description: error.description)
    }
  }
}

extension JSONValue {
  /// The elements of an array; nil for others.
  fileprivate var elements: [JSONValue]? {
    if case .array(let elements) = self { elements } else { nil }
  }
}
