import Tensors

/// The weighted sum of a loss over points, samples and fields, as trainings minimise it.
struct WeightedLoss {
  let kind: PointwiseLoss.Kind
  /// a [points], c and b [fields]; the loss of an error e is a²·b·f(c·e).
  let weights: LossWeights

  /// The sum over all elements, of a loss that is one. `gradient` receives, or is increased by, `scale` times its derivative with respect to the
  /// prediction.
  ///
  /// - Parameters:
  ///   - prediction, target: [tokens, samples, points of a token · fields].
  ///   - pointsPerToken: points of a token.
  func sum(
    _ prediction: Tensor, _ target: Tensor, pointsPerToken: Int, gradient: Tensor?, scale: Double, accumulate: Bool,
    _ compute: Compute
  ) -> Double {
    let (rows, columns) = (weights.rows, weights.columns)
    if case .squared = kind {
      return compute.weightedSquares(
        prediction: prediction, target: target,
        ErrorWeights(rows: rows, columns: weights.ofSquares, points: pointsPerToken), batch: prediction.shape[1],
        into: gradient.map { ($0, accumulate) }, gradientScale: Float(scale))
    }
    let (batch, perBlock) = (prediction.shape[1], pointsPerToken * columns.count)
    precondition(target.count == prediction.count && prediction.count == rows.count * batch * columns.count)
    return compute.sum(
      over: prediction.count / max(1, perBlock), grain: max(1, 4_096 / max(1, perBlock)),
      bytes: (gradient == nil ? 2 : accumulate ? 4 : 3) * prediction.byteCount
    ) { blocks in
      blocks.reduce(0) {
        $0
          + sum(
            ofBlock: $1, prediction, target, pointsPerToken: pointsPerToken, gradient: gradient, scale: scale,
            accumulate: accumulate)
      }
    }
  }

  /// The sum over the samples of the roots of their weighted squares, of which each rank that holds a part of the samples gets a
  /// share: their sum is the loss. `gradient` as in `sum`.
  ///
  /// - Parameter sumOverRanks: adds up the samples' squares of all ranks that hold parts of them; they call it together.
  func rootSum(
    _ prediction: Tensor, _ target: Tensor, pointsPerToken: Int, gradient: Tensor?, scale: Double, accumulate: Bool,
    _ compute: Compute, sumOverRanks: ([Double]) throws -> [Double]
  ) rethrows -> Double {
    let (batch, perBlock) = (prediction.shape[1], pointsPerToken * weights.columns.count)
    func squares(_ sample: Int, gradient: Tensor?, scale: Double) -> Double {
      compute.sum(
        over: prediction.count / max(1, perBlock * batch), grain: max(1, 4_096 / max(1, perBlock)),
        bytes: (gradient == nil ? 2 : accumulate ? 4 : 3) * prediction.byteCount / batch
      ) { tokens in
        tokens.reduce(0) {
          $0
            + sum(
              ofBlock: $1 * batch + sample, prediction, target, pointsPerToken: pointsPerToken, gradient: gradient,
              scale: scale, accumulate: accumulate)
        }
      }
    }
    let own = (0..<batch).map { squares($0, gradient: nil, scale: 0) }
    let all = try sumOverRanks(own)
    if let gradient {
      // The root's slope at zero is taken to be zero, as the gradient of the squares is.
      for (sample, sum) in all.enumerated() {
        _ = squares(sample, gradient: gradient, scale: sum == 0 ? 0 : scale / (2 * sum.squareRoot()))
      }
    }
    return zip(own, all).reduce(0) { $0 + ($1.1 == 0 ? 0 : $1.0 / $1.1.squareRoot()) }
  }

  /// The sum over the points of a token of a sample.
  private func sum(
    ofBlock block: Int, _ prediction: Tensor, _ target: Tensor, pointsPerToken: Int, gradient: Tensor?, scale: Double,
    accumulate: Bool
  ) -> Double {
    let (rows, columns, factors) = (weights.rows.floats, weights.columns.floats, weights.factors?.floats)
    let (fields, batch) = (columns.count, prediction.shape[1])
    let (predictions, targets, gradients) = (prediction.floats, target.floats, gradient?.floats)
    var total = 0.0
    for point in 0..<pointsPerToken {
      let a = Double(rows[block / batch * pointsPerToken + point])
      for field in 0..<fields {
        let i = (block * pointsPerToken + point) * fields + field
        let c = Double(columns[field])
        let (loss, derivative) = kind.error(c * Double(predictions[i] - targets[i]))
        let weight = a * a * Double(factors?[field] ?? 1)
        total += weight * loss
        guard let gradients else { continue }
        let d = Float(scale * weight * c * derivative)
        gradients[i] = accumulate ? gradients[i] + d : d
      }
    }
    return total
  }
}

/// The losses that a configuration can ask for.
public enum LossKind: String, Sendable, CaseIterable {
  case squared, rootOfSquared, absolute, huber, logCosh

  /// - Parameter delta: the error at which `huber` becomes linear.
  public func pointwise(delta: Double) -> PointwiseLoss.Kind {
    switch self {
    case .squared: .squared
    case .rootOfSquared: .rootOfSquared
    case .absolute: .absolute
    case .huber: .huber(delta: delta)
    case .logCosh: .logCosh
    }
  }
}
