import MartletBase
import Testing

@testable import MartletTransport

/// What a decoder said, with its payload copied out.
enum Heard: Equatable {
  case event(WebSocketEvent, [UInt8])
  case fault(WebSocketFault)
}

/// Feeds `pieces` one by one and collects everything the decoder says.
func hear(
  _ pieces: [[UInt8]], role: WebSocketRole, limits: WebSocketLimits = WebSocketLimits()
) -> [Heard] {
  var decoder = WebSocketDecoder(role: role, limits: limits)
  var heard: [Heard] = []
  for piece in pieces {
    decoder.receive(piece.span)
    do {
      while let event = try decoder.next() {
        heard.append(.event(event, [UInt8](copying: decoder.payload)))
      }
    } catch {
      heard.append(.fault(error))
    }
  }
  return heard
}

extension [UInt8] {
  init(copying span: Span<UInt8>) {
    self = []
    for index in span.indices { append(span[index]) }
  }
}

/// One frame as bytes.
func frame(
  _ opcode: WebSocketOpcode, _ payload: [UInt8], isFinal: Bool = true, mask: UInt32? = nil
) -> [UInt8] {
  var output = ByteBuffer()
  WebSocketEncoder.frame(opcode, isFinal: isFinal, payload.span, mask: mask, into: &output)
  return output.copy()
}

@Suite struct WebSocketDecoderTests {
  /// A conversation with every opcode, every length form and fragments with controls between.
  static func conversation(mask: UInt32?) -> (bytes: [UInt8], heard: [Heard]) {
    var all: [UInt8] = []
    var heard: [Heard] = []
    func add(_ frames: [[UInt8]], _ said: [Heard]) {
      for frame in frames { all += frame }
      heard += said
    }
    for count in [0, 1, 7, 125, 126, 127, 200] {
      let text = [UInt8](repeating: 0x61, count: count)
      add([frame(.text, text, mask: mask)], [.event(.text, text)])
    }
    let blob = (0..<300).map { UInt8(truncatingIfNeeded: $0) }
    add([frame(.binary, blob, mask: mask)], [.event(.binary, blob)])
    add([frame(.ping, [], mask: mask)], [.event(.ping, [])])
    add([frame(.pong, bytes("here"), mask: mask)], [.event(.pong, bytes("here"))])
    let euro = bytes("aé€😀z")
    // Cut inside of characters; a ping and a pong between the fragments.
    add(
      [
        frame(.text, Array(euro[0..<2]), isFinal: false, mask: mask),
        frame(.ping, bytes("p"), mask: mask),
        frame(.continuation, Array(euro[2..<5]), isFinal: false, mask: mask),
        frame(.continuation, [], isFinal: false, mask: mask),
        frame(.pong, [], mask: mask),
        frame(.continuation, Array(euro[5...]), isFinal: true, mask: mask),
      ], [.event(.ping, bytes("p")), .event(.pong, []), .event(.text, euro)])
    add(
      [
        frame(.binary, [0xFF], isFinal: false, mask: mask),
        frame(.continuation, [0xFE], isFinal: true, mask: mask),
      ], [.event(.binary, [0xFF, 0xFE])])
    add([frame(.text, bytes("after"), mask: mask)], [.event(.text, bytes("after"))])
    add(
      [frame(.close, [0x03, 0xE8] + bytes("done"), mask: mask)],
      [.event(.close(.normal), bytes("done"))])
    return (all, heard)
  }

  @Test(arguments: [WebSocketRole.server, .client])
  func everyOpcodeIsReadWhereverTheBytesAreCut(role: WebSocketRole) {
    let mask: UInt32? = role == .server ? 0x7A3C_01FE : nil
    let (all, expected) = Self.conversation(mask: mask)
    #expect(hear([all], role: role) == expected)
    for cut in 1..<all.count {
      let heard = hear([Array(all[..<cut]), Array(all[cut...])], role: role)
      #expect(heard == expected, "cut at \(cut)")
    }
    #expect(hear(all.map { [$0] }, role: role) == expected)
  }

