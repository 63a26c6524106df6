import Foundation

/// The checkout these tests were built from.
enum SourceTree {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
  }

  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
  }

  /// Files under `folder`, by path from the root, sorted; nothing git ignores, nothing hidden.
  static func files(under folder: String, ending suffix: String = "") -> [String] {
    let base = root.path + "/"
    var found: [String] = []
    guard
      let walk = FileManager.default.enumerator(
        at: root.appendingPathComponent(folder), includingPropertiesForKeys: [.isRegularFileKey],
        options: [.skipsHiddenFiles])
    else { return [] }
    for case let url as URL in walk {
      guard (try? url.resourceValues(forKeys: [.isRegularFileKey]))?.isRegularFile == true,
        url.path.hasPrefix(base), url.path.hasSuffix(suffix), !url.path.contains("__pycache__")
      else { continue }
      found.append(String(url.path.dropFirst(base.count)))
    }
    return found.sorted()
  }

  /// Every Swift file under `folder`, which lies in Sources or Tests.
  static func swift(under folder: String) throws -> [SourceText] {
    try all.get().filter { $0.path.hasPrefix(folder + "/") }
  }

  // Read once: a debug build takes a while to split a whole tree into words.
  private static let all = Result {
    try (files(under: "Sources", ending: ".swift") + files(under: "Tests", ending: ".swift"))
      .map { SourceText(path: $0, raw: try text($0)) }
  }

  /// The folders in `folder`, by name.
  static func folders(in folder: String) -> [String] {
    let path = root.appendingPathComponent(folder)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path.path)) ?? []
    return names.filter { name in
      var isFolder: ObjCBool = false
      let found = FileManager.default.fileExists(
        atPath: path.appendingPathComponent(name).path, isDirectory: &isFolder)
      return found && isFolder.boolValue && !name.hasPrefix(".")
    }.sorted()
  }

  /// Parts that decide, and so must be the same in every process.
  static let deterministic = [
    "Sources/Base", "Sources/Venues", "Sources/Path", "Sources/Strategies", "Sources/Exchange",
  ]
  /// Parts where money is counted.
  static let counting = [
    "Sources/Base", "Sources/Venues", "Sources/Path/0-Kernel", "Sources/Path/1-Book",
    "Sources/Path/3-Strategy", "Sources/Path/4-Risk", "Sources/Path/5-Orders",
    "Sources/Path/6-Portfolio", "Sources/Strategies/Grid", "Sources/Exchange",
  ]
  static var venues: [String] { folders(in: "Sources/Venues").filter { $0 != "VenueKit" } }
}
