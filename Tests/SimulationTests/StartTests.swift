import MartletBase
import MartletKernel
import MartletSimulation
import Testing

@Suite struct StartTests {
  @Test("a grid is laid out on the whole wire, stopped, and the ledgers agree")
  func aWholeRun() throws {
    let scenario = WhiteBITScenario.grid(levels: 10)
    var world = try scenario.running()
    scenario.expectSound(world)
    world.run(for: .seconds(100))
    scenario.expectSound(world)
    let isStopped = world.stop()
    #expect(isStopped)
    scenario.expectSound(world)
  }
}
