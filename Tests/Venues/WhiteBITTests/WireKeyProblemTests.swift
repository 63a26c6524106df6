import MartletBase
import Testing
import WhiteBITWire

@Suite struct WireKeyProblemTests {
  private func problem(_ status: UInt16, _ body: String) -> KeyProblem? {
    let bytes = Array(body.utf8)
    return KeyProblem(status: status, body: bytes.span)
  }

  @Test("M37: every documented refusal of a key is told as signature, key, address, clock or right")
  func everyWording() {
    let told: [(UInt16, String, KeyProblem)] = [
      (401, #"{"code":10,"message":"Unauthorized request."}"#, .signature),
      (422, #"{"code":10,"message":"Unauthorized request."}"#, .signature),
      (401, #"{"success":false,"message":[["Unauthorized request."]],"result":[]}"#, .signature),
      (
        403,
        #"{"code":2,"message":"This action is unauthorized. Enable your key in API settings"}"#,
        .keyOrAddress
      ),
      (
        403, #"{"code":0,"errors":{},"message":"This action is unauthorized."}"#,
        .addressOrPermission
      ),
      (
        403, #"{"code":4,"message":"This API Key is not authorized to perform this action."}"#,
        .permission
      ),
      (
        403, #"{"code":0,"message":"You don't have permission to use this endpoint. Ask support"}"#,
        .permission
      ),
      (
        401,
        #"{"code":0,"message":"Your nonce is more than 5 seconds lesser than the current nonce"}"#,
        .clock
      ),
      (429, #"{"code":0,"errors":{},"message":"Too many requests."}"#, .nonce),
      (401, #"{"code":9,"message":"Invalid payload."}"#, .request),
      (401, #"{"code":9,"message":"Payload not provided."}"#, .request),
      (401, #"{"code":0,"message":"Request not provided."}"#, .request),
      (403, "<html>Access denied</html>", .frontEnd),
      (401, "", .frontEnd),
    ]
    for (status, body, expected) in told {
      let found = problem(status, body)
      #expect(found == expected, "\(status) \(body)")
    }
  }

  @Test("M37: what is not about the key is not taken for it")
  func others() {
    for (status, body) in [
      (200, "[]"), (422, #"{"code":10,"message":"","errors":{"amount":["Not enough balance."]}}"#),
      (429, "<html>slow down</html>"), (503, #"{"code":10,"message":"Unauthorized request."}"#),
      (429, #"{"message":"Too many requests."}"#),
    ] as [(UInt16, String)] {
      let found = problem(status, body)
      #expect(found == nil, "\(status) \(body)")
    }
  }

  @Test("M37: each problem says what to do, and no two say the same")
  func words() {
    let whats = Set(KeyProblem.allCases.map(\.what))
    let todos = Set(KeyProblem.allCases.map(\.todo))
    #expect(whats.count == KeyProblem.allCases.count)
    #expect(todos.count == KeyProblem.allCases.count)
  }
}
