import MartletBase
import MartletModel
import MartletVenueKit
import Testing
import WhiteBITSession
import WhiteBITWire

/// What the daily comparison with the venue's rows finds, and how it ends.
@Suite struct SessionProofTests {
  private static let history = "/api/v4/trade-account/executed-history"

  private func live() -> SessionHarness {
    let venue = SessionHarness { $0.backoff = Backoff(jitter: .zero) }
    venue.bringUp()
    venue.forget()
    return venue
  }

  /// An order of ours that the venue acknowledged and filled, told on the stream alone.
  @discardableResult
  private func fill(_ venue: SessionHarness, isAcknowledged: Bool = true) -> WireFill {
    let order = venue.order(venue.newID().description, filled: "0.001")
    if isAcknowledged { venue.push(order, .new) }
    let fill = venue.fill(order, "0.001")
    venue.push(fill)
    if isAcknowledged {
      var end = order
      end.status = .filled
      end.left = .zero
      venue.push(end, .finish)
    }
    return fill
  }

  /// A day passes, and whatever is asked is answered from the lists.
  private func passADay(_ venue: SessionHarness, except left: Set<String> = []) {
    for _ in 0..<(86_400 / 40 + 20) {
      venue.advance(by: .seconds(40))
      venue.settle(except: left)
    }
  }

  private func notices(_ venue: SessionHarness) -> [VenueNotice] {
    venue.events.compactMap { if case .notice(let notice) = $0 { notice } else { nil } }
  }

  private func gap(_ gap: ProofGap, _ fill: WireFill) -> VenueNotice {
    .proofFailed(
      gap, order: ClientOrderID(InlineText("\(fill.clientID)") ?? ""),
      trade: TradeID(low: fill.tradeID))
  }

