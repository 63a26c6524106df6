public import MartletBase
public import MartletModel
public import MartletVenueKit

/// Inputs as journal payloads, version 1: a tag byte, its fields as little-endian words, then the
/// frame or body byte for byte.
public enum InputCoding {
  /// Writes the fields of `input`; the bytes that came with it follow separately, uncopied.
  @inlinable public static func write(_ input: KernelInput, into payload: inout ByteBuffer) {
    switch input {
    case .timer: payload.append(1)
    case .command(let command):
      payload.append(2)
      payload.append(command.rawValue)
    case .settings(let strategy):
      payload.append(3)
      payload.append(word: strategy.index)
    case .journal(let state):
      payload.append(4)
      payload.append(state.rawValue)
    case .venue(.start): payload.append(16)
    case .venue(.streamOpened(let stream)):
      payload.append(17)
      payload.append(stream.index)
    case .venue(.streamClosed(let stream)):
      payload.append(18)
      payload.append(stream.index)
    case .venue(.frame(let stream)):
      payload.append(19)
      payload.append(stream.index)
    case .venue(.response(let request, let status)):
      payload.append(20)
      payload.append(word: request.number)
      payload.append(word: status)
    case .venue(.requestFailed(let request, let failure)):
      payload.append(21)
      payload.append(word: request.number)
      payload.append(failure.rawValue)
    case .venue(.timer): payload.append(22)
    case .venue(.deadManArmed(let until)):
      payload.append(23)
      payload.append(word: until.nanoseconds)
    case .venue(.deadManLost): payload.append(24)
    case .venue(.stop): payload.append(25)
    case .venue(.calendar(let lead, let step)):
      payload.append(26)
      payload.append(word: lead.nanoseconds)
      payload.append(word: step.nanoseconds)
    }
  }

  /// The input that `payload` holds and where its frame or body starts; nil when it holds none.
  public static func read(_ payload: Span<UInt8>) -> (input: KernelInput, bytesStart: Int)? {
    var cursor = ByteCursor()
    guard let tag = cursor.word(UInt8.self, in: payload) else { return nil }
    let input: KernelInput
    switch tag {
    case 1: input = .timer
    case 2:
      guard let raw = cursor.word(UInt8.self, in: payload),
        let command = OperatorCommand(rawValue: raw)
      else { return nil }
      input = .command(command)
    case 3:
      guard let index = cursor.word(UInt16.self, in: payload) else { return nil }
      input = .settings(StrategyID(index))
    case 4:
      guard let raw = cursor.word(UInt8.self, in: payload), let state = JournalState(rawValue: raw)
      else { return nil }
      input = .journal(state)
    case 16: input = .venue(.start)
    case 17, 18, 19:
      guard let index = cursor.word(UInt8.self, in: payload) else { return nil }
      let stream = StreamID(index)
      input = .venue(
        tag == 17 ? .streamOpened(stream) : tag == 18 ? .streamClosed(stream) : .frame(stream))
    case 20:
      guard let number = cursor.word(UInt64.self, in: payload),
        let status = cursor.word(UInt16.self, in: payload)
      else { return nil }
      input = .venue(.response(RequestID(number), status: status))
    case 21:
      guard let number = cursor.word(UInt64.self, in: payload),
        let raw = cursor.word(UInt8.self, in: payload), let failure = RequestFailure(rawValue: raw)
      else { return nil }
      input = .venue(.requestFailed(RequestID(number), failure))
    case 22: input = .venue(.timer)
    case 23:
      guard let until = cursor.word(Int64.self, in: payload) else { return nil }
      input = .venue(.deadManArmed(until: Timestamp(nanoseconds: until)))
    case 24: input = .venue(.deadManLost)
    case 25: input = .venue(.stop)
    case 26:
      guard let lead = cursor.word(Int64.self, in: payload),
        let step = cursor.word(Int64.self, in: payload)
      else { return nil }
      input = .venue(
        .calendar(lead: TimeSpan(nanoseconds: lead), step: TimeSpan(nanoseconds: step)))
    default: return nil
    }
    return (input, cursor.position)
  }
}
