import Communication
import Execution
import Tensors

// LayerNorm over columns that lie on several ranks: each takes mean and squared deviations of its own, and these are
// merged in rank order (Chan, Golub and LeVeque 1979), so that all ranks have the same statistics to the bit.

extension LayerNorm: DistributedOperation {
  public func place(in plan: inout ParallelPlan) { p.place(x.columnDimension, in: &plan) }

  public func traffic(_ plan: ParallelPlan, _ place: Mesh.Position) -> SentElements {
    LayerNorm.traffic(x, plan.mesh, place)
  }

  /// The traffic of normalising x: two elements for each row to every other rank of the tensor axis, forward and backward.
  public static func traffic(_ x: Value, _ mesh: Mesh, _ place: Mesh.Position) -> SentElements {
    let sent = 2 * x.shape.pointCount(mesh, place) * (mesh.tensor - 1)
    return SentElements(forward: sent, backward: sent)
  }

  public func run(on operations: DistributedOperations) throws -> Value {
    let y = operations.newTensor(x.shape, groups: x.groups)
    let statistics = try operations.normalize(x, p, into: y)
    let output = operations.result(y, x.shape, groups: x.groups)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record(parameters) { [x, p] in
      let dy = slot.take()
      let target = operations.gradientTarget(x)
      try operations.normalizeBackward(x, p, statistics, dy, into: target.tensor, accumulate: target.accumulate)
    }
    return output
  }
}

extension NormParameters {
  /// Scale and shift lie over the tensor axis, as the columns that they belong to do.
  public func place(_ columns: Dimension, in plan: inout ParallelPlan) {
    plan.place(scale, .vector(columns, .tensor))
    plan.place(shift, .vector(columns, .tensor))
  }
}

extension DistributedOperations {
  /// Normalises the rows held here of x into y.
  public func normalize(_ x: Value, _ p: NormParameters, into y: Tensor) throws -> RowStatistics {
    try normalize(x, scale: value(p.scale), shift: value(p.shift), into: y)
  }

  /// Normalises the rows held here of x into y, with scale and shift [columns held here].
  public func normalize(_ x: Value, scale: Tensor, shift: Tensor, into y: Tensor) throws -> RowStatistics {
    let rows = pointCount(x.shape)
    let parts = try gatherOverTensor(rows) { compute.rowMoments(x.tensor, rows: rows, into: $0) }
    let counts = (0..<mesh.tensor).map {
      Float(x.groups * x.columnDimension.unitRange(mesh.tensor, $0).count)
    }
    let statistics = compute.rowStatistics(rows)
    compute.mergeMoments(
      parts, counts: counts, epsilon: layerNormEpsilon, into: statistics)
    compute.normalize(
      x.tensor, scale: scale, shift: shift, statistics, into: y)
    return statistics
  }

  /// The gradient of x from that of the result, `dy`; adds to those of scale and shift.
  public func normalizeBackward(
    _ x: Value, _ p: NormParameters, _ statistics: RowStatistics, _ dy: Tensor, into dx: Tensor, accumulate: Bool
  ) throws {
    try normalizeBackward(
      x, scale: value(p.scale), statistics, dy, into: (dx, gradient(p.scale), gradient(p.shift)),
      accumulate: accumulate)
  }

  /// The gradient of x from that of the result, `dy`: stored in `dx`, or added if `accumulate`. Adds to the gradients of scale
  /// and shift, [columns held here].
  public func normalizeBackward(
    _ x: Value, scale: Tensor, _ statistics: RowStatistics, _ dy: Tensor,
    into gradients: (dx: Tensor, dscale: Tensor, dshift: Tensor), accumulate: Bool
  ) throws {
    let rows = pointCount(x.shape)
    let parts = try gatherOverTensor(rows) {
      compute.normalizeSums(
        x.tensor, scale: scale, statistics, dy, into: $0,
        dscale: gradients.dscale, dshift: gradients.dshift)
    }
    let sums = compute.tensor([rows, 2])
    sums.copy(from: parts[0])
    for part in parts.dropFirst() { compute.add(part, to: sums) }
    compute.normalizeBackward(
      x.tensor, scale: scale, statistics, dy, sums: sums, count: x.shape.columns, into: (gradients.dx, accumulate))
  }

  /// The results of `make` on every rank of the tensor axis, by rank: two elements for each row.
  private func gatherOverTensor(_ rows: Int, _ make: (Tensor) -> Void) throws -> [Tensor] {
    let parts = (0..<mesh.tensor).map { _ in compute.tensor([rows, 2], for: .exchange) }
    make(parts[context.position.tensor])
    try context.tensor.allGather(parts.map { Region($0) }).wait()
    return parts
  }
}
