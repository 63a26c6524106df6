public import MartletBase
public import MartletModel
public import MartletRisk
public import MartletVenueKit

/// What the kernel decided and why, as plain data for the journal: the lines that `explain` and a
/// person's questions are answered from. A replay must give the same notes, bit for bit.
@frozen public enum KernelNote: Equatable, Sendable, BitwiseCopyable {
  /// The instrument's grids and rules, as learned or changed.
  case instrument(Instrument)
  /// A strategy would like this order.
  case intent(OrderIntent)
  /// Risk let it through and Orders named it.
  case approved(ClientOrderID, verdict: UInt64)
  /// Risk refused it, by which rule and with which numbers.
  case refused(OrderIntent, RefusalReason, RiskNumbers)
  /// A strategy, a halt or a stop wants this order gone.
  case cancel(ClientOrderID)
  /// An order moved to another state.
  case order(OrderView)
  /// One execution, booked once.
  case fill(Fill)
  /// The position after a fill.
  case position(InstrumentID, net: Quantity, cost: Amount, realized: Amount)
  /// The book may or may not be traded on.
  case bookTrust(InstrumentID, isTrusted: Bool)
  /// Private side connected and reconciled, or not.
  case ready(Bool)
  case halted(HaltReason)
  case rearmed
  case paused(Bool)
  /// A venue's message that should not be, by its raw value.
  case anomaly(UInt8)
  /// The venue refused a placed order.
  case venueRefused(ClientOrderID, RefusalReason, code: Int32)
  /// The venue was asked, long enough, and never had the order.
  case neverArrived(ClientOrderID)
  /// The venue's balance of an asset and ours are not the same while nothing is on its way.
  case ledgerDifference(asset: InlineText, own: Amount, told: Amount)
  /// The same when a process goes on where an earlier one ended: the venue's was taken over.
  case ledgerAdjusted(asset: InlineText, own: Amount, told: Amount)
  /// Something a person should look at; the number is `OrderAlarm`'s.
  case alarm(ClientOrderID, UInt8)
  /// A session's word for a person, with texts of its own.
  case notice(VenueNotice)
  /// A strategy was given other settings, and took them or did not.
  case settings(StrategyID, isTaken: Bool)
  /// A flatten ended, with nothing left that the venue would take, or given up.
  case flattened(isWhole: Bool)
  /// A stop is looked with, for the first time or again after nobody had for a while.
  case stopArmed(InstrumentID, Side, level: Price, unprotected: TimeSpan)
  /// Nobody looks at a stop any more, and perhaps has not since some time before.
  case stopInert(InstrumentID, Side, since: Timestamp)
  /// A price was at a stop or past it, for the first time.
  case stopFired(InstrumentID, Side, level: Price, price: Price)
  /// The intent that follows is a fired stop's; `firedBy` is the input that it fired on.
  case stopTrades(InstrumentID, Side, level: Price, price: Price, firedBy: TraceID)
  /// Nothing is left of what a fired stop protected that the venue would take.
  case stopDone(InstrumentID, Side, orders: UInt32)
  /// How the journal's disk stands from now on.
  case journal(JournalState)
  /// A contract's terms, as learned or changed, with how it is to be traded; its brackets follow.
  case contract(ContractNote)
  case marginBracket(InstrumentID, index: UInt8, MarginBracket)
  /// What funding brought or took, booked once, and what our own sum of it is.
  case funding(FundingPayment, own: Amount)
  /// An execution that the venue made of our position itself, booked once.
  case liquidated(Fill)
}

/// A contract's terms without their brackets.
@frozen public struct ContractNote: Equatable, Sendable, BitwiseCopyable {
  public let instrument: InstrumentID
  public let contractSize: Amount
  public let fundingInterval: TimeSpan
  public let liquidationFee: Rate
  /// As declared; zero where no leverage was, so that nothing is placed there.
  public let leverage: UInt32
  public let mode: MarginMode
  public let isHedged: Bool

