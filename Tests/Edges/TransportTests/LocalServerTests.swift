import Glibc
import MartletBase
import Testing

@testable import MartletTransport

@Suite struct LocalServerTests {
  /// Answers each line with itself, unless told to wait.
  final class Echo: LocalServerDelegate {
    var lines: [String] = []
    var clients: [LocalClient] = []
    var isSilent = false
    func server(_ server: LocalServer, received line: Span<UInt8>, from client: LocalClient) {
      lines.append(String(line))
      clients.append(client)
      if !isSilent { server.reply(line, to: client) }
    }
  }

  /// A folder that goes when the test does.
  final class Folder {
    let path: String
    init(_ name: String = "") {
      var template = Array("/tmp/martlet-local-XXXXXX".utf8CString)
      path = mkdtemp(&template).map { String(cString: $0) + name } ?? "/nowhere"
      if !name.isEmpty { mkdir(path, 0o700) }
    }
    deinit {
      unlink(path + "/control")
      rmdir(path)
    }
  }

  /// A client's end, without waiting.
  final class Client {
    let descriptor: Int32
    var received = ""
    init(_ path: String) {
      descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) { room in
        for (index, byte) in path.utf8.enumerated() { room[index] = byte }
      }
      let result = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      #expect(result == 0)
    }
    deinit { Glibc.close(descriptor) }
    func send(_ text: String) {
      let bytes = Array(text.utf8)
      _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
    /// Takes what is there.
    ///
    /// - Returns: whether the other side has ended.
    func take() -> Bool {
      var chunk = [UInt8](repeating: 0, count: 65_536)
      while true {
        let count = recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
        if count == 0 { return true }
        if count < 0 { return errno == ECONNRESET }
        received += String(decoding: chunk[..<count], as: UTF8.self)
      }
    }
  }

  @Test func aLineIsAnsweredWithALineAndTheCallerIsKnown() throws {
    let loop = try EventLoop()
    let folder = Folder()
    let echo = Echo()
    let server = try LocalServer(loop, at: LocalAddress(folder: folder.path), delegate: echo)
    var facts = stat()
    #expect(stat(server.path, &facts) == 0 && facts.st_mode & 0o777 == 0o600)
    let client = Client(server.path)
    client.send("half")
    loop.turn(waitingAtMost: .milliseconds(20))
    #expect(echo.lines.isEmpty)
    client.send(" and half\nsecond\nthird")
    loop.turn {
      _ = client.take(); return client.received == "half and half\nsecond\n"
    }
    #expect(echo.lines == ["half and half", "second"])
    #expect(echo.clients.allSatisfy { $0.user == geteuid() && $0.process == getpid() })
    server.stop()
    #expect(access(server.path, F_OK) != 0)
    loop.turn { client.take() }
  }

  @Test func tooLongALineAndHalfALineAreEnded() throws {
    let loop = try EventLoop()
    let folder = Folder()
    let echo = Echo()
    var configuration = LocalServer.Configuration()
    configuration.timeout = .milliseconds(50)
    let server = try LocalServer(
      loop, at: LocalAddress(folder: folder.path), configuration: configuration, delegate: echo)
    let long = Client(server.path)
    long.send(String(repeating: "x", count: 100_000))
    loop.turn { long.take() }
    #expect(long.received.contains("more than 4096 bytes"))
    let whole = Client(server.path)
    whole.send(String(repeating: "y", count: 4_097) + "\n")
    loop.turn { whole.take() }
    #expect(whole.received.contains("more than 4096 bytes"))
    let slow = Client(server.path)
    slow.send("half")
    loop.turn { slow.take() }
    #expect(slow.received.contains("no whole line in time"))
    #expect(echo.lines.isEmpty)
    withExtendedLifetime(server) {}
  }

  @Test func moreClientsThanAllowedAreToldSoAndTheOthersServed() throws {
    let loop = try EventLoop()
    let folder = Folder()
    let echo = Echo()
    let server = try LocalServer(loop, at: LocalAddress(folder: folder.path), delegate: echo)
    let clients = (0..<100).map { _ in Client(server.path) }
    for client in clients { client.send("hello\n") }
    var ended = Array(repeating: false, count: clients.count)
    loop.turn {
      for index in clients.indices where !ended[index] { ended[index] = clients[index].take() }
      return clients.allSatisfy { $0.received.hasSuffix("\n") }
    }
    #expect(clients.count { $0.received == "hello\n" } == 16)
    #expect(clients.count { $0.received.contains("busy") } == 84)
    withExtendedLifetime(server) {}
  }

  @Test func whoLeavesBeforeTheAnswerHoldsNothingUp() throws {
    let loop = try EventLoop()
    let folder = Folder()
    let echo = Echo()
    echo.isSilent = true
    let server = try LocalServer(loop, at: LocalAddress(folder: folder.path), delegate: echo)
    for number in 1...40 {
      let client = Client(server.path)
      client.send("ask\n")
      loop.turn { echo.lines.count == number }
      _ = client
    }
    // Their connections are gone, or are found to be when they are answered.
    for client in echo.clients { server.reply(Array("late".utf8).span, to: client) }
    echo.isSilent = false
    let client = Client(server.path)
    client.send("ask\n")
    loop.turn {
      _ = client.take(); return client.received == "ask\n"
    }
  }

  @Test func aDeadProcessIsReplacedAndALiveOneIsNot() throws {
    let loop = try EventLoop()
    let folder = Folder()
    let echo = Echo()
    let address = LocalAddress(folder: folder.path)
    // As a killed process leaves it: bound, and nobody listens.
    let dead = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &name.sun_path) { room in
      for (index, byte) in address.paths[0].utf8.enumerated() { room[index] = byte }
    }
    _ = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(dead, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    close(dead)
    #expect(throws: LocalCaller.Absence.dead(path: address.paths[0])) {
      _ = try LocalCaller(address)
    }
    let server = try LocalServer(loop, at: address, delegate: echo)
    #expect(throws: LocalFault.inUse(path: server.path)) {
      _ = try LocalServer(loop, at: address, delegate: echo)
    }
    server.stop()
    #expect(throws: LocalCaller.Absence.none) { _ = try LocalCaller(address) }
    // What is no socket is not removed.
    close(open(server.path, O_CREAT | O_WRONLY, 0o600))
    #expect(throws: LocalFault.notOurs(path: server.path)) {
      _ = try LocalServer(loop, at: address, delegate: echo)
    }
    #expect(access(server.path, F_OK) == 0)
  }

  @Test func tooLongAPathIsMetInAFolderOfTheUsersOwn() throws {
    let loop = try EventLoop()
    let folder = Folder("/" + String(repeating: "long", count: 30))
    let echo = Echo()
    let address = LocalAddress(folder: folder.path)
    #expect(address.paths.allSatisfy { $0.utf8.count <= LocalAddress.longestPath })
    let server = try LocalServer(loop, at: address, delegate: echo)
    #expect(!server.path.hasPrefix(folder.path))
    let caller = try LocalCaller(address)
    #expect(caller.path == server.path)
    server.stop()
  }
}
