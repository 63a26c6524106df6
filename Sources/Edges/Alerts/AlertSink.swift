/// One way of telling alerts. It is used by one thread of its own, so it may take its time.
public protocol AlertSink {
  /// What it is called when it fails, such as a path.
  var name: String { get }
  /// Tells one alert.
  ///
  /// - Throws: when it is not known that the alert arrived. The next one is tried again.
  mutating func deliver(_ alert: Alert) throws(AlertSinkFault)
}

/// Why an alert could not be told one way.
public struct AlertSinkFault: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}
