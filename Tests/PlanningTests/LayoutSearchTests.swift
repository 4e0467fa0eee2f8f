import Basics
import Distribution
import Synchronization
import Testing

@testable import Planning

@Suite struct LayoutSearchTests {
  private static func search(
    _ predictor: StandInPredictor, machine: PlannedMachine, batch: Int = 2, globalBatch: Int? = nil
  ) -> LayoutSearch {
    var layout = Layout(mesh: Mesh())
    layout.batch = batch
    var job = LayoutSearch.Job(model: predictor.model, layout: layout)
    job.globalBatch = globalBatch
    return LayoutSearch(job, on: machine, predictor)
  }

  /// All that divide the ranks, where tokens and fields suffice, split only with several replicas.
  @Test func layoutsAreAllThereAre() throws {
    let search = try Self.search(StandInPredictor(Samples.model()), machine: Samples.machine())
    let meshes = search.layouts(ranks: 4).map { "\($0.mesh)\($0.splitsOptimizer ? " split" : "")" }
    #expect(
      meshes == [
        "4 × 1 × 1", "4 × 1 × 1 split", "2 × 1 × 2", "2 × 1 × 2 split", "2 × 2 × 1", "2 × 2 × 1 split", "1 × 1 × 4",
        "1 × 2 × 2", "1 × 4 × 1",
      ])
    // 12 fields: 16 ranks don't share them.
    #expect(!search.layouts(ranks: 16).contains { $0.mesh.tensor == 16 })
    #expect(search.layouts(ranks: 16).contains { $0.mesh.domain == 16 })
  }

  @Test(arguments: [1, 6, 12, 48, 256], [nil, 96])
  func findsWhatTryingAllFinds(ranks: Int, globalBatch: Int?) throws {
    for memory in [40_000_000_000, 12_000_000] {
      let predictor = StandInPredictor(Samples.model(), bytesPerSample: 30_000_000)
      let search = try Self.search(
        predictor, machine: Samples.machine(memoryBytes: memory), globalBatch: globalBatch)
      var all: [LayoutSearch.Candidate] = []
      for layout in search.layouts(ranks: ranks) {
        for checkpoints in [false, true] {
          var layout = layout
          layout.checkpointsActivations = checkpoints
          let candidate = try search.predict(layout)
          if search.fits(candidate.prediction) { all.append(candidate) }
        }
      }
      let asked = predictor.asked.load(ordering: .relaxed)
      let outcome = try search.best(ranks: ranks)
      #expect(predictor.asked.load(ordering: .relaxed) - asked == outcome.simulated)
      guard let best = all.max(by: { $0.samplesPerSecond < $1.samplesPerSecond }) else {
        #expect(outcome.fitting.isEmpty)
        continue
      }
      let found = try #require(outcome.fitting.first)
      #expect(found.samplesPerSecond >= 0.98 * best.samplesPerSecond, "\(found.name), not \(best.name)")
      if outcome.considered <= 2 * search.simulations { #expect(found.samplesPerSecond == best.samplesPerSecond) }
      #expect(outcome.fitting.map(\.samplesPerSecond) == outcome.fitting.map(\.samplesPerSecond).sorted(by: >))
      #expect(try search.reason(outcome).contains("is bound by"))
    }
  }

  /// Thousands of ranks: some layouts are simulated, not all.
  @Test func manyRanksAreSearchedByFormulasFirst() throws {
    let predictor = StandInPredictor(Samples.model())
    let outcome = try Self.search(predictor, machine: Samples.machine()).best(ranks: 4_096)
    #expect(outcome.considered > 80 && outcome.simulated <= 24 && !outcome.fitting.isEmpty)
  }

  @Test func theGlobalBatchIsKept() throws {
    let search = try Self.search(
      StandInPredictor(Samples.model()), machine: Samples.machine(), batch: 4, globalBatch: 24)
    let layout = try #require(search.layout(on: Mesh(replica: 2)))
    #expect(layout.batch == 4 && layout.accumulation == 3)
    let other = try #require(search.layout(on: Mesh(replica: 8)))
    #expect(other.batch == 3 && other.accumulation == 1)
    #expect(search.layout(on: Mesh(replica: 5)) == nil)
    for candidate in try search.best(ranks: 12).fitting { #expect(candidate.prediction.samples == 24) }
  }

  /// 240 MB per sample, 15 MB of parameters and moments: two ranks hold it, or one that computes again.
  @Test func checkpointingIsTheLastResort() throws {
    let predictor = StandInPredictor(Samples.model(), bytesPerSample: 120_000_000)
    let roomy = try Self.search(predictor, machine: Samples.machine()).best(ranks: 2)
    #expect(roomy.fitting.allSatisfy { !$0.layout.checkpointsActivations })
    let tight = try Self.search(predictor, machine: Samples.machine(memoryBytes: 100_000_000)).best(ranks: 1)
    #expect(tight.fitting.map(\.layout.checkpointsActivations) == [true])
    #expect(tight.tooLarge.count == 1)
    let none = Self.search(predictor, machine: try Samples.machine(memoryBytes: 20_000_000))
    #expect(try none.best(ranks: 1).fitting.isEmpty)
    let enough = try #require(try none.smallestFitting(from: 1))
    #expect(enough.layout.mesh.count > 1 && enough.prediction.memory.total <= 20_000_000)
    #expect(try Self.search(predictor, machine: Samples.machine(memoryBytes: 1_000)).smallestFitting(from: 1) == nil)
  }
}
