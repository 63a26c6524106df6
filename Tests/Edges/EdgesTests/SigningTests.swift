import CMartletCrypto
import MartletBase
import MartletJSON
import MartletSecrets
import MartletVenueKit
import Testing

@Suite struct SigningTests {
  static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// The test cases 1-4, 6 and 7 of RFC 4231; case 5 is about cut digests, which nobody sends.
  @Test("M32: HMAC-SHA256 and HMAC-SHA512 give the published digests")
  func theDigestsOfRFC4231() {
    let cases: [(key: [UInt8], message: [UInt8], sha256: String, sha512: String)] = [
      (
        [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
          + "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"
      ),
      (
        Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
          + "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
      ),
      (
        [UInt8](repeating: 0xaa, count: 20), [UInt8](repeating: 0xdd, count: 50),
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
          + "bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb"
      ),
      (
        Array(1...25), [UInt8](repeating: 0xcd, count: 50),
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db"
          + "a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd"
      ),
      (
        [UInt8](repeating: 0xaa, count: 131),
        Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
          + "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"
      ),
      (
        [UInt8](repeating: 0xaa, count: 131),
        Array(
          ("This is a test using a larger than block-size key and a larger than block-size data. "
            + "The key needs to be hashed before being used by the HMAC algorithm.").utf8),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944"
          + "b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58"
      ),
    ]
    for (number, one) in cases.enumerated() {
      let sha256 = hmacSHA256(key: one.key.span, message: one.message.span)
      #expect(Self.hexadecimal(sha256) == one.sha256, "case \(number)")
      let sha512 = hmacSHA512(key: one.key.span, message: one.message.span)
      #expect(Self.hexadecimal(sha512) == one.sha512, "case \(number)")
      #expect(keyedHash(one.key, one.message) == sha512, "case \(number)")
    }
  }

  /// A thousand keys of 1 to 200 bytes and messages of up to 1.5 KB, drawn by a rule that Python
  /// followed as well; the digest is that of all its signatures, one after the other.
  @Test("M27: a thousand random signatures equal those of an independent implementation")
  func aThousandSignatures() {
    var state: UInt64 = 20_240_808
    func draw(_ count: Int) -> [UInt8] {
      (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
      }
    }
    var all: [UInt8] = []
    for index in 0..<1_000 {
      let key = draw(index % 200 + 1)
      let message = draw(index * 7 % 1_500)
      all += Self.hexadecimal(hmacSHA512(key: key.span, message: message.span)).utf8
    }
    var digest = [UInt8](repeating: 0, count: 32)
    cmartlet_sha256(all, all.count, &digest)
    #expect(
      Self.hexadecimal(digest) == "350c64890ce8462f61d564c0f7eb03a29310f49886465d1277d0958bb2895106"
    )
  }

  struct Signed {
    var body: String
    var key: String
    var payload: String
    var signature: String
  }

