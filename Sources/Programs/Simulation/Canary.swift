internal import MartletBase
internal import MartletStrategy
internal import MartletVenueKit

/// A bug planted into the client's edge, so that whoever checks can be checked: each must be found.
public enum Canary: String, CaseIterable, Sendable {
  /// The transport sends a placement again whose reply did not come.
  case resend
  /// A fill is told once more, under another number.
  case phantomFill = "phantom-fill"
  /// A placement is sent once more under another id, past risk.
  case stray
}

extension World where Session: ~Copyable, Desk: ~Copyable {
  /// After `transmit`: the one that sends a stray order.
  mutating func plantStray(behind request: PendingRequest) {
    guard canary == .stray, request.target == WhiteBITPaths.place else { return }
    var body = request.body
    guard
      let id = JournalAudit.clientOrderIDs(in: String(decoding: body, as: UTF8.self)).first,
      let place = body.place(of: Array(id.utf8))
    else { return }
    let last = place + id.utf8.count - 1
    (canary, hasCanaryStruck) = (nil, true)
    body[last] = body[last] == UInt8(ascii: "Z") ? UInt8(ascii: "Y") : UInt8(ascii: "Z")
    send(PendingRequest(request, with: body))
  }

  /// Before a request is told to have failed: the one that sends again.
  mutating func plantResend(of failed: InFlight) {
    guard canary == .resend, let (request, body) = failed.sent else { return }
    hasCanaryStruck = true
    trace.append(
      .requested(failed.number, by: failed.party, target: failed.target, body: body),
      life: life.number, at: now)
    enqueue(.request(request, body), after: latency)
  }

  /// What the one that tells fills twice makes of a frame; nil for nothing.
  mutating func phantomFill(of frame: [UInt8]) -> [UInt8]? {
    let head = Array("\"params\": [".utf8)
    guard canary == .phantomFill, frame.holds(Array("deals_update".utf8)),
      let place = frame.place(of: head)
    else { return nil }
    (canary, hasCanaryStruck) = (nil, true)
    var copy = frame
    var last = place + head.count
    while last + 1 < copy.count, (48...57).contains(copy[last + 1]) { last += 1 }
    copy[last] = copy[last] == 57 ? 48 : copy[last] + 1
    return copy
  }
}

/// The paths that orders are placed by.
enum WhiteBITPaths {
  static let place = "/api/v4/order/new"
  static let placeMany = "/api/v4/order/bulk"
}
