import Basics
import Checkpoints
import Configuration
import Datasets
import Distribution
import Execution
import Models
import Stepping
import Tensors
import Training

#if canImport(Glibc)
  import Glibc
#endif

/// How much reading slows training down: `loading-speed CONFIG.yaml UPDATES ROUNDS CACHE_GIB [NAME=VALUE …]`. In turns, and in
/// one process, updates whose frames a loader reads and updates that take the same two frames from memory each time, the
/// first update of each turn not counted. Prints the median seconds of both, and their ratio.
@main struct LoadingSpeed {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count >= 5, let updates = Int(arguments[2]), let rounds = Int(arguments[3]),
      let cacheGiB = Double(arguments[4]), updates > 1, rounds > 0
    else {
      print("usage: loading-speed CONFIG.yaml UPDATES ROUNDS CACHE_GIB [NAME=VALUE …]")
      exit(64)
    }
    let configuration = try RunConfiguration.load(arguments[1], settings: Array(arguments.dropFirst(5)))
    let training = try Training(configuration, cacheBytes: Int(cacheGiB * Double(1 << 30)))
    print(training.summary)
    var with: [Double] = []
    var without: [Double] = []
    var waited = 0.0
    var (processorWith, processorWithout) = (0.0, 0.0)
    for round in 0..<rounds {
      let loader = try FrameLoader(
        training.reader, depth: 2, sequence: Pairs(sampler: training.sampler, batch: training.batch, left: 2 * updates))
      processorWith -= Machine.processorSeconds
      for update in 0..<updates {
        let seconds = try training.update { try loader.next() }
        if update > 0 { with.append(seconds) } else { waited -= loader.waitedSeconds }
      }
      waited += loader.waitedSeconds
      processorWith += Machine.processorSeconds
      processorWithout -= Machine.processorSeconds
      var isTarget = true
      for update in 0..<updates {
        let seconds = try training.update {
          isTarget.toggle()
          return training.still[isTarget ? 1 : 0]
        }
        if update > 0 { without.append(seconds) }
      }
      processorWithout += Machine.processorSeconds
      print(
        "round \(round): with loading \(median(with.suffix(updates - 1))) s, "
          + "without \(median(without.suffix(updates - 1))) s")
    }
    let (a, b) = (median(with), median(without))
    let count = Double(rounds * updates)
    print(
      "with loading \(a) s, without \(b) s, ratio \(a / b); waited for data \(waited / Double(with.count)) s per update; "
        + "processor seconds per update \(processorWith / count) and \(processorWithout / count)")
  }

  private static func median(_ values: some Collection<Double>) -> Double { values.sorted()[values.count / 2] }
}

/// Initial states and their targets.
private struct Pairs: FrameSequence {
  let sampler: Sampler
  let batch: Int
  var left: Int
  private var number = 0

  init(sampler: Sampler, batch: Int, left: Int) {
    self.sampler = sampler
    self.batch = batch
    self.left = left
  }

  mutating func next() -> FrameRequest? {
    if left == 0 { return nil }
    left -= 1
    defer { number += 1 }
    let starts = sampler.samples(number / 2 * batch..<(number / 2 + 1) * batch)
    return FrameRequest(indices: starts.map { $0 + number % 2 })
  }
}

/// A model and its data, put together from a configuration as `jigsaw train` does it.
private struct Training {
  let reader: FrameReader
  let sampler: Sampler
  let batch: Int
  /// An initial state and a target.
  let still: [Frame]
  let summary: String
  private let runner: StepRunner
  private let optimizer: Optimizer
  private let compute: Compute
  private let rank: ModelRank

  init(_ configuration: RunConfiguration, cacheBytes: Int) throws {
    let data = configuration.data
    compute = Compute(threads: 2)
    let dataset = try FieldDataset(
      sources: data.sources.map { SourceDescription(path: $0.path ?? "", names: $0.names) }, variables: data.variables,
      levelsHPa: data.levels, staticVariables: data.staticFields, rows: data.rows, cacheBytes: cacheBytes, threads: 2)
    let (start, end) = (dataset.times[0], dataset.times[dataset.times.count - 1])
    let statistics = try DatasetStatistics.compute(dataset, from: start, through: end, stepHours: data.stepHours)
    let normalization = try Normalization(statistics, channels: dataset.channels, place: "data")
    let description = ModelDescription(
      configuration.model,
      ModelFields(
        gridRows: dataset.grid.rows, gridColumns: dataset.grid.columns, variables: dataset.channels.count,
        auxiliaries: dataset.staticChannels.count + data.computedForcings.count,
        tendencyScale: normalization.tendencyScale))
    let tiling = try description.tiling()
    let model = try description.makeModel()
    rank = try ModelRank(.single(), compute, model.parameters) { _ in }
    rank.initialize(seed: 1)
    let stepper = Stepper(
      model: model, fields: description.fields, rank: rank,
      auxiliary: try AuxiliaryFields(dataset, forcings: data.computedForcings), tiling: tiling,
      stepHours: data.stepHours)
    runner = StepRunner(
      stepper,
      weights: LossWeights(
        points: LossWeights.points(dataset.grid, tiling, .published), channels: dataset.channels,
        normalization: normalization,
        variables: [:], levelsHPa: [:], perTendency: false),
      slots: 1)
    optimizer = Optimizer(rank.parameters, compute, OptimizerOptions())
    reader = FrameReader(dataset, normalization, tiling, compute)
    sampler = try Sampler(
      dataset, from: start, through: end, Sampler.Steps(hours: data.stepHours, last: 1), seed: 1, isShuffled: true,
      place: "data")
    batch = configuration.training.batchSize
    still = try (0..<2).map { [reader, batch] i in try reader.read((0..<batch).map { $0 + i }) }
    summary =
      "\(dataset.channels.count) fields on \(dataset.grid.summary), \(model.parameters.elementCount) parameters, "
      + "batch \(batch)"
  }

  /// One update from two frames.
  /// - Returns: the seconds it took, waiting for frames included.
  func update(_ next: @escaping () throws -> Frame) throws -> Double {
    let began = monotonicSeconds()
    let start = RolloutStart([try next()])
    _ = try rank.trainingPass { try runner.autoregressive(start, steps: 1, scale: 1) { try next() } }
    optimizer.step(
      update: 0, learningRate: 1e-6, gradientNorm: compute.sumOfSquares(rank.parameters.gradients).squareRoot())
    return monotonicSeconds() - began
  }
}
