internal import Glibc

/// What a terminal can show.
public struct TerminalShape: Equatable, Sendable {
  /// Columns and rows.
  public var width: Int
  public var height: Int
  /// False for a pipe or a file: no redrawing there, one plain line now and then.
  public var isTerminal: Bool
  public var hasColor: Bool

  public init(width: Int = 80, height: Int = 24, isTerminal: Bool = true, hasColor: Bool = true) {
    self.width = width
    self.height = height
    self.isTerminal = isTerminal
    self.hasColor = hasColor
  }

  /// Asks the system about `descriptor`, and again whenever the window may have changed.
  ///
  /// - Source: no-color.org: `NO_COLOR`, set and not empty, turns color off; so does `TERM=dumb`.
  public static func of(descriptor: Int32) -> TerminalShape {
    var shape = TerminalShape(isTerminal: isatty(descriptor) == 1)
    var window = winsize()
    // The kernel fills the struct it is given and keeps no pointer to it.
    if unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0 {
      shape.width = Int(window.ws_col)
      shape.height = Int(window.ws_row)
    }
    let isDumb = variable("TERM") == "dumb"
    shape.isTerminal = shape.isTerminal && !isDumb
    shape.hasColor = shape.isTerminal && variable("NO_COLOR").isEmpty
    return shape
  }

  private static func variable(_ name: String) -> String {
    // The environment is read at start and by one thread; its text is copied here.
    guard let value = unsafe getenv(name) else { return "" }
    return unsafe String(cString: value)
  }
}
