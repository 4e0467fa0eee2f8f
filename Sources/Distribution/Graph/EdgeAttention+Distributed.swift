import Basics
import Execution
import Tensors

// Nodes lie over the domain axis, heads over the tensor axis. Keys and values of remote sources travel over the domain axis. The
// edges' projection, few numbers per channel, is held once: its rows lie with their heads, its columns over the domain axis, and
// both these and the attributes of edges, over the tensor axis, are gathered where they are used. While keys and values travel,
// destinations are computed whose sources are all local; while gradients of received rows travel back, those of the own rows.

extension EdgeAttention: DistributedOperation {
  private func attributeDimension() -> Dimension { Dimension(attributes.shape.columns) }

  public func place(in plan: inout ParallelPlan) throws {
    try plan.checkHeads(heads)
    plan.addHalo(edges)
    plan.place(
      p.weight, .matrix(rows: q.columnDimension, columns: [attributeDimension()], rowAxis: .tensor))
    if let bias = p.bias { plan.place(bias, .vector(q.columnDimension, .tensor)) }
  }

  /// All columns for every rank of an axis.
  private func columns(_ mesh: Mesh, _ axis: SplitAxis) -> ColumnExchange {
    let ranks = axis == .domain ? mesh.domain : mesh.tensor
    let dimension = axis == .domain ? attributeDimension() : attributes.columnDimension
    return ColumnExchange(
      held: (0..<ranks).map { dimension.positions(mesh, axis, $0) },
      wanted: (0..<ranks).map { _ in Array(0..<dimension.extent) })
  }

  public func traffic(_ plan: ParallelPlan, _ place: Mesh.Position) -> SentElements {
    let mesh = plan.mesh
    var sent = plan.halo(edges).traffic(k, mesh, place)
    sent += plan.halo(edges).traffic(v, mesh, place)
    let weight = columns(mesh, .domain).sent(place.domain)
    let rows = q.columnDimension.unitRange(mesh.tensor, place.tensor).count
    sent += SentElements(forward: weight.forward * rows, backward: (weight.forward + weight.backward) * rows)
    let edges = columns(mesh, .tensor).sent(place.tensor)
    let edgeCount = attributes.shape.pointCount(mesh, place)
    sent += SentElements(
      forward: edges.forward * edgeCount,
      backward: (edges.forward + (attributes.requiresGradient ? edges.backward : 0)) * edgeCount)
    return sent
  }

  public func run(on operations: DistributedOperations) throws -> Value {
    precondition(attributes.shape.rowStarts == edges.starts, "edges that are not split by their destinations")
    precondition(q.shape.columns == heads * q.shape.cell && k.shape.cell == q.shape.cell, "heads may be parted")
    guard let bias = p.bias else { preconditionFailure("attention along edges without bias") }
    let part = AttentionPart(self, operations, columns(operations.mesh, .domain), columns(operations.mesh, .tensor))
    let out = operations.newTensor(q.shape)
    let alpha = operations.compute.tensor([part.edges.count, q.shape.batch, part.heads])
    let pending = try part.halo?.start([k.tensor, v.tensor], length: part.length)
    let projection = try part.projection()
    func compute(_ parts: [Range<Int>]?) {
      operations.compute.edgeAttention(
        projection,
        AttentionValues(q: q.tensor, k: pending?.extended[0] ?? k.tensor, v: pending?.extended[1] ?? v.tensor),
        bias: operations.value(bias), into: out, alpha: alpha, over: parts)
    }
    if let pending {
      let local = operations.localPart(edges)
      for parts in AttentionPart.portions(local.interior) {
        compute(parts)
        try operations.context.progress()
      }
      try pending.finish()
      compute(local.boundary)
    } else {
      compute(nil)
    }
    let output = operations.result(out, q.shape)
    guard let tape = operations.tape else { return output }
    // Received rows alone are kept beyond the value; its own rows are in the value.
    let received = pending?.extended.compactMap { part.halo?.received($0, part.length) }
    let slot = output.slot
    tape.record(parameters) { [q, k, v] in
      let dout = slot.take()
      let keys = part.extended(k.tensor, received?[0])
      let values = part.extended(v.tensor, received?[1])
      let dq = operations.newTensor(q.shape)
      let sources = try part.backward((q.tensor, keys, values, dout, alpha), into: dq, bias: bias)
      for (gradient, value) in [(dq, q), (sources[0], k), (sources[1], v)] {
        operations.contribute(gradient, to: value)
      }
    }
    return output
  }
}

