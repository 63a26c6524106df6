/// Why there are no credentials. Says where and what to do; never what was read.
public enum SecretsFault: Error, Equatable, Sendable {
  /// No way of naming a key that this build knows.
  case unknownReference(scheme: String)
  case missing(path: String)
  case permission(path: String)
  /// Others than the owner may read or write the file.
  case exposed(path: String, mode: UInt32)
  /// Somebody else owns the file and can change it.
  case foreignOwner(path: String, owner: UInt32)
  case notAFile(path: String)
  case unset(variable: String)
  /// Not one line `KEY:SECRET`.
  case wrongShape(origin: String, reason: ShapeFault)
  case system(call: String, path: String, errno: Int32)
  case store(StoreFault)
  case passphrase(PassphraseFault)
  case terminal(TerminalFault)
}

/// What about a line is not `KEY:SECRET`.
public enum ShapeFault: Error, Equatable, Sendable {
  case empty
  case tooLong(limit: Int)
  case moreThanOneLine
  case noColon
  case emptyKey
  case emptySecret
  case moreThanOneColon
  case notPrintable
}

extension SecretsFault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unknownReference(let scheme):
      "key: expected keyring:NAME, file:PATH or env:NAME, found \(scheme); run: ./martlet keys add NAME"
    case .missing(let path):
      "\(path): no such key file; write one line KEY:SECRET into it, then run: chmod 600 \(path)"
    case .permission(let path):
      "\(path): permission denied; the user who runs Martlet must own the key file"
    case .exposed(let path, let mode):
      "\(path): expected mode 0600, found 0\(String(mode, radix: 8)), so others may read the key; run: chmod 600 \(path)"
    case .foreignOwner(let path, let owner):
      "\(path): owned by user \(owner); the user who runs Martlet must own the key file"
    case .notAFile(let path): "\(path): expected a file, found something else"
    case .unset(let variable):
      "environment variable \(variable) is not set; set it to KEY:SECRET"
    case .wrongShape(let origin, let reason):
      "\(origin): expected one line KEY:SECRET, found \(reason)"
    case .system(let call, let path, let errno): "\(path): \(call) failed with errno \(errno)"
    case .store(let fault): "\(fault)"
    case .passphrase(let fault): "\(fault)"
    case .terminal(let fault): "\(fault)"
    }
  }
}

extension ShapeFault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .empty: "nothing"
    case .tooLong(let limit): "more than \(limit) bytes"
    case .moreThanOneLine: "more than one line"
    case .noColon: "no colon"
    case .emptyKey: "nothing before the colon"
    case .emptySecret: "nothing after the colon"
    case .moreThanOneColon: "more than one colon"
    case .notPrintable: "a space or a byte that is not printable ASCII"
    }
  }
}