  public init(
    instrument: InstrumentID, contractSize: Amount, fundingInterval: TimeSpan, liquidationFee: Rate,
    leverage: UInt32, mode: MarginMode, isHedged: Bool
  ) {
    self.instrument = instrument
    self.contractSize = contractSize
    self.fundingInterval = fundingInterval
    self.liquidationFee = liquidationFee
    self.leverage = leverage
    self.mode = mode
    self.isHedged = isHedged
  }
}

/// Notes as journal payloads, version 1: trace, tag, fields as little-endian words.
public enum NoteCoding {
  public static func write(_ note: KernelNote, trace: TraceID, into payload: inout ByteBuffer) {
    payload.append(word: trace.sequence)
    switch note {
    case .instrument(let instrument):
      payload.append(1)
      payload.append(word: instrument.id.index)
      payload.append(instrument.venue.rawValue)
      payload.append(instrument.kind.rawValue)
      payload.append(counted: instrument.symbol)
      payload.append(counted: instrument.base)
      payload.append(counted: instrument.quote)
      payload.append(word: instrument.scale.price.count)
      payload.append(word: instrument.scale.quantity.count)
      let rules = instrument.rules
      payload.append(word: rules.tickSize)
      payload.append(word: rules.lotStep)
      payload.append(word: rules.minQuantity.quanta)
      payload.append(word: rules.minNotional.units)
      payload.append(word: rules.maxNotional.units)
      payload.append(word: rules.makerFee.units)
      payload.append(word: rules.takerFee.units)
      payload.append(rules.isTrading ? 1 : 0)
    case .intent(let intent):
      payload.append(2)
      write(intent, into: &payload)
    case .approved(let order, let verdict):
      payload.append(3)
      payload.append(counted: order.text)
      payload.append(word: verdict)
    case .refused(let intent, let reason, let numbers):
      payload.append(4)
      write(intent, into: &payload)
      payload.append(reason.rawValue)
      payload.append(word: numbers.verdict)
      payload.append(numbers.rule.rawValue)
      payload.append(numbers.unit.rawValue)
      payload.append(word: numbers.limit)
      payload.append(word: numbers.found)
    case .cancel(let order):
      payload.append(5)
      payload.append(counted: order.text)
    case .order(let view):
      payload.append(6)
      payload.append(counted: view.clientOrderID.text)
      payload.append(word: view.instrument.index)
      payload.append(view.side.rawValue)
      payload.append(word: view.price.quanta)
      payload.append(word: view.quantity.quanta)
      payload.append(word: view.cumulative.quanta)
      payload.append(view.state.rawValue)
      payload.append(word: view.tag)
    case .fill(let fill):
      payload.append(7)
      write(fill, into: &payload)
    case .position(let instrument, let net, let cost, let realized):
      payload.append(8)
      payload.append(word: instrument.index)
      payload.append(word: net.quanta)
      payload.append(word: cost.units)
      payload.append(word: realized.units)
    case .bookTrust(let instrument, let isTrusted):
      payload.append(9)
      payload.append(word: instrument.index)
      payload.append(isTrusted ? 1 : 0)
    case .ready(let isReady):
      payload.append(10)
      payload.append(isReady ? 1 : 0)
    case .halted(let reason):
      payload.append(11)
      payload.append(reason.rawValue)
    case .rearmed: payload.append(12)
    case .paused(let isPaused):
      payload.append(13)
      payload.append(isPaused ? 1 : 0)
    case .anomaly(let raw):
      payload.append(14)
      payload.append(raw)
    case .venueRefused(let order, let reason, let code):
      payload.append(15)
      payload.append(counted: order.text)
      payload.append(reason.rawValue)
      payload.append(word: code)
    case .neverArrived(let order):
      payload.append(16)
      payload.append(counted: order.text)
    case .ledgerDifference(let asset, let own, let told):
      payload.append(17)
      payload.append(counted: asset)
      payload.append(word: own.units)
      payload.append(word: told.units)
    case .alarm(let order, let raw):
      payload.append(18)
      payload.append(counted: order.text)
      payload.append(raw)
    case .notice(let notice):
      payload.append(19)
      NoticeCoding.write(notice, into: &payload)
    case .settings(let strategy, let isTaken):
      payload.append(30)
      payload.append(word: strategy.index)
      payload.append(isTaken ? 1 : 0)
    case .flattened(let isWhole):
      payload.append(31)
      payload.append(isWhole ? 1 : 0)
    case .journal(let state):
      payload.append(38)
      payload.append(state.rawValue)
    case .ledgerAdjusted(let asset, let own, let told):
      payload.append(32)
      payload.append(counted: asset)
      payload.append(word: own.units)
      payload.append(word: told.units)
    case .stopArmed(let instrument, let side, let level, let unprotected):
      payload.append(33)
      write(instrument, side, into: &payload)
      payload.append(word: level.quanta)
      payload.append(word: unprotected.nanoseconds)
    case .stopInert(let instrument, let side, let since):
      payload.append(34)
      write(instrument, side, into: &payload)
      payload.append(word: since.nanoseconds)
    case .stopFired(let instrument, let side, let level, let price):
      payload.append(35)
      write(instrument, side, into: &payload)
      payload.append(word: level.quanta)
      payload.append(word: price.quanta)
    case .stopTrades(let instrument, let side, let level, let price, let firedBy):
      payload.append(36)
      write(instrument, side, into: &payload)
      payload.append(word: level.quanta)
      payload.append(word: price.quanta)
      payload.append(word: firedBy.sequence)
    case .stopDone(let instrument, let side, let orders):
      payload.append(37)
      write(instrument, side, into: &payload)
      payload.append(word: orders)
    case .contract(let terms):
      payload.append(39)
      payload.append(word: terms.instrument.index)
      payload.append(word: terms.contractSize.units)
      payload.append(word: terms.fundingInterval.nanoseconds)
      payload.append(word: terms.liquidationFee.units)
      payload.append(word: terms.leverage)
      payload.append(terms.mode.rawValue)
      payload.append(terms.isHedged ? 1 : 0)
    case .marginBracket(let instrument, let index, let bracket):
      payload.append(40)
      payload.append(word: instrument.index)
      payload.append(index)
      payload.append(word: bracket.upTo.units)
      payload.append(word: Int64(bracket.maxLeverage))
      payload.append(word: bracket.maintenance.units)
    case .funding(let payment, let own):
      payload.append(41)
      payload.append(word: payment.account.index)
      payload.append(word: payment.instrument.index)
      payload.append(payment.positionSide.rawValue)
      payload.append(word: payment.amount.units)
      payload.append(word: payment.rate.units)
      payload.append(word: payment.mark.quanta)
      payload.append(word: payment.dueAt.nanoseconds)
      payload.append(word: own.units)
    case .liquidated(let fill):
      payload.append(42)
      write(fill, into: &payload)
    }
  }