  @Test func longFramesUseTheLongestLength() {
    let long = [UInt8](repeating: 0x62, count: 70_000)
    let written = frame(.text, long, mask: 0x0102_0304)
    #expect(written[1] == 0xFF)
    #expect(hear([written], role: .server) == [.event(.text, long)])
    let halves = [Array(written[..<40_000]), Array(written[40_000...])]
    #expect(hear(halves, role: .server) == [.event(.text, long)])
  }

  @Test func anUnfragmentedMessageIsLentWhereItLies() throws {
    var decoder = WebSocketDecoder(role: .client)
    let all = frame(.text, bytes("one")) + frame(.text, bytes("two"))
    decoder.receive(all.span)
    _ = try decoder.next()
    let first = decoder.payload.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
    _ = try decoder.next()
    let second = decoder.payload.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
    // Three payload bytes and the next frame's two-byte header lie between the two.
    #expect(second - first == 5)
  }

  static let refused: [(String, WebSocketRole, [UInt8], WebSocketFault)] = [
    ("rsv1", .client, [0xC1, 0x00], .reservedBits(4)),
    ("rsv2", .client, [0xA1, 0x00], .reservedBits(2)),
    ("rsv3", .client, [0x91, 0x00], .reservedBits(1)),
    ("opcode 3", .client, [0x83, 0x00], .unknownOpcode(3)),
    ("opcode 7", .client, [0x87, 0x00], .unknownOpcode(7)),
    ("opcode 11", .client, [0x8B, 0x00], .unknownOpcode(11)),
    ("opcode 15", .client, [0x8F, 0x00], .unknownOpcode(15)),
    ("unmasked client", .server, [0x81, 0x01, 0x61], .unmaskedFrame),
    ("masked server", .client, [0x81, 0x80, 0, 0, 0, 0], .maskedFrame),
    ("16-bit length of 125", .client, [0x81, 126, 0, 125], .nonMinimalLength(125)),
    (
      "64-bit length of 65535", .client, [0x81, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF],
      .nonMinimalLength(65_535)
    ),
    (
      "64-bit length with its top bit", .client, [0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0],
      .impossibleLength(1 << 63)
    ),
    ("fragmented ping", .client, [0x09, 0x00], .fragmentedControl(opcode: 9)),
    ("fragmented close", .client, [0x08, 0x00], .fragmentedControl(opcode: 8)),
    ("ping of 126", .client, [0x89, 126, 0, 126], .oversizedControl(opcode: 9)),
    ("close of 64 bits", .client, [0x88, 127], .oversizedControl(opcode: 8)),
    ("continuation of nothing", .client, [0x80, 0x00], .unexpectedContinuation),
    ("text inside text", .client, [0x01, 0x00, 0x81, 0x00], .interleavedMessage),
    ("binary inside text", .client, [0x01, 0x00, 0x82, 0x00], .interleavedMessage),
    (
      "continuation after the end", .client, [0x01, 0x00, 0x80, 0x00, 0x80, 0x00],
      .unexpectedContinuation
    ),
    ("close of one byte", .client, [0x88, 0x01, 0x03], .truncatedCloseCode),
    ("reason not UTF-8", .client, [0x88, 0x03, 0x03, 0xE8, 0xFF], .invalidUTF8),
    ("reason cut in a character", .client, [0x88, 0x03, 0x03, 0xE8, 0xC3], .invalidUTF8),
  ]

  @Test(arguments: refused)
  func whatTheProtocolForbidsIsRefused(
    name: String, role: WebSocketRole, bytes: [UInt8], fault: WebSocketFault
  ) {
    let tail = frame(.text, [0x61], mask: role == .server ? 1 : nil)
    for pieces in [[bytes + tail], (bytes + tail).map { [$0] }] {
      let heard = hear(pieces, role: role)
      #expect(heard.last == .fault(fault), "\(name)")
      // Once, and nothing after it.
      #expect(heard.filter { if case .fault = $0 { true } else { false } }.count == 1, "\(name)")
    }
  }

