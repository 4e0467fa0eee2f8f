import Basics
import Datasets
import Execution
import Models
import Tensors

/// Runs a model on frames: forward, loss, gradients. Knows nothing of optimisers, files or schedules.
public final class StepRunner {
  public let model: any ForecastModel
  public let operations: LocalOperations
  public let weights: LossWeights
  public let auxiliary: AuxiliaryFields
  public let tiling: Tiling
  public let stepHours: Int
  /// States kept when back-propagating through several steps.
  public let slots: Int
  private var compute: Compute { operations.compute }

  public init(
    model: any ForecastModel, operations: LocalOperations, weights: LossWeights, auxiliary: AuxiliaryFields,
    tiling: Tiling, stepHours: Int, slots: Int = 3
  ) {
    self.model = model
    self.operations = operations
    self.weights = weights
    self.auxiliary = auxiliary
    self.tiling = tiling
    self.stepHours = stepHours
    self.slots = slots
  }

  /// Static fields and forcings at `hours` after the times of a frame: [T, B, s·V_aux].
  public func auxiliaryInput(_ frame: Frame, hoursLater hours: Int = 0) -> Value? {
    guard auxiliary.count > 0 else { return nil }
    let count = auxiliary.count
    let input = compute.tensor([tiling.tokens, frame.times.count, tiling.pointsPerToken * count])
    let (zeros, ones) = ([Float](repeating: 0, count: count), [Float](repeating: 1, count: count))
    compute.team.run { member in
      for sample in stride(from: member, to: frame.times.count, by: compute.team.count) {
        let planes = auxiliary.planes(at: frame.times[sample].adding(hours: hours))
        tiling.tile(
          planes, fields: count, mean: zeros, factor: ones, into: input, sample: sample,
          columnShift: frame.columnShifts[sample])
      }
    }
    return Value(input)
  }

  /// The state after step `step` (counted from 0) of a rollout that started with `start`, without recording.
  public func advance(_ state: Value, from start: Frame, step: Int, isTraining: Bool = false) throws
    -> Value
  {
    try model.step(input(state, start, step), firstApplication: step, isTraining: isTraining, operations)
  }

  private func input(_ state: Value, _ start: Frame, _ step: Int) -> ModelInput {
    ModelInput(state: state, auxiliary: auxiliaryInput(start, hoursLater: step * stepHours))
  }

  /// Mean weighted squared error; if `gradient` is given it receives or is increased by scale·∂/∂prediction.
  public func loss(_ prediction: Tensor, _ target: Tensor, gradient: Tensor?, accumulate: Bool, scale: Double) -> Double
  {
    let sum = compute.weightedSquares(
      prediction: prediction, target: target, rowWeights: weights.rows, columnWeights: weights.columns,
      batch: prediction.shape[1], points: tiling.pointsPerToken, gradient: gradient,
      gradientScale: Float(scale / Double(prediction.count)), accumulate: accumulate)
    return sum / Double(prediction.count)
  }

  /// Back-propagates through k steps of auto-regressive rollout; adds `scale` times the gradients of the mean loss to the
  /// parameters' and returns the mean loss. `nextTarget` gives the states at k, k − 1, … 1 steps in this order.
  public func autoregressive(_ start: Frame, steps: Int, scale: Double, nextTarget: @escaping () throws -> Frame) throws
    -> Double
  {
    var total = 0.0
    let chain = CheckpointedChain(
      advance: { [self] index, state in try advance(state, from: start, step: index, isTraining: true) },
      reverse: { [self] index, state, gradient in
        let state = Value(state, requiresGradient: index > 0)
        let (prediction, tape) = try record {
          try model.step(input(state, start, index), firstApplication: index, isTraining: true, operations)
        }
        total += try addLoss(prediction, target: nextTarget(), gradient: gradient, scale: scale / Double(steps))
        try tape.backward()
        return index > 0 ? state.takeGradient() : nil
      })
    _ = try chain.run(steps, from: Value(start.state), slots: slots)
    return total / Double(steps)
  }

  /// Back-propagates through one encoding, k applications of the processor, and one decoding.
  public func latent(_ start: Frame, steps: Int, scale: Double, target: Frame) throws -> Double {
    let input = self.input(Value(start.state), start, 0)
    let (encoded, encodeTape) = try record { try model.encode(input, operations) }
    var total = 0.0
    // The last link of the chain is the decoder; its gradient with respect to the encoding goes to `encoded` directly.
    let chain = CheckpointedChain(
      advance: { [self] index, state in
        try model.process(state, application: index, isTraining: true, operations)
      },
      reverse: { [self] index, state, gradient in
        let latent = Value(state, requiresGradient: true)
        let (output, tape) = try record {
          index < steps
            ? try model.process(latent, application: index, isTraining: true, operations)
            : try model.decode(latent, encoded: encoded, input: input, operations)
        }
        if index < steps {
          output.gradient = gradient
        } else {
          total = try addLoss(output, target: target, gradient: nil, scale: scale)
        }
        try tape.backward()
        return latent.takeGradient()
      })
    let gradient = try chain.run(steps + 1, from: Value(encoded.tensor), slots: slots)
    if let gradient {
      if let sum = encoded.gradient { compute.add(gradient, to: sum) } else { encoded.gradient = gradient }
    }
    try encodeTape.backward()
    return total
  }

  private func record(_ body: () throws -> Value) rethrows -> (Value, Tape) {
    let tape = Tape()
    operations.tape = tape
    defer { operations.tape = nil }
    return (try body(), tape)
  }

  /// The loss of a recorded prediction, with its gradient set for the backward pass.
  private func addLoss(_ prediction: Value, target: Frame, gradient: Tensor?, scale: Double) throws -> Double {
    let dprediction = gradient ?? compute.tensor(prediction.shape.dimensions)
    let value = loss(
      prediction.tensor, target.state, gradient: dprediction, accumulate: gradient != nil, scale: scale)
    prediction.gradient = dprediction
    return value
  }
}
