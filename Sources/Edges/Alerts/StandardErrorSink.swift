internal import Glibc

/// A line on standard error for each alert.
public struct StandardErrorSink: AlertSink {
  public let name = "standard error"
  private let bot: String

  public init(bot: String) { self.bot = bot }

  public mutating func deliver(_ alert: Alert) throws(AlertSinkFault) {
    try AlertFileSink.write(Array(alert.line(bot: bot).utf8), to: 2, name)
  }
}
