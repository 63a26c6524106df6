internal import MartletBase
internal import MartletModel

/// The terminal's view of a running bot: a block of lines, drawn again in place.
///
/// Nothing here prints; the caller writes the bytes it is given in one write, so nothing flickers.
public struct StatusBlock: Sendable {
  /// Lines on the screen from the last drawing.
  private var drawn = 0

  public init() {}

  /// The bytes that put the newest block over the last one. On what is no terminal: one line.
  ///
  /// - Parameter pageAddress: where the dashboard is served; nil when it is not.
  public mutating func draw(
    _ status: BotStatus, trail: StatusTrail, on shape: TerminalShape, pageAddress: String? = nil
  ) -> String {
    guard shape.isTerminal else { return StatusBlock.line(status) + "\n" }
    let lines = StatusBlock.lines(status, trail: trail, on: shape, pageAddress: pageAddress)
    // Held back by terminals that know synchronized updates, ignored by the others.
    var bytes = "\u{1B}[?2026h\u{1B}[?25l\r"
    if drawn > 0 { bytes += "\u{1B}[\(drawn)A" }
    for line in lines { bytes += line + "\u{1B}[K\n" }
    bytes += "\u{1B}[J\u{1B}[?2026l"
    drawn = lines.count
    return bytes
  }

  /// The bytes that leave the last block standing and give the cursor back.
  public mutating func finish(on shape: TerminalShape) -> String {
    drawn = 0
    return shape.isTerminal ? "\u{1B}[?25h" : ""
  }

  /// The whole status on one plain line, for logs and pipes.
  public static func line(_ status: BotStatus) -> String {
    var line = StyledLine(limit: 400, hasColor: false)
    line.add("\(status.bot) \(status.state.word)")
    if let reason = status.haltText ?? status.holdWords { line.add(" (\(reason))") }
    line.add(" \(Figures.duration(status.now - status.since))")
    line.add(" bid=\(Figures.price(status.bestBid, status))")
    line.add(" ask=\(Figures.price(status.bestAsk, status))")
    line.add(" orders=\(status.orders.count) fills=\(status.counts.fills)")
    line.add(" position=\(status.scale.text(status.position))")
    line.add(" equity=\(Figures.amount(status.equity, shown: 2)) \(status.valuation)")
    line.add(" profit=\(Figures.amount(status.profit, shown: 4, signed: true))")
    if let latency = status.frameToOrder {
      line.add(" p50=\(Figures.microseconds(latency.p50)) p99=\(Figures.microseconds(latency.p99))")
    }
    return line.text
  }

  /// The block's lines, each at most `shape.width` wide, at most `shape.height` − 1 of them.
  public static func lines(
    _ status: BotStatus, trail: StatusTrail, on shape: TerminalShape, pageAddress: String? = nil
  ) -> [String] {
    Layout(status: status, trail: trail, shape: shape, pageAddress: pageAddress).lines()
      .prefix(max(1, shape.height - 1)).map(\.text)
  }
}

/// Where everything stands. Two columns when there is room, one below the other when not.
private struct Layout {
  let status: BotStatus
  let trail: StatusTrail
  let shape: TerminalShape
  let pageAddress: String?
  let width: Int
  let isWide: Bool
  /// Width of one column.
  let half: Int

  init(status: BotStatus, trail: StatusTrail, shape: TerminalShape, pageAddress: String?) {
    self.status = status
    self.trail = trail
    self.shape = shape
    self.pageAddress = pageAddress
    width = max(20, min(shape.width, 110))
    isWide = width >= 76
    half = isWide ? (width - 3) / 2 : width
  }

  func lines() -> [StyledLine] {
    // What is left of the rows after all but the ladder's sides, with room for three fills.
    let spare = shape.height - 1 - (isWide ? 9 : 23) - 5
    let depth = max(1, min(5, spare / 2))
    var lines = [title(), progress()]
    lines += columns(price(), equity())
    lines.append(blank())
    lines += columns(ladder(depth: depth), figures())
    lines.append(blank())
    lines += fills(max(1, min(5, shape.height - 1 - lines.count - 3)))
    lines += footer()
    return lines
  }

