/// Why a request has no reply. The difference decides whether it may have acted.
public enum RESTFailure: UInt8, Sendable, BitwiseCopyable {
  /// No byte left us: name, connect or handshake failed. It cannot have acted.
  case notSent = 0
  /// Sent, and the reply did not come in time. It may have acted.
  case timedOut = 1
  /// Sent at least in part, and the connection broke. It may have acted.
  case broken = 2
  /// A reply larger than allowed, or no HTTP. It may have acted.
  case malformed = 3
}

/// A request that has no reply, and what the library said about it.
public struct RESTFault: Error, Equatable, Sendable {
  public let failure: RESTFailure
  /// libcurl's number and text; neither holds anything of the request.
  public let code: Int32
  public let text: String
  /// What was wrong with the server, when TLS refused it; nothing was sent then.
  public let refusal: TLSFault?
}

extension RESTFault: CustomStringConvertible {
  public var description: String {
    let what =
      switch failure {
      case .notSent: "not sent"
      case .timedOut: "sent, no reply in time"
      case .broken: "sent, and the connection broke"
      case .malformed: "sent, and the reply was no HTTP or too large"
      }
    return "\(what): \(refusal.map { "\($0)" } ?? text) (\(code))"
  }
}

/// Why a request was not even taken; nothing was sent and nothing follows.
public enum RESTRefusal: Error, Equatable, Sendable {
  /// So many requests wait for their replies.
  case tooManyInFlight(limit: Int)
  /// Expected a path from `/` on, in visible ASCII without `#`.
  case malformedTarget
  /// The client was stopped.
  case stopped
  case outOfMemory
}

extension RESTRefusal: CustomStringConvertible {
  public var description: String {
    switch self {
    case .tooManyInFlight(let limit): "\(limit) requests are in flight, which is the limit"
    case .malformedTarget: "the target is not a path from '/' in visible ASCII without '#'"
    case .stopped: "the client was stopped"
    case .outOfMemory: "no memory for the request"
    }
  }
}

public enum RESTMethod: String, Sendable, BitwiseCopyable {
  case get = "GET"
  case post = "POST"
  case put = "PUT"
  case delete = "DELETE"
}
