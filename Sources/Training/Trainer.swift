import Basics
import Checkpoints
import Communication
import Datasets
import Distribution
import Execution
import Stepping
import Tensors

/// The report on one update.
public struct UpdateReport: Sendable {
  /// Counted from 1.
  public let update: Int
  public let totalUpdates: Int
  public let samples: Int
  /// Samples visited over samples in the training period.
  public let epoch: Double
  public let rolloutSteps: Int
  public let loss, gradientNorm, learningRate: Double
  public let seconds: Double
  /// Seconds of these spent waiting for data.
  public let waitSeconds: Double
  public let samplesPerSecond: Double
  /// Useful operations only: three forward passes per step and sample, none for what is computed again.
  public let teraFLOPPerSecond: Double
}

/// The report on a validation.
public struct ValidationReport: Sendable {
  public let update: Int
  public let samples: Int
  /// Mean over the steps of the rollout.
  public let loss: Double
  /// Per channel, physical units, area-weighted root mean square of the one-step error.
  public let rmse: [Double]
  /// Per channel, physical units: the least and the largest true value of the first steps; nil where some are imputed.
  public let truthExtremes: [(low: Double, high: Double)?]
  public let isBest: Bool
}

/// The training loop: frames in, updates, reports and checkpoints out. All ranks run it together and see the same reports.
public final class Trainer {
  public struct Options: Sendable {
    public var totalUpdates: Int
    /// Samples of one micro-batch of one model instance.
    public var batchSize: Int
    public var accumulation: Int
    public var seed: UInt64
    public var rollout: RolloutPlan
    public var schedule: LearningRateSchedule
    public var validation: Validation
    /// Updates between checkpoints; 0: only at the end.
    public var checkpointEvery = 0
    /// Frames that are read ahead.
    public var prefetch = 2
    /// Turns samples around the globe's axis by random multiples of a tile.
    public var rollsLongitudes = false

    public struct Validation: Sendable {
      /// Updates between validations; 0: only at the end.
      public var every: Int
      /// Samples, spread evenly over the period, and the steps that each is rolled out.
      public var samples, steps: Int

      public init(every: Int, samples: Int, steps: Int = 1) {
        self.every = every
        self.samples = samples
        self.steps = steps
      }
    }

    public init(
      totalUpdates: Int, batchSize: Int, accumulation: Int, seed: UInt64, rollout: RolloutPlan,
      schedule: LearningRateSchedule, validation: Validation
    ) {
      self.totalUpdates = totalUpdates
      self.batchSize = batchSize
      self.accumulation = accumulation
      self.seed = seed
      self.rollout = rollout
      self.schedule = schedule
      self.validation = validation
    }
  }

  /// The functions that the training loop calls.
  public struct Hooks {
    public var updated: (UpdateReport) throws -> Void = { _ in }
    public var validated: (ValidationReport) throws -> Void = { _ in }
    /// Write a checkpoint of this progress; `isBest`: the best so far by validation.
    public var checkpoint: (CheckpointManifest.Progress, _ isBest: Bool) throws -> Void = { _, _ in }
    /// Asked during each update: stop after it, with a checkpoint? All ranks stop if one says so.
    public var shouldStop: (_ update: Int) -> Bool = { _ in false }

    public init() {}
  }

  private let runner: StepRunner
  private var stepper: Stepper { runner.stepper }
  private let optimizer: Optimizer
  private let reduction: GradientReduction
  private let training: TrainingUpdate
  private let reader: FrameReader
  private let forcings: FrameReader?
  private let trainSampler: Sampler
  private let validationSampler: Sampler?
  private let options: Options
  private let forwardFLOPsPerSample: Int
  private var progress: CheckpointManifest.Progress
  private var parameters: ParameterStore { runner.rank.parameters }
  private var context: RankContext { runner.rank.context }
  private var mesh: Mesh { context.mesh }
  private var trace: Trace? { context.trace }

  /// Frames and which of them are trained on.
  public struct Samples {
    public var reader: FrameReader
    /// Reader of forcings; nil where the model reads none.
    public var forcings: FrameReader?
    public var training: Sampler
    public var validation: Sampler?

    public init(_ reader: FrameReader, forcings: FrameReader? = nil, training: Sampler, validation: Sampler?) {
      self.reader = reader
      self.forcings = forcings
      self.training = training
      self.validation = validation
    }
  }

  public init(
    runner: StepRunner, optimizer: Optimizer, reduction: GradientReduction, samples: Samples, options: Options,
    forwardFLOPsPerSample: Int, progress: CheckpointManifest.Progress
  ) {
    precondition(samples.reader.block == runner.block)
    self.runner = runner
    self.optimizer = optimizer
    self.reduction = reduction
    training = TrainingUpdate(runner, optimizer, reduction)
    reader = samples.reader
    forcings = samples.forcings
    trainSampler = samples.training
    validationSampler = samples.validation
    self.options = options
    self.forwardFLOPsPerSample = forwardFLOPsPerSample
    self.progress = progress
  }

