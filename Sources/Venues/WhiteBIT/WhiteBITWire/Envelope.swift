public import MartletBase
public import MartletJSON

/// The socket's JSON-RPC-like envelope, both ways.
///
/// - Source: WhiteBIT docs, WebSocket overview: a request is `{id, method, params}`, a reply
///   `{error, result, id}`, a push `{method, params, id: null}`. What has a `method` is no reply.
public enum Envelope {
  // MARK: What the venue sends

  /// Reads the envelope of a message from the venue.
  ///
  /// A push whose method comes before its params is left open behind the params, so that a depth
  /// frame is read in one pass: read the params with `cursor`, then call `close`.
  @inlinable public static func read(
    _ frame: Span<UInt8>
  ) throws(JSONFault) -> VenueMessage {
    var cursor = JSONCursor()
    try cursor.beginObject(in: frame)
    var channel: PushChannel?
    var params: JSONCursor?
    var result: JSONCursor?
    var error: JSONCursor?
    var id: UInt64?
    while let key = try cursor.nextKey(in: frame) {
      if key.equals("method", in: frame) {
        channel = PushChannel(try cursor.string(in: frame), in: frame)
      } else if key.equals("params", in: frame) {
        if let channel {
          return VenueMessage(kind: .push(channel), cursor: cursor, rest: cursor, isOpen: true)
        }
        params = cursor
        try cursor.skipValue(in: frame)
      } else if key.equals("result", in: frame) {
        result = cursor
        try cursor.skipValue(in: frame)
      } else if key.equals("error", in: frame) {
        if !cursor.isNull(in: frame) {
          error = cursor
          try cursor.skipValue(in: frame)
        }
      } else if key.equals("id", in: frame), try cursor.kind(in: frame) == .number {
        id = try cursor.unsigned(in: frame)
      } else {
        try cursor.skipValue(in: frame)
      }
    }
    try cursor.end(in: frame)
    if let channel {
      guard let params else { throw cursor.missingKey(in: frame) }
      return VenueMessage(kind: .push(channel), cursor: params, rest: cursor, isOpen: false)
    }
    if let error {
      return VenueMessage(kind: .failure(id: id), cursor: error, rest: cursor, isOpen: false)
    }
    guard let result else { throw cursor.missingKey(in: frame) }
    return VenueMessage(kind: .reply(id: id), cursor: result, rest: cursor, isOpen: false)
  }

  /// Whether the reply's result is `{"status": "success"}`.
  public static func isSuccess(
    _ message: VenueMessage, in frame: Span<UInt8>
  ) throws(JSONFault) -> Bool {
    var cursor = message.cursor
    guard try cursor.kind(in: frame) == .object else { return false }
    try cursor.beginObject(in: frame)
    while let key = try cursor.nextKey(in: frame) {
      if key.equals("status", in: frame), try cursor.kind(in: frame) == .string {
        return try cursor.string(in: frame).equals("success", in: frame)
      }
      try cursor.skipValue(in: frame)
    }
    return false
  }

  /// The code and text of an error reply.
  public static func failure(
    _ message: VenueMessage, in frame: Span<UInt8>
  ) throws(JSONFault) -> (code: Int32, text: String) {
    var cursor = message.cursor
    var code: Int32 = 0
    var text = ""
    try cursor.beginObject(in: frame)
    while let key = try cursor.nextKey(in: frame) {
      if key.equals("code", in: frame) {
        code = Int32(truncatingIfNeeded: try cursor.integer(in: frame))
      } else if key.equals("message", in: frame), try cursor.kind(in: frame) == .string {
        text = try cursor.string(in: frame).decoded(in: frame)
      } else {
        try cursor.skipValue(in: frame)
      }
    }
    return (code, text)
  }

  // MARK: What a client sends

  /// Begins `{"id":…,"method":…,"params":`, whose value is then due.
  static func begin(
    _ id: UInt64, _ method: StaticString, with writer: inout JSONWriter,
    into buffer: inout ByteBuffer
  ) {
    writer.beginObject(into: &buffer)
    writer.key("id", into: &buffer)
    writer.integer(id, into: &buffer)
    writer.key("method", into: &buffer)
    writer.string(method, into: &buffer)
    writer.key("params", into: &buffer)
  }

