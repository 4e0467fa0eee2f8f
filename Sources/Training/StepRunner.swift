import Basics
import Communication
import Datasets
import Distribution
import Execution
import Models
import Stepping
import Tensors

/// Trains a model on frames: forward, loss, gradients. Knows nothing of optimisers, files or schedules. On several ranks all
/// of a model instance call it together, each with its blocks of the frames.
public final class StepRunner {
  public let stepper: Stepper
  /// States kept when back-propagating through several steps.
  public let slots: Int
  /// Points and fields of one state that are not predicted, on all ranks.
  private let unpredictedCount: Int
  /// The loss with the weights of this rank's points and fields.
  private let weighted: WeightedLoss

  public var model: any ForecastModel { stepper.model }
  public var rank: ModelRank { stepper.rank }
  public var tiling: Tiling { stepper.tiling }
  public var block: FieldBlock { stepper.block }
  private var compute: Compute { rank.compute }
  private var operations: any Operations { rank.operations }

  /// - Parameters:
  ///   - weights: of all points and fields.
  ///   - kind: the loss of a weighted error.
  ///   - unpredictedCount: how many of these have no values in the data or are boundary.
  public init(
    _ stepper: Stepper, weights: LossWeights, kind: PointwiseLoss.Kind = .squared, slots: Int = 3,
    unpredictedCount: Int = 0
  ) {
    self.stepper = stepper
    self.unpredictedCount = unpredictedCount
    self.slots = slots
    precondition(weights.columns.count == stepper.fields)
    let s = stepper.tiling.pointsPerToken
    let block = stepper.block
    weighted = WeightedLoss(
      kind: kind,
      weights: LossWeights(
        rows: weights.rows.elements(block.tokens.lowerBound * s..<block.tokens.upperBound * s),
        columns: weights.columns.elements(block.fields), factors: weights.factors?.elements(block.fields)))
  }

  /// This rank's share of the mean loss: the ranks' sum is the mean over all points and fields, of `rootOfSquared` the mean over
  /// samples of the roots of theirs. If
  /// `gradient` is given it receives or is increased by scale·∂/∂prediction.
  ///
  /// - Parameter imputed: places that have no values: they are no part of the mean, and the target takes those of the
  ///   prediction, so that errors and gradients are zero there.
  public func loss(
    _ prediction: Tensor, _ target: Tensor, imputed: [Int] = [], gradient: Tensor?, accumulate: Bool, scale: Double
  ) throws -> Double {
    let samples = prediction.shape[1]
    let count = Double(tiling.fieldSize * stepper.fields - unpredictedCount)
    compute.setElements(from: imputed, of: target, to: prediction)
    guard case .rootOfSquared = weighted.kind else {
      let all = count * Double(samples)
      return weighted.sum(
        prediction, target, pointsPerToken: tiling.pointsPerToken, gradient: gradient, scale: scale / all,
        accumulate: accumulate, compute) / all
    }
    // √(Σ/count) = √Σ/√count, and the mean over samples.
    let factor = 1 / (count.squareRoot() * Double(samples))
    return try factor
      * weighted.rootSum(
        prediction, target, pointsPerToken: tiling.pointsPerToken, gradient: gradient, scale: scale * factor,
        accumulate: accumulate, compute, sumOverRanks: { try rank.context.instance.allReduce($0) })
  }

  /// Told of each parameter whose gradient is complete.
  public typealias Completed = (ParameterID) throws -> Void

  /// Back-propagates through k steps of auto-regressive rollout; adds `scale` times the gradients of the mean loss to the
  /// parameters' and returns this rank's share of the mean loss. `nextTarget` gives the states at k, k − 1, … 1 steps in
  /// this order.
  public func autoregressive(
    _ start: RolloutStart, steps: Int, scale: Double, completed: Completed? = nil,
    nextTarget: @escaping () throws -> Frame
  ) throws -> Double {
    var total = 0.0
    // The chain's state is the history that a step reads.
    let chain = CheckpointedChain<[Value], [Tensor?]>(
      advance: { [self] index, history in
        try history.dropFirst() + [stepper.advance(history, from: start, step: index, isTraining: true)]
      },
      reverse: { [self] index, history, gradients in
        try reverse(
          history, start, index, gradients, completed: index == 0 ? completed : nil,
          addLoss: {
            total += try addLoss($0, target: nextTarget(), gradient: $1, scale: scale / Double(steps))
          })
      })
    _ = try chain.run(steps, from: stepper.history(start), slots: slots)
    return total / Double(steps)
  }