  private func blank(_ limit: Int? = nil) -> StyledLine {
    StyledLine(limit: limit ?? width, hasColor: shape.hasColor)
  }

  private func line(_ build: (inout StyledLine) -> Void) -> StyledLine {
    var line = blank()
    build(&line)
    return line
  }

  private func columns(_ left: [StyledLine], _ right: [StyledLine]) -> [StyledLine] {
    guard isWide else { return left + right }
    return (0..<max(left.count, right.count)).map { row in
      var line = row < left.count ? left[row] : blank(half)
      var whole = blank()
      line.pad(to: half)
      whole.add(line)
      whole.add("   ")
      if row < right.count { whole.add(right[row]) }
      return whole
    }
  }

  // MARK: Top

  private func title() -> StyledLine {
    let elapsed = Figures.duration(status.now - status.since)
    let total = status.endsAt.map { " of " + Figures.duration($0 - status.since) } ?? ""
    let right = "● \(status.state.word)  \(elapsed)\(total)"
    return line {
      var left = StyledLine(limit: max(0, width - right.count - 2), hasColor: shape.hasColor)
      left.add(status.bot, .bold)
      left.add("  \(status.venue) \(status.market)", .cyan)
      left.add(whole: "  \(status.mode)", .dim)
      $0.add(left)
      $0.pad(to: width - right.count)
      $0.add("● \(status.state.word)", stateStyle)
      $0.add("  \(elapsed)\(total)")
    }
  }

  private var stateStyle: StyledLine.Style {
    switch status.state {
    case .trading: .boldGreen
    case .halted: .boldRed
    case .starting, .connecting, .reconciling, .holding, .paused, .stopping: .yellow
    case .stopped: .dim
    }
  }

  private func progress() -> StyledLine {
    line {
      guard let end = status.endsAt else {
        return $0.add(String(repeating: "─", count: width), .dim)
      }
      let (done, whole) = (status.now - status.since, end - status.since)
      let left = " \(Figures.duration(end - status.now)) left"
      let bar = Figures.bar(
        done.nanoseconds, of: whole.nanoseconds, width: max(0, width - left.count))
      $0.add(bar.full, .cyan)
      $0.add(bar.empty, .dim)
      $0.add(left, .dim)
    }
  }

  private func price() -> [StyledLine] {
    var head = blank(half)
    head.add("price  ", .dim)
    head.add(Figures.price(status.last ?? status.bestBid, status), .bold)
    head.add(" \(status.quote)  ")
    if !status.isBookTrusted {
      head.add("book not trusted", .yellow)
    } else if let bid = status.bestBid, let ask = status.bestAsk {
      head.add(
        "spread \(Figures.price(Price(quanta: ask.quanta - bid.quanta), status))", .dim)
    }
    return [head, spark(trail.points.compactMap(\.twiceMiddle), .cyan)]
  }

  private func equity() -> [StyledLine] {
    var head = blank(half)
    head.add("equity ", .dim)
    head.add(Figures.amount(status.equity, shown: 2), .bold)
    head.add(" \(status.valuation)  ")
    head.add(Figures.amount(status.profit, shown: 4, signed: true), tone(status.profit))
    head.add(whole: "  " + Figures.percent(status.profit, of: status.startEquity, shown: 3), .dim)
    return [head, spark(trail.points.compactMap(\.equity?.units), tone(status.profit))]
  }

  private func spark(_ values: [Int128], _ style: StyledLine.Style) -> StyledLine {
    var line = blank(half)
    line.add(Figures.sparkline(values, width: half), style)
    return line
  }

