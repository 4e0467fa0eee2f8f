import Tensors

/// x + factor ⊙ y with one factor per column: [R, B, C] → [R, B, C].
public struct AddScaled: Operation {
  public let y, x: Value
  /// [C]
  public let factor: [Float]

  public init(_ y: Value, factor: [Float], to x: Value) {
    precondition(y.shape == x.shape && y.groups == x.groups && factor.count == x.shape.columns)
    self.y = y
    self.factor = factor
    self.x = x
  }

  public var inputs: [Value] { [y, x] }
  public func output(_ table: ParameterTable) -> OutputForm { OutputForm(x.shape, groups: x.groups) }
  public func phase(_ table: ParameterTable) -> StepPhase? { .output }

  public func cost(_ table: ParameterTable) -> OperationCost {
    OperationCost(forward: Work(elements: 3 * x.shape.count), backward: Work(elements: 2 * x.shape.count))
  }

  public func run(on operations: some ExecutingOperations) -> Value {
    let (groups, unit) = (x.groups, x.shape.columns / x.groups)
    let columns = operations.unitRange(x.shape, groups: groups)
    let own = (0..<groups).flatMap { group in columns.map { self.factor[group * unit + $0] } }
    let factor = Tensor(own, shape: [own.count])
    let sum = operations.newTensor(x.shape, groups: groups)
    operations.compute.addScaledColumns(x.tensor, factor: factor, y.tensor, into: sum)
    let output = operations.result(sum, x.shape, groups: groups)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record { [x, y] in
      let dsum = slot.take()
      let dy = operations.newTensor(y.shape, groups: groups)
      operations.compute.addScaledColumnsBackward(dsum, factor: factor, into: dy)
      operations.contribute(dy, to: y)
      if x.requiresGradient { operations.contribute(dsum, to: x) }
    }
    return output
  }
}

extension Operations {
  /// x + factor ⊙ y, with one factor per column.
  public func addScaled(_ y: Value, factor: [Float], to x: Value) throws -> Value {
    try apply(AddScaled(y, factor: factor, to: x))
  }
}
