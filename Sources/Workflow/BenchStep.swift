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
    public var grid: (rows: Int, columns: Int)?
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
  private let trace: Trace? = Trace()

  public init(
    _ configuration: RunConfiguration, _ request: Request, on world: any Communicator = SingleRank(),
    console: Console = Console()
  ) {
    self.configuration = configuration
    self.request = request
    self.world = world
    self.console = world.rank == 0 ? console : .silent
    world.manner.overlaps = configuration.parallel.overlap
    world.manner.trace = trace
  }

  /// Grid, predicted fields, and static fields with read forcings, as a training would find them.
  private func sizes(_ resources: RankResources) throws -> (grid: FieldGrid, variables: Int, statics: Int) {
    if let grid = request.grid, let variables = request.variables {
      let grid = SyntheticFields.grid(rows: grid.rows, columns: grid.columns)
      return (grid, variables, configuration.data.staticFields.count + configuration.data.readForcings.count)
    }
    let dataset = try Ingredients.dataset(configuration.data, cacheBytes: 0, threads: resources.threads)
    let forcings = try Ingredients.forcings(configuration.data, cacheBytes: 0, threads: resources.threads)
    return (
      dataset.grid, dataset.channels.count, dataset.staticChannels.count + (forcings?.channels.count ?? 0)
    )
  }

  public func run() throws -> BenchStepReport {
    let resources = try RankResources(world, threads: configuration.threads)
    let (grid, variables, statics) = try sizes(resources)
    let description = try Ingredients.withGraph(
      Ingredients.description(
        configuration, grid: grid, variables: variables,
        auxiliaries: statics + configuration.data.computedForcings.count,
        tendencyScale: [Float](repeating: 0.1, count: variables)), threads: resources.threads, console: console)
    let model = try description.makeModel()
    let batch = configuration.training.batchSize
    if !request.isForecast {
      let instance = configuration.parallel.domain * configuration.parallel.tensor
      try TrainWorkflow(configuration).checkMemory(
        model, replicas: max(1, world.size / instance), localRanks: resources.localRanks)
    }
    let rank = try Ingredients.rank(
      configuration.parallel, model, batch: batch, world, resources,
      products: configuration.precision.products().backend, trains: !request.isForecast)
    let reduction = GradientReduction(rank, splitsOptimizer: configuration.parallel.splitOptimizer)
    // A forecast has no use for the memory of moments.
    let optimizer =
      request.isForecast
      ? nil
      : Optimizer(
        rank.parameters, rank.compute, try TrainWorkflow(configuration).optimizerOptions(), owned: reduction.owned)
    rank.checkpointsActivations = configuration.training.checkpointActivations
    BenchStep.fill(rank)
    optimizer?.startAverage()
    let stepper = Stepper(
      model: model, fields: description.fields, rank: rank,
      auxiliary: AuxiliaryFields(
        grid: grid, statics: SyntheticFields.statics(grid, count: statics),
        forcings: configuration.data.computedForcings),
      tiling: try description.tiling(), stepHours: configuration.data.stepHours)
    let training = optimizer.map { optimizer in
      let weights = LossWeights(
        rows: Tensor([Float](repeating: 1, count: grid.count), shape: [grid.count]),
        columns: Tensor([Float](repeating: 1, count: variables), shape: [variables]))
      return TrainingUpdate(StepRunner(stepper, weights: weights), optimizer, reduction)
    }
    let (state, target) = try frames(stepper, grid, batch: batch)

    // As a training does it, since it decides how exchanges are cut.
    let peak = Ingredients.multiplyAddPeak(rank.compute, processors: resources.processors, console)
    _ = try rank.context.measurePace(peak: peak)
    var recorder = BenchRecorder(world, rank, model, batch: batch, isForecast: request.isForecast)
    let steps = request.warmUps + request.updates
    func measure() throws {
      for number in 0..<steps {
        if number == request.warmUps { recorder.beginMeasuring() }
        try world.barrier()
        _ = trace?.takeSpans()
        let start = monotonicSeconds()
        let loss =
          try training.map { try update(number, $0, state, target) }
          ?? forecast(number, stepper, state)
        recorder.add(number, loss: loss, trace?.takeSpans() ?? [], seconds: monotonicSeconds() - start, rank)
        console.update("step \(number + 1) of \(steps)")
      }
    }
    // A forecast's steps follow each other with the same weights.
    if request.isForecast { try rank.whileWeightsStay(uses: steps, measure) } else { try measure() }
    return try recorder.report(
      model, rank, configuration, description, peak: peak)
  }

  // MARK: Steps

  /// With the same two frames each time.
  private func update(_ number: Int, _ training: TrainingUpdate, _ state: Frame, _ target: Frame) throws -> Double {
    var frames = [target] + Array(repeating: state, count: training.historyCount)
    let plan = TrainingUpdate.Plan(batchSize: state.times.count)
    let sums = try training.gradients(number, plan) { frames.popLast() ?? target }
    try training.apply(number, learningRate: configuration.training.learningRate, sums)
    return sums.loss
  }

  private func forecast(_ number: Int, _ stepper: Stepper, _ state: Frame) throws -> Double {
    let start = RolloutStart(Array(repeating: state, count: stepper.historyCount))
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
      rank.forEachRun(id) { run in
        let part = UnsafeMutableBufferPointer(start: tensor.pointer + run.offset, count: run.columns.count)
        if spec.shape.count == 1 {
          part.update(repeating: rest)
        } else {
          SyntheticFields.fillUniform(
            part, seed: seed, bound: bound, first: run.row * spec.columns + run.columns.lowerBound)
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
      tiling.tile(
        planes, fields: fields.count, mean: [Float](repeating: 0, count: fields.count),
        factor: [Float](repeating: 1, count: fields.count), into: tensor, sample: sample, tokens: block.tokens)
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
