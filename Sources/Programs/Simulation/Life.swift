internal import MartletBase
internal import MartletKernel
internal import MartletSecrets
internal import MartletStrategy
internal import MartletVenueKit

/// One client process from its start to its death: a kernel with its journal, a dead-man beside it,
/// and what its edge holds between the two and the network.
struct Life<
  Session: VenueSession & ~Copyable, Strategy: TradingStrategy, DeadMan: DeadManMachine
>: ~Copyable {
  /// From 1.
  let number: Int
  var driver: KernelDriver<Session, Strategy, MemoryJournal>
  var deadMan: DeadMan
  var isAlive = true
  /// While hung, what the sockets hold is not read.
  var hungUntil = Timestamp.zero
  var backlog: [(input: KernelInput, bytes: [UInt8], event: TraceEntry.Event?)] = []
  var secrets = SecretHandles()
  /// The offset that nonces are counted by; nil before the venue's clock was read.
  var clockOffset: TimeSpan?
  /// Requests that wait for a nonce, and when to ask for one again.
  var waiting: [PendingRequest] = []
  var nonceAt = Timestamp.distantFuture

  // Room that is used within one step and kept.
  var deadManEffects = VenueEffects(capacity: 16, bytes: 4096)
  var news: [DeadManNews] = []

  init(
    number: Int, kernel: consuming Kernel<Session, Strategy>, deadMan: DeadMan,
    journal: MemoryJournal
  ) {
    self.number = number
    driver = KernelDriver(kernel: kernel, sink: journal)
    self.deadMan = deadMan
  }
}

/// A request out of its effects' buffer, before it is signed.
struct PendingRequest {
  let party: TraceEntry.Party
  let id: RequestID
  let target: String
  let body: [UInt8]
  let signing: SigningPlan
  let timeout: TimeSpan
  let isReplySecret: Bool

  init(_ effect: RequestEffect, by party: TraceEntry.Party, in buffer: borrowing ByteBuffer) {
    let bytes = buffer.span
    self.party = party
    id = effect.id
    target = String(bytes.extracting(effect.target.indices))
    body = effect.body.indices.map { bytes[$0] }
    signing = effect.signing
    timeout = effect.timeout
    isReplySecret = effect.isReplySecret
  }

  /// The same request with another body.
  init(_ other: PendingRequest, with body: [UInt8]) {
    party = other.party
    id = other.id
    target = other.target
    self.body = body
    signing = other.signing
    timeout = other.timeout
    isReplySecret = other.isReplySecret
  }
}
