import CMartletLinux
import Glibc
import Testing

// A socket without a loop, for peers that do what no loop would.

func blockingConnection(to port: UInt16) throws -> CInt {
  let descriptor = cmartlet_tcp_connect("127.0.0.1", port)
  try #require(descriptor >= 0)
  // The handshake of a loopback connection is the kernel's and needs no one to accept.
  try #require(fcntl(descriptor, F_SETFL, 0) == 0)
  return descriptor
}

func send(_ descriptor: CInt, _ text: String) {
  let all = Array(text.utf8)
  let sent = all.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, 0) }
  #expect(sent == all.count)
}

/// Takes what is there, without waiting.
///
/// - Returns: false when the other side has ended.
func receive(_ descriptor: CInt, _ received: inout [UInt8]) -> Bool {
  var room = [UInt8](repeating: 0, count: 65_536)
  let count = room.withUnsafeMutableBytes {
    Glibc.recv(descriptor, $0.baseAddress, $0.count, CInt(MSG_DONTWAIT))
  }
  if count > 0 { received += room[..<count] }
  return count != 0
}

func resetAndClose(_ descriptor: CInt) {
  #expect(cmartlet_reset_on_close(descriptor) == 0)
  close(descriptor)
}
