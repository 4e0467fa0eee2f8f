import Basics
import Communication
import Configuration
import Datasets
import Distribution
import Execution
import Models
import Stepping
import Tensors
import Training

/// `jigsaw bench step`: what a training or forecast step of a configuration costs, phase by phase, on fields made up on the
/// spot. All ranks run it together; times are those of the slowest.
public struct BenchStep {
  public struct Request: Sendable {
    /// Measured updates, after `warmUps` that are not.
    public var updates = 10
    public var warmUps = 2
    /// Without data: the grid's rows and columns; else those of the configuration's sources.
    public var grid: NamedGrid?
    /// Predicted fields; else those of the sources.
    public var variables: Int?
    /// Steps of a forecast instead of training steps.
    public var isForecast = false

    public init() {}
  }

  private let configuration: RunConfiguration
  private let request: Request
  private let world: any Communicator
  private let console: Console
  private let trace = Trace()

  public init(
    _ configuration: RunConfiguration, _ request: Request, on world: any Communicator = SingleRank(),
    console: Console = Console()
  ) {
    self.configuration = configuration
    self.request = request
    self.world = world
    self.console = world.rank == 0 ? console : .silent
  }

  /// The sizes that a training would find in its data.
  private struct Problem {
    let description: ModelDescription
    let grid: FieldGrid
    /// Static fields with read forcings, which the steps take for static ones.
    let statics: Int
    /// By grid point: whether it is read but not predicted.
    var boundary: [Bool]?
    /// Points and fields that are no part of the loss.
    var unpredictedCount = 0
  }

  private func problem(_ resources: RankResources) throws -> Problem {
    let data = configuration.data
    func tendencies(_ variables: Int) -> [Float] { [Float](repeating: 0.1, count: variables) }
    if let grid = request.grid, let variables = request.variables {
      if !data.diagnostic.isEmpty || data.boundary != .none {
        console.say(
          "note: --grid and --variables know neither data.diagnostic nor data.boundary: all fields are read and predicted"
        )
      }
      let grid = grid.fieldGrid
      let statics = data.staticFields.count + data.readForcings.count
      return Problem(
        description: try Assembly.description(
          configuration, grid: grid, variables: variables, auxiliaries: statics + data.computedForcings.count,
          tendencyScale: tendencies(variables)), grid: grid, statics: statics)
    }
    let dataset = try Assembly.dataset(data, cacheBytes: 0, threads: resources.threads)
    let forcings = try Assembly.forcings(data, cacheBytes: 0, threads: resources.threads)
    return Problem(
      description: try Assembly.description(
        configuration, dataset, forcings: forcings, tendencyScale: tendencies(dataset.channels.count)),
      grid: dataset.grid, statics: dataset.staticChannels.count + (forcings?.channels.count ?? 0),
      boundary: dataset.boundary, unpredictedCount: dataset.unpredictedCount)
  }

  public func run() throws -> BenchStepReport {
    try Agreement.check(
      "bench step", configuration,
      [
        ("--updates", "\(request.updates)"), ("--grid", request.grid?.fieldGrid.summary ?? "none"),
        ("--variables", request.variables.map(String.init) ?? "none"),
        ("--forecast", request.isForecast ? "yes" : "no"),
      ], on: world)
    let run = try RunContext(
      world, threads: configuration.threads, overlaps: configuration.parallel.overlap, trace: trace, console: console)
    let problem = try problem(run.resources)
    let made = try Assembly.withGraph(problem.description, threads: run.resources.threads, console: console)
    let (parallel, batch) = (configuration.parallel, configuration.training.batchSize)
    let replicas = max(1, run.world.size / (parallel.domain * parallel.tensor))
    let fit = try MemoryFit(
      made, configuration, Mesh(replica: replicas, domain: parallel.domain, tensor: parallel.tensor), batch: batch,
      threads: run.resources.threads)
    if let sentence = fit.sentence, !request.isForecast { console.say(sentence) }
    let model = try fit.description.makeModel()
    if !request.isForecast {
      try TrainWorkflow(configuration).checkMemory(
        model, replicas: replicas, localRanks: run.resources.localRanks)
    }
    let rank = try Assembly.rank(
      parallel, model, batch: batch, products: configuration.precision.products().backend,
      trains: !request.isForecast, run)
    let steps = try steps(rank, model, fit, problem)
    // The link is estimated as in a training, since the estimate decides how exchanges are cut.
    let peak = Assembly.multiplyAddPeak(rank.compute, processors: run.resources.processors, console)
    _ = try rank.context.estimateLink(peak: peak)
    var recorder = BenchRecorder(run.world, rank, model, batch: batch, isForecast: request.isForecast)
    // A forecast's steps follow each other with the same weights.
    if request.isForecast {
      try rank.withFrozenWeights(uses: request.warmUps + request.updates) { try measure(steps, &recorder, run) }
    } else {
      try measure(steps, &recorder, run)
    }
    return try recorder.report(model, rank, configuration, fit.description, peak: peak)
  }

  /// The steps that are measured: updates, or steps of a forecast.
  private struct Steps {
    let stepper: Stepper
    /// Nil for a forecast, which has no use for the memory of moments.
    let training: TrainingUpdate?
    let state, target: Frame
  }

