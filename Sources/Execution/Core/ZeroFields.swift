import Tensors

/// x with the columns of some fields zeroed: [R, B, s·V] → [R, B, s·V], groups of V fields.
public struct ZeroFields: Operation {
  public let x: Value
  /// Indices in 0 ..< V.
  public let fields: Set<Int>

  public init(_ x: Value, fields: Set<Int>) {
    self.x = x
    self.fields = fields
  }

  public var inputs: [Value] { [x] }
  public func output(_ table: ParameterTable) -> OutputForm { OutputForm(x.shape, groups: x.groups) }
  public func phase(_ table: ParameterTable) -> StepPhase? { .encoder }

  public func cost(_ table: ParameterTable) -> OperationCost {
    let backward = x.requiresGradient ? x.shape.count * fields.count / max(1, x.shape.columns / x.groups) : 0
    return OperationCost(forward: Work(elements: 2 * x.shape.count), backward: Work(elements: backward))
  }

  public func run(on operations: some ExecutingOperations) -> Value {
    let result = operations.newTensor(x.shape, groups: x.groups)
    result.copy(from: x.tensor)
    zero(result, on: operations)
    let output = Value(shape: x.shape, groups: x.groups, data: result, requiresGradient: x.requiresGradient)
    guard let tape = operations.tape, x.requiresGradient else { return output }
    let slot = output.slot
    tape.record { [self] in
      let d = slot.take()
      zero(d, on: operations)
      operations.contribute(d, to: x)
    }
    return output
  }

  private func zero(_ tensor: Tensor, on operations: some ExecutingOperations) {
    let columns = operations.unitRange(x.shape, groups: x.groups)
    let places = columns.enumerated().filter { fields.contains($0.element) }.map(\.offset)
    operations.compute.fillColumns(
      PointColumns(tensor, width: columns.count, .list(places)), with: 0, rows: tensor.count / max(1, columns.count),
      bytes: tensor.byteCount)
  }
}