  private static func write(_ fill: Fill, into payload: inout ByteBuffer) {
    payload.append(word: fill.account.index)
    payload.append(counted: fill.clientOrderID.text)
    payload.append(word: fill.instrument.index)
    payload.append(word: fill.venueOrderID.high)
    payload.append(word: fill.venueOrderID.low)
    payload.append(word: fill.tradeID.high)
    payload.append(word: fill.tradeID.low)
    payload.append(fill.side.rawValue)
    payload.append(word: fill.price.quanta)
    payload.append(word: fill.quantity.quanta)
    payload.append(word: fill.fee.units)
    payload.append(counted: fill.feeAsset)
    payload.append(fill.role.rawValue)
    payload.append(word: fill.exchangeTime.nanoseconds)
    // Which position, of a hedge account alone: the byte of all others is as it ever was.
    payload.append(fill.source.rawValue | fill.positionSide.rawValue << 4)
  }

  private static func write(
    _ instrument: InstrumentID, _ side: Side, into payload: inout ByteBuffer
  ) {
    payload.append(word: instrument.index)
    payload.append(side.rawValue)
  }

  private static func write(_ intent: OrderIntent, into payload: inout ByteBuffer) {
    payload.append(word: intent.strategy.index)
    payload.append(word: intent.account.index)
    payload.append(word: intent.instrument.index)
    payload.append(intent.side.rawValue)
    payload.append(word: intent.price.quanta)
    payload.append(word: intent.quantity.quanta)
    payload.append(intent.timeInForce.rawValue)
    payload.append(
      (intent.isPostOnly ? 1 : 0) | (intent.isReduceOnly ? 2 : 0)
        | intent.positionSide.rawValue << 2)
    payload.append(word: intent.tag)
  }

