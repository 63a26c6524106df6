internal import CMartletCurl
public import MartletBase

/// What came of a request that was waited for.
public enum RESTOutcome: Equatable, Sendable {
  /// A whole reply, of whatever status; `head` is the status line and the fields, as sent.
  case replied(status: UInt16, head: [UInt8], body: [UInt8])
  case failed(RESTFault)
}

/// Requests to one REST interface that block their thread, over a connection of their own: for the
/// dead-man, which must not depend on the loop.
///
/// Make it on the thread that uses it. The rules of `RESTClient` hold: a request is sent once or not at
/// all.
public final class BlockingRESTClient {
  private let transfer: RESTTransfer
  private let idleConnection: TimeSpan

  /// - Throws: `outOfMemory` when the library or memory fails.
  public init(
    _ endpoint: RESTEndpoint, configuration: RESTClient.Configuration = RESTClient.Configuration()
  ) throws(RESTRefusal) {
    guard let transfer = RESTTransfer(configuration.rules(endpoint), tag: 0) else {
      throw .outOfMemory
    }
    self.transfer = transfer
    idleConnection = configuration.idleConnection
    ignoreBrokenPipes()
  }

  /// Sends a request and waits for what comes of it, for at most `timeout`.
  ///
  /// The parameters are those of `RESTClient.send`.
  ///
  /// - Throws: `RESTRefusal`: nothing was sent.
  public func perform(
    _ method: RESTMethod = .get, target: Span<UInt8>, headers: borrowing RESTHeaders,
    body: Span<UInt8>, timeout: TimeSpan
  ) throws(RESTRefusal) -> RESTOutcome {
    try transfer.prepare(
      method, target: target, headers: headers, body: body, timeout: timeout, idle: idleConnection)
    // The transfer was prepared just now, and lives as long as this object.
    let outcome = unsafe cmartlet_transfer_perform(transfer.pointer)
    guard outcome == CMARTLET_REST_REPLIED else { return .failed(transfer.fault(outcome)) }
    return transfer.withReply { status, head, body in
      .replied(status: status, head: Self.copy(head), body: Self.copy(body))
    }
  }

  private static func copy(_ bytes: Span<UInt8>) -> [UInt8] {
    var buffer = ByteBuffer(capacity: bytes.count)
    buffer.append(bytes)
    return buffer.copy()
  }
}
