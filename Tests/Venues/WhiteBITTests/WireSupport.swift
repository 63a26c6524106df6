import Glibc
import MartletBase
import MartletJSON
import MartletModel
import Testing
import WhiteBITWire

/// UTF-8 of `text`.
func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// What `body` writes.
func written(_ body: (inout ByteBuffer) -> Void) -> [UInt8] {
  var buffer = ByteBuffer()
  body(&buffer)
  return buffer.copy()
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

func amount(_ text: String) -> Amount {
  guard let amount = try? DecimalText.parseAmount(bytes(text).span) else {
    preconditionFailure("“\(text)” is no amount")
  }
  return amount
}

/// A checked-in file of this room's fixtures, line by line.
func fixtureLines(_ name: String) throws -> [[UInt8]] {
  var root = #filePath.split(separator: "/", omittingEmptySubsequences: false)
  root.removeLast(4)  // Tests/Venues/WhiteBITTests/<this file>
  let path = root.joined(separator: "/") + "/Fixtures/WhiteBIT/" + name
  let file = try #require(fopen(path, "rb"), "\(path) is missing")
  defer { fclose(file) }
  var content: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65_536)
  while true {
    let length = fread(&chunk, 1, chunk.count, file)
    if length == 0 { break }
    content.append(contentsOf: chunk[0..<length])
  }
  return content.split(separator: 10).map(Array.init)
}

/// SplitMix64: the tests' own source of cases, named by its seed.
struct CaseSource: RandomNumberGenerator {
  var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }

  mutating func amount(below limit: Int64, places: Int) -> Amount {
    Amount(
      units: Int128(Int64.random(in: 0..<limit, using: &self))
        * powerOfTen(Amount.places - places))
  }

  mutating func time() -> Timestamp {
    // Whole microseconds: what the wire carries.
    Timestamp(nanoseconds: Int64.random(in: 0..<4_000_000_000_000_000, using: &self) * 1_000)
  }

  mutating func word(_ length: ClosedRange<Int>) -> String {
    let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")
    return String(
      (0..<Int.random(in: length, using: &self)).map { _ in
        letters.randomElement(using: &self) ?? "a"
      })
  }

  mutating func clientText() -> ClientText { ClientText(text: word(0...64)) ?? ClientText() }
  mutating func shortText(_ length: ClosedRange<Int> = 1...12) -> InlineText {
    InlineText(word(length)) ?? InlineText()
  }
}

let btcScale = InstrumentScale(price: DecimalPlaces(4), quantity: DecimalPlaces(8))
