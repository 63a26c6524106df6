import MartletBase
import MartletKernel
import MartletModel
import MartletRisk
import MartletVenueKit

/// Journal records as lines for people. It learns the instruments' grids from the records it has
/// seen, so that prices and quantities are written as the venue writes them.
struct RecordText {
  private var instruments: [Instrument] = []
  /// Of a record whose bytes are proven and mean nothing here.
  static let strange = "as another build writes it, which this one cannot read"

  /// - Parameter instruments: those that records before the first one told of.
  init(instruments: [Instrument] = []) { self.instruments = instruments }

  /// One line: what the record says, without its sequence and time.
  mutating func line(kind: UInt16, payload: Span<UInt8>) -> String {
    switch kind {
    case JournalKind.start: return "start"
    case JournalKind.input: return input(payload)
    case JournalKind.effect: return "effect   " + EffectCoding.describe(payload)
    case JournalKind.note:
      guard let (note, trace) = NoteCoding.read(payload) else {
        return "note     \(RecordText.strange)"
      }
      return "note     [\(trace.sequence)] " + text(note)
    case JournalKind.nonce:
      var cursor = ByteCursor()
      guard let request = cursor.word(UInt64.self, in: payload),
        let nonce = cursor.word(Int64.self, in: payload)
      else { return "nonce    \(RecordText.strange)" }
      return "nonce    request \(request) got \(nonce)"
    case JournalKind.deadMan: return "dead-man " + String(payload)
    case JournalKind.snapshot: return "snapshot \(payload.count) bytes"
    case JournalKind.operatorWord: return "operator " + String(payload)
    case JournalKind.end: return "end      " + String(payload)
    case JournalKind.side:
      guard let record = SideRecord(payload) else { return "side     damaged" }
      return "side     " + record.heading + (record.body.map { " " + String($0.span) } ?? "")
    default: return "kind \(kind), \(payload.count) bytes"
    }
  }

  private func input(_ payload: Span<UInt8>) -> String {
    guard let (input, start) = InputCoding.read(payload) else {
      return "input    \(RecordText.strange)"
    }
    let bytes = payload.extracting(start..<payload.count)
    switch input {
    case .timer, .venue(.timer): return "input    timer"
    case .command(let command):
      return "input    command \(command)\(bytes.isEmpty ? "" : " by " + String(bytes))"
    case .journal(let state): return "input    journal \(state)"
    case .settings(let strategy): return "input    other settings for strategy \(strategy.index)"
    case .venue(.frame(let stream)): return "input    frame \(stream.index) \(String(bytes))"
    case .venue(.response(let request, let status)):
      return "input    reply \(request.number) HTTP \(status) \(String(bytes))"
    case .venue(.requestFailed(let request, let failure)):
      return "input    request \(request.number) failed: \(failure)"
    case .venue(.streamOpened(let stream)): return "input    stream \(stream.index) opened"
    case .venue(.streamClosed(let stream)): return "input    stream \(stream.index) closed"
    case .venue(.deadManArmed(let until)):
      return "input    dead-man armed until \(until.milliseconds)"
    case .venue(.deadManLost): return "input    dead-man lost"
    case .venue(.start): return "input    start"
    case .venue(.stop): return "input    stop"
    case .venue(.calendar(let lead, let step)):
      return "input    calendar \(lead.milliseconds) ms ahead of our clock"
        + (step == .zero ? "" : ", set by \(step.milliseconds) ms")
    }
  }

