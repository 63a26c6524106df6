/// One thing that is wrong with a configuration, in words for whoever wrote it.
public struct ConfigurationProblem: Error, Hashable, Sendable, CustomStringConvertible {
  public let file: String
  /// Nil for what is missing as a whole.
  public let position: TextPosition?
  /// Such as `strategy[0].levels`; empty for the document.
  public let key: String
  /// What was expected, what was found, and what to do. Never a secret.
  public let message: String

  public var description: String {
    let place = position.map { "\(file):\($0.line):\($0.column)" } ?? file
    return key.isEmpty ? "\(place): \(message)" : "\(place): \(key): \(message)"
  }
}

/// A configuration that could be carried out, and that this build will not carry out because money
/// could be lost. Never mended by trying again.
public struct SafetyRefusal: Error, Hashable, Sendable, CustomStringConvertible {
  public let file: String
  public let position: TextPosition?
  public let key: String
  public let message: String

  public var description: String {
    let place = position.map { "\(file):\($0.line):\($0.column)" } ?? file
    return "\(place): \(key): \(message)"
  }
}

/// Why there is no configuration to run.
public enum ConfigurationFault: Error, Equatable, Sendable {
  case unreadable(path: String, reason: String)
  /// At least one, in the order of the file.
  case problems([ConfigurationProblem])
  /// At least one; the configuration is sound otherwise.
  case refused([SafetyRefusal])

  /// 2 for a wrong configuration, 3 for a safety rule's refusal.
  public var exitCode: Int32 {
    switch self {
    case .unreadable, .problems: 2
    case .refused: 3
    }
  }
}

extension ConfigurationFault: CustomStringConvertible {
  /// One line a problem.
  public var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): \(reason)"
    case .problems(let problems): problems.map(\.description).joined(separator: "\n")
    case .refused(let refusals): refusals.map(\.description).joined(separator: "\n")
    }
  }
}
