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
    for entry in world.trace.requests() {
      print(entry.time.milliseconds, entry.target, entry.body.prefix(100))
    }
    for entry in world.trace.framesSent { print(entry.time.milliseconds, entry.text.prefix(100)) }
    world.run(for: .seconds(100))
    scenario.expectSound(world)
    let isStopped = world.stop()
    #expect(isStopped)
    scenario.expectSound(world)
  }
}
