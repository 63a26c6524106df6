import Glibc
import MartletBase
import Testing

@testable import MartletSecrets

@Suite struct SealedStoreTests {
  /// The least that is done, so that a test takes no time.
  static let cost = SealedStore.Cost(passes: 1, kibibytes: 8_192)
  static let now = Timestamp(milliseconds: 1_800_000_000_500)
  static let phrase = "three or four words"

  static func secret(_ text: String) -> Secret { Secret(copying: Array(text.utf8).span) }

  static func credentials(_ number: Int) -> Credentials {
    Credentials(key: secret("public-key-\(number)"), secret: secret("very-secret-\(number)"))
  }

  /// A store at `path` with keys `one`, `two` and so on, of the numbers 1, 2 and so on.
  static func write(
    _ path: String, _ names: [String] = ["one", "two"], phrase: String = phrase
  ) throws {
    var store = try SealedStore.make(path, passphrase: secret(phrase), cost: cost)
    for (index, name) in names.enumerated() {
      try store.add(
        credentials(index + 1), named: name, venue: "whitebit", slot: index == 0 ? .any : .spot,
        at: now)
    }
    try store.save()
  }

  static func fault(_ path: String, phrase: String = phrase) -> StoreFault? {
    do throws(StoreFault) {
      _ = try SealedStore.open(path, passphrase: secret(phrase))
      return nil
    } catch {
      return error
    }
  }

