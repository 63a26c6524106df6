import Foundation
import MartletBase
import MartletJSON
import MartletTransport
import Testing

@testable import MartletDashboard

@Suite struct DashboardServerTests {
  // MARK: What is answered to whom

  private func reply(
    _ path: String, method: String = "GET", host: String? = "127.0.0.1:8088",
    origin: String? = nil
  ) -> DashboardRoutes.Reply {
    DashboardRoutes().reply(to: request(path, method: method, host: host, origin: origin))
  }

  private func request(
    _ path: String, method: String = "GET", host: String?, origin: String?
  ) -> HTTPRequest {
    var headers = [HTTPHeader]()
    if let host { headers.append(HTTPHeader("Host", host)) }
    if let origin { headers.append(HTTPHeader("Origin", origin)) }
    return HTTPRequest(method: method, target: path, headers: headers)
  }

  @Test func aNameThatIsNotTheLoopbackIsRefused() {
    for host in ["127.0.0.1:8088", "127.0.0.1", "localhost:1", "LOCALHOST"] {
      #expect(reply("/", host: host).head.status == 200, "\(host)")
    }
    let strangers = [
      "evil.example", "evil.example:8088", "127.0.0.1.evil.example", "localhost.evil", "10.0.0.1",
      "127.0.0.1:8088; script-src *", "127.0.0.1:", "127.0.0.1:80:80", "127.0.0.1:123456", "",
    ]
    for host in strangers {
      for path in ["/", "/state", "/trail", "/page.js"] {
        #expect(reply(path, host: host).head.status == 403, "\(host)\(path)")
      }
    }
    #expect(reply("/", host: nil).head.status == 403)
  }

  @Test func anotherSitesScriptReadsNothing() {
    let (own, other) = ("http://127.0.0.1:8088", "https://evil.example")
    #expect(reply("/state", origin: own).head.status == 200)
    #expect(reply("/state", origin: other).head.status == 403)
    #expect(reply("/state", origin: "null").head.status == 403)
    func stream(_ path: String, _ origin: String?) -> Int? {
      let upgrade = request(path, host: "127.0.0.1:8088", origin: origin)
      return DashboardRoutes().refusal(ofStream: upgrade)?.head.status
    }
    #expect(stream("/ws", own) == nil)
    #expect(stream("/ws", nil) == nil)
    #expect(stream("/ws", other) == 403)
    #expect(stream("/state", own) == 404)
  }

