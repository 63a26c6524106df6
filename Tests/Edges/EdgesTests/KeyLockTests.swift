import Glibc
import MartletBase
import MartletVenueKit
import Testing

@testable import MartletSecrets

@Suite struct KeyLockTests {
  static let now = Timestamp(milliseconds: 1_800_000_000_000)
  static let credentials = Credentials(
    key: Secret(copying: Array("a-public-key".utf8).span),
    secret: Secret(copying: Array("a-word".utf8).span))

  static func fault(_ folder: String, _ name: String = "second") -> KeyLockFault? {
    do throws(KeyLockFault) {
      _ = try KeyLock(credentials, for: name, at: now, in: folder)
      return nil
    } catch {
      return error
    }
  }

  @Test("M38: a second user of a key is refused and told who holds it, and let in afterwards")
  func aSecondUserIsRefused() throws {
    let folder = TemporaryFolder()
    let first = try KeyLock(Self.credentials, for: "grid-one", at: Self.now, in: folder.path)
    let fault = Self.fault(folder.path)
    #expect(
      fault
        == .inUse(
          path: first.path,
          holder: KeyLock.Holder(
            process: getpid(), name: "grid-one", since: "2027-01-15T08:00:00Z")))
    #expect(
      fault.map { "\($0)" }?.hasPrefix(
        "“grid-one” (process \(getpid()), since 2027-01-15T08:00:00Z) uses this key; stop it")
        == true)
    var status = stat()
    stat(first.path, &status)
    #expect(status.st_mode & 0o777 == 0o600)
    // The file tells the fingerprint and no more of the key.
    #expect(first.path == "\(folder.path)/\(Self.credentials.fingerprint).lock")
    #expect(!(readFile(first.path) ?? []).contains(Array("public".utf8)))
    _ = consume first
    #expect(Self.fault(folder.path) == nil)
  }

  @Test("M38: another key is another lock")
  func anotherKeyIsFree() throws {
    let folder = TemporaryFolder()
    let first = try KeyLock(Self.credentials, for: "one", at: Self.now, in: folder.path)
    let other = Credentials(
      key: Secret(copying: Array("b-public-key".utf8).span), secret: Self.credentials.secret)
    let second = try KeyLock(other, for: "two", at: Self.now, in: folder.path)
    #expect(first.path != second.path)
  }

  /// Named for the process that looks at it afterwards, which the other one has for its parent.
  private static func sharedFolder(_ process: pid_t) -> String {
    "/tmp/martlet-test-locks-\(process)"
  }

  @Test("M38: the lock of a process that is killed with kill -9 is free at once")
  func aKillFreesIt() async throws {
    let folder = Self.sharedFolder(getpid())
    mkdir(folder, 0o700)
    defer { TemporaryFolder.remove(folder) }
    await #expect(processExitsWith: .signal(SIGKILL)) {
      let lock = try KeyLock(
        KeyLockTests.credentials, for: "killed", at: KeyLockTests.now,
        in: KeyLockTests.sharedFolder(getppid()))
      withExtendedLifetime(lock) { _ = kill(getpid(), SIGKILL) }
    }
    let next = try KeyLock(Self.credentials, for: "next", at: Self.now, in: folder)
    await #expect(processExitsWith: .exitCode(7)) {
      let fault = KeyLockTests.fault(KeyLockTests.sharedFolder(getppid()))
      if case .inUse(_, let holder) = fault, holder?.name == "next", holder?.process == getppid() {
        exit(7)
      }
    }
    _ = consume next
  }

  @Test func aFolderThatOthersMayTouchIsRefused() {
    let folder = TemporaryFolder()
    for mode: mode_t in [0o755, 0o770, 0o777] {
      chmod(folder.path, mode)
      #expect(Self.fault(folder.path) == .exposed(path: folder.path, mode: mode))
    }
    chmod(folder.path, 0o700)
    // A link to a sound folder is still somebody's link.
    symlink(folder.path, folder.path + "/link")
    #expect(Self.fault(folder.path + "/link") == .foreign(path: folder.path + "/link"))
    // So is one where the lock should be.
    symlink("/dev/null", folder.path + "/\(Self.credentials.fingerprint).lock")
    guard case .system("open", _, ELOOP) = Self.fault(folder.path) else {
      Issue.record("a link was followed")
      return
    }
  }

  @Test("M38: locks are where the user's state is, wherever the process was started")
  func thePlaceIsTheUsers() async {
    await #expect(processExitsWith: .exitCode(0)) {
      let folder = TemporaryFolder()
      func place() -> String? { try? KeyLock.folder() }
      setenv("HOME", folder.path + "/user", 1)
      setenv("XDG_STATE_HOME", folder.path + "/state", 1)
      var problems = 0
      if place() != folder.path + "/state/martlet/locks" { problems += 1 }
      // A relative one is to be ignored, says the convention.
      setenv("XDG_STATE_HOME", "state", 1)
      mkdir(folder.path + "/user", 0o700)
      if place() != folder.path + "/user/.local/state/martlet/locks" { problems += 2 }
      unsetenv("XDG_STATE_HOME")
      chdir("/")
      if place() != folder.path + "/user/.local/state/martlet/locks" { problems += 4 }
      var status = stat()
      stat(folder.path + "/user/.local/state/martlet/locks", &status)
      if status.st_mode & 0o777 != 0o700 { problems += 8 }
      // No home to write to.
      setenv("HOME", folder.path + "/none", 1)
      if place() != "/var/tmp/martlet-\(geteuid())/locks" { problems += 16 }
      TemporaryFolder.remove(folder.path)
      // Gone again, unless a bot of this user's has its locks there.
      rmdir("/var/tmp/martlet-\(geteuid())/locks")
      rmdir("/var/tmp/martlet-\(geteuid())")
      exit(Int32(problems))
    }
  }

  @Test("M38 M29: a key used from two folders in turn never goes back in nonces")
  func noncesFollowTheKey() throws {
    let folder = TemporaryFolder()
    var last: Int64 = 0
    for _ in 0..<4 {
      let lock = try KeyLock(Self.credentials, for: "turn", at: Self.now, in: folder.path)
      // The clock stands still: only the file can tell that the nonces before were used.
      let clock = NonceClock(
        venueTime: NonceClockTests.start, at: NonceClockTests.boot,
        file: try NonceFile(lock), maximumLead: .seconds(60), block: .seconds(2))
      guard case .nonce(let nonce) = try clock.next(at: NonceClockTests.boot) else {
        Issue.record("told to wait")
        return
      }
      #expect(nonce > last)
      last = nonce
    }
    #expect(readFile(folder.path + "/\(Self.credentials.fingerprint).nonce") != nil)
  }

  @Test("M29: nonces that an earlier build kept beside a journal are taken over, once")
  func theFormerPlaceIsRead() throws {
    let folder = TemporaryFolder()
    let former = folder.path + "/nonce-former"
    writeFile(former, Array("1700000009000\n".utf8))
    let lock = try KeyLock(Self.credentials, for: "one", at: Self.now, in: folder.path)
    do {
      let file = try NonceFile(lock, former: former)
      #expect(file.reserved == 1_700_000_009_000)
    }
    #expect(readFile(former) == nil)
    #expect(try NonceFile(lock, former: former).reserved == 1_700_000_009_000)
    // An older number does not take a newer one's place.
    writeFile(former, Array("1600000000000\n".utf8))
    #expect(try NonceFile(lock, former: former).reserved == 1_700_000_009_000)
    // A process of that build uses it now.
    writeFile(former, Array("1700000009000\n".utf8))
    let running = try NonceFile(former)
    #expect(throws: NonceFault.inUse(path: former)) { try NonceFile(lock, former: former) }
    withExtendedLifetime(running) {}
  }

  @Test("M35 C17: one key in both slots is refused, unless the venue makes keys for the account")
  func slotsAreKeptApart() {
    let shared = KeySlots(spot: "0123456789ab", contracts: "0123456789ab")
    #expect(shared.isShared(against: .product) && !shared.isShared(against: .account))
    for slots in [
      KeySlots(spot: "0123456789ab", contracts: "ba9876543210"),
      KeySlots(spot: "0123456789ab", contracts: nil), KeySlots(spot: nil, contracts: nil),
    ] {
      #expect(!slots.isShared(against: .product) && !slots.isShared(against: .account))
    }
  }
}
