public import MartletBase

/// What goes wrong at this venue, planned beforehand or during a run: a desk without a plan behaves.
///
/// Each fault of the plan meets one request or one frame and is then gone; of several that fit, the
/// first planned comes first.
public struct Habits: Equatable, Sendable {
  /// What may become of a request.
  public enum RequestFault: Equatable, Sendable {
    /// Carried out, and the reply is lost.
    case dropReply
    /// Carried out, and the reply comes this much later.
    case delayReply(TimeSpan)
    /// Never reaches the venue.
    case dropRequest
    /// The gateway answers with a page of HTML; carried out or not.
    case page(status: Int, isCarriedOut: Bool)
    /// Carried out, and the body ends in its middle.
    case truncatedReply
    /// Carried out, and the body is this many bytes of nothing JSON.
    case oversizedReply(bytes: Int)
    /// Refused as if the nonce were too low.
    case staleNonce
  }

  /// What may become of a pushed frame.
  public enum FrameFault: Equatable, Sendable {
    case drop
    case duplicate
    case delay(TimeSpan)
    /// The text ends in its middle.
    case truncate
  }

  /// Pushed frames that a fault can be planned for.
  public enum Channel: Equatable, Sendable {
    case depthDelta, depthSnapshot, deals, ordersPending, ordersExecuted, balance, trades
  }

  /// Whether what a request causes is pushed before its reply; nobody promises either.
  public var pushesBeforeReply = true

  /// Executions that the history never tells, by trade id, though the stream did.
  ///
  /// - Bounds: as many as a plan names.
  public var hiddenTrades: [UInt64] = []

  private var requests: [(path: String?, skip: Int, fault: RequestFault)] = []
  private var frames: [(channel: Channel, skip: Int, fault: FrameFault)] = []

  public init() {}

  /// Plans a fault for a request that is still to come.
  ///
  /// - Parameters:
  ///   - path: such as `/api/v4/order/new`; nil for any.
  ///   - skip: requests of that path that go well first.
  public mutating func plan(_ fault: RequestFault, path: String? = nil, after skip: Int = 0) {
    requests.append((path, skip, fault))
  }

  /// Plans a fault for a pushed frame that is still to come.
  public mutating func plan(_ fault: FrameFault, on channel: Channel, after skip: Int = 0) {
    frames.append((channel, skip, fault))
  }

  /// Whether everything planned has happened.
  public var isSpent: Bool { requests.isEmpty && frames.isEmpty }

  mutating func fault(for path: String) -> RequestFault? {
    for index in requests.indices
    where requests[index].path == nil || requests[index].path == path {
      if requests[index].skip == 0 { return requests.remove(at: index).fault }
      requests[index].skip -= 1
      return nil
    }
    return nil
  }

  mutating func fault(for channel: Channel) -> FrameFault? {
    for index in frames.indices where frames[index].channel == channel {
      if frames[index].skip == 0 { return frames.remove(at: index).fault }
      frames[index].skip -= 1
      return nil
    }
    return nil
  }

  public static func == (lhs: Habits, rhs: Habits) -> Bool {
    lhs.pushesBeforeReply == rhs.pushesBeforeReply && lhs.hiddenTrades == rhs.hiddenTrades
      && lhs.requests.elementsEqual(rhs.requests, by: ==)
      && lhs.frames.elementsEqual(rhs.frames, by: ==)
  }
}