  private func tone(_ amount: Amount?) -> StyledLine.Style {
    guard let amount else { return .dim }
    return amount.units > 0 ? .green : amount.units < 0 ? .red : .plain
  }

  // MARK: Middle

  /// The working orders nearest to the market, sells above it, buys below.
  private func ladder(depth: Int) -> [StyledLine] {
    let sorted = status.ladder
    let sells = Array(sorted.filter { $0.side == .sell }.suffix(depth))
    let buys = Array(sorted.filter { $0.side == .buy }.prefix(depth))
    var head = blank(half)
    head.add("ladder ", .bold)
    head.add(" \(status.orders.count) working", .dim)
    let hidden = status.orders.count - sells.count - buys.count
    if hidden > 0 { head.add(", nearest \(sells.count + buys.count) shown", .dim) }
    // As many rows whatever rests, so that the block stands still.
    var lines = [head]
    lines += Array(repeating: blank(half), count: depth - sells.count)
    lines += sells.map(row)
    var middle = blank(half)
    let quotes = [status.bestBid, status.bestAsk].map { Figures.price($0, status) }
    middle.add(" ▸ \(quotes[0]) · \(quotes[1]) ", .bold)
    middle.add(String(repeating: "┄", count: max(0, half - middle.width)), .dim)
    lines.append(middle)
    lines += buys.map(row)
    lines += Array(repeating: blank(half), count: depth - buys.count)
    return lines
  }

  private func row(_ order: OrderView) -> StyledLine {
    let style: StyledLine.Style = order.side == .buy ? .green : .red
    var line = blank(half)
    line.add(order.side == .buy ? " buy  " : " sell ", style)
    line.add(right: Figures.price(order.price, status), columns: 11, style)
    line.add(right: status.scale.text(order.quantity), columns: 9)
    line.add("  ")
    if order.state != .open {
      line.add(order.state.word, order.state == .inDoubt ? .yellow : .dim)
    } else if order.cumulative > .zero {
      let bar = Figures.bar(order.cumulative.quanta, of: order.quantity.quanta, width: 6)
      line.add(bar.full, style)
      line.add(bar.empty, .dim)
    } else if let near = order.side == .buy ? status.bestBid : status.bestAsk {
      let away = Int128(order.price.quanta) - Int128(near.quanta)
      let places = Int(status.scale.price.count)
      let distance = Figures.decimal(
        away, places: places, shown: status.pricePlaces, signed: true)
      line.add(right: distance, columns: 9, .dim)
    }
    return line
  }

  private func figures() -> [StyledLine] {
    let counts = status.counts
    var lines = [StyledLine]()
    func add(_ name: String, _ value: String, _ style: StyledLine.Style = .plain, tail: String = "")
    {
      var line = blank(half)
      line.add(name, .dim)
      line.pad(to: 12)
      line.add(value, style)
      line.add(tail, .dim)
      lines.append(line)
    }
    func signed(_ amount: Amount) -> String { Figures.amount(amount, shown: 4, signed: true) }
    // Two assets, always two rows; more are in the page and the summary.
    let fees = status.fees.prefix(2).map { "\(Figures.amount($0.amount, shown: 8)) \($0.asset)" }
    add("realized", signed(status.realized), tone(status.realized))
    add("unrealized", signed(status.unrealized), tone(status.unrealized))
    add("fees", fees.first ?? "0")
    add("", fees.count > 1 ? fees[1] : "")
    add("drawdown", Figures.amount(status.maxDrawdown, shown: 4))
    add("position", "\(status.scale.text(status.position)) \(status.base)")
    add(
      "orders", "\(Figures.count(counts.ordersPlaced)) placed",
      tail: " · \(Figures.count(counts.ordersCanceled)) canceled")
    let isTroubled = counts.ordersRefused > 0 || counts.doubts > 0
    add(
      "trouble", "\(Figures.count(counts.ordersRefused)) refused · \(counts.doubts) in doubt",
      isTroubled ? .yellow : .dim)
    let latency = status.frameToOrder.map {
      "p50 \(Figures.microseconds($0.p50)) · p99 \(Figures.microseconds($0.p99))"
    }
    add("latency", latency ?? "no order yet")
    lines.append(deadMan())
    lines.append(connections())
    return lines
  }

