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
    let (to, from) = (y.shape.columns, x.shape.columns)
    let result = operations.newTensor(y.shape)
    result.copy(from: y.tensor)
    compute.pass(points, grain: 256, bytes: 2 * result.byteCount) { range in
      for point in range {
        let (a, b) = (result.pointer + point * to, x.tensor.pointer + point * from)
        for pair in pairs { a[pair.to] += b[pair.from] }
      }
    }
    let output = operations.result(result, y.shape, groups: y.groups)
    guard let tape = operations.tape else { return output }
    tape.record { [self] in
      let d = output.takeGradient()
      if x.requiresGradient {
        let target = operations.gradientTarget(x)
        if !target.accumulate { target.tensor.fill() }
        compute.pass(points, grain: 256, bytes: 2 * d.byteCount) { range in
          for point in range {
            let (a, b) = (d.pointer + point * to, target.tensor.pointer + point * from)
            for pair in pairs { b[pair.from] += a[pair.to] }
          }
        }
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

  /// Calls `body` with the start of each point's variables, the column, and the place within `bounding.variables`.
  private func forEach(_ compute: Compute, _ body: (Int, Int, Int) -> Void) {
    compute.pass(x.shape.count / variables, grain: 256, bytes: 2 * x.tensor.byteCount) { range in
      for point in range {
        for (index, column) in bounding.variables.enumerated() { body(point * variables, column, index) }
      }
    }
  }

  /// The limited number and its derivative.
  func limited(_ x: Float, _ index: Int) -> (value: Float, derivative: Float) {
    switch bounding.kind {
    case .floor(let least, let slope):
      let d = x - least[index]
      return d > 0 ? (d + least[index], 1) : (slope * d + least[index], slope)
    case .clamp(let least, let most, let slope), .fraction(let least, let most, let slope, _):
      if x <= least { return (least + slope * (x - least), slope) }
      if x >= most { return (most + slope * (x - most), slope) }
      return (x, 1)
    }
  }

  var total: Int? { if case .fraction(_, _, _, let of) = bounding.kind { of } else { nil } }

  func run(on operations: LocalOperations) -> Value {
    let compute = operations.compute
    let y = operations.newTensor(x.shape)
    y.copy(from: x.tensor)
    let (from, to) = (x.tensor.pointer, y.pointer)
    forEach(compute) { start, column, index in
      let bounded = limited(from[start + column], index).value
      to[start + column] = total.map { bounded * from[start + $0] } ?? bounded
    }
    let output = operations.result(y, x.shape, groups: x.groups)
    guard let tape = operations.tape else { return output }
    tape.record { [self] in
      let d = output.takeGradient()
      let (from, gradient) = (x.tensor.pointer, d.pointer)
      forEach(compute) { start, column, index in
        let bounded = limited(from[start + column], index)
        let upstream = gradient[start + column]
        gradient[start + column] = upstream * bounded.derivative * (total.map { from[start + $0] } ?? 1)
        if let total { gradient[start + total] += upstream * bounded.value }
      }
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

  /// Calls `body` with the starts of a point's inputs, prediction and truth, and whether it is predicted.
  private func forEachPoint(_ compute: Compute, _ body: (Int, Int, Int, Bool) -> Void) {
    let (n, batch) = (x.shape.rows * x.shape.batch, x.shape.batch)
    compute.pass(n, grain: 256, bytes: 8 * x.shape.count) { range in
      for point in range {
        body(
          point * x.shape.columns, point * y.shape.columns, point * moved * variables.inputs,
          predicted?[point / batch] ?? true)
      }
    }
  }

  public func run(on operations: LocalOperations) -> Value {
    precondition(truth.count == x.shape.rows * x.shape.batch * moved * variables.inputs)
    let (compute, v) = (operations.compute, variables)
    let kept = inputSteps - moved
    let next = operations.newTensor(x.shape)
    forEachPoint(compute) { window, prediction, new, isPredicted in
      let to = next.pointer + window
      to.update(from: x.tensor.pointer + window + moved * v.inputs, count: kept * v.inputs)
      (to + kept * v.inputs).update(from: truth.pointer + new, count: moved * v.inputs)
      guard isPredicted else { return }
      for step in 0..<moved {
        let state = to + (kept + step) * v.inputs
        let predicted = y.tensor.pointer + prediction + (outputSteps - moved + step) * v.outputs
        for (i, o) in zip(v.prognosticInputs, v.prognosticOutputs) { state[i] = predicted[o] }
      }
    }
    let output = operations.result(next, x.shape, groups: x.groups)
    guard let tape = operations.tape else { return output }
    tape.record { [self] in
      let d = output.takeGradient()
      let dy = operations.gradientTarget(y)
      if !dy.accumulate { dy.tensor.fill() }
      let dx = x.requiresGradient ? operations.gradientTarget(x) : nil
      if let dx, !dx.accumulate { dx.tensor.fill() }
      forEachPoint(compute) { window, prediction, _, isPredicted in
        let from = d.pointer + window
        if let dx {
          let to = dx.tensor.pointer + window + moved * v.inputs
          for i in 0..<kept * v.inputs { to[i] += from[i] }
        }
        guard isPredicted else { return }
        for step in 0..<moved {
          let state = from + (kept + step) * v.inputs
          let predicted = dy.tensor.pointer + prediction + (outputSteps - moved + step) * v.outputs
          for (i, o) in zip(v.prognosticInputs, v.prognosticOutputs) { predicted[o] += state[i] }
        }
      }
    }
    return output
  }
}
