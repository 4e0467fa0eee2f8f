import Basics
import Datasets
import Execution
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite struct PartsTests {
  @Test func learningRateWarmsUpAndFollowsACosine() {
    let schedule = LearningRateSchedule(peak: 1, final: 0.1, warmUpUpdates: 4, totalUpdates: 104)
    #expect((0..<4).map(schedule.rate) == [0.25, 0.5, 0.75, 1])
    #expect(schedule.rate(4) == 1)
    #expect(abs(schedule.rate(54) - 0.55) < 1e-12)
    #expect(abs(schedule.rate(104) - 0.1) < 1e-12)
    #expect(schedule.rate(1_000) == schedule.rate(104))
  }

  @Test func rolloutLengthsFollowStagesAndSeed() {
    let stages = [RolloutPlan.Stage(fraction: 0, steps: 1), RolloutPlan.Stage(fraction: 0.5, steps: 4)]
    let fixed = RolloutPlan(kind: .autoregressive, stages: stages, isRandomized: false)
    #expect((0..<10).map { fixed.steps(update: $0, of: 10, seed: 1) } == [1, 1, 1, 1, 1, 4, 4, 4, 4, 4])
    let random = RolloutPlan(kind: .latent, stages: stages, isRandomized: true)
    let drawn = (0..<200).map { random.steps(update: $0, of: 200, seed: 1) }
    #expect(drawn.prefix(100).allSatisfy { $0 == 1 })
    #expect(Set(drawn.suffix(100)) == [1, 2, 3, 4])
    #expect(drawn == (0..<200).map { random.steps(update: $0, of: 200, seed: 1) })
    #expect(drawn != (0..<200).map { random.steps(update: $0, of: 200, seed: 2) })
  }

  @Test func lossWeightsMultiply() throws {
    let grid = FieldGrid.raster(LatLonGrid(latitudes: [60, 0, -60], longitudes: [0, 90, 180, 270]))
    let channels = [
      Channel(variable: "z", levelHPa: 500), Channel(variable: "z", levelHPa: 50), Channel(variable: "msl"),
    ]
    let normalization = try Normalization(
      DatasetStatistics(
        start: "", end: "", stepHours: 6, timeCount: 1,
        channels: Dictionary(
          uniqueKeysWithValues: channels.map {
            (
              $0.name,
              ChannelStatistics(mean: 0, deviation: 4, minimum: 0, maximum: 0, tendencyMean: 0, tendencyDeviation: 2)
            )
          })), channels: channels, place: "test")
    let tiling = try #require(Tiling(rows: 3, columns: 4, tileRows: 3, tileColumns: 2))
    let weights = LossWeights(
      points: LossWeights.points(grid, tiling, .published), channels: channels, normalization: normalization,
      variables: ["z": 3], levelsHPa: [50: 0.3], perTendency: false)
    for (found, expected) in zip(weights.columns.values, [3, 0.9, 1]) { #expect(abs(found - Float(expected)) < 1e-6) }
    // cos 60° : 1 : cos 60°, mean 1.
    for (found, expected) in zip(weights.rows.values, [0.75, 0.75, 1.5, 1.5, 0.75, 0.75]) {
      #expect(abs(found - Float(expected)) < 1e-6)
    }
    let perTendency = LossWeights(
      points: LossWeights.points(grid, tiling, .none), channels: channels, normalization: normalization, variables: [:],
      levelsHPa: [:], perTendency: true)
    #expect(perTendency.columns.values == [2, 2, 2] && Set(perTendency.rows.values) == [1])
  }

  @Test func metricsGoOnAfterARestart() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/metrics.csv"
    do {
      let file = try MetricsFile(path, columns: ["update", "loss"], lastUpdate: nil)
      for update in 1...5 { try file.append([Double(update), update == 2 ? .nan : 0.5]) }
    }
    // Two rows that a kill cut short, one of them before a later one was written.
    try Files.writeAtomically(Files.readText(path) + "2\n6,0.5\n1,0", to: path)
    let file = try MetricsFile(path, columns: ["update", "loss"], lastUpdate: 3)
    try file.append([4, 0.25])
    #expect(try Files.readText(path) == "update,loss\n1,0.5\n2,\n3,0.5\n4,0.25\n")
  }

  /// A chain of x → x·f_i: the derivative of the end is the product of all factors, whatever is stored.
  @Test(arguments: [0, 1, 2, 5], [1, 2, 3, 9]) func checkpointedChainVisitsEachStepOnceInReverse(
    slots: Int, count: Int
  ) throws {
    var visited: [Int] = []
    var states: [Float] = []
    let chain = CheckpointedChain<Float, Float>(
      advance: { index, state in state * Float(index + 2) },
      reverse: { index, state, gradient in
        visited.append(index)
        states.append(state)
        return (gradient ?? 1) * Float(index + 2)
      })
    let gradient = try chain.run(count, from: 1, slots: slots)
    #expect(visited == Array((0..<count).reversed()))
    var products: [Float] = [1]
    for index in 0..<count { products.append(products[index] * Float(index + 2)) }
    #expect(states == Array(products.dropLast().reversed()))
    #expect(gradient == products[count])
  }
}
