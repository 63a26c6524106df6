public import MartletModel
public import MartletVenueKit

/// Everything that can reach the kernel. Each one is journaled before it acts.
@frozen public enum KernelInput: Equatable, Sendable, BitwiseCopyable {
  /// Something a venue or its transport told; frames and bodies come beside.
  case venue(VenueInput)
  /// A deadline that `nextDeadline` named has come.
  case timer
  /// A person, or a program on a person's behalf; who it is comes beside, as text.
  case command(OperatorCommand)
  /// Other settings for a strategy that trades; they come beside, as the strategy writes them.
  case settings(StrategyID)
  /// What the edge has found of the journal's disk, when that changes.
  case journal(JournalState)
}

/// How the journal's disk stands.
@frozen public enum JournalState: UInt8, Sendable, BitwiseCopyable {
  /// The journal has a next file to go on in.
  case sound = 1
  /// The file being written is the last for now: there is no room, or no right, for another.
  case short = 2
  /// What was written may not be on disk: nothing more may be begun that a later process must remember.
  case failed = 3
}

@frozen public enum OperatorCommand: UInt8, Sendable, BitwiseCopyable {
  /// Cancel what is ours, then end.
  case stop = 1
  /// Place nothing new; what rests stays.
  case pause = 2
  /// Take placements up again after a pause.
  case resume = 3
  /// Halt: place nothing, cancel what is ours, until `rearm`.
  case halt = 4
  /// Lift a halt.
  case rearm = 5
  /// Pause, cancel what is ours, and bring the inventory back to what it was at the start.
  case flatten = 6
}

/// Kinds of journal records, version 1. Frozen: a number never changes its meaning.
public enum JournalKind {
  /// First record: configuration text and build identity.
  public static let start: UInt16 = 1
  /// An input; the payload is `InputCoding`'s.
  public static let input: UInt16 = 2
  /// An effect; the payload is `EffectCoding`'s.
  public static let effect: UInt16 = 3
  /// What was decided and why; the payload is `NoteCoding`'s.
  public static let note: UInt16 = 4
  /// A nonce the edge allocated: request number, nonce.
  public static let nonce: UInt16 = 5
  /// The dead-man's own machine, in its own lane: what it did, as text.
  public static let deadMan: UInt16 = 6
  /// A whole state, so that a fold can begin here.
  public static let snapshot: UInt16 = 7
  /// The program ended on purpose; totals follow as text.
  public static let end: UInt16 = 8
  /// What a person has told the program that is no input of the kernel, as text: consent to trade with
  /// a key, and a reload, before it acts.
  public static let operatorWord: UInt16 = 9
  /// A signed request beside the kernel's own, or what came of it; the payload is a `SideRecord`.
  public static let side: UInt16 = 10
}
