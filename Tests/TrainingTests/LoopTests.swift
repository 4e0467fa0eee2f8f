import Basics
import Checkpoints
import Datasets
import Distribution
import Execution
import Models
import Stepping
import Tensors
import TestSupport
import Testing

@testable import Training

/// A small model on synthetic data, assembled by hand.
final class Setup {
  let folder: TemporaryFolder
  let dataset: FieldDataset
  let normalization: Normalization
  let compute = Compute(threads: 2)
  let rank: ModelRank
  var parameters: ParameterStore { rank.parameters }
  let runner: StepRunner
  let reader: FrameReader
  let sampler: Sampler
  let model: any ForecastModel

  init(slots: Int = 3, leadSteps: Int = 1, blocks: Int = 2) throws {
    folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    dataset = try FieldDataset(
      sources: [SourceDescription(path: "\(folder.path)/data.nc")], variables: ["z", "msl"], levelsHPa: [500],
      cacheBytes: 1 << 30)
    let (start, end) = (dataset.times[0], dataset.times[dataset.times.count - 1])
    let statistics = try DatasetStatistics.compute(dataset, from: start, through: end, stepHours: 6)
    normalization = try Normalization(statistics, channels: dataset.channels, place: "test")
    let description = ModelDescription(
      WeatherMixerSettings(
        patch: [2, 2], channels: 24, tokenWidth: 16, channelWidth: 24, blocks: blocks, output: .residual),
      ModelFields(
        gridRows: 8, gridColumns: 16, variables: 2, auxiliaries: 0, tendencyScale: normalization.tendencyScale))
    model = try description.makeModel()
    rank = try ModelRank(.single(), compute, model.parameters) { _ in }
    rank.initialize(seed: 1)
    let tiling = try description.tiling()
    runner = StepRunner(
      Stepper(
        model: model, fields: description.fields, rank: rank,
        auxiliary: AuxiliaryFields(grid: dataset.grid, statics: [], forcings: []),
        tiling: tiling, stepHours: 6),
      weights: LossWeights(
        points: LossWeights.points(dataset.grid, tiling, .published), channels: dataset.channels,
        normalization: normalization,
        variables: [:], levelsHPa: [:], perTendency: false),
      slots: slots)
    reader = FrameReader(dataset, normalization, tiling, compute)
    sampler = try Sampler(
      dataset, from: start, through: end, Sampler.Steps(hours: 6, last: leadSteps), seed: 1, isShuffled: true,
      place: "test")
  }

  func trainer(updates: Int, learningRate: Double = 3e-3, rollout: RolloutPlan = .singleStep) throws -> Trainer {
    var options = OptimizerOptions()
    options.averageDecay = 0.9
    return Trainer(
      runner: runner, optimizer: Optimizer(parameters, compute, options), reduction: GradientReduction(rank),
      samples: Trainer.Samples(reader, training: sampler, validation: nil),
      options: Trainer.Options(
        totalUpdates: updates, batchSize: 4, accumulation: 1, seed: 1, rollout: rollout,
        schedule: LearningRateSchedule(
          peak: learningRate, final: learningRate, warmUpUpdates: 0, totalUpdates: updates),
        validation: Trainer.Options.Validation(every: 0, samples: 1)),
      forwardFLOPsPerSample: try model.forwardFLOPs,
      progress: CheckpointManifest.Progress(update: 0, samples: 0, samplesPerEpoch: sampler.count, seed: 1))
  }
}

@Suite struct LoopTests {
  @Test func theLossFalls() throws {
    var losses: [Double] = []
    var hooks = Trainer.Hooks()
    hooks.updated = { losses.append($0.loss) }
    try Setup().trainer(updates: 60).run(hooks)
    #expect(losses.count == 60)
    let (first, last): (Double, Double) = (losses.prefix(5).reduce(0, +), losses.suffix(5).reduce(0, +))
    #expect(last < 0.3 * first)
  }

  /// From the second update on, a step takes all its memory from the pool. Frames are read on this thread: how many the
  /// loader's own thread holds at a time is a matter of scheduling.
  @Test func stepsAllocateNothingAfterTheFirst() throws {
    let setup = try Setup()
    let optimizer = Optimizer(setup.parameters, setup.compute, OptimizerOptions())
    var allocations: [Int] = []
    for update in 0..<6 {
      let (start, target) = (try setup.reader.read([0, 1]), try setup.reader.read([1, 2]))
      _ = try setup.runner.autoregressive(RolloutStart([start]), steps: 1, scale: 1) { target }
      optimizer.step(
        update: update, learningRate: 1e-3,
        gradientNorm: setup.compute.sumOfSquares(setup.parameters.gradients).squareRoot())
      allocations.append(setup.compute.pool.counters.allocations)
    }
    #expect(Set(allocations.dropFirst()).count == 1, "\(allocations)")
  }

  /// Back-propagation through any number of steps keeps a fixed number of states.
  @Test func memoryDoesNotGrowWithTheNumberOfSteps() throws {
    var peaks: [Int: Int] = [:]
    for steps in [8, 16, 48] {
      let setup = try Setup(slots: 3, leadSteps: 48)
      let start = try setup.reader.read([0])
      let target = try setup.reader.read([1])
      setup.compute.pool.resetPeak()
      _ = try setup.runner.autoregressive(RolloutStart([start]), steps: steps, scale: 1) { target }
      _ = try setup.runner.latent(RolloutStart([start]), steps: steps, scale: 1, target: target)
      peaks[steps] = setup.compute.pool.counters.peakBytesInUse
    }
    #expect(Set(peaks.values).count == 1, "\(peaks)")
  }

  /// However few states are kept, the gradients are the same.
  @Test func storedStatesDoNotChangeGradients() throws {
    var gradients: [[Float]] = []
    for slots in [1, 2, 7] {
      let setup = try Setup(slots: slots, leadSteps: 7)
      var next = 7
      _ = try setup.runner.autoregressive(RolloutStart([setup.reader.read([0])]), steps: 7, scale: 1) {
        defer { next -= 1 }
        return try setup.reader.read([next])
      }
      gradients.append(setup.parameters.gradients.values)
    }
    #expect(gradients[0] == gradients[1] && gradients[1] == gradients[2])
  }

  @Test func numbersThatBlowUpStopTheTrainingAndAreNamed() throws {
    let setup = try Setup()
    let error = #expect(throws: JigsawError.self) {
      try setup.trainer(updates: 50, learningRate: 1e30).run(Trainer.Hooks())
    }
    let text = error.map(String.init(describing:)) ?? ""
    #expect(text.contains("stopped at update") && text.contains("no longer a number"), "\(text)")
    #expect(text.contains("update 2") && text.contains("z_500"), "\(text)")
  }
}
