import MartletBase
import MartletHistory
import MartletJSON

/// What `data` prints.
enum DataReport {
  static func inspect(_ path: String, asJSON: Bool) throws(HistoryFault) -> String {
    let parquet = try ParquetFile(path: path)
    // A file of another schema can be looked at too; why it is none of ours is part of the answer.
    let history: HistoryFile?
    var why: HistoryFault?
    do throws(HistoryFault) { history = try HistoryFile(path: path) } catch {
      history = nil
      why = error
    }
    let times = try history.map { file throws(HistoryFault) in
      try file.range(of: file.schema.isCaptured ? .receivedAt : file.schema.time)
    }
    return asJSON
      ? try inspectedJSON(parquet, history, why, times ?? nil)
      : try inspectedText(parquet, history, why, times ?? nil)
  }

  private static func inspectedText(
    _ parquet: ParquetFile, _ history: HistoryFile?, _ why: HistoryFault?,
    _ times: ClosedRange<Int64>?
  ) throws(HistoryFault) -> String {
    var text = "\(parquet.path): \(parquet.rows) rows in \(parquet.groupRows.count) row group(s),"
    text += " \(parquet.bytes) bytes, written by \(parquet.createdBy)\n"
    if let history {
      text += "schema     \(history.schema.rawValue)\n"
    } else if let why {
      text += "schema     none of Martlet's: \(why.problem)\n"
    }
    if let times { text += "times      \(times.lowerBound) … \(times.upperBound) ns\n" }
    for (key, value) in parquet.metadata where key != "schema" && key != "ARROW:schema" {
      text += "metadata   \(key) = \(value)\n"
    }
    for (index, column) in parquet.columns.enumerated() {
      var packed: Int64 = 0
      var range: ClosedRange<Int64>?
      var compression = ""
      for group in parquet.groupRows.indices {
        let chunk = try parquet.chunk(group: group, column: index)
        packed += chunk.packedBytes
        compression = chunk.compression
        if let own = chunk.range {
          range =
            min(
              range?.lowerBound ?? .max, own.lowerBound)...max(
              range?.upperBound ?? .min, own.upperBound)
        }
      }
      text += "column     \(column.name): \(column.type), \(compression), \(packed) bytes"
      if let range { text += ", \(range.lowerBound) … \(range.upperBound)" }
      text += "\n"
    }
    return text
  }

  private static func inspectedJSON(
    _ parquet: ParquetFile, _ history: HistoryFile?, _ why: HistoryFault?,
    _ times: ClosedRange<Int64>?
  ) throws(HistoryFault) -> String {
    var line = ByteBuffer(capacity: 4_096)
    var writer = JSONWriter()
    writer.beginObject(into: &line)
    writer.key("file", into: &line)
    writer.string(text: parquet.path, into: &line)
    writer.key("schema", into: &line)
    if let history {
      writer.string(text: history.schema.rawValue, into: &line)
    } else {
      writer.null(into: &line)
    }
    writer.key("reason", into: &line)
    if let why {
      writer.string(text: why.description, into: &line)
    } else {
      writer.null(into: &line)
    }
    writer.key("rows", into: &line)
    writer.integer(parquet.rows, into: &line)
    writer.key("row_groups", into: &line)
    writer.integer(parquet.groupRows.count, into: &line)
    writer.key("bytes", into: &line)
    writer.integer(parquet.bytes, into: &line)
    writer.key("created_by", into: &line)
    writer.string(text: parquet.createdBy, into: &line)
    writer.key("first_ns", into: &line)
    if let times { writer.integer(times.lowerBound, into: &line) } else { writer.null(into: &line) }
    writer.key("last_ns", into: &line)
    if let times { writer.integer(times.upperBound, into: &line) } else { writer.null(into: &line) }
    writer.key("metadata", into: &line)
    writer.beginObject(into: &line)
    for (key, value) in parquet.metadata where key != "ARROW:schema" {
      writer.key(text: key, into: &line)
      writer.string(text: value, into: &line)
    }
    writer.endObject(into: &line)
    writer.key("columns", into: &line)
    writer.beginArray(into: &line)
    for column in parquet.columns {
      writer.beginObject(into: &line)
      writer.key("name", into: &line)
      writer.string(text: column.name, into: &line)
      writer.key("type", into: &line)
      writer.string(text: column.type, into: &line)
      writer.endObject(into: &line)
    }
    writer.endArray(into: &line)
    writer.endObject(into: &line)
    return String(line.span) + "\n"
  }

