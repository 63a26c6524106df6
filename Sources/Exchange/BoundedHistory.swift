/// The latest of a kind of record, the oldest forgotten when full.
struct BoundedHistory<Element: Sendable>: Sendable {
  let limit: Int
  private var storage: [Element] = []
  /// Where the oldest is once full.
  private var oldest = 0

  init(limit: Int) {
    precondition(limit > 0, "a history of \(limit)")
    self.limit = limit
  }

  var count: Int { storage.count }

  mutating func append(_ element: Element) {
    if storage.count < limit {
      storage.append(element)
    } else {
      storage[oldest] = element
      oldest = oldest + 1 == limit ? 0 : oldest + 1
    }
  }

  /// The record `index` places before the newest.
  subscript(newest index: Int) -> Element {
    precondition(index >= 0 && index < storage.count, "record \(index) of \(storage.count)")
    let place = oldest + storage.count - 1 - index
    return storage[place >= storage.count ? place - storage.count : place]
  }
}
