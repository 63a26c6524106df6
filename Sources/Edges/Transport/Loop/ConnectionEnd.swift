/// Why a connection is over.
public enum ConnectionEnd: Equatable, Sendable {
  /// What was waited for in vain.
  public enum Wait: Equatable, Sendable {
    case connect
    case handshake
    /// The rest of a request that had begun.
    case request
    /// Any byte at all.
    case idle
    /// The peer's answer to our close frame.
    case close
    /// The peer's taking of what we had to send.
    case write
  }

  /// The peer closed the WebSocket; the code it gave, if it gave one, and its reason.
  case closedByPeer(WebSocketCloseCode?, reason: String)
  /// We closed, and the peer agreed.
  case closedByUs(WebSocketCloseCode)
  /// We let go without a word.
  case dropped
  /// The connection ended without a close frame.
  case ended
  /// The connection could not be made, or it broke.
  case failed(SystemFault)
  /// The host's name has no address that could be found.
  case unresolved(String)
  /// The peer is not whom it should be, or breaks TLS.
  case refused(TLSFault)
  case handshakeFailed(WebSocketHandshakeFault)
  /// The peer broke the protocol or a limit.
  case violated(WebSocketFault)
  case timedOut(Wait)
  /// The peer took what we sent more slowly than it came about.
  case slowReader(waiting: Int, limit: Int)
}

extension ConnectionEnd: CustomStringConvertible {
  public var description: String {
    switch self {
    case .closedByPeer(let code?, let reason):
      "closed by the peer with code \(code.number)" + (reason.isEmpty ? "" : ": \(reason)")
    case .closedByPeer(nil, _): "closed by the peer without a code"
    case .closedByUs(let code): "closed by us with code \(code.number)"
    case .dropped: "dropped by us"
    case .ended: "ended by the peer without a close frame"
    case .failed(let fault): fault.description
    case .unresolved(let reason): "the host's name has no address: \(reason)"
    case .refused(let fault): fault.description
    case .handshakeFailed(let fault): "handshake failed: \(fault)"
    case .violated(let fault): "protocol violated: \(fault)"
    case .timedOut(.connect): "timed out while connecting"
    case .timedOut(.handshake): "timed out in the handshake"
    case .timedOut(.request): "timed out in the middle of a request"
    case .timedOut(.idle): "timed out: the peer was silent"
    case .timedOut(.close): "timed out while closing"
    case .timedOut(.write): "timed out: the peer took nothing of what we sent"
    case .slowReader(let waiting, let limit):
      "slow reader: \(waiting) bytes waiting, at most \(limit) allowed"
    }
  }
}
