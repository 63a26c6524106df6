import MartletBase
import Testing

@Suite struct OrderedMapTests {
  @Test func itIsAMapThatWalksInTheOrderOfItsKeys() throws {
    for seed in UInt64(1)...100 {
      var random = SeededRandom(seed: seed)
      var map = OrderedMap<Int64, UInt64>(capacity: 12)
      var model: [(key: Int64, value: UInt64)] = []
      for _ in 0..<200 {
        let key = random.integer(in: -10...10)
        let place = model.firstIndex { $0.key == key }
        switch random.below(10) {
        case 0..<6:
          let value = random.next()
          let found = map.insert(value, for: key)
          if let place {
            model[place].value = value
            try #require(found == .replaced, "seed \(seed)")
          } else if model.count == 12 {
            try #require(found == .full, "seed \(seed)")
          } else {
            model.append((key, value))
            model.sort { $0.key < $1.key }
            try #require(found == .inserted, "seed \(seed)")
          }
        case 6..<9:
          let value = map.removeValue(for: key)
          try #require(value == place.map { model.remove(at: $0).value }, "seed \(seed)")
        default:
          if let index = map.index(of: key) {
            map[valueAt: index] &+= 1
            model[index].value &+= 1
          }
        }
        try #require(map.elementsEqual(model, by: ==), "seed \(seed)")
        let bound = model.firstIndex { $0.key >= key } ?? model.count
        try #require(map.firstIndex(notBefore: key) == bound, "seed \(seed)")
        try #require(map.value(for: key) == model.first { $0.key == key }?.value, "seed \(seed)")
      }
      if seed <= 5 {
        expectWholeOrNothing(map, into: OrderedMap(capacity: 12), "seed \(seed)")
      }
    }
  }

  @Test func aSnapshotThatNoMapWroteIsRefused() {
    var large = OrderedMap<Int64, Int64>(capacity: 3)
    for key in Int64(1)...3 { #expect(large.insert(key, for: key) == .inserted) }
    var bytes = written(large)
    #expect(throws: SnapshotReader.Fault.impossible("3 entries in a map of 2", offset: 11)) {
      var small = OrderedMap<Int64, Int64>(capacity: 2)
      var reader = SnapshotReader(bytes)
      try small.read(from: &reader)
    }
    bytes[15] = 2  // The first key is now the second's equal.
    #expect(throws: SnapshotReader.Fault.impossible("keys out of order", offset: 31)) {
      var copy = OrderedMap<Int64, Int64>(capacity: 3)
      var reader = SnapshotReader(bytes)
      try copy.read(from: &reader)
    }
  }
}

/// A key whose hashes collide more often than not.
private struct Colliding: StablyHashed, SnapshotValue {
  var number: UInt64
  var stableHash: UInt64 { number % 3 }
  static var filler: Colliding { Colliding(number: 0) }
  init(number: UInt64) { self.number = number }
  func write(to snapshot: inout SnapshotWriter) { snapshot.write(number) }
  init(from snapshot: inout SnapshotReader) throws(SnapshotReader.Fault) {
    number = try snapshot.read()
  }
}

@Suite struct HashIndexTests {
  @Test func itFindsWhatWasPutAndNothingElse() throws {
    for seed in UInt64(1)...60 {
      try check(seed, capacity: 16, range: 40) { Colliding(number: $0) }
      try check(seed, capacity: 16, range: 40) { $0 &* 0x1_0000_0000 }
      try check(seed, capacity: 100, range: 130) { UInt128($0) << 64 }
      try check(seed, capacity: 50, range: 80) { number -> InlineText in
        InlineText(String(number, radix: 36) + "-the-same-tail") ?? InlineText()
      }
    }
  }

  private func check<Key: StablyHashed & SnapshotValue>(
    _ seed: UInt64, capacity: Int, range: UInt64, key: (UInt64) -> Key
  ) throws {
    var random = SeededRandom(seed: seed)
    var index = HashIndex<Key>(capacity: capacity)
    var model = [Int?](repeating: nil, count: Int(range))
    var count = 0
    for _ in 0..<400 {
      let number = random.below(range)
      if random.chance(3, in: 5) {
        let value = Int(random.below(UInt64(Int32.max)))
        let found = index.insert(value, for: key(number))
        if model[Int(number)] != nil {
          try #require(found == .replaced, "seed \(seed)")
        } else if count == capacity {
          try #require(found == .full, "seed \(seed)")
          continue
        } else {
          try #require(found == .inserted, "seed \(seed)")
          count += 1
        }
        model[Int(number)] = value
      } else {
        try #require(index.removeValue(for: key(number)) == model[Int(number)], "seed \(seed)")
        if model[Int(number)] != nil { count -= 1 }
        model[Int(number)] = nil
      }
      try #require(index.count == count && index.isEmpty == (count == 0), "seed \(seed)")
    }
    var copy = HashIndex<Key>(capacity: capacity)
    var reader = SnapshotReader(written(index))
    try copy.read(from: &reader)
    for number in 0..<range {
      try #require(index.value(for: key(number)) == model[Int(number)], "seed \(seed)")
      try #require(copy.value(for: key(number)) == model[Int(number)], "seed \(seed)")
    }
  }

