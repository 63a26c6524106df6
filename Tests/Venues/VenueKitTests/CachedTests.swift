import MartletBase
import MartletVenueKit
import Testing

@Suite struct CachedTests {
  private let start = Timestamp(milliseconds: 1_000_000)

  @Test("M15: a thousand readers within one lifetime cause one request, and all get its answer")
  func oneRequest() {
    var cache = Cached<Int>(lifetime: .seconds(1))
    var asked = 0
    for reader in 0..<1_000 {
      let now = start + .microseconds(Int64(reader))
      if cache.read(at: now) == .ask { asked += 1 }
    }
    #expect(asked == 1 && cache.read(at: start + .milliseconds(900)) == .wait)
    cache.fill(7, at: start + .milliseconds(950))
    for reader in 0..<1_000 {
      #expect(cache.read(at: start + .milliseconds(950 + Int64(reader))) == .fresh(7))
    }
    #expect(cache.read(at: start + .milliseconds(1_950)) == .ask && cache.value == 7)
  }

  @Test("an answer that does not come is asked for by the next reader, and not before")
  func failure() {
    var cache = Cached<Int>(lifetime: .seconds(1))
    var readings = [cache.read(at: start), cache.read(at: start)]
    cache.fail()
    readings.append(cache.read(at: start))
    #expect(readings == [.ask, .wait, .ask])
  }

  @Test func aCacheSurvivesASnapshot() throws {
    var cache = Cached<Int64>(lifetime: .seconds(1))
    _ = cache.read(at: start)
    cache.fill(9, at: start)
    _ = cache.read(at: start + .seconds(2))
    var writer = SnapshotWriter()
    cache.write(to: &writer) { $1.write($0) }
    var reader = SnapshotReader(writer.bytes.copy())
    var other = Cached<Int64>(lifetime: .seconds(1))
    try other.read(from: &reader) { (snapshot) throws(SnapshotReader.Fault) in
      try snapshot.read(Int64.self)
    }
    #expect(reader.isAtEnd && other == cache)
  }
}