  private func steps(
    _ rank: ModelRank, _ model: any ForecastModel, _ fit: MemoryFit, _ problem: Problem
  ) throws -> Steps {
    let (grid, settings) = (problem.grid, configuration.training)
    let reduction = GradientReduction(rank, splitsOptimizer: configuration.parallel.splitOptimizer)
    let optimizer =
      request.isForecast
      ? nil
      : Optimizer(
        rank.parameters, rank.compute, try TrainWorkflow(configuration).optimizerOptions(), shard: reduction.shard)
    rank.checkpointsActivations = fit.checkpointsActivations
    BenchStep.fill(rank)
    optimizer?.startAverage()
    let stepper = Stepper(
      model: model, fields: fit.description.fields, rank: rank,
      auxiliary: AuxiliaryFields(
        grid: grid, statics: SyntheticFields.statics(grid, count: problem.statics),
        forcings: configuration.data.computedForcings),
      tiling: try fit.description.tiling(), stepHours: configuration.data.stepHours, boundary: problem.boundary)
    let training = optimizer.map { optimizer in
      let variables = fit.description.fields.variables
      let weights = LossWeights(
        rows: Tensor([Float](repeating: 1, count: grid.count), shape: [grid.count]),
        columns: Tensor([Float](repeating: 1, count: variables), shape: [variables]))
      return TrainingUpdate(
        StepRunner(
          stepper, weights: weights, kind: settings.loss.kind.pointwise(delta: settings.loss.huberDelta),
          unpredictedCount: problem.unpredictedCount), optimizer, reduction)
    }
    let (state, target) = try frames(stepper, grid, batch: settings.batchSize)
    return Steps(stepper: stepper, training: training, state: state, target: target)
  }

  private func measure(_ steps: Steps, _ recorder: inout BenchRecorder, _ run: RunContext) throws {
    let count = request.warmUps + request.updates
    for number in 0..<count {
      if number == request.warmUps { recorder.beginMeasuring() }
      try run.world.barrier()
      _ = trace.takeSpans()
      let start = monotonicSeconds()
      let loss =
        try steps.training.map { try update(number, $0, steps.state, steps.target) }
        ?? forecast(steps.stepper, steps.state, steps.target)
      recorder.add(
        number, loss: loss, trace.takeSpans(), seconds: monotonicSeconds() - start, steps.stepper.rank)
      console.update("step \(number + 1) of \(count)")
    }
  }

  // MARK: Steps

  /// One update, with the same two frames each time.
  private func update(_ number: Int, _ training: TrainingUpdate, _ state: Frame, _ target: Frame) throws -> Double {
    var frames = [target] + Array(repeating: state, count: training.historyCount)
    let plan = TrainingUpdate.Plan(batchSize: state.times.count)
    let sums = try training.gradients(number, plan) { frames.popLast() ?? target }
    try training.apply(number, learningRate: configuration.training.learningRate, sums)
    return sums.loss
  }

  private func forecast(_ stepper: Stepper, _ state: Frame, _ truth: Frame) throws -> Double {
    let start = RolloutStart(Array(repeating: state, count: stepper.historyCount), truth: { _ in truth })
    _ = try stepper.advance(stepper.history(start), from: start, step: 0)
    return 0
  }

  // MARK: Numbers

  /// Weights uniform in ± 1/√columns, also those that a training starts at zero; norms and biases at rest.
  private static func fill(_ rank: ModelRank) {
    for (index, spec) in rank.parameters.table.specs.enumerated() {
      let id = ParameterID(index: index)
      let tensor = rank.parameters.value(id)
      let seed = SyntheticFields.seed(spec.name)
      let bound = 1 / Float(spec.columns).squareRoot()
      let rest: Float = if case .constant(let value) = spec.initialization, spec.shape.count == 1 { value } else { 0 }
      tensor.updateOnHost { values in
        rank.forEachRun(id) { run in
          let part = UnsafeMutableBufferPointer(rebasing: values[run.offset..<run.offset + run.columns.count])
          if spec.shape.count == 1 {
            part.update(repeating: rest)
          } else {
            SyntheticFields.fillUniform(
              part, seed: seed, bound: bound, first: run.row * spec.columns + run.columns.lowerBound)
          }
        }
      }
    }
  }

  /// A state of unit variance, and one that differs from it by a tenth of that.
  private func frames(_ stepper: Stepper, _ grid: FieldGrid, batch: Int) throws -> (Frame, Frame) {
    let (block, tiling) = (stepper.block, stepper.tiling)
    let (fields, rows) = (block.fields, tiling.rows(block.tokens))
    let times = (0..<batch).map { Timestamp(year: 2001, month: 1, day: 1).adding(hours: 6 * $0) }
    let shape = [block.tokens.count, batch, tiling.pointsPerToken * fields.count]
    let (state, target) = (Tensor(zeros: shape), Tensor(zeros: shape))
    let size = rows.count * grid.columns
    var planes = [Float](repeating: 0, count: fields.count * size)
    func tile(_ sample: Int, into tensor: Tensor) {
      tiling.tile(planes, .none(fields.count), into: tensor, sample: sample, tokens: block.tokens)
    }
    /// Adds `deviation` times the numbers of a seed to the planes.
    func add(_ sample: Int, seed: UInt32, deviation: Float) {
      for (position, field) in fields.enumerated() {
        let first = ((sample * stepper.fields + field) * grid.rows + rows.lowerBound) * grid.columns
        for point in 0..<size {
          planes[position * size + point] +=
            deviation * (SyntheticFields.number(first + point, seed: seed) * SyntheticFields.unitBound)
        }
      }
    }
    for sample in 0..<batch {
      for index in planes.indices { planes[index] = 0 }
      add(sample, seed: 1, deviation: 1)
      tile(sample, into: state)
      add(sample, seed: 3, deviation: 0.1)
      tile(sample, into: target)
    }
    return (Frame(state: state, times: times), Frame(state: target, times: times))
  }
}

extension SyntheticFields {
  /// Static fields of unit variance, [field, row, column].
  static func statics(_ grid: FieldGrid, count: Int) -> [Float] {
    (0..<count * grid.count).map { number($0, seed: 2) * unitBound }
  }
}
