import Execution
import Tensors

// Positions lie over the domain axis, heads over the tensor axis. A rank needs the keys and values of its own positions and of
// those that lie at most `reach` before and behind them, from one or more neighbours.

extension WindowAttention: DistributedOperation {
  public func place(in plan: inout ParallelPlan) throws { try plan.checkHeads(heads) }

  /// Positions that queries of a rank attend to.
  private func keyRange(_ mesh: Mesh, _ rank: Int) -> Range<Int> {
    let own = q.shape.rowDimension.domainRange(mesh.domain, rank)
    if own.isEmpty { return own }
    guard let reach else { return 0..<q.shape.rows }
    return max(0, own.lowerBound - reach)..<min(q.shape.rows, own.upperBound + reach)
  }

  public func traffic(_ plan: ParallelPlan, _ place: Mesh.Position) -> SentElements {
    let mesh = plan.mesh
    let own = q.shape.rowDimension.domainRange(mesh.domain, place.domain)
    let length = q.shape.batch * q.columnDimension.unitRange(mesh.tensor, place.tensor).count
    let sent = (0..<mesh.domain).filter { $0 != place.domain }
      .reduce(0) { $0 + keyRange(mesh, $1).clamped(to: own).count }
    return SentElements(
      forward: 2 * sent * length, backward: 2 * (keyRange(mesh, place.domain).count - own.count) * length)
  }

  /// The exchange of keys and values; nil where all are local.
  private func halo(_ operations: DistributedOperations) -> RowExchange? {
    let (mesh, rank) = (operations.mesh, operations.context.position.domain)
    if mesh.domain == 1 { return nil }
    let owned = (0..<mesh.domain).map { q.shape.rowDimension.domainRange(mesh.domain, $0) }
    let (own, keys) = (owned[rank], keyRange(mesh, rank))
    return RowExchange(
      outgoing: (0..<mesh.domain).map { peer in
        peer == rank ? [] : keyRange(mesh, peer).clamped(to: own).map { Int32($0 - own.lowerBound) }
      },
      incoming: (0..<mesh.domain).map { peer in
        let part = peer == rank ? 0..<0 : keys.clamped(to: owned[peer])
        return part.isEmpty ? 0..<0 : part.lowerBound - keys.lowerBound..<part.upperBound - keys.lowerBound
      },
      own: own.lowerBound - keys.lowerBound..<own.upperBound - keys.lowerBound, operations.context.domain,
      operations.compute)
  }

  public func run(on operations: DistributedOperations) throws -> Value {
    precondition(q.shape.columns == heads * q.shape.cell, "heads may be parted")
    let (compute, batch) = (operations.compute, q.shape.batch)
    let (channels, positions) = (q.shape.cell, operations.rowRange(q.shape).count)
    let columns = operations.unitRange(q.shape, groups: 1).count
    let halo = halo(operations)
    let shape = WindowShape(
      positions: positions, batch: batch, heads: columns / channels, channels: channels, reach: reach,
      keys: halo?.rowCount, firstQuery: halo?.own.lowerBound ?? 0)
    let length = batch * columns
    let pending = try halo?.start([k.tensor, v.tensor], length: length)
    try pending?.finish()
    let out = operations.newTensor(q.shape)
    let most = compute.tensor([batch * shape.heads, positions])
    let sums = compute.tensor([batch * shape.heads, positions])
    compute.windowAttention(
      shape,
      AttentionValues(q: q.tensor, k: pending?.extended[0] ?? k.tensor, v: pending?.extended[1] ?? v.tensor),
      into: out, most: most, sums: sums)
    let output = operations.result(out, q.shape)
    guard let tape = operations.tape else { return output }
    let received = pending?.extended.compactMap { halo?.received($0, length) }
    let slot = output.slot
    tape.record { [q, k, v] in
      let dout = slot.take()
      func extended(_ own: Tensor, _ index: Int) -> Tensor {
        guard let halo, let received else { return own }
        return halo.extended(own, received[index], length)
      }
      let (keys, values) = (extended(k.tensor, 0), extended(v.tensor, 1))
      let dq = operations.newTensor(q.shape)
      var sources = [keys, values].map { compute.tensor($0.shape) }
      compute.windowAttentionBackward(
        shape, AttentionValues(q: q.tensor, k: keys, v: values), out: out, dout: dout, most: most, sums: sums,
        into: AttentionValues(q: dq, k: sources[0], v: sources[1]))
      if let halo { sources = try halo.giveBack(sources, length: length) }
      for (gradient, value) in [(dq, q), (sources[0], k), (sources[1], v)] {
        operations.contribute(gradient, to: value)
      }
    }
    return output
  }
}
