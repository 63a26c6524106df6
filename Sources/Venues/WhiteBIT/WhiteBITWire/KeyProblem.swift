/// Why the venue would not act for a key, as far as its words tell, and what a person can do.
///
/// - Source: WhiteBIT docs, authentication errors, and observed bodies; reference 1.4 and 1.5. Which
///   HTTP status goes with which wording is not established: the words decide.
public enum KeyProblem: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  /// The signature does not fit the key, or nobody knows the key: the venue says the same of both.
  case signature = 1
  /// Switched off, or used from an address that is not on its list.
  case keyOrAddress = 2
  /// From an address that is not on the key's list, or without a right.
  case addressOrPermission = 3
  /// The key lacks the right to this call.
  case permission = 4
  /// The nonce is more than five seconds from the venue's clock.
  case clock = 5
  /// A nonce that is not above the last one.
  case nonce = 6
  /// What arrived is not what was signed.
  case request = 7
  /// Refused with no word of the venue's own: mostly its front end.
  case frontEnd = 8

  /// - Returns: nil for a reply that is about something else.
  public init?(status: UInt16, body: Span<UInt8>) {
    guard !(200..<300).contains(status), status < 500 else { return nil }
    if let error = VenueError(body) {
      let texts = [error.message] + error.entries.map(\.text)
      for (words, problem) in KeyProblem.wordings {
        let isMeant = texts.contains { $0.lowercased().hasPrefix(words) }
        // The same words without the code stand for a quota.
        if isMeant && (problem != .nonce || error.code == 0) {
          self = problem
          return
        }
      }
    }
    guard status == 401 || status == 403 else { return nil }
    self = .frontEnd
  }

  /// The first that fits counts, so longer ones stand before what they begin with.
  private static let wordings: [(String, KeyProblem)] = [
    ("unauthorized request", .signature),
    ("this action is unauthorized. enable your key", .keyOrAddress),
    ("this action is unauthorized", .addressOrPermission),
    ("this api key is not authorized", .permission),
    ("you don't have permission", .permission),
    ("your nonce is more than 5 seconds", .clock),
    ("too many requests.", .nonce),
    ("payload not provided", .request),
    ("invalid payload", .request),
    ("request not provided", .request),
    ("nonce not provided", .request),
    ("invalid noncewindow", .request),
  ]

  /// What is wrong, as a part of a sentence.
  public var what: String {
    switch self {
    case .signature: "the signature does not fit the key, or the venue does not know the key"
    case .keyOrAddress: "the key is switched off, or this machine's address is not on its list"
    case .addressOrPermission:
      "this machine's address is not on the key's list, or the key lacks a right"
    case .permission: "the key lacks the right to this call"
    case .clock: "the request's time is more than 5 s from the venue's clock"
    case .nonce: "the request's nonce is not above the last one of this key"
    case .request: "the request did not arrive as it was signed"
    case .frontEnd: "the venue's front end turned the request away without a reason"
    }
  }

  /// What to do about it.
  public var todo: String {
    switch self {
    case .signature:
      "check that key and secret belong together, were made at this venue and this region of it, and"
        + " were not deleted there"
    case .keyOrAddress:
      "look at the key in the venue's API settings: switch it on, and put this machine's public address"
        + " on its list; a key without a list is switched off after 14 days without use"
    case .addressOrPermission:
      "look at the key in the venue's API settings: its list of addresses, and its rights, of which"
        + " “Info + Trading” is the one to have"
    case .permission:
      "give the key “Info + Trading” and every endpoint of orders, trade account and socket token;"
        + " never a right to withdraw"
    case .clock: "set this machine's clock by NTP; ./martlet doctor shows by how much it is off"
    case .nonce: "stop whatever else uses this key; give each bot a key of its own"
    case .request:
      "see whether a proxy on the way changes requests; otherwise report it as a defect"
    case .frontEnd:
      "see whether this machine's address or country is blocked, or a proxy asks for a login"
    }
  }
}

extension KeyProblem: CustomStringConvertible {
  public var description: String { "\(what): \(todo)" }
}
