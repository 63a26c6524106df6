/// Buffers of one batch: a column each, kept and filled again from batch to batch.
@safe struct ColumnStorage: ~Copyable {
  private(set) var capacity: Int
  // By the column's ordinal: bytes for each value, 0 for a column that is not read, and its buffer.
  private let strides: [Int]
  private var buffers: [UnsafeMutableRawPointer?]

  init(_ columns: [HistoryColumn], capacity: Int) {
    var strides = [Int](repeating: 0, count: HistoryColumn.allCases.count)
    for column in columns { strides[column.ordinal] = column.width == .wide ? 8 : 4 }
    self.strides = strides
    self.capacity = capacity
    unsafe buffers = strides.map { stride in
      stride == 0 ? nil : .allocate(byteCount: capacity * stride, alignment: 64)
    }
  }

  deinit {
    for index in unsafe buffers.indices { unsafe buffers[index]?.deallocate() }
  }

  /// The buffer of a column that is read, from `row` on.
  func target(_ column: HistoryColumn, from row: Int) -> UnsafeMutableRawPointer {
    guard let base = unsafe buffers[column.ordinal] else {
      preconditionFailure("the column \(column.rawValue) was not asked for")
    }
    return unsafe base + row * strides[column.ordinal]
  }

  /// 64 bits a value; of a column that is read.
  func wide(_ column: HistoryColumn) -> UnsafeMutablePointer<Int64> {
    precondition(strides[column.ordinal] == 8, "the column \(column.rawValue) was not asked for")
    // Made with room for `capacity` of them.
    return unsafe target(column, from: 0).assumingMemoryBound(to: Int64.self)
  }

  /// 32 bits a value; of a column that is read.
  func narrow(_ column: HistoryColumn) -> UnsafeMutablePointer<Int32> {
    precondition(strides[column.ordinal] == 4, "the column \(column.rawValue) was not asked for")
    // Made with room for `capacity` of them.
    return unsafe target(column, from: 0).assumingMemoryBound(to: Int32.self)
  }

  func has(_ column: HistoryColumn) -> Bool { strides[column.ordinal] != 0 }

  /// Moves the rows from `first` up to `end` to the front.
  mutating func keep(from first: Int, to end: Int) {
    guard first > 0, end > first else { return }
    for index in unsafe buffers.indices {
      guard let base = unsafe buffers[index] else { continue }
      let stride = strides[index]
      // Both ranges lie within the buffer, and may overlap.
      unsafe base.copyMemory(from: base + first * stride, byteCount: (end - first) * stride)
    }
  }

  /// Makes room for `larger` rows and keeps the first `count`.
  mutating func grow(to larger: Int, keeping count: Int) {
    for index in unsafe buffers.indices {
      guard let base = unsafe buffers[index] else { continue }
      let stride = strides[index]
      let moved = UnsafeMutableRawPointer.allocate(byteCount: larger * stride, alignment: 64)
      // `count` rows fit both.
      unsafe moved.copyMemory(from: base, byteCount: count * stride)
      unsafe base.deallocate()
      unsafe buffers[index] = moved
    }
    capacity = larger
  }

  /// Copies row `source` over row `target`.
  func copy(row source: Int, to target: Int) {
    for index in unsafe buffers.indices {
      guard let base = unsafe buffers[index] else { continue }
      let stride = strides[index]
      // Different rows of one buffer do not overlap.
      unsafe (base + target * stride).copyMemory(from: base + source * stride, byteCount: stride)
    }
  }
}
