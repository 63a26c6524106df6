public import MartletBase

/// What a session wants of the world, as plain data: journaled before anything leaves.
@frozen public enum VenueEffect: Equatable, Sendable, BitwiseCopyable {
  /// Send a request; target and body stand in `VenueEffects.bytes`.
  case request(RequestEffect)
  case openStream(StreamID)
  case closeStream(StreamID)
  /// Send a text message; if `hasSecret`, the edge swaps handles for secrets on the way out.
  case sendFrame(StreamID, bytes: ByteRange, hasSecret: Bool)
}

/// A range in the buffer beside the effects.
@frozen public struct ByteRange: Equatable, Sendable, BitwiseCopyable {
  public let start: UInt32
  public let count: UInt32
  @inlinable public init(start: Int, count: Int) {
    self.start = UInt32(start)
    self.count = UInt32(count)
  }
}

/// Which quota a request spends and how urgent it is; the lowest raw value goes first.
@frozen public enum RequestClass: UInt8, Sendable, BitwiseCopyable {
  case deadMan = 0
  case cancel = 1
  case place = 2
  case read = 3
  case token = 4
}

/// One HTTP request before it is signed.
@frozen public struct RequestEffect: Equatable, Sendable, BitwiseCopyable {
  public let id: RequestID
  public let requestClass: RequestClass
  /// Path and query, such as `/api/v4/order/new`.
  public let target: ByteRange
  /// Empty for GET, which is then what is sent; POST otherwise.
  public let body: ByteRange
  public let signing: SigningPlan
  /// After this long without a whole reply the edge reports `timedOut`.
  public let timeout: TimeSpan
  /// The reply carries a secret, which the edge swaps for a handle before anything is journaled.
  public let isReplySecret: Bool

  @inlinable public init(
    id: RequestID, requestClass: RequestClass, target: ByteRange, body: ByteRange,
    signing: SigningPlan, timeout: TimeSpan, isReplySecret: Bool = false
  ) {
    self.id = id
    self.requestClass = requestClass
    self.target = target
    self.body = body
    self.signing = signing
    self.timeout = timeout
    self.isReplySecret = isReplySecret
  }
}

/// Which bytes are signed by which rule and where the result goes, as data. The Secrets edge holds
/// the key, allocates the nonce (which is journaled), and carries the plan out.
@frozen public enum SigningPlan: Equatable, Sendable, BitwiseCopyable {
  case none
  /// WhiteBIT: thirteen digits of the body at `nonceOffset` are overwritten with the nonce; header
  /// `X-TXC-PAYLOAD` is the base64 of the body, `X-TXC-SIGNATURE` the lowercase hex of
  /// HMAC-SHA512 over that base64 text, `X-TXC-APIKEY` the key.
  case whitebit(nonceOffset: UInt32)
}

/// Where a session puts what must leave; one buffer, kept from step to step.
public struct VenueEffects: ~Copyable {
  public private(set) var list: [VenueEffect] = []
  /// Targets, bodies and frames that the effects point into.
  public var bytes: ByteBuffer

  /// - Parameters: room reserved now; a step that stays within it allocates nothing.
  public init(capacity: Int = 64, bytes: Int = 65_536) {
    list.reserveCapacity(capacity)
    self.bytes = ByteBuffer(capacity: bytes)
  }

  public mutating func append(_ effect: VenueEffect) { list.append(effect) }

  public mutating func removeAll() {
    list.removeAll(keepingCapacity: true)
    bytes.removeAll()
  }
}