  /// Trains from where progress stands to the end, or until a hook stops it.
  /// - Throws: also when loss or gradients stop being numbers, naming update and variable.
  public func run(_ hooks: Hooks) throws {
    let samples = TrainingSamples(
      sampler: trainSampler, options: options, dataset: reader.dataset,
      rollColumns: options.rollsLongitudes ? runner.tiling.tileColumns : 0, replica: context.position.replica,
      replicas: mesh.replica)
    let loader = try loader(reader, .states, samples)
    let forcings = try forcings.map { try self.loader($0, .forcings, samples) }
    parameters.clearGradients()
    while progress.update < options.totalUpdates {
      let (report, stops) = try update(loader, forcings, hooks)
      try hooks.updated(report)
      let isLast = progress.update == options.totalUpdates
      if let sampler = validationSampler, isLast || isDue(options.validation.every) {
        let validation = try trace.measure(.phases, "validation") { try validate(sampler) }
        progress.validatedUpdate = progress.update
        try hooks.validated(validation)
        if validation.isBest {
          progress.bestValidationLoss = validation.loss
          progress.bestUpdate = progress.update
          try hooks.checkpoint(progress, true)
        }
      }
      if isLast || stops || isDue(options.checkpointEvery) { try hooks.checkpoint(progress, false) }
      if stops { break }
    }
    try loader.drain()
    try forcings?.drain()
  }

  private func loader(_ reader: FrameReader, _ contents: TrainingSequence.Contents, _ samples: TrainingSamples) throws
    -> FrameLoader
  {
    try FrameLoader(
      reader, depth: options.prefetch,
      sequence: TrainingSequence(contents, of: samples, from: reader.dataset, for: stepper, since: progress))
  }

  private func isDue(_ interval: Int) -> Bool { interval > 0 && progress.update % interval == 0 }

  // MARK: One update

  private func update(_ loader: FrameLoader, _ forcings: FrameLoader?, _ hooks: Hooks) throws -> (
    UpdateReport, stops: Bool
  ) {
    let start = monotonicSeconds()
    func waited() -> Double { loader.waitedSeconds + (forcings?.waitedSeconds ?? 0) }
    let waitedBefore = waited()
    let update = progress.update
    let steps = options.rollout.steps(update: update, of: options.totalUpdates, seed: options.seed)
    let plan = TrainingUpdate.Plan(
      batchSize: options.batchSize, accumulation: options.accumulation, kind: options.rollout.kind, steps: steps,
      seed: options.seed)
    let sums = try training.gradients(
      update, plan, stops: { hooks.shouldStop(update + 1) },
      nextForcings: forcings.map { loader in { try loader.next() } }
    ) { try loader.next() }
    guard sums.loss.isFinite, sums.gradientNorm.isFinite else {
      throw try divergence(update: update + 1, loss: sums.loss)
    }
    let rate = options.schedule.rate(update)
    try training.apply(update, learningRate: rate, sums)
    let samples = options.batchSize * options.accumulation * mesh.replica
    progress.update += 1
    progress.samples += samples
    let seconds = monotonicSeconds() - start
    let forwards = options.rollout.kind == .latent ? 1 : steps
    let report = UpdateReport(
      update: progress.update, totalUpdates: options.totalUpdates, samples: progress.samples,
      epoch: Double(progress.samples) / Double(trainSampler.count), rolloutSteps: steps, loss: sums.loss,
      gradientNorm: sums.gradientNorm, learningRate: rate, seconds: seconds,
      waitSeconds: waited() - waitedBefore,
      samplesPerSecond: Double(samples) / seconds,
      teraFLOPPerSecond: Double(3 * forwardFLOPsPerSample * samples * forwards) / seconds * 1e-12)
    return (report, sums.stops)
  }

