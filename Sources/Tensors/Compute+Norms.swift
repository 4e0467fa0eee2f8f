import CKernels

// LayerNorm and its steps, each forward kernel beside its backward partner.

/// Mean and reciprocal deviation of rows, [rows] each, which the backward step of a norm needs again.
public struct RowStatistics: Sendable {
  public let mean, rstd: Tensor

  public init(mean: Tensor, rstd: Tensor) {
    precondition(mean.count == rstd.count)
    self.mean = mean
    self.rstd = rstd
  }

  public var rows: Int { mean.count }
}

extension Compute {
  private var kernels: jk_kernels { jk_current().pointee }

  // MARK: LayerNorm

  /// Pooled memory for the statistics of rows.
  public func rowStatistics(_ rows: Int) -> RowStatistics { RowStatistics(mean: tensor([rows]), rstd: tensor([rows])) }

  /// y = (x − mean)·rstd·scale + shift for each row of x [rows, columns], in FP32 or bf16; the statistics are stored.
  public func layerNorm(
    _ x: Tensor, scale: Tensor, shift: Tensor, epsilon: Float, into y: Tensor, _ statistics: RowStatistics
  ) {
    let columns = scale.count
    let rows = x.count / columns
    precondition(rows * columns == x.count && shift.count == columns && y.count == x.count)
    precondition(statistics.rows == rows)
    let (mean, rstd) = (statistics.mean, statistics.rstd)
    let sums = PassArithmetic.rowSums(rows: rows, columns: columns)
    pass(rows, grain: rowGrain(columns), bytes: x.byteCount + y.byteCount, arithmetic: sums) {
      let (i, mean, rstd) = ($0.lowerBound * columns, mean.pointer + $0.lowerBound, rstd.pointer + $0.lowerBound)
      switch y.type {
      case .float32:
        kernels.layer_norm_forward(
          x.pointer + i, columns, scale.pointer, shift.pointer, epsilon, y.pointer + i, columns, mean, rstd, $0.count,
          columns)
      case .bfloat16:
        kernels.layer_norm_rounded(
          x.pointer + i, scale.pointer, shift.pointer, epsilon, y.bfloat16Pointer + i, mean, rstd, $0.count, columns)
      }
    }
  }

  /// The gradient with respect to x goes to its target; dscale and dshift are added to.
  public func layerNormBackward(
    _ x: Tensor, scale: Tensor, _ statistics: RowStatistics, _ dy: Tensor, into target: GradientTarget,
    dscale: Tensor, dshift: Tensor
  ) {
    let columns = scale.count
    let (mean, rstd, dx, accumulate) = (statistics.mean, statistics.rstd, target.tensor, target.accumulate)
    let rows = x.count / columns
    precondition(dy.count == x.count && dx.count == x.count && dscale.count == columns && dshift.count == columns)
    sumOverMembers(
      into: [dscale, dshift], work: rows, grain: rowGrain(columns), bytes: (accumulate ? 4 : 3) * x.byteCount,
      arithmetic: .rowSums(rows: rows, columns: columns)
    ) { range, sums in
      let i = range.lowerBound * columns
      kernels.layer_norm_backward(
        x.pointer + i, columns, scale.pointer, mean.pointer + range.lowerBound, rstd.pointer + range.lowerBound,
        dy.pointer + i, columns, dx.pointer + i, columns, accumulate, sums[0], sums[1], range.count, columns)
    }
  }

  // MARK: LayerNorm in steps, for rows whose columns lie on several ranks

  /// moments [rows, 2]: mean and sum of squared deviations of each row of x [rows, columns].
  public func rowMoments(_ x: Tensor, rows: Int, into moments: Tensor) {
    let columns = rows == 0 ? 0 : x.count / rows
    precondition(moments.count == 2 * rows)
    let sums = PassArithmetic.rowSums(rows: rows, columns: columns)
    pass(rows, grain: rowGrain(columns), bytes: x.byteCount, arithmetic: sums) {
      kernels.row_moments(x.pointer + $0.lowerBound * columns, moments.pointer + 2 * $0.lowerBound, $0.count, columns)
    }
  }

