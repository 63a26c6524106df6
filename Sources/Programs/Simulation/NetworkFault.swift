public import MartletBase

/// One thing that goes wrong between client and venue, once, on the first message it fits.
///
/// What the venue itself does wrong is its desk's to inflict: for WhiteBIT, `Habits`.
public struct NetworkFault: Equatable, Sendable {
  public enum Kind: Equatable, Sendable {
    // A request on its way to the venue, chosen by its path.
    /// No byte leaves: the client is told so at once.
    case refuseConnection
    /// It never arrives; the client waits until its time is over.
    case loseRequest
    /// A gateway before the venue answers it, unread.
    case refuseRequest(status: Int, body: [UInt8])
    case delayRequest(by: TimeSpan)
    /// It arrives with a signature that fits nothing.
    case spoilSignature

    // Its reply on the way back; the request has acted.
    /// The client waits until its time is over.
    case loseReply
    /// The connection breaks under it: the client is told at once, and knows nothing.
    case breakReply
    case delayReply(by: TimeSpan)
    case replaceReply(status: Int, body: [UInt8])

    // A frame to the client, chosen by a text it holds.
    case dropFrame
    case repeatFrame
    /// It and all behind it come later.
    case delayFrame(by: TimeSpan)
    case replaceFrame([UInt8])
    /// Another frame comes ahead of it.
    case precedeFrame([UInt8])
  }

  public let kind: Kind
  /// A path such as `/api/v4/order/new`, or what a frame holds.
  public let target: String
  /// How many that fit go well first.
  public internal(set) var skip: Int

  enum Way { case request, reply, frame }

  var way: Way {
    switch kind {
    case .refuseConnection, .loseRequest, .refuseRequest, .delayRequest, .spoilSignature: .request
    case .loseReply, .breakReply, .delayReply, .replaceReply: .reply
    case .dropFrame, .repeatFrame, .delayFrame, .replaceFrame, .precedeFrame: .frame
    }
  }
}

/// Faults still to come, in the order they were planned.
struct FaultPlan {
  private(set) var planned: [NetworkFault] = []

  mutating func add(_ fault: NetworkFault) { planned.append(fault) }
  mutating func removeAll() { planned.removeAll() }

  /// The fault for a message on this way, if one is planned: the first that fits, which is then gone.
  mutating func take(_ way: NetworkFault.Way, _ fits: (String) -> Bool) -> NetworkFault.Kind? {
    for index in planned.indices where planned[index].way == way && fits(planned[index].target) {
      if planned[index].skip == 0 { return planned.remove(at: index).kind }
      planned[index].skip -= 1
      return nil
    }
    return nil
  }
}
