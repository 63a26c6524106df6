internal import MartletBase

/// Walks the records of a segment by their headers alone and takes them at their word: for finding a
/// place in a journal, from which a `RecordScanner` then proves what is read.
///
/// It ends where nothing, or nothing that could be a record, stands.
public struct RecordWalk: Sendable {
  /// Where the next record is due, from the segment's start.
  public private(set) var offset = 0
  /// Where the record that `next` gave last begins.
  public private(set) var recordOffset = 0

  /// Begins at a segment's own first record.
  public init() {}

  /// Moves to the next record.
  ///
  /// - Parameter segment: the whole segment, from its first byte.
  /// - Returns: its header and its payload's place; nil at the end.
  public mutating func next(
    in segment: Span<UInt8>
  ) -> (header: RecordHeader, payload: Range<Int>)? {
    guard
      let header = RecordWalk.header(at: offset, in: segment), header.flags == 0,
      Int(header.payloadBytes) <= RecordFraming.maximumPayloadBytes
    else { return nil }
    let whole = RecordFraming.recordBytes(payloadBytes: Int(header.payloadBytes))
    guard whole <= segment.count - offset else { return nil }
    recordOffset = offset
    offset += whole
    let start = recordOffset + RecordFraming.headerBytes
    return (header, start..<start + Int(header.payloadBytes))
  }

  /// Where a scanner may begin to prove from the record that `next` gave last: its sequence, and the
  /// link that the record before it claims.
  ///
  /// - Returns: nil before the second record, which has none before it in this segment.
  public func chain(in segment: Span<UInt8>) -> RecordChain? {
    RecordWalk.chain(at: recordOffset, in: segment)
  }

  /// The same of a record at any offset.
  public static func chain(at offset: Int, in segment: Span<UInt8>) -> RecordChain? {
    guard offset >= RecordFraming.linkBytes,
      let header = RecordWalk.header(at: offset, in: segment)
    else { return nil }
    // Bytes have no padding, and lie before a record that was found.
    let bytes = unsafe segment.bytes
    let link = bytes.extracting(offset - RecordFraming.linkBytes..<offset)
    func word(_ index: Int) -> UInt64 {
      // In bounds: a link is four words.
      unsafe link.unsafeLoadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
    }
    return RecordChain(
      nextSequence: header.sequence,
      link: RecordLink(words: (word(0), word(1), word(2), word(3))))
  }

  private static func header(at offset: Int, in segment: Span<UInt8>) -> RecordHeader? {
    guard segment.count - offset >= RecordFraming.headerBytes else { return nil }
    // Bytes have no padding.
    let piece = unsafe segment.bytes.extracting(offset..<offset + RecordFraming.headerBytes)
    func word(_ index: Int) -> UInt64 {
      // In bounds: a header is four words.
      unsafe piece.unsafeLoadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
    }
    let first = word(0)
    guard
      UInt32(truncatingIfNeeded: UInt64(littleEndian: first)) == RecordFraming.magicAndVersion
    else { return nil }
    return RecordHeader(words: [first, word(1), word(2), word(3)])
  }
}

extension RecordScanner {
  /// Moves to a record that a walk found: what stands before it in the segment is taken at its word.
  ///
  /// - Parameter chain: what the walk says of that record.
  public mutating func skip(to offset: Int, after chain: RecordChain) {
    position = offset
    proven = chain
  }
}