  /// The trace and the tag of a note payload; nil when it is too short to be one.
  public static func head(of payload: Span<UInt8>) -> (trace: TraceID, tag: UInt8)? {
    var cursor = ByteCursor()
    guard let trace = cursor.word(UInt64.self, in: payload),
      let tag = cursor.word(UInt8.self, in: payload)
    else { return nil }
    return (TraceID(trace), tag)
  }

  /// The note that `payload` holds and the input it goes back to; nil when it holds none.
  public static func read(_ payload: Span<UInt8>) -> (note: KernelNote, trace: TraceID)? {
    var cursor = ByteCursor()
    guard let trace = cursor.word(UInt64.self, in: payload),
      let tag = cursor.word(UInt8.self, in: payload),
      let note = read(tag, &cursor, payload)
    else { return nil }
    return (note, TraceID(trace))
  }

  private static func read(
    _ tag: UInt8, _ cursor: inout ByteCursor, _ bytes: Span<UInt8>
  ) -> KernelNote? {
    func flag(_ cursor: inout ByteCursor) -> Bool? {
      cursor.word(UInt8.self, in: bytes).map { $0 == 1 }
    }
    switch tag {
    case 1: return instrument(&cursor, bytes).map { .instrument($0) }
    case 2: return intent(&cursor, bytes).map { .intent($0) }
    case 3:
      guard let order = cursor.text(in: bytes), let verdict = cursor.word(UInt64.self, in: bytes)
      else { return nil }
      return .approved(ClientOrderID(order), verdict: verdict)
    case 4:
      guard let intent = intent(&cursor, bytes), let raw = cursor.word(UInt8.self, in: bytes),
        let reason = RefusalReason(rawValue: raw),
        let verdict = cursor.word(UInt64.self, in: bytes),
        let rule = cursor.word(UInt8.self, in: bytes).flatMap({ RiskRule(rawValue: $0) }),
        let unit = cursor.word(UInt8.self, in: bytes).flatMap({ RiskNumbers.Unit(rawValue: $0) }),
        let limit = cursor.word(Int128.self, in: bytes),
        let found = cursor.word(Int128.self, in: bytes)
      else { return nil }
      return .refused(
        intent, reason,
        RiskNumbers(verdict: verdict, rule: rule, unit: unit, limit: limit, found: found))
    case 5: return cursor.text(in: bytes).map { .cancel(ClientOrderID($0)) }
    case 6:
      guard let order = cursor.text(in: bytes),
        let instrument = cursor.word(UInt16.self, in: bytes),
        let side = cursor.word(UInt8.self, in: bytes).flatMap({ Side(rawValue: $0) }),
        let price = cursor.word(Int64.self, in: bytes),
        let quantity = cursor.word(Int64.self, in: bytes),
        let cumulative = cursor.word(Int64.self, in: bytes),
        let state = cursor.word(UInt8.self, in: bytes).flatMap({ OrderState(rawValue: $0) }),
        let tag = cursor.word(Int64.self, in: bytes)
      else { return nil }
      return .order(
        OrderView(
          clientOrderID: ClientOrderID(order), instrument: InstrumentID(instrument), side: side,
          price: Price(quanta: price), quantity: Quantity(quanta: quantity),
          cumulative: Quantity(quanta: cumulative), state: state, tag: tag))
    case 7: return fill(&cursor, bytes).map { .fill($0) }
    case 8:
      guard let instrument = cursor.word(UInt16.self, in: bytes),
        let net = cursor.word(Int64.self, in: bytes),
        let cost = cursor.word(Int128.self, in: bytes),
        let realized = cursor.word(Int128.self, in: bytes)
      else { return nil }
      return .position(
        InstrumentID(instrument), net: Quantity(quanta: net), cost: Amount(units: cost),
        realized: Amount(units: realized))
    case 9:
      guard let instrument = cursor.word(UInt16.self, in: bytes), let isTrusted = flag(&cursor)
      else { return nil }
      return .bookTrust(InstrumentID(instrument), isTrusted: isTrusted)
    case 10: return flag(&cursor).map { .ready($0) }
    case 11:
      return cursor.word(UInt8.self, in: bytes).flatMap { HaltReason(rawValue: $0) }
        .map { .halted($0) }
    case 12: return .rearmed
    case 13: return flag(&cursor).map { .paused($0) }
    case 14: return cursor.word(UInt8.self, in: bytes).map { .anomaly($0) }
    case 15:
      guard let order = cursor.text(in: bytes),
        let reason = cursor.word(UInt8.self, in: bytes).flatMap({ RefusalReason(rawValue: $0) }),
        let code = cursor.word(Int32.self, in: bytes)
      else { return nil }
      return .venueRefused(ClientOrderID(order), reason, code: code)
    case 16: return cursor.text(in: bytes).map { .neverArrived(ClientOrderID($0)) }
    case 17:
      guard let asset = cursor.text(in: bytes), let own = cursor.word(Int128.self, in: bytes),
        let told = cursor.word(Int128.self, in: bytes)
      else { return nil }
      return .ledgerDifference(asset: asset, own: Amount(units: own), told: Amount(units: told))
    case 18:
      guard let order = cursor.text(in: bytes), let raw = cursor.word(UInt8.self, in: bytes) else {
        return nil
      }
      return .alarm(ClientOrderID(order), raw)
    case 19: return NoticeCoding.read(&cursor, bytes).map { .notice($0) }
    case 30:
      guard let index = cursor.word(UInt16.self, in: bytes), let isTaken = flag(&cursor) else {
        return nil
      }
      return .settings(StrategyID(index), isTaken: isTaken)
    case 31: return flag(&cursor).map { .flattened(isWhole: $0) }
    case 32:
      guard let asset = cursor.text(in: bytes), let own = cursor.word(Int128.self, in: bytes),
        let told = cursor.word(Int128.self, in: bytes)
      else { return nil }
      return .ledgerAdjusted(asset: asset, own: Amount(units: own), told: Amount(units: told))
    case 33...37: return stop(tag, &cursor, bytes)
    case 38:
      return cursor.word(UInt8.self, in: bytes).flatMap { JournalState(rawValue: $0) }
        .map { .journal($0) }
    case 39: return contract(&cursor, bytes).map { .contract($0) }
    case 40: return bracket(&cursor, bytes)
    case 41: return funding(&cursor, bytes)
    case 42: return fill(&cursor, bytes).map { .liquidated($0) }
    default: return nil
    }
  }

