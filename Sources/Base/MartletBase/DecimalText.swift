/// Exact decimal text to counts and back. No floating point comes near.
public enum DecimalText {
  public enum Fault: Error, Equatable, Sendable {
    /// Nothing where a number was expected.
    case empty
    /// The byte at `offset` belongs to no plain decimal number; exponents are refused too.
    case notANumber(offset: Int)
    /// More decimals than the grid has, and they are not zero.
    case tooFine(places: Int)
    /// The count does not fit.
    case overflow
  }

  /// The count of 10^−`places` that `text` spells, exactly.
  ///
  /// Accepts an optional sign, digits, and a fraction; digits may be missing on one side of the
  /// point. Zeros beyond the grid are accepted, other digits there are `tooFine`. `places` may be
  /// negative: "5000" is 5 at −3 places.
  @inlinable public static func parse(
    _ text: Span<UInt8>, places: DecimalPlaces
  ) throws(Fault) -> Int64 {
    if let plain = scanPlain(text) {
      let shift = Int(places.count) &- plain.decimals
      if shift >= 0 && shift <= 18 {
        let (product, overflow) = plain.digits.multipliedReportingOverflow(
          by: Int64(truncatingIfNeeded: smallPowerOfTen(shift)))
        if !overflow { return product }
      }
    }
    let value = try parseWide(text, places: Int(places.count))
    guard let narrow = Int64(exactly: value) else { throw .overflow }
    return narrow
  }

  /// `text` as an exact amount.
  @inlinable public static func parseAmount(_ text: Span<UInt8>) throws(Fault) -> Amount {
    Amount(units: try parseWide(text, places: Amount.places))
  }

  /// `text` as an exact rate.
  @inlinable public static func parseRate(_ text: Span<UInt8>) throws(Fault) -> Rate {
    let value = try parseWide(text, places: Rate.places)
    guard let narrow = Int64(exactly: value) else { throw .overflow }
    return Rate(units: narrow)
  }

  /// The decimals that `text` needs, trailing zeros left out: 2 for "0.0500", −3 never (0 for
  /// "1000").
  public static func placesNeeded(by text: Span<UInt8>) -> Int {
    var needed = 0
    var seen = 0
    var inFraction = false
    for index in 0..<text.count {
      if text[index] == 46 {
        inFraction = true
      } else if inFraction {
        seen += 1
        if text[index] != 48 { needed = seen }
      }
    }
    return needed
  }

  /// The common number: at most 17 digits and a sign, a point. Nil for every other, right or wrong,
  /// which the slow way then judges.
  @inlinable static func scanPlain(_ text: Span<UInt8>) -> (digits: Int64, decimals: Int)? {
    let end = text.count
    // Eighteen digits always fit in 64 bits.
    guard end > 0 && end <= 18 else { return nil }
    let first = text[0] == 45 ? 1 : 0
    var index = first
    var value: Int64 = 0
    var point = -1
    while index < end {
      let digit = text[index] &- 48
      if digit <= 9 {
        value = value &* 10 &+ Int64(digit)
      } else {
        guard digit == 254 && point < 0 else { return nil }  // 46 − 48, wrapped: a point.
        point = index
      }
      index &+= 1
    }
    let decimals = point < 0 ? 0 : end &- 1 &- point
    guard end &- first &- (point < 0 ? 0 : 1) > 0 else { return nil }
    return (first == 1 ? 0 &- value : value, decimals)
  }

