/// How many letters must be added, left out, changed or swapped with a neighbor to make `right` of
/// `left` (optimal string alignment).
func editDistance(_ left: String, _ right: String) -> Int {
  let left = Array(left.unicodeScalars)
  let right = Array(right.unicodeScalars)
  var beforeLast: [Int] = []
  var last = Array(0...right.count)
  for row in left.indices {
    var next = [row + 1]
    for column in right.indices {
      let isSame = left[row] == right[column]
      var best = min(last[column] + (isSame ? 0 : 1), last[column + 1] + 1, next[column] + 1)
      if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
        best = min(best, beforeLast[column - 1] + 1)
      }
      next.append(best)
    }
    beforeLast = last
    last = next
  }
  return last[right.count]
}

/// The name that somebody who wrote `found` most likely meant; nil when none is near.
public func nearest(to found: String, among names: [String]) -> String? {
  guard found.utf8.count <= 64 else { return nil }
  let reach = max(2, found.count / 3)
  let ranked = names.map { (name: $0, distance: editDistance(found.lowercased(), $0.lowercased())) }
  guard let best = ranked.min(by: { $0.distance < $1.distance }), best.distance <= reach,
    best.distance < best.name.count
  else { return nil }
  return best.name
}