  public static func writePing(id: UInt64, into buffer: inout ByteBuffer) {
    writeRequest(id, "ping", flat: [], into: &buffer)
  }

  /// - Parameter token: the socket token, or the handle that the edge swaps for it.
  public static func writeAuthorize(
    id: UInt64, token: Span<UInt8>, into buffer: inout ByteBuffer
  ) {
    var writer = JSONWriter()
    begin(id, "authorize", with: &writer, into: &buffer)
    writer.beginArray(into: &buffer)
    writer.string(token, into: &buffer)
    writer.string("public", into: &buffer)
    writer.endArray(into: &buffer)
    writer.endObject(into: &buffer)
  }

  /// A request whose params are a flat list of names, as most subscriptions take them.
  public static func writeRequest(
    _ id: UInt64, _ method: StaticString, flat names: [InlineText], into buffer: inout ByteBuffer
  ) {
    var writer = JSONWriter()
    begin(id, method, with: &writer, into: &buffer)
    writer.beginArray(into: &buffer)
    for name in names { writer.string(name, into: &buffer) }
    writer.endArray(into: &buffer)
    writer.endObject(into: &buffer)
  }

  /// Reads a client's message. Key order and white space are free.
  ///
  /// - Throws: `JSONFault` for what the venue would drop the socket for: text that is not JSON, no
  ///   method, params that are no list.
  public static func readRequest(_ frame: Span<UInt8>) throws(JSONFault) -> ClientMessage {
    var cursor = JSONCursor()
    try cursor.beginObject(in: frame)
    var method: SocketMethod?
    var params: JSONCursor?
    var id: Range<Int>?
    while let key = try cursor.nextKey(in: frame) {
      if key.equals("method", in: frame) {
        method = try SocketMethod(cursor.string(in: frame), in: frame)
      } else if key.equals("params", in: frame) {
        guard try cursor.kind(in: frame) == .array else { throw cursor.fault(.array, in: frame) }
        params = cursor
        try cursor.skipValue(in: frame)
      } else if key.equals("id", in: frame) {
        _ = try cursor.kind(in: frame)
        let start = cursor.position
        try cursor.skipValue(in: frame)
        id = start..<cursor.position
      } else {
        try cursor.skipValue(in: frame)
      }
    }
    try cursor.end(in: frame)
    guard let method else { throw cursor.missingKey(in: frame) }
    return ClientMessage(method: method, id: id, params: params)
  }

  // MARK: What the venue answers, in its spaced style

  /// Writes `{"error": null, "result": …, "id": …}` around a result.
  ///
  /// - Parameter id: the request's id as it stood in its frame; empty for none.
  public static func writeReply(
    id: Span<UInt8>, into buffer: inout ByteBuffer,
    result: (inout JSONWriter, inout ByteBuffer) -> Void
  ) {
    var writer = JSONWriter(style: .spaced)
    writer.beginObject(into: &buffer)
    writer.key("error", into: &buffer)
    writer.null(into: &buffer)
    writer.key("result", into: &buffer)
    result(&writer, &buffer)
    endReply(id: id, with: &writer, into: &buffer)
  }

  public static func writeSuccess(id: Span<UInt8>, into buffer: inout ByteBuffer) {
    writeReply(id: id, into: &buffer) { writer, buffer in
      writer.beginObject(into: &buffer)
      writer.key("status", into: &buffer)
      writer.string("success", into: &buffer)
      writer.endObject(into: &buffer)
    }
  }

  public static func writePong(id: Span<UInt8>, into buffer: inout ByteBuffer) {
    writeReply(id: id, into: &buffer) { writer, buffer in writer.string("pong", into: &buffer) }
  }

  /// The reply to `time`: whole seconds.
  public static func writeTime(_ now: Timestamp, id: Span<UInt8>, into buffer: inout ByteBuffer) {
    writeReply(id: id, into: &buffer) { writer, buffer in
      writer.integer(now.seconds, into: &buffer)
    }
  }