  private mutating func text(_ note: KernelNote) -> String {
    switch note {
    case .instrument(let instrument):
      instruments.removeAll { $0.id == instrument.id }
      instruments.append(instrument)
      let scale = instrument.scale
      let rules = instrument.rules
      return "instrument \(instrument.symbol): tick \(scale.text(Price(quanta: rules.tickSize))),"
        + " lot \(scale.text(Quantity(quanta: rules.lotStep))),"
        + " at least \(scale.text(rules.minQuantity)) and \(rules.minNotional) \(instrument.quote),"
        + " fees \(rules.makerFee)/\(rules.takerFee)\(rules.isTrading ? "" : ", not trading")"
    case .intent(let intent): return "intent \(text(intent))"
    case .approved(let id, let verdict): return "approved \(id) by verdict \(verdict)"
    case .refused(let intent, let reason, let numbers):
      return "refused \(text(intent)): \(reason), verdict \(numbers.verdict), "
        + numbers.text(instrument(intent.instrument))
    case .cancel(let id): return "cancel \(id)"
    case .order(let view):
      return "order \(view.clientOrderID) \(view.side) \(quantity(view.quantity, view.instrument))"
        + " @ \(price(view.price, view.instrument)), filled"
        + " \(quantity(view.cumulative, view.instrument)): \(view.state)"
    case .fill(let fill):
      return "fill \(fill.tradeID.low) of \(fill.clientOrderID): \(fill.side)"
        + " \(quantity(fill.quantity, fill.instrument)) @ \(price(fill.price, fill.instrument)),"
        + " fee \(fill.fee) \(fill.feeAsset), \(fill.role), told by \(fill.source)"
    case .position(let id, let net, let cost, let realized):
      return "position \(quantity(net, id)), cost \(cost), realized \(realized)"
    case .bookTrust(let id, let isTrusted):
      return "book of \(symbol(id)) \(isTrusted ? "trusted" : "not trusted")"
    case .ready(let isReady): return isReady ? "ready" : "not ready"
    case .halted(let reason): return "halted: \(reason)"
    case .rearmed: return "rearmed"
    case .paused(let isPaused): return isPaused ? "paused" : "resumed"
    case .anomaly(let raw):
      return "anomaly: \(VenueAnomaly(rawValue: raw).map { "\($0)" } ?? "\(raw)")"
    case .venueRefused(let id, let reason, let code):
      return "venue refused \(id): \(reason), code \(code)"
    case .neverArrived(let id): return "never arrived: \(id)"
    case .ledgerAdjusted(let asset, let own, let told):
      return "ledger of \(asset): own \(own), venue \(told), taken over"
    case .ledgerDifference(let asset, let own, let told):
      return "ledger of \(asset): own \(own), venue \(told)"
    case .alarm(let id, let raw): return "alarm \(raw) of \(id)"
    case .notice(let notice): return "notice: \(notice)"
    case .journal(let state):
      switch state {
      case .sound: return "journal has room again: trading is held no longer for it"
      case .short: return "journal has no next file: nothing is placed, what rests is taken off"
      case .failed: return "journal could not be brought to disk"
      }
    case .settings(let strategy, let isTaken):
      return "strategy \(strategy.index) \(isTaken ? "took" : "did not take") other settings"
    case .flattened(let isWhole): return isWhole ? "flat" : "not flat: given up"
    case .stopArmed(let id, let side, let level, let unprotected):
      return "\(stop(id, side, level)) armed"
        + (unprotected == .zero ? "" : ", after \(unprotected.milliseconds) ms unprotected")
    case .stopInert(let id, let side, let since):
      return "\(side) stop of \(symbol(id)) inert since \(since.milliseconds)"
    case .stopFired(let id, let side, let level, let seen):
      return "\(stop(id, side, level)) fired: the price was \(price(seen, id))"
    case .stopTrades(let id, let side, let level, let seen, let firedBy):
      return "\(stop(id, side, level)) fired at record \(firedBy.sequence), where the price was"
        + " \(price(seen, id)): trades back what it protects"
    case .stopDone(let id, let side, let orders):
      return "\(side) stop of \(symbol(id)) done, after \(orders) order\(orders == 1 ? "" : "s")"
    case .contract(let terms):
      let margin =
        terms.leverage == 0
        ? "no leverage declared"
        : "leverage \(terms.leverage), \(terms.mode)\(terms.isHedged ? ", hedged" : "")"
      return "contract \(symbol(terms.instrument)): \(terms.contractSize) each, \(margin),"
        + " funding every \(terms.fundingInterval.milliseconds / 1_000) s,"
        + " liquidation fee \(terms.liquidationFee)"
    case .marginBracket(let id, let index, let bracket):
      return "margin of \(symbol(id)), bracket \(index + 1): up to \(bracket.upTo) at most"
        + " \(bracket.maxLeverage) times, maintenance \(bracket.maintenance)"
    case .funding(let payment, let own):
      return "funding of \(symbol(payment.instrument)) at \(payment.rate): \(payment.amount)"
        + (own == payment.amount ? "" : ", by our own sum \(own)")
    case .liquidated(let fill):
      return "liquidated by the venue: \(fill.side) \(quantity(fill.quantity, fill.instrument))"
        + " \(symbol(fill.instrument)) @ \(price(fill.price, fill.instrument)),"
        + " fee \(fill.fee) \(fill.feeAsset)"
    }
  }

  private func stop(_ id: InstrumentID, _ side: Side, _ level: Price) -> String {
    "\(side) stop of \(symbol(id)) at \(price(level, id))"
  }

  private func text(_ intent: OrderIntent) -> String {
    "\(intent.side) \(quantity(intent.quantity, intent.instrument)) \(symbol(intent.instrument))"
      + " @ \(price(intent.price, intent.instrument))"
  }

  private func instrument(_ id: InstrumentID) -> Instrument? { instruments.first { $0.id == id } }
  private func symbol(_ id: InstrumentID) -> String {
    instrument(id)?.symbol.description ?? "instrument \(id.index)"
  }
  private func price(_ price: Price, _ id: InstrumentID) -> String {
    instrument(id)?.scale.text(price) ?? "\(price.quanta) quanta"
  }
  private func quantity(_ quantity: Quantity, _ id: InstrumentID) -> String {
    instrument(id)?.scale.text(quantity) ?? "\(quantity.quanta) quanta"
  }
}