  @Test(
    "M63: once a day each fill is held against its order and its row; what is proven is not asked again"
  )
  func aDay() throws {
    let venue = live()
    for _ in 0..<150 { venue.fills.append(fill(venue)) }
    #expect(!venue.targets.contains(Self.history))
    passADay(venue)
    #expect(notices(venue) == [.proofHeld(fills: 150)])
    #expect(
      venue.targets.filter { $0 == Self.history }.count == 3, "two pages, and one market more")
    venue.forget()
    passADay(venue)
    #expect(!venue.targets.contains(Self.history), "there is nothing new to prove")
    venue.fills.append(fill(venue))
    passADay(venue)
    #expect(notices(venue) == [.proofHeld(fills: 1)])
  }

  @Test(
    "M63: a fill without a row, one with another row and one without an order are told, each by name"
  )
  func gaps() throws {
    let venue = live()
    venue.fills.append(fill(venue))
    let missing = fill(venue)
    var other = fill(venue)
    other.amount = amount("0.002")
    venue.fills.append(other)
    let orphan = fill(venue, isAcknowledged: false)
    venue.fills.append(orphan)
    passADay(venue)
    let told = notices(venue)
    // A row that differs is seen in each of the three readings.
    #expect(told.filter { $0 == gap(.otherTrade, other) }.count == 3)
    #expect(
      told.filter { $0 != gap(.otherTrade, other) }
        == [gap(.noTrade, missing), gap(.noAcknowledgment, orphan)])
    let isUrgent = told.allSatisfy { $0.isUrgent }
    #expect(isUrgent)
    venue.forget()
    passADay(venue)
    #expect(notices(venue).isEmpty, "told once")
  }

  @Test("M63: a fill that only the history tells is booked and told of")
  func notTold() throws {
    let venue = live()
    venue.fills.append(fill(venue))
    let order = venue.order(venue.newID().description)
    venue.push(order, .new)
    let silent = venue.fill(order, "0.0005")
    venue.fills.append(silent)
    venue.open.append(order)
    venue.forget()
    passADay(venue)
    #expect(notices(venue) == [gap(.notTold, silent)])
    #expect(venue.booked.map(\.tradeID.low) == [silent.tradeID])
  }

  @Test("M63: lists that lag are read again, and nothing younger than a minute is judged")
  func lag() throws {
    let venue = live()
    let late = fill(venue)
    // Up to the moment of the proof; then the row is written between its two readings.
    while !venue.isWaiting(Self.history) {
      venue.settle()
      venue.advance(by: .seconds(20))
    }
    let young = fill(venue)
    venue.settle()
    venue.fills.append(late)
    venue.advance(by: .seconds(2))
    venue.settle()
    #expect(notices(venue) == [.proofHeld(fills: 1)])
    venue.forget()
    venue.fills.append(young)
    passADay(venue)
    #expect(notices(venue) == [.proofHeld(fills: 1)])
  }

  /// Brings a session to a proof, and fills an order whose row is read before any word of it.
  private func rowFirst(_ venue: SessionHarness) -> WireFill {
    venue.fills.append(fill(venue))
    while !venue.isWaiting(Self.history) {
      venue.settle()
      venue.advance(by: .seconds(20))
    }
    let order = venue.order(venue.newID().description, filled: "0.001")
    venue.push(order, .new)
    let row = venue.fill(order, "0.001")
    venue.fills.append(row)
    venue.open.append(order)
    venue.settle()
    return row
  }

  @Test(
    "M63: a row that is read before its push is no gap, whether the push comes at once or later")
  func rowBeforeItsPush() throws {
    for wait in [0, 30] as [Int64] {
      let venue = live()
      let row = rowFirst(venue)
      #expect(!venue.booked.contains { $0.tradeID.low == row.tradeID })
      venue.advance(by: .seconds(wait))
      venue.push(row)
      for _ in 0..<4 {
        venue.advance(by: .seconds(30))
        venue.settle()
      }
      #expect(notices(venue).first == .proofHeld(fills: 1))
      passADay(venue)
      var proven: Int64 = 0
      for case .proofHeld(let count) in notices(venue) { proven += count }
      #expect(proven == 2 && !notices(venue).contains { $0.isUrgent })
      #expect(venue.booked.filter { $0.tradeID.low == row.tradeID }.map(\.source) == [.stream])
    }
  }

  @Test("M63: a young row whose push never comes is booked and told of a minute later, not a day")
  func rowWithoutAPush() throws {
    let venue = live()
    let row = rowFirst(venue)
    for _ in 0..<2 {
      venue.advance(by: .seconds(29))
      venue.settle()
    }
    #expect(!venue.booked.contains { $0.tradeID.low == row.tradeID })
    for _ in 0..<8 {
      venue.advance(by: .seconds(2))
      venue.settle()
    }
    #expect(notices(venue) == [.proofHeld(fills: 1), gap(.notTold, row)])
    #expect(venue.booked.filter { $0.tradeID.low == row.tradeID }.map(\.source) == [.history])
    venue.forget()
    passADay(venue)
    #expect(notices(venue) == [], "told once")
  }

  @Test("M63: an old row whose push comes between two readings is no gap")
  func pushBetweenReadings() throws {
    let venue = live()
    venue.fills.append(fill(venue))
    let order = venue.order(venue.newID().description, filled: "0.001")
    venue.push(order, .new)
    let row = venue.fill(order, "0.001")
    venue.open.append(order)
    venue.fills.append(row)
    while !venue.isWaiting(Self.history) {
      venue.settle()
      venue.advance(by: .seconds(20))
    }
    venue.settle()
    #expect(!venue.booked.contains { $0.tradeID.low == row.tradeID })
    venue.push(row)
    venue.advance(by: .seconds(2))
    venue.settle()
    #expect(notices(venue) == [.proofHeld(fills: 2)])
    #expect(venue.booked.filter { $0.tradeID.low == row.tradeID }.map(\.source) == [.stream])
  }

  @Test(
    "M63: rows that nobody told go over a snapshot, and more than are kept by name are found all the same"
  )
  func manyUntoldRows() throws {
    let venue = live()
    venue.fills.append(fill(venue))
    while !venue.isWaiting(Self.history) {
      venue.settle()
      venue.advance(by: .seconds(20))
    }
    var rows: [UInt64] = []
    for _ in 0..<150 {
      let order = venue.order(venue.newID().description, filled: "0.001")
      venue.push(order, .new)
      venue.open.append(order)
      let row = venue.fill(order, "0.001")
      rows.append(row.tradeID)
      venue.fills.append(row)
    }
    venue.settle()
    let other = SessionHarness { $0.backoff = Backoff(jitter: .zero) }
    var reader = SnapshotReader(venue.snapshotBytes())
    try other.session.read(from: &reader)
    #expect(reader.isAtEnd && other.snapshotBytes() == venue.snapshotBytes())
    for _ in 0..<12 {
      venue.advance(by: .seconds(10))
      venue.settle()
    }
    #expect(venue.booked.filter { $0.source == .history }.map(\.tradeID.low).sorted() == rows)
  }

  @Test(
    "M63: a stop compares what is left before it ends, and does not wait for a venue that will not say"
  )
  func atStop() throws {
    let venue = live()
    let missing = fill(venue)
    venue.feed(.stop)
    for _ in 0..<10 {
      venue.settle()
      venue.advance(by: .seconds(1))
    }
    #expect(notices(venue) == [gap(.noTrade, missing)])
    #expect(venue.count(.stopped) == 1)

    let other = live()
    fill(other)
    other.feed(.stop)
    for _ in 0..<60 {
      other.settle(except: [Self.history])
      if other.isWaiting(Self.history) { try other.answer(Self.history, "no", status: 503) }
      other.advance(by: .seconds(1))
    }
    #expect(
      notices(other) == [.retriesExhausted(.proof, tries: 5, order: ClientOrderID(""))])
    #expect(other.count(.stopped) == 1)
  }

  @Test("M63: a proof that a lost stream breaks off begins anew when it is live again")
  func brokenOff() throws {
    let venue = live()
    venue.fills.append(fill(venue))
    while !venue.isWaiting(Self.history) {
      venue.settle()
      venue.advance(by: .seconds(20))
    }
    venue.feed(.streamClosed(StreamID(0)))
    venue.settle()
    #expect(notices(venue).isEmpty)
    venue.advance(by: .seconds(5))
    venue.settle()
    venue.connect()
    venue.advance(by: .seconds(1))
    venue.settle()
    #expect(notices(venue) == [.proofHeld(fills: 1)])
  }

  @Test("M63: a session cut in the middle of a proof goes on alike")
  func snapshot() throws {
    let venue = live()
    for _ in 0..<3 { fill(venue) }
    fill(venue, isAcknowledged: false)
    while !venue.isWaiting(Self.history) {
      venue.settle()
      venue.advance(by: .seconds(20))
    }
    let other = SessionHarness { $0.backoff = Backoff(jitter: .zero) }
    var reader = SnapshotReader(venue.snapshotBytes())
    try other.session.read(from: &reader)
    #expect(reader.isAtEnd && other.snapshotBytes() == venue.snapshotBytes())
  }
}
