internal import MartletBase
internal import MartletSecrets
public import MartletStrategy
internal import MartletVenueKit
public import WhiteBITDesk
public import WhiteBITSession

// Somebody who trades by hand on the same account, with the same key.
extension World
where
  Session == WhiteBITSession, Desk == WhiteBITDesk, DeadMan == WhiteBITDeadManMachine,
  Strategy: TradingStrategy
{
  /// Sends one signed request past the network and the client, and gives the venue's answer.
  ///
  /// - Parameter fields: members of the body, each with its comma behind; empty for none.
  public mutating func askByHand(
    _ path: String, _ fields: String = ""
  ) -> (status: Int, body: String) {
    var body = ByteBuffer()
    body.append(text: "{\(fields)\"request\":\"\(path)\",\"nonceWindow\":true,\"nonce\":")
    let offset = body.count
    body.append(text: "1000000000000}")
    guard case .nonce(let nonce)? = try? nonces.next(at: now) else { return (0, "no nonce") }
    signer.sign(
      .whitebit(nonceOffset: UInt32(offset)), body: ByteRange(start: 0, count: body.count),
      in: &body, nonce: nonce, into: &signed)
    var output = DeskOutput()
    // Numbers that no request of the client has.
    let number = UInt64.max - lastRequest
    desk.receive(
      DeskRequest(
        id: number, method: "POST", path: path, query: "",
        headers: [
          ("\(SignedHeaders.keyName)", String(signer.key)),
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
