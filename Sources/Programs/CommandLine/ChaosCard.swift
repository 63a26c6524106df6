import MartletBase
import MartletChaos
import MartletJSON
import MartletSimulation

/// The scorecard of a chaos run: what was done to the bot, and what it made of it.
struct ChaosCard {
  private(set) var seeds = 0
  private(set) var failed: [UInt64] = []
  private var digest = RunDigest()
  private var messages = Extent()
  private var orders = Extent()
  private var fills = Extent()
  private var faults = Extent()
  private var settling = Extent()
  private var readiness = Extent()
  private var restarts = 0
  private var recordsLost = 0
  private var struck = 0
  private var troubles: [(name: String, count: Int)] = []
  private var realized: (least: Amount, sum: Amount, most: Amount)?
  private var exposure = Amount.zero

  /// The least, the sum and the most of a count.
  private struct Extent {
    var least = Int.max
    var sum = 0
    var most = 0

    mutating func take(_ value: Int) {
      least = min(least, value)
      sum += value
      most = max(most, value)
    }

    func words(of count: Int, unit: String = "") -> String {
      "\(sum / max(count, 1))\(unit) a day, \(least)\(unit) to \(most)\(unit)"
    }
  }

  mutating func take(_ outcome: ChaosOutcome) {
    seeds += 1
    if !outcome.violations.isEmpty { failed.append(outcome.seed) }
    digest.fold(outcome.digest.value)
    messages.take(outcome.messages)
    orders.take(outcome.orders)
    fills.take(outcome.fills)
    faults.take(outcome.faults)
    settling.take(Int(outcome.settling.milliseconds / 1000))
    let span = max(outcome.span.milliseconds, 1)
    readiness.take(Int(outcome.ready.milliseconds * 100 / span))
    restarts += outcome.restarts
    recordsLost += outcome.recordsLost
    struck += outcome.hasStruck ? 1 : 0
    exposure = max(exposure, outcome.exposure)
    let before = realized ?? (outcome.realized, .zero, outcome.realized)
    realized = (
      min(before.least, outcome.realized), before.sum + outcome.realized,
      max(before.most, outcome.realized)
    )
    for (name, count) in outcome.troubles {
      if let index = troubles.firstIndex(where: { $0.name == name }) {
        troubles[index].count += count
      } else {
        troubles.append((name, count))
      }
    }
  }

  /// For a person.
  var text: String {
    guard seeds > 0 else { return "no day was run\n" }
    var text = """
      \(seeds) \(seeds == 1 ? "day" : "days") of trouble, \(failed.count) failed, digest \(digest)
        wire messages    \(messages.words(of: seeds))
        orders           \(orders.words(of: seeds))
        fills            \(fills.words(of: seeds))
        troubles         \(faults.words(of: seeds))
        restarts         \(restarts); power cuts took \(recordsLost) records
        able to trade    \(readiness.words(of: seeds, unit: " %"))
        settled after    \(settling.words(of: seeds, unit: " s"))
        largest position \(exposure) base units

      """
    if struck > 0 { text += "  the planted bug  struck in \(struck) days\n" }
    if let realized {
      let mean = Amount(units: realized.sum.units / Int128(seeds))
      text += "  realized         \(mean) a day, \(realized.least) to \(realized.most)\n"
    }
    let named = troubles.sorted { ($1.count, $0.name) < ($0.count, $1.name) }
      .map { "\($0.count) \($0.name)" }
    text += "  of the troubles  "
    var column = 0
    for (index, word) in named.enumerated() {
      let piece = word + (index + 1 < named.count ? ", " : "\n")
      if column + piece.utf8.count > 76 {
        text += "\n                   "
        column = 0
      }
      text += piece
      column += piece.utf8.count
    }
    if failed.isEmpty {
      text += """
        held in every day: position = signed sum of fills; own ledger = the exchange's; no order twice;
        none without approval, other than approved, past a limit, or on a book not to be trusted; none in
        a halt or a pause but what reduces; each halt for a cause; dead-man armed while orders were taken;
        no order lost; the journal folded to the same at each start

        """
    } else {
      text += "failed: \(failed.map(String.init).joined(separator: " "))\n"
    }
    return text
  }

  /// The last object of `--json`.
  var json: String {
    "{\"seeds\":\(seeds),\"failed\":\(failed.count),\"digest\":\"\(digest)\","
      + "\"failed_seeds\":[\(failed.map(String.init).joined(separator: ","))],"
      + "\"messages\":\(messages.sum),\"least_messages\":\(seeds > 0 ? messages.least : 0),"
      + "\"orders\":\(orders.sum),\"least_orders\":\(seeds > 0 ? orders.least : 0),"
      + "\"fills\":\(fills.sum),"
      + "\"faults\":\(faults.sum),\"least_faults\":\(seeds > 0 ? faults.least : 0),"
      + "\"restarts\":\(restarts),\"struck\":\(struck)}"
  }

  /// One day's object.
  static func json(_ outcome: ChaosOutcome) -> String {
    var buffer = ByteBuffer()
    var writer = JSONWriter()
    writer.beginArray(into: &buffer)
    for violation in outcome.violations { writer.string(text: violation, into: &buffer) }
    writer.endArray(into: &buffer)
    return "{\"seed\":\(outcome.seed),\"digest\":\"\(outcome.digest)\","
      + "\"messages\":\(outcome.messages),\"orders\":\(outcome.orders),\"fills\":\(outcome.fills),"
      + "\"faults\":\(outcome.faults),\"restarts\":\(outcome.restarts),"
      + "\"struck\":\(outcome.hasStruck),"
      + "\"settling_ms\":\(outcome.settling.milliseconds),"
      + "\"violations\":\(String(buffer.span))}"
  }
}
