/// One line of the terminal, never wider than it may be.
///
/// What comes from outside (a venue's text in an alert, a path) cannot move the cursor: control
/// characters become `·`.
struct StyledLine {
  enum Style: String {
    case plain = ""
    case bold = "1"
    case dim = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case cyan = "36"
    case boldRed = "1;31"
    case boldGreen = "1;32"
  }

  private(set) var text = ""
  private(set) var width = 0
  let limit: Int
  let hasColor: Bool

  init(limit: Int, hasColor: Bool) {
    self.limit = limit
    self.hasColor = hasColor
  }

  /// Adds what fits.
  mutating func add(_ part: String, _ style: Style = .plain) {
    let fitting = part.prefix(limit - width)
    if fitting.isEmpty { return }
    let isStyled = hasColor && style != .plain
    if isStyled { text += "\u{1B}[\(style.rawValue)m" }
    for character in fitting { text.append(StyledLine.isControl(character) ? "·" : character) }
    if isStyled { text += "\u{1B}[0m" }
    width += fitting.count
  }

  /// Adds `part` at the right end of `columns` more columns.
  mutating func add(right part: String, columns: Int, _ style: Style = .plain) {
    add(String(repeating: " ", count: max(0, columns - part.count)))
    add(part, style)
  }

  /// Adds all of `part`, or nothing when it does not fit.
  mutating func add(whole part: String, _ style: Style = .plain) {
    if part.count <= limit - width { add(part, style) }
  }

  mutating func pad(to column: Int) {
    add(String(repeating: " ", count: max(0, min(column, limit) - width)))
  }

  /// Adds another line of the same terminal after this one.
  mutating func add(_ line: StyledLine) {
    guard line.width <= limit - width else { return }
    text += line.text
    width += line.width
  }

  private static func isControl(_ character: Character) -> Bool {
    // Format characters too: they turn the direction of what follows.
    character.unicodeScalars.contains {
      $0.properties.generalCategory == .control || $0.properties.generalCategory == .format
    }
  }
}