  @Test func everyCloseCodeIsJudged() {
    for number in UInt16.min...UInt16.max {
      let heard = hear(
        [frame(.close, [UInt8(number >> 8), UInt8(number & 0xFF)])], role: .client)
      let isAllowed =
        (1000...1003).contains(number) || (1007...1014).contains(number)
        || (3000...4999).contains(number)
      let expected: Heard =
        isAllowed
        ? .event(.close(WebSocketCloseCode(number)), []) : .fault(.invalidCloseCode(number))
      #expect(heard == [expected], "\(number)")
    }
    #expect(hear([frame(.close, [])], role: .client) == [.event(.close(nil), [])])
  }

  @Test func nothingIsHeardAfterAClose() {
    let all = frame(.close, [0x03, 0xE8]) + frame(.text, bytes("late")) + [0xFF, 0xFF]
    #expect(hear([all], role: .client) == [.event(.close(.normal), [])])
    #expect(hear(all.map { [$0] }, role: .client) == [.event(.close(.normal), [])])
  }

  static let invalidText: [[UInt8]] = [
    [0x80], [0xBF], [0xC0, 0xAF], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x80, 0xAF],
    [0xE0, 0x9F, 0xBF], [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],
    [0xF0, 0x80, 0x80, 0xAF], [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x9F, 0x98],
    [0xF4, 0x90, 0x80, 0x80],
    [0xF5, 0x80, 0x80, 0x80], [0xFE], [0xFF],
  ]

  @Test(arguments: invalidText)
  func textThatIsNoUTF8IsRefusedHoweverItIsFragmented(bad: [UInt8]) {
    let text = bytes("price: ten€ and more") + bad + bytes("")
    #expect(hear([frame(.text, text)], role: .client) == [.fault(.invalidUTF8)])
    for cut in 0...text.count {
      let all =
        frame(.text, Array(text[..<cut]), isFinal: false)
        + frame(.continuation, Array(text[cut...]), isFinal: true)
      #expect(hear([all], role: .client) == [.fault(.invalidUTF8)], "cut at \(cut)")
    }
    // The same bytes are good as binary.
    #expect(hear([frame(.binary, text)], role: .client) == [.event(.binary, text)])
  }

  @Test func invalidTextIsRefusedBeforeItsMessageEnds() {
    let heard = hear([frame(.text, [0x61, 0xFF], isFinal: false)], role: .client)
    #expect(heard == [.fault(.invalidUTF8)])
  }

  @Test func theValidatorAgreesWithTheStandardLibrary() {
    for seed in UInt64(1)...2_000 {
      var random = SeededRandom(seed: seed)
      var text: [UInt8] = []
      for _ in 0..<Int.random(in: 0...12, using: &random) {
        switch UInt64.random(in: 0..<4, using: &random) {
        case 0: text += bytes("plain ascii, long enough")
        case 1:
          let scalar = Unicode.Scalar(UInt32.random(in: 0...0x11_0000, using: &random))
          text += bytes(scalar.map(String.init) ?? "é")
        case 2: text += bytes("€😀")
        default:
          if UInt64.random(in: 0..<4, using: &random) == 0 {
            text.append(UInt8.random(in: 0...255, using: &random))
          }
        }
      }
      var validator = UTF8Validator()
      var isValid = true
      for piece in pieces(of: text, random: &random) where isValid {
        isValid = validator.accept(piece.span)
      }
      let expected = String(validating: text, as: UTF8.self) != nil
      #expect((isValid && validator.isWhole) == expected, "seed \(seed)")
    }
  }

  @Test func limitsAreKeptBeforeTheBytesAreHeld() {
    let limits = WebSocketLimits(frame: 1_000, message: 1_500)
    // Only the header has come.
    let header: [UInt8] = [0x81, 126, 0x03, 0xE9]
    #expect(
      hear([header], role: .client, limits: limits)
        == [.fault(.frameTooLarge(found: 1_001, limit: 1_000))])
    let half = [UInt8](repeating: 0x61, count: 800)
    let all = frame(.text, half, isFinal: false) + Array(frame(.continuation, half).prefix(4))
    #expect(
      hear([all], role: .client, limits: limits)
        == [.fault(.messageTooLarge(found: 1_600, limit: 1_500))])
    let exact = [UInt8](repeating: 0x61, count: 1_000)
    #expect(hear([frame(.text, exact)], role: .client, limits: limits) == [.event(.text, exact)])
    #expect(WebSocketFault.frameTooLarge(found: 1, limit: 0).closeCode == .messageTooBig)
    #expect(WebSocketFault.messageTooLarge(found: 1, limit: 0).closeCode == .messageTooBig)
    #expect(WebSocketFault.invalidUTF8.closeCode == .invalidPayload)
    #expect(WebSocketFault.maskedFrame.closeCode == .protocolError)
  }

  @Test func aControlFrameInsideAFragmentedMessageKeepsWhatWasJoined() {
    let all =
      frame(.text, bytes("ab"), isFinal: false) + frame(.ping, bytes("x"))
      + frame(.continuation, bytes("cd"), isFinal: true)
    #expect(
      hear([all], role: .client) == [.event(.ping, bytes("x")), .event(.text, bytes("abcd"))])
    #expect(
      hear(all.map { [$0] }, role: .client)
        == [.event(.ping, bytes("x")), .event(.text, bytes("abcd"))])
  }
}

