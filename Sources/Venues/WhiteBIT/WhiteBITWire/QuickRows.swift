internal import MartletBase
internal import MartletModel

/// Reads a book's side in the form the venue really sends, `[["price", "amount"], …]` with short
/// plain decimals, in one tight pass. Whatever differs in the least is left to the cursor, which
/// knows all of JSON and says what is wrong.
struct QuickRows {
  private let pricePlaces: Int
  private let quantityPlaces: Int

  init(price: DecimalPlaces, quantity: DecimalPlaces) {
    pricePlaces = Int(price.count)
    quantityPlaces = Int(quantity.count)
  }

  /// - Parameter start: where the list begins, white space allowed before it.
  /// - Returns: the offset behind the list; nil when it is not of this form, and `levels` then holds
  ///   a part of it.
  func read(
    _ side: Side, in frame: Span<UInt8>, from start: Int, limit: Int,
    into levels: inout [BookLevel]
  ) -> Int? {
    let end = frame.count
    var index = start
    while index < end && frame[index] == 0x20 { index &+= 1 }
    guard index < end, frame[index] == 0x5b else { return nil }
    index &+= 1
    if index < end && frame[index] == 0x5d { return index &+ 1 }
    var kept = 0
    while true {
      // `["`
      guard index &+ 1 < end, frame[index] == 0x5b, frame[index &+ 1] == 0x22 else { return nil }
      index &+= 2
      guard let price = QuickRows.decimal(in: frame, at: &index, places: pricePlaces) else {
        return nil
      }
      // `,"` or `, "`
      guard index &+ 2 < end, frame[index] == 0x2c else { return nil }
      index &+= frame[index &+ 1] == 0x20 ? 2 : 1
      guard frame[index] == 0x22 else { return nil }
      index &+= 1
      guard let quantity = QuickRows.decimal(in: frame, at: &index, places: quantityPlaces)
      else { return nil }
      // `],` or `], ` before a next row, `]]` at the end.
      guard index &+ 2 < end, frame[index] == 0x5d else { return nil }
      if kept < limit {
        levels.append(
          BookLevel(
            side: side, price: Price(quanta: price), quantity: Quantity(quanta: quantity)))
      }
      kept &+= 1
      index &+= 1
      let next = frame[index]
      index &+= 1
      if next == 0x5d { return index }
      guard next == 0x2c else { return nil }
      if frame[index] == 0x20 { index &+= 1 }
    }
  }

  /// A decimal up to its closing quote, which is consumed.
  @inline(__always)
  private static func decimal(
    in frame: Span<UInt8>, at index: inout Int, places: Int
  ) -> Int64? {
    let end = frame.count
    let start = index
    var value: UInt64 = 0
    var byte: UInt8 = 0
    while index < end {
      byte = frame[index]
      let digit = byte &- 48
      if digit > 9 { break }
      value = value &* 10 &+ UInt64(digit)
      index &+= 1
    }
    if index == start { return nil }
    var decimals = 0
    if byte == 46 {
      index &+= 1
      let point = index
      while index < end {
        byte = frame[index]
        let digit = byte &- 48
        if digit > 9 { break }
        value = value &* 10 &+ UInt64(digit)
        index &+= 1
      }
      decimals = index &- point
      if decimals == 0 { return nil }
    }
    // At most 18 digits and a point: nothing overflowed above. Finer than the grid, or a grid whose
    // powers leave 64 bits: not this way.
    let missing = places &- decimals
    guard index < end, byte == 0x22, index &- start <= 19, missing >= 0, missing <= 19 else {
      return nil
    }
    index &+= 1
    let (product, overflow) = value.multipliedReportingOverflow(
      by: UInt64(truncatingIfNeeded: powerOfTen(missing)))
    if overflow || product > UInt64(Int64.max) { return nil }
    return Int64(truncatingIfNeeded: product)
  }
}
