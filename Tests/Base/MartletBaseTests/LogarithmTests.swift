import Glibc
import MartletBase
import Testing

/// Distance in units in the last place, over the whole line of doubles.
private func distance(_ left: Double, _ right: Double) -> UInt64 {
  func place(_ value: Double) -> Int64 {
    let bits = Int64(bitPattern: value.bitPattern)
    return bits < 0 ? .min &- bits : bits
  }
  let (a, b) = (place(left), place(right))
  return a < b ? UInt64(b - a) : UInt64(a - b)
}

@Suite struct LogarithmTests {
  /// Bits of x and of ln x, rounded from 80 decimal digits.
  static let logarithms: [(UInt64, UInt64)] = [
    (0x3fe0000000000000, 0xbfe62e42fefa39ef), (0x4000000000000000, 0x3fe62e42fefa39ef),
    (0x4008000000000000, 0x3ff193ea7aad030b), (0x4024000000000000, 0x40026bb1bbb55516),
    (0x3fb999999999999a, 0xc0026bb1bbb55515), (0x3ff0000000000001, 0x3cafffffffffffff),
    (0x3fefffffffffffff, 0xbca0000000000000), (0x3ff8000000000000, 0x3fd9f323ecbf984c),
    (0x3fe6a09e667f3bcd, 0xbfd62e42fefa39ee), (0x3ff6a09e667f3bcd, 0x3fd62e42fefa39f0),
    (0x01a56e1fc2f8f359, 0xc085963447f87fb5), (0x0000000000000001, 0xc0874385446d71c3),
    (0x7fefffffffffffff, 0x40862e42fefa39ef), (0x40f50e91eb851eb8, 0x4026bae0a455c9f1),
    (0x3e45798ee2308c3a, 0xc0326bb1bbb55516), (0x419d6f34547df3b6, 0x4032a1a38bd49b7b),
  ]

  /// Bits of x and of eˣ, rounded from 80 decimal digits.
  static let exponentials: [(UInt64, UInt64)] = [
    (0x3ff0000000000000, 0x4005bf0a8b145769), (0xbff0000000000000, 0x3fd78b56362cef38),
    (0x3fe0000000000000, 0x3ffa61298e1e069c), (0xbfe0000000000000, 0x3fe368b2fc6f960a),
    (0x3fd62e42fefa39ef, 0x3ff6a09e667f3bcc), (0x4024000000000000, 0x40d5829dcf950560),
    (0xc024000000000000, 0x3f07cd79b5647c9b), (0x4085e00000000000, 0x7f0d945df4f8ec8e),
    (0xc085e00000000000, 0x00d14f2b0fb9307f), (0x40862e42fefa39ef, 0x7fefffffffffff2a),
    (0xc086232bdd7abcd2, 0x001000000000007c), (0xc087200000000000, 0x0000000000000055),
    (0xc087490a3d70a3d7, 0x0000000000000001), (0x3ddb7cdfd9d7bdbb, 0x3ff000000006df38),
    (0x400921fb54442d18, 0x403724046eb09339), (0xbf50624dd2f1a9fc, 0x3feff7cfe56f1a9e),
    (0x4059200000000000, 0x48ffcc37a76f9e76),
  ]

  @Test(arguments: logarithms)
  func logarithmsAreWithinOneUnitOfTheTrueOnes(x: UInt64, expected: UInt64) {
    let found = naturalLogarithm(Double(bitPattern: x))
    #expect(distance(found, Double(bitPattern: expected)) <= 1)
  }

  @Test(arguments: exponentials)
  func exponentialsAreWithinOneUnitOfTheTrueOnes(x: UInt64, expected: UInt64) {
    let found = exponential(Double(bitPattern: x))
    #expect(distance(found, Double(bitPattern: expected)) <= 1)
  }

  /// The C library is within one unit itself, so two may lie between.
  @Test func bothStayCloseToTheLibraryEverywhere() {
    var farthest = (logarithm: UInt64(0), exponential: UInt64(0))
    for seed in UInt64(1)...20 {
      var random = SeededRandom(seed: seed)
      for step in 0..<5_000 {
        let x: Double
        if step % 2 == 0 {
          x = Double(bitPattern: random.below(0x7ff0_0000_0000_0000))
        } else {
          x = 0.5 + 2 * random.unit()  // Around 1, where a logarithm loses most.
        }
        farthest.logarithm = max(farthest.logarithm, distance(naturalLogarithm(x), Glibc.log(x)))
        let y = (random.unit() - 0.5) * (step % 2 == 0 ? 1_490 : 2)
        farthest.exponential = max(farthest.exponential, distance(exponential(y), Glibc.exp(y)))
      }
    }
    #expect(farthest.logarithm <= 2 && farthest.exponential <= 2)
  }

  /// A digest of many results, found in Python's arithmetic too: another machine or compiler must
  /// find the same bits.
  @Test func theBitsAreTheSameForEver() {
    var random = SeededRandom(seed: 2_026)
    var digest: UInt64 = 0
    for _ in 0..<20_000 {
      let x = Double(bitPattern: random.below(0x7ff0_0000_0000_0000))
      let y = (random.unit() - 0.5) * 1_490
      for bits in [naturalLogarithm(x).bitPattern, exponential(y).bitPattern] {
        digest = (digest ^ bits) &* 0x0000_0100_0000_01b3
      }
    }
    #expect(digest == 0xd377_d628_25a7_69dc)
  }

  @Test func theEdgesAreWhatMathematicsSays() {
    #expect(naturalLogarithm(1) == 0 && naturalLogarithm(0) == -.infinity)
    #expect(naturalLogarithm(-1).isNaN && naturalLogarithm(.nan).isNaN)
    #expect(naturalLogarithm(.infinity) == .infinity && naturalLogarithm(-.infinity).isNaN)
    #expect(exponential(0) == 1 && exponential(-0.0) == 1)
    #expect(exponential(.infinity) == .infinity && exponential(-.infinity) == 0)
    #expect(exponential(710) == .infinity && exponential(-750) == 0 && exponential(.nan).isNaN)
    #expect(exponential(709.79) == .infinity && exponential(-745.2) == 0)
  }
}