  public static func writeFailure(
    code: Int32, message: String, id: Span<UInt8>, into buffer: inout ByteBuffer
  ) {
    var writer = JSONWriter(style: .spaced)
    writer.beginObject(into: &buffer)
    writer.key("error", into: &buffer)
    writer.beginObject(into: &buffer)
    writer.key("code", into: &buffer)
    writer.integer(code, into: &buffer)
    writer.key("message", into: &buffer)
    writer.string(text: message, into: &buffer)
    writer.endObject(into: &buffer)
    writer.key("result", into: &buffer)
    writer.null(into: &buffer)
    endReply(id: id, with: &writer, into: &buffer)
  }

  private static func endReply(
    id: Span<UInt8>, with writer: inout JSONWriter, into buffer: inout ByteBuffer
  ) {
    writer.key("id", into: &buffer)
    if id.isEmpty { writer.null(into: &buffer) } else { writer.json(id, into: &buffer) }
    writer.endObject(into: &buffer)
  }

  /// Writes `{"method": …, "params": …, "id": null}` around a push's params.
  public static func writePush(
    _ method: StaticString, into buffer: inout ByteBuffer,
    params: (inout JSONWriter, inout ByteBuffer) -> Void
  ) {
    var writer = JSONWriter(style: .spaced)
    writer.beginObject(into: &buffer)
    writer.key("method", into: &buffer)
    writer.string(method, into: &buffer)
    writer.key("params", into: &buffer)
    params(&writer, &buffer)
    writer.key("id", into: &buffer)
    writer.null(into: &buffer)
    writer.endObject(into: &buffer)
  }
}

/// A message of the venue, its envelope read.
@frozen public struct VenueMessage: Sendable, BitwiseCopyable {
  @frozen public enum Kind: Equatable, Sendable, BitwiseCopyable {
    /// `cursor` stands at the params.
    case push(PushChannel)
    /// `cursor` stands at the result.
    case reply(id: UInt64?)
    /// `cursor` stands at the error.
    case failure(id: UInt64?)
  }

  public let kind: Kind
  public var cursor: JSONCursor
  @usableFromInline var rest: JSONCursor
  @usableFromInline let isOpen: Bool

  @inlinable init(kind: Kind, cursor: JSONCursor, rest: JSONCursor, isOpen: Bool) {
    self.kind = kind
    self.cursor = cursor
    self.rest = rest
    self.isOpen = isOpen
  }

  /// Checks a push whose params are not wanted, to its end.
  public mutating func skip(in frame: Span<UInt8>) throws(JSONFault) {
    try cursor.skipValue(in: frame)
    try close(in: frame)
  }

  /// Checks what follows the params, which `cursor` has read to their end.
  @inlinable public mutating func close(in frame: Span<UInt8>) throws(JSONFault) {
    if !isOpen { return }
    while try cursor.nextKey(in: frame) != nil { try cursor.skipValue(in: frame) }
    try cursor.end(in: frame)
  }
}

/// Which channel a push belongs to.
@frozen public enum PushChannel: UInt8, Sendable, BitwiseCopyable {
  case depth
  case trades
  case lastPrice
  case market
  case deals
  case ordersPending
  case ordersExecuted
  case balanceSpot
  /// A channel this build subscribes to nowhere.
  case other

  @inlinable public init(_ method: JSONText, in frame: Span<UInt8>) {
    if method.equals("depth_update", in: frame) {
      self = .depth
    } else if method.equals("deals_update", in: frame) {
      self = .deals
    } else if method.equals("ordersPending_update", in: frame) {
      self = .ordersPending
    } else if method.equals("trades_update", in: frame) {
      self = .trades
    } else if method.equals("lastprice_update", in: frame) {
      self = .lastPrice
    } else if method.equals("balanceSpot_update", in: frame) {
      self = .balanceSpot
    } else if method.equals("ordersExecuted_update", in: frame) {
      self = .ordersExecuted
    } else if method.equals("market_update", in: frame) {
      self = .market
    } else {
      self = .other
    }
  }
}

