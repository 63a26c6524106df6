/// FNV-1a over words and bytes: one seed gives one digest in every process.
///
/// - Source: Fowler, Noll, Vo; the offset basis and prime of 64 bits, folded a word at a time.
public struct RunDigest: Equatable, Sendable, CustomStringConvertible {
  public private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  public init() {}

  public mutating func fold(_ word: UInt64) { value = (value ^ word) &* 0x0000_0100_0000_01b3 }

  /// Folds the count too, so that two arrays are not one.
  public mutating func fold(_ bytes: [UInt8]) {
    fold(UInt64(bytes.count))
    for byte in bytes { fold(UInt64(byte)) }
  }

  /// Sixteen hexadecimal digits.
  public var description: String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
