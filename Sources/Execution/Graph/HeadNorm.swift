import Tensors

/// LayerNorm of each head by itself, with a scale [c] for all heads and no shift: [R, B, H·c] → [R, B, H·c].
public struct HeadNorm: Operation {
  public let x: Value
  /// [c]
  public let scale: ParameterID

  public init(_ x: Value, scale: ParameterID) {
    self.x = x
    self.scale = scale
  }

  public var inputs: [Value] { [x] }
  public var parameters: [ParameterID] { [scale] }
  public func output(_ table: ParameterTable) -> OutputForm { OutputForm(x.shape) }
  public func phase(_ table: ParameterTable) -> StepPhase? { StepPhase(table[scale].group) }
  public func cost(_ table: ParameterTable) -> OperationCost {
    OperationCost(forward: Work(elements: 2 * x.shape.count), backward: Work(elements: 3 * x.shape.count))
  }

  public func run(on operations: some ExecutingOperations) -> Value {
    let (compute, factor) = (operations.compute, operations.value(scale))
    precondition(x.tensor.count % factor.count == 0)
    let rows = x.tensor.count / factor.count
    let y = operations.newTensor(x.shape)
    let statistics = compute.rowStatistics(rows)
    let shift = compute.tensor([factor.count])
    shift.fill()
    compute.layerNorm(
      x.tensor, scale: factor, shift: shift, epsilon: layerNormEpsilon, into: y, statistics)
    let output = operations.result(y, x.shape)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record(parameters) { [x, scale] in
      let dy = slot.take()
      let target = operations.gradientTarget(x)
      // The gradient of a shift that is not there.
      let dshift = compute.tensor([factor.count])
      dshift.fill()
      compute.layerNormBackward(
        x.tensor, scale: factor, statistics, dy, into: target,
        dscale: operations.gradient(scale), dshift: dshift)
    }
    return output
  }
}
