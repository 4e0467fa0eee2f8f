import CKernels

// Kernels of training beside the passes of a model: the squared loss, and an update of weights.

/// Weights of errors: of each row [rows] and each column [columns], which are multiplied. Rows repeat in blocks: row r of
/// the tensors, in the layout [token, batch, point], has the weight `rows[(r / (batch·points))·points + r % points]`.
public struct ErrorWeights: Sendable {
  let rows, columns: Tensor
  /// Points of a token.
  let points: Int

  public init(rows: Tensor, columns: Tensor, points: Int) {
    self.rows = rows
    self.columns = columns
    self.points = points
  }
}

extension Compute {
  private var kernels: jk_kernels { jk_current().pointee }

  // MARK: Loss

  /// Sum of (weight·(prediction − target))². The gradient, if wanted, is `gradientScale`·∂/∂prediction.
  public func weightedSquares(
    prediction: Tensor, target: Tensor, _ weights: ErrorWeights, batch: Int, into gradient: GradientTarget?,
    gradientScale: Float
  ) -> Double {
    let (points, columns) = (weights.points, weights.columns.count)
    let tokens = weights.rows.count / points
    precondition(prediction.count == tokens * batch * points * columns && target.count == prediction.count)
    let tensors = gradient.map { $0.accumulate ? 4 : 3 } ?? 2
    return sum(
      over: tokens * batch, grain: max(1, Compute.grain / (points * columns)), bytes: tensors * prediction.byteCount
    ) { range in
      var total = 0.0
      for block in range {
        let i = block * points * columns
        total += kernels.weighted_squares(
          prediction.pointer + i, target.pointer + i, weights.rows.pointer + block / batch * points,
          weights.columns.pointer, gradient.map { $0.tensor.pointer + i }, gradientScale,
          gradient?.accumulate ?? false, points, columns)
      }
      return total
    }
  }

  // MARK: Optimiser

  /// One Adam update of `parameter`, moments and (if any) moving average, in one pass over memory that clears the gradient.
  public func adam(
    _ coefficients: jk_adam, parameter: Tensor, gradient: Tensor, moment1: Tensor, moment2: Tensor, average: Tensor?
  ) {
    precondition(gradient.count == parameter.count && moment1.count == parameter.count)
    precondition(moment2.count == parameter.count && average?.count ?? parameter.count == parameter.count)
    // Weight, moments and average are read and written, the gradient is read and cleared.
    pass(parameter.count, grain: Compute.grain, bytes: (average == nil ? 8 : 10) * parameter.byteCount) { range in
      let i = range.lowerBound
      withUnsafePointer(to: coefficients) {
        kernels.adam_step(
          $0, parameter.pointer + i, gradient.pointer + i, moment1.pointer + i, moment2.pointer + i,
          average.map { $0.pointer + i }, range.count)
      }
    }
  }
}
