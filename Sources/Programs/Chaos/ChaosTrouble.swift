internal import MartletBase
internal import MartletKernel
internal import MartletSimulation
internal import WhiteBITDesk

/// One thing that goes wrong on a chaos day, with its numbers.
enum ChaosTrouble {
  // The network.
  case refused(String)
  case lostRequest(String)
  case lateRequest(String, TimeSpan)
  case lostReply(String)
  case brokenReply(String)
  case lateReply(String, TimeSpan)
  case pageForReply(String, status: Int, ChaosPage)
  case droppedFrame(String)
  case doubledFrame(String)
  case lateFrame(String, TimeSpan)
  case garbledFrame(String, ChaosPage)
  case cut
  case halfOpen
  case partition(TimeSpan)
  case slow(latency: TimeSpan, jitter: TimeSpan, for: TimeSpan)
  // The venue.
  case venueDropsReply(String)
  case venueCutsReply(String)
  case venueReordersPush(Habits.Channel, TimeSpan)
  case venueDropsPush(Habits.Channel)
  case venueDoublesPush(Habits.Channel)
  case venueMaintenance(TimeSpan)
  case venueTooMany(String)
  case staleNonce(String)
  // The machine.
  case clockDrift(TimeSpan)
  case calendarSet(TimeSpan)
  case hang(TimeSpan)
  case kill(after: UInt64, away: TimeSpan)
  case powerCut(after: UInt64, away: TimeSpan)
  // The disk.
  case diskFull(TimeSpan)
  case diskReadOnly(TimeSpan)
  case diskFails(TimeSpan)
  case lostSyncs(TimeSpan)
  // People.
  case pause(TimeSpan)
  case halt(TimeSpan)
  case flatten
  case foreignOrder

  /// What it is counted as.
  var name: String {
    switch self {
    case .refused: "refused connection"
    case .lostRequest: "lost request"
    case .lateRequest: "late request"
    case .lostReply, .venueDropsReply: "lost reply"
    case .brokenReply: "broken reply"
    case .lateReply: "late reply"
    case .pageForReply: "page for a reply"
    case .droppedFrame, .venueDropsPush: "lost frame"
    case .doubledFrame, .venueDoublesPush: "doubled frame"
    case .lateFrame: "late frame"
    case .garbledFrame: "garbled frame"
    case .cut: "cut"
    case .halfOpen: "half-open stream"
    case .partition: "partition"
    case .slow: "slow network"
    case .venueCutsReply: "cut reply"
    case .venueReordersPush: "reordered push"
    case .venueMaintenance: "maintenance"
    case .venueTooMany: "429"
    case .staleNonce: "stale nonce"
    case .clockDrift: "clock drift"
    case .calendarSet: "calendar step"
    case .hang: "hang"
    case .kill: "kill"
    case .powerCut: "power cut"
    case .diskFull: "full disk"
    case .diskReadOnly: "read-only disk"
    case .diskFails: "failing disk"
    case .lostSyncs: "lost syncs"
    case .pause: "pause"
    case .halt: "halt by hand"
    case .flatten: "flatten by hand"
    case .foreignOrder: "foreign order"
    }
  }

  /// Whether it is of the network or the venue, and neither takes the process nor anybody to act.
  var isOfTheWire: Bool {
    switch self {
    case .refused, .lostRequest, .lateRequest, .lostReply, .brokenReply, .lateReply, .droppedFrame,
      .doubledFrame, .lateFrame, .garbledFrame, .cut, .halfOpen, .venueDropsReply, .venueCutsReply,
      .venueReordersPush, .venueDropsPush, .venueDoublesPush:
      true
    case .pageForReply(_, let status, _): status != 403
    case .partition, .slow, .venueMaintenance, .venueTooMany, .staleNonce, .clockDrift,
      .calendarSet, .hang, .kill, .powerCut, .diskFull, .diskReadOnly, .diskFails, .lostSyncs,
      .pause, .halt, .flatten, .foreignOrder:
      false
    }
  }

  private static let paths = [
    "/api/v4/order/new", "/api/v4/order/new", "/api/v4/order/new", "/api/v4/order/cancel",
    "/api/v4/orders", "/api/v4/trade-account/executed-history",
    "/api/v4/trade-account/order/history", "/api/v4/trade-account/balance",
    "/api/v4/profile/websocket_token", "/api/v4/order/kill-switch", "/api/v4/public/time",
  ]
  private static let texts = [
    "deals_update", "deals_update", "ordersPending_update", "ordersExecuted_update",
    "depth_update", "balanceSpot_update", "\"result\"",
  ]
  private static let channels: [Habits.Channel] = [
    .deals, .deals, .ordersPending, .ordersExecuted, .depthDelta, .depthSnapshot, .balance,
  ]

