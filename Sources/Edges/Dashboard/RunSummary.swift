public import MartletBase
internal import MartletJSON
internal import MartletModel

/// What is told when a run ends.
public struct RunSummary: Equatable, Sendable {
  /// Own ledger against the exchange's.
  public enum Reconciliation: Equatable, Sendable {
    /// Every balance, fill and open order is equal to the last digit.
    case equal(balances: Int, fills: Int)
    /// Each difference with its numbers, one a line.
    case different([String])
    case notChecked(reason: String)
  }

  /// As it stood at the end.
  public var status: BotStatus
  public var reconciliation: Reconciliation
  /// What a user types to fold the journal again.
  public var replayCommand: String
  /// What the journal does not hold for good; nil when it holds everything.
  public var journalLoss: String?

  public init(status: BotStatus, reconciliation: Reconciliation, replayCommand: String) {
    self.status = status
    self.reconciliation = reconciliation
    self.replayCommand = replayCommand
  }

  /// The report, ending in a line break.
  public func text(on shape: TerminalShape) -> String {
    var lines = [StyledLine]()
    func add(_ name: String, _ build: (inout StyledLine) -> Void) {
      // Paths and commands must stay whole to be pasted: a long line may wrap.
      var line = StyledLine(limit: 1000, hasColor: shape.hasColor)
      line.add("  " + name, .dim)
      line.pad(to: 18)
      build(&line)
      lines.append(line)
    }
    func money(_ name: String, _ amount: Amount) {
      add(name) {
        $0.add(
          Figures.amount(amount, shown: 8, signed: true),
          amount.units > 0 ? .green : amount.units < 0 ? .red : .plain)
        $0.add(" \(status.quote)")
      }
    }
    let counts = status.counts
    let duration = Figures.duration(status.now - status.since)
    var head = StyledLine(limit: 1000, hasColor: shape.hasColor)
    head.add("\(status.bot) on \(status.venue) \(status.market)", .bold)
    head.add(", \(duration), \(status.state.word)")
    if let reason = status.haltText { head.add(": \(reason)", .boldRed) }
    lines.append(head)
    add("fills") {
      $0.add(Figures.count(counts.fills), .bold)
      $0.add("  of \(Figures.count(counts.ordersPlaced)) orders placed, ")
      $0.add("\(Figures.count(counts.ordersCanceled)) canceled, ")
      $0.add("\(Figures.count(counts.ordersRefused)) refused, \(counts.doubts) in doubt")
    }
    money("realized", status.realized)
    money("unrealized", status.unrealized)
    add("fees") {
      $0.add(status.fees.map { "\($0.amount) \($0.asset)" }.joined(separator: ", "))
      if status.fees.isEmpty { $0.add("none") }
    }
    add("equity") {
      $0.add("\(Figures.amount(status.equity, shown: 8)) \(status.valuation)")
      $0.add("  \(Figures.amount(status.profit, shown: 8, signed: true))")
      $0.add("  \(Figures.percent(status.profit, of: status.startEquity, shown: 4))", .dim)
    }
    add("drawdown") {
      $0.add("\(Figures.amount(status.maxDrawdown, shown: 8)) \(status.valuation)")
    }
    add("left") {
      $0.add("position \(status.scale.text(status.position)) \(status.base)")
      $0.add(", \(status.orders.count) orders working")
    }
    add("reconciliation") { line in
      switch reconciliation {
      case .equal(let balances, let fills):
        line.add("✓ equal to the exchange's ledger to the last digit", .boldGreen)
        line.add("  (\(balances) balances, \(Figures.count(fills)) fills)", .dim)
      case .different(let differences):
        line.add("✗ \(differences.count) differences from the exchange's ledger", .boldRed)
      case .notChecked(let reason): line.add("not checked: \(reason)", .yellow)
      }
    }
    if case .different(let differences) = reconciliation {
      for difference in differences { add("") { $0.add(difference, .red) } }
    }
    add("frame to order") {
      guard let latency = status.frameToOrder else { return $0.add("no order was sent") }
      $0.add("p50 \(Figures.microseconds(latency.p50)), p99 \(Figures.microseconds(latency.p99))")
    }
    add("journal") { $0.add(status.journalPath) }
    if let journalLoss { add("") { $0.add(journalLoss, .boldRed) } }
    add("replay it") { $0.add(replayCommand, .cyan) }
    return lines.map { $0.text + "\n" }.joined()
  }

  /// The last line of `--json`, one object: the stable keys of `demo`, money as exact text.
  ///
  /// `reconciled` is null when it was not checked, and so is `frame_to_order_us` before an order.
  public func writeJSON(into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    writer.beginObject(into: &buffer)
    writer.key("fills", into: &buffer)
    writer.integer(status.counts.fills, into: &buffer)
    writer.key("reconciled", into: &buffer)
    switch reconciliation {
    case .equal: writer.bool(true, into: &buffer)
    case .different: writer.bool(false, into: &buffer)
    case .notChecked: writer.null(into: &buffer)
    }
    writer.key("realized", into: &buffer)
    writer.decimal(status.realized, into: &buffer)
    writer.key("unrealized", into: &buffer)
    writer.decimal(status.unrealized, into: &buffer)
    writer.key("fees", into: &buffer)
    writer.beginObject(into: &buffer)
    for fee in status.fees {
      writer.key(fee.asset, into: &buffer)
      writer.decimal(fee.amount, into: &buffer)
    }
    writer.endObject(into: &buffer)
    writer.key("journal", into: &buffer)
    writer.string(text: status.journalPath, into: &buffer)
    writer.key("frame_to_order_us", into: &buffer)
    if let latency = status.frameToOrder {
      writer.beginObject(into: &buffer)
      writer.key("p50", into: &buffer)
      writer.number(Int128(latency.p50.nanoseconds), places: 3, into: &buffer)
      writer.key("p99", into: &buffer)
      writer.number(Int128(latency.p99.nanoseconds), places: 3, into: &buffer)
      writer.endObject(into: &buffer)
    } else {
      writer.null(into: &buffer)
    }
    writer.endObject(into: &buffer)
  }
}
