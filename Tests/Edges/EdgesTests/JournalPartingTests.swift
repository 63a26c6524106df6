import Glibc
import MartletBase
import MartletRecord
import Testing

@testable import MartletJournalFile

/// Full segments, put away as decisions and market records, are the same journal.
@Suite struct JournalPartingTests {
  static let snapshot = RecordKind(7)
  static let decision = RecordKind(2)

  struct Written: Equatable {
    var sequence: UInt64
    var kind: UInt16
    var lane: UInt8
    var time: Timestamp
    var payload: [UInt8]
  }

  static func options(_ parting: JournalParting? = nil) -> JournalOptions {
    var options = JournalOptions(build: "test build")
    options.segmentBytes = 1 << 16
    options.sync = .atClose
    options.journalID = JournalID(high: 1, low: 2)
    options.parting = parting
    return options
  }

  /// A journal in which frames of the market stand in runs between decisions, and a snapshot here and there.
  static func write(
    _ count: Int, seed: UInt64, to folder: String, first: Int64 = 0
  ) throws -> [Written] {
    var random = SeededRandom(seed: seed)
    var writer = try JournalWriter.open(
      folder: folder, options: options(), at: Timestamp(milliseconds: first))
    var written: [Written] = []
    var isMarket = Bool.random(using: &random)
    for index in 0..<count {
      if Int.random(in: 0..<4, using: &random) == 0 { isMarket.toggle() }
      let length = Int.random(in: 0...600, using: &random)
      // Half of it says the same again, as frames do.
      let payload = (0..<length).map { at in
        at % 2 == 0 ? UInt8(at & 63) : UInt8.random(in: 0...255, using: &random)
      }
      let isSnapshot = !isMarket && Int.random(in: 0..<40, using: &random) == 0
      var record = Written(
        sequence: 0, kind: isSnapshot ? 7 : 2, lane: isMarket ? 1 : 0,
        time: Timestamp(milliseconds: first + Int64(index) * 1_000), payload: payload)
      record.sequence = try writer.append(
        kind: RecordKind(record.kind), lane: RecordLane(record.lane), time: record.time,
        payload: payload.span)
      written.append(record)
    }
    try writer.close()
    return written
  }

  static func read(_ folder: String) throws -> (records: [Written], gaps: [ClosedRange<UInt64>]) {
    var reader = try JournalReader.open(folder: folder)
    var records: [Written] = []
    var gaps: [ClosedRange<UInt64>] = []
    while let header = try reader.next() {
      if let gap = reader.gap { gaps.append(gap) }
      records.append(
        Written(
          sequence: header.sequence, kind: header.kind.rawValue, lane: header.lane.rawValue,
          time: header.time, payload: (0..<reader.payload.count).map { reader.payload[$0] }))
    }
    if let gap = reader.gap { gaps.append(gap) }
    return (records, gaps)
  }

  /// Puts away all but the last segment, and lets go what `parting` says.
  @discardableResult static func part(
    _ folder: String, _ parting: JournalParting = JournalParting(), keep: UInt32 = 1
  ) throws -> JournalFault? {
    let place = JournalFolder(folder)
    let parter = SegmentParter(place, parting)
    parter.begin()
    parter.work(upTo: try #require(place.segments().last) - keep)
    return parter.damage ?? parter.fault
  }

  static func files(_ folder: String) -> [String] {
    var names: [String] = []
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != "..", name != "lock", name != "boot" { names.append(name) }
    }
    return names.sorted()
  }