  private func deadMan() -> StyledLine {
    var line = blank(half)
    line.add("dead-man", .dim)
    line.pad(to: 12)
    guard let left = status.deadManLeft else {
      line.add("not armed", .yellow)
      return line
    }
    if status.deadManTimers.count > 1 {
      for timer in status.deadManTimers {
        let seconds =
          timer.left.map { "\(max(0, $0.nanoseconds / 1_000_000_000)) s" } ?? "not armed"
        line.add("\(timer.market) \(seconds)  ", timer.left == nil ? .yellow : .plain)
      }
      return line
    }
    let bar = Figures.bar(
      left.nanoseconds, of: status.deadManTimeout.nanoseconds, width: min(14, half - 20))
    let isLow = left.nanoseconds < status.deadManTimeout.nanoseconds / 5
    line.add(bar.full, isLow ? .red : .green)
    line.add(bar.empty, .dim)
    line.add(" \(max(0, left.nanoseconds / 1_000_000_000)) s")
    return line
  }

  private func connections() -> StyledLine {
    var line = blank(half)
    for connection in status.connections {
      if line.width > 0 { line.add("  ") }
      switch connection.state {
      case .up: line.add("● ", .green)
      case .connecting: line.add("◌ ", .yellow)
      case .down: line.add("○ ", .red)
      }
      line.add(connection.name, connection.state == .up ? .plain : .yellow)
    }
    return line
  }

  // MARK: Bottom

  /// - Parameter rows: always that many, so that the block stands still.
  private func fills(_ rows: Int) -> [StyledLine] {
    let recent = Array(status.recentFills.suffix(rows).reversed())
    var lines = [
      line {
        $0.add("fills  ", .bold)
        $0.add("\(Figures.count(status.counts.fills)) so far", .dim)
        $0.add(" · \(Figures.count(status.counts.frames)) frames read", .dim)
      }
    ]
    for row in 0..<rows {
      guard row < recent.count else {
        lines.append(blank())
        continue
      }
      let fill = recent[row]
      let style: StyledLine.Style = fill.side == .buy ? .green : .red
      lines.append(
        line {
          $0.add(" \(Figures.clock(fill.exchangeTime)) ", .dim)
          $0.add(fill.side == .buy ? " buy  " : " sell ", style)
          $0.add(right: status.scale.text(fill.quantity), columns: 9)
          $0.add(" @ ")
          $0.add(right: Figures.price(fill.price, status), columns: 10, style)
          $0.add("  \(fill.role.word)")
          $0.add("  fee \(fill.fee) \(fill.feeAsset)", .dim)
        })
    }
    return lines
  }

  private func footer() -> [StyledLine] {
    var lines = [StyledLine]()
    if let reason = status.haltText {
      lines.append(line { $0.add("halted: \(reason)", .boldRed) })
    } else if let reason = status.holdWords {
      lines.append(line { $0.add("holding: \(reason)", .boldRed) })
    } else if let alert = status.alerts.last {
      let style: StyledLine.Style =
        switch alert.severity {
        case .info: .dim
        case .warning: .yellow
        case .critical: .boldRed
        }
      lines.append(line { $0.add("\(Figures.clock(alert.time))  \(alert.text)", style) })
    } else {
      lines.append(blank())
    }
    lines.append(
      line {
        if let pageAddress {
          $0.add("page ", .dim)
          $0.add("\(pageAddress)  ", .cyan)
        }
        if !status.journalPath.isEmpty { $0.add("journal \(status.journalPath)", .dim) }
      })
    return lines
  }
}
