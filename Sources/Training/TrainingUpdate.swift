import Basics
import Checkpoints
import Communication
import Datasets
import Distribution
import Execution
import Stepping

/// One update of a model's weights, from frames to weights. Trainings, measurements and dry runs all go through it. All ranks
/// call it together.
public struct TrainingUpdate {
  /// The composition of an update.
  public struct Plan: Sendable {
    /// Samples of one micro-batch of one model instance, and micro-batches.
    public var batchSize, accumulation: Int
    public var kind: RolloutPlan.Kind
    /// The number of steps of the rollout.
    public var steps: Int
    /// The seed of dropout masks.
    public var seed: UInt64

    /// Steps of the rollout that read states.
    var inputStates: Int { kind == .latent ? 1 : steps }

    public init(
      batchSize: Int, accumulation: Int = 1, kind: RolloutPlan.Kind = .autoregressive, steps: Int = 1, seed: UInt64 = 0
    ) {
      self.batchSize = batchSize
      self.accumulation = accumulation
      self.kind = kind
      self.steps = steps
      self.seed = seed
    }
  }

  /// Sums over all ranks together.
  public struct Sums: Sendable {
    public let loss, gradientNorm: Double
    /// Whether a rank wants to stop.
    public let stops: Bool
  }

  /// Names of its parts in traces, in the order in which they run.
  public enum Phase: String, CaseIterable, Sendable {
    case samples = "next samples"
    case passes = "forward and backward"
    case reduction = "gradient reduction"
    case norm = "gradient norm"
    case optimizer = "optimiser"
  }

  private let runner: StepRunner
  private let optimizer: Optimizer
  private let reduction: GradientReduction
  private var rank: ModelRank { runner.rank }
  private var context: RankContext { runner.rank.context }
  private var trace: Trace? { context.trace }

  public init(_ runner: StepRunner, _ optimizer: Optimizer, _ reduction: GradientReduction) {
    precondition(optimizer.state.shard == reduction.shard)
    self.runner = runner
    self.optimizer = optimizer
    self.reduction = reduction
  }

  /// States of each micro-batch that come before its targets.
  public var historyCount: Int { runner.stepper.historyCount }

  /// All passes, forward and back, and the sums of gradients over all ranks.
  ///
  /// - Parameters:
  ///   - update: counted from 0.
  ///   - stops: whether this rank wants to stop; asked when the gradients are there.
  ///   - nextForcings: for each micro-batch the read forcings at every time from the first input time on; nil where the model
  ///     reads none.
  ///   - nextFrame: for each micro-batch the states from the first input time to the start, then the targets, the farthest
  ///     first.
  public func gradients(
    _ update: Int, _ plan: Plan, stops: () -> Bool = { false }, nextForcings: (() throws -> Frame)? = nil,
    nextFrame: @escaping () throws -> Frame
  ) throws -> Sums {
    let loss = try rank.withFrozenWeights(uses: plan.accumulation * plan.steps) {
      try passes(update, plan, nextForcings: nextForcings, nextFrame: nextFrame)
    }
    try measure(.reduction) { try reduction.finish() }
    let isStopping = stops()
    let sums = try measure(.norm) {
      try context.world.allReduce([loss, reduction.gradientSquares(), isStopping ? 1 : 0])
    }
    return Sums(loss: sums[0], gradientNorm: sums[1].squareRoot(), stops: sums[2] > 0)
  }

  /// This rank's share of the loss, and gradients.
  private func passes(
    _ update: Int, _ plan: Plan, nextForcings: (() throws -> Frame)?, nextFrame: @escaping () throws -> Frame
  ) throws -> Double {
    let scale = 1 / Double(plan.accumulation * context.mesh.replica)
    var loss = 0.0
    for micro in 0..<plan.accumulation {
      var key = RandomKey()
      key.seed = plan.seed
      key.step = UInt64(update)
      key.firstSample = (micro * context.mesh.replica + context.position.replica) * plan.batchSize
      rank.randomKey = key
      let isLastBackward = micro == plan.accumulation - 1
      let completed: StepRunner.Completed? = isLastBackward ? { [reduction] in try reduction.completed($0) } : nil
      let start = try measure(.samples) { try rolloutStart(plan, nextForcings: nextForcings, nextFrame: nextFrame) }
      loss +=
        try scale
        * measure(.passes) {
          try rank.trainingPass {
            switch plan.kind {
            case .autoregressive:
              let start = try withTruth(start, plan, nextFrame)
              return try runner.autoregressive(
                start.rollout, steps: plan.steps, scale: scale, completed: completed, nextTarget: start.nextTarget)
            case .latent:
              return try runner.latent(
                start, steps: plan.steps, scale: scale, completed: completed, target: nextFrame())
            }
          }
        }
    }
    return loss
  }

  /// The start of a rollout, and its targets, the farthest first. A model with a boundary reads them on the way, too.
  private func withTruth(_ start: RolloutStart, _ plan: Plan, _ nextFrame: @escaping () throws -> Frame) throws -> (
    rollout: RolloutStart, nextTarget: () throws -> Frame
  ) {
    guard runner.stepper.hasBoundary else { return (start, nextFrame) }
    let targets = try measure(.samples) { try (0..<plan.steps).map { _ in try nextFrame() } }
    var next = 0
    return (
      RolloutStart(start.frames, forcings: start.forcings) { targets[plan.steps - $0] },
      {
        next += 1
        return targets[next - 1]
      }
    )
  }

  private func rolloutStart(
    _ plan: Plan, nextForcings: (() throws -> Frame)?, nextFrame: () throws -> Frame
  ) throws -> RolloutStart {
    let history = historyCount
    let frames = try (0..<history).map { _ in try nextFrame() }
    guard let nextForcings else { return RolloutStart(frames) }
    let forcings = try (0..<history - 1 + plan.inputStates).map { _ in try nextForcings() }
    return RolloutStart(frames) { forcings[$0 + history - 1] }
  }

  /// Updates the weights with these gradients, and clears them.
  public func apply(_ update: Int, learningRate: Double, _ sums: Sums) throws {
    try measure(.optimizer) {
      optimizer.step(update: update, learningRate: learningRate, gradientNorm: sums.gradientNorm)
      try reduction.gatherShards(rank.parameters.values)
    }
  }

  private func measure<R>(_ phase: Phase, _ body: () throws -> R) rethrows -> R {
    try trace.measure(.phases, phase.rawValue, body)
  }
}
