import Glibc
import MartletBase
import Testing

@testable import MartletTransport

/// A Python that has the `websockets` package, which is somebody else's reading of RFC 6455.
enum Python {
  static let withWebSockets: String? = {
    let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    let named = getenv("MARTLET_PYTHON").map { String(cString: $0) }
    let candidates = [named, "/\(root)/.venv/bin/python", "/usr/bin/python3"].compactMap(\.self)
    return candidates.first { path in
      guard let process = try? start(path, ["-c", "import websockets"]) else { return false }
      var status: CInt = 0
      return waitpid(process, &status, 0) == process && status == 0
    }
  }()

  struct NotStarted: Error {}

  static func start(_ path: String, _ arguments: [String]) throws -> pid_t {
    var process: pid_t = 0
    var words = ([path] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    guard posix_spawn(&process, path, nil, nil, &words, environ) == 0 else { throw NotStarted() }
    return process
  }

  static let script = """
    import asyncio, sys, websockets

    async def echo(socket, *unused):
        async for message in socket:
            await socket.send(message)
    async def main(port):
        url = f"ws://127.0.0.1:{port}/ws"
        async with websockets.connect(url, max_size=None, compression=None) as socket:
            for size in [0, 1, 125, 126, 127, 65535, 65536, 200000]:
                for message in ["é" * (size // 2), bytes(i % 256 for i in range(size))]:
                    await socket.send(message)
                    assert await socket.recv() == message, size
            await socket.send(["in ", "several ", "", "fragments €"])
            assert await socket.recv() == "in several fragments €"
            await asyncio.wait_for(await socket.ping(b"hello"), 20)
            # Offered compression is not accepted, and all goes on without it.
            async with websockets.connect(url) as other:
                assert other.extensions == []
                await other.send("x" * 1000)
                assert await other.recv() == "x" * 1000
            # Now the other way about.
            server = await websockets.serve(echo, "127.0.0.1", 0, max_size=None)
            await socket.send(f"port {server.sockets[0].getsockname()[1]}")
            assert (await socket.recv()).startswith("port")
            assert await socket.recv() == "done"
            server.close()
            await server.wait_closed()
            await socket.send("bye")
            try:
                while True:
                    await asyncio.wait_for(socket.recv(), 20)
            except websockets.ConnectionClosed as closed:
                assert closed.code == 3001 and closed.reason == "farewell", closed

    asyncio.run(main(int(sys.argv[1])))
    """
}

@Suite struct WebSocketInteroperationTests {
  @Test(
    .enabled(
      if: Python.withWebSockets != nil,
      "no Python with the websockets package: set MARTLET_PYTHON or make .venv"))
  func bothSidesTalkToPythonsWebsockets() throws {
    let python = try #require(Python.withWebSockets)
    let loop = try EventLoop()
    let clerk = Clerk()
    let server = try HTTPServer(loop, delegate: clerk)
    let listener = Listener()
    var client: WebSocketClient?
    let big = [UInt8](repeating: 0x7A, count: 150_000)
    clerk.onMessage = { server, message, isText, connection in
      let text = String(decoding: message, as: UTF8.self)
      if isText {
        server.send(text: message.span, to: connection)
      } else {
        server.send(binary: message.span, to: connection)
      }
      if text.hasPrefix("port "), let url = try? WebSocketURL("ws://127.0.0.1:" + text.dropFirst(5))
      {
        client = WebSocketClient(loop, url, delegate: listener)
        try? client?.connect()
      }
      if text == "bye" { server.close(connection, WebSocketCloseCode(3001), reason: "farewell") }
    }
    listener.onOpen = { client in
      _ = client.ping(bytes("are you there"))
      _ = client.send(bytes("héllo"))
      _ = client.sendBinary(big)
    }
    listener.onMessage = { client, _ in
      guard listener.messages.count == 2 else { return }
      client.close(.normal, reason: "enough")
    }
    let process = try Python.start(python, ["-c", Python.script, "\(server.port)"])
    var status: CInt = -1
    var isTold = false
    loop.turn(until: {
      if listener.ends.count == 1, !isTold { isTold = server.send(bytes("done"), to: 1) }
      return waitpid(process, &status, WNOHANG) == process
    })
    #expect(status == 0, "Python's own checks")
    #expect(listener.messages.map(\.count) == [6, big.count])
    // Compared outside, so that a failure does not print them.
    let isEqual = listener.messages == [bytes("héllo"), big]
    #expect(isEqual)
    #expect(listener.ends == [.closedByUs(.normal)])
    server.stop()
  }
}
