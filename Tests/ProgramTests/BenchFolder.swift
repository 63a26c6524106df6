import Glibc
import MartletBench

/// An empty folder for one test's journals, and the clone that the test is of.
struct BenchFolder: ~Copyable {
  let path: String

  struct Fault: Error { let errno: CInt }

  init() throws {
    var template = Array("/tmp/martlet-bench-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Fault(errno: errno) }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { rmdir(path) }

  func suite() -> BenchSuite {
    // This file is two folders below the clone's root.
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    return BenchSuite(
      recording: "/\(root)/Fixtures/Markets/binance-spot_BTCUSDT_20240808T2354.mmr", folder: path,
      effort: .small)
  }

  var isEmpty: Bool {
    guard let directory = opendir(path) else { return false }
    defer { closedir(directory) }
    var entries = 0
    while readdir(directory) != nil { entries += 1 }
    return entries == 2  // Itself and the one above.
  }
}
