internal import CMartletCurl
internal import CMartletTLS
internal import MartletBase

/// How requests of one client are sent, and what of a reply is held.
struct RESTRules {
  let endpoint: RESTEndpoint
  let trust: TLSTrust
  let wantsHTTP2: Bool
  let bodyLimit: Int
  let headLimit: Int
  let connectTimeout: TimeSpan
}

/// Owns one libcurl handle: a request, its reply, and for blocking use the kept connection.
///
/// Each `unsafe` here uses the handle between `init`, which made it, and `deinit`, which frees it.
@safe final class RESTTransfer {
  let pointer: OpaquePointer
  private let prefix: String
  private var url = ByteBuffer(capacity: 512)
  private var fields = ByteBuffer(capacity: 2_048)

  /// - Returns: nil when the library or memory fails.
  init?(_ rules: RESTRules, tag: UInt64) {
    prefix = rules.endpoint.prefix
    let keys = rules.trust.pins.map { "sha256//\($0.base64)" }
    let pins = keys.isEmpty ? nil : keys.joined(separator: ";")
    let created = unsafe Self.withText(rules.trust.authorities) { authorities in
      unsafe Self.withText(pins) { pins in
        // Both texts live until the call has copied them.
        var options = unsafe cmartlet_rest_options(
          authorities: authorities, pins: pins, is_plain: rules.endpoint.isPlain,
          wants_http2: rules.wantsHTTP2, body_limit: rules.bodyLimit, head_limit: rules.headLimit,
          connect_milliseconds: rules.connectTimeout.milliseconds)
        return unsafe cmartlet_transfer_create(&options, tag)
      }
    }
    guard let created = unsafe created else { return nil }
    unsafe pointer = created
  }

  // Whoever put it into a multi has taken it out before letting go.
  deinit { unsafe cmartlet_transfer_destroy(pointer) }

  private static func withText<Result>(
    _ text: String?, _ body: (UnsafePointer<CChar>?) -> Result
  ) -> Result {
    guard let text else { return body(nil) }
    return unsafe text.withCString { unsafe body($0) }
  }

  /// Makes the request ready to be sent; everything is copied.
  ///
  /// - Parameter idle: a kept connection that has been idle for longer, in whole seconds, is not used;
  ///   below one second none is.
  func prepare(
    _ method: RESTMethod, target: Span<UInt8>, headers: borrowing RESTHeaders, body: Span<UInt8>,
    timeout: TimeSpan, idle: TimeSpan
  ) throws(RESTRefusal) {
    guard target.count > 0, target[0] == UInt8(ascii: "/") else { throw .malformedTarget }
    for index in target.indices {
      guard target[index] > 0x20, target[index] < 0x7F, target[index] != UInt8(ascii: "#") else {
        throw .malformedTarget
      }
    }
    url.removeAll()
    url.append(text: prefix)
    url.append(target)
    url.append(0)
    fields.removeAll()
    var count = headers.count
    fields.append(headers.lines.span)
    if method == .post || method == .put {
      fields.append("Content-Type: application/json")
      fields.append(0)
      count += 1
    }
    // Timeouts are told in whole milliseconds, rounded up.
    let milliseconds = (timeout.nanoseconds + 999_999) / 1_000_000
    let result = unsafe method.rawValue.withCString { method in
      unsafe Self.withBytes(url) { url, _ in
        unsafe Self.withBytes(fields) { fields, fieldsCount in
          unsafe body.withUnsafeBufferPointer { body in
            // Every pointer is good until the call returns, and it copies what it is given. The URL
            // was ended with a zero byte above.
            unsafe url.withMemoryRebound(to: CChar.self, capacity: 1) { url in
              unsafe cmartlet_transfer_prepare(
                pointer, method, url, fields, fieldsCount, count, body.baseAddress, body.count,
                milliseconds, idle.milliseconds / 1_000)
            }
          }
        }
      }
    }
    guard result == 0 else { throw .outOfMemory }
  }

  private static func withBytes<Result>(
    _ buffer: borrowing ByteBuffer, _ body: (UnsafePointer<UInt8>, Int) -> Result
  ) -> Result {
    let span = buffer.span
    return unsafe span.withUnsafeBufferPointer { bytes in
      // A buffer has room, and so an address, even when it is empty.
      unsafe body(bytes.baseAddress.unsafelyUnwrapped, bytes.count)
    }
  }

  /// Lends the reply's status, head and body for a call.
  func withReply<Result>(_ body: (UInt16, Span<UInt8>, Span<UInt8>) -> Result) -> Result {
    var headCount = 0
    var bodyCount = 0
    let head = unsafe cmartlet_transfer_head(pointer, &headCount)
    let content = unsafe cmartlet_transfer_body(pointer, &bodyCount)
    // The transfer keeps both until its next request is prepared, which waits for this call.
    let headBytes = unsafe UnsafeBufferPointer(start: head, count: headCount)
    let bodyBytes = unsafe UnsafeBufferPointer(start: content, count: bodyCount)
    return unsafe body(
      cmartlet_transfer_status(pointer), Span(_unsafeElements: headBytes),
      Span(_unsafeElements: bodyBytes))
  }

  /// What an outcome that is no reply means.
  func fault(_ outcome: cmartlet_rest_outcome) -> RESTFault {
    let failure: RESTFailure =
      switch outcome {
      case CMARTLET_REST_NOT_SENT: .notSent
      case CMARTLET_REST_TIMED_OUT: .timedOut
      case CMARTLET_REST_MALFORMED: .malformed
      default: .broken
      }
    let text = unsafe String(cString: cmartlet_transfer_text(pointer))
    return RESTFault(
      failure: failure, code: unsafe cmartlet_transfer_code(pointer), text: text,
      refusal: failure == .notSent ? refusal(text) : nil)
  }

  private func refusal(_ text: String) -> TLSFault? {
    let kind: TLSFault.Kind?
    switch unsafe cmartlet_transfer_refusal(pointer) {
    case CMARTLET_REST_BAD_CERTIFICATE:
      // curl's own words may be of what came of it: a connection that could not be written to.
      let verified = unsafe cmartlet_transfer_verified(pointer)
      let fault = cmartlet_tls_fault_of(verified)
      return TLSFault(
        kind: TLSFault.Kind(rawValue: UInt8(truncatingIfNeeded: fault.rawValue)) ?? .badCertificate,
        text: unsafe String(cString: cmartlet_tls_words_of(verified)))
    case CMARTLET_REST_WRONG_HOST: kind = .wrongHost
    case CMARTLET_REST_WRONG_KEY: kind = .wrongKey
    case CMARTLET_REST_NO_HANDSHAKE: kind = RESTTransfer.kind(ofHandshake: text)
    default: kind = nil
    }
    return kind.map { TLSFault(kind: $0, text: text) }
  }

  /// curl has one number for all handshakes that fail, and OpenSSL's words.
  private static func kind(ofHandshake text: String) -> TLSFault.Kind? {
    if text.contains("protocol version") || text.contains("unsupported protocol") {
      return .oldProtocol
    }
    if text.contains("wrong version number") || text.contains("http request") { return .notTLS }
    return text.contains("alert") ? .refused : nil
  }

  /// Connections that the last request had to make; 0 when it used a kept one.
  var connects: Int { unsafe Int(cmartlet_transfer_connects(pointer)) }
}
