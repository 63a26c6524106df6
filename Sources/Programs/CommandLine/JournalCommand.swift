import MartletBase
import MartletJSON
import MartletJournalFile
import MartletLive
import MartletRecord

/// `journal verify|print|export JOURNAL`
enum JournalCommand {
  static let command = Command(
    name: "journal", usage: "verify|print|export JOURNAL",
    does: """
      verify  walks the chain of checksums and digests from end to end
      print   writes one line a record
      export  writes records for others to read, without what tells whose account it is
      """,
    options: [
      .init("--from", "SEQ", "print, export: from this sequence on"),
      .init("--until", "SEQ", "print, export: up to this sequence"),
      .init("--contains", "TEXT", "print: only lines that hold this text"),
      .init(
        "--json", nil, "verify: one object on standard output; export: one a record, as without"),
      .init("--csv", nil, "export: a table with a head"),
    ],
    positional: 1...2,
    example: "./martlet demo --for 5s && ./martlet journal verify .martlet/demo/latest/journal",
    run: run)

  private static func run(_ arguments: Arguments) throws(Arguments.Misuse) -> ExitCode {
    guard arguments.positional.count == 2 else {
      throw Arguments.Misuse(message: "expected verify, print or export, and a journal's folder")
    }
    let folder = arguments.positional[1]
    let taken = [
      "verify": ["--json"], "print": ["--from", "--until", "--contains"],
      "export": ["--from", "--until", "--json", "--csv"],
    ]
    if let known = taken[arguments.positional[0]],
      let other = arguments.given.first(where: { !known.contains($0.name) })
    {
      throw Arguments.Misuse(
        message:
          "\(arguments.positional[0]) takes \(known.joined(separator: ", ")), not \(other.name)")
    }
    let from = try arguments.integer("--from", default: 0, in: 0...Int.max)
    let until = try arguments.integer("--until", default: Int.max, in: 0...Int.max)
    guard from <= until else {
      throw Arguments.Misuse(
        message: "expected --from to come no later than --until, found \(from) and \(until)")
    }
    let range = UInt64(from)...UInt64(until)
    switch arguments.positional[0] {
    case "verify": return verify(folder, asJSON: arguments.has("--json"))
    case "export":
      guard !arguments.has("--json") || !arguments.has("--csv") else {
        throw Arguments.Misuse(message: "expected --json or --csv, found both")
      }
      return export(folder, range, arguments.has("--csv") ? .csv : .json)
    case "print": return print(folder, range, containing: arguments.last("--contains"))
    default:
      throw Arguments.Misuse(
        message: "expected verify, print or export, found “\(arguments.positional[0])”")
    }
  }

  private static func verify(_ folder: String, asJSON: Bool) -> ExitCode {
    var heads: HeadBook?
    do { heads = try UserHeads.book(of: folder) } catch {
      Console.note("no heads of journals are at hand: \(error)")
    }
    do throws(JournalFault) {
      let found = try JournalReader.verify(folder: folder, heads: heads)
      if asJSON {
        Console.out(
          "{\"records\":\(found.records),\"decisions\":\(found.records - found.marketRecords),"
            + "\"market\":\(found.marketRecords),\"first\":\(found.firstSequence),\"last\":\(found.lastSequence),"
            + "\"head\":\"\(found.head)\",\"sound\":\(found.isSound),\"torn\":\(found.tornTail != nil),"
            + "\"segments\":\(found.segments),\"parted\":\(found.parted),"
            + "\"parted_bytes\":\(found.partedBytes),\"packed_bytes\":\(found.packedBytes),"
            + "\"gone\":\(found.goneRecords),\"gone_first\":\(found.gone?.lowerBound ?? 0),"
            + "\"gone_last\":\(found.gone?.upperBound ?? 0),\"unreadable\":\(found.unreadable),"
            + "\"damaged\":[\(found.damaged.map(damage).joined(separator: ","))],"
            + "\"cuts\":[\(found.cuts.map(cut).joined(separator: ","))],"
            + "\"standing\":\"\(found.standing.word)\",\"missing\":\(found.standing.missing)}\n")
      } else {
        Console.out(
          "\(folder): \(found.records) records, \(found.firstSequence) … \(found.lastSequence),"
            + " \(found.segments) segment(s), written by \(found.build)\nhead \(found.head)\n")
        Console.out(packing(found))
        if let torn = found.tornTail {
          Console.out("torn tail, which a killed process leaves: \(torn)\n")
        }
        for file in found.cuts {
          Console.out("\(file.name): \(file.bytes) bytes, what a start cut off, kept beside it\n")
        }
        if found.isSound {
          let gone = found.goneRecords == 0 ? "" : " of what is there, and of what joins it"
          Console.out("sound: every checksum and every link\(gone) holds; \(found.standing)\n")
        }
      }
      Console.fail(found.damaged)
      if found.fault == nil, !found.damaged.isEmpty {
        Console.fail(
          "\(folder): every decision is proven, and so is what can be read of the market")
      }
      if let fault = found.fault { Console.fail("\(folder): \(fault)") }
      if !found.standing.isSound { Console.fail("\(folder): \(found.standing)") }
      return found.isSound ? .done : .failed
    } catch {
      Console.fail("\(error)")
      if let standing = try? heads?.standing(of: folder), !standing.isSound {
        Console.fail("\(folder): \(standing)")
      }
      return .failed
    }
  }

