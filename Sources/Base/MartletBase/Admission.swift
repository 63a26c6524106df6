/// What became of something offered to a bounded container. Nothing is dropped in silence: who
/// offers decides what a full container means.
@frozen public enum Admission: UInt8, Sendable, BitwiseCopyable {
  case inserted
  /// The key was there; the new value stands in its place.
  case replaced
  /// At its bound; nothing changed.
  case full
}
