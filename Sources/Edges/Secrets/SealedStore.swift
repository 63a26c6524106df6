internal import CMartletSodium
internal import Glibc
public import MartletBase

/// Keys in one file that a passphrase opens.
///
/// Names, venues, slots, fingerprints and dates stand in it readable, so that a list and a check of a
/// configuration need no passphrase; they are sealed with their entry all the same, and cannot be
/// changed unnoticed by whoever lacks the passphrase. An older copy of the whole file put in its place
/// is not noticed.
///
/// - Bounds: `maximumEntries` entries.
public struct SealedStore: ~Copyable {
  public static let maximumEntries = 64
  /// Of a name, in bytes.
  public static let maximumName = 32
  /// The variable that names another place than the standard one.
  public static let variable = "MARTLET_KEYS"

  /// What a key is used for.
  public enum Slot: UInt8, CaseIterable, Sendable {
    case any = 0
    case spot = 1
    case contracts = 2

    /// As users write it.
    public var word: String {
      switch self {
      case .any: "any"
      case .spot: "spot"
      case .contracts: "contracts"
      }
    }
  }

  /// All of an entry that may be seen.
  public struct Entry: Equatable, Sendable {
    public let name: String
    public let venue: String
    public let slot: Slot
    /// As `Credentials.fingerprint` tells it.
    public let fingerprint: String
    /// Whole seconds.
    public let added: Timestamp
    /// Such as `2026-01-31T08:15:00Z`.
    public var addedText: String { KeyLock.calendar(added) }

    public init(name: String, venue: String, slot: Slot, fingerprint: String, added: Timestamp) {
      self.name = name
      self.venue = venue
      self.slot = slot
      self.fingerprint = fingerprint
      self.added = added
    }
  }

  /// What a guess at the passphrase costs: Argon2id over so much memory, so many times.
  public struct Cost: Equatable, Sendable {
    public let passes: UInt32
    public let kibibytes: UInt32
    public init(passes: UInt32, kibibytes: UInt32) {
      self.passes = passes
      self.kibibytes = kibibytes
    }

    /// Three passes over 64 MiB, a tenth of a second or so.
    ///
    /// - Source: RFC 9106, section 4, the recommendation for where memory is scarce.
    public static let standard = Cost(passes: 3, kibibytes: 65_536)
    /// What is done for a file that asks for it; a made-up one must not take the machine.
    static let acceptedPasses = UInt32(1)...16
    static let acceptedKibibytes = UInt32(8_192)...1_048_576
    var isAccepted: Bool {
      Cost.acceptedPasses.contains(passes) && Cost.acceptedKibibytes.contains(kibibytes)
    }
  }

  public let path: String
  var content: StoreContent
  /// Of the passphrase and the file's salt.
  private let key: Secret

  /// `MARTLET_KEYS`, or `.martlet/keys.sealed` from the working folder.
  public static var standardPath: String {
    // The environment's text lives until somebody changes that variable, which nobody does.
    if let named = unsafe getenv(variable), unsafe named[0] != 0 {
      return unsafe String(cString: named)
    }
    return ".martlet/keys.sealed"
  }