  @Test("journals drawn at random, put away, give each segment back byte for byte")
  func partedAndMergedIsTheOriginal() throws {
    for seed in UInt64(1)...12 {
      let folder = TemporaryFolder()
      let written = try Self.write(Int(300 + seed * 40), seed: seed, to: folder.path)
      let place = JournalFolder(folder.path)
      let count = try #require(try place.segments().last)
      let originals = (1...count).map { readFile(place.path($0)) ?? [] }
      let head = try JournalReader.verify(folder: folder.path).head
      #expect(try Self.part(folder.path) == nil, "seed \(seed)")
      for number in 1..<count {
        #expect(readFile(place.path(number)) == nil, "seed \(seed)")
        let merged = try #require(try place.merged(number))
        let span = merged.segment.span
        #expect(
          (0..<span.count).map { span[$0] } == originals[Int(number) - 1],
          "seed \(seed) segment \(number)")
        merged.segment.close()
      }
      let (records, gaps) = try Self.read(folder.path)
      #expect(records == written && gaps.isEmpty, "seed \(seed)")
      let result = try JournalReader.verify(folder: folder.path)
      #expect(result.isSound && result.head == head && result.parted == count - 1, "seed \(seed)")
      #expect(result.packedBytes < result.partedBytes, "seed \(seed)")
      // Again, nothing is left to do.
      let names = Self.files(folder.path)
      try Self.part(folder.path)
      #expect(Self.files(folder.path) == names, "seed \(seed)")
    }
  }

  @Test("M140: with all market files gone every decision is still proven, and each gap is told")
  func decisionsStandAlone() throws {
    for seed in UInt64(1)...8 {
      let folder = TemporaryFolder()
      let written = try Self.write(500, seed: seed, to: folder.path)
      let head = try JournalReader.verify(folder: folder.path).head
      var parting = JournalParting()
      parting.keepMarketBytes = 0
      #expect(try Self.part(folder.path, parting) == nil, "seed \(seed)")
      let result = try JournalReader.verify(folder: folder.path)
      #expect(result.isSound && result.head == head, "seed \(seed)")
      let (records, gaps) = try Self.read(folder.path)
      let missing = gaps.reduce(UInt64(0)) { $0 + UInt64($1.count) }
      #expect(missing == result.goneRecords && missing > 0, "seed \(seed)")
      #expect(UInt64(records.count) + missing == UInt64(written.count), "seed \(seed)")
      let gone = Set(gaps.flatMap { Array($0) })
      #expect(records == written.filter { !gone.contains($0.sequence) }, "seed \(seed)")
      #expect(written.allSatisfy { !gone.contains($0.sequence) || $0.lane == 1 }, "seed \(seed)")
      #expect(result.gone == gaps.first.map { $0.lowerBound...(gaps.last?.upperBound ?? 0) })
      // A gap ends at a record that is there, so no two touch.
      for index in 1..<max(gaps.count, 1) {
        #expect(gaps[index - 1].upperBound + 1 < gaps[index].lowerBound, "seed \(seed)")
      }
    }
  }

  /// A journal of two segments, the first of them put away.
  static func small(_ folder: String) throws {
    _ = try write(300, seed: 3, to: folder)
    try part(folder)
  }

  @Test(
    "M140: every changed byte of a part is found, and the file named", arguments: [false, true])
  func everyChangedByteIsFound(withoutMarket: Bool) throws {
    let folder = TemporaryFolder()
    _ = try Self.write(260, seed: 3, to: folder.path)
    var parting = JournalParting()
    parting.keepMarketBytes = withoutMarket ? 0 : nil
    try Self.part(folder.path, parting)
    for name in ["00000001.mjd", "00000001.mjm"] {
      let path = folder.path + "/" + name
      let bytes = try #require(readFile(path))
      // Each byte of head and digest, and many between.
      let places =
        Array(0..<300) + Array(stride(from: 300, to: bytes.count - 40, by: 97))
        + Array(bytes.count - 40..<bytes.count)
      for index in places where index < bytes.count {
        var changed = bytes
        changed[index] ^= 1 << UInt8(index % 8)
        writeFile(path, changed)
        var named: String?
        do throws(JournalFault) {
          let result = try JournalReader.verify(folder: folder.path)
          named = (result.fault.map { "\($0)" }) ?? result.damaged.first.map { "\($0)" }
        } catch { named = "\(error)" }
        #expect(named?.contains(name) == true, "byte \(index) of \(name): \(named ?? "sound")")
      }
      for length in [0, 1, 255, 256, 287, 288, bytes.count - 1] where length < bytes.count {
        writeFile(path, Array(bytes[..<length]))
        let isFound: Bool
        do throws(JournalFault) {
          isFound = try !JournalReader.verify(folder: folder.path).isSound
        } catch { isFound = "\(error)".contains(name) }
        #expect(isFound, "\(name) cut at \(length)")
      }
      writeFile(path, bytes)
    }
    #expect(try JournalReader.verify(folder: folder.path).isSound)
  }

  @Test("M140: a market file that is lost is told as that, unless a receipt stands in its place")
  func lostIsNotRemoved() throws {
    let folder = TemporaryFolder()
    try Self.small(folder.path)
    let path = folder.path + "/00000001.mjm"
    let saved = try #require(readFile(path))
    unlink(path)
    let fault = PartFault(file: "00000001.mjm", damage: .lost)
    let lost = try JournalReader.verify(folder: folder.path)
    #expect(!lost.isSound && lost.damaged.map(\.fault) == [fault] && lost.goneRecords == 0)
    #expect("\(fault)".contains("no receipt says that retention removed it"))
    // Another journal's receipt does not do.
    let other = TemporaryFolder()
    _ = try Self.write(300, seed: 4, to: other.path)
    var parting = JournalParting()
    parting.keepMarketBytes = 0
    try Self.part(other.path, parting)
    writeFile(path, try #require(readFile(other.path + "/00000001.mjm")))
    let foreign = try JournalReader.verify(folder: folder.path)
    #expect(!foreign.isSound && foreign.damaged.count == 1 && foreign.goneRecords == 0)
    writeFile(path, saved)
    #expect(try JournalReader.verify(folder: folder.path).isSound)
    // Its own does.
    try Self.part(folder.path, parting)
    let receipt = try #require(readFile(path))
    #expect(receipt.count == PartHead.bytes + PartHead.digestBytes)
    let result = try JournalReader.verify(folder: folder.path)
    #expect(result.isSound && result.goneRecords > 0)
  }

  @Test("M140: segments of which nothing is left but receipts are counted with the others")
  func segmentsWithoutARecordCount() throws {
    let folder = TemporaryFolder()
    var writer = try JournalWriter.open(
      folder: folder.path, options: Self.options(), at: Timestamp(milliseconds: 0))
    for index in 0..<600 {
      // Several files in the middle hold frames alone.
      let lane: RecordLane = index < 20 || index > 580 ? .decisions : .market
      _ = try writer.append(
        kind: Self.decision, lane: lane, time: Timestamp(milliseconds: Int64(index)),
        payload: [UInt8](repeating: 7, count: 800).span)
    }
    try writer.close()
    var parting = JournalParting()
    parting.keepMarketBytes = 0
    #expect(try Self.part(folder.path, parting) == nil)
    let names = Self.files(folder.path).filter { $0.hasSuffix(".mjd") || $0.hasSuffix(".mjm") }
    let result = try JournalReader.verify(folder: folder.path)
    #expect(result.isSound && result.parted > 5 && Int(result.parted) == names.count / 2)
    #expect(result.goneRecords + result.records == 600)
    #expect(
      result.gone.map { $0.upperBound - $0.lowerBound + 1 } == result.goneRecords,
      "one run of frames: \(result)")
    #expect(result.partedBytes == Int(result.parted) << 16)
    let packed = names.reduce(0) { $0 + (readFile(folder.path + "/" + $1)?.count ?? 0) }
    #expect(result.packedBytes == packed)
  }

  @Test("a file of decisions that is lost is named as what it was")
  func aLostPartIsNamed() throws {
    let folder = TemporaryFolder()
    _ = try Self.write(600, seed: 3, to: folder.path)
    try Self.part(folder.path)
    for isMarketLost in [false, true] {
      let lost = folder.path + "/00000002.mjd"
      let saved = try #require(readFile(lost))
      unlink(lost)
      let market = folder.path + "/00000002.mjm"
      let frames = try #require(readFile(market))
      if isMarketLost { unlink(market) }
      #expect(throws: JournalFault.segmentMissing(file: lost)) {
        try JournalReader.verify(folder: folder.path)
      }
      writeFile(lost, saved)
      writeFile(market, frames)
    }
    #expect(try JournalReader.verify(folder: folder.path).isSound)
  }

  @Test("M140: a decisions file cannot be exchanged for another of the same segment")
  func decisionsAreChained() throws {
    let folder = TemporaryFolder()
    _ = try Self.write(600, seed: 5, to: folder.path)
    var parting = JournalParting()
    try Self.part(folder.path, parting)
    let first = folder.path + "/00000001.mjd"
    let kept = try #require(readFile(first))
    // The same records, packed otherwise: as sound by itself as the one before.
    let other = TemporaryFolder()
    _ = try Self.write(600, seed: 5, to: other.path)
    parting.level = 9
    try Self.part(other.path, parting)
    let exchanged = try #require(readFile(other.path + "/00000001.mjd"))
    #expect(exchanged != kept)
    writeFile(first, exchanged)
    writeFile(
      folder.path + "/00000001.mjm", try #require(readFile(other.path + "/00000001.mjm")))
    let result = try JournalReader.verify(folder: folder.path)
    guard case .part(let fault) = result.fault, case .digest = fault.damage else {
      Issue.record("\(result)")
      return
    }
    #expect(fault.file == "00000001.mjd")
  }

  @Test("retention by size keeps the newest market files within the bound, and no decision goes")
  func retentionBySize() throws {
    let folder = TemporaryFolder()
    let written = try Self.write(1_500, seed: 6, to: folder.path)
    try Self.part(folder.path)
    let sizes = Self.files(folder.path).filter { $0.hasSuffix(".mjm") }.map {
      readFile(folder.path + "/" + $0)?.count ?? 0
    }
    try #require(sizes.count > 4)
    for bound in [
      sizes.reduce(0, +), sizes.suffix(3).reduce(0, +), sizes.suffix(2).reduce(0, +) - 1,
    ] {
      var parting = JournalParting()
      parting.keepMarketBytes = bound
      try Self.part(folder.path, parting)
      let left = Self.files(folder.path).filter { $0.hasSuffix(".mjm") }.compactMap {
        readFile(folder.path + "/" + $0)
      }.filter { $0.count > PartHead.bytes + PartHead.digestBytes }
      #expect(left.reduce(0) { $0 + $1.count } <= bound)
      #expect(
        left.count
          == (bound == sizes.reduce(0, +)
            ? sizes.count : bound == sizes.suffix(3).reduce(0, +) ? 3 : 1))
      let (records, _) = try Self.read(folder.path)
      #expect(records.filter { $0.lane == 0 } == written.filter { $0.lane == 0 })
      #expect(try JournalReader.verify(folder: folder.path).isSound)
    }
  }

  @Test("retention by age counts from the newest record that is put away")
  func retentionByAge() throws {
    let folder = TemporaryFolder()
    _ = try Self.write(1_500, seed: 7, to: folder.path)
    try Self.part(folder.path)
    let place = JournalFolder(folder.path)
    let last = try #require(try place.segments().last) - 1
    let newest = try #require(try place.partHead(last, .decisions)).head.lastTime
    let newestMarket = try #require(try place.partHead(last, .market)).head.lastTime
    var parting = JournalParting()
    parting.keepMarket = .seconds(300)
    try Self.part(folder.path, parting)
    var removed = 0
    for number in 1...last {
      let market = try #require(try place.partHead(number, .market)).head
      let isOld = max(newest, newestMarket) - market.lastTime > .seconds(300)
      #expect((market.role == .receipt) == isOld)
      if market.role == .receipt {
        #expect(market.removal == .age && market.removedAt == max(newest, newestMarket))
        removed += 1
      }
    }
    #expect(removed > 1 && removed < last)
    #expect(try JournalReader.verify(folder: folder.path).isSound)
  }

  @Test("market records behind the last snapshot are kept, whatever their age and size")
  func aFoldFindsWhatItNeeds() throws {
    let folder = TemporaryFolder()
    let written = try Self.write(1_500, seed: 8, to: folder.path)
    var parting = JournalParting()
    parting.keepMarketBytes = 0
    parting.snapshot = Self.snapshot
    try Self.part(folder.path, parting)
    guard var reader = try JournalReader.open(folder: folder.path, atLast: [Self.snapshot]),
      let first = reader.header?.sequence
    else {
      Issue.record("no snapshot was found")
      return
    }
    var read = [first]
    while let header = try reader.next() {
      #expect(reader.gap == nil)
      read.append(header.sequence)
    }
    #expect(read == Array(first...UInt64(written.count)))
    #expect(try JournalReader.verify(folder: folder.path).goneRecords > 0)
    // Nothing has such a record: nothing goes.
    let other = TemporaryFolder()
    _ = try Self.write(1_500, seed: 8, to: other.path)
    parting.snapshot = RecordKind(99)
    try Self.part(other.path, parting)
    #expect(try JournalReader.verify(folder: other.path).goneRecords == 0)
  }

  @Test("a journal opens at its last, or at any, record of a kind over parted segments and gaps")
  func opensAtARecord() throws {
    let folder = TemporaryFolder()
    let written = try Self.write(1_500, seed: 9, to: folder.path)
    let snapshots = written.filter { $0.kind == 7 }
    try #require(snapshots.count > 5)
    func check(_ note: Comment) throws {
      for moment in stride(from: 1, to: written.count, by: 83) {
        let due = snapshots.last { $0.sequence <= moment }
        var found = try JournalReader.open(
          folder: folder.path, at: .sequence(UInt64(moment)), kinds: [Self.snapshot])
        #expect(found?.header?.sequence == due?.sequence, note)
        guard let start = due?.sequence else { continue }
        // What follows is read on from there.
        var expected = start
        while expected < start + 60, let header = try found?.next() {
          expected = (found?.gap?.upperBound ?? expected) + 1
          #expect(header.sequence == expected, note)
        }
        let atTime = try JournalReader.open(
          folder: folder.path, at: .time(written[moment - 1].time), kinds: [Self.snapshot])
        #expect(atTime?.header?.sequence == due?.sequence, note)
      }
      let last = try JournalReader.open(folder: folder.path, atLast: [Self.snapshot])
      #expect(last?.header?.sequence == snapshots.last?.sequence, note)
      let none = try JournalReader.open(folder: folder.path, atLast: [RecordKind(99)]) == nil
      #expect(none, note)
    }
    try check("as written")
    try Self.part(folder.path)
    try check("parted")
    var parting = JournalParting()
    parting.keepMarketBytes = 0
    try Self.part(folder.path, parting)
    try check("without market files")
  }

  @Test("a writer goes on behind segments that were put away, the last one too")
  func aWriterGoesOn() throws {
    for keep in [UInt32(0), 1, 2] {
      let folder = TemporaryFolder()
      var written = try Self.write(500, seed: 10, to: folder.path)
      try Self.part(folder.path, keep: keep)
      var writer = try JournalWriter.open(
        folder: folder.path, options: Self.options(), at: Timestamp(milliseconds: 9))
      #expect(writer.recovery.lastSequence == 500 && !writer.recovery.isNew)
      #expect(writer.recovery.journalID == JournalID(high: 1, low: 2))
      for _ in 0..<5 {
        let payload = Array("after".utf8)
        let sequence = try writer.append(
          kind: Self.decision, time: .zero, payload: payload.span)
        written.append(
          Written(sequence: sequence, kind: 2, lane: 0, time: .zero, payload: payload))
      }
      try writer.close()
      #expect(try Self.read(folder.path).records == written, "\(keep) kept")
      #expect(try JournalReader.verify(folder: folder.path).isSound)
    }
  }

  @Test("a journal of an older build reads, is put away and goes on")
  func anOlderJournal() throws {
    // As such a build wrote it: every record in the one lane.
    let folder = TemporaryFolder()
    var writer = try JournalWriter.open(
      folder: folder.path, options: Self.options(), at: .zero)
    var payloads: [[UInt8]] = []
    for number in 0..<400 {
      let payload = [UInt8](repeating: UInt8(number & 255), count: 500)
      _ = try writer.append(kind: Self.decision, time: .zero, payload: payload.span)
      payloads.append(payload)
    }
    try writer.close()
    #expect(try Self.part(folder.path) == nil)
    #expect(Self.files(folder.path).allSatisfy { !$0.hasSuffix(".mjm") })
    #expect(try Self.read(folder.path).records.map(\.payload) == payloads)
    #expect(try JournalReader.verify(folder: folder.path).marketRecords == 0)
  }

  @Test("a reader goes on while segments are put away and let go under it")
  func aReaderGoesOn() throws {
    let folder = TemporaryFolder()
    let written = try Self.write(900, seed: 14, to: folder.path)
    var reader = try JournalReader.open(folder: folder.path)
    var parting = JournalParting()
    var seen: Set<UInt64> = []
    var gone: Set<UInt64> = []
    var turn = 0
    while let header = try reader.next() {
      if let gap = reader.gap { gone.formUnion(gap) }
      let due = written[Int(header.sequence) - 1]
      #expect((0..<reader.payload.count).map { reader.payload[$0] } == due.payload)
      seen.insert(header.sequence)
      turn += 1
      if turn == 20 { try Self.part(folder.path, parting) }
      if turn == 400 {
        parting.keepMarketBytes = 0
        try Self.part(folder.path, parting)
      }
    }
    #expect(seen.union(gone).count == 900 && seen.isDisjoint(with: gone) && !gone.isEmpty)
  }

  @Test(
    "on a full disk segments stay as they are, nothing half is left, and later they are put away",
    .enabled(if: SmallDisk.isPossible, "mounting a small tmpfs needs the right to mount"))
  func aFullDisk() throws {
    let disk = SmallDisk(bytes: 512 << 10)
    let path = disk.path + "/journal"
    let written = try Self.write(700, seed: 15, to: path)
    var filler = [UInt8](repeating: 1, count: 512 << 10)
    let file = open(disk.path + "/filler", O_WRONLY | O_CREAT, 0o600)
    // Whatever room was left is taken.
    while Glibc.write(file, &filler, filler.count) > 0 {}
    while Glibc.write(file, &filler, 1) > 0 {}
    close(file)
    let names = Self.files(path)
    guard case .diskFull = try Self.part(path) else {
      Issue.record("the disk was not full")
      return
    }
    #expect(Self.files(path) == names)
    #expect(try Self.read(path).records == written)
    unlink(disk.path + "/filler")
    #expect(try Self.part(path) == nil)
    #expect(try Self.read(path).records == written)
    #expect(Self.files(path).filter { $0.hasSuffix(".mjl") }.count == 1)
  }

  @Test(
    "a file that the folder refuses is told, the writer goes on, and it is put away once it can be")
  func aRefusedFile() throws {
    let folder = TemporaryFolder(in: "/tmp")
    var writer = try JournalWriter.open(
      folder: folder.path, options: Self.options(JournalParting()), at: .zero)
    // Nobody, not even root, can write a file where a folder is.
    let obstacle = folder.path + "/00000001.mjd.new"
    #expect(mkdir(obstacle, 0o700) == 0)
    let payload = [UInt8](repeating: 7, count: 400)
    var appended = 0
    func append(_ writer: inout JournalWriter) throws {
      _ = try writer.append(kind: Self.decision, time: .zero, payload: payload.span)
      appended += 1
      sched_yield()
    }
    // Bounded by the test's own time limit, here and below.
    while writer.partWarning == nil { try append(&writer) }
    #expect(
      writer.partWarning
        == .system(call: "open", path: obstacle, errno: EISDIR))
    let whole = try #require(readFile(folder.path + "/00000001.mjl"))
    // Trading goes on, over many more segments, and the warning lasts.
    let number = writer.segmentNumber
    while writer.segmentNumber < number + 5 {
      try append(&writer)
      #expect(writer.partWarning != nil && writer.roomWarning == nil && writer.syncFault == nil)
    }
    #expect(readFile(folder.path + "/00000001.mjl") == whole)
    #expect(!Self.files(folder.path).contains { $0.hasSuffix(".mjd") || $0.hasSuffix(".mjm") })
    rmdir(obstacle)
    while writer.partWarning != nil { try append(&writer) }
    try writer.close()
    #expect(readFile(folder.path + "/00000001.mjd") != nil)
    #expect(readFile(folder.path + "/00000001.mjl") == nil)
    let result = try JournalReader.verify(folder: folder.path)
    #expect(result.isSound && result.records == UInt64(appended) && result.parted > 0)
  }

  @Test("a segment that does not prove itself stays as it is, and those behind it are put away")
  func aDamagedSegmentStays() throws {
    let folder = TemporaryFolder()
    _ = try Self.write(800, seed: 11, to: folder.path)
    let path = folder.path + "/00000002.mjl"
    var bytes = try #require(readFile(path))
    bytes[5_000] ^= 4
    writeFile(path, bytes)
    guard case .corrupt(let fault) = try Self.part(folder.path) else {
      Issue.record("no fault")
      return
    }
    #expect(fault.file == "00000002.mjl")
    #expect(readFile(path) == bytes)
    // It is damage, and no reason to try again.
    let parter = SegmentParter(JournalFolder(folder.path), JournalParting())
    parter.begin()
    parter.work(upTo: 2)
    #expect(parter.damage == .corrupt(fault) && parter.fault == nil && !parter.mayGoBetter)
    let names = Self.files(folder.path)
    #expect(names.contains("00000001.mjd") && names.contains("00000003.mjd"))
    #expect(!names.contains("00000002.mjd") && !names.contains { $0.hasSuffix(".new") })
  }

  @Test("the format of a part, byte for byte")
  func golden() throws {
    let chain = (
      RecordChain(nextSequence: 5, link: RecordLink(words: (1, 2, 3, 4))),
      RecordChain(nextSequence: 9, link: RecordLink(words: (5, 6, 7, 8)))
    )
    var head = PartHead(
      role: .decisions, journalID: JournalID(high: 0x11, low: 0x22), number: 3,
      segmentBytes: 65_536, begin: chain.0, end: chain.1, records: 2, marketRecords: 2,
      plainBytes: 300, beginTime: Timestamp(nanoseconds: 4), firstTime: Timestamp(nanoseconds: 5),
      lastTime: Timestamp(nanoseconds: 6), lastSnapshot: 7)
    head.marketDigest = RecordLink(words: (9, 10, 11, 12))
    head.formerDigest = RecordLink(words: (13, 14, 15, 16))
    var writer = SnapshotWriter()
    head.write(into: &writer)
    func word(_ value: UInt64) -> [UInt8] {
      (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }
    var due: [UInt8] = [0x4d, 0x4a, 0x50, 1, 1, 1, 0, 0]
    due += word(0x11) + word(0x22) + word(3) + word(65_536) + word(5) + word(9)
    for value in UInt64(1)...8 { due += word(value) }
    due += word(2) + word(2) + word(300) + word(5) + word(6) + word(7) + word(0)
    for value in UInt64(9)...16 { due += word(value) }
    due += word(4) + word(0)
    #expect(writer.bytes.copy() == due && due.count == PartHead.bytes)
    #expect(try PartHead(reading: due) == head)
    let gap = PartGap(
      first: 6, last: 7, before: RecordLink(words: (1, 2, 3, 4)),
      after: RecordLink(words: (5, 6, 7, 8)))
    let words = gap.words
    #expect(words.indices.map { words[$0] } == [0x0147_4a4d, 6, 7, 1, 2, 3, 4, 5, 6, 7, 8])
    #expect(PartGap(words) == gap && PartGap.begins(0x0147_4a4d))

    // A later build's.
    due[3] = 2
    #expect(throws: PartDamage.version(found: 2)) { try PartHead(reading: due) }
    due[3] = 1
    due[0] = 0
    #expect(throws: PartDamage.notAPart(found: 0x0150_4a00)) { try PartHead(reading: due) }
  }

  @Test(
    "a death after any step leaves a journal that reads the same, and the next writer goes on",
    arguments: JournalParting.Step.allCases)
  func deaths(step: JournalParting.Step) async throws {
    let folder = TemporaryFolder()
    let written = try Self.write(700, seed: 12, to: folder.path)
    let name = "/tmp/martlet-parting-\(getpid())-\(step.rawValue)"
    unlink(name)
    #expect(symlink(folder.path, name) == 0)
    defer { unlink(name) }
    switch step {
    case .marketWritten: await #expect(processExitsWith: .exitCode(9)) { try Self.die(0) }
    case .decisionsWritten: await #expect(processExitsWith: .exitCode(9)) { try Self.die(1) }
    case .marketNamed: await #expect(processExitsWith: .exitCode(9)) { try Self.die(2) }
    case .decisionsNamed: await #expect(processExitsWith: .exitCode(9)) { try Self.die(3) }
    case .originalRemoved: await #expect(processExitsWith: .exitCode(9)) { try Self.die(4) }
    case .receiptWritten: await #expect(processExitsWith: .exitCode(9)) { try Self.die(5) }
    case .receiptNamed: await #expect(processExitsWith: .exitCode(9)) { try Self.die(6) }
    }
    func check(_ label: String) throws {
      let (records, gaps) = try Self.read(folder.path)
      let gone = Set(gaps.flatMap { Array($0) })
      #expect(records == written.filter { !gone.contains($0.sequence) }, "\(label)")
      #expect(gone.isEmpty || step == .receiptNamed, "\(label)")
      #expect(try JournalReader.verify(folder: folder.path).isSound, "\(label)")
    }
    try check("after the death")
    let isLeft = Self.files(folder.path).contains { $0.hasSuffix(".new") }
    #expect(
      isLeft == [.marketWritten, .decisionsWritten, .marketNamed, .receiptWritten].contains(step))
    let writer = try JournalWriter.open(
      folder: folder.path, options: Self.options(), at: .zero)
    #expect(writer.recovery.lastSequence == 700)
    try writer.close()
    #expect(!Self.files(folder.path).contains { $0.hasSuffix(".new") })
    try check("after the next writer")
    #expect(try Self.part(folder.path) == nil)
    try check("after all was put away")
    var parting = JournalParting()
    parting.keepMarketBytes = 0
    for _ in 0..<2 { #expect(try Self.part(folder.path, parting) == nil) }
    let last = try JournalReader.verify(folder: folder.path)
    #expect(last.isSound && last.goneRecords + last.records == 700 && last.goneRecords > 0)
    #expect(Self.files(folder.path).filter { $0.hasSuffix(".mjl") }.count == 1)
  }

  /// In a process of its own, whose parent made the folder known: puts away and lets go, and dies after a
  /// step that it has come to for the second time, or for the first when it lets go.
  static func die(_ step: Int) throws {
    final class Count: @unchecked Sendable { var times = 0 }
    let count = Count()
    var parting = JournalParting()
    parting.keepMarketBytes = step >= 5 ? 0 : nil
    parting.onStep = {
      guard $0.rawValue == step else { return }
      count.times += 1
      if count.times == (step >= 5 ? 1 : 2) { _exit(9) }
    }
    try part("/tmp/martlet-parting-\(getppid())-\(step)", parting)
  }

  @Test("behind a writer full segments are put away, old market files go, and memory stays flat")
  func behindAWriter() async {
    // In a process of its own: the memory of this one is that of every test that runs beside.
    await #expect(processExitsWith: .success) { try Self.fillBehindAWriter() }
  }

  static func fillBehindAWriter() throws {
    let folder = TemporaryFolder(in: "/tmp")
    var parting = JournalParting()
    parting.keepMarketBytes = 100_000
    parting.snapshot = Self.snapshot
    var options = Self.options(parting)
    options.sync = .behind(every: .milliseconds(5))
    var writer = try JournalWriter.open(folder: folder.path, options: options, at: .zero)
    var random = SeededRandom(seed: 13)
    func fill(_ writer: inout JournalWriter, _ count: Int) throws {
      for index in 0..<count {
        let payload = (0..<400).map { $0 % 3 == 0 ? UInt8.random(in: 0...255, using: &random) : 7 }
        _ = try writer.append(
          kind: index % 200 == 0 ? Self.snapshot : Self.decision,
          lane: index % 200 == 0 || index % 5 == 0 ? .decisions : .market,
          time: Timestamp(milliseconds: Int64(index)), payload: payload.span)
      }
    }
    func settle() throws {
      let place = JournalFolder(folder.path)
      while true {
        let content = try place.content()
        if content.raw.count <= 4 && content.leftovers.isEmpty { return }
        sched_yield()
      }
    }
    try fill(&writer, 6_000)
    try settle()
    let before = residentBytes()
    for _ in 0..<4 {
      try fill(&writer, 6_000)
      try settle()
    }
    try #require(writer.roomWarning == nil && writer.partWarning == nil)
    try #require(residentBytes() - before < 24 << 20)
    try writer.close()
    let result = try JournalReader.verify(folder: folder.path)
    try #require(result.isSound && result.records + result.goneRecords == 30_000)
    try #require(result.goneRecords > 10_000 && result.parted > 100)
    let names = Self.files(folder.path)
    let market = names.filter { $0.hasSuffix(".mjm") }.compactMap {
      readFile(folder.path + "/" + $0)?.count
    }.filter { $0 > 288 }
    // What stands behind the last snapshot stays even beyond the bound: one file here.
    try #require(market.reduce(0, +) <= 100_000 + (market.max() ?? 0))
  }

  private static func residentBytes() -> Int {
    let text = String(decoding: readFile("/proc/self/statm") ?? [], as: UTF8.self)
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
  }

}