  /// The count of 10^−`places` that `text` spells, exactly, for any grid.
  ///
  /// - Bounds: `places` −38 ... 38; the result within 128 bits, or `overflow`.
  @inlinable public static func parseWide(
    _ text: Span<UInt8>, places: Int
  ) throws(Fault) -> Int128 {
    var index = 0
    let end = text.count
    if end == 0 { throw .empty }
    if let plain = scanPlain(text) {
      let shift = places - plain.decimals
      // Less than 10¹⁸ × 10²⁰.
      if shift >= 0 && shift <= 20 { return Int128(plain.digits) &* powerOfTen(shift) }
    }
    var negative = false
    if text[0] == 45 || text[0] == 43 {
      negative = text[0] == 45
      index = 1
    }
    // Eighteen digits always fit in 64 bits.
    var small: UInt64 = 0
    var wide: Int128 = 0
    var isWide = false
    var digits = 0
    var decimals = -1
    var significant = 0
    while index < end {
      let byte = text[index]
      if byte == 46 {
        if decimals >= 0 { throw .notANumber(offset: index) }
        decimals = 0
      } else {
        let digit = byte &- 48
        if digit > 9 { throw .notANumber(offset: index) }
        digits &+= 1
        if decimals >= 0 {
          if decimals >= places && places >= 0 || places < 0 {
            if digit != 0 { throw .tooFine(places: places) }
            index &+= 1
            continue
          }
          decimals &+= 1
        }
        if isWide {
          let (product, overflow) = wide.multipliedReportingOverflow(by: 10)
          let (sum, carry) = product.addingReportingOverflow(Int128(digit))
          if overflow || carry { throw .overflow }
          wide = sum
        } else {
          small = small &* 10 &+ UInt64(digit)
          if small != 0 { significant &+= 1 }
          if significant == 18 {
            isWide = true
            wide = Int128(small)
          }
        }
      }
      index &+= 1
    }
    if digits == 0 { throw .empty }
    if !isWide { wide = Int128(small) }
    let shift = places - Swift.max(decimals, 0)
    if shift > 0 {
      if wide != 0 {
        guard shift <= 38 else { throw .overflow }
        let (product, overflow) = wide.multipliedReportingOverflow(by: powerOfTen(shift))
        if overflow { throw .overflow }
        wide = product
      }
    } else if shift < 0 {
      let (quotient, remainder) = wide.quotientAndRemainder(dividingBy: powerOfTen(-shift))
      if remainder != 0 { throw .tooFine(places: places) }
      wide = quotient
    }
    return negative ? -wide : wide
  }

  /// Writes `value` counts of 10^−`places`, normalized: no exponent, no trailing zeros, "0" for
  /// nothing, as the venues write their own numbers.
  ///
  /// - Bounds: `places` at most 38.
  @inlinable public static func write(
    _ value: Int128, places: Int, into buffer: inout ByteBuffer
  ) {
    if value == 0 {
      buffer.append(48)
      return
    }
    if value < 0 { buffer.append(45) }
    if let narrow = UInt64(exactly: value.magnitude) {
      writeMagnitude(narrow, places: places, into: &buffer)
    } else {
      writeMagnitude(value.magnitude, places: places, into: &buffer)
    }
  }

  @inlinable static func writeMagnitude<Value: FixedWidthInteger & UnsignedInteger>(
    _ magnitude: Value, places: Int, into buffer: inout ByteBuffer
  ) {
    var rest = magnitude
    var places = places
    // Last digit first.
    var digits = InlineArray<64, UInt8>(repeating: 48)
    var length = 0
    while rest != 0 {
      let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
      digits[length] = UInt8(truncatingIfNeeded: digit) &+ 48
      length &+= 1
      rest = quotient
    }
    var first = 0
    if places > 0 {
      if length <= places { length = places &+ 1 }
      while first < places && digits[first] == 48 { first &+= 1 }
    }
    var index = length
    while index > first {
      if index == places { buffer.append(46) }
      index &-= 1
      buffer.append(digits[index])
    }
    while places < 0 {
      buffer.append(48)
      places &+= 1
    }
  }

  @inlinable public static func write(
    _ price: Price, _ scale: InstrumentScale, into buffer: inout ByteBuffer
  ) {
    write(Int128(price.quanta), places: Int(scale.price.count), into: &buffer)
  }

  @inlinable public static func write(
    _ quantity: Quantity, _ scale: InstrumentScale, into buffer: inout ByteBuffer
  ) {
    write(Int128(quantity.quanta), places: Int(scale.quantity.count), into: &buffer)
  }

  @inlinable public static func write(_ amount: Amount, into buffer: inout ByteBuffer) {
    write(amount.units, places: Amount.places, into: &buffer)
  }

  @inlinable public static func write(_ rate: Rate, into buffer: inout ByteBuffer) {
    write(Int128(rate.units), places: Rate.places, into: &buffer)
  }

  static func text(_ value: Int128, places: Int) -> String {
    var buffer = ByteBuffer(capacity: 64)
    write(value, places: places, into: &buffer)
    return String(buffer.span)
  }
}

// Text for people: reports, messages, the dashboard. The wire writes into buffers.
extension Amount: CustomStringConvertible {
  public var description: String { DecimalText.text(units, places: Amount.places) }
  /// - Throws: `DecimalText.Fault` when `text` is no exact amount.
  public init(_ text: String) throws(DecimalText.Fault) {
    let bytes = Array(text.utf8)
    self = try DecimalText.parseAmount(bytes.span)
  }
}

extension Rate: CustomStringConvertible {
  public var description: String { DecimalText.text(Int128(units), places: Rate.places) }
}

extension InstrumentScale {
  public func text(_ price: Price) -> String {
    DecimalText.text(Int128(price.quanta), places: Int(self.price.count))
  }
  public func text(_ quantity: Quantity) -> String {
    DecimalText.text(Int128(quantity.quanta), places: Int(self.quantity.count))
  }
}