  /// Signs `body` after its nonce was taken out, and gives back everything that would be sent.
  static func sign(body: String, key: String, secret: String) throws -> Signed {
    let bytes = Array(body.utf8)
    let name = Array("\"nonce\"".utf8)
    let found = try #require(
      (0...(bytes.count - name.count)).first { Array(bytes[$0..<$0 + name.count]) == name })
    let offset = try #require(
      (found + name.count..<bytes.count).first { bytes[$0] >= 48 && bytes[$0] <= 57 })
    let nonce = try #require(
      Int64(String(decoding: bytes[offset..<offset + 13], as: UTF8.self)))
    // Somewhere in a buffer that holds more, as it is on the way out.
    var buffer = ByteBuffer()
    buffer.append("/api/v4/before")
    let start = buffer.count
    buffer.append(bytes.span)
    for index in 0..<13 { buffer[start + offset + index] = 48 }
    buffer.append("after")
    let signer = Signer(
      Credentials(
        key: Secret(copying: Array(key.utf8).span), secret: Secret(copying: Array(secret.utf8).span)
      ))
    var headers = SignedHeaders()
    let range = ByteRange(start: start, count: bytes.count)
    signer.sign(
      .whitebit(nonceOffset: UInt32(offset)), body: range, in: &buffer, nonce: nonce, into: &headers
    )
    let isSigned = headers.isSigned
    #expect(isSigned)
    return Signed(
      body: String(buffer.span.extracting(start..<start + bytes.count)), key: String(signer.key),
      payload: String(headers.payload.span), signature: String(headers.signature.span))
  }

  @Test("M27 M28 M31: two requests are signed as the reference page signs them")
  func theReferenceVectors() throws {
    let number = try Self.sign(
      body:
        #"{"request":"/api/v4/trade-account/balance","nonce":1700000000000,"nonceWindow":true,"ticker":"USDT"}"#,
      key: "martlet-test-key", secret: "martlet-test-secret")
    #expect(
      number.payload
        == "eyJyZXF1ZXN0IjoiL2FwaS92NC90cmFkZS1hY2NvdW50L2JhbGFuY2UiLCJub25jZSI6MTcwMDAwMDAwMDAwMC"
        + "wibm9uY2VXaW5kb3ciOnRydWUsInRpY2tlciI6IlVTRFQifQ==")
    #expect(
      number.signature
        == "c5ddff8ca1dd3ae3a6415b37b9ec098e565f7054f3a10619e2da323000f4b435"
        + "ae1cb0b8ba191d4f64a0f99762781a0e001a70b67a50c3e226f1a729858d411c")
    let text = try Self.sign(
      body:
        #"{"market":"DBTC_DUSDT","side":"buy","amount":"0.001","price":"60000","clientOrderId":"mrt-1","request":"/api/v4/order/new","nonce":"1700000000001"}"#,
      key: "martlet-test-key", secret: "martlet-test-secret")
    #expect(
      text.payload
        == "eyJtYXJrZXQiOiJEQlRDX0RVU0RUIiwic2lkZSI6ImJ1eSIsImFtb3VudCI6IjAuMDAxIiwicHJpY2UiOiI2MD"
        + "AwMCIsImNsaWVudE9yZGVySWQiOiJtcnQtMSIsInJlcXVlc3QiOiIvYXBpL3Y0L29yZGVyL25ldyIsIm5vbmNl"
        + "IjoiMTcwMDAwMDAwMDAwMSJ9")
    #expect(
      text.signature
        == "602b559bd9fd407920a5091a6f1f8be8a375e1de740a61d49e55c5d0212fdb17"
        + "b3b4f4b25a97bb307ef6a504fe0bcaa8f5b0fda5314ea6b7c967778c93b9fcdb")
    #expect(text.key == "martlet-test-key")
  }

  @Test func nothingToSignMakesNoHeaders() {
    let signer = Signer(
      Credentials(key: Secret(copying: [1].span), secret: Secret(copying: [2].span)))
    var headers = SignedHeaders()
    var buffer = ByteBuffer()
    buffer.append("{}")
    signer.sign(
      .none, body: ByteRange(start: 0, count: 2), in: &buffer, nonce: 0, into: &headers)
    let made = (headers.isSigned, headers.payload.count, headers.signature.count)
    #expect(made == (false, 0, 0))
    let text = String(buffer.span)
    #expect(text == "{}")
  }

  @Test func aPlanThatPointsElsewhereStops() async {
    await #expect(processExitsWith: .failure) {
      let signer = Signer(
        Credentials(key: Secret(copying: [1].span), secret: Secret(copying: [2].span)))
      var headers = SignedHeaders()
      var buffer = ByteBuffer()
      buffer.append(#"{"nonce":0000000000000}"#)
      signer.sign(
        .whitebit(nonceOffset: 8), body: ByteRange(start: 0, count: 23), in: &buffer,
        nonce: 1_700_000_000_000, into: &headers)
    }
  }

  static let vectorsPath: String = {
    let here = #filePath.split(separator: "/")
    return "/" + here.dropLast(4).joined(separator: "/") + "/../shared/vectors/whitebit.json"
  }()

  /// Requests as other people's clients sign them, with made-up keys.
  @Test(
    "M27 M28: every signed request of other people's clients is signed alike",
    .enabled(if: readFile(vectorsPath) != nil, "../shared/vectors/whitebit.json is not here"))
  func otherClientsSignAlike() throws {
    let bytes = try #require(readFile(Self.vectorsPath))
    guard case .array(let vectors) = try JSONValue(bytes.span) else {
      Issue.record("no array of vectors")
      return
    }
    var checked = 0
    for vector in vectors {
      guard case .string(let key)? = vector["key"], case .string(let secret)? = vector["secret"],
        case .string(let expected)? = vector["signature"]?["value"],
        case .string(let payload)? = vector["signature"]?["payload"],
        case .string("POST")? = vector["request"]?["method"],
        case .string(let body)? = vector["request"]?["body"],
        case .string(let id)? = vector["id"]
      else { continue }
      let signed = try Self.sign(body: body, key: key, secret: secret)
      #expect(signed.body == body, "\(id)")
      #expect(signed.payload == payload, "\(id)")
      #expect(signed.signature == expected, "\(id)")
      #expect(signed.key == key, "\(id)")
      checked += 1
    }
    print("whitebit vectors checked: \(checked)")
    #expect(checked == 73, "the file holds 73 signed requests")
  }
}
