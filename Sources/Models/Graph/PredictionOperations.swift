import Execution
import Tensors

/// y with some columns of x added to some of its columns: what is predicted as a change to the input.
struct AddColumns: Operation {
  let y, x: Value
  /// Pairs of columns: of y, and of x.
  let pairs: [(to: Int, from: Int)]

  init(_ x: Value, to y: Value, pairs: [(to: Int, from: Int)]) {
    precondition(x.shape.rows == y.shape.rows && x.shape.batch == y.shape.batch)
    self.x = x
    self.y = y
    self.pairs = pairs
  }

  var inputs: [Value] { [y, x] }
  func output(_ table: ParameterTable) -> OutputForm { OutputForm(y.shape, groups: y.groups) }
  func phase(_ table: ParameterTable) -> StepPhase? { .output }
  func cost(_ table: ParameterTable) -> OperationCost {
    let added = y.shape.rows * y.shape.batch * pairs.count
    return OperationCost(
      forward: Work(elements: 2 * y.shape.count + added), backward: Work(elements: y.shape.count + 2 * added))
  }

  func run(on operations: LocalOperations) -> Value {
    let (compute, points) = (operations.compute, y.shape.rows * y.shape.batch)
    let (to, from) = (PointColumns.Columns.list(pairs.map(\.to)), PointColumns.Columns.list(pairs.map(\.from)))
    let result = operations.newTensor(y.shape)
    result.copy(from: y.tensor)
    compute.moveColumns(
      PointColumns(x.tensor, width: x.shape.columns, from), to: PointColumns(result, width: y.shape.columns, to),
      rows: points, accumulate: true, bytes: 2 * result.byteCount)
    let output = operations.result(result, y.shape, groups: y.groups)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record { [self] in
      let d = slot.take()
      if x.requiresGradient {
        let target = operations.gradientTarget(x)
        if !target.accumulate { target.tensor.fill() }
        compute.moveColumns(
          PointColumns(d, width: y.shape.columns, to), to: PointColumns(target.tensor, width: x.shape.columns, from),
          rows: points, accumulate: true, bytes: 2 * d.byteCount)
      }
      operations.contribute(d, to: y)
    }
    return output
  }
}

/// Limits some columns of x [R, B, steps·V].
struct Bound: Operation {
  let x: Value
  let bounding: GraphModelDescription.Bounding
  /// V
  let variables: Int

  var inputs: [Value] { [x] }
  func output(_ table: ParameterTable) -> OutputForm { OutputForm(x.shape, groups: x.groups) }
  func phase(_ table: ParameterTable) -> StepPhase? { .output }
  func cost(_ table: ParameterTable) -> OperationCost {
    OperationCost(forward: Work(elements: 2 * x.shape.count), backward: Work(elements: 3 * x.shape.count))
  }

  /// The limit of a bounded variable.
  ///
  /// - Parameters:
  ///   - index: its place within `bounding.variables`.
  ///   - total: the column of the total, if it is a fraction.
  func limit(_ index: Int, column: Int, total: Int?) -> ColumnLimit {
    switch bounding.kind {
    case .floor(let least, let slope):
      ColumnLimit(.floor(least: least[index], slope: slope), column: column, total: total)
    case .clamp(let least, let most, let slope), .fraction(let least, let most, let slope, _):
      ColumnLimit(.range(least: least, most: most, slope: slope), column: column, total: total)
    }
  }

  /// The variable that limited numbers are fractions of.
  var total: Int? { if case .fraction(_, _, _, let of) = bounding.kind { of } else { nil } }

  func run(on operations: LocalOperations) -> Value {
    let compute = operations.compute
    let limits = bounding.variables.enumerated().map { limit($0, column: $1, total: total) }
    let y = operations.newTensor(x.shape)
    compute.limitColumns(x.tensor, width: variables, limits, totals: x.tensor, totalWidth: variables, into: y)
    let output = operations.result(y, x.shape, groups: x.groups)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record { [self] in
      let d = slot.take()
      compute.limitColumnsBackward(
        x.tensor, width: variables, limits, totals: x.tensor, totalWidth: variables, (d, d), bytes: 2 * d.byteCount)
      operations.contribute(d, to: x)
    }
    return output
  }
}

