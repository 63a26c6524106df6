internal import MartletBase
internal import MartletSecrets
public import MartletStrategy
internal import MartletVenueKit
public import WhiteBITDesk
public import WhiteBITSession

// Somebody who trades by hand, past our client and its network.
extension World
where
  Session == WhiteBITSession, Desk == WhiteBITDesk, DeadMan == WhiteBITDeadManMachine,
  Strategy: TradingStrategy
{
  /// Sends one signed request of the client's own account, and gives the venue's answer.
  ///
  /// - Parameter fields: members of the body, each with its comma behind; empty for none.
  public mutating func askByHand(
    _ path: String, _ fields: String = ""
  ) -> (status: Int, body: String) {
    guard case .nonce(let nonce)? = try? nonces.next(at: now) else { return (0, "no nonce") }
    var body = ByteBuffer()
    let plan = writeByHand(path, fields, into: &body)
    signer.sign(
      plan, body: ByteRange(start: 0, count: body.count), in: &body, nonce: nonce, into: &signed)
    return deliverByHand(path, body, key: String(signer.key))
  }

  /// Sends one signed request of somebody else's account.
  public mutating func askAsOther(
    _ path: String, _ fields: String = ""
  ) -> (status: Int, body: String) {
    let key = WhiteBITScenario.otherKey
    let other = Signer(
      Credentials(
        key: Secret(copying: Array(key.utf8).span),
        secret: Secret(copying: Array("secret of \(key)".utf8).span)))
    var body = ByteBuffer()
    let plan = writeByHand(path, fields, into: &body)
    lastOtherNonce = max(lastOtherNonce + 1, now.milliseconds)
    other.sign(
      plan, body: ByteRange(start: 0, count: body.count), in: &body, nonce: lastOtherNonce,
      into: &signed)
    return deliverByHand(path, body, key: key)
  }

  private func writeByHand(
    _ path: String, _ fields: String, into body: inout ByteBuffer
  ) -> SigningPlan {
    body.append(text: "{\(fields)\"request\":\"\(path)\",\"nonceWindow\":true,\"nonce\":")
    let offset = body.count
    body.append(text: "1000000000000}")
    return .whitebit(nonceOffset: UInt32(offset))
  }

  private mutating func deliverByHand(
    _ path: String, _ body: borrowing ByteBuffer, key: String
  ) -> (status: Int, body: String) {
    var output = DeskOutput()
    // A number that no request of the client has.
    let number = UInt64.max
    desk.receive(
      DeskRequest(
        id: number, method: "POST", path: path, query: "",
        headers: [
          ("\(SignedHeaders.keyName)", key),
          ("\(SignedHeaders.payloadName)", String(signed.payload.span)),
          ("\(SignedHeaders.signatureName)", String(signed.signature.span)),
        ]), body: body.span, at: now, output: &output)
    var answer = (status: 0, body: "no answer")
    for case .reply(let reply) in output.items where reply.request == number {
      answer = (reply.status, String(decoding: reply.body, as: UTF8.self))
    }
    route(output)
    return answer
  }
}
