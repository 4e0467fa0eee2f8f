import Execution
import Tensors

/// The learned blend of decoded field and input, per grid point: linear(norm₂(concat(norm₁(y), x))), y and x [R, B, V].
///
/// Nothing but y and x is kept for backward.
public struct Blend: Operation {
  public let y, x: Value
  public let inner, outer: NormParameters
  public let p: LinearParameters

  public init(_ y: Value, with x: Value, inner: NormParameters, outer: NormParameters, _ parameters: LinearParameters) {
    precondition(y.shape == x.shape)
    self.y = y
    self.x = x
    self.inner = inner
    self.outer = outer
    p = parameters
  }

  public var inputs: [Value] { [y, x] }
  public var parameters: [ParameterID] {
    [inner.scale, inner.shift, outer.scale, outer.shift, p.weight, p.bias]
  }

  public func output(_ table: ParameterTable) -> OutputForm { OutputForm(y.shape) }
  public func phase(_ table: ParameterTable) -> StepPhase? { .output }

  public func cost(_ table: ParameterTable) -> OperationCost {
    let flops = 2 * points * table[p.weight].count
    let all = parameters.reduce(0) { $0 + table[$1].count }
    let gradients = x.requiresGradient ? 2 : 1
    return OperationCost(
      forward: Work(flops: flops, elements: 3 * y.shape.count + all),
      backward: Work(flops: 2 * flops, elements: (3 + gradients) * y.shape.count + 3 * all))
  }

  private var points: Int { y.shape.rows * y.shape.batch }

  public func run(on operations: LocalOperations) -> Value {
    let out = operations.newTensor(y.shape)
    operations.compute.joinedNorms(kernel(operations), y.tensor, x.tensor, into: out)
    let output = operations.result(out, y.shape)
    let slot = output.slot
    operations.tape?.record(parameters) { backward(slot.take(), operations) }
    return output
  }

  private func backward(_ dout: Tensor, _ operations: LocalOperations) {
    let dy = operations.newTensor(y.shape)
    let dx = x.requiresGradient ? operations.gradientTarget(x) : nil
    operations.compute.addBiasGradient(of: dout, rows: points, .perColumn, to: operations.gradient(p.bias))
    operations.compute.joinedNormsBackward(
      kernel(operations), y.tensor, x.tensor, dout: dout, dy: dy, dx: dx,
      parameters: [p.weight, inner.scale, inner.shift, outer.scale, outer.shift].map { operations.gradient($0) })
    operations.contribute(dy, to: y)
  }

  private func kernel(_ operations: LocalOperations) -> JoinedNorms {
    JoinedNorms(
      inner: (operations.value(inner.scale), operations.value(inner.shift)),
      outer: (operations.value(outer.scale), operations.value(outer.shift)), epsilon: layerNormEpsilon,
      weight: operations.value(p.weight), bias: operations.value(p.bias))
  }
}
