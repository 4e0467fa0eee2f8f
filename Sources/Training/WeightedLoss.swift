import Tensors

/// The weighted sum of a loss over points, samples and fields, as trainings minimise it.
struct WeightedLoss {
  let kind: PointwiseLoss.Kind
  /// a [points] and c [fields]; the loss of an error e is a²·f(c·e).
  let weights: LossWeights

  /// The sum over all elements. `gradient` receives, or is increased by, `scale` times its derivative with respect to the
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
        prediction: prediction, target: target, rowWeights: rows, columnWeights: columns, batch: prediction.shape[1],
        points: pointsPerToken, gradient: gradient, gradientScale: Float(scale), accumulate: accumulate)
    }
    let (fields, batch, perBlock) = (columns.count, prediction.shape[1], pointsPerToken * columns.count)
    precondition(target.count == prediction.count && prediction.count == rows.count * batch * fields)
    return compute.sum(
      over: prediction.count / max(1, perBlock), grain: max(1, 4_096 / max(1, perBlock)),
      bytes: (gradient == nil ? 2 : accumulate ? 4 : 3) * prediction.byteCount
    ) { blocks in
      var total = 0.0
      for block in blocks {
        for point in 0..<pointsPerToken {
          let a = Double(rows.pointer[block / batch * pointsPerToken + point])
          for field in 0..<fields {
            let (i, c) = (block * perBlock + point * fields + field, Double(columns.pointer[field]))
            let (loss, derivative) = kind.error(c * Double(prediction.pointer[i] - target.pointer[i]))
            total += a * a * loss
            guard let gradient else { continue }
            let d = Float(scale * a * a * c * derivative)
            gradient.pointer[i] = accumulate ? gradient.pointer[i] + d : d
          }
        }
      }
      return total
    }
  }
}

/// The losses that a configuration can ask for.
public enum LossKind: String, Sendable, CaseIterable {
  case squared, absolute, huber, logCosh

  /// - Parameter delta: the error at which `huber` becomes linear.
  public func pointwise(delta: Double) -> PointwiseLoss.Kind {
    switch self {
    case .squared: .squared
    case .absolute: .absolute
    case .huber: .huber(delta: delta)
    case .logCosh: .logCosh
    }
  }
}