  private static func stop(
    _ tag: UInt8, _ cursor: inout ByteCursor, _ bytes: Span<UInt8>
  ) -> KernelNote? {
    guard let index = cursor.word(UInt16.self, in: bytes),
      let side = cursor.word(UInt8.self, in: bytes).flatMap({ Side(rawValue: $0) })
    else { return nil }
    let id = InstrumentID(index)
    if tag == 37 {
      return cursor.word(UInt32.self, in: bytes).map { .stopDone(id, side, orders: $0) }
    }
    guard let first = cursor.word(Int64.self, in: bytes) else { return nil }
    if tag == 34 { return .stopInert(id, side, since: Timestamp(nanoseconds: first)) }
    let level = Price(quanta: first)
    guard let second = cursor.word(Int64.self, in: bytes) else { return nil }
    if tag == 33 {
      return .stopArmed(id, side, level: level, unprotected: TimeSpan(nanoseconds: second))
    }
    let price = Price(quanta: second)
    if tag == 35 { return .stopFired(id, side, level: level, price: price) }
    return cursor.word(UInt64.self, in: bytes).map {
      .stopTrades(id, side, level: level, price: price, firedBy: TraceID($0))
    }
  }

  private static func intent(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) -> OrderIntent? {
    guard let strategy = cursor.word(UInt16.self, in: bytes),
      let account = cursor.word(UInt16.self, in: bytes),
      let instrument = cursor.word(UInt16.self, in: bytes),
      let side = cursor.word(UInt8.self, in: bytes).flatMap({ Side(rawValue: $0) }),
      let price = cursor.word(Int64.self, in: bytes),
      let quantity = cursor.word(Int64.self, in: bytes),
      let timeInForce = cursor.word(UInt8.self, in: bytes).flatMap({ TimeInForce(rawValue: $0) }),
      let flags = cursor.word(UInt8.self, in: bytes),
      let positionSide = PositionSide(rawValue: flags >> 2),
      let tag = cursor.word(Int64.self, in: bytes)
    else { return nil }
    return OrderIntent(
      strategy: StrategyID(strategy), account: AccountID(account),
      instrument: InstrumentID(instrument), side: side, price: Price(quanta: price),
      quantity: Quantity(quanta: quantity), timeInForce: timeInForce, isPostOnly: flags & 1 != 0,
      isReduceOnly: flags & 2 != 0, positionSide: positionSide, tag: tag)
  }

