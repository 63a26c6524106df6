import MartletVenueKit
import Testing

@Suite struct DeskRequestTests {
  @Test func headerNamesCompareWithoutRegardToCase() {
    let request = DeskRequest(
      id: 1, method: "POST", path: "/api/v4/orders", query: "",
      headers: [("X-TXC-APIKEY", "key"), ("content-type", "application/json")])
    #expect(request.header("x-txc-apikey") == "key")
    #expect(request.header("Content-Type") == "application/json")
    #expect(request.header("X-TXC-PAYLOAD") == nil)
  }
}