  /// The statistics of rows whose columns are in several parts, merged in their order.
  ///
  /// - Parameters:
  ///   - parts: [rows, 2] each: mean and sum of squared deviations.
  ///   - counts: columns of each part.
  public func mergeMoments(_ parts: [Tensor], counts: [Float], epsilon: Float, into statistics: RowStatistics) {
    precondition(parts.count == counts.count)
    let (mean, rstd) = (statistics.mean, statistics.rstd)
    let bytes = parts.reduce(0) { $0 + $1.byteCount } + mean.byteCount + rstd.byteCount
    pass(mean.count, grain: 256, bytes: bytes) { range in
      for row in range {
        var (count, average, squares): (Float, Float, Float) = (0, 0, 0)
        for (part, n) in zip(parts, counts) where n > 0 {
          let (m, s) = (part.pointer[2 * row], part.pointer[2 * row + 1])
          let total = count + n
          let delta = m - average
          average += delta * n / total
          squares += s + delta * delta * count * n / total
          count = total
        }
        mean.pointer[row] = average
        rstd.pointer[row] = 1 / (squares / count + epsilon).squareRoot()
      }
    }
  }

  /// y = (x − mean)·rstd·scale + shift with given statistics.
  public func normalize(
    _ x: Tensor, scale: Tensor, shift: Tensor, _ statistics: RowStatistics, into y: Tensor
  ) {
    let (rows, columns) = (statistics.rows, scale.count)
    let (mean, rstd) = (statistics.mean, statistics.rstd)
    precondition(x.count == rows * columns && y.count == x.count && shift.count == columns)
    pass(rows, grain: rowGrain(columns), bytes: 2 * x.byteCount) {
      let i = $0.lowerBound * columns
      kernels.normalize(
        x.pointer + i, scale.pointer, shift.pointer, mean.pointer + $0.lowerBound, rstd.pointer + $0.lowerBound,
        y.pointer + i, $0.count, columns)
    }
  }

  /// sums [rows, 2]: this block's part of what `normalizeBackward` needs; dscale and dshift are added to.
  public func normalizeSums(
    _ x: Tensor, scale: Tensor, _ statistics: RowStatistics, _ dy: Tensor, into sums: Tensor, dscale: Tensor,
    dshift: Tensor
  ) {
    let (rows, columns) = (statistics.rows, scale.count)
    let (mean, rstd) = (statistics.mean, statistics.rstd)
    precondition(x.count == rows * columns && dy.count == x.count && sums.count == 2 * rows)
    sumOverMembers(
      into: [dscale, dshift], work: rows, grain: rowGrain(columns), bytes: 2 * x.byteCount,
      arithmetic: .rowSums(rows: rows, columns: columns)
    ) { range, totals in
      let i = range.lowerBound * columns
      kernels.normalize_sums(
        x.pointer + i, scale.pointer, mean.pointer + range.lowerBound, rstd.pointer + range.lowerBound,
        dy.pointer + i, sums.pointer + 2 * range.lowerBound, totals[0], totals[1], range.count, columns)
    }
  }

  /// The gradient with respect to x, from sums over all `count` columns of a row.
  public func normalizeBackward(
    _ x: Tensor, scale: Tensor, _ statistics: RowStatistics, _ dy: Tensor, sums: Tensor, count: Int,
    into target: GradientTarget
  ) {
    let (rows, columns) = (statistics.rows, scale.count)
    let (mean, rstd, dx, accumulate) = (statistics.mean, statistics.rstd, target.tensor, target.accumulate)
    precondition(x.count == rows * columns && dy.count == x.count && dx.count == x.count && sums.count == 2 * rows)
    pass(rows, grain: rowGrain(columns), bytes: (accumulate ? 4 : 3) * x.byteCount) {
      let i = $0.lowerBound * columns
      kernels.normalize_backward(
        x.pointer + i, scale.pointer, mean.pointer + $0.lowerBound, rstd.pointer + $0.lowerBound, dy.pointer + i,
        sums.pointer + 2 * $0.lowerBound, Float(count), dx.pointer + i, accumulate, $0.count, columns)
    }
  }
}
