internal import MartletRecord

/// What a start cut off behind the last record that proves itself.
public struct CutOff: Equatable, Sendable {
  /// The first place that does not prove itself.
  public internal(set) var fault: SegmentFault
  /// What stood there and behind it, zeros at the end not counted.
  public internal(set) var bytes = 0
  /// Records in it that are whole by their own checksums, the heads of segments not counted.
  public internal(set) var records: UInt64 = 0
  /// Whether more went than the one record that a dying process or machine leaves half written.
  public internal(set) var isMore = false
  /// The files beside the segments in which it is kept, the last one first.
  ///
  /// - Bounds: one a segment.
  public internal(set) var files: [String] = []
  /// Why some of it is not kept.
  public internal(set) var keepFault: JournalFault?
}

extension CutOff: CustomStringConvertible {
  /// How much, and where it is now.
  public var description: String {
    let kept = files.isEmpty ? "" : ", kept in \(files.joined(separator: ", "))"
    let lost = keepFault.map { ", not kept: \($0)" } ?? ""
    let whole =
      records == 0
      ? ""
      : records == 1
        ? ", 1 whole-looking record among them" : ", \(records) whole-looking records among them"
    return "\(bytes) bytes\(whole)\(kept)\(lost)"
  }
}

/// A file of what starts cut off of one segment.
public struct CutFile: Equatable, Sendable {
  /// Such as `00000001.cut`.
  public let name: String
  public let bytes: Int
}

extension SegmentStore {
  /// Counts what stands in a segment from an offset on, and keeps it beside the segments.
  ///
  /// - Parameters:
  ///   - next: the sequence that is due there.
  ///   - isTorn: as half a record that a death leaves.
  func cutOff(
    _ segment: MappedSegment, from offset: Int, next: UInt64, for fault: SegmentFault,
    isTorn: Bool, into cut: inout CutOff?
  ) {
    let span = segment.span
    var end = span.count
    while end > offset, span[end - 1] == 0 { end -= 1 }
    guard end > offset else { return }
    // Behind half a record nothing whole stands, and itself it is not, whatever its checksum says.
    let records =
      isTorn
      ? 0
      : RecordScanner<LibraryHashing>.wholeRecords(
        in: span, from: offset, next: next, using: LibraryHashing())
    var sum = cut ?? CutOff(fault: fault)
    // Segments are cut from the last one on.
    sum.fault = fault
    sum.bytes += end - offset
    sum.records += records
    sum.isMore = sum.isMore || !isTorn
    defer { cut = sum }
    // What its writer had not published yet never was a record.
    if isTorn, fault.fault.damage == .unpublished { return }
    let words =
      "martlet cut 1: \(end - offset) bytes from byte \(offset) of \(fault.file), \(records) whole records among"
      + " them; \(fault)\n"
    do throws(JournalFault) {
      sum.files.append(
        try keep(span.extracting(offset..<end), of: segment.number, under: words))
    } catch {
      sum.keepFault = error
    }
  }
}
