import Basics
import Datasets
import Distribution
import Execution
import Models
import Tensors

/// Steps a model: from the states at its input times to the state one step later, with static fields and forcings. Knows no
/// loss, no optimiser and no files; training and forecasting are built on it. On several ranks all of a model instance call
/// it together, each with its blocks of the frames.
public final class Stepper {
  public let model: any ForecastModel
  public let rank: ModelRank
  public let auxiliary: AuxiliaryFields
  public let tiling: Tiling
  public let stepHours: Int
  /// Input times of the model, in steps before the start of the prediction, ascending to 0.
  public let inputSteps: [Int]
  /// The part of every state that this rank holds.
  public let block: FieldBlock
  /// Predicted fields of all ranks together.
  public var fields: Int { model.form.variables }
  /// Predicted fields that the model does not read.
  private let diagnostics: Set<Int>
  /// The least normalised value of each of this rank's fields; empty for none.
  private let lowerBounds: [Float]
  /// Whether some points have the values of the data at every step.
  public let hasBoundary: Bool
  /// Boundary points of this rank, counted in tiled order from its first point.
  private let boundary: [Int]

  /// - Parameters:
  ///   - fields: those that the model was built for.
  ///   - boundary: by grid point: whether it is read but not predicted; nil for none.
  ///   - lowerBounds: the least normalised value of each predicted field, to which the result of `advance` is raised; empty for
  ///     none.
  public init(
    model: any ForecastModel, fields: ModelFields, rank: ModelRank, auxiliary: AuxiliaryFields, tiling: Tiling,
    stepHours: Int, boundary: [Bool]? = nil, lowerBounds: [Float] = []
  ) {
    precondition(model.form.tokens == tiling.tokens && model.form.auxiliaries >= auxiliary.count)
    precondition(model.form.inputTimes == fields.inputSteps.count)
    self.model = model
    self.rank = rank
    self.auxiliary = auxiliary
    self.tiling = tiling
    self.stepHours = stepHours
    inputSteps = fields.inputSteps
    diagnostics = fields.diagnostics
    block = FieldBlock(fields: rank.fields(model.form.variables), tokens: rank.tokens(tiling.tokens))
    self.lowerBounds = lowerBounds.isEmpty ? [] : Array(lowerBounds[block.fields])
    hasBoundary = boundary != nil
    let points = block.tokens.lowerBound * tiling.pointsPerToken..<block.tokens.upperBound * tiling.pointsPerToken
    self.boundary =
      boundary.map { tiling.spread($0)[points].enumerated() }?.filter(\.element).map(\.offset) ?? []
  }

  /// States of a rollout that are kept at a time: one for each step from the first input time to the start.
  public var historyCount: Int { 1 - inputSteps[0] }

  /// A state as the model takes it, from this rank's block [tokens, B, s·V].
  public func state(_ block: Tensor, requiresGradient: Bool = false) -> Value {
    rank.patches(
      block, tokens: tiling.tokens, points: tiling.pointsPerToken, fields: fields, requiresGradient: requiresGradient)
  }

  /// The states that the first step of a rollout reads, `historyCount` of them, oldest first.
  public func history(_ start: RolloutStart) -> [Value] {
    precondition(start.frames.count == historyCount)
    return start.frames.map { state($0.state) }
  }

  /// The state after step `step` (counted from 0) of a rollout that started with `start`, without recording.
  ///
  /// - Parameter history: the states before the step, oldest first.
  public func advance(_ history: [Value], from start: RolloutStart, step: Int, isTraining: Bool = false) throws
    -> Value
  {
    let next = try model.step(
      input(history, start, step), application: step, isTraining: isTraining, rank.operations)
    if !lowerBounds.isEmpty { rank.compute.raiseColumns(next.tensor, to: lowerBounds) }
    if hasBoundary {
      // All ranks that read together take part, also one that has no boundary point.
      guard let truth = try start.truth?(step + 1) else { preconditionFailure("a model with a boundary got none") }
      setBoundary(of: next.tensor, to: truth.state)
    }
    // Where there are no values, the model keeps getting what it started with.
    let first = start.last
    if !first.imputed.isEmpty { rank.compute.setElements(from: first.imputed, of: next.tensor, to: first.state) }
    return next
  }

  /// Gives the boundary points of a state, or of its gradient, [T, B, s·V] those of another one; nil: zeros.
  public func setBoundary(of state: Tensor, to other: Tensor?) {
    let (s, batch, fields) = (tiling.pointsPerToken, state.shape[1], block.fields.count)
    let starts = boundary.flatMap { point in
      (0..<batch).map { ((point / s * batch + $0) * s + point % s) * fields }
    }
    rank.compute.setElements(from: starts, length: fields, of: state, to: other)
  }

  /// The model's input in step `step` of a rollout that started with `start`. Recorded where the operations are.
  ///
  /// - Parameter history: the states before the step, oldest first.
  public func input(_ history: [Value], _ start: RolloutStart, _ step: Int) throws -> ModelInput {
    let states = try inputSteps.map { inputStep in
      let state = history[history.count - 1 + inputStep]
      return diagnostics.isEmpty ? state : try rank.operations.apply(ZeroFields(state, fields: diagnostics))
    }
    guard model.form.auxiliaries > 0 else { return ModelInput(states: states, auxiliaries: []) }
    return ModelInput(states: states, auxiliaries: try inputSteps.map { try auxiliaryInput(start, step: step + $0) })
  }

  /// Static fields, computed and read forcings at `step` steps after the start: [T, B, s·V_aux].
  public func auxiliaryInput(_ start: RolloutStart, step: Int) throws -> Value {
    let (frame, hours) = (start.last, step * stepHours)
    let all = model.form.auxiliaries
    let own = rank.fields(all)
    let known = own.clamped(to: 0..<auxiliary.count)
    let input = rank.compute.tensor([block.tokens.count, frame.times.count, tiling.pointsPerToken * own.count])
    let result = rank.patches(input, tokens: tiling.tokens, points: tiling.pointsPerToken, fields: all)
    let isWhole = known.count == own.count
    let tiled =
      isWhole
      ? input : rank.compute.tensor([block.tokens.count, frame.times.count, tiling.pointsPerToken * known.count])
    // Planes are filled and tiled.
    rank.compute.pass(known.isEmpty ? 0 : frame.times.count, bytes: 3 * tiled.byteCount) { samples in
      for sample in samples {
        let planes = auxiliary.planes(
          at: frame.times[sample].adding(hours: hours), fields: known, rows: tiling.rows(block.tokens))
        tiling.tile(
          planes, .none(known.count), into: tiled, sample: sample,
          columnShift: frame.columnShifts[sample], tokens: block.tokens)
      }
    }
    // All ranks that read together take part, also one whose share of the fields has no read forcing.
    let read = try start.forcings?(step).state
    if isWhole { return result }
    guard let read else { preconditionFailure("a model that reads forcings got none") }
    rank.compute.join(tiled, columns: known.count, read, columns: own.count - known.count, into: input)
    return result
  }
}