  @Test("M134: what was sealed comes back, and its list needs no passphrase")
  func whatWasSealedComesBack() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/keys.sealed"
    try Self.write(path)
    let store = try SealedStore.open(path, passphrase: Self.secret(Self.phrase))
    for (name, number) in [("one", 1), ("two", 2)] {
      let found = try store.credentials(named: name)
      #expect(String(found.key.span) == "public-key-\(number)")
      #expect(String(found.secret.span) == "very-secret-\(number)")
    }
    let entries = try SealedStore.listing(path).entries
    #expect(entries == store.entries)
    #expect(entries.map(\.name) == ["one", "two"] && entries.map(\.slot) == [.any, .spot])
    #expect(entries[0].fingerprint == Self.credentials(1).fingerprint)
    #expect(entries[0].addedText == "2027-01-15T08:00:00Z")
    let modes = [path, folder.path].map { path -> mode_t in
      var status = stat()
      stat(path, &status)
      return status.st_mode & 0o777
    }
    #expect(modes == [0o600, 0o700])
  }

  @Test("M39 M134: neither a key nor a secret stands in the file in any spelling")
  func nothingIsReadable() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/keys.sealed"
    try Self.write(path)
    let file = readFile(path) ?? []
    #expect(file.count > 200)
    for text in ["public-key-1", "very-secret-1", "public-k", "secret-1", Self.phrase] {
      #expect(!file.contains(Array(text.utf8)), "\(text)")
    }
    // The same keys, sealed again, are other bytes.
    try Self.write(path)
    #expect(readFile(path) != file)
  }

  @Test("M134: another passphrase opens nothing, and is told from a broken file")
  func anotherPassphraseIsRefused() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/keys.sealed"
    try Self.write(path)
    for phrase in ["three or four word", "Three or four words", " ", Self.phrase + "\n"] {
      #expect(Self.fault(path, phrase: phrase) == .wrongPassphrase(path: path))
    }
    #expect("\(StoreFault.wrongPassphrase(path: path))".contains("the passphrase does not open it"))
  }

  @Test("M134: every flipped byte is found, and none is taken for a wrong passphrase")
  func everyFlippedByteIsFound() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/keys.sealed"
    try Self.write(path)
    let file = readFile(path) ?? []
    var kinds: [String: Int] = [:]
    for index in file.indices {
      var changed = file
      changed[index] ^= 1 << UInt8(index % 8)
      let fault: StoreFault?
      do throws(StoreFault) {
        _ = try StoreContent(changed, path)
        fault = nil
      } catch {
        fault = error
      }
      switch (index, fault) {
      case (0..<8, .notAStore): kinds["magic", default: 0] += 1
      case (8..<10, .newerVersion), (8..<10, .damaged): kinds["version", default: 0] += 1
      case (12..<16, .truncated), (10..., .damaged): kinds["rest", default: 0] += 1
      default: Issue.record("byte \(index): \(String(describing: fault))")
      }
    }
    #expect(kinds["magic"] == 8 && kinds["version"] == 2 && kinds["rest"] == file.count - 10)
  }

  @Test("M134: a file cut anywhere is told as cut, with both lengths")
  func everyCutIsFound() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/keys.sealed"
    try Self.write(path)
    let file = readFile(path) ?? []
    for length in 1..<file.count {
      do throws(StoreFault) {
        _ = try StoreContent(Array(file[..<length]), path)
        Issue.record("cut at \(length) was read")
      } catch {
        guard case .truncated(_, let expected, length) = error, expected > length else {
          Issue.record("cut at \(length): \(error)")
          continue
        }
        if length >= 16 { #expect(expected == file.count) }
      }
    }
    writeFile(path, [])
    #expect(Self.fault(path) == .notAStore(path: path))
    writeFile(path, file + [0])
    #expect(Self.fault(path) == .damaged(path: path))
  }

  @Test("M134: who can write the file but lacks the passphrase can change nothing unnoticed")
  func forgeriesAreFound() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/keys.sealed"
    try Self.write(path)
    let content = try StoreContent(reading: path)
    // Somebody else's key in place of the second, all digests right: the whole's seal is missing.
    let other = folder.path + "/other.sealed"
    try Self.write(other, ["one", "two"], phrase: "another few words")
    var forged = content
    forged.rows[1] = try StoreContent(reading: other).rows[1]
    let wrongKey = Self.secret(String(repeating: "x", count: 32))
    writeFile(path, forged.sealed(with: wrongKey.span))
    #expect(Self.fault(path) == .wrongPassphrase(path: path))

    // Sealed whole by whoever has the passphrase, and one entry of another hand: found by its own
    // seal. So it is when an entry is given another's name.
    let key = try Self.sealingKey(content)
    writeFile(path, forged.sealed(with: key.span))
    let store = try SealedStore.open(path, passphrase: Self.secret(Self.phrase))
    _ = try store.credentials(named: "one")
    #expect(throws: StoreFault.foreignEntry(path: path, name: "two")) {
      try store.credentials(named: "two")
    }
    forged = content
    let first = content.rows[0]
    forged.rows = [
      StoreContent.Row(entry: content.rows[1].entry, nonce: first.nonce, sealed: first.sealed)
    ]
    writeFile(path, forged.sealed(with: key.span))
    let renamed = try SealedStore.open(path, passphrase: Self.secret(Self.phrase))
    #expect(throws: StoreFault.foreignEntry(path: path, name: "two")) {
      try renamed.credentials(named: "two")
    }
  }

  /// The key that seals a store, for forging.
  static func sealingKey(_ content: StoreContent) throws -> Secret {
    try SealedStore.derive(content, secret(phrase), "store")
  }

  @Test("M134: a file of a later version and one of something else are told apart")
  func otherFilesAreTold() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/keys.sealed"
    try Self.write(path)
    var file = readFile(path) ?? []
    file[8] = 2
    writeFile(path, file)
    #expect(Self.fault(path) == .newerVersion(path: path, found: 2, known: 1))
    #expect("\(StoreFault.newerVersion(path: path, found: 2, known: 1))".contains("use the build"))
    writeFile(path, Array("key:secret\n".utf8))
    #expect(Self.fault(path) == .notAStore(path: path))
    unlink(path)
    #expect(Self.fault(path) == .missing(path: path))
    #expect(Self.fault(folder.path) == .file(.notAFile(path: folder.path)))
    #expect(Self.fault(folder.path + "/none/keys") == .missing(path: folder.path + "/none/keys"))
  }

  @Test("M138 M134: a store that others may read, or put another in place of, is refused")
  func anExposedStoreIsRefused() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/keys.sealed"
    try Self.write(path)
    for mode: mode_t in [0o640, 0o604, 0o620, 0o666] {
      chmod(path, mode)
      #expect(Self.fault(path) == .file(.exposed(path: path, mode: mode)))
    }
    chmod(path, 0o600)
    for mode: mode_t in [0o770, 0o707, 0o777] {
      chmod(folder.path, mode)
      #expect(Self.fault(path) == .exposedFolder(path: folder.path, mode: mode))
    }
    chmod(folder.path, 0o755)
    #expect(Self.fault(path) == nil)
  }

  @Test func aMadeUpCostIsNotPaid() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/keys.sealed"
    for cost in [(17, 8_192), (0, 8_192), (1, 1_048_577), (1, 8_191)] as [(UInt32, UInt32)] {
      let content = StoreContent(
        cost: SealedStore.Cost(passes: cost.0, kibibytes: cost.1),
        salt: [UInt8](repeating: 1, count: 16))
      let key = Self.secret(String(repeating: "k", count: 32))
      writeFile(path, content.sealed(with: key.span))
      #expect(
        Self.fault(path) == .cost(path: path, passes: cost.0, kibibytes: cost.1))
    }
  }

  @Test func namesAreSound() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/keys.sealed"
    var store = try SealedStore.make(
      path, passphrase: Self.secret(Self.phrase), cost: Self.cost)
    func add(_ name: String) -> StoreFault? {
      do throws(StoreFault) {
        try store.add(
          Self.credentials(1), named: name, venue: "whitebit", slot: .any, at: Self.now)
        return nil
      } catch {
        return error
      }
    }
    #expect(add("main") == nil)
    #expect(add("main") == .taken(name: "main"))
    for name in ["", "a b", "a:b", "a/b", "ü", String(repeating: "n", count: 33)] {
      #expect(add(name) == .badName)
    }
    for number in 2...SealedStore.maximumEntries { #expect(add("n\(number)") == nil) }
    #expect(add("one-more") == .full(limit: 64))
    try store.save()
    #expect((readFile(path) ?? []).count < StoreContent.maximumBytes)
    try store.remove("main")
    let known = store.entries.map(\.name)
    #expect(throws: StoreFault.unknown(name: "main", path: path, known: known)) {
      try store.remove("main")
    }
    try store.save()
    #expect(try SealedStore.listing(path).entries.count == 63)
  }

  @Test("the largest store of the longest lines is within what is read")
  func theLargestStoreIsRead() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/keys.sealed"
    var store = try SealedStore.make(
      path, passphrase: Self.secret(Self.phrase), cost: Self.cost)
    let long = Credentials(
      key: Self.secret(String(repeating: "k", count: 2_000)),
      secret: Self.secret(String(repeating: "s", count: Credentials.maximumBytes - 2_001)))
    for number in 1...SealedStore.maximumEntries {
      try store.add(
        long,
        named: "name-of-thirty-two-letters-and-\(number % 10)\(number < 10 ? "" : "x")"
          .prefix(28) + "-\(number)", venue: "whitebit", slot: .any, at: Self.now)
    }
    try store.save()
    let again = try SealedStore.open(path, passphrase: Self.secret(Self.phrase))
    #expect(again.entries.count == 64)
    #expect(try again.credentials(named: again.entries[63].name).secret.count == 2_095)
  }

  @Test("a save that is cut short leaves the store before it, and nothing beside it")
  func aFailedSaveLeavesTheOldOne() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/keys.sealed"
    try Self.write(path)
    let before = readFile(path)
    // A folder stands where the file should go: the last step fails.
    let blocked = folder.path + "/blocked"
    mkdir(blocked, 0o700)
    #expect(throws: StoreFault.system(call: "rename", path: blocked, errno: EISDIR)) {
      try StoreFile.replace(blocked, with: [1, 2, 3])
    }
    #expect(readFile(path) == before)
    #expect(Self.names(in: folder.path) == ["blocked", "keys.sealed"])
  }

  static func names(in path: String) -> [String] {
    guard let stream = opendir(path) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      names.append(
        withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
    }
    return names.filter { $0 != "." && $0 != ".." }.sorted()
  }

  @Test("two that change a store at once do not lose each other's key")
  func writersTakeTurns() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/new/keys.sealed"
    _ = try StoreFile.exclusively(path) {
      #expect(throws: StoreFault.busy(path: path)) { try StoreFile.exclusively(path) {} }
    }
    try StoreFile.exclusively(path) {}
    var status = stat()
    stat(folder.path + "/new", &status)
    #expect(status.st_mode & 0o777 == 0o700)
  }

  @Test("M134: the passphrase comes from a private file or a variable, which is wiped")
  func passphrasesAreFetched() async throws {
    let folder = TemporaryFolder()
    let file = folder.path + "/phrase"
    func fetch(_ text: String, mode: mode_t = 0o600, isNew: Bool = false) -> PassphraseFault? {
      writeFile(file, Array(text.utf8), mode: mode)
      do throws(PassphraseFault) {
        let found = try PassphraseSource(file: file, mayAsk: false).obtain(
          for: "store", isNew: isNew)
        let words = String(found.span)
        #expect(words == "three or four words")
        return nil
      } catch {
        return error
      }
    }
    for ending in ["", "\n", "\r\n"] { #expect(fetch("three or four words" + ending) == nil) }
    #expect(fetch("\n") == .empty)
    #expect(fetch("eleven-long", isNew: true) == .tooShort(least: 12))
    #expect(fetch(String(repeating: "x", count: 1_100)) == .tooLong(limit: 1_024))
    #expect(fetch("three or four words", mode: 0o644) == .file(.exposed(path: file, mode: 0o644)))
    #expect(throws: PassphraseFault.file(.missing(path: folder.path + "/none"))) {
      try PassphraseSource(file: folder.path + "/none").obtain(for: "store")
    }
    await #expect(processExitsWith: .exitCode(0)) {
      setenv(PassphraseSource.variable, "three or four words", 1)
      let text = getenv(PassphraseSource.variable)
      guard SealedStoreTests.words() == "three or four words",
        getenv(PassphraseSource.variable) == nil,
        text?[0] == 0, text?[18] == 0
      else { exit(1) }
      exit(SealedStoreTests.words() == "none" ? 0 : 2)
    }
  }

  /// The passphrase of the environment, or why there is none.
  static func words() -> String {
    do throws(PassphraseFault) {
      let found = try PassphraseSource(mayAsk: false).obtain(for: "store")
      return String(found.span)
    } catch {
      return error == .none ? "none" : "\(error)"
    }
  }
}