@Suite struct WebSocketRoundTripTests {
  /// Whatever one side sends, in frames of any size, the other hears, however the bytes are cut.
  @Test(arguments: [WebSocketRole.client, .server])
  func whatOneSideSendsTheOtherHears(sender: WebSocketRole) {
    for seed in UInt64(1)...300 {
      var random = SeededRandom(seed: seed)
      var encoder = WebSocketEncoder(role: sender)
      var output = ByteBuffer()
      var expected: [Heard] = []
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        let mask = UInt32.random(in: .min ... .max, using: &random)
        let size = [0, 1, 8, 40, 125, 126, 400, 66_000].randomElement(using: &random) ?? 0
        switch UInt64.random(in: 0..<5, using: &random) {
        case 0, 1:
          let text = bytes(String(repeating: "é", count: size / 2))
          #expect(encoder.message(.text, text, mask: mask, into: &output))
          expected.append(.event(.text, text))
        case 2:
          let blob = (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
          #expect(encoder.message(.binary, blob, mask: mask, into: &output))
          expected.append(.event(.binary, blob))
        case 3:
          let blob = (0..<min(size, 125)).map { _ in UInt8.random(in: 0...255, using: &random) }
          #expect(encoder.control(.ping, blob, mask: mask, into: &output))
          expected.append(.event(.ping, blob))
        default:
          // Fragments, which our encoder never makes itself.
          let blob = (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
          let parts = [[]] + pieces(of: blob, random: &random)
          for (index, part) in parts.enumerated() {
            WebSocketEncoder.frame(
              index == 0 ? .binary : .continuation, isFinal: index == parts.count - 1, part.span,
              mask: sender == .client ? mask : nil, into: &output)
          }
          expected.append(.event(.binary, blob))
        }
      }
      #expect(encoder.close(.goingAway, reason: "bye", mask: 77, into: &output))
      expected.append(.event(.close(.goingAway), bytes("bye")))
      let receiver: WebSocketRole = sender == .client ? .server : .client
      let cut = pieces(of: output.copy(), random: &random)
      #expect(hear(cut, role: receiver) == expected, "seed \(seed)")
    }
  }

  /// Garbage ends in a typed fault or waits for more; it never traps.
  @Test func garbageIsSurvived() {
    for seed in UInt64(1)...3_000 {
      var random = SeededRandom(seed: seed)
      let role: WebSocketRole = seed % 2 == 0 ? .client : .server
      var all: [UInt8]
      if seed % 3 == 0 {
        all = (0..<Int.random(in: 0...200, using: &random)).map { _ in
          UInt8.random(in: 0...255, using: &random)
        }
      } else {
        // A good conversation with a few bytes changed gets deeper than noise.
        all = WebSocketDecoderTests.conversation(mask: role == .server ? 0x55AA_1234 : nil).bytes
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          let index = Int.random(in: 0..<all.count, using: &random)
          all[index] = UInt8.random(in: 0...255, using: &random)
        }
      }
      let limits = WebSocketLimits(frame: 4_096, message: 8_192)
      let whole = hear([all], role: role, limits: limits)
      let cut = hear(pieces(of: all, random: &random), role: role, limits: limits)
      #expect(whole == cut, "seed \(seed): the cutting changed what was heard")
    }
  }

