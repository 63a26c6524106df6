internal import CMartletCrypto
internal import Glibc
internal import MartletBase
internal import MartletClock
internal import MartletJournalFile
internal import MartletRecord
internal import MartletSecrets
internal import MartletVenueKit

// What the edges add to a step: the journal and the signature.
extension BenchSuite {
  /// Without a sync, so that a record's own cost is seen, beside the digest that it cannot do without.
  func journalAppend() throws -> BenchResult {
    // Short rounds, turn by turn: who shares the machine spoils a few of either.
    let count = amount(400, small: 50)
    var watch = Stopwatch(pieces: count)
    var rounds = Rounds()
    var bare = Rounds()
    var checksum = Checksum()
    let payload = BenchSuite.payload
    // The bytes that the link digests: the last link, the header, the payload.
    let digested = [UInt8](
      repeating: 7, count: RecordFraming.linkBytes + RecordFraming.headerBytes + payload.count)
    for round in 0..<amount(9, small: 1) {
      let path = "\(folder)/append-\(round)"
      var options = JournalOptions(build: "bench")
      options.sync = .atClose
      var writer = try JournalWriter.open(folder: path, options: options, at: .zero)
      defer { remove(path) }
      for _ in 0..<amount(10, small: 1) {
        watch.reset()
        for index in 0..<count {
          let time = Timestamp(nanoseconds: Int64(index))
          watch.start()
          _ = try writer.append(kind: RecordKind(2), time: time, payload: payload.span)
          watch.stop()
        }
        rounds.add(watch)

        watch.reset()
        var digest = [UInt8](repeating: 0, count: 32)
        for _ in 0..<count {
          watch.start()
          // All of the buffer is read; the digest takes 32 bytes.
          unsafe cmartlet_sha256(digested, digested.count, &digest)
          watch.stop()
        }
        for byte in digest { checksum.fold(UInt64(byte)) }
        bare.add(watch)
      }
      checksum.fold(writer.nextSequence)
      try writer.close()
    }
    var result = rounds.result("journal-append-660", checksum: checksum.value)
    let hash = bare.result("", checksum: 0)
    if let append = result.nanosecondsPerOp, let digest = hash.nanosecondsPerOp,
      let p50 = result.p50, let p99 = result.p99
    {
      result.remark(
        "no sync; mean \(BenchResult.number(append / digest)) x that of a bare SHA-256 of the same"
          + " bytes (\(BenchResult.number(digest)))")
      result.remark(goal("mean", append, atMost: 2 * digest))
      result.remark(
        "p99 \(BenchResult.number(p99 / p50)) x p50, " + goal("p99", p99, atMost: 2 * p50))
    }
    result.forbidAllocations()
    return result
  }

  /// With the sync thread at work as in a live process, at a pace that few markets reach.
  func journalAppendSynced() throws -> BenchResult {
    let pace = Int64(50_000)  // Nanoseconds: 20,000 records a second.
    let count = amount(20_000, small: 50)
    let payload = BenchSuite.payload
    var watch = Stopwatch(pieces: count)
    var rounds = Rounds()
    var checksum = Checksum()
    var synced: UInt64 = 0
    for round in 0..<amount(5, small: 1) {
      let path = "\(folder)/synced-\(round)"
      var writer = try JournalWriter.open(
        folder: path, options: JournalOptions(build: "bench"), at: .zero)
      defer { remove(path) }
      watch.reset()
      var due = SystemClock.monotonic().nanoseconds
      for index in 0..<count {
        let time = Timestamp(nanoseconds: Int64(index))
        due += pace
        while SystemClock.monotonic().nanoseconds < due {}
        watch.start()
        _ = try writer.append(kind: RecordKind(2), time: time, payload: payload.span)
        watch.stop()
      }
      synced = max(synced, writer.syncedSequence)
      rounds.add(watch)
      checksum.fold(writer.nextSequence)
      try writer.close()
    }
    var result = rounds.result("journal-append-synced", checksum: checksum.value)
    result.remark(
      "20,000 records a second, synced each 100 ms (\(synced) of \(count) behind one round's end)")
    result.remark(goal("p99", result.p99, atMost: 15_000))
    result.forbidAllocations()
    return result
  }

  /// A record's payload of 660 bytes.
  private static let payload = [UInt8]((0..<660).map { UInt8(truncatingIfNeeded: $0 &* 31) })