/// The input of a rollout's next step: the window [R, B, T_in·V_in] moves on by as many states as are predicted at once (at
/// most T_in); the new states take prognostic variables from the prediction y [R, B, T_out·V_out] and all else from `truth`.
public struct NextWindow: Operation {
  public let x, y: Value
  /// [R, B, moved·V_in]: the true inputs of the new states, oldest first.
  public let truth: Tensor
  /// Rows whose prognostic variables are predicted; nil: all. The others, a boundary, take them from `truth`.
  public let predicted: [Bool]?
  let variables: GraphModelDescription.Variables
  let inputSteps, outputSteps: Int

  public init(
    _ x: Value, prediction y: Value, truth: Tensor, predicted: [Bool]? = nil, _ description: GraphModelDescription
  ) {
    self.x = x
    self.y = y
    self.truth = truth
    self.predicted = predicted
    variables = description.variables
    inputSteps = description.inputSteps
    outputSteps = description.outputSteps
    precondition(predicted.map { $0.count == x.shape.rows } ?? true)
  }

  var moved: Int { min(inputSteps, outputSteps) }

  public var inputs: [Value] { [x, y] }
  public func output(_ table: ParameterTable) -> OutputForm { OutputForm(x.shape, groups: x.groups) }
  public func phase(_ table: ParameterTable) -> StepPhase? { .output }
  public func cost(_ table: ParameterTable) -> OperationCost {
    let work = Work(elements: 2 * x.shape.count + y.shape.count)
    return OperationCost(forward: work, backward: work)
  }

  /// The columns of a window's states behind those that are kept: all of them, and the prognostic ones.
  private var newColumns: Range<Int> { (inputSteps - moved) * variables.inputs..<inputSteps * variables.inputs }
  private var prognosticColumns: [Int] {
    (inputSteps - moved..<inputSteps).flatMap { step in variables.prognosticInputs.map { step * variables.inputs + $0 }
    }
  }
  /// The columns of the prediction that these are.
  private var predictedColumns: [Int] {
    (outputSteps - moved..<outputSteps).flatMap { step in
      variables.prognosticOutputs.map { step * variables.outputs + $0 }
    }
  }
  /// The columns that the states which are kept have in the window before.
  private var olderColumns: Range<Int> { moved * variables.inputs..<inputSteps * variables.inputs }

  public func run(on operations: LocalOperations) -> Value {
    let (compute, rows, batch) = (operations.compute, x.shape.rows, x.shape.batch)
    precondition(truth.count == rows * batch * newColumns.count)
    let kept = 0..<newColumns.lowerBound
    func window(_ tensor: Tensor, _ columns: PointColumns.Columns) -> PointColumns {
      PointColumns(tensor, width: x.shape.columns, columns, samples: batch)
    }
    func predictions(_ tensor: Tensor) -> PointColumns {
      PointColumns(tensor, width: y.shape.columns, .list(predictedColumns), samples: batch)
    }
    let next = operations.newTensor(x.shape)
    compute.moveColumns(
      window(x.tensor, .range(olderColumns)), to: window(next, .range(kept)), rows: rows, batch: batch)
    compute.moveColumns(
      PointColumns(truth, width: newColumns.count, .range(0..<newColumns.count), samples: batch),
      to: window(next, .range(newColumns)), rows: rows, batch: batch)
    compute.moveColumns(
      predictions(y.tensor), to: window(next, .list(prognosticColumns)), rows: rows, batch: batch, where: predicted)
    let output = operations.result(next, x.shape, groups: x.groups)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record { [self] in
      let d = slot.take()
      let dy = operations.gradientTarget(y)
      if !dy.accumulate { dy.tensor.fill() }
      if x.requiresGradient {
        let dx = operations.gradientTarget(x)
        if !dx.accumulate { dx.tensor.fill() }
        compute.moveColumns(
          window(d, .range(kept)), to: window(dx.tensor, .range(olderColumns)), rows: rows, batch: batch,
          accumulate: true)
      }
      compute.moveColumns(
        window(d, .list(prognosticColumns)), to: predictions(dy.tensor), rows: rows, batch: batch, where: predicted,
        accumulate: true)
    }
    return output
  }
}