/// A client's socket request, its params not yet read.
public struct ClientMessage: Sendable {
  public let method: SocketMethod
  /// Where the id stands in the frame; nil when there is none.
  public let id: Range<Int>?
  /// Stands at the params, which are a list; nil when there are none.
  public let params: JSONCursor?

  /// The id as the client wrote it, to be echoed; empty when there is none.
  @_lifetime(copy frame)
  public func id(in frame: Span<UInt8>) -> Span<UInt8> { frame.extracting(id ?? 0..<0) }

  /// The params as a tree; an empty list when there are none.
  public func params(in frame: Span<UInt8>) throws(JSONFault) -> [JSONValue] {
    guard var cursor = params else { return [] }
    guard case .array(let list) = try JSONValue(from: &cursor, in: frame) else { return [] }
    return list
  }
}

/// The socket methods that a desk knows by name.
public enum SocketMethod: Equatable, Sendable {
  case ping
  case time
  case authorize
  case depthSubscribe, depthUnsubscribe, depthRequest
  case tradesSubscribe, tradesUnsubscribe, tradesRequest
  case lastPriceSubscribe, lastPriceUnsubscribe, lastPriceRequest
  case marketSubscribe, marketUnsubscribe, marketRequest
  case dealsSubscribe, dealsUnsubscribe, dealsRequest
  case ordersPendingSubscribe, ordersPendingUnsubscribe, ordersPendingRequest
  case ordersExecutedSubscribe, ordersExecutedUnsubscribe, ordersExecutedRequest
  case balanceSpotSubscribe, balanceSpotUnsubscribe, balanceSpotRequest
  case bookTickerSubscribe, bookTickerUnsubscribe
  case candlesSubscribe, candlesUnsubscribe, candlesRequest
  /// Any other, by its name.
  case other(String)

  init(_ text: JSONText, in frame: Span<UInt8>) throws(JSONFault) {
    self.init(try text.decoded(in: frame))
  }

  public init(_ name: String) {
    self =
      switch name {
      case "ping": .ping
      case "time": .time
      case "authorize": .authorize
      case "depth_subscribe": .depthSubscribe
      case "depth_unsubscribe": .depthUnsubscribe
      case "depth_request": .depthRequest
      case "trades_subscribe": .tradesSubscribe
      case "trades_unsubscribe": .tradesUnsubscribe
      case "trades_request": .tradesRequest
      case "lastprice_subscribe": .lastPriceSubscribe
      case "lastprice_unsubscribe": .lastPriceUnsubscribe
      case "lastprice_request": .lastPriceRequest
      case "market_subscribe": .marketSubscribe
      case "market_unsubscribe": .marketUnsubscribe
      case "market_request": .marketRequest
      case "deals_subscribe": .dealsSubscribe
      case "deals_unsubscribe": .dealsUnsubscribe
      case "deals_request": .dealsRequest
      case "ordersPending_subscribe": .ordersPendingSubscribe
      case "ordersPending_unsubscribe": .ordersPendingUnsubscribe
      case "ordersPending_request": .ordersPendingRequest
      case "ordersExecuted_subscribe": .ordersExecutedSubscribe
      case "ordersExecuted_unsubscribe": .ordersExecutedUnsubscribe
      case "ordersExecuted_request": .ordersExecutedRequest
      case "balanceSpot_subscribe": .balanceSpotSubscribe
      case "balanceSpot_unsubscribe": .balanceSpotUnsubscribe
      case "balanceSpot_request": .balanceSpotRequest
      case "bookTicker_subscribe": .bookTickerSubscribe
      case "bookTicker_unsubscribe": .bookTickerUnsubscribe
      case "candles_subscribe": .candlesSubscribe
      case "candles_unsubscribe": .candlesUnsubscribe
      case "candles_request": .candlesRequest
      default: .other(name)
      }
  }
}

extension JSONCursor {
  /// What an object lacks a key is told as: another key was due where it ended.
  @usableFromInline func missingKey(in text: Span<UInt8>) -> JSONFault {
    fault(.key, at: max(position - 1, 0), in: text)
  }
}
