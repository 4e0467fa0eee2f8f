import Communication
import Execution
import Tensors

// LayerNorm over columns that lie on several ranks: each takes mean and squared deviations of its own, and these are
// merged in rank order (Chan, Golub and LeVeque 1979), so that all ranks have the same statistics to the bit.

extension DistributedOperations {
  struct NormStatistics {
    let mean, rstd: Tensor
  }

  func normalize(_ x: Value, _ p: NormParameters, into y: Tensor) throws -> NormStatistics {
    let rows = rowRange(x.shape.rows).count * x.shape.batch
    let parts = try gatherOverTensor(rows) { compute.rowMoments(x.tensor, rows: rows, into: $0) }
    let counts = (0..<mesh.tensor).map {
      Float(x.groups * chunk(x.shape.columns / x.groups, into: mesh.tensor, $0).count)
    }
    let statistics = NormStatistics(mean: compute.tensor([rows]), rstd: compute.tensor([rows]))
    compute.pass(rows, grain: 256, bytes: (parts.count + 1) * parts[0].byteCount) { range in
      for row in range {
        var (count, mean, squares): (Float, Float, Float) = (0, 0, 0)
        for (part, n) in zip(parts, counts) where n > 0 {
          let (m, s) = (part.pointer[2 * row], part.pointer[2 * row + 1])
          let total = count + n
          let delta = m - mean
          mean += delta * n / total
          squares += s + delta * delta * count * n / total
          count = total
        }
        statistics.mean.pointer[row] = mean
        statistics.rstd.pointer[row] = 1 / (squares / count + layerNormEpsilon).squareRoot()
      }
    }
    compute.normalize(
      x.tensor, scale: value(p.scale), shift: value(p.shift), mean: statistics.mean, rstd: statistics.rstd, into: y)
    return statistics
  }

  func normalizeBackward(
    _ x: Value, _ p: NormParameters, _ statistics: NormStatistics, _ dy: Tensor, into dx: Tensor, accumulate: Bool
  ) throws {
    let rows = rowRange(x.shape.rows).count * x.shape.batch
    let parts = try gatherOverTensor(rows) {
      compute.normalizeSums(
        x.tensor, scale: value(p.scale), mean: statistics.mean, rstd: statistics.rstd, dy, into: $0,
        dscale: gradient(p.scale), dshift: gradient(p.shift))
    }
    let sums = compute.tensor([rows, 2])
    sums.copy(from: parts[0])
    for part in parts.dropFirst() { compute.add(part, to: sums) }
    compute.normalizeBackward(
      x.tensor, scale: value(p.scale), mean: statistics.mean, rstd: statistics.rstd, dy, sums: sums,
      count: x.shape.columns, into: dx, accumulate: accumulate)
  }

  /// What `make` writes on every rank of the tensor axis, by rank: two numbers for each row.
  private func gatherOverTensor(_ rows: Int, _ make: (Tensor) -> Void) throws -> [Tensor] {
    let parts = (0..<mesh.tensor).map { _ in compute.tensor([rows, 2], for: .exchange) }
    make(parts[context.position.tensor])
    try context.tensor.allGather(parts.map { Region($0) }).wait()
    return parts
  }
}
