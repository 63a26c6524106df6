internal import CMartletCurl
internal import MartletBase

/// Drives libcurl's transfers from the loop: it says what to watch and when to wake it.
///
/// Each `unsafe` here uses the multi between its creation and `stop`, which clears it.
@safe final class RESTDriver: TurnEndHandler {
  private let loop: EventLoop
  private var multi: OpaquePointer?
  private var sockets: [CInt: RESTSocket] = [:]
  private var timer: LoopTimer?
  private let ended: (_ tag: UInt64, cmartlet_rest_outcome) -> Void
  var isAwaitingTurnEnd = false

  /// - Parameter ended: called for each transfer that is over, never from within `start`.
  init(
    _ loop: EventLoop, connections: Int, ended: @escaping (UInt64, cmartlet_rest_outcome) -> Void
  ) {
    self.loop = loop
    self.ended = ended
    let owner = unsafe Unmanaged.passUnretained(self).toOpaque()
    // The multi lives no longer than this object, which it calls back.
    unsafe multi = cmartlet_multi_create(
      owner,
      { owner, descriptor, interest in
        let driver = unsafe Unmanaged<RESTDriver>.fromOpaque(owner).takeUnretainedValue()
        return driver.watch(descriptor, interest)
      },
      { owner, milliseconds in
        let driver = unsafe Unmanaged<RESTDriver>.fromOpaque(owner).takeUnretainedValue()
        driver.wait(milliseconds)
      }, connections)
    timer = LoopTimer(loop) { [weak self] in self?.expired() }
  }

  /// Begins a prepared transfer.
  func start(_ transfer: RESTTransfer) -> Bool {
    guard let multi = unsafe multi else { return false }
    guard unsafe cmartlet_multi_start(multi, transfer.pointer) == 0 else { return false }
    // It may have ended already, and nothing else would tell us.
    loop.awaitTurnEnd(self)
    return true
  }

  // Whoever owns this has stopped it: the multi would call back an object that is gone.
  deinit { precondition(unsafe multi == nil, "a REST driver was let go without a stop") }

  /// Ends everything; `inFlight` are the transfers that have not ended.
  func stop(_ inFlight: [RESTTransfer]) {
    guard let multi = unsafe multi else { return }
    for transfer in inFlight { unsafe cmartlet_multi_remove(multi, transfer.pointer) }
    // Closes the kept connections, and tells us of each.
    unsafe cmartlet_multi_destroy(multi)
    unsafe self.multi = nil
    timer?.disarm()
  }

  // MARK: What the library asks for; no other code of ours runs in these.

  private func watch(_ descriptor: CInt, _ wanted: UInt32) -> CInt {
    var interest: Readiness = []
    if wanted & UInt32(CMARTLET_REST_READABLE) != 0 { interest.insert(.readable) }
    if wanted & UInt32(CMARTLET_REST_WRITABLE) != 0 { interest.insert(.writable) }
    if let socket = sockets[descriptor] {
      if wanted != 0, loop.tryChange(socket.watch, of: descriptor, to: interest) { return 0 }
      // No longer wanted, or closed and opened again under the same number.
      loop.unwatch(socket.watch, of: descriptor)
      sockets.removeValue(forKey: descriptor)
    }
    guard wanted != 0 else { return 0 }
    guard let socket = try? RESTSocket(loop, descriptor, interest, self) else { return -1 }
    sockets[descriptor] = socket
    return 0
  }

  private func wait(_ milliseconds: Int64) {
    if milliseconds < 0 {
      timer?.disarm()
    } else {
      timer?.arm(after: .milliseconds(milliseconds))
    }
  }

  // MARK: What the loop brings

  fileprivate func ready(_ descriptor: CInt, _ ready: Readiness) {
    guard let multi = unsafe multi else { return }
    var bits: UInt32 = 0
    if ready.contains(.readable) { bits |= UInt32(CMARTLET_REST_READABLE) }
    if ready.contains(.writable) { bits |= UInt32(CMARTLET_REST_WRITABLE) }
    // A hang-up may have bytes before it, which a read finds; alone it is a failure.
    if ready == .hangup { bits |= UInt32(CMARTLET_REST_READABLE) | UInt32(CMARTLET_REST_FAILED) }
    unsafe cmartlet_multi_ready(multi, descriptor, bits)
    deliver()
  }

  private func expired() {
    guard let multi = unsafe multi else { return }
    unsafe cmartlet_multi_expired(multi)
    deliver()
  }

  func turnEnded() { deliver() }

  private func deliver() {
    // Whoever is told may stop us.
    while let multi = unsafe multi {
      var outcome = CMARTLET_REST_REPLIED
      guard let transfer = unsafe cmartlet_multi_next(multi, &outcome) else { return }
      ended(unsafe cmartlet_transfer_tag(transfer), outcome)
    }
  }
}

/// One of the library's sockets in the loop.
private final class RESTSocket: DescriptorHandler {
  private(set) var watch = EventLoop.WatchID(index: 0, generation: 0)
  private let descriptor: CInt
  private weak var driver: RESTDriver?

  init(_ loop: EventLoop, _ descriptor: CInt, _ interest: Readiness, _ driver: RESTDriver)
    throws(SystemFault)
  {
    self.descriptor = descriptor
    self.driver = driver
    watch = try loop.watch(descriptor, for: interest, self)
  }

  func descriptorReady(_ ready: Readiness) { driver?.ready(descriptor, ready) }
}