  @Test func unmaskingIsItsOwnInverseAtEveryLength() {
    for count in 0...100 {
      let plain = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
      var masked = plain
      masked.withUnsafeMutableBytes { WebSocketMask.apply(0x4433_2211, to: $0) }
      let key: [UInt8] = [0x11, 0x22, 0x33, 0x44]
      #expect(masked == plain.enumerated().map { $1 ^ key[$0 % 4] }, "\(count) bytes")
      masked.withUnsafeMutableBytes { WebSocketMask.apply(0x4433_2211, to: $0) }
      #expect(masked == plain, "\(count) bytes")
    }
  }
}

@Suite struct WebSocketEncoderTests {
  @Test func theStandardsOwnExamplesAreWritten() {
    // RFC 6455, 5.7.
    #expect(frame(.text, bytes("Hello")) == [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F])
    let masked: [UInt8] = [
      0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58,
    ]
    #expect(frame(.text, bytes("Hello"), mask: 0x3D21_FA37) == masked)
    #expect(hear([masked], role: .server) == [.event(.text, bytes("Hello"))])
    #expect(
      Array(frame(.binary, [UInt8](repeating: 0, count: 256)).prefix(4)) == [0x82, 0x7E, 1, 0])
    #expect(
      Array(frame(.binary, [UInt8](repeating: 0, count: 65_536)).prefix(10))
        == [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0])
  }

  @Test func aClientAlwaysMasksAndAServerNever() {
    var output = ByteBuffer()
    #expect(
      WebSocketEncoder(role: .client).message(.text, [0x61], mask: 0, into: &output))
    #expect(output[1] & 0x80 != 0)
    output.removeAll()
    #expect(
      WebSocketEncoder(role: .server).message(.text, [0x61], mask: 9, into: &output))
    #expect(output[1] & 0x80 == 0)
  }

  @Test func nothingFollowsOurClose() {
    var encoder = WebSocketEncoder(role: .client)
    var output = ByteBuffer()
    #expect(encoder.close(.normal, mask: 1, into: &output))
    let count = output.count
    #expect(!encoder.message(.text, [0x61], mask: 1, into: &output))
    #expect(!encoder.control(.ping, [], mask: 1, into: &output))
    #expect(!encoder.close(.normal, mask: 1, into: &output))
    #expect(output.count == count)
  }

  @Test func aLongReasonIsCutBetweenCharacters() {
    var encoder = WebSocketEncoder(role: .server)
    var output = ByteBuffer()
    #expect(
      encoder.close(.normal, reason: String(repeating: "€", count: 60), mask: 0, into: &output))
    // 123 bytes of reason at most; 41 characters of three bytes fill them.
    #expect(output.count == 2 + 2 + 123)
    #expect(
      hear([output.copy()], role: .client)
        == [.event(.close(.normal), bytes(String(repeating: "€", count: 41)))])
  }

  @Test func encodingAllocatesNothingOnceTheBufferHasGrown() {
    var output = ByteBuffer(capacity: 16)
    let encoder = WebSocketEncoder(role: .client)
    let payload = [UInt8](repeating: 0x61, count: 500)
    #expect(encoder.message(.text, payload, mask: 1, into: &output))
    let capacity = output.capacity
    for mask in UInt32(1)...100 {
      output.removeAll()
      #expect(encoder.message(.text, payload, mask: mask, into: &output))
    }
    #expect(output.capacity == capacity)
  }
}
