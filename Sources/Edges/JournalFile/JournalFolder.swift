internal import CMartletLinux
internal import Glibc

/// A journal's folder: `00000001.mjl`, `00000002.mjl`, …, and `lock`.
struct JournalFolder: SegmentStore {
  let path: String
  init(_ path: String) { self.path = path }

  private static let suffix = ".mjl"
  private var lockPath: String { path + "/lock" }

  /// What the folder holds.
  struct Content {
    /// In order.
    var segments: [UInt32] = []
    /// The first name, in order, that no journal has.
    var foreign: String?
  }

  func content() throws(JournalFault) -> Content {
    // `opendir` gives a stream that is closed below; its entries live until the next `readdir`.
    guard let stream = unsafe opendir(path) else {
      throw .failed("opendir", path, errno: errno)
    }
    defer { unsafe closedir(stream) }
    var content = Content()
    var foreign: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        // The name ends in a zero byte inside its field.
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
          unsafe String(cString: $0)
        }
      }
      if name == "." || name == ".." || name == "lock" { continue }
      if let number = number(of: name) {
        content.segments.append(number)
      } else {
        foreign.append(name)
      }
    }
    content.segments.sort()
    content.foreign = foreign.min()
    return content
  }

  private func number(of name: String) -> UInt32? {
    guard name.hasSuffix(JournalFolder.suffix) else { return nil }
    let digits = name.dropLast(JournalFolder.suffix.count)
    guard let number = UInt32(digits), number >= 1, file(number) == name else { return nil }
    return number
  }

  func segments() throws(JournalFault) -> [UInt32] {
    let content = try content()
    for (index, number) in content.segments.enumerated() where number != UInt32(index + 1) {
      throw .segmentMissing(file: path(UInt32(index + 1)))
    }
    if content.segments.isEmpty, let foreign = content.foreign {
      throw .notAJournal(folder: path, found: foreign)
    }
    return content.segments
  }

  func makeFolder() throws(JournalFault) {
    guard Paths.makeFolder(path) == 0 || errno == EEXIST else {
      throw .failed("mkdir", path, errno: errno)
    }
  }

  func prepare(
    _ number: UInt32, bytes: Int, isNew: Bool
  ) throws(JournalFault) -> MappedSegment {
    let segment = try MappedSegment.prepare(number, at: path(number), bytes: bytes, isNew: isNew)
    // So that a power cut does not lose the file that the next records will stand in.
    if isNew { Paths.syncFolder(path) }
    return segment
  }

  func map(_ number: UInt32) throws(JournalFault) -> MappedSegment? {
    try MappedSegment.map(number, at: path(number))
  }

  func remove(_ number: UInt32) throws(JournalFault) {
    guard Paths.remove(path(number)) == 0 else {
      throw .failed("unlink", path(number), errno: errno)
    }
  }

  func sync(_ segment: MappedSegment) throws(JournalFault) {
    let result = cmartlet_fdatasync(segment.descriptor)
    guard result >= 0 else {
      throw .failed("fdatasync", path(segment.number), errno: -result)
    }
  }

  func syncNames() { Paths.syncFolder(path) }

  /// The system lets the lock go with the process, however it ends.
  func lock() throws(JournalFault) -> Int32 {
    let descriptor = Paths.open(lockPath, O_RDWR | O_CREAT)
    guard descriptor >= 0 else {
      throw .failed("open", lockPath, errno: errno, neededBytes: 64)
    }
    guard cmartlet_lock(descriptor) == 0 else {
      var text = [UInt8](repeating: 0, count: 20)
      let count = unsafe read(descriptor, &text, text.count)
      Glibc.close(descriptor)
      let holder = Int(String(decoding: text.prefix(max(count, 0)), as: UTF8.self))
      throw .inUse(folder: path, processID: holder)
    }
    // For people and for the message above; the lock itself is the system's.
    let holder = Array(String(getpid()).utf8)
    ftruncate(descriptor, 0)
    _ = unsafe write(descriptor, holder, holder.count)
    return descriptor
  }

  func unlock(_ lock: Int32) { Paths.unlock(lock) }
}
