internal import MartletBase
internal import MartletExchange
internal import MartletModel
internal import MartletVenueKit
internal import WhiteBITWire

// An account's own channels: each subscription takes the place of the one before it.
extension WhiteBITDesk {
  mutating func answerPrivate(
    _ message: ClientMessage, in frame: Span<UInt8>, _ index: Int, _ account: AccountID,
    output: inout DeskOutput
  ) throws(SocketRefusal) {
    let connection = connections[index].key
    switch message.method {
    case .ordersPendingSubscribe:
      connections[valueAt: index].pending = try markets(message, in: frame)
    case .ordersPendingUnsubscribe: connections[valueAt: index].pending = .none
    case .dealsSubscribe:
      // The one channel whose markets stand in a list of their own.
      connections[valueAt: index].deals = try markets(message, in: frame, nested: true)
    case .dealsUnsubscribe: connections[valueAt: index].deals = .none
    case .ordersExecutedSubscribe:
      guard let wanted = SocketRequests.executed(message, in: frame) else { throw .invalid }
      connections[valueAt: index].executed = try set(of: wanted.markets)
      connections[valueAt: index].executedFilter = wanted.filter
    case .ordersExecutedUnsubscribe: connections[valueAt: index].executed = .none
    case .balanceSpotSubscribe:
      let assets = try assets(message, in: frame)
      connections[valueAt: index].balances = BalanceSubscription()
      connections[valueAt: index].balances.assets = assets.isEmpty ? .all : .some(assets)
    case .balanceSpotUnsubscribe:
      connections[valueAt: index].balances = BalanceSubscription()
    default:
      let answer = try queryPrivate(message, in: frame, account)
      output.items.append(.frame(connection: connection, answer))
      return
    }
    succeed(message, in: frame, to: connection, output: &output)
  }

  private func assets(
    _ message: ClientMessage, in frame: Span<UInt8>
  ) throws(SocketRefusal) -> [InlineText] {
    var assets: [InlineText] = []
    for name in try names(message, in: frame) {
      guard let asset = InlineText(name), exchange.asset(asset) != nil else { throw .invalid }
      assets.append(asset)
    }
    return assets
  }

  // MARK: One-time questions

  private mutating func queryPrivate(
    _ message: ClientMessage, in frame: Span<UInt8>, _ account: AccountID
  ) throws(SocketRefusal) -> [UInt8] {
    if case .balanceSpotRequest = message.method {
      var names = try assets(message, in: frame)
      if names.isEmpty { names = exchange.assets }
      var rows: [WireBalance] = []
      for name in names {
        guard let asset = exchange.asset(name) else { throw .invalid }
        rows.append(wire(exchange.balance(of: account, asset)))
      }
      return bytes {
        SocketReplies.writeBalances(rows, id: message.id(in: frame), into: &$0)
      }
    }
    guard let page = SocketRequests.page(message, in: frame), (1...100).contains(page.limit)
    else { throw .invalid }
    let instrument = markets[try known(page.market)].instrument.id
    let (offset, limit) = (Int(page.offset), Int(page.limit))
    var skip = offset
    switch message.method {
    case .ordersPendingRequest:
      var orders: [WireOrder] = []
      var total = 0
      exchange.forEachWorkingOrder(of: account) { record in
        guard record.instrument == instrument else { return }
        total += 1
        if skip > 0 { skip -= 1 } else if orders.count < limit { orders.append(wire(record)) }
      }
      return bytes {
        SocketReplies.writeOrders(
          orders, offset: offset, limit: limit, total: total, id: message.id(in: frame),
          into: &$0)
      }
    case .ordersExecutedRequest:
      var orders: [WireOrder] = []
      exchange.forEachFinishedOrder(of: account) { record in
        guard record.instrument == instrument else { return true }
        if skip > 0 { skip -= 1 } else { orders.append(wire(record)) }
        return orders.count < limit
      }
      return bytes {
        SocketReplies.writeOrders(
          orders, offset: offset, limit: limit, total: nil, id: message.id(in: frame),
          into: &$0)
      }
    default:
      var fills: [(fill: WireFill, counterOrderID: UInt64)] = []
      exchange.forEachExecution(of: account) { execution in
        guard execution.instrument == instrument else { return true }
        if skip > 0 {
          skip -= 1
        } else {
          fills.append((wire(execution), execution.counterOrder.number))
        }
        return fills.count < limit
      }
      return bytes {
        SocketReplies.writeDeals(
          fills, offset: offset, limit: limit, id: message.id(in: frame), into: &$0)
      }
    }
  }

  // MARK: Pushes

  mutating func tell(
    _ event: Orders.Event, _ order: OrderRecord, output: inout DeskOutput
  ) {
    let market = Int(order.instrument.index)
    let listeners = listeners(of: order.account) { $0.pending.contains(market) }
    guard !listeners.isEmpty else { return }
    let told = wire(order)
    let frame = bytes { Orders.writePending(event, told, into: &$0) }
    for connection in listeners {
      push(frame, .ordersPending, to: connection, output: &output)
    }
  }

  /// An order ended: the pending channel's last word, and the executed channel's only one.
  mutating func finish(_ order: OrderRecord, output: inout DeskOutput) {
    tell(.finish, order, output: &output)
    let market = Int(order.instrument.index)
    let isLimit: Int64 = order.kind.hasPrice ? 1 : 2
    let listeners = listeners(of: order.account) {
      $0.executed.contains(market) && ($0.executedFilter == 0 || $0.executedFilter == isLimit)
    }
    guard !listeners.isEmpty else { return }
    let told = wire(order)
    let frame = bytes { Orders.writeExecuted(told, into: &$0) }
    for connection in listeners {
      push(frame, .ordersExecuted, to: connection, output: &output)
    }
  }

  mutating func tell(_ execution: Execution, output: inout DeskOutput) {
    let market = Int(execution.instrument.index)
    let listeners = listeners(of: execution.account) { $0.deals.contains(market) }
    guard !listeners.isEmpty else { return }
    let told = wire(execution)
    let frame = bytes { Fills.writePush(told, into: &$0) }
    for connection in listeners { push(frame, .deals, to: connection, output: &output) }
  }

  mutating func note(_ balance: Balance) {
    for index in connections.indices
    where connections[valueAt: index].account == balance.account
      && connections[valueAt: index].balances.contains(balance.asset)
    {
      connections[valueAt: index].balances.add(balance, at: now)
    }
  }

  mutating func pushDueBalances(output: inout DeskOutput) {
    for index in connections.indices where connections[valueAt: index].balances.dueAt <= now {
      let rows = connections[valueAt: index].balances.take(at: now).map { wire($0) }
      let frame = bytes { Balances.writePush(rows, into: &$0) }
      push(frame, .balance, to: connections[index].key, output: &output)
    }
  }

  private func listeners(
    of account: AccountID, _ isListening: (DeskConnection) -> Bool
  ) -> [UInt64] {
    connections.filter { $0.value.account == account && isListening($0.value) }.map(\.key)
  }
}
