/// What a peer's HTTP/1.1 message did that RFC 9112, or a stated limit, does not allow.
///
/// Where a recipient may guess, this one refuses: what two readers understand in two ways can smuggle
/// a request. No header's value is repeated here, as it may be a secret.
public enum HTTPFault: Error, Equatable, Sendable {
  /// A line ended without its carriage return, or a carriage return stood alone.
  case bareLineEnd
  /// Expected: method, target and version with one space between.
  case malformedStartLine
  /// Expected: a path from the root, in visible ASCII, without a fragment.
  case malformedTarget
  case unsupportedVersion
  /// The field at this index (from 0): its name is no token, a space stands before the colon, the
  /// line is folded, or the value holds a control character.
  case malformedField(index: Int)
  case missingHost
  /// A field that must stand once stands more often.
  case repeatedField(String)
  case malformedContentLength
  /// Both lengths were given, the classic way to smuggle.
  case conflictingLengths
  case unsupportedTransferEncoding
  case malformedChunk
  case unsupportedExpectation
  case targetTooLong(limit: Int)
  case headTooLarge(limit: Int)
  case tooManyFields(limit: Int)
  case bodyTooLarge(limit: Int)

  /// The status to answer with.
  public var status: Int {
    switch self {
    case .bareLineEnd, .malformedStartLine, .malformedTarget, .malformedField, .missingHost,
      .repeatedField, .malformedContentLength, .conflictingLengths, .malformedChunk:
      400
    case .bodyTooLarge: 413
    case .targetTooLong: 414
    case .unsupportedExpectation: 417
    case .headTooLarge, .tooManyFields: 431
    case .unsupportedTransferEncoding: 501
    case .unsupportedVersion: 505
    }
  }
}

extension HTTPFault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .bareLineEnd: "a line does not end with CR LF"
    case .malformedStartLine: "the first line is not 'METHOD /target HTTP/1.1'"
    case .malformedTarget: "the target is not a path from '/' in visible ASCII without '#'"
    case .unsupportedVersion: "the version is not HTTP/1.1 or HTTP/1.0"
    case .malformedField(let index): "header field \(index) is malformed"
    case .missingHost: "no Host field"
    case .repeatedField(let name): "\(name) stands more than once"
    case .malformedContentLength: "Content-Length is not a decimal number"
    case .conflictingLengths: "both Content-Length and Transfer-Encoding are given"
    case .unsupportedTransferEncoding: "Transfer-Encoding is not 'chunked', or not in HTTP/1.1"
    case .malformedChunk: "a chunk of the body is malformed"
    case .unsupportedExpectation: "Expect is not '100-continue'"
    case .targetTooLong(let limit): "the target is longer than \(limit) bytes"
    case .headTooLarge(let limit): "the header fields are larger than \(limit) bytes"
    case .tooManyFields(let limit): "there are more than \(limit) header fields"
    case .bodyTooLarge(let limit): "the body is larger than \(limit) bytes"
    }
  }
}
