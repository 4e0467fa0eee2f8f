import Tensors

/// Multi-head self-attention of positions (rows) that lie at most `reach` apart, per sample:
/// softmax(q·kᵀ/√c)·v with H heads of c channels. nil: all positions attend to all.
public struct WindowAttention: Operation {
  /// [R, B, H·c]
  public let q, k, v: Value
  public let heads: Int
  public let reach: Int?
  private let group: ParameterGroup

  public init(q: Value, k: Value, v: Value, heads: Int, reach: Int?, group: ParameterGroup = .processor) {
    precondition(q.shape == k.shape && k.shape == v.shape && q.shape.columns % heads == 0)
    self.q = q
    self.k = k
    self.v = v
    self.heads = heads
    self.reach = reach
    self.group = group
  }

  public var inputs: [Value] { [q, k, v] }
  public func output(_ table: ParameterTable) -> OutputForm { OutputForm(q.shape) }
  public func phase(_ table: ParameterTable) -> StepPhase? { StepPhase(group) }

  public func cost(_ table: ParameterTable) -> OperationCost {
    // GEMMs of tiles: scores and outputs; in backward scores again, their gradients, and those of q, k and v.
    let seen = min(q.shape.rows, 2 * (reach ?? q.shape.rows) + 1)
    let flops = 2 * q.shape.count * seen
    return OperationCost(
      forward: Work(flops: 2 * flops, elements: 4 * q.shape.count),
      backward: Work(flops: 5 * flops, elements: 8 * q.shape.count))
  }

  public func run(on operations: LocalOperations) -> Value {
    let compute = operations.compute
    let shape = WindowShape(
      positions: q.shape.rows, batch: q.shape.batch, heads: heads, channels: q.shape.columns / heads, reach: reach)
    let out = operations.newTensor(q.shape)
    let most = compute.tensor([shape.batch * heads, shape.positions])
    let sums = compute.tensor([shape.batch * heads, shape.positions])
    let values = AttentionValues(q: q.tensor, k: k.tensor, v: v.tensor)
    compute.windowAttention(shape, values, into: out, most: most, sums: sums)
    let output = operations.result(out, q.shape)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record { [q, k, v] in
      let dout = slot.take()
      let (dq, dk, dv) = (
        operations.newTensor(q.shape), operations.newTensor(k.shape), operations.newTensor(v.shape)
      )
      compute.windowAttentionBackward(
        shape, values, out: out, dout: dout, most: most, sums: sums, into: AttentionValues(q: dq, k: dk, v: dv))
      for (gradient, value) in [(dq, q), (dk, k), (dv, v)] { operations.contribute(gradient, to: value) }
    }
    return output
  }
}