  private static func fill(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) -> Fill? {
    guard let account = cursor.word(UInt16.self, in: bytes),
      let order = cursor.text(in: bytes), let instrument = cursor.word(UInt16.self, in: bytes),
      let orderHigh = cursor.word(UInt64.self, in: bytes),
      let orderLow = cursor.word(UInt64.self, in: bytes),
      let tradeHigh = cursor.word(UInt64.self, in: bytes),
      let tradeLow = cursor.word(UInt64.self, in: bytes),
      let side = cursor.word(UInt8.self, in: bytes).flatMap({ Side(rawValue: $0) }),
      let price = cursor.word(Int64.self, in: bytes),
      let quantity = cursor.word(Int64.self, in: bytes),
      let fee = cursor.word(Int128.self, in: bytes), let feeAsset = cursor.text(in: bytes),
      let role = cursor.word(UInt8.self, in: bytes).flatMap({ LiquidityRole(rawValue: $0) }),
      let time = cursor.word(Int64.self, in: bytes), let byte = cursor.word(UInt8.self, in: bytes),
      let source = NewsSource(rawValue: byte & 15),
      let positionSide = PositionSide(rawValue: byte >> 4)
    else { return nil }
    return Fill(
      account: AccountID(account), instrument: InstrumentID(instrument),
      clientOrderID: ClientOrderID(order),
      venueOrderID: VenueOrderID(high: orderHigh, low: orderLow),
      tradeID: TradeID(high: tradeHigh, low: tradeLow), side: side, price: Price(quanta: price),
      quantity: Quantity(quanta: quantity), fee: Amount(units: fee), feeAsset: feeAsset,
      role: role, exchangeTime: Timestamp(nanoseconds: time), source: source,
      positionSide: positionSide)
  }

