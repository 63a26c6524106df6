internal import MartletBase

/// One file of a stream, cut into frames.
@safe struct HistoryFeed {
  let source: HistorySource
  /// The frame that is next, or was handed out last.
  private(set) var frame: HistoryFrame
  private(set) var isAtEnd = false
  var isHandedOut = false
  let arrivalColumn: HistoryColumn

  private let index: Int
  private let schema: HistorySchema
  /// Whether `frame_seq` puts rows into frames.
  private let isCaptured: Bool
  private let span: Int64
  private var position = 0
  private var lastSequence = Int64.min
  private var lastArrival = Int64.min

  // The batch's columns; anew after each batch. Nil for what this schema has not.
  private var times: UnsafeMutablePointer<Int64>
  private var arrivals: UnsafeMutablePointer<Int64>
  private var sequences: UnsafeMutablePointer<Int64>?
  private var flags: UnsafeMutablePointer<Int32>?

  static let snapshotBit: Int32 = 1
  static let lastRowBit: Int32 = 2
  static let emptyBit: Int32 = 4

  init(_ input: MarketStream.Input, index: Int, batch: Int) throws(HistoryFault) {
    let file = input.file
    schema = file.schema
    self.index = index
    isCaptured = schema.isCaptured
    span = file.interval?.nanoseconds ?? 0
    arrivalColumn = schema.isCaptured ? .receivedAt : schema.time
    var columns = input.columns ?? schema.replayColumns
    for needed in [schema.time, arrivalColumn, isCaptured ? .frameSequence : schema.time]
      + (schema == .book ? [.flags] : []) where !columns.contains(needed)
    {
      columns.append(needed)
    }
    // Rows of other series would come between: one must be named.
    if input.series == nil, let name = file.columns.first(where: { $0.width == .text }) {
      try Self.expectOneSeries(file, name)
    }
    source = try HistorySource(
      file, columns: columns, scale: input.scale, series: input.series, batch: batch)
    frame = HistoryFrame(
      source: index, schema: schema, arrivedAt: .zero, exchangeTime: .zero, sequence: -1,
      first: 0, count: 0, isSnapshot: false)
    unsafe times = source.storage.wide(schema.time)
    unsafe arrivals = source.storage.wide(arrivalColumn)
    unsafe sequences = nil
    unsafe flags = nil
    guard try source.advance(keeping: 0) else {
      throw HistoryFault(
        file.path,
        input.series.map { .value(expected: "rows of the series \($0)", found: "none") } ?? .noRows)
    }
    look()
    try cut()
  }

  /// The row in the file, or in its series, where the frame begins.
  var row: Int64 { source.firstRow + Int64(frame.first) }

  /// Moves on to the next frame.
  mutating func advance() throws(HistoryFault) {
    isHandedOut = false
    position = frame.first + frame.count
    try cut()
  }

  private mutating func look() {
    unsafe times = source.storage.wide(schema.time)
    unsafe arrivals = source.storage.wide(arrivalColumn)
    if isCaptured { unsafe sequences = source.storage.wide(.frameSequence) }
    if schema == .book { unsafe flags = source.storage.narrow(.flags) }
  }

  /// Brings more rows behind those from `position` on.
  private mutating func refill() throws(HistoryFault) -> Bool {
    let more = try source.advance(keeping: position)
    position = 0
    look()
    return more
  }

  /// Finds the end of the frame that begins at `position`.
  private mutating func cut() throws(HistoryFault) {
    if position == source.count {
      guard try refill() else {
        isAtEnd = true
        return
      }
    }
    // All indices below are checked against the rows in the batch; the pointers are of this batch.
    var length = 1
    if unsafe flags != nil {
      try cutBook(&length)
    } else if unsafe sequences != nil {
      while true {
        while position + length < source.count,
          unsafe sequences.unsafelyUnwrapped[position + length]
            == sequences.unsafelyUnwrapped[position]
        { length += 1 }
        if position + length < source.count { break }
        if try !refill() { break }
      }
    }
    let first = position
    let sequence: Int64
    if let sequences = unsafe sequences {
      sequence = unsafe sequences[first]
      guard sequence > lastSequence else {
        throw fault(.frameSequence, "lines that grow, after \(lastSequence)", "\(sequence)")
      }
    } else {
      sequence = source.firstRow + Int64(first)
    }
    let (arrival, overflow) = unsafe arrivals[first].addingReportingOverflow(span)
    guard !overflow, arrival >= lastArrival else {
      throw fault(
        arrivalColumn, "times that do not step back, \(lastArrival - span) or later",
        "\(unsafe arrivals[first])")
    }
    lastSequence = sequence
    lastArrival = arrival
    let isSnapshot =
      if let flags = unsafe flags {
        unsafe flags[first] & Self.snapshotBit != 0
      } else { false }
    frame = HistoryFrame(
      source: index, schema: schema, arrivedAt: Timestamp(nanoseconds: arrival),
      exchangeTime: Timestamp(nanoseconds: unsafe times[first]), sequence: sequence,
      first: first, count: length, isSnapshot: isSnapshot)
  }

  /// A frame of a book goes up to the row that says it is the last.
  private mutating func cutBook(_ length: inout Int) throws(HistoryFault) {
    while true {
      let found = unsafe flags.unsafelyUnwrapped
      var row = position + length - 1
      let end = source.count
      // Rows below `end` were read.
      while row < end, unsafe found[row] & Self.lastRowBit == 0 { row += 1 }
      if row < end {
        length = row + 1 - position
        break
      }
      length = end - position + 1
      if try !refill() {
        throw fault(.flags, "a last row of each frame", "the file's end before it")
      }
    }
    let lines = unsafe sequences.unsafelyUnwrapped
    let last = position + length - 1
    guard unsafe lines[position] == lines[last] else {
      throw fault(
        .frameSequence, "one line in the frame that begins with \(unsafe lines[position])",
        "\(unsafe lines[last]) before its last row")
    }
  }

  private func fault(
    _ column: HistoryColumn, _ expected: String, _ found: String
  ) -> HistoryFault {
    let row = source.firstRow + Int64(position)
    let group = source.file.parquet.groupStarts.lastIndex { $0 <= row }
    return HistoryFault(
      source.file.path, .outOfOrder(expected: expected, found: found), rowGroup: group,
      column: column.rawValue, row: row)
  }

  /// A file with a column of names may still hold one series.
  private static func expectOneSeries(
    _ file: HistoryFile, _ name: HistoryColumn
  ) throws(HistoryFault) {
    let names = file.columns.filter { $0.width == .text }
    let source = try HistorySource(
      file, columns: names, scale: nil, series: nil, batch: HistoryReader.usualBatch)
    var found: [String] = []
    while try source.advance(keeping: source.count) {
      var last: [Int32] = []
      for row in 0..<source.count {
        // Rows below `count` were read.
        let indices = names.map { unsafe source.storage.narrow($0)[row] }
        if indices == last { continue }
        last = indices
        let series = indices.map(source.text).joined(separator: "/")
        if !found.contains(series) { found.append(series) }
      }
    }
    guard found.count == 1 else {
      throw HistoryFault(
        file.path,
        .value(
          expected: "one series, or its name with the file",
          found: found.prefix(12).joined(separator: ", ")),
        column: name.rawValue)
    }
  }
}
