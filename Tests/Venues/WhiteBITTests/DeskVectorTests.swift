import Glibc
import MartletBase
import MartletJSON
import MartletSecrets
import MartletVenueKit
import Testing
import WhiteBITDesk
import WhiteBITWire

/// Requests as other people's clients make them.
@Suite struct DeskVectorTests {
  /// Beside the repository; a clone without it skips what needs it.
  static let path: String = {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    return parts.dropLast(5).joined(separator: "/") + "/shared/vectors/whitebit.json"
  }()

  static var isThere: Bool { access(path, R_OK) == 0 }

  @Test(
    "M30 M31: every private vector of this slice passes the desk's checks",
    .enabled(if: isThere, "../shared/vectors/whitebit.json is not there"))
  func everyVectorIsTaken() throws {
    var signatures = 0
    var answered: [String: Int] = [:]
    for vector in try vectors() where vector["request"]?["method"] == .string("POST") {
      let request = try #require(vector["request"])
      let path = try #require(request["path"]?.text)
      guard let endpoint = Endpoint.named(by: path)?.endpoint, endpoint.isPrivate else { continue }
      let id = vector["id"]?.text ?? ""
      let stamp = try #require(Int64(vector["timestamp_ms"]?.text ?? ""))
      var world = try DeskWorld(start: Timestamp(milliseconds: stamp))
      let account = world.desk.addAccount(
        key: try #require(vector["key"]?.text), secret: try #require(vector["secret"]?.text),
        balances: [("USDT", amount("1000")), ("BTC", amount("1")), ("DBTC", amount("1"))])
      #expect(account != nil)
      let body = request["body"]?.text ?? ""
      // What is expected does not come from the desk: it stands in the vector.
      let payload = vector["signature"]?["payload"]?.text ?? ""
      #expect(
        text(written { Signing.writeBase64(bytes(body).span, into: &$0) }) == payload, "\(id)")
      var headers: [(name: String, value: String)] = []
      if case .object(let members) = try #require(request["headers"]) {
        headers = members.map { ($0.key, $0.value.text ?? "") }
      }
      let number = world.send(
        DeskRequest(id: 0, method: "POST", path: path, query: "", headers: headers), body)
      let taken = world.reply(number)
      let reply = try #require(taken, "\(id)")
      // Taken for what it is: no word about payload, signature, nonce, permission, or the path.
      #expect(![401, 403, 404, 429].contains(reply.status), "\(id): \(reply.text)")
      #expect(reply.json != .null, "\(id): \(reply.text)")
      signatures += 1
      answered[path, default: 0] += 1
      // The same bytes again are a nonce used twice.
      let again = world.send(
        DeskRequest(id: 0, method: "POST", path: path, query: "", headers: headers), body)
      let second = world.reply(again)
      #expect(second?.status == 429, "\(id)")
    }
    #expect(signatures == 47)
    #expect(answered.count == 18)
  }

  @Test(
    "M12 M13: every public vector of this slice is answered",
    .enabled(if: isThere, "../shared/vectors/whitebit.json is not there"))
  func everyPublicVectorIsAnswered() throws {
    var world = try DeskWorld()
    var count = 0
    for vector in try vectors() where vector["request"]?["method"] == .string("GET") {
      let path = try #require(vector["request"]?["path"]?.text)
      guard Endpoint.named(by: path) != nil else { continue }
      let query = vector["request"]?["query"]?.text ?? ""
      let reply = world.get(path, query)
      let isListed = !(path + query).contains("_PERP") && !(path + query).contains("ETH_USDT")
      // The older family says so in the body.
      let refused = path.contains("/v1/") ? 200 : 422
      #expect(reply.status == (isListed ? 200 : refused), "\(path)?\(query): \(reply.text)")
      #expect(isListed == !reply.text.contains("Market is not available."))
      #expect(reply.json != .null)
      count += 1
    }
    #expect(count == 21)
  }

  private func vectors() throws -> [JSONValue] {
    let file = try #require(fopen(Self.path, "rb"))
    defer { fclose(file) }
    var content = [UInt8](repeating: 0, count: 8 << 20)
    let length = fread(&content, 1, content.count, file)
    let read = Array(content[..<length])
    return try JSONValue(read.span).elements
  }
}
