extension TableReader {
  /// Where a secret is: `keyring:NAME`, `file:PATH` or `env:NAME`. What stands there otherwise is
  /// never repeated, because it may be the secret itself.
  public mutating func reference(_ key: String) -> String? {
    var isRefused = false
    var hint = ""
    let text = optionalText(key)
    guard let text else { return nil }
    let expected = "expected \"keyring:NAME\", \"file:PATH\" or \"env:NAME\", found "
    let known = ["keyring:", "file:", "env:"]
    let later = ["credential:", "pkcs11:"]
    if let scheme = later.first(where: { text.hasPrefix($0) }) {
      isRefused = true
      hint = expected + "\(scheme) which this build cannot read"
    } else if !known.contains(where: { text.hasPrefix($0) && text != $0 }) {
      isRefused = true
      hint =
        expected + "something else; a secret does not belong here: seal it with ./martlet keys add"
        + " NAME, or write KEY:SECRET into a file, run chmod 600 on it, and name it"
    } else if text.hasPrefix("keyring:"),
      let expected = BotConfiguration.checkName(String(text.dropFirst(8)))
    {
      // Whoever pastes a secret behind the colon is not quoted either.
      isRefused = true
      hint = "expected a name of \(expected) behind keyring:, found something else"
    }
    if isRefused {
      problem(key, hint)
      return nil
    }
    note(key, TableReader.quoted(text), position(of: key))
    return text
  }
}
