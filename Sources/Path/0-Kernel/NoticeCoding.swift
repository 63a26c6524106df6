internal import MartletBase
internal import MartletModel
internal import MartletVenueKit

/// Notices as a part of journal payloads, version 1: kind, then its own fields as little-endian words.
enum NoticeCoding {
  static func write(_ notice: VenueNotice, into payload: inout ByteBuffer) {
    switch notice {
    case .slowed(let group, let wait):
      payload.append(1)
      payload.append(group.rawValue)
      payload.append(word: wait.nanoseconds)
    case .breakerOpened(let group, let refusals, let wait):
      payload.append(2)
      payload.append(group.rawValue)
      payload.append(word: refusals)
      payload.append(word: wait.nanoseconds)
    case .breakerClosed(let group):
      payload.append(3)
      payload.append(group.rawValue)
    case .retriesExhausted(let task, let tries, let order):
      payload.append(4)
      payload.append(task.rawValue)
      payload.append(word: tries)
      payload.append(counted: order.text)
    case .retriesSucceeded(let task, let order):
      payload.append(5)
      payload.append(task.rawValue)
      payload.append(counted: order.text)
    case .clockSkewed(let offset, let allowed):
      payload.append(6)
      payload.append(word: offset.nanoseconds)
      payload.append(word: allowed.nanoseconds)
    case .clockBack(let offset):
      payload.append(7)
      payload.append(word: offset.nanoseconds)
    case .calendarSet(let step):
      payload.append(11)
      payload.append(word: step.nanoseconds)
    case .notOurs(let order, let client, let market, let side, let left, let price):
      payload.append(12)
      payload.append(word: order.high)
      payload.append(word: order.low)
      payload.append(counted: client)
      payload.append(counted: market)
      payload.append(side.rawValue)
      payload.append(word: left.units)
      payload.append(word: price.units)
    case .cleanSlate: payload.append(13)
    case .proofFailed(let gap, let order, let trade):
      payload.append(8)
      payload.append(gap.rawValue)
      payload.append(counted: order.text)
      payload.append(word: trade.high)
      payload.append(word: trade.low)
    case .proofHeld(let fills):
      payload.append(9)
      payload.append(word: fills)
    case .fieldRefused(let field, let order, let code):
      payload.append(10)
      payload.append(counted: field)
      payload.append(counted: order.text)
      payload.append(word: code)
    }
  }

  /// nil for what is no notice.
  static func read(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) -> VenueNotice? {
    guard let kind = cursor.word(UInt8.self, in: bytes) else { return nil }
    switch kind {
    case 1:
      guard let group = group(&cursor, bytes), let wait = span(&cursor, bytes) else { return nil }
      return .slowed(group, wait: wait)
    case 2:
      guard let group = group(&cursor, bytes), let refusals = cursor.word(Int32.self, in: bytes),
        let wait = span(&cursor, bytes)
      else { return nil }
      return .breakerOpened(group, refusals: refusals, wait: wait)
    case 3: return group(&cursor, bytes).map { .breakerClosed($0) }
    case 4:
      guard let task = task(&cursor, bytes), let tries = cursor.word(Int32.self, in: bytes),
        let order = cursor.text(in: bytes)
      else { return nil }
      return .retriesExhausted(task, tries: tries, order: ClientOrderID(order))
    case 5:
      guard let task = task(&cursor, bytes), let order = cursor.text(in: bytes) else { return nil }
      return .retriesSucceeded(task, order: ClientOrderID(order))
    case 6:
      guard let offset = span(&cursor, bytes), let allowed = span(&cursor, bytes) else {
        return nil
      }
      return .clockSkewed(offset: offset, allowed: allowed)
    case 7: return span(&cursor, bytes).map { .clockBack(offset: $0) }
    case 8:
      guard let gap = cursor.word(UInt8.self, in: bytes).flatMap({ ProofGap(rawValue: $0) }),
        let order = cursor.text(in: bytes), let high = cursor.word(UInt64.self, in: bytes),
        let low = cursor.word(UInt64.self, in: bytes)
      else { return nil }
      return .proofFailed(gap, order: ClientOrderID(order), trade: TradeID(high: high, low: low))
    case 9: return cursor.word(Int64.self, in: bytes).map { .proofHeld(fills: $0) }
    case 10:
      guard let field = cursor.text(in: bytes), let order = cursor.text(in: bytes),
        let code = cursor.word(Int32.self, in: bytes)
      else { return nil }
      return .fieldRefused(field, order: ClientOrderID(order), code: code)
    case 11: return span(&cursor, bytes).map { .calendarSet(by: $0) }
    case 12: return notOurs(&cursor, bytes)
    case 13: return .cleanSlate
    default: return nil
    }
  }

  private static func notOurs(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) -> VenueNotice? {
    guard let high = cursor.word(UInt64.self, in: bytes),
      let low = cursor.word(UInt64.self, in: bytes), let client = cursor.text(in: bytes),
      let market = cursor.text(in: bytes),
      let side = cursor.word(UInt8.self, in: bytes).flatMap({ Side(rawValue: $0) }),
      let left = cursor.word(Int128.self, in: bytes),
      let price = cursor.word(Int128.self, in: bytes)
    else { return nil }
    return .notOurs(
      VenueOrderID(high: high, low: low), client: client, market: market, side,
      left: Amount(units: left), price: Amount(units: price))
  }

  private static func group(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) -> RequestGroup? {
    cursor.word(UInt8.self, in: bytes).flatMap { RequestGroup(rawValue: $0) }
  }

  private static func task(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) -> RetriedTask? {
    cursor.word(UInt8.self, in: bytes).flatMap { RetriedTask(rawValue: $0) }
  }

  private static func span(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) -> TimeSpan? {
    cursor.word(Int64.self, in: bytes).map { TimeSpan(nanoseconds: $0) }
  }
}
