public import MartletBase

/// Decides which alerts are told: the same code and subject once, then at most every so often with
/// their count, and where there is an end, once when it ends.
///
/// - Bounds: `capacity` conditions and events at once. What comes beyond that is told under the
///   subject `others`, one for each code.
public struct AlertTable: Sendable {
  private struct Entry: Sendable {
    let code: AlertCode
    let subject: String
    var what: String
    var toldAt: Timestamp
    var count: UInt64
    /// How many of them have not been told.
    var untold: UInt64
  }

  public static let capacity = 256
  public static let others = "others"
  /// The longest text kept of one alert; a venue's words may be long.
  public static let maxText = 300

  /// The least time between two lines about the same.
  public let interval: TimeSpan
  private var entries: [Entry] = []

  public init(repeat interval: TimeSpan) { self.interval = interval }

  public var count: Int { entries.count }

  /// Whether a condition has been raised and has not ended.
  public func isActive(_ code: AlertCode, _ subject: String) -> Bool {
    code.hasEnd && index(code, subject) != nil
  }

  /// Subjects of a code that were raised and have not ended, oldest first.
  public func active(_ code: AlertCode) -> [String] {
    code.hasEnd ? entries.lazy.filter { $0.code == code }.map(\.subject) : []
  }

  /// Something happened, or a condition holds.
  ///
  /// - Returns: what to tell; nil when it was told not long ago.
  public mutating func raise(
    _ code: AlertCode, _ subject: String, _ what: String, at now: Timestamp
  ) -> Alert? {
    let what = String(what.prefix(AlertTable.maxText))
    var subject = String(subject.prefix(AlertTable.maxText))
    if index(code, subject) == nil, entries.count >= AlertTable.capacity, !forgetOne() {
      subject = AlertTable.others
    }
    guard let index = index(code, subject) else {
      entries.append(
        Entry(code: code, subject: subject, what: what, toldAt: now, count: 1, untold: 0))
      return Alert(
        time: now, event: .raised, code: code, subject: subject, what: what, count: 1)
    }
    entries[index].what = what
    entries[index].count += 1
    entries[index].untold += 1
    return isDue(entries[index], at: now) ? tell(index, at: now) : nil
  }

  /// A condition goes on and is told otherwise from now on; nothing that is not raised.
  public mutating func reword(_ code: AlertCode, _ subject: String, _ what: String) {
    guard let index = index(code, subject) else { return }
    entries[index].what = String(what.prefix(AlertTable.maxText))
  }

  /// A condition has ended.
  ///
  /// - Returns: what to tell; nil when it had not been raised.
  public mutating func clear(
    _ code: AlertCode, _ subject: String, _ what: String, at now: Timestamp
  ) -> Alert? {
    guard code.hasEnd, let index = index(code, subject) else { return nil }
    let entry = entries.remove(at: index)
    return Alert(
      time: now, event: .cleared, code: code, subject: subject,
      what: String(what.prefix(AlertTable.maxText)), count: entry.count)
  }

  /// What goes on and was told long ago, and what happened again since it was told.
  public mutating func due(at now: Timestamp) -> [Alert] {
    var told: [Alert] = []
    var index = 0
    while index < entries.count {
      if !isDue(entries[index], at: now) {
        index += 1
      } else if entries[index].code.hasEnd || entries[index].untold > 0 {
        told.append(tell(index, at: now))
        index += 1
      } else {
        entries.remove(at: index)
      }
    }
    return told
  }

  private func index(_ code: AlertCode, _ subject: String) -> Int? {
    entries.firstIndex { $0.code == code && $0.subject == subject }
  }

  private func isDue(_ entry: Entry, at now: Timestamp) -> Bool {
    now - entry.toldAt >= max(interval, entry.code.leastInterval)
  }

  private mutating func tell(_ index: Int, at now: Timestamp) -> Alert {
    entries[index].toldAt = now
    entries[index].untold = 0
    let entry = entries[index]
    return Alert(
      time: now, event: .repeated, code: entry.code, subject: entry.subject, what: entry.what,
      count: entry.count)
  }

  /// Makes room by forgetting what happened longest ago and has no end to come.
  private mutating func forgetOne() -> Bool {
    guard let index = entries.firstIndex(where: { !$0.code.hasEnd && $0.untold == 0 }) else {
      return false
    }
    entries.remove(at: index)
    return true
  }
}
