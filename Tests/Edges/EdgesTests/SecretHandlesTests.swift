import MartletBase
import MartletSecrets
import Testing

@Suite struct SecretHandlesTests {
  static func conceal(_ text: String, with handles: inout SecretHandles) -> (String, Int) {
    var output = ByteBuffer()
    let count = handles.conceal("websocket_token", in: Array(text.utf8).span, into: &output)
    return (String(output.span), count)
  }

  static func reveal(_ text: String, with handles: SecretHandles) throws -> String {
    var output = ByteBuffer()
    try handles.reveal(Array(text.utf8).span, into: &output)
    return String(output.span)
  }

  @Test func aTokenIsHiddenAndComesBackInTheFrame() throws {
    var handles = SecretHandles()
    let (body, count) = Self.conceal(#"{"websocket_token":"s3cr3t/+="}"#, with: &handles)
    #expect(body == #"{"websocket_token":"@secret:1"}"# && count == 1)
    let frame = #"{"id":999,"method":"authorize","params":["@secret:1","public"]}"#
    #expect(
      try Self.reveal(frame, with: handles)
        == #"{"id":999,"method":"authorize","params":["s3cr3t/+=","public"]}"#)
  }

  @Test func spacingDepthAndEscapesDoNotMatter() throws {
    var handles = SecretHandles()
    let (body, count) = Self.conceal(
      "{ \"a\": [1, {\"websocket_token\"\t:\n \"q\\\"\\\\u\" }], \"b\":\"websocket_token\" }",
      with: &handles)
    #expect(
      body
        == "{ \"a\": [1, {\"websocket_token\"\t:\n \"@secret:1\" }], \"b\":\"websocket_token\" }")
    #expect(count == 1)
    #expect(try Self.reveal("\"@secret:1\"", with: handles) == #""q\"\\u""#)
  }

  @Test func whatHoldsNoSuchFieldIsLeftAsItIs() {
    var handles = SecretHandles()
    for text in [
      "", "{}", "<html>502</html>", #"{"message":"Too many requests."}"#,
      #"{"websocket_token":null}"#, #"{"x":"\"websocket_token\":\"no\""}"#, #"["websocket_token"]"#,
    ] {
      let (body, count) = Self.conceal(text, with: &handles)
      #expect(body == text && count == 0)
    }
  }

  @Test("M39: a reply cut in mid-secret hides what there is")
  func everyCutHidesTheSecret() {
    let text = Array(#"{"a":1,"websocket_token":"0123456789","b":"x"}"#.utf8)
    for length in 0...text.count {
      var handles = SecretHandles()
      let (body, _) = Self.conceal(
        String(decoding: text[..<length], as: UTF8.self), with: &handles)
      #expect(!body.contains("01"), "cut at \(length): \(body)")
    }
  }

  @Test func theSameSecretKeepsItsHandle() {
    var handles = SecretHandles()
    #expect(Self.conceal(#"{"websocket_token":"one"}"#, with: &handles).0.contains("@secret:1\""))
    #expect(Self.conceal(#"{"websocket_token":"two"}"#, with: &handles).0.contains("@secret:2\""))
    #expect(Self.conceal(#"{"websocket_token":"one"}"#, with: &handles).0.contains("@secret:1\""))
  }

  @Test func onlyTheLatestSixteenAreKnown() throws {
    var handles = SecretHandles()
    for number in 1...40 {
      #expect(
        Self.conceal(#"{"websocket_token":"s\#(number)"}"#, with: &handles).0
          == #"{"websocket_token":"@secret:\#(number)"}"#)
    }
    for number in 25...40 {
      #expect(try Self.reveal("@secret:\(number)", with: handles) == "s\(number)")
    }
    for number: UInt64 in [0, 1, 24, 41, 400] {
      #expect(throws: SecretHandles.UnknownHandle(number: number)) {
        try Self.reveal("\"@secret:\(number)\"", with: handles)
      }
    }
  }

  @Test func whatIsNoHandleIsLeftAsItIs() throws {
    var handles = SecretHandles()
    _ = Self.conceal(#"{"websocket_token":"one"}"#, with: &handles)
    for text in ["", "@", "@secret", "@secret:", "@secret:x", "a@b.c @@ @secre:1"] {
      #expect(try Self.reveal(text, with: handles) == text)
    }
    #expect(try Self.reveal("@@secret:1@secret:1,", with: handles) == "@oneone,")
  }
}
