internal import CMartletCrypto
internal import Glibc

/// Where credentials are, as a configuration names it; never the credentials.
public enum KeyReference: Equatable, Sendable, CustomStringConvertible {
  /// A file of mode 0600 with one line `KEY:SECRET`; relative to the working folder.
  case file(String)
  /// An environment variable that holds `KEY:SECRET`.
  case environment(String)

  /// Reads `file:PATH` or `env:NAME`.
  public init(_ text: String) throws(SecretsFault) {
    if text.hasPrefix("file:"), text.utf8.count > 5 {
      self = .file(String(text.dropFirst(5)))
    } else if text.hasPrefix("env:"), text.utf8.count > 4 {
      self = .environment(String(text.dropFirst(4)))
    } else {
      // What stands before a colon is a scheme; anything else may be a key pasted by mistake.
      let schemes = ["keyring", "credential", "pkcs11", "file", "env"]
      let scheme = text.split(separator: ":", maxSplits: 1).first.map(String.init) ?? ""
      throw .unknownReference(
        scheme: schemes.contains(scheme) ? "\(scheme):" : "something else")
    }
  }

  public var description: String {
    switch self {
    case .file(let path): "file:\(path)"
    case .environment(let name): "env:\(name)"
    }
  }
}

/// An API key and its secret. Prints as a fingerprint of the key.
public struct Credentials: Sendable {
  /// What a venue calls the API key. Sent with every request, and still nobody else's business.
  public let key: Secret
  public let secret: Secret

  public init(key: Secret, secret: Secret) {
    self.key = key
    self.secret = secret
  }

  /// The longest line accepted, in bytes.
  public static let maximumBytes = 4096

  /// Reads one line `KEY:SECRET`, of printable ASCII without spaces; a line feed may follow.
  public init(parsing text: Span<UInt8>) throws(ShapeFault) {
    var end = text.count
    guard end <= Credentials.maximumBytes else { throw .tooLong(limit: Credentials.maximumBytes) }
    if end > 0, text[end - 1] == 10 { end -= 1 }
    if end > 0, text[end - 1] == 13 { end -= 1 }
    guard end > 0 else { throw .empty }
    var colon: Int?
    for index in 0..<end {
      let byte = text[index]
      if byte == 10 || byte == 13 { throw .moreThanOneLine }
      guard byte > 32, byte < 127 else { throw .notPrintable }
      if byte == 58 {
        guard colon == nil else { throw .moreThanOneColon }
        colon = index
      }
    }
    guard let colon else { throw .noColon }
    guard colon > 0 else { throw .emptyKey }
    guard colon + 1 < end else { throw .emptySecret }
    key = Secret(copying: text.extracting(0..<colon))
    secret = Secret(copying: text.extracting(colon + 1..<end))
  }

  /// Fetches what `reference` names.
  public static func load(_ reference: KeyReference) throws(SecretsFault) -> Credentials {
    var text: [UInt8]
    switch reference {
    case .file(let path): text = try read(path)
    case .environment(let name):
      // The environment's text lives until somebody changes the environment, which nobody does.
      guard let value = unsafe getenv(name) else { throw .unset(variable: name) }
      text = []
      text.reserveCapacity(maximumBytes + 1)
      var index = 0
      while unsafe value[index] != 0, index <= maximumBytes {
        unsafe text.append(UInt8(bitPattern: value[index]))
        index += 1
      }
    }
    defer { Secret.wipe(&text) }
    do throws(ShapeFault) {
      return try Credentials(parsing: text.span)
    } catch {
      throw .wrongShape(origin: "\(reference)", reason: error)
    }
  }

  /// Twelve hexadecimal digits that name the key without telling it.
  public var fingerprint: String {
    var digest = [UInt8](repeating: 0, count: 32)
    let key = key.span
    unsafe key.withUnsafeBufferPointer { key in
      // The digest takes 32 bytes.
      unsafe cmartlet_sha256(key.baseAddress, key.count, &digest)
    }
    return digest.prefix(6).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// Reads a key file, having checked on the open file itself that it is nobody else's.
  private static func read(_ path: String) throws(SecretsFault) -> [UInt8] {
    // The path is a C string for the length of the call.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else {
      switch errno {
      case ENOENT, ENOTDIR: throw .missing(path: path)
      case EACCES, EPERM: throw .permission(path: path)
      default: throw .system(call: "open", path: path, errno: errno)
      }
    }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
      throw .system(call: "fstat", path: path, errno: errno)
    }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
    guard status.st_mode & 0o077 == 0 else {
      throw .exposed(path: path, mode: status.st_mode & 0o7777)
    }
    guard status.st_uid == geteuid() || status.st_uid == 0 else {
      throw .foreignOwner(path: path, owner: status.st_uid)
    }
    // Room for one byte more than is accepted, so that the array never grows and leaves a copy.
    var bytes = [UInt8](repeating: 0, count: maximumBytes + 1)
    var filled = 0
    while filled < bytes.count {
      let count = unsafe bytes.withUnsafeMutableBytes {
        // Not empty; the rest of the room is what is asked for.
        unsafe Glibc.read(
          descriptor, $0.baseAddress.unsafelyUnwrapped + filled, $0.count - filled)
      }
      guard count >= 0 else {
        let failure = errno
        Secret.wipe(&bytes)
        throw .system(call: "read", path: path, errno: failure)
      }
      if count == 0 { break }
      filled += count
    }
    bytes.removeLast(bytes.count - filled)
    return bytes
  }
}

extension Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  public var description: String { "key \(fingerprint)" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: []) }
}