  static func check(_ path: String, _ found: HistoryCheck, asJSON: Bool) -> String {
    guard asJSON else {
      var text = "\(path): \(found.schema.name), \(found.rows) rows, \(found.frames) frames,"
      text += " \(found.first.nanoseconds) … \(found.last.nanoseconds) ns, longest silence"
      text += " \(found.longestSilence.milliseconds) ms from \(found.silenceAt.nanoseconds) on\n"
      for finding in found.findings {
        text += "  \(finding.kind.rawValue): \(finding.count), first at row \(finding.row):"
        text += " \(finding.example)\n"
      }
      return text + (found.isSound ? "  sound\n" : "")
    }
    var line = ByteBuffer(capacity: 1_024)
    var writer = JSONWriter()
    writer.beginObject(into: &line)
    writer.key("file", into: &line)
    writer.string(text: path, into: &line)
    writer.key("schema", into: &line)
    writer.string(text: found.schema.rawValue, into: &line)
    writer.key("rows", into: &line)
    writer.integer(found.rows, into: &line)
    writer.key("frames", into: &line)
    writer.integer(found.frames, into: &line)
    writer.key("first_ns", into: &line)
    writer.integer(found.first.nanoseconds, into: &line)
    writer.key("last_ns", into: &line)
    writer.integer(found.last.nanoseconds, into: &line)
    writer.key("longest_silence_ms", into: &line)
    writer.integer(found.longestSilence.milliseconds, into: &line)
    writer.key("silence_at_ns", into: &line)
    writer.integer(found.silenceAt.nanoseconds, into: &line)
    writer.key("sound", into: &line)
    writer.bool(found.isSound, into: &line)
    writer.key("findings", into: &line)
    writer.beginArray(into: &line)
    for finding in found.findings {
      writer.beginObject(into: &line)
      writer.key("kind", into: &line)
      writer.string(text: finding.kind.rawValue, into: &line)
      writer.key("count", into: &line)
      writer.integer(finding.count, into: &line)
      writer.key("row", into: &line)
      writer.integer(finding.row, into: &line)
      writer.key("example", into: &line)
      writer.string(text: finding.example, into: &line)
      writer.endObject(into: &line)
    }
    writer.endArray(into: &line)
    writer.endObject(into: &line)
    return String(line.span) + "\n"
  }

  static func imported(_ plan: HistoryImport, _ outcome: HistoryImport.Outcome) -> String {
    var line = ByteBuffer(capacity: 512)
    var writer = JSONWriter()
    writer.beginObject(into: &line)
    writer.key("file", into: &line)
    writer.string(text: plan.output, into: &line)
    writer.key("schema", into: &line)
    writer.string(text: plan.kind.schema.rawValue, into: &line)
    writer.key("rows", into: &line)
    writer.integer(outcome.rows, into: &line)
    writer.key("steps_back", into: &line)
    writer.integer(outcome.stepsBack, into: &line)
    writer.key("price_places", into: &line)
    writer.integer(outcome.pricePlaces, into: &line)
    writer.key("quantity_places", into: &line)
    writer.integer(outcome.quantityPlaces, into: &line)
    writer.key("rate_places", into: &line)
    writer.integer(outcome.ratePlaces, into: &line)
    writer.endObject(into: &line)
    return String(line.span) + "\n"
  }

  /// A file that cannot be read, with the place that is to blame.
  static func fault(_ path: String, _ fault: HistoryFault) -> String {
    var line = ByteBuffer(capacity: 512)
    var writer = JSONWriter()
    writer.beginObject(into: &line)
    writer.key("file", into: &line)
    writer.string(text: path, into: &line)
    writer.key("sound", into: &line)
    writer.bool(false, into: &line)
    writer.key("error", into: &line)
    writer.string(text: fault.description, into: &line)
    writer.key("row_group", into: &line)
    if let group = fault.rowGroup {
      writer.integer(group, into: &line)
    } else {
      writer.null(into: &line)
    }
    writer.key("column", into: &line)
    if let column = fault.column {
      writer.string(text: column, into: &line)
    } else {
      writer.null(into: &line)
    }
    writer.key("row", into: &line)
    if let row = fault.row { writer.integer(row, into: &line) } else { writer.null(into: &line) }
    writer.endObject(into: &line)
    return String(line.span) + "\n"
  }
}
