import Basics
import Datasets
import Distribution
import Execution
import Models
import Tensors

/// Steps a model: from the state at one time to the state one step later, with static fields and forcings. Knows no loss,
/// no optimiser and no files; training and forecasting are built on it. On several ranks all of a model instance call it
/// together, each with its blocks of the frames.
public final class Stepper {
  public let model: any ForecastModel
  public let rank: ModelRank
  public let auxiliary: AuxiliaryFields
  public let tiling: Tiling
  public let stepHours: Int
  /// What this rank holds of every state.
  public let block: FieldBlock
  /// Predicted fields of all ranks together.
  public var fields: Int { model.form.variables }
  /// The least normalised value of each of this rank's fields; empty for none.
  private let lowerBounds: [Float]

  /// - Parameter lowerBounds: the least normalised value of each predicted field, to which the result of `advance` is raised;
  ///   empty for none.
  public init(
    model: any ForecastModel, rank: ModelRank, auxiliary: AuxiliaryFields, tiling: Tiling, stepHours: Int,
    lowerBounds: [Float] = []
  ) {
    precondition(model.form.tokens == tiling.tokens && model.form.auxiliaries == auxiliary.count)
    self.model = model
    self.rank = rank
    self.auxiliary = auxiliary
    self.tiling = tiling
    self.stepHours = stepHours
    block = FieldBlock(fields: rank.fields(model.form.variables), tokens: rank.tokens(tiling.tokens))
    self.lowerBounds = lowerBounds.isEmpty ? [] : Array(lowerBounds[block.fields])
  }

  /// A state as the model takes it, from this rank's block [tokens, B, s·V].
  public func state(_ block: Tensor, requiresGradient: Bool = false) -> Value {
    rank.patches(
      block, tokens: tiling.tokens, points: tiling.pointsPerToken, fields: fields, requiresGradient: requiresGradient)
  }

  /// The state after step `step` (counted from 0) of a rollout that started with `start`, without recording.
  public func advance(_ state: Value, from start: Frame, step: Int, isTraining: Bool = false) throws -> Value {
    let next = try model.step(
      input(state, start, step), firstApplication: step, isTraining: isTraining, rank.operations)
    if !lowerBounds.isEmpty { raise(next.tensor) }
    // Where there are no values, the model goes on getting what it started with.
    let tensor = start.imputed.isEmpty ? nil : next.tensor
    for place in start.imputed { tensor?.pointer[place] = start.state.pointer[place] }
    return next
  }

  /// Raises a state [T, B, s·V] to the lower bounds of its fields.
  private func raise(_ state: Tensor) {
    let (width, values) = (lowerBounds.count, state.pointer)
    rank.compute.pass(state.count / max(1, width), bytes: 2 * state.byteCount) { points in
      for point in points {
        for (field, least) in lowerBounds.enumerated() {
          values[point * width + field] = max(values[point * width + field], least)
        }
      }
    }
  }

  /// What the model gets in step `step` of a rollout that started with `start`.
  public func input(_ state: Value, _ start: Frame, _ step: Int) -> ModelInput {
    ModelInput(state: state, auxiliary: auxiliaryInput(start, hoursLater: step * stepHours))
  }

  /// Static fields and forcings at `hours` after the times of a frame: [T, B, s·V_aux]; nil where there are none.
  public func auxiliaryInput(_ frame: Frame, hoursLater hours: Int = 0) -> Value? {
    guard auxiliary.count > 0 else { return nil }
    let own = rank.fields(auxiliary.count)
    let input = rank.compute.tensor([block.tokens.count, frame.times.count, tiling.pointsPerToken * own.count])
    let (zeros, ones) = ([Float](repeating: 0, count: own.count), [Float](repeating: 1, count: own.count))
    // Planes are filled and tiled.
    rank.compute.pass(frame.times.count, bytes: 3 * input.byteCount) { samples in
      for sample in samples {
        let planes = auxiliary.planes(
          at: frame.times[sample].adding(hours: hours), fields: own, rows: tiling.rows(block.tokens))
        tiling.tile(
          planes, fields: own.count, mean: zeros, factor: ones, into: input, sample: sample,
          columnShift: frame.columnShifts[sample], tokens: block.tokens)
      }
    }
    return rank.patches(input, tokens: tiling.tokens, points: tiling.pointsPerToken, fields: auxiliary.count)
  }
}
