internal import MartletBase
internal import MartletTransport

/// What the dashboard knows, and what it answers to whom; no socket in reach.
///
/// The page shows a trading account, so it is for this machine's own browser: any page of the web
/// may make that browser ask us, and is refused by the name it used (`Host`) or came from (`Origin`).
struct DashboardRoutes {
  struct Reply: Equatable {
    var head: HTTPResponse
    var body: [UInt8]
  }

  private var status: BotStatus?
  private var trail = StatusTrail()

  /// Takes a newer status.
  mutating func take(_ status: BotStatus) {
    trail.append(status)
    self.status = status
  }

  /// The newest status as JSON; `null` before the first.
  var state: [UInt8] {
    guard let status else { return Array("null".utf8) }
    var buffer = ByteBuffer(capacity: 16_384)
    status.writeJSON(into: &buffer)
    return buffer.copy()
  }

  /// Where price and equity have been, as JSON.
  var past: [UInt8] {
    guard let status else { return Array("[]".utf8) }
    var buffer = ByteBuffer(capacity: 65_536)
    trail.writeJSON(scale: status.scale, into: &buffer)
    return buffer.copy()
  }

  func reply(to request: HTTPRequest) -> Reply {
    if let refusal = refusal(of: request) { return refusal }
    return switch request.path {
    case "/": page("text/html; charset=utf-8", Array(DashboardPage.html.utf8), for: request)
    case "/page.css": page("text/css; charset=utf-8", Array(DashboardPage.css.utf8), for: request)
    case "/page.js":
      page("text/javascript; charset=utf-8", Array(DashboardPage.script.utf8), for: request)
    case "/state": page("application/json", state, for: request)
    case "/trail": page("application/json", past, for: request)
    case "/ws": refuse(426, "this is a WebSocket\n")
    default: refuse(404, "there are /, /state, /trail and /ws\n")
    }
  }

  /// Nil when the client may have the stream of states.
  func refusal(ofStream upgrade: HTTPRequest) -> Reply? {
    refusal(of: upgrade) ?? (upgrade.path == "/ws" ? nil : refuse(404, "the stream is at /ws\n"))
  }

  private func refusal(of request: HTTPRequest) -> Reply? {
    guard let host = request.header("Host"), Self.isLoopback(host) else {
      // A name that an attacker's DNS points at 127.0.0.1 comes here.
      return refuse(403, "open this page as http://127.0.0.1 or http://localhost\n")
    }
    if let origin = request.header("Origin"), origin != "http://" + host {
      return refuse(403, "another site may not read this page\n")
    }
    guard request.method == "GET" || request.method == "HEAD" else {
      return refuse(405, "this page is read-only: GET and HEAD\n", [.init("Allow", "GET, HEAD")])
    }
    return nil
  }

  /// Whether `host`, with any port (a tunnel may have its own), names the loopback.
  static func isLoopback(_ host: String) -> Bool {
    let parts = host.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count <= 2, parts[0] == "127.0.0.1" || parts[0].lowercased() == "localhost" else {
      return false
    }
    return parts.count == 1
      || (1...5).contains(parts[1].utf8.count) && parts[1].utf8.allSatisfy { $0 >= 48 && $0 <= 57 }
  }

  private func refuse(_ status: Int, _ text: String, _ headers: [HTTPHeader] = []) -> Reply {
    Reply(
      head: HTTPResponse(
        status: status, contentType: "text/plain; charset=utf-8", headers: headers + Self.common),
      body: Array(text.utf8))
  }

  private func page(_ type: String, _ body: [UInt8], for request: HTTPRequest) -> Reply {
    // The stream is named because older browsers do not count ws: as 'self'. The host was checked, so
    // it cannot smuggle another source into the policy.
    let policy =
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
      + "connect-src 'self' ws://\(request.header("Host") ?? ""); base-uri 'none'; "
      + "form-action 'none'; frame-ancestors 'none'"
    let headers = [HTTPHeader("Content-Security-Policy", policy)] + Self.common
    return Reply(head: HTTPResponse(contentType: type, headers: headers), body: body)
  }

  private static let common: [HTTPHeader] = [
    .init("X-Content-Type-Options", "nosniff"), .init("X-Frame-Options", "DENY"),
    .init("Referrer-Policy", "no-referrer"), .init("Cache-Control", "no-store"),
    .init("Cross-Origin-Resource-Policy", "same-origin"),
    .init("Cross-Origin-Opener-Policy", "same-origin"),
  ]
}
