import MartletBase
import MartletJournalFile
import MartletKernel
import MartletModel
import MartletRecord
import MartletVenueKit

/// What a journal tells of one order, from the reason for it to its end.
///
/// - Bounds: `most` lines; of a step that is not the order's own, nothing is kept.
struct OrderStory {
  /// What a line is in the life of an order, in the order in which one step tells them.
  enum Part: Int {
    case cause, strategy, risk, wire, nonce, reply, news, order, fill, position, cancel, other

    var word: String {
      switch self {
      case .cause: "cause"
      case .strategy: "strategy"
      case .risk: "risk"
      case .wire: "wire"
      case .nonce: "nonce"
      case .reply: "reply"
      case .news: "told"
      case .order: "order"
      case .fill: "fill"
      case .position: "position"
      case .cancel: "cancel"
      case .other: "note"
      }
    }
  }

  struct Line {
    let sequence: UInt64
    let time: Timestamp
    let part: Part
    let text: String
  }

  static let most = 10_000
  /// A frame or a body is shown up to here.
  static let longest = 600

  private let id: ClientOrderID
  private let name: String
  private(set) var lines: [Line] = []
  private(set) var isCut = false
  /// How it stood when it was last told of.
  private(set) var last: OrderView?
  private(set) var fills = 0
  /// Whether Risk's word on it is in the journal: an order that was adopted has none.
  private(set) var isApproved = false
  private var words = RecordText()
  /// The step that is being read.
  private var step: [Line] = []
  /// How much of it was kept before what the order is about came.
  private var requests: [UInt64] = []
  private var isAboutFill = false

  init(of id: ClientOrderID) {
    self.id = id
    name = "\(id)"
  }

  mutating func take(_ header: RecordHeader, _ payload: Span<UInt8>) {
    let kind = header.kind.rawValue
    let text = words.line(kind: kind, payload: payload)
    if kind == JournalKind.input || kind == JournalKind.start { endStep() }
    switch kind {
    case JournalKind.input: takeInput(header, payload, text)
    case JournalKind.effect: takeEffect(header, payload, text)
    case JournalKind.nonce: takeNonce(header, payload, text)
    case JournalKind.note: takeNote(header, payload, text)
    default: break
    }
  }

  /// Keeps what the last step said of the order.
  mutating func endStep() {
    defer {
      step.removeAll(keepingCapacity: true)
      isAboutFill = false
    }
    guard step.contains(where: { $0.part != .cause }) else { return }
    for line in step.sorted(by: {
      ($0.part.rawValue, $0.sequence) < ($1.part.rawValue, $1.sequence)
    }) {
      guard lines.count < OrderStory.most else {
        isCut = true
        return
      }
      lines.append(line)
    }
  }

  private mutating func add(_ header: RecordHeader, _ part: Part, _ text: String) {
    var text = text
    if text.utf8.count > OrderStory.longest {
      text = String(text.prefix(OrderStory.longest)) + "… (./martlet journal print shows all of it)"
    }
    step.append(Line(sequence: header.sequence, time: header.time, part: part, text: text))
  }

  private mutating func takeInput(_ header: RecordHeader, _ payload: Span<UInt8>, _ text: String) {
    guard let (input, _) = InputCoding.read(payload) else { return }
    let words = String(text.dropFirst("input    ".count))
    var answered: RequestID?
    if case .venue(let told) = input {
      switch told {
      case .response(let request, _), .requestFailed(let request, _): answered = request
      default: break
      }
    }
    if let answered, requests.contains(answered.number) {
      add(header, .reply, words)
    } else {
      add(header, text.contains(name) ? .news : .cause, words)
    }
  }

  private mutating func takeEffect(_ header: RecordHeader, _ payload: Span<UInt8>, _ text: String) {
    guard text.contains(name) else { return }
    var cursor = ByteCursor()
    if cursor.word(UInt8.self, in: payload) == 1,
      let request = cursor.word(UInt64.self, in: payload)
    {
      requests.append(request)
    }
    add(header, .wire, String(text.dropFirst("effect   ".count)))
  }

  private mutating func takeNonce(_ header: RecordHeader, _ payload: Span<UInt8>, _ text: String) {
    var cursor = ByteCursor()
    guard let request = cursor.word(UInt64.self, in: payload), requests.contains(request) else {
      return
    }
    add(header, .nonce, String(text.dropFirst("nonce    ".count)))
  }

  private mutating func takeNote(_ header: RecordHeader, _ payload: Span<UInt8>, _ text: String) {
    guard let (note, _) = NoteCoding.read(payload) else { return }
    let words = text.drop { $0 != "]" }.dropFirst(2)
    switch note {
    case .intent:
      intent = Line(
        sequence: header.sequence, time: header.time, part: .strategy, text: String(words))
    case .approved(let approved, let verdict):
      if approved == id {
        if let intent { step.append(intent) }
        isApproved = true
        add(header, .risk, "approved by verdict \(verdict)")
      }
      intent = nil
    case .refused: intent = nil
    case .order(let view):
      guard view.clientOrderID == id else { return }
      last = view
      add(header, .order, String(words))
    case .fill(let fill):
      isAboutFill = fill.clientOrderID == id
      if isAboutFill { fills += 1 }
      // What another order's fill was is why this one came about.
      add(header, isAboutFill ? .fill : .cause, String(words))
    case .position: add(header, isAboutFill ? .position : .cause, String(words))
    case .cancel(let canceled):
      if canceled == id { add(header, .cancel, String(words)) }
    case .halted, .paused, .rearmed, .ready, .bookTrust, .flattened, .settings, .journal,
      .stopArmed,
      .stopInert, .stopFired, .stopTrades, .stopDone, .contract, .marginBracket, .funding,
      .liquidated:
      add(header, .cause, String(words))
    default:
      if text.contains(name) { add(header, .other, String(words)) }
    }
  }

  /// What a strategy would like, until Risk's word on it follows.
  private var intent: Line?
}