/// A rank's part of attention along edges.
private struct AttentionPart {
  private let attention: EdgeAttention
  private let operations: DistributedOperations
  private let weightColumns, attributeColumns: ColumnExchange
  let edges: EdgeLists
  let halo: RowExchange?
  /// Heads here, and elements of a row of k or v.
  let heads, length: Int
  /// Channels of the heads here.
  private let channels: Int

  init(
    _ attention: EdgeAttention, _ operations: DistributedOperations, _ weightColumns: ColumnExchange,
    _ attributeColumns: ColumnExchange
  ) {
    self.attention = attention
    self.operations = operations
    self.weightColumns = weightColumns
    self.attributeColumns = attributeColumns
    edges = operations.localEdges(attention.edges)
    halo = operations.halo(attention.edges)
    channels = operations.unitRange(attention.q.shape, groups: 1).count
    heads = channels / attention.q.shape.cell
    length = attention.q.shape.batch * channels
  }

  private var compute: Compute { operations.compute }

  /// The projection with all columns of the weights of the heads here and of the attributes of the edges here.
  func projection() throws -> EdgeProjection {
    let weight = try weightColumns.gather(
      operations.value(attention.p.weight), rows: channels, operations.context.domain, compute)
    let attributes = try attributeColumns.gather(
      attention.attributes.tensor, rows: edges.count, operations.context.tensor, compute)
    return compute.edgeProjection(
      edges, attributes: attributes, weight: weight, heads: heads, batch: attention.q.shape.batch)
  }

  /// Keys or values of all sources here, from own rows and received ones.
  func extended(_ own: Tensor, _ received: Tensor?) -> Tensor {
    guard let halo, let received else { return own }
    return halo.extended(own, received, length)
  }

  /// Parts in some portions, between which transfers move on.
  static func portions(_ parts: [Range<Int>]) -> [[Range<Int>]] {
    (0..<4).map { Array(parts[chunk(parts.count, into: 4, $0)]) }.filter { !$0.isEmpty }
  }

  /// Stores the gradients of queries and adds to those of attributes, weight and bias.
  ///
  /// - Returns: the gradients of the keys and values held here.
  func backward(
    _ values: (q: Tensor, k: Tensor, v: Tensor, dout: Tensor, alpha: Tensor), into dq: Tensor, bias: ParameterID
  ) throws -> [Tensor] {
    let attributes = attention.attributes
    let count = attributes.shape.columns
    let dweight = compute.tensor([channels, count])
    dweight.fill()
    var dattributes: Tensor?
    if attributes.requiresGradient {
      let sum = compute.tensor([edges.count, count])
      sum.fill()
      dattributes = sum
    }
    let projection = try projection()
    let dlogits = compute.edgeAttentionBackward(
      projection, AttentionValues(q: values.q, k: values.k, v: values.v), dout: values.dout, alpha: values.alpha,
      intoQueries: dq,
      projection: EdgeProjectionGradients(
        attributes: dattributes, weight: dweight, bias: operations.gradient(bias)))
    let sources = [values.k, values.v].map { compute.tensor($0.shape) }
    func add(_ parts: [Range<Int>]) {
      compute.edgeAttentionBackward(
        projection, q: values.q, dout: values.dout, alpha: values.alpha, dlogits: dlogits,
        intoSources: (sources[0], sources[1]), over: parts)
    }
    guard let halo else {
      add(edges.sourceParts)
      try giveBack(dweight, dattributes)
      return sources
    }
    let local = operations.localPart(attention.edges)
    add(local.receivedSources)
    let back = try halo.startReturn(sources, length: length)
    for parts in AttentionPart.portions(local.ownSources) {
      add(parts)
      try operations.context.progress()
    }
    try giveBack(dweight, dattributes)
    return try halo.finishReturn(back, sources, length: length)
  }

  /// Adds the gradients of weight and attributes to those of their holders.
  private func giveBack(_ dweight: Tensor, _ dattributes: Tensor?) throws {
    try weightColumns.giveBack(
      dweight, rows: channels, to: operations.gradient(attention.p.weight), operations.context.domain, compute)
    guard let dattributes else { return }
    let target = operations.gradientTarget(attention.attributes)
    if !target.accumulate { target.tensor.fill() }
    try attributeColumns.giveBack(
      dattributes, rows: edges.count, to: target.tensor, operations.context.tensor, compute)
  }
}

extension ParallelPlan {
  /// A rank of the tensor axis holds whole heads.
  func checkHeads(_ heads: Int) throws {
    if mesh.tensor <= heads { return }
    throw JigsawError(
      "parallel.tensor", "splits attention over more ranks than it has heads", expected: "1 to \(heads)",
      found: "\(mesh.tensor)", remedy: "split the points instead, with parallel.domain")
  }
}
