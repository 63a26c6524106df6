/// Why a sealed store cannot be used. Says which and what to do; never what is in it.
public enum StoreFault: Error, Equatable, Sendable {
  case missing(path: String)
  case file(PrivateFileFault)
  /// Others may put another file in its place.
  case exposedFolder(path: String, mode: UInt32)
  case notAStore(path: String)
  case newerVersion(path: String, found: UInt16, known: UInt16)
  case truncated(path: String, expected: Int, found: Int)
  /// Its bytes are not those that were written.
  case damaged(path: String)
  case wrongPassphrase(path: String)
  /// It opens, and one entry was not sealed by whoever sealed the rest.
  case foreignEntry(path: String, name: String)
  /// Making the key of the passphrase takes more memory than there is.
  case noMemory(path: String, kibibytes: UInt32)
  /// What it asks for to make its key is outside what this build does.
  case cost(path: String, passes: UInt32, kibibytes: UInt32)
  case badName
  case taken(name: String)
  case unknown(name: String, path: String, known: [String])
  case full(limit: Int)
  /// Another process is writing it.
  case busy(path: String)
  case wrongShape(ShapeFault)
  case system(call: String, path: String, errno: Int32)
}

extension StoreFault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .missing(let path):
      "\(path): no key store yet; this makes one: ./martlet keys add NAME (MARTLET_KEYS names another place)"
    case .file(let fault): "\(fault)"
    case .exposedFolder(let path, let mode):
      "\(path): mode 0\(String(mode, radix: 8)) lets others put another key store in place; run: chmod 700 \(path)"
    case .notAStore(let path): "\(path): expected a key store, found something else"
    case .newerVersion(let path, let found, let known):
      "\(path): a key store of version \(found), and this build knows version \(known); use the build that wrote it"
    case .truncated(let path, let expected, let found):
      "\(path): expected \(expected) bytes, found \(found), so the end is missing; put a copy back, or add the keys anew to another file"
    case .damaged(let path):
      "\(path): its bytes are not those that were written; put a copy back, or add the keys anew to another file"
    case .wrongPassphrase(let path):
      "\(path): the passphrase does not open it; nothing is wrong with the file by its own checksum"
    case .foreignEntry(let path, let name):
      "\(path): \(name) was not sealed with the rest of it; remove the entry and make that key anew at the venue"
    case .noMemory(let path, let kibibytes):
      "\(path): opening it takes \(kibibytes / 1024) MiB of memory for a moment, and there is not that much"
    case .cost(let path, let passes, let kibibytes):
      "\(path): asks for \(passes) passes over \(kibibytes / 1024) MiB to open, which is outside what this build does"
    case .badName:
      "expected a name of 1 to \(SealedStore.maximumName) letters, digits, - or _ for a key, found something else"
    case .taken(let name):
      "there is a key \(name) already; choose another name, or remove it first: ./martlet keys remove \(name)"
    case .unknown(let name, let path, let known):
      "\(path): no key \(name); "
        + (known.isEmpty ? "it holds none" : "it holds \(known.sorted().joined(separator: ", "))")
    case .full(let limit): "the key store holds \(limit) keys, and no more; remove one"
    case .busy(let path): "\(path): another process is changing it; try again"
    case .wrongShape(let reason): "expected KEY:SECRET, found \(reason)"
    case .system(let call, let path, let errno): "\(path): \(call) failed with errno \(errno)"
    }
  }
}
