internal import MartletBase
internal import MartletKernel
internal import MartletSecrets
internal import MartletTransport
internal import MartletVenueKit

/// The few steps between a request effect and the transport, on buffers that their owner keeps.
enum SignedRequest {
  /// Appends a part of `source` to `target`.
  static func copy(
    _ range: ByteRange, from source: borrowing ByteBuffer, to target: inout ByteBuffer
  ) {
    target.append(source.span.extracting(range.indices))
  }

  /// Replaces `headers` by those of a signed request.
  static func fill(
    _ headers: inout RESTHeaders, _ signer: borrowing Signer, _ signed: borrowing SignedHeaders
  ) throws(HTTPFault) {
    headers.removeAll()
    try headers.append(SignedHeaders.keyName, signer.key)
    try headers.append(SignedHeaders.payloadName, signed.payload.span)
    try headers.append(SignedHeaders.signatureName, signed.signature.span)
  }

  /// Sends a text message, at once.
  static func send(_ text: borrowing ByteBuffer, to client: WebSocketClient) {
    client.send(text: text.span)
    client.flush()
  }

  /// Sends a request and waits for what comes of it.
  static func perform(
    _ request: RequestEffect, on client: BlockingRESTClient, target: borrowing Span<UInt8>,
    headers: borrowing RESTHeaders, body: borrowing ByteBuffer
  ) throws(RESTRefusal) -> RESTOutcome {
    try client.perform(
      .post, target: target, headers: headers, body: body.span, timeout: request.timeout)
  }

  /// Hands a request to the loop's client.
  static func send(
    _ effect: RequestEffect, to client: RESTClient, target: borrowing ByteBuffer,
    headers: borrowing RESTHeaders, body: borrowing ByteBuffer
  ) throws(RESTRefusal) {
    try client.send(
      effect.id.number, body.count == 0 ? .get : .post, target: target.span, headers: headers,
      body: body.span, timeout: effect.timeout)
  }
}
