internal import MartletBase

/// Numbers as people read them: a fixed number of decimals so that columns stand still, thousands
/// grouped. Exact values stay in the status and the journal.
enum Figures {
  /// - Parameters:
  ///   - value: counts of 10^−`places`, rounded to the nearest even to show `shown` decimals.
  ///   - signed: a plus before what is above zero.
  static func decimal(_ value: Int128, places: Int, shown: Int, signed: Bool = false) -> String {
    let rounded =
      shown >= places
      ? value * powerOfTen(shown - places)
      : divide(value, by: powerOfTen(places - shown), rounded: .nearestEven)
    var digits = String(rounded.magnitude)
    if digits.count <= shown {
      digits = String(repeating: "0", count: shown + 1 - digits.count) + digits
    }
    let sign = rounded < 0 ? "-" : signed && rounded > 0 ? "+" : ""
    let whole = grouped(digits.dropLast(shown))
    return sign + whole + (shown > 0 ? "." + digits.suffix(shown) : "")
  }

  static func amount(_ amount: Amount?, shown: Int, signed: Bool = false) -> String {
    guard let amount else { return "–" }
    return decimal(amount.units, places: Amount.places, shown: shown, signed: signed)
  }

  static func price(_ price: Price?, _ status: BotStatus) -> String {
    guard let price else { return "–" }
    return decimal(
      Int128(price.quanta), places: Int(status.scale.price.count), shown: status.pricePlaces)
  }

  /// `part` of `whole` in percent with `shown` decimals, signed; nothing when there is no whole.
  static func percent(_ part: Amount?, of whole: Amount?, shown: Int) -> String {
    guard let part, let whole, whole.units > 0 else { return "" }
    // Both sides lose the same digits when the product would not fit.
    let factor = powerOfTen(max(0, String(part.units.magnitude).count + 8 - 38))
    let wide = part.units / factor * powerOfTen(8)
    let share = divide(wide, by: max(1, whole.units / factor), rounded: .nearestEven)
    return decimal(share, places: 6, shown: shown, signed: true) + " %"
  }

  static func count(_ value: some FixedWidthInteger) -> String {
    (value < 0 ? "-" : "") + grouped(Substring(String(value.magnitude)))
  }

  static func microseconds(_ span: TimeSpan) -> String {
    decimal(Int128(span.nanoseconds), places: 3, shown: 1) + " µs"
  }

  /// `4:05`, `1:04:05`; a negative span is none.
  static func duration(_ span: TimeSpan) -> String {
    let seconds = max(0, span.nanoseconds / 1_000_000_000)
    let (hours, rest) = (seconds / 3600, seconds % 3600)
    let tail = "\(two(rest % 60))"
    return hours > 0 ? "\(hours):\(two(rest / 60)):\(tail)" : "\(rest / 60):\(tail)"
  }

  /// `12:01:33.120`, UTC.
  static func clock(_ time: Timestamp) -> String {
    let ofDay = ((time.milliseconds % 86_400_000) + 86_400_000) % 86_400_000
    let seconds = ofDay / 1000
    let thousandths = String(1000 + ofDay % 1000).dropFirst()
    return "\(two(seconds / 3600)):\(two(seconds / 60 % 60)):\(two(seconds % 60)).\(thousandths)"
  }

  /// One glyph a column, lowest ▁ to highest █; a flat line runs in the middle.
  static func sparkline(_ values: [Int128], width: Int) -> String {
    guard let low = values.min(), let high = values.max(), width > 0 else { return "" }
    let glyphs: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    let columns = min(width, values.count)
    return String(
      (0..<columns).map { column -> Character in
        let value = values[(column + 1) * values.count / columns - 1]
        return high == low ? "▄" : glyphs[Int((value - low) * 7 / (high - low))]
      })
  }

  /// A bar of `width` columns, `part` of `whole` full.
  static func bar(_ part: Int64, of whole: Int64, width: Int) -> (full: String, empty: String) {
    let share = whole > 0 ? Int128(max(0, min(part, whole))) * Int128(width) / Int128(whole) : 0
    let full = Int(share)
    return (
      String(repeating: "━", count: full), String(repeating: "─", count: max(0, width - full))
    )
  }

  private static func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }

  private static func grouped(_ digits: Substring) -> String {
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0 && (digits.count - index) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return text
  }
}