  @Test func theFillerIsAKeyLikeAnyOther() {
    var index = HashIndex<UInt64>(capacity: 2)
    #expect(index.value(for: 0) == nil)
    #expect(index.insert(7, for: 0) == .inserted && index.value(for: 0) == 7)
    #expect(index.removeValue(for: 0) == 7 && index.value(for: 0) == nil)
  }

  @Test func snapshotsAreWholeOrNothing() {
    var index = HashIndex<UInt64>(capacity: 4)
    for key in UInt64(1)...4 { #expect(index.insert(Int(key), for: key) == .inserted) }
    expectWholeOrNothing(index, into: HashIndex(capacity: 4))
    let bytes = written(index)
    #expect(throws: SnapshotReader.Fault.self) {
      var small = HashIndex<UInt64>(capacity: 3)
      var reader = SnapshotReader(bytes)
      try small.read(from: &reader)
    }
  }

  @Test func whatIsNoPlaceInASlabTraps() async {
    await #expect(processExitsWith: .failure) {
      var index = HashIndex<UInt64>(capacity: 4)
      keep(index.insert(-1, for: 1))
    }
  }
}

@Suite struct SlabIndexTests {
  /// Things with keys that collide more often than not, and their index.
  private struct Slab {
    var keys: [UInt64?]
    var index: SlabIndex

    init(_ capacity: Int) {
      keys = Array(repeating: nil, count: capacity)
      index = SlabIndex(capacity: capacity)
    }

    func place(of key: UInt64) -> SlabIndex.Place {
      index.find(key % 3) { keys[$0] == key }
    }
  }

  @Test func itFindsInASlabWhatWasPutAndNothingElse() throws {
    for seed in UInt64(1)...100 {
      var random = SeededRandom(seed: seed)
      var slab = Slab(12)
      for _ in 0..<300 {
        let key = random.below(20)
        let place = slab.place(of: key)
        let known = slab.keys.firstIndex(of: key)
        try #require(place.value == known, "seed \(seed)")
        let free = slab.keys.firstIndex(of: nil)
        if random.chance(3, in: 5) {
          let target = known ?? free ?? 0
          let expected: Admission = known != nil ? .replaced : free != nil ? .inserted : .full
          try #require(slab.index.put(target, at: place) == expected, "seed \(seed)")
          if expected != .full { slab.keys[target] = key }
        } else {
          slab.index.remove(at: place)
          if let known { slab.keys[known] = nil }
        }
        let held = slab.keys.count { $0 != nil }
        try #require(slab.index.count == held, "seed \(seed)")
      }
      slab.index.removeAll()
      try #require(slab.index.count == 0, "seed \(seed)")
      for key in UInt64(0)..<20 { try #require(slab.place(of: key).value == nil, "seed \(seed)") }
    }
  }

  @Test func aKeyMayMoveToAnotherThing() {
    var slab = Slab(4)
    #expect(slab.index.put(0, at: slab.place(of: 7)) == .inserted)
    slab.keys[0] = 7
    #expect(slab.index.put(1, at: slab.place(of: 7)) == .replaced)
    slab.keys[1] = 7
    #expect(slab.place(of: 7).value == 1 && slab.index.count == 1)
  }

  @Test func whatIsNoPlaceInASlabTraps() async {
    await #expect(processExitsWith: .failure) {
      var index = SlabIndex(capacity: 4)
      keep(index.put(-1, at: index.find(1) { _ in true }))
    }
  }
}

@Suite struct RingTests {
  @Test func firstInIsFirstOutWithinTheBound() throws {
    for seed in UInt64(1)...100 {
      var random = SeededRandom(seed: seed)
      let capacity = Int(random.integer(in: 1...7))
      var ring = Ring<UInt64>(capacity: capacity)
      var model: [UInt64] = []
      for step in UInt64(0)..<200 {
        if random.chance(1, in: 2) {
          let expected: Admission = model.count < capacity ? .inserted : .full
          try #require(ring.append(step) == expected, "seed \(seed)")
          if expected == .inserted { model.append(step) }
        } else {
          let expected = model.isEmpty ? nil : model.removeFirst()
          try #require(ring.popFirst() == expected, "seed \(seed)")
        }
        try #require(Array(ring) == model && ring.isFull == (model.count == capacity))
        try #require(ring.first == model.first && ring.last == model.last, "seed \(seed)")
      }
      if seed <= 10 { expectWholeOrNothing(ring, into: Ring(capacity: capacity), "seed \(seed)") }
      ring.removeAll()
      #expect(ring.isEmpty && ring == Ring(capacity: 99))
    }
  }

  @Test func anElementThatIsNotThereTraps() async {
    await #expect(processExitsWith: .failure) {
      let ring = Ring<Int>(capacity: 3)
      keep(ring[0])
    }
    await #expect(processExitsWith: .failure) { keep(Ring<Int>(capacity: 0)) }
  }
}

