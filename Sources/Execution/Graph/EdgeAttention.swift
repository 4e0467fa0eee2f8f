import Tensors

/// Multi-head attention along the edges of a graph, with the edges' own attributes projected and added to key and value:
///
///     e_ij = W·a_ij + b
///     α_ij = softmax over the edges into i of  q_i·(k_j + e_ij)/√c
///     out_i = Σ_j α_ij (v_j + e_ij)
///
/// per head of c channels; a destination without edges gets 0. The projection is folded into queries and outputs
/// (`jk_attention`), so that nothing of an edge's length times channels is ever stored: besides its inputs, backward needs α alone.
public struct EdgeAttention: Operation {
  public let edges: EdgeLists
  public let heads: Int
  /// [destinations, B, H·c]
  public let q: Value
  /// [sources, B, H·c]
  public let k, v: Value
  /// [edges, 1, a]: the same for all samples.
  public let attributes: Value
  /// W [H·c, a] and b [H·c].
  public let p: AffineParameters

  public init(
    _ edges: EdgeLists, heads: Int, q: Value, k: Value, v: Value, attributes: Value, _ parameters: AffineParameters
  ) {
    precondition(parameters.bias != nil && q.shape.rows == edges.destinationCount && k.shape.rows == edges.sourceCount)
    precondition(k.shape == v.shape && q.shape.columns == k.shape.columns && q.shape.batch == k.shape.batch)
    precondition(attributes.shape.rows == edges.count && attributes.shape.batch == 1)
    precondition(q.shape.columns % heads == 0)
    self.edges = edges
    self.heads = heads
    self.q = q
    self.k = k
    self.v = v
    self.attributes = attributes
    p = parameters
  }

  public var inputs: [Value] { [q, k, v, attributes] }
  public var parameters: [ParameterID] { p.all }
  public func output(_ table: ParameterTable) -> OutputForm { OutputForm(q.shape) }
  public func phase(_ table: ParameterTable) -> StepPhase? { StepPhase(table[p.weight].group) }

  public func cost(_ table: ParameterTable) -> OperationCost {
    let nodes = q.shape.count + 2 * k.shape.count
    let alpha = edges.count * q.shape.batch * heads
    return OperationCost(
      forward: Work(elements: nodes + q.shape.count + alpha + attributes.shape.count),
      backward: Work(elements: 2 * nodes + q.shape.count + 3 * alpha + 3 * attributes.shape.count))
  }

  public func run(on operations: LocalOperations) -> Value {
    let (compute, batch) = (operations.compute, q.shape.batch)
    func projection() -> EdgeProjection {
      compute.edgeProjection(
        edges, attributes: attributes.tensor, weight: operations.value(p.weight), heads: heads, batch: batch)
    }
    guard let bias = p.bias else { preconditionFailure("attention along edges without bias") }
    let out = operations.newTensor(q.shape)
    let alpha = compute.tensor([edges.count, batch, heads])
    compute.edgeAttention(
      projection(), AttentionValues(q: q.tensor, k: k.tensor, v: v.tensor), bias: operations.value(bias), into: out,
      alpha: alpha)
    let output = operations.result(out, q.shape)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record(parameters) { [q, k, v, attributes, p] in
      let dout = slot.take()
      let (dq, dk, dv) = (
        operations.newTensor(q.shape), operations.newTensor(k.shape), operations.newTensor(v.shape)
      )
      var dattributes: Tensor?
      if attributes.requiresGradient {
        let target = operations.gradientTarget(attributes)
        if !target.accumulate { target.tensor.fill() }
        dattributes = target.tensor
      }
      compute.edgeAttentionBackward(
        projection(), AttentionValues(q: q.tensor, k: k.tensor, v: v.tensor), dout: dout, alpha: alpha,
        into: AttentionValues(q: dq, k: dk, v: dv),
        projection: EdgeProjectionGradients(
          attributes: dattributes, weight: operations.gradient(p.weight), bias: operations.gradient(bias)))
      for (gradient, value) in [(dq, q), (dk, k), (dv, v)] { operations.contribute(gradient, to: value) }
    }
    return output
  }
}
