extension Credentials {
  /// Takes one line `KEY:SECRET` from a pipe at standard input, or else asks at the terminal, where
  /// nothing of it is shown.
  public static func asked() throws(SecretsFault) -> Credentials {
    let origin = "standard input"
    if let piped = Terminal.pipedInput(atMost: maximumBytes) {
      return try parse(piped, origin: origin)
    }
    return try parse(Secret(joining: try ask("API key: "), try ask("Secret: ")), origin: origin)
  }

  private static func ask(_ prompt: String) throws(SecretsFault) -> Secret {
    do throws(TerminalFault) {
      return try Terminal.ask(prompt, atMost: maximumBytes)
    } catch {
      throw .terminal(error)
    }
  }
}

extension Secret {
  /// `KEY:SECRET` of the two.
  convenience init(joining key: Secret, _ secret: Secret) {
    let first = key.span
    let second = secret.span
    unsafe self.init(capacity: first.count + 1 + second.count) { room in
      // Room for both and the colon between them.
      for index in 0..<first.count { unsafe room[index] = first[index] }
      unsafe room[first.count] = 58
      for index in 0..<second.count { unsafe room[first.count + 1 + index] = second[index] }
      return room.count
    }
  }
}
