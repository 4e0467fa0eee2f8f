import Basics
import Datasets
import Distribution
import Models
import Synchronization
import Testing

@testable import Planning

/// Machines with any figures are planned for in bounded time.
@Suite struct LargeMachineTests {
  private static let description = ModelDescription(
    WeatherMixerSettings(patch: [4, 4], channels: 8, tokenWidth: 8, channelWidth: 8, blocks: 1, output: .residual),
    ModelFields(gridRows: 8, gridColumns: 16, variables: 3, auxiliaries: 1, tendencyScale: [1, 1, 1]))

  private static func predict(ranksPerNode: Int, replicas: Int) throws -> (Prediction, seconds: Double) {
    var machine = try MachineCatalogue.named("h100").planned(precision: "tf32", threads: 0, place: "").model
    machine.ranksPerNode = ranksPerNode
    machine.nodeBytesPerSecond = machine.nodeBytesPerSecond.map { $0 * Double(ranksPerNode) / 8 }
    let began = Machine.processorSeconds
    let prediction = try TrainingSimulator(description).predict(
      Layout(mesh: Mesh(replica: replicas, domain: 1, tensor: 1)), on: machine)
    return (prediction, Machine.processorSeconds - began)
  }

  /// A node of thousands of ranks would have thousands of them simulated. In a process of its own: processor time is
  /// counted per process.
  @Test func nodesOfManyRanksAreNotSimulatedWhole() async {
    await #expect(processExitsWith: .success) {
      let (small, usual) = try LargeMachineTests.predict(ranksPerNode: 32, replicas: 65_536)
      for ranks in [1_000, 60_000, 1_000_000] {
        let (large, seconds) = try LargeMachineTests.predict(ranksPerNode: ranks, replicas: 65_536)
        #expect(seconds < 20 * usual + 1, "\(ranks)")
        #expect(large.work == small.work)
      }
    }
  }

  /// Where the program alone needs what there is, nothing is tried.
  @Test func whatCanNotFitIsNotSearchedFor() throws {
    let model = Samples.model()
    for program in [40_000_000_000, 600_000_000_000_000] {
      let predictor = StandInPredictor(model)
      var machine = try Samples.machine(memoryBytes: 40_000_000_000)
      machine.model.programBytes = program
      let search = LayoutSearch(LayoutSearch.Job(model: model, layout: Layout(mesh: Mesh())), on: machine, predictor)
      for ranks in [1, 4] { #expect(try search.best(ranks: ranks).fitting.isEmpty) }
      #expect(try search.smallestFitting(from: 1) == nil)
      #expect(predictor.asked.load(ordering: .relaxed) == 0)
    }
  }

  /// Half the ranks of a node share half its connection: what is sent takes as long.
  @Test func smallerNodesStandForLarger() throws {
    let (large, _) = try Self.predict(ranksPerNode: 256, replicas: 4_096)
    let (small, _) = try Self.predict(ranksPerNode: 32, replicas: 4_096)
    #expect(abs(large.seconds / small.seconds - 1) < 0.05)
  }
}
