import Glibc

/// A program started by this one, and how it ended.
///
/// Owns the process: it is reaped exactly once, and `deinit` does not kill what still runs.
final class ChildProcess {
  enum Output {
    /// What it prints goes where ours goes.
    case inherited
    /// What it prints is dropped.
    case dropped
    /// What it prints is read here, line by line.
    case piped
  }

  enum Ending: Equatable {
    case exited(Int32)
    case signaled(Int32)
  }

  struct SpawnFault: Error { let message: String }

  let identifier: pid_t
  private var output: Int32 = -1
  /// Where what it prints is read; −1 when it is not piped.
  var outputDescriptor: Int32 { output }
  private var pending: [UInt8] = []
  private(set) var ending: Ending?

  /// - Parameter isolated: in a process group of its own, so that Ctrl-C at the terminal is ours to
  ///   pass on, when it is time.
  /// - Parameter dropsErrors: what it says on standard error is dropped, instead of going where ours goes.
  /// - Throws: `SpawnFault` naming the program and the system's reason.
  init(
    _ program: String, _ arguments: [String], output mode: Output, isolated: Bool = false,
    dropsErrors: Bool = false
  ) throws(SpawnFault) {
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    if isolated {
      unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
      unsafe posix_spawnattr_setpgroup(&attributes, 0)
    }
    // The C structure owns memory of its own until `destroy`; it does not leave this initializer.
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    if dropsErrors {
      unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    }
    var ends: [Int32] = [-1, -1]
    switch mode {
    case .inherited: break
    case .dropped: unsafe posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    case .piped:
      guard unsafe pipe(&ends) == 0 else {
        throw SpawnFault(message: "no pipe for \(program): \(systemReason(errno))")
      }
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    }
    var started: pid_t = 0
    // C strings that live until the call returns, with a nil at the end.
    let words = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
    defer { for index in unsafe words.indices { unsafe free(words[index]) } }
    let result = unsafe posix_spawn(&started, program, &actions, &attributes, words, environ)
    if mode == .piped { close(ends[1]) }
    guard result == 0 else {
      if mode == .piped { close(ends[0]) }
      throw SpawnFault(message: "cannot start \(program): \(systemReason(result))")
    }
    identifier = started
    output = ends[0]
  }

  deinit { if output >= 0 { close(output) } }

  /// Lets it run when others do not want the processor.
  func giveWay() {
    // It only costs the others time when this fails.
    if ending == nil {
      _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(identifier), 10)
    }
  }

  func send(_ signal: Int32) { if ending == nil { kill(identifier, signal) } }

  /// The next whole line it prints; nil once it closed its output or after `milliseconds`.
  func line(within milliseconds: Int32) -> String? {
    let end = monotonicMilliseconds() + Int64(milliseconds)
    while true {
      if let newline = pending.firstIndex(of: 10) {
        let line = String(decoding: pending[..<newline], as: UTF8.self)
        pending.removeSubrange(...newline)
        return line
      }
      var wait = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
      let left = end - monotonicMilliseconds()
      guard left > 0, unsafe poll(&wait, 1, Int32(left)) > 0 else { return nil }
      var chunk = [UInt8](repeating: 0, count: 4096)
      let count = unsafe read(output, &chunk, chunk.count)
      guard count > 0 else { return nil }
      pending.append(contentsOf: chunk[..<count])
    }
  }

  /// Looks whether it has ended; waits for that when `blocking`.
  @discardableResult func reap(blocking: Bool) -> Ending? {
    if let ending { return ending }
    var status: Int32 = 0
    var result: pid_t
    repeat {
      result = unsafe waitpid(identifier, &status, blocking ? 0 : WNOHANG)
    } while result < 0 && errno == EINTR && !interrupted()
    guard result == identifier else { return nil }
    let signal = status & 0x7f
    ending = signal == 0 ? .exited((status >> 8) & 0xff) : .signaled(signal)
    return ending
  }

  private func interrupted() -> Bool { Interruption.isRequested }
}

/// The system's words for an error number.
func systemReason(_ number: Int32) -> String {
  guard let text = unsafe strerror(number) else { return "error \(number)" }
  return unsafe String(cString: text)
}

func monotonicMilliseconds() -> Int64 {
  var time = timespec()
  unsafe clock_gettime(CLOCK_MONOTONIC, &time)
  return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}
