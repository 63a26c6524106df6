import Glibc
import MartletBase
import MartletSecrets
import Testing

/// What becomes of a secret's memory, as the kernel tells it.
@Suite struct SecretTests {
  /// Each byte of the word looked for, changed, so that neither the program nor what looks for the
  /// word holds it.
  static let hidden = Array("qVx7-mArKeD-wOrD-03-zZ".utf8)

  /// How often the word stands in memory of this process that can be read.
  static func copies() -> Int {
    guard let maps = readFile("/proc/self/maps") else { return -1 }
    let memory = open("/proc/self/mem", O_RDONLY)
    guard memory >= 0 else { return -1 }
    defer { close(memory) }
    let size = 1 << 16
    let room = UnsafeMutableRawPointer.allocate(byteCount: size + 64, alignment: 16)
    defer { room.deallocate() }
    // What was read is no copy of its own.
    let own = UInt64(UInt(bitPattern: room))..<UInt64(UInt(bitPattern: room) + UInt(size) + 64)
    var found = 0
    for line in String(decoding: maps, as: UTF8.self).split(separator: "\n") {
      let words = line.split(separator: " ")
      let ends = words[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
      guard words[1].hasPrefix("r"), ends.count == 2, ends[1] <= UInt64(Int64.max) else { continue }
      var at = ends[0]
      while at < ends[1] {
        let wanted = min(size + hidden.count - 1, Int(ends[1] - at))
        let count = pread(memory, room, wanted, off_t(at))
        guard count > 0 else { break }
        let bytes = UnsafeRawBufferPointer(start: room, count: count)
        for index in 0..<max(0, min(size, count - hidden.count + 1))
        where bytes[index] ^ 0x15 == hidden[0] && !own.contains(at + UInt64(index)) {
          if hidden.indices.allSatisfy({ bytes[index + $0] ^ 0x15 == hidden[$0] }) { found += 1 }
        }
        memset(room, 0, count)
        at += UInt64(size)
      }
    }
    return found
  }

  /// A secret of the word, its original wiped.
  static func secret() -> Secret {
    var word = hidden.map { $0 ^ 0x15 }
    defer { for index in word.indices { word[index] = 0 } }
    return Secret(copying: word.span)
  }

  @Test("M39: a secret is in memory once, and not at all when its owner has let go")
  func theMemoryIsWiped() async {
    await #expect(processExitsWith: .exitCode(0)) {
      guard SecretTests.copies() == 0 else { exit(1) }
      var secret: Secret? = SecretTests.secret()
      guard secret?.count == SecretTests.hidden.count, SecretTests.copies() == 1 else { exit(2) }
      secret = nil
      exit(SecretTests.copies() == 0 ? 0 : 3)
    }
  }

  /// The kernel's flags of the mapping that holds `address`.
  static func flags(of address: UInt) -> [Substring] {
    guard let text = readFile("/proc/self/smaps") else { return [] }
    let all = String(decoding: text, as: UTF8.self)
    var isHere = false
    for line in all.split(separator: "\n") {
      let words = line.split(separator: " ")
      let ends = words[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
      if ends.count == 2, !words[0].hasSuffix(":") {
        isHere = (ends[0]..<ends[1]).contains(address)
      } else if isHere, words[0] == "VmFlags:" {
        return Array(words.dropFirst())
      }
    }
    return []
  }

  @Test("M39: a secret's memory is left out of core dumps, kept from swap, and read-only")
  func theMemoryIsKeptOutOfDumps() {
    let secret = Self.secret()
    let address = secret.span.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
    let flags = Self.flags(of: address)
    #expect(flags.contains("dd"), "not marked for no dump: \(flags)")
    #expect(flags.contains("rd") && !flags.contains("wr"), "\(flags)")
    var limit = rlimit()
    // The limit of locked memory, which the Glibc module does not name.
    getrlimit(__rlimit_resource_t(8), &limit)
    // Under a limit of nothing, nothing can be locked.
    #expect(flags.contains("lo") || limit.rlim_cur < 1 << 20, "not locked: \(flags)")
    withExtendedLifetime(secret) {}
  }

  @Test("M39: what is written behind a secret's end, or into it, ends the process")
  func theMemoryTraps() async {
    await #expect(processExitsWith: .signal(SIGSEGV)) {
      let secret = SecretTests.secret()
      secret.span.withUnsafeBufferPointer { bytes in
        UnsafeMutablePointer(mutating: bytes.baseAddress.unsafelyUnwrapped)[bytes.count] = 1
      }
    }
    await #expect(processExitsWith: .signal(SIGSEGV)) {
      let secret = SecretTests.secret()
      secret.span.withUnsafeBufferPointer { bytes in
        UnsafeMutablePointer(mutating: bytes.baseAddress.unsafelyUnwrapped)[0] = 1
      }
    }
  }

  @Test func anEmptySecretIsOneToo() {
    let secret = Secret(copying: [UInt8]().span)
    #expect(secret.count == 0)
    let isEqual = secret.isEqual(to: [UInt8]().span)
    #expect(isEqual)
  }

  @Test("M39: a variable that held a key is wiped and gone once it was read")
  func aVariableIsTakenAway() async {
    await #expect(processExitsWith: .exitCode(0)) {
      setenv("MARTLET_TEST_TAKEN", "key-of-mine:word-of-mine", 1)
      guard let text = getenv("MARTLET_TEST_TAKEN") else { exit(1) }
      guard let credentials = try? Credentials.load(.environment("MARTLET_TEST_TAKEN")),
        String(credentials.key.span) == "key-of-mine"
      else { exit(2) }
      guard getenv("MARTLET_TEST_TAKEN") == nil else { exit(3) }
      exit((0..<24).allSatisfy { text[$0] == 0 } ? 0 : 4)
    }
  }
}
