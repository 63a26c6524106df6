internal import Glibc
public import MartletBase

/// That a person has once said to know what a key may do and what trading a market with it means: a file
/// a key beside the key's lock, with a line for each address and market.
///
/// A venue that tells nobody what a key may do leaves it to whoever made the key. Who has tried a market
/// where nothing is worth money has said nothing of one that trades real money.
public struct KeyConsent: Sendable {
  public let path: String
  private let address: String
  private let markets: [String]
  private let fingerprint: String

  /// - Parameters:
  ///   - address: of the venue's REST interface; consent for one is none for another.
  ///   - markets: in the venue's words, each without a space; the same holds of them.
  ///   - folder: where it is kept; beside the locks unless a test names another.
  public init(
    _ credentials: Credentials, at address: String, for markets: [String],
    in folder: String? = nil
  ) throws(KeyLockFault) {
    let place: String
    if let folder { place = folder } else { place = try KeyLock.folder() }
    fingerprint = credentials.fingerprint
    path = "\(place)/\(fingerprint).consent"
    self.address = address
    self.markets = markets
  }

  /// For each market the line that was written when it was given; nil when it was not.
  public func given() -> [(market: String, line: String?)] {
    let lines = lines()
    return markets.map { market in
      (market, lines.last { $0.hasPrefix(head(market)) })
    }
  }

  private func lines() -> [String] {
    // The path is a C string for the length of the call; a link leads nowhere.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      status.st_uid == geteuid()
    else { return [] }
    var bytes = [UInt8](repeating: 0, count: KeyConsent.limit)
    let count = unsafe read(descriptor, &bytes, bytes.count)
    guard count > 0 else { return [] }
    return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
  }

  /// Writes down, for good, what was not given before.
  public func give(at now: Timestamp, by name: String) throws(KeyLockFault) {
    let new = given().filter { $0.line == nil }.map(\.market)
    if new.isEmpty { return }
    let said = "bot \(name), user \(geteuid()), \(KeyLock.calendar(now))"
    let descriptor = unsafe open(
      path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw .system(call: "open", path: path, errno: errno) }
    defer { close(descriptor) }
    let text = Array(new.map { head($0) + said + "\n" }.joined().utf8)
    let written = unsafe text.withUnsafeBytes {
      unsafe write(descriptor, $0.baseAddress, $0.count)
    }
    guard written == text.count, fsync(descriptor) == 0 else {
      throw .system(call: "write", path: path, errno: errno)
    }
  }

  private func head(_ market: String) -> String {
    "key \(fingerprint) at \(address) for \(market): "
  }

  /// Some hundred markets' lines; what stands behind them is asked for again.
  private static let limit = 65_536
}
