import Glibc
import MartletBase
import MartletKernel
import MartletTransport
import Synchronization
import Testing

@testable import MartletLive

@Suite struct SideCarrierTests {
  private static func record(_ length: Int = 2) -> SideRecord {
    SideRecord(
      party: .deadMan, nonce: 1_795_260_713_123, at: .zero,
      .reply(status: 200, body: [UInt8](repeating: 65, count: length), length: UInt32(length)))
  }

  @Test("M140: a request waits until the journal's thread has taken it")
  func waits() throws {
    let carrier = SideCarrier()
    let loop = try EventLoop()
    let order = Atomic<Int>(0)
    let mailbox: Mailbox<SideRecord> = loop.mailbox(capacity: 4) { _ in
      order.store(1, ordering: .sequentiallyConsistent)
      carrier.take()
    }
    let seen = Atomic<Int>(-1)
    let thread = try SystemThread(name: "asks") {
      let (isHanded, isTaken) = carrier.carry(Self.record(), patience: .seconds(60)) {
        mailbox.post($0)
      }
      if isHanded && isTaken {
        seen.store(order.load(ordering: .sequentiallyConsistent), ordering: .sequentiallyConsistent)
      }
    }
    let end = LoopTimer(loop) { loop.stop() }
    end.arm(after: .milliseconds(50))
    loop.run()
    thread.join()
    // What the loop did not come to is here.
    for _ in mailbox.takeAll() { carrier.take() }
    #expect(seen.load(ordering: .sequentiallyConsistent) == 1)
  }

  @Test(
    "M140: a journal's thread that hangs holds a request up for its patience alone, and a closed one not"
  )
  func doesNotDepend() {
    let carrier = SideCarrier()
    var handed: [SideRecord] = []
    func carry(_ patience: TimeSpan) -> (isHanded: Bool, isTaken: Bool) {
      carrier.carry(Self.record(), patience: patience) {
        handed.append($0)
        return true
      }
    }
    #expect(carry(.zero) == (true, false))
    #expect(carry(.milliseconds(5)) == (true, false))
    // Both are taken, and then one more.
    for _ in 0..<3 { carrier.take() }
    #expect(carry(.seconds(60)) == (true, true))
    carrier.close()
    #expect(carry(.seconds(60)) == (true, false))
    #expect(handed.count == 4)
  }

  @Test("M140: what finds no room is told as that, and takes no other's place")
  func noRoom() throws {
    let carrier = SideCarrier()
    #expect(carrier.carry(Self.record(), patience: .seconds(60)) { _ in false } == (false, false))
    carrier.take()
    #expect(carrier.carry(Self.record(), patience: .seconds(60)) { _ in true } == (true, true))
    var carried = 0
    _ = carrier.carry(Self.record(SideCarrier.mostBytes + 1), patience: .zero) {
      carried = $0.body?.count ?? 0
      return true
    }
    #expect(carried == SideCarrier.mostBytes)
    let loop = try EventLoop()
    let mailbox: Mailbox<Int> = loop.mailbox(capacity: 4) { _ in }
    #expect(mailbox.post(1, leaving: 2) && mailbox.post(2, leaving: 2))
    #expect(!mailbox.post(3, leaving: 2) && mailbox.post(4) && mailbox.takeAll() == [1, 2, 4])
  }

  @Test("M140: panic's requests and replies are lines of a file that is its owner's alone")
  func panicFile() throws {
    let path = "/tmp/martlet-panic-\(getpid()).jsonl"
    // Paths are C strings for the length of a call.
    _ = unsafe unlink(path)
    defer { _ = unsafe unlink(path) }
    let record = try PanicRecord(path: path)
    record.keep(nil, .request(target: Array("/time".utf8), body: [], nonceOffset: 0))
    record.keep(
      1_795_260_713_123,
      .request(target: Array("/x".utf8), body: Array("1000000000000".utf8), nonceOffset: 0))
    record.keep(
      1_795_260_713_123, .reply(status: 422, body: Array("{\"a\":1}".utf8), length: 7))
    record.keep(1_795_260_713_124, .failed(Array("broken".utf8)))
    var facts = stat()
    #expect(unsafe stat(path, &facts) == 0)
    #expect(facts.st_mode & 0o777 == 0o600)
    let descriptor = unsafe open(path, O_RDONLY)
    var bytes = [UInt8](repeating: 0, count: 4_096)
    // The array's own bytes, for the length of the call.
    let count = unsafe read(descriptor, &bytes, bytes.count)
    close(descriptor)
    try #require(count > 0)
    let lines = String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").map {
      // Without its time.
      $0.drop { $0 != "," }.dropFirst()
    }
    #expect(
      lines == [
        #""nonce":null,"event":"request","method":"GET","target":"/time"}"#,
        #""nonce":1795260713123,"event":"request","method":"POST","target":"/x","body":"1795260713123"}"#,
        #""nonce":1795260713123,"event":"reply","status":422,"body":"{\"a\":1}"}"#,
        #""nonce":1795260713124,"event":"failed","reason":"broken"}"#,
      ])
    #expect(record.fault == nil)
    #expect(throws: PanicRecord.Fault.self) { try PanicRecord(path: path) }
  }
}