  /// Says where numbers stopped being numbers: the first parameter with a bad gradient, and the channels of a prediction
  /// from the current weights.
  private func divergence(update: Int, loss: Double) throws -> JigsawError {
    var details: [String] = []
    let start = try stepper.start(reader, [trainSampler.starts[0]], forcings: forcings)
    let prediction = try stepper.advance(stepper.history(start), from: start, step: 0).tensor
    let (channels, own) = (reader.dataset.channels, stepper.block.fields)
    var flags = [Double](repeating: 0, count: channels.count)
    prediction.readOnHost { values in
      for (position, channel) in own.enumerated() {
        // Squares, since the loss is made of them.
        let isBad = stride(from: position, to: values.count, by: own.count).contains {
          !(values[$0] * values[$0]).isFinite
        }
        flags[channel] = isBad ? 1 : 0
      }
    }
    let bad = try context.world.allReduce(flags, .maximum)
    let names = channels.indices.filter { bad[$0] > 0 }.map { channels[$0].name }
    if !names.isEmpty { details.append("the prediction of \(names.joined(separator: ", "))") }
    let gradients = try context.world.allReduce(
      parameters.named(in: parameters.gradients).map { _, tensor in
        tensor.readOnHost { $0.contains { !$0.isFinite } } ? 1 : 0
      }, .maximum)
    if let first = gradients.firstIndex(of: 1) {
      details.append("the gradient of \(parameters.table.specs[first].name)")
    }
    if details.isEmpty { details.append(loss.isFinite ? "the norm of the gradients" : "the loss") }
    return JigsawError(
      "training",
      "stopped at update \(update): \(details.joined(separator: " and ")) is no longer a number (loss \(loss))",
      remedy: "lower training.learningRate or check the data; the last checkpoint is kept")
  }

  // MARK: Validation

  /// Errors of the averaged weights over samples spread evenly through the validation period.
  private func validate(_ sampler: Sampler) throws -> ValidationReport {
    try swapAverage()
    let count = min(options.validation.samples, sampler.count)
    let starts = (0..<count).map { sampler.starts[$0 * sampler.count / count] }
    let dataset = reader.dataset
    let (tokens, own) = (stepper.block.tokens, stepper.block.fields)
    let s = stepper.tiling.pointsPerToken
    let areaWeights = stepper.tiling.spread(rowValues: dataset.grid.areaWeights.map(Float.init))[
      tokens.lowerBound * s..<tokens.upperBound * s]
    // The loss, then squares by channel.
    var sums = [Double](repeating: 0, count: 1 + dataset.channels.count)
    // By channel, normalised: the largest value, and the largest of the opposites.
    var extremes = [Double](repeating: -.infinity, count: 2 * dataset.channels.count)
    func addErrors(_ predicted: UnsafeBufferPointer<Float>, _ truth: UnsafeBufferPointer<Float>) {
      for (point, weight) in areaWeights.enumerated() {
        for (position, channel) in own.enumerated() {
          let place = point * own.count + position
          let error = predicted[place] - truth[place]
          sums[1 + channel] += Double(weight * error * error)
          let value = Double(truth[place])
          extremes[2 * channel] = max(extremes[2 * channel], value)
          extremes[2 * channel + 1] = max(extremes[2 * channel + 1], -value)
        }
      }
    }
    for (number, start) in starts.enumerated() where number % mesh.replica == context.position.replica {
      let rollout = try stepper.start(reader, [start], forcings: forcings)
      var history = stepper.history(rollout)
      for step in 0..<options.validation.steps {
        let time = dataset.times[start].adding(hours: (step + 1) * stepper.stepHours)
        guard let index = dataset.index(of: time) else {
          preconditionFailure("the sampler chose a start without its target")
        }
        let truth = try reader.read([index])
        let state = try stepper.advance(history, from: rollout, step: step)
        history = history.dropFirst() + [state]
        sums[0] += try runner.loss(
          state.tensor, truth.state, imputed: truth.imputed, gradient: nil, accumulate: false, scale: 1)
        if step == 0 { state.tensor.readOnHost { values in truth.state.readOnHost { addErrors(values, $0) } } }
      }
    }
    sums = try context.world.allReduce(sums)
    extremes = try context.world.allReduce(extremes, .maximum)
    try swapAverage()
    let points = dataset.channels.indices.map { dataset.predictedArea($0) * Double(count) }
    let rmse = sums.dropFirst().enumerated().map {
      ($0.element / points[$0.offset]).squareRoot() * Double(reader.normalization.deviation[$0.offset])
    }
    let loss = sums[0] / Double(count * options.validation.steps)
    return ValidationReport(
      update: progress.update, samples: count, loss: loss, rmse: rmse,
      truthExtremes: dataset.channels.indices.map { channel in
        if dataset.imputed[channel] != nil { return nil }
        let (mean, deviation) = (
          Double(reader.normalization.mean[channel]), Double(reader.normalization.deviation[channel])
        )
        return (mean - deviation * extremes[2 * channel + 1], mean + deviation * extremes[2 * channel])
      },
      isBest: loss < progress.bestValidationLoss ?? .infinity)
  }

  private func swapAverage() throws {
    optimizer.swapAverage()
    if optimizer.state.average != nil { try reduction.gatherShards(parameters.values) }
  }
}
