internal import MartletBase
internal import MartletVenueKit

/// What the venue lets one address ask, by kind of request, with room to spare.
///
/// - Source: WhiteBIT docs, rate limits: 10,000 in 10 s for each `order/*` call, 1,000 in 10 s for
///   `orders` in the older text, 10 in 60 s for the socket token.
struct Quota: Equatable, Sendable {
  var places = TokenBucket(limit: 10_000, window: .seconds(10))
  var cancels = TokenBucket(limit: 10_000, window: .seconds(10))
  var reads = TokenBucket(limit: 1_000, window: .seconds(10))
  var tokens = SlidingQuota(limit: 10, window: .seconds(60))

  mutating func take(_ kind: RequestClass, at now: Timestamp) -> Bool {
    switch kind {
    case .place: places.take(at: now)
    case .cancel: cancels.take(at: now)
    case .read: reads.take(at: now)
    case .token: tokens.take(at: now)
    case .deadMan: true  // Its own machine sends it, some four times a minute.
    }
  }

  /// When the next permit of that kind is there.
  func nextAt(_ kind: RequestClass) -> Timestamp {
    switch kind {
    case .place: places.nextAt
    case .cancel: cancels.nextAt
    case .read: reads.nextAt
    case .token: tokens.nextAt
    case .deadMan: .zero
    }
  }
}

extension Quota: Snapshotting {
  func write(to snapshot: inout SnapshotWriter) {
    snapshot.section("Quota")
    places.write(to: &snapshot)
    cancels.write(to: &snapshot)
    reads.write(to: &snapshot)
    tokens.write(to: &snapshot)
  }

  mutating func read(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    try snapshot.section("Quota")
    try places.read(from: &snapshot)
    try cancels.read(from: &snapshot)
    try reads.read(from: &snapshot)
    try tokens.read(from: &snapshot)
  }
}
