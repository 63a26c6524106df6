internal import MartletBase

/// Rows of comma-separated text, field by field, without quotes: as venues publish their dumps.
///
/// - Bounds: a line of 64 KiB, 64 fields.
final class CSVRows {
  static let longestLine = 64 << 10
  static let mostFields = 64

  let path: String
  /// Of the text, from 1; 0 before the first.
  private(set) var line: Int64 = 0
  private let file: DumpFile
  private var bytes: [UInt8] = []
  private var start = 0
  private(set) var fields: [Range<Int>] = []
  private var isAtEnd = false

  init(path: String) throws(HistoryFault) {
    self.path = path
    file = try DumpFile(path: path)
  }

  /// Goes to the next line that is not empty.
  ///
  /// - Returns: false at the end.
  func next() throws(HistoryFault) -> Bool {
    while true {
      var end = start
      while true {
        while end < bytes.count, bytes[end] != 10 { end += 1 }
        if end < bytes.count || isAtEnd { break }
        guard end - start <= Self.longestLine else {
          throw fault(
            .tooMuch("expected lines of at most \(Self.longestLine) bytes, found a longer one"))
        }
        bytes.removeFirst(start)
        end -= start
        start = 0
        isAtEnd = try !file.read(into: &bytes)
      }
      if start == bytes.count { return false }
      line += 1
      let first = start
      start = min(end + 1, bytes.count)
      var last = end
      if last > first, bytes[last - 1] == 13 { last -= 1 }
      if first == last { continue }
      try split(first..<last)
      return true
    }
  }

  private func split(_ line: Range<Int>) throws(HistoryFault) {
    fields.removeAll(keepingCapacity: true)
    var first = line.lowerBound
    for index in line {
      if bytes[index] == 34 {
        throw fault(.value(expected: "fields without quotes", found: text(line)))
      }
      guard bytes[index] == 44 else { continue }
      fields.append(first..<index)
      first = index + 1
    }
    fields.append(first..<line.upperBound)
    guard fields.count <= Self.mostFields else {
      throw fault(.tooMuch("expected at most \(Self.mostFields) fields, found \(fields.count)"))
    }
  }

  var count: Int { fields.count }
  func text(_ field: Int) -> String { field < fields.count ? text(fields[field]) : "" }
  private func text(_ range: Range<Int>) -> String {
    String(decoding: bytes[range].prefix(80), as: UTF8.self)
  }

  /// A fault at this line.
  func fault(_ problem: HistoryFault.Problem, field: String? = nil) -> HistoryFault {
    HistoryFault(path, problem, column: field, row: line)
  }

  /// A field as a whole number.
  func integer(_ field: Int, _ name: String) throws(HistoryFault) -> Int64 {
    let number = try decimal(field, name)
    guard let value = number.scaled(to: 0) else {
      throw fault(.value(expected: "a whole number", found: "“\(text(field))”"), field: name)
    }
    return value
  }

  /// A field as an exact decimal; an empty one is 0.
  func decimal(_ field: Int, _ name: String) throws(HistoryFault) -> ExactDecimal {
    guard field < fields.count else {
      throw fault(
        .value(expected: "\(field + 1) fields or more", found: "\(fields.count)"), field: name)
    }
    guard let number = ExactDecimal(bytes[fields[field]]) else {
      throw fault(.value(expected: "a number", found: "“\(text(field))”"), field: name)
    }
    return number
  }

  /// Whether a field is empty.
  func isEmpty(_ field: Int) -> Bool { field >= fields.count || fields[field].isEmpty }
}

/// A decimal as its text has it: a count and how many decimals it has, no zeros at their end.
struct ExactDecimal: Equatable {
  let digits: Int64
  let decimals: Int

  static let zero = ExactDecimal(digits: 0, decimals: 0)
  init(_ value: Int64) { self.init(digits: value, decimals: 0) }

  private init(digits: Int64, decimals: Int) {
    self.digits = digits
    self.decimals = decimals
  }

  /// Nil for what is no number, or has more than 18 digits. An exponent is taken, as some write `1e-05`.
  init?(_ text: ArraySlice<UInt8>) {
    var text = text
    while text.first == 32 { text.removeFirst() }
    while text.last == 32 { text.removeLast() }
    if text.isEmpty {
      self = .zero
      return
    }
    var index = text.startIndex
    let isNegative = text[index] == 45
    if isNegative || text[index] == 43 { index += 1 }
    var value: Int64 = 0
    var decimals = 0
    var zeros = 0  // Held back: they count only when another digit follows.
    var seen = false
    var inFraction = false
    var exponent = 0
    while index < text.endIndex {
      let byte = text[index]
      index += 1
      if byte == 46 {
        if inFraction { return nil }
        inFraction = true
      } else if byte == 101 || byte == 69 {
        guard let found = Int(String(decoding: text[index...], as: UTF8.self)), abs(found) <= 40
        else { return nil }
        exponent = found
        index = text.endIndex
      } else {
        guard byte >= 48, byte <= 57 else { return nil }
        seen = true
        if byte == 48 && inFraction {
          zeros += 1
          continue
        }
        for _ in 0...zeros {
          let (product, overflow) = value.multipliedReportingOverflow(by: 10)
          if overflow { return nil }
          value = product
        }
        let (sum, overflow) = value.addingReportingOverflow(Int64(byte - 48))
        if overflow { return nil }
        value = sum
        if inFraction { decimals += zeros + 1 }
        zeros = 0
      }
    }
    guard seen else { return nil }
    decimals -= exponent
    while decimals < 0 {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      if overflow { return nil }
      value = product
      decimals += 1
    }
    while decimals > 0, value % 10 == 0 {
      value /= 10
      decimals -= 1
    }
    self.init(digits: isNegative ? -value : value, decimals: value == 0 ? 0 : decimals)
  }

  /// The count of 10^−`places`; nil when it is no whole one or does not fit.
  func scaled(to places: Int) -> Int64? {
    guard decimals <= places, places - decimals <= 18 else { return nil }
    let (product, overflow) = digits.multipliedReportingOverflow(
      by: Int64(truncatingIfNeeded: powerOfTen(places - decimals)))
    return overflow ? nil : product
  }
}
