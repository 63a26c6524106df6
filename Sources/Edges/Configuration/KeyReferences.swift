extension TableReader {
  /// Where a secret is: `file:PATH` or `env:NAME`. What stands there otherwise is never repeated,
  /// because it may be the secret itself.
  public mutating func reference(_ key: String) -> String? {
    var isRefused = false
    var hint = ""
    let text = optionalText(key)
    guard let text else { return nil }
    let known = ["file:", "env:"]
    let later = ["keyring:", "credential:", "pkcs11:"]
    if let scheme = later.first(where: { text.hasPrefix($0) }) {
      isRefused = true
      hint = "expected \"file:PATH\" or \"env:NAME\", found \(scheme) which this build cannot read"
    } else if !known.contains(where: { text.hasPrefix($0) && text != $0 }) {
      isRefused = true
      hint =
        "expected \"file:PATH\" or \"env:NAME\", found something else; a secret does not belong "
        + "here: write KEY:SECRET into a file, run chmod 600 on it, and name it"
    }
    if isRefused {
      problem(key, hint)
      return nil
    }
    note(key, TableReader.quoted(text), position(of: key))
    return text
  }
}
