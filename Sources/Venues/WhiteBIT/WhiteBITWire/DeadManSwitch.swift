public import MartletBase
public import MartletJSON

/// The venue's timer that cancels a market's orders when we go quiet, both ways. The venue calls it
/// kill-switch.
///
/// - Source: WhiteBIT docs, `order/kill-switch`: one timer a market, `timeout` in seconds as a
///   string from "5" to "600", JSON null to remove it.
public enum DeadManSwitch {
  /// Seconds that the venue takes.
  public static let timeouts: ClosedRange<Int64> = 5...600

  /// A timer as the venue tells it, in whole seconds.
  public struct Timer: WireRow, Equatable, BitwiseCopyable {
    public var market: InlineText
    public var startTime: Timestamp
    public var cancellationTime: Timestamp
    /// Whether spot orders are among those it cancels; a timer set without types takes all.
    public var coversSpot: Bool
    /// Whether it was set without types.
    public var coversAll: Bool

    public init(
      market: InlineText, startTime: Timestamp, cancellationTime: Timestamp,
      coversSpot: Bool = true, coversAll: Bool = false
    ) {
      self.market = market
      self.startTime = startTime
      self.cancellationTime = cancellationTime
      self.coversSpot = coversSpot
      self.coversAll = coversAll
    }

    public static func read(
      _ cursor: inout JSONCursor, in text: Span<UInt8>
    ) throws(JSONFault) -> Timer {
      var market: InlineText?
      var start: Timestamp?
      var end: Timestamp?
      var coversSpot = true
      var coversAll = true
      try cursor.beginObject(in: text)
      while let key = try cursor.nextKey(in: text) {
        if key.equals("market", in: text) {
          market = try cursor.shortText(in: text)
        } else if key.equals("startTime", in: text) {
          start = try cursor.seconds(in: text)
        } else if key.equals("cancellationTime", in: text) {
          end = try cursor.seconds(in: text)
        } else if key.equals("types", in: text), !cursor.isNull(in: text) {
          coversSpot = false
          coversAll = false
          try cursor.beginArray(in: text)
          while try cursor.nextElement(in: text) {
            if try cursor.string(in: text).equals("spot", in: text) { coversSpot = true }
          }
        } else {
          try cursor.skipValue(in: text)
        }
      }
      guard let market, let start, let end else { throw cursor.missingKey(in: text) }
      return Timer(
        market: market, startTime: start, cancellationTime: end, coversSpot: coversSpot,
        coversAll: coversAll)
    }

    public func write(with writer: inout JSONWriter, into buffer: inout ByteBuffer) {
      writer.beginObject(into: &buffer)
      writer.key("market", into: &buffer)
      writer.string(market, into: &buffer)
      writer.key("startTime", into: &buffer)
      writer.integer(startTime.seconds, into: &buffer)
      writer.key("cancellationTime", into: &buffer)
      writer.integer(cancellationTime.seconds, into: &buffer)
      writer.key("types", into: &buffer)
      if coversAll {
        writer.null(into: &buffer)
      } else {
        writer.beginArray(into: &buffer)
        if coversSpot { writer.string("spot", into: &buffer) }
        writer.endArray(into: &buffer)
      }
      writer.endObject(into: &buffer)
    }
  }

  /// Writes the reply to a set or a refresh.
  public static func writeReply(_ timer: Timer, into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    timer.write(with: &writer, into: &buffer)
  }

  /// Writes the body of `order/kill-switch/status`.
  public static func writeStatus(_ timers: [Timer], into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    writer.beginArray(into: &buffer)
    for timer in timers { timer.write(with: &writer, into: &buffer) }
    writer.endArray(into: &buffer)
  }

  /// Writes the fields that set or refresh a market's timer for spot orders.
  ///
  /// - Parameter seconds: nil removes the timer.
  public static func writeRequest(
    market: InlineText, seconds: Int64?, with writer: inout JSONWriter,
    into buffer: inout ByteBuffer
  ) {
    writer.key("market", into: &buffer)
    writer.string(market, into: &buffer)
    writer.key("timeout", into: &buffer)
    if let seconds {
      precondition(timeouts.contains(seconds), "a dead-man timeout of \(seconds) s")
      writer.decimal(Int128(seconds), places: 0, into: &buffer)
    } else {
      writer.null(into: &buffer)
    }
    writer.key("types", into: &buffer)
    writer.beginArray(into: &buffer)
    writer.string("spot", into: &buffer)
    writer.endArray(into: &buffer)
  }