  /// Runs a step recorded and back.
  ///
  /// - Parameters:
  ///   - history: the states before the step, oldest first.
  ///   - gradients: of the states after the step, oldest first; nil for the last step.
  ///   - addLoss: sets the gradient of the prediction, adding to one that later steps left.
  /// - Returns: the gradients of the states before the step; nil for the first step.
  private func reverse(
    _ history: [Value], _ start: RolloutStart, _ index: Int, _ gradients: [Tensor?]?, completed: Completed?,
    addLoss: (Value, Tensor?) throws -> Void
  ) throws -> [Tensor?]? {
    let count = history.count
    // A state is a prediction if it lies after the start.
    let states = history.enumerated().map { place, state in
      stepper.state(state.tensor, requiresGradient: index + place + 1 > count)
    }
    // Later steps read all states but the oldest one, too.
    for (state, gradient) in zip(states.dropFirst(), gradients ?? []) where state.requiresGradient {
      state.gradient = gradient
    }
    let tape = try record {
      try model.step(stepper.input(states, start, index), application: index, isTraining: true, operations)
    } then: { prediction in
      try addLoss(prediction, gradients?[count - 1])
    }
    try tape.backward(completed: completed)
    guard index > 0 else { return nil }
    return states.map { state in
      guard state.requiresGradient, let gradient = state.gradient else { return nil }
      state.gradient = nil
      compute.setElements(from: start.last.imputed, of: gradient, to: nil)
      stepper.setBoundary(of: gradient, to: nil)
      return gradient
    }
  }

  /// Back-propagates through one encoding, k applications of the processor, and one decoding.
  ///
  /// The model must be a `LatentModel`.
  public func latent(
    _ start: RolloutStart, steps: Int, scale: Double, completed: Completed? = nil, target: Frame
  ) throws -> Double {
    guard let model = model as? any LatentModel else { preconditionFailure("a model without latent rollout") }
    let input = try stepper.input(stepper.history(start), start, 0)
    let (encoded, encodeTape) = try record { try model.encode(input, operations) }
    var total = 0.0
    // The last link of the chain is the decoder; its gradient with respect to the encoding goes to `encoded` directly.
    let chain = CheckpointedChain<Value, Tensor>(
      advance: { [self] index, state in
        try model.process(state, application: index, isTraining: true, operations)
      },
      reverse: { [self] index, state, gradient in
        let latent = Value(shape: encoded.shape, data: state.tensor, requiresGradient: true)
        let tape = try record {
          index < steps
            ? try model.process(latent, application: index, isTraining: true, operations)
            : try model.decode(latent, encoded: encoded, input: input, operations)
        } then: { output in
          if index < steps {
            output.gradient = gradient
          } else {
            total = try addLoss(output, target: target, gradient: nil, scale: scale)
          }
        }
        // Gradients of the decoder are complete after its only use, those of the processor after its first application.
        try tape.backward(completed: index == steps || index == 0 ? completed : nil)
        return latent.takeGradient()
      })
    let start = Value(shape: encoded.shape, data: encoded.tensor, requiresGradient: false)
    let gradient = try chain.run(steps + 1, from: start, slots: slots)
    if let gradient {
      if let sum = encoded.gradient { compute.add(gradient, to: sum) } else { encoded.gradient = gradient }
    }
    try encodeTape.backward(completed: completed)
    return total
  }

  private func record(_ body: () throws -> Value) rethrows -> (Value, Tape) {
    let tape = Tape()
    operations.tape = tape
    defer { operations.tape = nil }
    return (try body(), tape)
  }

  /// Records `body` and sets the gradient of what it gives. Its data live on where backward needs them.
  private func record(_ body: () throws -> Value, then setGradient: (Value) throws -> Void) rethrows -> Tape {
    let (output, tape) = try record(body)
    try setGradient(output)
    return tape
  }

  /// The loss of a recorded prediction, with its gradient set for the backward pass.
  private func addLoss(_ prediction: Value, target: Frame, gradient: Tensor?, scale: Double) throws -> Double {
    let dprediction = gradient ?? compute.tensor(prediction.tensor.shape)
    let value = try rank.context.trace.measure(.phases, StepPhase.loss.forward) {
      try loss(
        prediction.tensor, target.state, imputed: target.imputed, gradient: dprediction, accumulate: gradient != nil,
        scale: scale)
    }
    prediction.gradient = dprediction
    return value
  }
}