  private static func damage(_ market: DamagedMarket) -> String {
    let found = "\(market.fault.damage)".filter { $0 != "\"" && $0 != "\\" }
    return "{\"file\":\"\(market.fault.file)\",\"found\":\"\(found)\","
      + "\"records\":\(market.records),\"unreadable\":\(market.unreadable)}"
  }

  private static func cut(_ file: CutFile) -> String {
    "{\"file\":\"\(file.name)\",\"bytes\":\(file.bytes)}"
  }

  /// How much of a journal is of which lane, packed or gone.
  private static func packing(_ found: JournalVerification) -> String {
    var text =
      "\(found.records - found.marketRecords) decisions, \(found.marketRecords) market records"
    if found.parted > 0 {
      text +=
        "; \(found.parted) segment(s) put away, \(found.partedBytes) bytes as \(found.packedBytes)"
    }
    text += "\n"
    if let gone = found.gone {
      text +=
        "\(found.goneRecords) market records between \(gone.lowerBound) and \(gone.upperBound) were removed by"
        + " retention\n"
    }
    return text
  }

  private static func print(
    _ folder: String, _ range: ClosedRange<UInt64>, containing part: String?
  ) -> ExitCode {
    do throws(JournalFault) {
      var reader = try JournalReader.open(folder: folder)
      var text = RecordText()
      func tell(_ missing: [MissingRecords]) {
        for piece in missing where part == nil && piece.sequences.overlaps(range) {
          let sequences = piece.sequences
          Console.out(
            "\(sequences.lowerBound)-\(sequences.upperBound) \(sequences.count) market records, \(piece.reason)\n"
          )
        }
      }
      while let header = try reader.next() {
        tell(reader.missing)
        guard header.sequence <= range.upperBound else { break }
        // Read from the start even so: the first records say how numbers are written.
        let line = text.line(kind: header.kind.rawValue, payload: reader.payload)
        guard header.sequence >= range.lowerBound, part.map({ line.contains($0) }) ?? true else {
          continue
        }
        Console.out("\(header.sequence) \(time(header.time)) \(line)\n")
        if Interruption.isRequested { return .interrupted }
      }
      if reader.header == nil { tell(reader.missing) }
      if let torn = reader.tornTail { Console.note("torn tail: \(torn)") }
      Console.fail(reader.damaged)
      return reader.damaged.isEmpty ? .done : .failed
    } catch {
      Console.fail("\(error)")
      return .failed
    }
  }

  private static func export(
    _ folder: String, _ range: ClosedRange<UInt64>, _ form: JournalExport.Form
  ) -> ExitCode {
    Interruption.watch()
    do throws(JournalFault) {
      var reader = try JournalReader.open(folder: folder)
      var export = JournalExport(form)
      Console.out(export.head)
      var missing: UInt64 = 0
      while let header = try reader.next(), header.sequence <= range.upperBound {
        missing += count(reader.missing, in: range)
        // Read from the start even so: the first records say how numbers are written.
        let line = export.line(header, reader.payload)
        if header.sequence >= range.lowerBound { Console.out(line) }
        if Interruption.isRequested { return .interrupted }
      }
      if reader.header == nil { missing += count(reader.missing, in: range) }
      if missing > 0 {
        Console.note(
          "\(missing) market records, which journal print names, are not there to be exported")
      }
      if let torn = reader.tornTail { Console.note("torn tail: \(torn)") }
      Console.fail(reader.damaged)
      return reader.damaged.isEmpty ? .done : .failed
    } catch {
      Console.fail("\(error)")
      return .failed
    }
  }

  private static func count(_ missing: [MissingRecords], in range: ClosedRange<UInt64>) -> UInt64 {
    missing.reduce(0) {
      $1.sequences.overlaps(range) ? $0 + UInt64($1.sequences.clamped(to: range).count) : $0
    }
  }

  /// Seconds and microseconds since 1970.
  private static func time(_ time: Timestamp) -> String {
    var buffer = ByteBuffer(capacity: 32)
    buffer.append(decimal: time.seconds)
    buffer.append(".")
    buffer.append(decimal: (time.nanoseconds - time.seconds * 1_000_000_000) / 1000, width: 6)
    return String(buffer.span)
  }
}
