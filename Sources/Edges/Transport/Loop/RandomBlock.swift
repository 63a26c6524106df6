internal import CMartletLinux

/// Random bytes from the kernel, taken a block at a time: one mask costs no system call.
final class RandomBlock {
  private static let size = 4_096
  private var block = [UInt8](repeating: 0, count: size)
  private var used = size

  func next() -> UInt32 {
    if used + 4 > Self.size { refill() }
    var word: UInt32 = 0
    for index in used..<used + 4 { word = word << 8 | UInt32(block[index]) }
    used += 4
    return word
  }

  func bytes(_ count: Int) -> [UInt8] {
    (0..<(count + 3) / 4).flatMap { _ in
      let word = next()
      return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> $0) }
    }.prefix(count).map { $0 }
  }

  private func refill() {
    unsafe block.withUnsafeMutableBytes { room in
      guard let start = room.baseAddress else { return }
      // The address and the length are one array's.
      let result = unsafe cmartlet_random(start, room.count)
      // It can only fail on a kernel without the call, and there is nothing safe to go on with.
      precondition(result == 0, "getrandom failed with error \(-result)")
    }
    used = 0
  }
}
