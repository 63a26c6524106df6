import MartletBase
import MartletModel
import MartletOrders
import Testing

@testable import MartletLive

@Suite struct PanicProgramTests {
  @Test func aSalesNameIsTheBotsOwnAndNeverComesTwice() throws {
    let prefix = "\(BotPlan.ownPrefix(of: "grid-demo"))"
    let ids = ClientOrderIDs(tag: BotPlan.tag(of: "grid-demo"))
    var seen: Set<String> = []
    for moment in [0, 1, 1_764_000_000_000_000_000, 1_764_000_000_000_000_001, Int64.max] {
      let id = PanicProgram.orderID(prefix, at: Timestamp(nanoseconds: moment))
      #expect(id.utf8.count == 32 && ids.isOwn(ClientOrderID(InlineText(id) ?? "")), "\(id)")
      #expect(seen.insert(id).inserted)
    }
  }
}
