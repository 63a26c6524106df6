internal import CMartletCrypto

/// Where credentials are, as a configuration names it; never the credentials.
public enum KeyReference: Equatable, Sendable, CustomStringConvertible {
  /// A file of mode 0600 with one line `KEY:SECRET`; relative to the working folder.
  case file(String)
  /// An environment variable that holds `KEY:SECRET`.
  case environment(String)
  /// An entry of the sealed store.
  case keyring(String)

  /// Reads `file:PATH`, `env:NAME` or `keyring:NAME`.
  public init(_ text: String) throws(SecretsFault) {
    if text.hasPrefix("file:"), text.utf8.count > 5 {
      self = .file(String(text.dropFirst(5)))
    } else if text.hasPrefix("env:"), text.utf8.count > 4 {
      self = .environment(String(text.dropFirst(4)))
    } else if text.hasPrefix("keyring:"), SealedStore.isName(String(text.dropFirst(8))) {
      self = .keyring(String(text.dropFirst(8)))
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
    case .keyring(let name): "keyring:\(name)"
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

  /// Fetches what `reference` names. An environment variable is wiped and taken away, so that no
  /// program started from here inherits it.
  ///
  /// - Parameter passphrase: where the sealed store's passphrase comes from; asked for nothing else.
  public static func load(
    _ reference: KeyReference, passphrase: PassphraseSource = PassphraseSource()
  ) throws(SecretsFault) -> Credentials {
    switch reference {
    case .file(let path):
      return try parse(try read(path), origin: "\(reference)")
    case .environment(let name):
      guard let text = EnvironmentSecret.take(name, atMost: maximumBytes) else {
        throw .unset(variable: name)
      }
      return try parse(text, origin: "\(reference)")
    case .keyring(let name):
      return try stored(name, passphrase)
    }
  }

  private static func stored(
    _ name: String, _ passphrase: PassphraseSource
  ) throws(SecretsFault) -> Credentials {
    let path = SealedStore.standardPath
    do throws(StoreFault) {
      // What is wrong without a passphrase is told before one is asked for.
      try SealedStore.listing(path).require(name)
    } catch {
      throw .store(error)
    }
    let words: Secret
    do throws(PassphraseFault) { words = try passphrase.obtain(for: path) } catch {
      throw .passphrase(error)
    }
    do throws(StoreFault) {
      return try SealedStore.open(path, passphrase: words).credentials(named: name)
    } catch {
      throw .store(error)
    }
  }

  /// - Parameter origin: what messages call the place it comes from.
  static func parse(_ text: Secret, origin: String) throws(SecretsFault) -> Credentials {
    do throws(ShapeFault) {
      return try Credentials(parsing: text.span)
    } catch {
      throw .wrongShape(origin: origin, reason: error)
    }
  }

  /// The fingerprint of the key that `reference` names, without opening a sealed store and with
  /// everything left where it is; nil when it cannot be read.
  public static func fingerprint(of reference: KeyReference) -> String? {
    switch reference {
    case .file(let path):
      (try? read(path)).flatMap { try? parse($0, origin: "\(reference)") }?.fingerprint
    case .environment(let name):
      EnvironmentSecret.copy(name, atMost: maximumBytes)
        .flatMap { try? parse($0, origin: "\(reference)") }?.fingerprint
    case .keyring(let name):
      (try? SealedStore.listing(SealedStore.standardPath).require(name))?.fingerprint
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

  private static func read(_ path: String) throws(SecretsFault) -> Secret {
    do throws(PrivateFileFault) {
      return try PrivateFile.read(path, atMost: maximumBytes)
    } catch {
      switch error {
      case .missing(let path): throw .missing(path: path)
      case .permission(let path): throw .permission(path: path)
      case .exposed(let path, let mode): throw .exposed(path: path, mode: mode)
      case .foreignOwner(let path, let owner): throw .foreignOwner(path: path, owner: owner)
      case .notAFile(let path): throw .notAFile(path: path)
      case .system(let call, let path, let errno):
        throw .system(call: call, path: path, errno: errno)
      }
    }
  }
}

extension Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  public var description: String { "key \(fingerprint)" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: []) }
}