@Suite struct BoundedSetTests {
  @Test func itKnowsTheLastIdsAndForgetsTheOldest() throws {
    for seed in UInt64(1)...100 {
      var random = SeededRandom(seed: seed)
      var set = BoundedSet<UInt64>(capacity: 8)
      var model: [UInt64] = []
      for _ in 0..<300 {
        let id = random.below(14)
        try #require(set.contains(id) == model.contains(id), "seed \(seed)")
        let isNew = !model.contains(id)
        try #require(set.insert(id) == isNew, "seed \(seed)")
        if isNew { model.append(id) }
        if model.count > 8 { model.removeFirst() }
        try #require(set.count == model.count && set.capacity == 8, "seed \(seed)")
      }
      if seed <= 5 { expectWholeOrNothing(set, into: BoundedSet(capacity: 8), "seed \(seed)") }
    }
  }
}

@Suite struct TimerHeapTests {
  @Test func timersFireByDeadlineAndThenInTheOrderTheyWereSet() throws {
    for seed in UInt64(1)...100 {
      var random = SeededRandom(seed: seed)
      var heap = TimerHeap<UInt64>(capacity: 10)
      var model: [(deadline: Int64, number: UInt64, token: TimerToken)] = []
      var past: [TimerToken] = []
      var now: Int64 = 0
      for step in UInt64(1)...300 {
        switch random.below(10) {
        case 0..<6:
          let deadline = now + random.integer(in: -2...6)
          let token = heap.set(step, at: Timestamp(nanoseconds: deadline))
          try #require((token != nil) == (model.count < 10), "seed \(seed)")
          if let token { model.append((deadline, step, token)) }
        case 6..<8:
          guard !model.isEmpty else { continue }
          let victim = model.remove(at: Int(random.below(UInt64(model.count))))
          try #require(heap.isWaiting(victim.token), "seed \(seed)")
          try #require(heap.cancel(victim.token) == victim.number, "seed \(seed)")
          past.append(victim.token)
        default:
          now += random.integer(in: 0...4)
          // Stable by hand: least deadline, then least number.
          let due = model.filter { $0.deadline <= now }
            .sorted { ($0.deadline, $0.number) < ($1.deadline, $1.number) }
          model.removeAll { $0.deadline <= now }
          for timer in due {
            let fired = heap.popDue(at: Timestamp(nanoseconds: now))
            try #require(fired?.payload == timer.number, "seed \(seed)")
            try #require(fired?.deadline.nanoseconds == timer.deadline, "seed \(seed)")
            past.append(timer.token)
          }
          try #require(heap.popDue(at: Timestamp(nanoseconds: now)) == nil, "seed \(seed)")
        }
        let next = model.map(\.deadline).min() ?? .max
        try #require(heap.nextDeadline.nanoseconds == next, "seed \(seed)")
        try #require(heap.count == model.count && heap.isEmpty == model.isEmpty, "seed \(seed)")
      }
      for token in past {
        try #require(!heap.isWaiting(token) && heap.cancel(token) == nil, "seed \(seed)")
      }
      if seed <= 5 { expectWholeOrNothing(heap, into: TimerHeap(capacity: 10), "seed \(seed)") }
    }
  }

  @Test func aRestoredHeapGoesOnAsTheOtherWould() throws {
    for seed in UInt64(1)...50 {
      var random = SeededRandom(seed: seed)
      var heap = TimerHeap<UInt64>(capacity: 6)
      var restored = TimerHeap<UInt64>(capacity: 6)
      for step in UInt64(1)...100 {
        let deadline = Timestamp(nanoseconds: random.integer(in: 0...20))
        let isSetting = random.chance(2, in: 3)
        if step == 50 {
          var reader = SnapshotReader(written(heap))
          try restored.read(from: &reader)
        }
        if isSetting {
          let token = heap.set(step, at: deadline)
          if step >= 50 { try #require(restored.set(step, at: deadline) == token, "seed \(seed)") }
        } else {
          let fired = heap.popDue(at: deadline)
          if step >= 50 {
            let other = restored.popDue(at: deadline)
            try #require(other?.payload == fired?.payload, "seed \(seed)")
          }
        }
      }
      #expect(written(heap) == written(restored), "seed \(seed)")
    }
  }

  @Test func aSnapshotThatNoHeapWroteIsRefused() {
    var heap = TimerHeap<UInt64>(capacity: 3)
    for number in UInt64(1)...3 {
      #expect(heap.set(number, at: Timestamp(nanoseconds: Int64(number))) != nil)
    }
    let bytes = written(heap)
    var refused = 0
    for index in bytes.indices {
      for change in [UInt8(1), 0x80] {
        var changed = bytes
        changed[index] ^= change
        var copy = TimerHeap<UInt64>(capacity: 3)
        var reader = SnapshotReader(changed)
        do {
          try copy.read(from: &reader)
          // What passes is a heap: it fires in order.
          var last = Timestamp(nanoseconds: .min)
          while let fired = copy.popDue(at: .distantFuture) {
            #expect(fired.deadline >= last)
            last = fired.deadline
          }
        } catch {
          refused += 1
        }
      }
    }
    #expect(refused > 0)
  }
}
