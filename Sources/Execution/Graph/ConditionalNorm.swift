import Tensors

/// LayerNorm whose scale and shift depend on a condition: y = n(x)·(1 + scale) + shift, n without affine part;
/// all [R, B, C].
public struct ConditionalNorm: Operation {
  public let x, scale, shift: Value
  private let group: ParameterGroup

  public init(_ x: Value, scale: Value, shift: Value, group: ParameterGroup) {
    precondition(scale.shape == x.shape && shift.shape == x.shape)
    self.x = x
    self.scale = scale
    self.shift = shift
    self.group = group
  }

  public var inputs: [Value] { [x, scale, shift] }
  public func output(_ table: ParameterTable) -> OutputForm { OutputForm(x.shape) }
  public func phase(_ table: ParameterTable) -> StepPhase? { StepPhase(group) }
  public func cost(_ table: ParameterTable) -> OperationCost {
    OperationCost(forward: Work(elements: 4 * x.shape.count), backward: Work(elements: 8 * x.shape.count))
  }

  public func run(on operations: LocalOperations) -> Value {
    let (compute, columns) = (operations.compute, x.shape.columns)
    let rows = x.shape.rows * x.shape.batch
    let statistics = compute.rowStatistics(rows)
    let (ones, zeros) = (compute.tensor([columns]), compute.tensor([columns]))
    compute.setIdentity(scale: ones, shift: zeros)
    let y = operations.newTensor(x.shape)
    compute.layerNorm(
      x.tensor, scale: ones, shift: zeros, epsilon: layerNormEpsilon, into: y, statistics)
    compute.scaleAndShift(y, by: scale.tensor, shift.tensor)
    let output = operations.result(y, x.shape)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record { [x, scale, shift] in
      let dy = slot.take()
      let (dscale, dnormal) = (operations.newTensor(x.shape), operations.newTensor(x.shape))
      compute.scaleAndShiftBackward(
        x.tensor, scale: scale.tensor, statistics, dy, into: (dscale, dnormal))
      let target = operations.gradientTarget(x)
      let unused = compute.tensor([2, columns])
      unused.fill()
      compute.layerNormBackward(
        x.tensor, scale: ones, statistics, dnormal, into: target,
        dscale: Tensor(shape: [columns], buffer: unused.buffer),
        dshift: Tensor(shape: [columns], buffer: unused.buffer, offset: columns))
      operations.contribute(dscale, to: scale)
      operations.contribute(dy, to: shift)
    }
    return output
  }
}
