public import MartletBase
public import MartletJSON
public import MartletModel

/// One field of a client's request: missing, unusable, or read.
public enum Given<Value: Equatable & Sendable>: Equatable, Sendable {
  case absent
  case null
  /// There, and no such value.
  case unreadable
  case value(Value)

  public var value: Value? {
    if case .value(let value) = self { value } else { nil }
  }
  public var isAbsent: Bool { self == .absent }
}

/// A client's request body, read leniently: white space and key order are free, numbers may come in
/// quotes. For the desk; it allocates.
public struct ClientBody: Equatable, Sendable {
  /// An object.
  public let root: JSONValue

  /// - Throws: `JSONFault` when the body is no JSON object.
  public init(_ body: Span<UInt8>) throws(JSONFault) {
    root = try JSONValue(body)
    guard case .object = root else {
      throw JSONFault(offset: 0, expected: .object, found: body.isEmpty ? nil : body[0])
    }
  }

  /// An item of a list in a body, such as one order of a bulk request; nil when it is no object.
  public init?(_ item: JSONValue) {
    guard case .object = item else { return nil }
    root = item
  }

  public func text(_ name: String) -> Given<String> {
    switch root[name] {
    case nil: .absent
    case .null: .null
    case .string(let text): .value(text)
    case .bool, .number, .array, .object: .unreadable
    }
  }

  /// A decimal in a string or as a number, without an exponent.
  public func decimal(_ name: String) -> Given<Amount> {
    switch root[name] {
    case nil: return .absent
    case .null: return .null
    case .string(let text), .number(let text):
      let digits = Array(text.utf8)
      guard let amount = try? DecimalText.parseAmount(digits.span) else { return .unreadable }
      return .value(amount)
    case .bool, .array, .object: return .unreadable
    }
  }

  /// A whole number, quoted or bare.
  public func integer(_ name: String) -> Given<Int64> {
    switch root[name] {
    case nil: return .absent
    case .null: return .null
    case .string(let text), .number(let text):
      guard let number = Int64(text) else { return .unreadable }
      return .value(number)
    case .bool, .array, .object: return .unreadable
    }
  }

  public func bool(_ name: String) -> Given<Bool> {
    switch root[name] {
    case nil: .absent
    case .null: .null
    case .bool(let value): .value(value)
    case .number, .string, .array, .object: .unreadable
    }
  }

  public func list(_ name: String) -> Given<[JSONValue]> {
    switch root[name] {
    case nil: .absent
    case .null: .null
    case .array(let items): .value(items)
    case .bool, .number, .string, .object: .unreadable
    }
  }

  /// A list of texts.
  public func texts(_ name: String) -> Given<[String]> {
    switch list(name) {
    case .absent: return .absent
    case .null: return .null
    case .unreadable: return .unreadable
    case .value(let items):
      var texts: [String] = []
      for item in items {
        guard case .string(let text) = item else { return .unreadable }
        texts.append(text)
      }
      return .value(texts)
    }
  }

  /// A list of objects; nil for an item that is none.
  public func items(_ name: String) -> Given<[ClientBody?]> {
    switch list(name) {
    case .absent: .absent
    case .null: .null
    case .unreadable: .unreadable
    case .value(let items): .value(items.map { ClientBody($0) })
    }
  }

  public func side(_ name: String = "side") -> Given<Side> {
    switch text(name) {
    case .absent: .absent
    case .null: .null
    case .unreadable: .unreadable
    case .value("buy"): .value(.buy)
    case .value("sell"): .value(.sell)
    case .value: .unreadable
    }
  }

  // MARK: What every private call carries

  public var request: Given<String> { text("request") }
  /// Integer or string: both are sent, and both are taken.
  public var nonce: Given<Int64> { integer("nonce") }
  public var nonceWindow: Given<Bool> { bool("nonceWindow") }
}

/// A limit order as a client asks for it: the body of `order/new`, or an item of `order/bulk`.
public struct PlaceRequest: Equatable, Sendable {
  public var market: Given<String>
  public var side: Given<Side>
  public var amount: Given<Amount>
  public var price: Given<Amount>
  public var clientOrderID: Given<String>
  public var isPostOnly: Given<Bool>
  public var isIOC: Given<Bool>
  public var stp: Given<String>

  public init(_ body: ClientBody) {
    market = body.text("market")
    side = body.side()
    amount = body.decimal("amount")
    price = body.decimal("price")
    clientOrderID = body.text("clientOrderId")
    isPostOnly = body.bool("postOnly")
    isIOC = body.bool("ioc")
    stp = body.text("stp")
  }
}

/// Which order a client wants canceled, or asks about.
public struct OrderChoice: Equatable, Sendable {
  public var market: Given<String>
  public var orderID: Given<Int64>
  public var clientOrderID: Given<String>

  public init(_ body: ClientBody) {
    market = body.text("market")
    orderID = body.integer("orderId")
    clientOrderID = body.text("clientOrderId")
  }
}

/// A page of open orders, of finished orders, or of fills, as a client asks for it.
public struct PageRequest: Equatable, Sendable {
  public var choice: OrderChoice
  public var status: Given<String>
  /// Whole seconds.
  public var startDate: Given<Int64>
  public var endDate: Given<Int64>
  public var limit: Given<Int64>
  public var offset: Given<Int64>

  public init(_ body: ClientBody) {
    choice = OrderChoice(body)
    status = body.text("status")
    startDate = body.integer("startDate")
    endDate = body.integer("endDate")
    limit = body.integer("limit")
    offset = body.integer("offset")
  }
}

/// A `order/bulk` body.
public struct BulkRequest: Equatable, Sendable {
  /// The items in order; nil for one that is no object.
  public var orders: Given<[PlaceRequest?]>
  public var stopsOnFail: Given<Bool>

  public init(_ body: ClientBody) {
    switch body.list("orders") {
    case .absent: orders = .absent
    case .null: orders = .null
    case .unreadable: orders = .unreadable
    case .value(let items): orders = .value(items.map { ClientBody($0).map(PlaceRequest.init) })
    }
    stopsOnFail = body.bool("stopOnFail")
  }
}