  private static func contract(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) -> ContractNote? {
    guard let instrument = cursor.word(UInt16.self, in: bytes),
      let size = cursor.word(Int128.self, in: bytes),
      let interval = cursor.word(Int64.self, in: bytes),
      let fee = cursor.word(Int64.self, in: bytes),
      let leverage = cursor.word(UInt32.self, in: bytes),
      let mode = cursor.word(UInt8.self, in: bytes).flatMap({ MarginMode(rawValue: $0) }),
      let isHedged = cursor.word(UInt8.self, in: bytes)
    else { return nil }
    return ContractNote(
      instrument: InstrumentID(instrument), contractSize: Amount(units: size),
      fundingInterval: TimeSpan(nanoseconds: interval), liquidationFee: Rate(units: fee),
      leverage: leverage, mode: mode, isHedged: isHedged == 1)
  }

  private static func bracket(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) -> KernelNote? {
    guard let instrument = cursor.word(UInt16.self, in: bytes),
      let index = cursor.word(UInt8.self, in: bytes),
      let upTo = cursor.word(Int128.self, in: bytes),
      let leverage = cursor.word(Int64.self, in: bytes),
      let maintenance = cursor.word(Int64.self, in: bytes)
    else { return nil }
    return .marginBracket(
      InstrumentID(instrument), index: index,
      MarginBracket(
        upTo: Amount(units: upTo), maxLeverage: Int(leverage),
        maintenance: Rate(units: maintenance)))
  }

  private static func funding(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) -> KernelNote? {
    guard let account = cursor.word(UInt16.self, in: bytes),
      let instrument = cursor.word(UInt16.self, in: bytes),
      let side = cursor.word(UInt8.self, in: bytes).flatMap({ PositionSide(rawValue: $0) }),
      let amount = cursor.word(Int128.self, in: bytes),
      let rate = cursor.word(Int64.self, in: bytes), let mark = cursor.word(Int64.self, in: bytes),
      let due = cursor.word(Int64.self, in: bytes), let own = cursor.word(Int128.self, in: bytes)
    else { return nil }
    return .funding(
      FundingPayment(
        account: AccountID(account), instrument: InstrumentID(instrument), positionSide: side,
        amount: Amount(units: amount), rate: Rate(units: rate), mark: Price(quanta: mark),
        dueAt: Timestamp(nanoseconds: due)), own: Amount(units: own))
  }

  private static func instrument(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) -> Instrument? {
    guard let index = cursor.word(UInt16.self, in: bytes),
      let venue = cursor.word(UInt8.self, in: bytes).flatMap({ VenueID(rawValue: $0) }),
      let kind = cursor.word(UInt8.self, in: bytes).flatMap({ Instrument.Kind(rawValue: $0) }),
      let symbol = cursor.text(in: bytes), let base = cursor.text(in: bytes),
      let quote = cursor.text(in: bytes), let pricePlaces = cursor.word(Int8.self, in: bytes),
      let quantityPlaces = cursor.word(Int8.self, in: bytes),
      (-12...12).contains(pricePlaces), (-12...12).contains(quantityPlaces),
      pricePlaces + quantityPlaces <= 20,
      let tickSize = cursor.word(Int64.self, in: bytes),
      let lotStep = cursor.word(Int64.self, in: bytes),
      let minQuantity = cursor.word(Int64.self, in: bytes),
      let minNotional = cursor.word(Int128.self, in: bytes),
      let maxNotional = cursor.word(Int128.self, in: bytes),
      let maker = cursor.word(Int64.self, in: bytes),
      let taker = cursor.word(Int64.self, in: bytes),
      let isTrading = cursor.word(UInt8.self, in: bytes)
    else { return nil }
    return Instrument(
      id: InstrumentID(index), venue: venue, kind: kind, symbol: symbol, base: base, quote: quote,
      scale: InstrumentScale(
        price: DecimalPlaces(Int(pricePlaces)), quantity: DecimalPlaces(Int(quantityPlaces))),
      rules: InstrumentRules(
        tickSize: tickSize, lotStep: lotStep, minQuantity: Quantity(quanta: minQuantity),
        minNotional: Amount(units: minNotional), maxNotional: Amount(units: maxNotional),
        makerFee: Rate(units: maker), takerFee: Rate(units: taker), isTrading: isTrading == 1))
  }
}
