/// Where the passphrase of a sealed store comes from: a file, the environment variable
/// `MARTLET_PASSPHRASE`, or whoever sits at the terminal, in this order. Never the command line,
/// which every user of the machine can read.
public struct PassphraseSource: Sendable {
  public static let variable = "MARTLET_PASSPHRASE"
  /// In bytes.
  public static let maximumBytes = 1024
  /// Of a new passphrase, in bytes. Shorter ones are guessed, however costly a guess is.
  public static let minimumBytes = 12

  /// A file of mode 0600 whose one line is the passphrase.
  public var file: String?
  /// Whether somebody may be asked.
  public var mayAsk: Bool

  public init(file: String? = nil, mayAsk: Bool = true) {
    self.file = file
    self.mayAsk = mayAsk
  }

  /// Fetches the passphrase, without the line feed behind it. A variable is wiped and taken away.
  ///
  /// - Parameters:
  ///   - path: the store it is for.
  ///   - isNew: asked for twice at the terminal, and refused when it is short.
  public func obtain(for path: String, isNew: Bool = false) throws(PassphraseFault) -> Secret {
    let found = try fetch(path, isNew: isNew)
    guard found.count > 0 else { throw .empty }
    guard found.count <= PassphraseSource.maximumBytes else {
      throw .tooLong(limit: PassphraseSource.maximumBytes)
    }
    if isNew, found.count < PassphraseSource.minimumBytes {
      throw .tooShort(least: PassphraseSource.minimumBytes)
    }
    return found
  }

  private func fetch(_ path: String, isNew: Bool) throws(PassphraseFault) -> Secret {
    if let file {
      do throws(PrivateFileFault) {
        return try Terminal.line(
          of: PrivateFile.read(file, atMost: PassphraseSource.maximumBytes + 1))
      } catch {
        throw .file(error)
      }
    }
    if let text = EnvironmentSecret.take(
      PassphraseSource.variable, atMost: PassphraseSource.maximumBytes)
    {
      return text
    }
    guard mayAsk else { throw .none }
    let first = try ask(isNew ? "New passphrase of \(path): " : "Passphrase of \(path): ")
    if isNew {
      let second = try ask("Once more: ")
      guard second.isEqual(to: first.span) else { throw .differ }
    }
    return first
  }

  private func ask(_ prompt: String) throws(PassphraseFault) -> Secret {
    do throws(TerminalFault) {
      return try Terminal.ask(prompt, atMost: PassphraseSource.maximumBytes)
    } catch {
      switch error {
      case .none: throw .none
      case .interrupted: throw .interrupted
      case .tooLong(let limit): throw .tooLong(limit: limit)
      }
    }
  }
}

/// Why there is no passphrase. Never what was typed.
public enum PassphraseFault: Error, Equatable, Sendable {
  /// Neither a file nor a variable nor a terminal.
  case none
  case empty
  case tooShort(least: Int)
  case tooLong(limit: Int)
  /// Typed twice, and not the same.
  case differ
  case interrupted
  case file(PrivateFileFault)
}

extension PassphraseFault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .none:
      "the key store is sealed, and there is no terminal to ask for its passphrase; name a file of mode 0600 with --passphrase-file, or set \(PassphraseSource.variable)"
    case .empty: "expected a passphrase, found nothing"
    case .tooShort(let least):
      "expected a new passphrase of at least \(least) bytes; a few words do well"
    case .tooLong(let limit): "expected a passphrase of at most \(limit) bytes, found more"
    case .differ: "the two passphrases differ; nothing was written"
    case .interrupted: "interrupted"
    case .file(let fault): "passphrase: \(fault)"
    }
  }
}
