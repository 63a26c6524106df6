import Glibc
import MartletBase
import MartletSecrets
import Testing

@Suite struct CredentialsTests {
  static let line = "public-key-0123:very-secret-4567"

  static func load(_ reference: KeyReference) -> (Credentials?, SecretsFault?) {
    do throws(SecretsFault) { return (try Credentials.load(reference), nil) } catch {
      return (nil, error)
    }
  }

  @Test func aPrivateFileGivesItsCredentials() throws {
    let folder = TemporaryFolder()
    for ending in ["", "\n", "\r\n"] {
      writeFile(folder.path + "/key", Array((Self.line + ending).utf8))
      let credentials = try Credentials.load(.file(folder.path + "/key"))
      #expect(String(credentials.key.span) == "public-key-0123")
      #expect(String(credentials.secret.span) == "very-secret-4567")
    }
  }

  @Test("M138: a key file that others may read or write is refused, with the command that mends it")
  func anExposedFileIsRefused() {
    let folder = TemporaryFolder()
    let path = folder.path + "/key"
    for mode: mode_t in [0o640, 0o604, 0o620, 0o602, 0o644, 0o610, 0o601, 0o666] {
      writeFile(path, Array(Self.line.utf8), mode: mode)
      let (credentials, fault) = Self.load(.file(path))
      #expect(credentials == nil)
      #expect(fault == .exposed(path: path, mode: mode))
      let text = fault.map { "\($0)" } ?? ""
      #expect(text.contains("run: chmod 600 \(path)"), "\(text)")
      #expect(text.contains("found 0\(String(mode, radix: 8))"), "\(text)")
    }
    for mode: mode_t in [0o600, 0o400, 0o700] {
      writeFile(path, Array(Self.line.utf8), mode: mode)
      #expect(Self.load(.file(path)).1 == nil)
    }
  }

  @Test func aFileThatIsMissingOrNoneIsNamed() {
    let folder = TemporaryFolder()
    let path = folder.path + "/absent"
    #expect(Self.load(.file(path)).1 == .missing(path: path))
    let text = Self.load(.file(path)).1.map { "\($0)" } ?? ""
    #expect(text.contains("KEY:SECRET") && text.contains("chmod 600 \(path)"))
    #expect(Self.load(.file(folder.path)).1 == .notAFile(path: folder.path))
  }

  @Test("M39: a line of another shape is refused without a word of it")
  func anotherShapeIsRefusedSilently() {
    let folder = TemporaryFolder()
    let path = folder.path + "/key"
    let lines: [(String, ShapeFault)] = [
      ("", .empty), ("\n", .empty), ("hunter2hunter2", .noColon), (":hunter2", .emptyKey),
      ("hunter2:", .emptySecret), ("hunter2:hunter2:hunter2", .moreThanOneColon),
      ("hunter2:hunter2\nhunter2:x", .moreThanOneLine), ("hunter2: hunter2", .notPrintable),
      ("hunter2:hünter2", .notPrintable), ("hunter2:hunter2\0", .notPrintable),
      (String(repeating: "hunter2", count: 600), .tooLong(limit: 4096)),
    ]
    for (line, reason) in lines {
      writeFile(path, Array(line.utf8))
      let (credentials, fault) = Self.load(.file(path))
      #expect(credentials == nil)
      #expect(fault == .wrongShape(origin: "file:\(path)", reason: reason))
      #expect(!"\(String(describing: fault))".contains("nter2"))
      #expect(!(fault.map { "\($0)" } ?? "").contains("nter2"))
    }
  }

  @Test func theEnvironmentGivesItsCredentials() throws {
    setenv("MARTLET_TEST_KEY", Self.line, 1)
    let credentials = try Credentials.load(KeyReference("env:MARTLET_TEST_KEY"))
    #expect(String(credentials.secret.span) == "very-secret-4567")
    setenv("MARTLET_TEST_LONG", String(repeating: "a:", count: 4096), 1)
    #expect(
      Self.load(.environment("MARTLET_TEST_LONG")).1
        == .wrongShape(origin: "env:MARTLET_TEST_LONG", reason: .tooLong(limit: 4096)))
    #expect(
      Self.load(.environment("MARTLET_TEST_ABSENT")).1 == .unset(variable: "MARTLET_TEST_ABSENT"))
  }

  @Test func referencesAreReadStrictly() throws {
    #expect(try KeyReference("file:keys/whitebit") == .file("keys/whitebit"))
    #expect(try KeyReference("env:NAME") == .environment("NAME"))
    #expect(try KeyReference("keyring:main") == .keyring("main"))
    for text in ["keyring:", "keyring:a b", "credential:x", "pkcs11:x", "file:", "env:"] {
      let scheme = text.split(separator: ":")[0] + ":"
      #expect(throws: SecretsFault.unknownReference(scheme: String(scheme))) {
        try KeyReference(text)
      }
    }
    // A key pasted in place of a reference is not repeated.
    #expect(throws: SecretsFault.unknownReference(scheme: "something else")) {
      try KeyReference("hunter2:hunter2")
    }
  }

  @Test("M39: no way of printing shows a secret")
  func nothingPrintsASecret() throws {
    let credentials = try Credentials(parsing: Array(Self.line.utf8).span)
    var handles = SecretHandles()
    var body = ByteBuffer()
    _ = handles.conceal(
      "token", in: Array(#"{"token":"very-secret-4567"}"#.utf8).span, into: &body)
    var texts = [String(body.span)]
    func print<Value>(_ value: Value) {
      var dumped = ""
      dump(value, to: &dumped)
      texts += [
        "\(value)", String(describing: value), String(reflecting: value), dumped,
        "\([value])", "\(Optional(value) as Any)", "\((value, 1))",
        "\(Mirror(reflecting: value).children.map { "\($0)" })",
      ]
    }
    print(credentials)
    print(credentials.secret)
    print(credentials.key)
    print(handles)
    for text in texts {
      #expect(!text.contains("secret-4567") && !text.contains("key-0123"), "\(text)")
      // Nor as numbers.
      #expect(!text.contains("118, 101, 114, 121") && !text.contains("115, 101, 99"), "\(text)")
    }
    #expect("\(credentials.secret)" == "<redacted>")
    #expect("\(credentials)" == "key \(credentials.fingerprint)")
    #expect(credentials.fingerprint.utf8.count == 12)
  }

  @Test func secretsCompareWhole() {
    let secret = Secret(copying: Array("abc".utf8).span)
    for other in ["abc", "", "ab", "abd", "abcd", "xbc"] {
      let bytes = Array(other.utf8)
      let isEqual = secret.isEqual(to: bytes.span)
      #expect(isEqual == (other == "abc"), "\(other)")
    }
  }
}
