import CMartletCrypto
import Glibc
import MartletBase
import MartletJournalFile
import MartletRecord
import Testing

@Suite struct JournalTests {
  static let time = Timestamp(milliseconds: 1_700_000_000_000)

  static func options(segmentBytes: Int = 1 << 16) -> JournalOptions {
    var options = JournalOptions(build: "test build")
    options.segmentBytes = segmentBytes
    options.sync = .atClose
    return options
  }

  /// Writes one record per payload.
  static func write(
    _ payloads: [[UInt8]], to folder: String, options: JournalOptions = Self.options()
  ) throws -> RecordLink {
    var writer = try JournalWriter.open(folder: folder, options: options, at: Self.time)
    for payload in payloads {
      _ = try writer.append(kind: RecordKind(7), time: Self.time, payload: payload.span)
    }
    let head = writer.head
    try writer.close()
    return head
  }

  static func read(_ folder: String) throws -> [[UInt8]] {
    var reader = try JournalReader.open(folder: folder)
    var payloads: [[UInt8]] = []
    while try reader.next() != nil {
      payloads.append((0..<reader.payload.count).map { reader.payload[$0] })
    }
    return payloads
  }

  static func payloads(_ count: Int, seed: UInt64, upTo longest: Int = 900) -> [[UInt8]] {
    var random = SeededRandom(seed: seed)
    return (0..<count).map { _ in
      (0..<Int.random(in: 0...longest, using: &random)).map { _ in
        UInt8.random(in: 1...255, using: &random)
      }
    }
  }

  @Test func whatIsAppendedIsReadInOrderOverManySegments() throws {
    let folder = TemporaryFolder(in: "/tmp")
    let payloads = Self.payloads(2_000, seed: 1)
    let head = try Self.write(payloads, to: folder.path)
    #expect(try Self.read(folder.path) == payloads)
    let result = try JournalReader.verify(folder: folder.path)
    #expect(result.isSound && result.tornTail == nil)
    #expect(result.records == 2_000)
    #expect(result.firstSequence == 1 && result.lastSequence == 2_000)
    #expect(result.head == head)
    #expect(result.build == "test build")
    #expect(result.segments > 10)
    // The segment that was made ready ahead is gone after an orderly end.
    #expect(readFile(folder.path + "/" + Self.name(result.segments)) != nil)
    #expect(readFile(folder.path + "/" + Self.name(result.segments + 1)) == nil)
  }

  static func name(_ number: UInt32) -> String {
    let text = String(number)
    return String(repeating: "0", count: 8 - text.count) + text + ".mjl"
  }

