import MartletBase
import Testing

@Suite struct SeededRandomTests {
  /// The generator's own published sequence, for the state 1, 2, 3, 4.
  @Test func itIsTheGeneratorItSaysItIs() throws {
    var writer = SnapshotWriter()
    writer.section("SeededRandom")
    for word in UInt64(1)...4 { writer.write(word) }
    var random = SeededRandom(seed: 0)
    var reader = SnapshotReader(writer.bytes.copy())
    try random.read(from: &reader)
    let expected: [UInt64] = [
      11520, 0, 1_509_978_240, 1_215_971_899_390_074_240, 1_216_172_134_540_287_360,
      607_988_272_756_665_600, 16_172_922_978_634_559_625, 8_476_171_486_693_032_832,
      10_595_114_339_597_558_777, 2_904_607_092_377_533_576,
    ]
    #expect(expected.indices.map { _ in random.next() } == expected)
  }

  /// Computed by an independent implementation of SplitMix64 and xoshiro256**.
  @Test(
    arguments: [
      (0, [0x99ec_5f36_cb75_f2b4, 0xbf6e_1f78_4956_452a, 0x1a5f_849d_4933_e6e0]),
      (1, [0xb3f2_af6d_0fc7_10c5, 0x853b_5596_4736_4cea, 0x92f8_9756_082a_4514]),
      (42, [0x1578_0b2e_0c2e_c716, 0x6104_d986_6d11_3a7e, 0xae17_5332_39e4_99a1]),
    ] as [(UInt64, [UInt64])])
  func oneSeedGivesOneSequenceForEver(seed: UInt64, expected: [UInt64]) {
    var random = SeededRandom(seed: seed)
    #expect(expected.indices.map { _ in random.next() } == expected)
  }

  @Test func boundedDrawsAreTheSameForEver() {
    var random = SeededRandom(seed: 7)
    let small: [UInt64] = [7, 2, 8, 9, 9, 8, 0, 1, 4, 1, 5, 7, 9, 8, 4, 5, 2, 4, 1, 1]
    #expect(small.indices.map { _ in random.below(10) } == small)
    let large: [UInt64] = [171_426, 651_358, 667_455, 281_077, 749_611]
    #expect(large.indices.map { _ in random.below(1_000_003) } == large)
    // A bound that draws again half of the time.
    random = SeededRandom(seed: 7)
    let rejecting: [UInt64] = [
      6_461_677_535_414_237_997, 7_744_196_453_246_319_819, 9_049_029_322_324_588_832,
      9_139_072_988_219_048_332, 1_400_256_439_129_669_809, 6_750_200_521_807_187_948,
    ]
    #expect(rejecting.indices.map { _ in random.below(1 << 63 + 1) } == rejecting)
  }

  @Test func drawsStayInRangeAndReachItsEnds() {
    var random = SeededRandom(seed: 11)
    var seen = Set<Int64>()
    for _ in 0..<2_000 {
      let value = random.integer(in: -3...4)
      #expect(value >= -3 && value <= 4)
      seen.insert(value)
    }
    #expect(seen.count == 8)
    for _ in 0..<200 {
      let unit = random.unit()
      #expect(unit >= 0 && unit < 1)
      #expect(random.integer(in: .max ... .max) == .max)
      #expect(random.integer(in: .min ... .min) == .min)
    }
    let whole = (0..<64).map { _ in random.integer(in: .min ... .max) }
    #expect(whole.contains { $0 < 0 } && whole.contains { $0 > 0 })
    #expect(!random.chance(0, in: 10) && random.chance(10, in: 10))
  }

  /// Pearson's χ² of 100,000 draws over 100 cells; 99 degrees of freedom exceed 160 once in 10,000.
  @Test func drawsAreSpreadEvenly() {
    var random = SeededRandom(seed: 3)
    var cells = [Double](repeating: 0, count: 100)
    for _ in 0..<100_000 { cells[Int(random.below(100))] += 1 }
    let chi = cells.reduce(0) { $0 + ($1 - 1_000) * ($1 - 1_000) / 1_000 }
    #expect(chi > 50 && chi < 160)
  }

  @Test func aForkIsASequenceOfItsOwn() {
    var random = SeededRandom(seed: 7)
    var fork = random.fork(3)
    #expect([fork.next(), fork.next()] == [0xd872_ce83_ca25_f5c4, 0xa2f9_4824_b80d_5d96])
    #expect(random.next() == 0x475c_3d96_4f48_2cd2)
    var other = SeededRandom(seed: 7)
    #expect(other.fork(4) != SeededRandom(seed: 7) && random != fork)
  }

  @Test func aRestoredGeneratorGoesOn() throws {
    var random = SeededRandom(seed: 5)
    _ = random.next()
    expectWholeOrNothing(random, into: SeededRandom(seed: 6))
    var copy = SeededRandom(seed: 6)
    var reader = SnapshotReader(written(random))
    try copy.read(from: &reader)
    #expect(copy == random && copy.next() == random.next())
    #expect(throws: SnapshotReader.Fault.impossible("random state of zeros", offset: 13)) {
      var writer = SnapshotWriter()
      writer.section("SeededRandom")
      for _ in 0..<4 { writer.write(UInt64(0)) }
      var zeros = SnapshotReader(writer.bytes.copy())
      try copy.read(from: &zeros)
    }
  }

  @Test func aNumberBelowZeroTraps() async {
    await #expect(processExitsWith: .failure) {
      var random = SeededRandom(seed: 1)
      keep(random.below(0))
    }
  }
}
