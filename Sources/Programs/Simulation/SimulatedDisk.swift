internal import Glibc
public import MartletBase
public import MartletJournalFile

/// A disk that forgets as real ones do: what a process stored outlives the process, and what was not
/// synced need not outlive the machine.
///
/// A journal written to it runs through the same writer, reader and recovery as one in files.
///
/// - Bounds: `capacity` bytes.
@safe public final class SimulatedDisk: @unchecked Sendable {
  /// What the disk refuses now.
  public enum Trouble: Equatable, Sendable {
    case none
    /// No room for another segment.
    case full
    /// Mounted read-only: no segment is made, grown or removed.
    case readOnly
    /// Syncs fail, and nobody knows what reached the disk.
    case failing
  }

  public var trouble = Trouble.none
  /// Says that it synced, and did not.
  public var losesSyncs = false
  public let capacity: Int
  public private(set) var syncs = 0
  /// Bytes that starts cut off.
  public private(set) var keptBytes = 0
  /// Segments that power cuts took by name.
  public private(set) var segmentsLost = 0

  private var cells: [Cell] = []
  /// Of segments that are gone, for whoever still has them open.
  private var removed: [Cell] = []
  private var generation: Int32 = 0
  private var isLocked = false
  /// How often the machine began, and when a journal was last opened whole.
  private var boots = 1
  private var notedBoot = 0
  /// Names were to be brought to disk and were not: the next sync that is done brings them.
  private var owesNames = false

  /// The sector that a disk writes whole or not at all.
  private static let sector = 512

  /// One segment: what processes see, and what the disk has.
  @safe private final class Cell {
    let number: UInt32
    let memory: UnsafeMutableRawPointer
    let bytes: Int
    var durable: [UInt8]
    /// What of it was brought to disk, from its start.
    var durableEnd = 0
    /// A writer that recovered has cleared what was behind: all of it goes to disk at the next sync.
    var isRewritten = false
    /// A sync of it was said to be done, and was not.
    var isOwed = false
    /// Its name was brought to disk.
    var isNamed = false

    init(number: UInt32, bytes: Int) {
      self.number = number
      self.bytes = bytes
      unsafe memory = .allocate(byteCount: bytes, alignment: 4096)
      unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
      durable = [UInt8](repeating: 0, count: bytes)
    }

    deinit { unsafe memory.deallocate() }

    /// The cell lives as long as the disk, or until the next mount when it is removed.
    var segment: MappedSegment {
      unsafe MappedSegment(memory: memory, number: number, bytes: bytes)
    }

    func isZero(_ range: Range<Int>) -> Bool {
      for offset in range where unsafe memory.load(fromByteOffset: offset, as: UInt8.self) != 0 {
        return false
      }
      return true
    }

    /// Stores lie one behind the other: what follows a whole page of zeros was never stored to.
    func bringToDisk() {
      if isRewritten {
        for offset in 0..<bytes {
          durable[offset] = unsafe memory.load(fromByteOffset: offset, as: UInt8.self)
        }
        isRewritten = false
        durableEnd = 0
      }
      // The last page that had anything may have more by now.
      var offset = max(durableEnd - 4096, 0)
      while offset < bytes {
        let end = min(offset + 4096, bytes)
        if isZero(offset..<end) { break }
        // Both hold `bytes` bytes, and `end` is no more.
        unsafe durable.withUnsafeMutableBytes {
          unsafe ($0.baseAddress.unsafelyUnwrapped + offset).copyMemory(
            from: memory + offset, byteCount: end - offset)
        }
        offset = end
      }
      durableEnd = offset
    }

    /// Some sectors that were not synced reached the disk by themselves, and some did not.
    func forget(_ random: inout SeededRandom) {
      // Mostly they go in order, as they were stored; a disk's own queue may turn them round.
      let isInOrder = random.below(2) == 0
      var isLost = false
      var start = isRewritten ? 0 : max(durableEnd - 4096, 0)
      var zeros = 0
      while start < bytes && zeros < 64 {
        let end = min(start + SimulatedDisk.sector, bytes)
        zeros = isZero(start..<end) ? zeros + 1 : 0
        let draw = random.below(4) == 0
        isLost = isInOrder ? isLost || draw : draw
        if isLost {
          for offset in start..<end {
            unsafe memory.storeBytes(of: durable[offset], toByteOffset: offset, as: UInt8.self)
          }
        }
        start = end
      }
      isRewritten = true
      bringToDisk()
    }
  }

  public init(capacity: Int = 64 << 20) { self.capacity = capacity }

  /// The disk as the next process sees it; what an earlier one still does to it does nothing.
  public func mount() -> some SegmentStore {
    generation += 1
    isLocked = false
    removed = []
    return Mount(disk: self, generation: generation)
  }