  /// What each policy of `[journal] sync` costs an append, on the disk that `folder` lies on: at a pace that
  /// leaves the thread behind its time, beside a bare SHA-256 of the same bytes in the same run.
  func journalSync(_ name: String, _ sync: JournalOptions.SyncPolicy) throws -> BenchResult {
    let isEach = sync == .eachRecord
    let count = isEach ? amount(300, small: 5) : amount(20_000, small: 50)
    var watch = Stopwatch(pieces: count)
    var bareWatch = Stopwatch(pieces: count)
    var rounds = Rounds()
    var bare = Rounds()
    var checksum = Checksum()
    let payload = BenchSuite.payload
    let digested = [UInt8](
      repeating: 7, count: RecordFraming.linkBytes + RecordFraming.headerBytes + payload.count)
    var digest = [UInt8](repeating: 0, count: 32)
    for round in 0..<amount(5, small: 1) {
      let path = "\(folder)/sync-\(round)"
      var options = JournalOptions(build: "bench")
      options.sync = sync
      var writer = try JournalWriter.open(folder: path, options: options, at: .zero)
      defer { remove(path) }
      watch.reset()
      bareWatch.reset()
      for index in 0..<count {
        watch.start()
        _ = try writer.append(
          kind: RecordKind(2), time: Timestamp(nanoseconds: Int64(index)), payload: payload.span)
        watch.stop()
        // Some 20 us to the next, as of a market that is told fifty thousand times a second.
        for turn in 0..<(isEach ? 1 : 40) {
          if turn == 0 { bareWatch.start() }
          // All of the buffer is read; the digest takes 32 bytes.
          unsafe cmartlet_sha256(digested, digested.count, &digest)
          if turn == 0 { bareWatch.stop() }
        }
      }
      rounds.add(watch)
      bare.add(bareWatch)
      checksum.fold(writer.nextSequence)
      if let fault = writer.syncFault { throw fault }
      try writer.close()
    }
    for byte in digest { checksum.fold(UInt64(byte)) }
    var result = rounds.result(name, checksum: checksum.value)
    let hash = bare.result("", checksum: 0)
    if let mean = result.nanosecondsPerOp, let digest = hash.nanosecondsPerOp, digest > 0 {
      result.remark(
        "mean \(BenchResult.number(mean / digest)) x a bare SHA-256 of the same bytes"
          + " (\(BenchResult.number(digest)))")
    }
    return result
  }

  func sign() -> BenchResult {
    let signer = Signer(BenchKey.credentials)
    var headers = SignedHeaders()
    let body =
      "{\"market\":\"DBTC_DUSDT\",\"side\":\"buy\",\"amount\":\"0.001\",\"price\":\"60250.5\","
      + "\"clientOrderId\":\"mtB7x20Q4K8ZC1N5T9V3M6R8W0Y2D4F6\",\"nonceWindow\":true,"
      + "\"request\":\"/api/v4/order/new\",\"nonce\":\""
    let offset = UInt32(body.utf8.count)
    var buffer = ByteBuffer(capacity: 512)
    buffer.append(text: body + "0000000000000\"}")
    let count = amount(4_000, small: 50)
    var watch = Stopwatch(pieces: count)
    var rounds = Rounds()
    var checksum = Checksum()
    var nonce: Int64 = 1_775_000_000_000
    for _ in 0..<amount(9, small: 1) {
      watch.reset()
      for _ in 0..<count {
        nonce += 1
        watch.start()
        signer.sign(
          .whitebit(nonceOffset: offset), body: ByteRange(start: 0, count: buffer.count),
          in: &buffer, nonce: nonce, into: &headers)
        watch.stop()
        checksum.fold(UInt64(headers.signature.span[0]))
        checksum.fold(UInt64(headers.signature.span[127]))
      }
      rounds.add(watch)
    }
    var result = rounds.result("sign", checksum: checksum.value)
    result.remark("body of \(buffer.count) bytes")
    result.forbidAllocations()
    return result
  }

  /// Removes a journal's folder, which holds files alone.
  func remove(_ path: String) {
    // Paths are C strings for the length of each call; an entry lives until the next is read.
    guard let directory = unsafe opendir(path) else { return }
    while let entry = unsafe readdir(directory) {
      let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { unsafe unlink("\(path)/\(name)") }
    }
    unsafe closedir(directory)
    unsafe rmdir(path)
  }
}

/// The key of every benchmark; it opens nothing.
enum BenchKey {
  static let key = "benchmark-key"
  static let secret = "benchmark-secret"
  static var credentials: Credentials {
    let (key, secret) = (Array(key.utf8), Array(secret.utf8))
    return Credentials(key: Secret(copying: key.span), secret: Secret(copying: secret.span))
  }
}
