internal import MartletDashboard
internal import MartletKernel
internal import MartletModel

/// The latest fills, for the status. Bounded as `BotStatus` shows them.
struct BotHistory {
  private(set) var fills: [Fill] = []

  mutating func take(_ note: KernelNote) {
    guard case .fill(let fill) = note else { return }
    if fills.count == BotStatus.maxFills { fills.removeFirst() }
    fills.append(fill)
  }
}