  /// The process dies in the middle of a store: a record lies half laid behind the last one.
  ///
  /// - Parameter place: where the next record was due.
  public func tear(_ place: (segment: UInt32, offset: Int), _ random: inout SeededRandom) {
    guard let cell = cells.first(where: { $0.number == place.segment }) else { return }
    // A record's first word is stored last: a dying process leaves it zero.
    let start = place.offset + 8
    let length = min(Int(random.below(400)), cell.bytes - start)
    guard length > 0 else { return }
    for offset in start..<start + length {
      let byte = UInt8(truncatingIfNeeded: random.next())
      unsafe cell.memory.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
    }
  }

  /// The machine loses its power: what was not synced is lost in part, and segments that nobody
  /// brought to disk by name may be gone, the latest first.
  public func losePower(_ random: inout SeededRandom) {
    generation += 1
    boots += 1
    isLocked = false
    trouble = .none
    // Names are brought to disk together, and otherwise in the order they were made.
    while let last = cells.last, !last.isNamed, random.below(2) == 0 {
      removed.append(cells.removeLast())
      segmentsLost += 1
    }
    for cell in cells {
      cell.isNamed = true
      cell.forget(&random)
    }
    owesNames = false
  }

  private func bringNamesToDisk() {
    for cell in cells { cell.isNamed = true }
    owesNames = false
  }

  private var used: Int { cells.reduce(0) { $0 + $1.bytes } }

  private struct Mount: SegmentStore {
    let disk: SimulatedDisk
    let generation: Int32
    var path: String { "simulated disk" }

    private var isOver: Bool { disk.generation != generation }

    private func fault(_ call: String, _ errno: Int32) -> JournalFault {
      .system(call: call, path: path, errno: errno)
    }

    func makeFolder() throws(JournalFault) {}

    func segments() throws(JournalFault) -> [UInt32] { disk.cells.map(\.number) }

    func prepare(
      _ number: UInt32, bytes: Int, isNew: Bool
    ) throws(JournalFault) -> MappedSegment {
      if isOver { throw fault("open", EIO) }
      if let cell = disk.cells.first(where: { $0.number == number }) {
        if isNew { throw fault("open", EEXIST) }
        if disk.trouble == .readOnly { throw .permission(path: path) }
        cell.isRewritten = true
        return cell.segment
      }
      switch disk.trouble {
      case .readOnly: throw .permission(path: path)
      case .full: throw .diskFull(path: path, neededBytes: bytes)
      case .none, .failing: break
      }
      guard disk.used + bytes <= disk.capacity else {
        throw .diskFull(path: path, neededBytes: bytes)
      }
      let cell = Cell(number: number, bytes: bytes)
      disk.cells.append(cell)
      return cell.segment
    }

    func map(_ number: UInt32) throws(JournalFault) -> MappedSegment? {
      disk.cells.first { $0.number == number }?.segment
    }

    func remove(_ number: UInt32) throws(JournalFault) {
      guard !isOver, let index = disk.cells.firstIndex(where: { $0.number == number }) else {
        return
      }
      if disk.trouble == .readOnly { throw .permission(path: path) }
      disk.removed.append(disk.cells.remove(at: index))
    }

    func sync(_ segment: MappedSegment) throws(JournalFault) {
      guard !isOver, let cell = disk.cells.first(where: { $0.number == segment.number }) else {
        return
      }
      if disk.trouble == .failing { throw fault("fdatasync", EIO) }
      disk.syncs += 1
      cell.isOwed = disk.losesSyncs
      if disk.losesSyncs { return }
      cell.bringToDisk()
      // A disk that obeys again brings what it owed as well.
      for cell in disk.cells where cell.isOwed {
        cell.bringToDisk()
        cell.isOwed = false
      }
      if disk.owesNames { disk.bringNamesToDisk() }
    }

    func syncNames() {
      guard !isOver else { return }
      // Nobody is told of one that fails, and none that was made would be made again.
      if disk.trouble == .failing || disk.losesSyncs {
        disk.owesNames = true
      } else {
        disk.bringNamesToDisk()
      }
    }

    func isSameBoot() -> Bool { disk.notedBoot == disk.boots }

    func noteBoot() { if !isOver { disk.notedBoot = disk.boots } }

    func keep(
      _ bytes: Span<UInt8>, of number: UInt32, under line: String
    ) throws(JournalFault) -> String {
      if disk.trouble == .readOnly { throw .permission(path: path) }
      if disk.trouble == .full { throw .diskFull(path: path, neededBytes: bytes.count) }
      disk.keptBytes += bytes.count
      return "\(number).cut"
    }

    func lock() throws(JournalFault) -> Int32 {
      if disk.isLocked { throw .inUse(folder: path, processID: nil) }
      disk.isLocked = true
      return generation
    }

    func unlock(_ lock: Int32) { if !isOver { disk.isLocked = false } }
  }
}