  @Test func thePageOnlyReads() {
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
      let reply = reply("/state", method: method)
      #expect(reply.head.status == 405 && reply.head.headers.contains(.init("Allow", "GET, HEAD")))
    }
    #expect(reply("/", method: "HEAD").head.status == 200)
    #expect(reply("/ws").head.status == 426)
    #expect(reply("/other").head.status == 404)
    #expect(reply("/../etc/passwd").head.status == 404)
  }

  @Test func everythingIsServedUnderAStrictPolicy() throws {
    for path in ["/", "/page.css", "/page.js", "/state", "/trail"] {
      let head = reply(path).head
      let policy = try #require(
        head.headers.first { $0.name == "Content-Security-Policy" }?.value, "\(path)")
      #expect(policy.hasPrefix("default-src 'none'; script-src 'self'; style-src 'self';"))
      #expect(policy.contains("connect-src 'self' ws://127.0.0.1:8088;"))
      #expect(!policy.contains("unsafe") && !policy.contains("*"))
      #expect(head.headers.contains(.init("X-Content-Type-Options", "nosniff")))
      #expect(head.headers.contains(.init("Cache-Control", "no-store")))
    }
    // Nothing inline, which the policy would stop, and nothing from elsewhere.
    #expect(!DashboardPage.html.contains("style=") && !DashboardPage.html.contains("onload"))
    #expect(!DashboardPage.script.contains("innerHTML"))
    for text in [DashboardPage.html, DashboardPage.css, DashboardPage.script] {
      #expect(!text.contains("https://"))
    }
  }

  @Test func beforeTheFirstStatusThereIsNone() {
    #expect(reply("/state").body == Array("null".utf8))
    #expect(reply("/trail").body == Array("[]".utf8))
  }

  // MARK: Over sockets

  @Test func theNewestStatusIsServedAndStreamed() throws {
    let server = try DashboardServer()
    let loop = try EventLoop()
    let listener = Listener()
    let client = WebSocketClient(
      loop, try WebSocketURL("ws://127.0.0.1:\(server.port)/ws"), delegate: listener)
    try client.connect()
    for step in 0..<5 {
      let status = try DashboardFixture.status(step: 300 + step)
      while !server.slot.offer(status) {}
      while listener.newest < status.now.milliseconds && listener.end == nil { loop.turn() }
      #expect(listener.end == nil)
    }
    #expect(listener.times == listener.times.sorted())

    let state = try get("/state", of: server.port)
    #expect(state.head.hasPrefix("HTTP/1.1 200 OK\r\n"))
    let json = try JSONValue(Array(state.body.utf8).span)
    #expect(json["now_ms"]?.text == "1723075230400")
    let trail = try JSONValue(Array(try get("/trail", of: server.port).body.utf8).span)
    #expect(trail[0]?[0]?.text == "1723075230000")
    #expect(trail[0]?[1]?.text == "61154.38")
    #expect(try get("/", of: server.port, host: "evil.example").head.hasPrefix("HTTP/1.1 403 "))

    // What was offered last is shown before the goodbye.
    while !server.slot.offer(try DashboardFixture.status(step: 400)) {}
    server.stop()
    while listener.end == nil { loop.turn() }
    #expect(listener.times.last == 1_723_075_240_000)
  }

  @Test func aPortThatIsTakenIsToldApart() throws {
    let first = try DashboardServer()
    #expect(throws: SystemFault.self) { _ = try DashboardServer(port: first.port) }
    #expect(first.address == "http://127.0.0.1:\(first.port)/")
  }

  @Test(
    "a browser shows what the bot is doing, and finds no error in the page",
    .enabled(if: Browser.path != nil, "needs chromium, which is not installed"))
  func aBrowserShowsTheStatus() throws {
    let server = try DashboardServer()
    while !server.slot.offer(try DashboardFixture.status(step: 420)) {}
    var shown = try Browser.open(server.address)
    // On a machine that is busy with other things the browser's time may be over before the page's data
    // came: then it is opened again.
    for _ in 0..<4 where !shown.document.contains(#"<h1 id="bot">grid-demo</h1>"#) {
      shown = try Browser.open(server.address)
    }
    for text in [
      #"<title>61,297.03 · trading · grid-demo</title>"#, #"<h1 id="bot">grid-demo</h1>"#,
      #"<dd id="equity">100,000.53</dd>"#, #"class="buy">+0.5265 DUSDT</dd>"#,
      #"<dd id="fillcount">35</dd>"#, #"<dd id="p50">4.3 µs</dd>"#,
      #"<dd id="deadman" title="DBTC_DUSDT: 18 s">18 s</dd>"#,
      #"<td class="sell">sell</td><td class="n">61,350.00</td><td class="n">0.001</td>"#,
      "<td class=\"n\">38137.224992</td>", "depth chain broke, resubscribed",
      "Price 61,297.03 DUSDT, 20 own orders", "20 working",
    ] {
      #expect(shown.document.contains(text), "\(text)")
    }
    #expect(!shown.document.contains("data-errors"), "the page counted an error of its own")
    #expect(shown.console == [])
  }

  private func get(
    _ path: String, of port: UInt16, host: String? = nil
  ) throws -> (head: String, body: String) {
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, size) }
    }
    try #require(result == 0)
    let name = host ?? "127.0.0.1:\(port)"
    let request = Array("GET \(path) HTTP/1.1\r\nHost: \(name)\r\nConnection: close\r\n\r\n".utf8)
    try #require(send(socket, request, request.count, 0) == request.count)
    var bytes = [UInt8]()
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(socket, &chunk, chunk.count, 0)
      if count <= 0 { break }
      bytes += chunk[..<count]
    }
    let text = String(decoding: bytes, as: UTF8.self)
    let cut = try #require(text.range(of: "\r\n\r\n"))
    return (String(text[..<cut.upperBound]), String(text[cut.upperBound...]))
  }
}

/// Remembers which moments the stream told of.
private final class Listener: WebSocketClientDelegate {
  var times: [Int64] = []
  var end: ConnectionEnd?
  var newest: Int64 { times.last ?? 0 }

  func webSocketOpened(_ client: WebSocketClient) {}

  func webSocket(_ client: WebSocketClient, received message: Span<UInt8>, isText: Bool) {
    guard let json = try? JSONValue(message), let time = json["now_ms"]?.text else { return }
    times.append(Int64(time) ?? -1)
  }

  func webSocket(_ client: WebSocketClient, closed end: ConnectionEnd) { self.end = end }
}

/// A real browser without a window.
private enum Browser {
  static let path = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
    .first { FileManager.default.isExecutableFile(atPath: $0) }

  /// The document once the page has settled, and what the page wrote to the console.
  static func open(_ address: String) throws -> (document: String, console: [String]) {
    let profile = FileManager.default.temporaryDirectory
      .appendingPathComponent("martlet-browser-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: profile) }
    let (output, log) = (Pipe(), profile.appendingPathComponent("log"))
    try FileManager.default.createDirectory(at: profile, withIntermediateDirectories: true)
    try Data().write(to: log)
    let browser = Process()
    browser.executableURL = URL(fileURLWithPath: try #require(path))
    browser.arguments = [
      "--headless=new", "--no-sandbox", "--disable-gpu", "--user-data-dir=\(profile.path)",
      "--enable-logging=stderr", "--virtual-time-budget=4000", "--dump-dom", address,
    ]
    browser.standardOutput = output
    browser.standardError = try FileHandle(forWritingTo: log)
    try browser.run()
    let document = output.fileHandleForReading.readDataToEndOfFile()
    browser.waitUntilExit()
    let lines = try String(contentsOf: log, encoding: .utf8).split(separator: "\n")
    return (
      String(decoding: document, as: UTF8.self),
      lines.filter { $0.contains("CONSOLE") }.map(String.init)
    )
  }
}
