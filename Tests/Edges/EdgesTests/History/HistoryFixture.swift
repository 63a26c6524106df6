import Glibc
import MartletBase
import MartletHistory

/// The recordings that stand beside a checkout, where they do.
enum RecordedData {
  static let folder: String? = {
    var place = #filePath
    while let slash = place.lastIndex(of: "/") {
      place = String(place[..<slash])
      if access(place + "/Sources", R_OK) == 0 {
        let data = place + "/../shared/data"
        return access(data, R_OK) == 0 ? data : nil
      }
    }
    return nil
  }()
}

/// Writes rows, given as their columns have them.
@discardableResult
func writeHistory(
  _ path: String, _ head: HistoryWriter.Head, with names: [HistoryColumn] = [],
  compression: HistoryWriter.Compression = .lz4, rowsPerGroup: Int64 = 131_072,
  _ rows: [[Int64]]
) throws -> String {
  let writer = try HistoryWriter(
    path: path, head, with: names, compression: compression, rowsPerGroup: rowsPerGroup)
  for row in rows { try writer.append(row.span) }
  try writer.finish()
  return path
}

let spotTrades = HistoryWriter.Head(
  .trades, venue: "binance-spot", symbol: "BTCUSDT", pricePlaces: 2, quantityPlaces: 5)
let spotBook = HistoryWriter.Head(
  .book, venue: "binance-spot", symbol: "BTCUSDT", pricePlaces: 2, quantityPlaces: 5)

/// One trade, arrived at `line` thousand.
func trade(_ line: Int64, at time: Int64? = nil, price: Int64 = 100) -> [Int64] {
  let moment = time ?? line * 1_000
  return [line, moment - 7, moment - 5, moment, 500 + line, price, 3, line % 2 == 0 ? 1 : -1, 0]
}

/// One frame of a book with so many levels.
func bookFrame(_ line: Int64, levels: Int, isSnapshot: Bool = false) -> [[Int64]] {
  (0..<levels).map { index in
    let flags: Int64 = (isSnapshot ? 1 : 0) | (index == levels - 1 ? 2 : 0)
    return [
      line, line * 1_000 - 7, line * 1_000 - 5, line * 1_000, line, line, -1, flags,
      index % 2 == 0 ? 1 : -1, Int64(index % 2 == 0 ? 90 - index : 110 + index), Int64(index + 1),
    ]
  }
}

/// The fault that `body` throws.
func historyFault(_ body: () throws -> Void) -> HistoryFault? {
  do { try body() } catch { return error as? HistoryFault }
  return nil
}