  /// Whether a request's body is one that removes a timer.
  public static func isRemoval(_ body: Span<UInt8>) -> Bool {
    var cursor = JSONCursor()
    do throws(JSONFault) {
      try cursor.beginObject(in: body)
      while let key = try cursor.nextKey(in: body) {
        if key.equals("timeout", in: body) { return cursor.isNull(in: body) }
        try cursor.skipValue(in: body)
      }
    } catch { return false }
    return false
  }

  /// Reads the reply to a set or a refresh.
  public static func readReply(_ body: Span<UInt8>) throws(JSONFault) -> Timer {
    var cursor = JSONCursor()
    let timer = try Timer.read(&cursor, in: body)
    try cursor.end(in: body)
    return timer
  }

  /// A client's request, for the desk.
  public struct Request: Equatable, Sendable {
    public var market: Given<String>
    public var timeout: Timeout
    /// The products it is narrowed to; nil for all. An unknown one is given as it came.
    public var types: Given<[String]>

    public enum Timeout: Equatable, Sendable {
      case absent
      /// JSON null: remove the timer.
      case remove
      /// A number, which the venue refuses, or anything else that is no text.
      case notText
      /// Text that is no whole number.
      case notANumber(String)
      case seconds(Int64)
    }

    public init(_ body: ClientBody) {
      market = body.text("market")
      timeout =
        switch body.root["timeout"] {
        case nil: .absent
        case .null: .remove
        case .string(let text): Int64(text).map(Timeout.seconds) ?? .notANumber(text)
        case .bool, .number, .array, .object: .notText
        }
      types =
        switch body.list("types") {
        case .absent: .absent
        case .null: .null
        case .unreadable: .unreadable
        case .value(let items): .value(items.map { $0.text ?? "" })
        }
    }
  }
}

/// The token that opens the private channels.
public enum SocketToken {
  /// Reads the reply of `profile/websocket_token`.
  ///
  /// - Returns: where the token, or the handle that stands for it, lies in `body`.
  public static func read(_ body: Span<UInt8>) throws(JSONFault) -> Range<Int> {
    var cursor = JSONCursor()
    var token: JSONText?
    try cursor.beginObject(in: body)
    while let key = try cursor.nextKey(in: body) {
      if key.equals("websocket_token", in: body) {
        token = try cursor.string(in: body)
      } else {
        try cursor.skipValue(in: body)
      }
    }
    try cursor.end(in: body)
    // An escape would have to be undone before the token is sent back; the venue's have none.
    guard let token, token.count > 0, !token.hasEscapes else { throw cursor.missingKey(in: body) }
    return token.start..<token.start + token.count
  }

  public static func write(_ token: String, into buffer: inout ByteBuffer) {
    var writer = JSONWriter()
    writer.beginObject(into: &buffer)
    writer.key("websocket_token", into: &buffer)
    writer.string(text: token, into: &buffer)
    writer.endObject(into: &buffer)
  }

  /// The token in a client's `authorize`, if its params are a token and the word `public`.
  public static func read(
    _ message: ClientMessage, in frame: Span<UInt8>
  ) throws(JSONFault) -> String? {
    let params = try message.params(in: frame)
    guard params.count == 2, case .string(let token) = params[0], params[1] == .string("public")
    else { return nil }
    return token
  }
}

/// A client's list of markets or assets, flat or nested in one more list, for the desk.
public enum NameList {
  /// - Returns: nil when an element is no text.
  public static func read(
    _ message: ClientMessage, in frame: Span<UInt8>, nested: Bool = false
  ) throws(JSONFault) -> [String]? {
    var params = try message.params(in: frame)
    if nested {
      guard params.count == 1, case .array(let inner) = params[0] else { return nil }
      params = inner
    }
    var names: [String] = []
    for element in params {
      guard case .string(let name) = element else { return nil }
      names.append(name)
    }
    return names
  }
}
