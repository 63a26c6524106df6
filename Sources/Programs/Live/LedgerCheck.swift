internal import MartletBase
internal import MartletDashboard
internal import MartletJSON
internal import MartletModel
internal import MartletSecrets
internal import MartletTransport
internal import MartletVenueKit

/// Asks the venue for its own ledger, over a connection and with code of its own, and compares it
/// with ours to the last digit.
struct LedgerCheck: ~Copyable {
  private var questions: SignedQuestions
  private static let maxQuestions = 20

  /// - Parameter keep: where a bot that runs leaves each question and answer.
  init(
    _ venue: VenueAddress, signer: consuming Signer, nonces: NonceClock, keep: SideKeeper? = nil
  ) throws(RESTRefusal) {
    questions = try SignedQuestions(venue, signer: signer, nonces: nonces, keep: keep)
  }

  typealias Fault = SignedQuestions.Fault

  mutating func compare(_ own: OwnLedger) -> RunSummary.Reconciliation {
    do throws(Fault) {
      var differences: [String] = []
      let balances = try questions.value("/api/v4/trade-account/balance", "")
      for entry in own.assets {
        let told = balances["\(entry.name)"]
        let total = try amount(told?["available"]) + amount(told?["freeze"])
        if total != entry.total {
          differences.append(
            "\(entry.name): own \(entry.total), exchange \(total) (its row: \(told.map { "\($0)" } ?? "none"))"
          )
        }
      }
      try compareOrders(own, &differences)
      let deals = try deals(own)
      if UInt64(deals.count) != own.fills {
        differences.append("fills: own \(own.fills), exchange \(deals.count)")
      }
      for market in own.markets {
        let told = deals.traded.first { $0.name == market.name }?.traded ?? .zero
        if told != market.traded {
          differences.append("traded on \(market.name): own \(market.traded), exchange \(told)")
        }
      }
      for entry in own.assets {
        let told = deals.fees.first { $0.asset == "\(entry.name)" }?.amount ?? .zero
        if told != entry.fees {
          differences.append("fees in \(entry.name): own \(entry.fees), exchange \(told)")
        }
      }
      return differences.isEmpty
        ? .equal(balances: own.assets.count, fills: deals.count) : .different(differences)
    } catch {
      return .notChecked(reason: error.description)
    }
  }

  /// Ours that rest there and not here, the reverse, and those of which another rest is open.
  private mutating func compareOrders(
    _ own: OwnLedger, _ differences: inout [String]
  ) throws(Fault) {
    var found: [String] = []
    for market in own.markets {
      for row in try questions.rows("/api/v4/orders", of: market.name) where isOwn(row, own) {
        let id = row["clientOrderId"]?.text ?? ""
        found.append(id)
        let left = try amount(row["left"])
        if let order = own.orders.first(where: { $0.id == id }) {
          if order.left != left {
            differences.append(
              "order \(id): own \(order.left) left, exchange \(left) (its row: \(row))")
          }
        } else {
          differences.append("order \(id): rests at the exchange and not here (its row: \(row))")
        }
      }
    }
    var asked = 0
    for order in own.orders where !found.contains(order.id) {
      var text =
        "order \(order.id): \(order.state) here, \(order.side) \(order.left) at \(order.price)"
        + " \(order.market), and not among the exchange's open orders"
      // How they ended is asked of some; the rest ended likewise or can be asked for by hand.
      if asked < LedgerCheck.maxQuestions {
        asked += 1
        let row = try questions.value(
          "/api/v4/trade-account/order/history",
          "\"market\":\"\(order.market)\",\"clientOrderId\":\"\(order.id)\",")
        text += " (its history: \(String("\(row)".prefix(400))))"
      }
      differences.append(text)
    }
  }

  private mutating func deals(
    _ own: OwnLedger
  ) throws(Fault) -> (
    count: Int, traded: [OwnLedger.Market], fees: [(asset: String, amount: Amount)]
  ) {
    var count = 0
    var traded: [OwnLedger.Market] = []
    var fees: [(asset: String, amount: Amount)] = []
    for market in own.markets {
      var sum = Amount.zero
      for row in try questions.rows(
        "/api/v4/trade-account/executed-history", of: market.name)
      where isOwn(row, own) {
        let time = try amount(row["time"])
        guard time.units >= Int128(own.since.nanoseconds) * powerOfTen(11),
          !own.isEarlier(row["id"]?.text ?? "", of: market)
        else { continue }
        count += 1
        let size = try amount(row["amount"])
        sum = row["side"]?.text == "sell" ? sum - size : sum + size
        let asset = row["feeAsset"]?.text ?? ""
        let fee = try amount(row["fee"])
        if let index = fees.firstIndex(where: { $0.asset == asset }) {
          fees[index].amount = fees[index].amount + fee
        } else {
          fees.append((asset, fee))
        }
      }
      traded.append(
        OwnLedger.Market(name: market.name, instrument: market.instrument, traded: sum))
    }
    return (count, traded, fees)
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
}