  /// Bytes and links as an independent program (Python's hashlib and struct) makes them.
  @Test func recordsAreAsAnIndependentProgramMakesThem() {
    let hashing = LibraryHashing()
    var chain = RecordChain()
    let frame = Array("a frame".utf8)
    let first = chain.seal(
      kind: RecordKind(7), lane: .market, time: Timestamp(nanoseconds: 1_700_000_000_123_456_789),
      payload: frame.span.bytes, using: hashing)
    #expect(
      Self.hexadecimal(first.header)
        == "4d4a520107000100010000000000000015cd853dfe9c97170700000040746f2d")
    #expect(
      first.link.description == "b8fee7eb4cdccbb7efd1db1a9b1c7bcf86ac921ed9778665589ec439a6508108")
    let nothing: [UInt8] = []
    let second = chain.seal(
      kind: RecordKind(9), lane: .decisions, time: Timestamp(nanoseconds: -5),
      payload: nothing.span.bytes, using: hashing)
    #expect(
      Self.hexadecimal(second.header)
        == "4d4a5201090000000200000000000000fbffffffffffffff000000005b8550d5")
    #expect(
      second.link.description == "4671019de2a94344a342998a8a27c912d6089c185a1edc8fed2226df9760aa24")
  }

  static func hexadecimal(_ words: InlineArray<4, UInt64>) -> String {
    RecordLink(words: (words[0], words[1], words[2], words[3])).description
  }

  /// The published check value of CRC-32C, and both ways of computing it on any bytes.
  @Test func bothChecksumsAgree() {
    let digits = Array("123456789".utf8)
    #expect(cmartlet_crc32c(0, digits, digits.count) == 0xe306_9283)
    for (index, payload) in Self.payloads(300, seed: 5).enumerated() {
      let whole = cmartlet_crc32c(0, payload, payload.count)
      #expect(whole == cmartlet_crc32c_by_table(0, payload, payload.count), "payload \(index)")
      let cut = payload.count / 3
      let continued = payload.withUnsafeBytes { bytes in
        cmartlet_crc32c(
          cmartlet_crc32c(0, bytes.baseAddress, cut), bytes.baseAddress.map { $0 + cut },
          payload.count - cut)
      }
      #expect(whole == continued, "payload \(index)")
    }
  }

  /// Two links at once are what the library makes of each: bodies of every length up to a thousand, each beside
  /// one of another.
  @Test func linksMadeTogetherAgree() {
    var random = SeededRandom(seed: 17)
    let bytes = (0..<4_096).map { _ in UInt8.random(in: 0...255, using: &random) }
    func empty() -> [UInt8] { [UInt8](repeating: 0, count: 32) }
    var (one, two, first, second) = (empty(), empty(), empty(), empty())
    for length in 0...1_000 {
      let other = Int.random(in: 0...1_000, using: &random)
      let (at, next) = (length % 61, 2_000 + other % 67)
      bytes.withUnsafeBytes { bytes in
        guard let start = bytes.baseAddress else { return }
        cmartlet_sha256_of_two(
          start + at, start + at + 64, length, &one, start + next, start + next + 64, other, &two)
        cmartlet_sha256(start + at, 64 + length, &first)
        cmartlet_sha256(start + next, 64 + other, &second)
      }
      #expect(one == first && two == second, "\(length) beside \(other)")
    }
    cmartlet_sha256_of_two(bytes, nil, 0, &one, bytes, nil, 0, &two)
    cmartlet_sha256(bytes, 64, &first)
    #expect(one == first && two == first)
  }

  @Test func twoPiecesAreOnePayload() throws {
    let one = TemporaryFolder()
    let two = TemporaryFolder()
    _ = try Self.write([Array("prefix and body".utf8)], to: one.path)
    var writer = try JournalWriter.open(folder: two.path, options: Self.options(), at: Self.time)
    let prefix = Array("prefix ".utf8)
    let body = Array("and body".utf8)
    let sequence = try writer.append(
      kind: RecordKind(7), time: Self.time, prefix: prefix.span, body: body.span)
    #expect(sequence == 1)
    try writer.close()
    #expect(try Self.read(two.path) == Self.read(one.path))
  }

  @Test func aJournalGoesOnWhereItEnded() throws {
    for seed in UInt64(1)...15 {
      let folder = TemporaryFolder()
      var random = SeededRandom(seed: seed)
      var expected: [[UInt8]] = []
      var journalID: JournalID?
      for _ in 0..<5 {
        var writer = try JournalWriter.open(
          folder: folder.path, options: Self.options(segmentBytes: 8192), at: Self.time)
        #expect(writer.recovery.isNew == (journalID == nil), "seed \(seed)")
        #expect(writer.recovery.lastSequence == UInt64(expected.count), "seed \(seed)")
        #expect(writer.recovery.cutOff == nil, "seed \(seed)")
        journalID = writer.recovery.journalID
        for payload in Self.payloads(.random(in: 0...30, using: &random), seed: random.next()) {
          expected.append(payload)
          let sequence = try writer.append(
            kind: RecordKind(7), time: Self.time, payload: payload.span)
          #expect(sequence == UInt64(expected.count), "seed \(seed)")
        }
        try writer.close()
      }
      #expect(try Self.read(folder.path) == expected, "seed \(seed)")
      #expect(try JournalReader.verify(folder: folder.path).journalID == journalID, "seed \(seed)")
    }
  }

  @Test(
    "a journal is opened at the last record of a kind, wherever it stands, and read on from there")
  func openedAtTheLastOfAKind() throws {
    let kinds = [RecordKind(8), RecordKind(9)]
    for last in [0, 3, 700, 1_400, 1_999] {
      let folder = TemporaryFolder(in: "/tmp")
      let payloads = Self.payloads(2_000, seed: 3)
      var writer = try JournalWriter.open(
        folder: folder.path, options: Self.options(), at: Self.time)
      for (index, payload) in payloads.enumerated() {
        let kind = index == last ? kinds[last % 2] : index == last / 2 ? kinds[1] : RecordKind(7)
        _ = try writer.append(kind: kind, time: Self.time, payload: payload.span)
      }
      try writer.close()
      guard var found = try JournalReader.open(folder: folder.path, atLast: kinds) else {
        Issue.record("record \(last + 1) was not found")
        continue
      }
      #expect(found.header?.sequence == UInt64(last) + 1)
      var read = [(0..<found.payload.count).map { found.payload[$0] }]
      while try found.next() != nil {
        read.append((0..<found.payload.count).map { found.payload[$0] })
      }
      #expect(read == Array(payloads[last...]), "from \(last) on")
      let isThere = try JournalReader.open(folder: folder.path, atLast: [RecordKind(10)]) != nil
      #expect(!isThere)
    }
  }

  @Test func aReaderSeesRecordsAsTheyCome() throws {
    let folder = TemporaryFolder()
    var writer = try JournalWriter.open(
      folder: folder.path, options: Self.options(segmentBytes: 8192), at: Self.time)
    var reader = try JournalReader.open(folder: folder.path)
    for number in UInt64(1)...100 {
      #expect(try reader.next() == nil)
      let payload = [UInt8](repeating: UInt8(number), count: 300)
      _ = try writer.append(kind: RecordKind(7), time: Self.time, payload: payload.span)
      #expect(try reader.next()?.sequence == number)
      #expect(reader.payload.count == 300 && reader.payload[0] == UInt8(number))
    }
    try writer.close()
  }

  @Test func syncingBehindCatchesUp() throws {
    let folder = TemporaryFolder(in: "/tmp")
    var options = Self.options()
    options.sync = .behind(every: .milliseconds(5))
    var writer = try JournalWriter.open(folder: folder.path, options: options, at: Self.time)
    for payload in Self.payloads(500, seed: 3) {
      _ = try writer.append(kind: RecordKind(7), time: Self.time, payload: payload.span)
    }
    // Bounded by the test's own time limit; each turn gives the sync thread the processor.
    while writer.syncedSequence < 500 { sched_yield() }
    let last: [UInt8] = [1]
    _ = try writer.append(kind: RecordKind(7), time: Self.time, payload: last.span)
    try writer.sync()
    #expect(writer.syncedSequence == 501)
    #expect(writer.roomWarning == nil)
    try writer.close()
  }

  @Test func aRecordTooLargeIsRefusedAndNothingIsAppended() throws {
    let folder = TemporaryFolder()
    var writer = try JournalWriter.open(
      folder: folder.path, options: Self.options(segmentBytes: 8192), at: Self.time)
    let payload = [UInt8](repeating: 1, count: RecordFraming.maximumPayloadBytes + 1)
    let due = JournalFault.payloadTooLarge(
      limit: RecordFraming.maximumPayloadBytes, found: payload.count)
    #expect(throws: due) {
      try writer.append(kind: RecordKind(7), time: Self.time, payload: payload.span)
    }
    let small: [UInt8] = [2]
    #expect(try writer.append(kind: RecordKind(7), time: Self.time, payload: small.span) == 1)
    try writer.close()
    #expect(try Self.read(folder.path) == [small])
  }

  @Test(
    "a record longer than a segment gets a longer one, and those behind it are as before",
    arguments: [true, false])
  func aLongRecord(hasThreads: Bool) throws {
    let folder = TemporaryFolder()
    var options = Self.options(segmentBytes: 8192)
    options.hasThreads = hasThreads
    var due: [[UInt8]] = []
    var random = SeededRandom(seed: 8)
    for turn in 0..<3 {
      var writer = try JournalWriter.open(folder: folder.path, options: options, at: Self.time)
      var position = writer.position
      for length in [100, 7_000, 8_100, 8_192, 50_000, 10, 20_000, 3_000, 3_000, 3_000] {
        let payload = (0..<length + turn).map { _ in UInt8.random(in: 0...255, using: &random) }
        due.append(payload)
        _ = try writer.append(kind: RecordKind(7), time: Self.time, payload: payload.span)
        #expect(writer.position > position)
        position = writer.position
      }
      try writer.close()
    }
    #expect(try Self.read(folder.path) == due)
    #expect(try JournalReader.verify(folder: folder.path).isSound)
    try JournalPartingTests.part(folder.path)
    #expect(try Self.read(folder.path) == due)
    #expect(try JournalReader.verify(folder: folder.path).parted > 3)
  }

  @Test(
    "a long record that there is no room for leaves a journal that goes on with shorter ones",
    .enabled(if: SmallDisk.isPossible, "mounting a small tmpfs needs the right to mount"))
  func aLongRecordOnASmallDisk() throws {
    let disk = SmallDisk(bytes: 256 << 10)
    let folder = disk.path + "/journal"
    var writer = try JournalWriter.open(
      folder: folder, options: Self.options(segmentBytes: 32 << 10), at: Self.time)
    let long = [UInt8](repeating: 1, count: 1 << 20)
    var due: [[UInt8]] = []
    for number in 0..<8 {
      let short = [UInt8](repeating: UInt8(number), count: 9_000)
      _ = try writer.append(kind: RecordKind(7), time: Self.time, payload: short.span)
      due.append(short)
      var caught: JournalFault?
      do throws(JournalFault) {
        _ = try writer.append(kind: RecordKind(7), time: Self.time, payload: long.span)
      } catch { caught = error }
      guard case .diskFull = caught else {
        Issue.record("\(String(describing: caught))")
        return
      }
    }
    try writer.close()
    #expect(try Self.read(folder) == due)
  }

  /// A journal of three small records in one segment of 4 KiB; its bytes and where records end.
  static func small() throws -> (bytes: [UInt8], ends: [Int]) {
    let folder = TemporaryFolder()
    let payloads = [Array("one".utf8), [], [UInt8](repeating: 0x5a, count: 99)]
    _ = try write(payloads, to: folder.path, options: options(segmentBytes: 4096))
    var reader = try JournalReader.open(folder: folder.path)
    var ends = [reader.offset]
    while try reader.next() != nil { ends.append(reader.offset) }
    return (readFile(folder.path + "/00000001.mjl") ?? [], ends)
  }

  /// Reopens a damaged journal, appends one record, and checks that the chain holds.
  static func reopen(_ bytes: [UInt8], expectedWhole: Int, _ label: String) throws {
    let folder = TemporaryFolder()
    writeFile(folder.path + "/00000001.mjl", bytes)
    var writer = try JournalWriter.open(
      folder: folder.path, options: options(segmentBytes: 4096), at: time)
    #expect(writer.recovery.lastSequence == UInt64(expectedWhole), "\(label)")
    let payload = Array("after".utf8)
    let sequence = try writer.append(kind: RecordKind(7), time: time, payload: payload.span)
    #expect(sequence == UInt64(expectedWhole + 1), "\(label)")
    try writer.close()
    let result = try JournalReader.verify(folder: folder.path)
    #expect(result.isSound && result.tornTail == nil, "\(label): \(result)")
    #expect(result.records == UInt64(expectedWhole + 1), "\(label)")
  }

  @Test("M140: a journal cut at any byte goes on after its last whole record")
  func aFileCutAtAnyByteGoesOn() throws {
    let (bytes, ends) = try Self.small()
    let used = try #require(ends.last)
    for length in 0...used {
      // Whole records after the segment's own; a cut in that one begins the journal anew.
      let whole = max(ends.count { $0 <= length } - 1, 0)
      try Self.reopen(Array(bytes[..<length]), expectedWhole: whole, "cut at \(length)")
    }
  }

  @Test func zerosFromAnyByteGoOn() throws {
    let (bytes, ends) = try Self.small()
    let used = try #require(ends.last)
    for length in 0...used {
      var lost = bytes
      for index in length..<used { lost[index] = 0 }
      // A record that ends in zeros anyway is whole a little earlier.
      var whole = max(ends.count { $0 <= length } - 1, 0)
      while whole + 1 < ends.count, lost[..<ends[whole + 1]] == bytes[..<ends[whole + 1]] {
        whole += 1
      }
      try Self.reopen(lost, expectedWhole: whole, "zeros from \(length)")
    }
  }

  @Test func aTornTailIsToldAndCutOff() throws {
    let (bytes, ends) = try Self.small()
    let folder = TemporaryFolder()
    writeFile(folder.path + "/00000001.mjl", Array(bytes[..<(ends[3] - 40)]))
    let before = try JournalReader.verify(folder: folder.path)
    #expect(before.isSound && before.records == 2)
    #expect(before.tornTail?.file == "00000001.mjl")
    #expect(before.tornTail?.fault.offset == ends[2] && before.tornTail?.fault.sequence == 3)
    let writer = try JournalWriter.open(
      folder: folder.path, options: Self.options(segmentBytes: 4096), at: Self.time)
    #expect(writer.recovery.cutOff?.fault.fault.offset == ends[2])
    #expect(writer.recovery.lastSequence == 2)
    try writer.close()
    #expect(try JournalReader.verify(folder: folder.path).tornTail == nil)
  }

  @Test("M140: every changed byte is found and named")
  func everyChangedByteIsFoundAndNamed() throws {
    let (bytes, ends) = try Self.small()
    let used = try #require(ends.last)
    let folder = TemporaryFolder()
    let path = folder.path + "/00000001.mjl"
    for index in ends[0]..<used {
      var changed = bytes
      changed[index] ^= 1 << UInt8(index % 8)
      writeFile(path, changed)
      let record = ends.count { $0 <= index }
      let result = try? JournalReader.verify(folder: folder.path)
      var named = result?.tornTail
      if case .corrupt(let fault) = result?.fault { named = fault }
      if case .newerVersion(let file, 1, let found, _) = result?.fault {
        #expect(file == "00000001.mjl" && found > 1, "byte \(index)")
        continue
      }
      #expect(named?.file == "00000001.mjl", "byte \(index)")
      #expect(named?.fault.offset == ends[record - 1], "byte \(index)")
      #expect(named?.fault.sequence == UInt64(record), "byte \(index)")
      #expect(result?.records == UInt64(record - 1), "byte \(index)")
    }
  }

  @Test func aChangedRecordIsNeverWrittenOver() throws {
    let (bytes, ends) = try Self.small()
    let folder = TemporaryFolder()
    var changed = bytes
    changed[ends[0] + 33] ^= 4
    writeFile(folder.path + "/00000001.mjl", changed)
    var caught: JournalFault?
    do throws(JournalFault) {
      let writer = try JournalWriter.open(
        folder: folder.path, options: Self.options(segmentBytes: 4096), at: Self.time)
      try writer.close()
    } catch { caught = error }
    guard case .corrupt(let fault) = caught, case .checksum = fault.fault.damage else {
      Issue.record("\(String(describing: caught))")
      return
    }
    #expect(fault.file == "00000001.mjl" && fault.fault.sequence == 1)
    #expect(readFile(folder.path + "/00000001.mjl") == changed)
    let text = caught.map { "\($0)" } ?? ""
    #expect(text.contains("at byte \(ends[0]), record 1: expected checksum"), "\(text)")
  }

  @Test func aSegmentLostSwappedOrFromElsewhereIsFound() throws {
    let folder = TemporaryFolder()
    _ = try Self.write(Self.payloads(400, seed: 9), to: folder.path)
    let second = folder.path + "/00000002.mjl"
    let third = folder.path + "/00000003.mjl"
    let saved = (readFile(second) ?? [], readFile(third) ?? [])

    unlink(second)
    #expect(throws: JournalFault.segmentMissing(file: second)) {
      try JournalReader.verify(folder: folder.path)
    }
    #expect(throws: JournalFault.segmentMissing(file: second)) {
      _ = try Self.write([], to: folder.path)
    }

    writeFile(second, saved.1)
    let swapped = try JournalReader.verify(folder: folder.path)
    guard case .corrupt(let fault) = swapped.fault else {
      Issue.record("\(swapped)")
      return
    }
    #expect(fault.file == "00000002.mjl" && fault.fault.offset == 0)

    // Its tail emptied: the records are missing at the seam.
    var emptied = saved.0
    for index in emptied.count / 2..<emptied.count { emptied[index] = 0 }
    writeFile(second, emptied)
    #expect(try JournalReader.verify(folder: folder.path).isSound == false)

    writeFile(second, [UInt8](repeating: 0, count: saved.0.count))
    #expect(try JournalReader.verify(folder: folder.path).isSound == false)

    writeFile(second, saved.0)
    #expect(try JournalReader.verify(folder: folder.path).isSound)
  }

  @Test func twoWritersCannotHaveOneJournal() throws {
    let folder = TemporaryFolder()
    let first = try JournalWriter.open(
      folder: folder.path, options: Self.options(), at: Self.time)
    #expect(throws: JournalFault.inUse(folder: folder.path, processID: Int(getpid()))) {
      _ = try Self.write([[1]], to: folder.path)
    }
    try first.close()
    _ = try Self.write([[1]], to: folder.path)
  }

  @Test func wrongPlacesAreNamed() throws {
    let folder = TemporaryFolder()
    let missing = folder.path + "/no/journal"
    #expect(throws: JournalFault.folderMissing(missing)) { _ = try Self.write([], to: missing) }
    #expect(throws: JournalFault.folderMissing(missing)) { try Self.read(missing) }
    #expect(throws: JournalFault.notAJournal(folder: folder.path, found: "no segment with records"))
    { try Self.read(folder.path) }
    writeFile(folder.path + "/letter.txt", [1])
    #expect(throws: JournalFault.notAJournal(folder: folder.path, found: "letter.txt")) {
      _ = try Self.write([], to: folder.path)
    }
    #expect(readFile(folder.path + "/lock") == nil)
  }

  @Test func aPlaceWithoutPermissionIsNamed() throws {
    // Nobody may make a folder here, not even root.
    let forbidden = "/sys/martlet-journal"
    #expect(throws: JournalFault.permission(path: forbidden)) {
      _ = try Self.write([], to: forbidden)
    }
  }

  @Test func aNewerJournalIsNotTouched() throws {
    let (bytes, _) = try Self.small()
    let folder = TemporaryFolder()
    var newer = bytes
    newer[3] = 2
    writeFile(folder.path + "/00000001.mjl", newer)
    let fault = JournalFault.newerVersion(file: "00000001.mjl", supported: 1, found: 2)
    #expect(throws: fault) { _ = try Self.write([], to: folder.path) }
    #expect(throws: fault) { try Self.read(folder.path) }
    #expect(readFile(folder.path + "/00000001.mjl") == newer)
  }

  /// A writer killed while it appends as fast as it can leaves whole records.
  @Test func kill9LeavesWholeRecords() async throws {
    await #expect(processExitsWith: .signal(SIGKILL)) {
      var writer = try JournalWriter.open(
        folder: "/tmp/martlet-kill9-\(getppid())", options: JournalTests.options(),
        at: JournalTests.time)
      var timer = itimerval()
      timer.it_value.tv_usec = 40_000
      signal(SIGALRM) { _ in kill(getpid(), SIGKILL) }
      setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
      let payload = [UInt8](repeating: 0x21, count: 700)
      while true {
        _ = try writer.append(
          kind: RecordKind(7), time: JournalTests.time, payload: payload.span)
      }
    }
    let path = "/tmp/martlet-kill9-\(getpid())"
    defer { TemporaryFolder.remove(path) }
    let result = try JournalReader.verify(folder: path)
    #expect(result.isSound, "\(result)")
    #expect(result.records > 100)
    let writer = try JournalWriter.open(folder: path, options: Self.options(), at: Self.time)
    #expect(writer.recovery.lastSequence == result.lastSequence)
    try writer.close()
    #expect(try JournalReader.verify(folder: path).records == result.records)
  }

  @Test func aSegmentLargerThanTheDiskIsRefusedAtOnce() throws {
    let folder = TemporaryFolder(in: "/dev/shm")
    let options = Self.options(segmentBytes: 1 << 44)
    let path = folder.path + "/journal"
    #expect(
      throws: JournalFault.diskFull(path: path + "/00000001.mjl", neededBytes: 1 << 44)
    ) { _ = try Self.write([], to: path, options: options) }
    #expect(readFile(path + "/00000001.mjl") == nil)
  }

  /// A disk that fills up while the journal is written: told ahead, refused at the seam, and every
  /// record before it stays.
  @Test(.enabled(if: SmallDisk.isPossible, "mounting a small tmpfs needs the right to mount"))
  func aDiskThatFillsUpIsAFaultAndNotACrash() throws {
    let disk = SmallDisk(bytes: 192 << 10)
    let path = disk.path + "/journal"
    var writer = try JournalWriter.open(folder: path, options: Self.options(), at: Self.time)
    let payload = [UInt8](repeating: 0x77, count: 1000)
    var appended: UInt64 = 0
    var caught: JournalFault?
    while caught == nil {
      do throws(JournalFault) {
        appended = try writer.append(kind: RecordKind(7), time: Self.time, payload: payload.span)
      } catch { caught = error }
    }
    guard case .diskFull(_, 1 << 16) = caught else {
      Issue.record("\(String(describing: caught))")
      return
    }
    #expect(writer.roomWarning == caught)
    let short: [UInt8] = [1]
    // What still fits in the segment is still taken.
    #expect(
      try writer.append(kind: RecordKind(7), time: Self.time, payload: short.span) == appended + 1)
    try writer.close()
    let result = try JournalReader.verify(folder: path)
    #expect(result.isSound && result.records == appended + 1)
  }

  @Test(
    "a disk that another file fills is told as soon as the next segment is wanted, and no longer once it has room",
    .enabled(if: SmallDisk.isPossible, "mounting a small tmpfs needs the right to mount"))
  func roomThatComesBackIsFound() throws {
    let disk = SmallDisk(bytes: 256 << 10)
    let path = disk.path + "/journal"
    var writer = try JournalWriter.open(folder: path, options: Self.options(), at: Self.time)
    let payload = [UInt8](repeating: 0x77, count: 1000)
    _ = try writer.append(kind: RecordKind(7), time: Self.time, payload: payload.span)
    #expect(writer.room < (1 << 16) - 1_000 && writer.room > (1 << 16) - 3_000)
    let filled = disk.path + "/filled"
    writeFile(filled, [UInt8](repeating: 1, count: 100 << 10))
    // Into the second segment, which was ready; the third finds no room.
    var before = writer.room
    repeat {
      before = writer.room
      _ = try writer.append(kind: RecordKind(7), time: Self.time, payload: payload.span)
    } while writer.room < before
    // Bounded by the test's own time limit.
    while writer.roomWarning == nil { sched_yield() }
    guard case .diskFull = writer.roomWarning else {
      Issue.record("\(String(describing: writer.roomWarning))")
      return
    }
    _ = try writer.append(kind: RecordKind(7), time: Self.time, payload: payload.span)
    unlink(filled)
    while writer.roomWarning != nil { sched_yield() }
    for _ in 0..<100 {
      _ = try writer.append(kind: RecordKind(7), time: Self.time, payload: payload.span)
    }
    #expect(writer.syncFault == nil)
    try writer.close()
    #expect(try JournalReader.verify(folder: path).isSound)
  }
}

/// A file system of a few pages, mounted for one test.
final class SmallDisk {
  let folder = TemporaryFolder()
  var path: String { folder.path }

  static let isPossible: Bool = {
    let disk = TemporaryFolder()
    guard mount(on: disk.path, bytes: 1 << 16) else { return false }
    umount(disk.path)
    return true
  }()

  static func mount(on path: String, bytes: Int) -> Bool {
    Glibc.mount("tmpfs", path, "tmpfs", 0, "size=\(bytes)") == 0
  }

  init(bytes: Int) { precondition(SmallDisk.mount(on: folder.path, bytes: bytes), "no mount") }
  deinit { umount(folder.path) }
}
