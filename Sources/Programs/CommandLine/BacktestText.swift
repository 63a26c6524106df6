import MartletBacktest
import MartletBase
import MartletModel

/// A backtest's result for people and for programs.
enum BacktestText {
  static func text(_ result: BacktestResult, took: TimeSpan) -> String {
    var text = ""
    for market in result.markets {
      let scale = market.instrument.scale
      let span = market.last - market.first
      text += "\(market.instrument.symbol): \(seconds(span)) s of market, \(market.rows) rows in"
      text += " \(market.frames) messages, \(market.trades) of them prints\n"
      text += line("fills", "\(market.fills), \(market.makerFills) as maker")
      text += line("bought", "\(market.bought) \(market.instrument.base)")
      text += line("sold", "\(market.sold) \(market.instrument.base)")
      text += line("turnover", "\(market.turnover) \(market.instrument.quote)")
      text += line("position", "\(scale.amount(of: market.position)) \(market.instrument.base)")
      text += line("realized", "\(market.realized) before fees")
      text += line("unrealized", "\(market.unrealized) at the last bid")
      text += line(
        "fees",
        "\(market.fees): \(market.feesQuote) and \(market.feesBase) \(market.instrument.base)")
      text += line("equity", "\(market.startEquity) to \(market.endEquity)")
      text += line("max drawdown", "\(market.maxDrawdown)")
    }
    text += line(
      "orders",
      "\(result.placed) placed, \(result.canceled) canceled, \(result.refusedByRisk) refused by risk,"
        + " \(result.refusedByVenue) by the venue")
    if let halt = result.halt { text += line("halted", "\(halt)") }
    text += line(
      "books",
      result.isReconciled
        ? "own ledger equals the exchange's to the last digit"
        : result.differences.joined(separator: "; "))
    text += "assumed:\n"
    for assumption in result.assumptions { text += "  \(assumption)\n" }
    text += "\(result.events) events in \(took.milliseconds) ms, \(rate(result, took)) a second\n"
    text +=
      "decisions \(result.decisions.count), digest \(result.decisions.digest); result \(result.digest)\n"
    return text
  }

  static func json(_ result: BacktestResult, took: TimeSpan) -> String {
    var fields: [String] = [
      "\"digest\":\"\(result.digest)\"", "\"decisions\":\"\(result.decisions.digest)\"",
      "\"events\":\(result.events)", "\"events_per_second\":\(rate(result, took))",
      "\"fills\":\(result.fillCount)",
    ]
    func sum(_ part: (BacktestResult.Market) -> Amount) -> String {
      "\"\(result.markets.reduce(Amount.zero) { $0 + part($1) })\""
    }
    fields += [
      "\"realized\":\(sum(\.realized))", "\"unrealized\":\(sum(\.unrealized))",
      "\"fees\":\(sum(\.fees))", "\"max_drawdown\":\(sum(\.maxDrawdown))",
      "\"start_equity\":\(sum(\.startEquity))", "\"end_equity\":\(sum(\.endEquity))",
      "\"placed\":\(result.placed)", "\"canceled\":\(result.canceled)",
      "\"refused_by_risk\":\(result.refusedByRisk)",
      "\"refused_by_venue\":\(result.refusedByVenue)",
      "\"halted\":\(result.halt.map { "\"\($0)\"" } ?? "null")",
      "\"reconciled\":\(result.isReconciled)",
      "\"markets\":[\(result.markets.map(json).joined(separator: ","))]",
      "\"assumptions\":[\(result.assumptions.map(quoted).joined(separator: ","))]",
    ]
    return "{" + fields.joined(separator: ",") + "}\n"
  }

  private static func json(_ market: BacktestResult.Market) -> String {
    let scale = market.instrument.scale
    return "{\"market\":\(quoted("\(market.instrument.symbol)")),\"rows\":\(market.rows),"
      + "\"messages\":\(market.frames),\"prints\":\(market.trades),\"fills\":\(market.fills),"
      + "\"maker_fills\":\(market.makerFills),\"bought\":\"\(market.bought)\",\"sold\":\"\(market.sold)\","
      + "\"turnover\":\"\(market.turnover)\",\"position\":\"\(scale.amount(of: market.position))\","
      + "\"realized\":\"\(market.realized)\",\"unrealized\":\"\(market.unrealized)\","
      + "\"fees_base\":\"\(market.feesBase)\",\"fees_quote\":\"\(market.feesQuote)\","
      + "\"max_drawdown\":\"\(market.maxDrawdown)\"}"
  }

  /// One backtest a latency, side by side.
  static func comparison(
    _ latencies: [Delay], _ results: [BacktestResult], asJSON: Bool
  ) -> String {
    let rows = zip(latencies, results).map {
      latency, result -> (String, String, String, String, String) in
      func sum(_ part: (BacktestResult.Market) -> Amount) -> Amount {
        result.markets.reduce(.zero) { $0 + part($1) }
      }
      return (
        "\(latency)", "\(result.fillCount)", "\(sum(\.turnover))",
        "\(sum(\.endEquity) - sum(\.startEquity))", "\(sum(\.maxDrawdown))"
      )
    }
    if asJSON {
      let objects = rows.enumerated().map { index, row in
        "{\"latency\":\(quoted(row.0)),\"fills\":\(row.1),\"turnover\":\"\(row.2)\","
          + "\"profit\":\"\(row.3)\",\"max_drawdown\":\"\(row.4)\",\"digest\":\"\(results[index].digest)\"}"
      }
      return "{\"latencies\":[\(objects.joined(separator: ","))]}\n"
    }
    var text = columns("latency", "fills", "turnover", "profit", "max drawdown")
    for row in rows { text += columns(row.0, row.1, row.2, row.3, row.4) }
    return text
  }

  // MARK: Parts

  private static func columns(_ words: String...) -> String {
    let widths = [26, 8, 26, 26, 26]
    return zip(words, widths).map { word, width in
      word + String(repeating: " ", count: max(1, width - word.count))
    }.joined() + "\n"
  }

  private static func line(_ name: String, _ value: String) -> String {
    "  \(name)\(String(repeating: " ", count: max(1, 14 - name.count)))\(value)\n"
  }

  private static func seconds(_ span: TimeSpan) -> String { "\(span.milliseconds / 1_000)" }

  private static func rate(_ result: BacktestResult, _ took: TimeSpan) -> Int64 {
    Int64(Int128(result.events) * 1_000_000_000 / Int128(max(took.nanoseconds, 1)))
  }

  /// - Parameter text: without control characters.
  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      if scalar == "\"" || scalar == "\\" { quoted.unicodeScalars.append("\\") }
      quoted.unicodeScalars.append(scalar)
    }
    return quoted + "\""
  }
}
