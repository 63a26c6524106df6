import MartletBase
import MartletKernel
import Testing

/// Records of what leaves beside the kernel.
@Suite struct SideRecordTests {
  private static let nonce: Int64 = 1_795_260_713_123
  private static let at = Timestamp(nanoseconds: 1_795_260_713_456_789_012)
  private static let plain = Array(#"{"market":"DBTC_DUSDT","nonce":1000000000000}"#.utf8)
  private static let parts: [SideRecord.Part] = [
    .request(
      target: Array("/api/v4/order/kill-switch".utf8), body: plain,
      nonceOffset: UInt32(plain.count - 14)),
    .reply(status: 200, body: Array("[]".utf8), length: 2),
    .reply(status: 502, body: [], length: 0),
    .failed(Array("sent, no reply in time".utf8)),
  ]

  private static func payload(_ record: SideRecord) -> [UInt8] {
    var payload = ByteBuffer()
    record.write(into: &payload)
    return payload.copy()
  }

  @Test("M140: a request beside the kernel, and what came of it, read back as they were written")
  func roundTrip() {
    for party in SideRecord.Party.allCases {
      for part in Self.parts {
        let record = SideRecord(party: party, nonce: Self.nonce, at: Self.at, part)
        let payload = Self.payload(record)
        #expect(SideRecord(payload.span) == record)
        for count in payload.indices {
          #expect(SideRecord(payload.span.extracting(0..<count)) == nil, "\(part) cut at \(count)")
        }
      }
    }
    var other = Self.payload(
      SideRecord(party: .deadMan, nonce: Self.nonce, at: Self.at, Self.parts[0]))
    other[0] = 4
    #expect(SideRecord(other.span) == nil)
    other[0] = 1
    other[1] = 0
    #expect(SideRecord(other.span) == nil)
  }

  @Test("M140: it is read with the nonce that it left with, its party and its time")
  func words() throws {
    let request = SideRecord(
      party: .deadMan, nonce: Self.nonce, at: Self.at, Self.parts[0])
    #expect(
      request.heading
        == "dead-man 1795260713.456789 request 1795260713123 POST /api/v4/order/kill-switch")
    #expect(
      request.body == Array(#"{"market":"DBTC_DUSDT","nonce":1795260713123}"#.utf8))
    let reply = SideRecord(
      party: .ledgerCheck, nonce: Self.nonce, at: Self.at, Self.parts[1])
    #expect(reply.heading == "ledger-check 1795260713.456789 reply 1795260713123 HTTP 200")
    let lost = SideRecord(
      party: .restingOrders, nonce: Self.nonce, at: Self.at, Self.parts[3])
    #expect(
      lost.heading
        == "resting-orders 1795260713.456789 request 1795260713123 failed: sent, no reply in time")
    #expect(lost.body == nil)
    // A nonce that has no place in its body, as in a damaged record, changes nothing.
    let odd = SideRecord(
      party: .deadMan, nonce: Self.nonce, at: Self.at,
      .request(target: [], body: Self.plain, nonceOffset: UInt32(Self.plain.count)))
    #expect(odd.body == Self.plain)
  }

  @Test("M140: of a reply that no room is left for the length of the whole is told")
  func clipping() {
    let long = SideRecord(
      party: .ledgerCheck, nonce: Self.nonce, at: Self.at,
      .reply(status: 200, body: [UInt8](repeating: 65, count: 1_000), length: 1_000))
    let short = long.clipped(to: 256)
    #expect(short.body?.count == 256 && short.heading.hasSuffix("744 of its 1000 bytes not kept"))
    #expect(long.clipped(to: 1_000) == long)
    let later = long.moved(by: .seconds(1))
    #expect(later.at == Self.at + .seconds(1) && later.part == long.part)
  }
}