  /// How far a calendar is set from where it belongs at most.
  ///
  /// - Unit: milliseconds.
  static let mostCalendar: Int64 = 7_000

  /// Draws one; each kind is about as likely as it is worth.
  static func draw(_ random: inout SeededRandom) -> ChaosTrouble {
    func path() -> String { paths[Int(random.below(UInt64(paths.count)))] }
    func text() -> String { texts[Int(random.below(UInt64(texts.count)))] }
    func channel() -> Habits.Channel { channels[Int(random.below(UInt64(channels.count)))] }
    func span(_ least: Int64, _ most: Int64) -> TimeSpan {
      .milliseconds(random.integer(in: least...most))
    }
    func step(_ most: Int64) -> TimeSpan {
      let size = random.integer(in: 1...most)
      return .milliseconds(random.below(2) == 0 ? size : -size)
    }
    switch random.below(58) {
    case 0: return .refused(path())
    case 1, 2: return .lostRequest(path())
    case 3: return .lateRequest(path(), span(100, 8_000))
    case 4, 5, 6: return .lostReply(path())
    case 7, 8: return .brokenReply(path())
    case 9, 10: return .lateReply(path(), span(100, 12_000))
    case 11, 12:
      let status = [200, 200, 400, 403, 404, 500, 502, 503, 504][Int(random.below(9))]
      return .pageForReply(path(), status: status, ChaosPage.draw(&random))
    case 13, 14, 15: return .droppedFrame(text())
    case 16, 17: return .doubledFrame(text())
    case 18: return .lateFrame(text(), span(100, 9_000))
    case 19, 20: return .garbledFrame(text(), ChaosPage.draw(&random))
    case 21, 22, 23: return .cut
    case 24: return .halfOpen
    case 25, 26: return .partition(span(200, 40_000))
    case 27:
      return .slow(latency: span(20, 400), jitter: span(1, 600), for: span(2_000, 30_000))
    case 28: return .venueDropsReply(path())
    case 29: return .venueCutsReply(path())
    case 30, 31: return .venueReordersPush(channel(), span(50, 3_000))
    case 32: return .venueDropsPush(channel())
    case 33: return .venueDoublesPush(channel())
    case 34: return .venueMaintenance(span(1_000, 30_000))
    case 35: return .venueTooMany(path())
    case 36: return .staleNonce(path())
    case 37: return .clockDrift(step(300))
    case 38: return .calendarSet(step(mostCalendar))
    case 39, 40: return .hang(span(100, 75_000))
    case 41, 42, 43, 44, 45:
      return .kill(after: 1 + random.below(400), away: span(0, 2_000))
    case 46: return .kill(after: 1 + random.below(400), away: span(2_000, 90_000))
    case 47, 48, 49:
      return .powerCut(after: 1 + random.below(400), away: span(2_000, 70_000))
    case 50: return .diskFull(span(1_000, 40_000))
    case 51: return .diskReadOnly(span(1_000, 40_000))
    case 52: return .diskFails(span(200, 20_000))
    case 53: return .lostSyncs(span(1_000, 30_000))
    case 54: return .pause(span(1_000, 20_000))
    case 55: return .halt(span(1_000, 20_000))
    case 56: return .flatten
    default: return .foreignOrder
    }
  }
}

/// What stands where a message should.
enum ChaosPage {
  case html, nothing, half, otherJSON, null, long

  static func draw(_ random: inout SeededRandom) -> ChaosPage {
    [.html, .nothing, .half, .otherJSON, .null, .long][Int(random.below(6))]
  }

  var bytes: [UInt8] {
    switch self {
    case .html: Array("<html><body><h1>502 Bad Gateway</h1></body></html>".utf8)
    case .nothing: []
    case .half: Array("{\"orderId\":24000,\"clientOrd".utf8)
    case .otherJSON: Array("{\"id\":null,\"method\":\"greetings\",\"params\":[1,\"x\",{}]}".utf8)
    case .null: Array("null".utf8)
    case .long: Array(repeating: 0x20, count: 200_000)
    }
  }
}
