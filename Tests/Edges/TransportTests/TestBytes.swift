import MartletBase
import Testing

@testable import MartletTransport

/// Text as bytes.
func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// Random pieces of `all`, none empty, whose sizes come from the seed.
func pieces(of all: [UInt8], random: inout SeededRandom) -> [[UInt8]] {
  var rest = all[...]
  var result: [[UInt8]] = []
  // Mostly small cuts, so that headers are cut too; now and then a large one.
  while !rest.isEmpty {
    let limit = UInt64.random(in: 0..<4, using: &random) == 0 ? rest.count : min(rest.count, 9)
    let count = Int.random(in: 1...limit, using: &random)
    result.append(Array(rest.prefix(count)))
    rest = rest.dropFirst(count)
  }
  return result
}

extension ByteBuffer {
  /// A buffer that holds `bytes`.
  init(_ bytes: [UInt8]) {
    self.init(capacity: bytes.count)
    append(bytes.span)
  }
}

// Spans cannot pass through `#expect`; arrays can.
extension WebSocketEncoder {
  func message(
    _ opcode: WebSocketOpcode, _ payload: [UInt8], mask: UInt32, into output: inout ByteBuffer
  ) -> Bool {
    message(opcode, payload.span, mask: mask, into: &output)
  }

  func control(
    _ opcode: WebSocketOpcode, _ payload: [UInt8], mask: UInt32, into output: inout ByteBuffer
  ) -> Bool {
    control(opcode, payload.span, mask: mask, into: &output)
  }
}