  public static func isName(_ text: String) -> Bool {
    (1...maximumName).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        byte >= 48 && byte <= 57 || byte >= 65 && byte <= 90 || byte >= 97 && byte <= 122
          || byte == 45 || byte == 95
      }
  }

  private init(path: String, content: StoreContent, key: Secret) {
    self.path = path
    self.content = content
    self.key = key
  }

  /// A store without entries, not written yet.
  public static func make(
    _ path: String, passphrase: Secret, cost: Cost = .standard
  ) throws(StoreFault) -> SealedStore {
    guard cost.isAccepted else {
      throw .cost(path: path, passes: cost.passes, kibibytes: cost.kibibytes)
    }
    let content = StoreContent(cost: cost, salt: StoreContent.random(Int(CMARTLET_SALT)))
    return SealedStore(
      path: path, content: content, key: try derive(content, passphrase, path))
  }

  /// Opens the file at `path`, and proves that all of it was sealed with this passphrase.
  public static func open(
    _ path: String, passphrase: Secret
  ) throws(StoreFault) -> SealedStore {
    let content = try StoreContent(reading: path)
    let key = try derive(content, passphrase, path)
    guard content.isSealed(with: key.span) else { throw .wrongPassphrase(path: path) }
    return SealedStore(path: path, content: content, key: key)
  }

  /// What the file at `path` says of its entries, which nobody has proved without the passphrase.
  public static func listing(_ path: String) throws(StoreFault) -> Listing {
    Listing(path: path, entries: try StoreContent(reading: path).rows.map(\.entry))
  }

  public struct Listing: Equatable, Sendable {
    public let path: String
    public let entries: [Entry]

    /// The entry of a name.
    @discardableResult public func require(_ name: String) throws(StoreFault) -> Entry {
      guard let entry = entries.first(where: { $0.name == name }) else {
        throw .unknown(name: name, path: path, known: entries.map(\.name))
      }
      return entry
    }

    public func requireAbsent(_ name: String) throws(StoreFault) {
      if entries.contains(where: { $0.name == name }) { throw .taken(name: name) }
      if entries.count >= maximumEntries { throw .full(limit: maximumEntries) }
    }
  }

  public var entries: [Entry] { content.rows.map(\.entry) }

  /// Seals credentials under a name that is not taken. Nothing is written before `save`.
  public mutating func add(
    _ credentials: Credentials, named name: String, venue: String, slot: Slot, at now: Timestamp
  ) throws(StoreFault) {
    guard SealedStore.isName(name) else { throw .badName }
    guard !content.rows.contains(where: { $0.entry.name == name }) else {
      throw .taken(name: name)
    }
    guard content.rows.count < SealedStore.maximumEntries else {
      throw .full(limit: SealedStore.maximumEntries)
    }
    let entry = Entry(
      name: name, venue: venue, slot: slot, fingerprint: credentials.fingerprint,
      added: Timestamp(milliseconds: now.seconds * 1_000))
    let line = Secret(joining: credentials.key, credentials.secret)
    content.rows.append(StoreContent.Row(sealing: line.span, as: entry, with: key.span))
  }

  public mutating func remove(_ name: String) throws(StoreFault) {
    guard let index = content.rows.firstIndex(where: { $0.entry.name == name }) else {
      throw .unknown(name: name, path: path, known: entries.map(\.name))
    }
    content.rows.remove(at: index)
  }

  /// Opens one entry.
  public func credentials(named name: String) throws(StoreFault) -> Credentials {
    guard let row = content.rows.first(where: { $0.entry.name == name }) else {
      throw .unknown(name: name, path: path, known: entries.map(\.name))
    }
    guard let line = row.open(with: key.span) else {
      throw .foreignEntry(path: path, name: name)
    }
    let credentials: Credentials
    do throws(ShapeFault) {
      credentials = try Credentials(parsing: line.span)
    } catch {
      throw .wrongShape(error)
    }
    guard credentials.fingerprint == row.entry.fingerprint else {
      throw .foreignEntry(path: path, name: name)
    }
    return credentials
  }

  /// Puts this store in the place of the file, whole or not at all.
  public mutating func save() throws(StoreFault) {
    let bytes = content.sealed(with: key.span)
    try StoreFile.replace(path, with: bytes)
  }

  static func derive(
    _ content: StoreContent, _ passphrase: Secret, _ path: String
  ) throws(StoreFault) -> Secret {
    let cost = content.cost
    var isMade = false
    let words = passphrase.span
    let key = unsafe Secret(capacity: Int(CMARTLET_SEALING_KEY)) { room in
      // The room is a key's, the salt a salt's; the passphrase is read during the call alone.
      let result = unsafe words.withUnsafeBytes { words in
        unsafe cmartlet_sealing_key(
          room.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: UInt8.self),
          words.baseAddress, words.count, content.salt, cost.passes, cost.kibibytes)
      }
      isMade = result == 0
      return room.count
    }
    guard isMade else { throw .noMemory(path: path, kibibytes: cost.kibibytes) }
    return key
  }
}
