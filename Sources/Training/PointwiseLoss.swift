import Basics
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// A loss of predictions on any points, as anemoi-training defines its losses: the mean over samples of the weighted sum over
/// states and points of the mean over variables. Predictions are [points, samples·members, states·variables], targets
/// [points, samples, states·variables], both normalised; weights likewise, or with one sample for all. Of some points and some
/// columns of them it is the share of the loss that these have.
public struct PointwiseLoss: Sendable {
  public enum Kind: Sendable, Hashable {
    case squared, absolute
    /// The square root of `squared`.
    case rootOfSquared
    /// ½d² up to delta, from there on linear.
    case huber(delta: Double)
    /// log cosh d
    case logCosh
    /// The almost fair continuous ranked probability score of the members (Lang et al., arXiv 2412.15832); 1 is the fair score.
    case rankedProbability(alpha: Double)
  }

  public let kind: Kind
  /// Variables of a state, of all ranks together.
  public let variables: Int
  public let members: Int
  /// Whether elements without target count as predicted exactly.
  public let ignoresMissing: Bool

  public init(_ kind: Kind, variables: Int, members: Int = 1, ignoresMissing: Bool = false) {
    self.kind = kind
    self.variables = variables
    self.members = members
    self.ignoresMissing = ignoresMissing
  }

  /// The loss, of a prediction that is local as a whole. `gradient` receives `scale` times its derivative with respect to the prediction.
  public func callAsFunction(
    _ prediction: Tensor, target: Tensor, weights: Tensor, gradient: Tensor?, scale: Double = 1, _ compute: Compute
  ) -> Double {
    self(prediction, target: target, weights: weights, gradient: gradient, scale: scale, compute, sumOverRanks: { $0 })
  }

  /// The share of the loss of the points and local columns.
  ///
  /// - Parameter sumOverRanks: adds up a number of all ranks that hold parts of the prediction; they call it together.
  public func callAsFunction(
    _ prediction: Tensor, target: Tensor, weights: Tensor, gradient: Tensor?, scale: Double = 1, _ compute: Compute,
    sumOverRanks: (Double) throws -> Double
  ) rethrows -> Double {
    guard case .rootOfSquared = kind else {
      return share(prediction, target: target, weights: weights, gradient: gradient, scale: scale, compute)
    }
    let squares = share(prediction, target: target, weights: weights, gradient: nil, scale: 1, compute)
    let sum = try sumOverRanks(squares)
    let root = sum.squareRoot()
    if let gradient {
      _ = share(
        prediction, target: target, weights: weights, gradient: gradient, scale: root == 0 ? 0 : scale / (2 * root),
        compute)
    }
    // The shares of all ranks add up to the root.
    return sum == 0 ? 0 : root * (squares / sum)
  }

  /// The share of a loss that is a sum over points and columns; of a root, the share of its square.
  private func share(
    _ prediction: Tensor, target: Tensor, weights: Tensor, gradient: Tensor?, scale: Double, _ compute: Compute
  ) -> Double {
    let (points, columns) = (target.shape[0], target.shape[2])
    let samples = target.shape[1]
    precondition(prediction.count == target.count * members)
    precondition(weights.count == target.count || weights.count == points * columns)
    let share = 1 / Double(samples * variables)
    let rowCount = points * samples
    // One partial sum per row of points, added in order: the same for any number of threads.
    var sums = [Double](repeating: 0, count: rowCount)
    sums.withUnsafeMutableBufferPointer { sums in
      let sums = UncheckedSums(start: sums.baseAddress)
      compute.pass(rowCount, grain: 64, bytes: prediction.byteCount * 3) { range in
        func row(_ x: Tensor, _ index: Int, _ length: Int) -> UnsafeMutableBufferPointer<Float> {
          UnsafeMutableBufferPointer(rebasing: x.floats[index * length..<(index + 1) * length])
        }
        for index in range {
          sums.start?[index] = loss(
            of: row(prediction, index, members * columns), row(target, index, columns),
            row(weights, weights.count == target.count ? index : index / samples, columns),
            gradient: gradient.map { row($0, index, members * columns) }, scale: scale * share)
        }
      }
    }
    return sums.reduce(0, +) * share
  }

  private struct UncheckedSums: @unchecked Sendable {
    let start: UnsafeMutablePointer<Double>?
  }

  /// All members at one point of one sample.
  private func loss(
    of prediction: UnsafeMutableBufferPointer<Float>, _ target: UnsafeMutableBufferPointer<Float>,
    _ weights: UnsafeMutableBufferPointer<Float>, gradient: UnsafeMutableBufferPointer<Float>?, scale: Double
  ) -> Double {
    var total = 0.0
    let columns = target.count
    for column in 0..<columns {
      let (y, w) = (target[column], Double(weights[column]))
      if ignoresMissing && y.isNaN {
        for member in 0..<members { gradient?[member * columns + column] = 0 }
        continue
      }
      if case .rankedProbability(let alpha) = kind {
        let places = stride(from: column, to: members * columns, by: columns)
        total += w * score(prediction, places, y, gradient, alpha, scale: scale * w)
        continue
      }
      for member in 0..<members {
        let i = member * columns + column
        let (loss, derivative) = kind.error(Double(prediction[i] - y))
        total += w * loss / Double(members)
        gradient?[i] = Float(scale * w * derivative / Double(members))
      }
    }
    return total
  }

  /// 1/(2M(M−1)) Σ_{i≠k} |x_i − y| + |x_k − y| − (1 − ε)|x_i − x_k|, ε = (1 − α)/M, which is
  /// mean |x_i − y| − (1 − ε)/(2M(M−1)) Σ_{i≠k} |x_i − x_k|.
  private func score(
    _ x: UnsafeMutableBufferPointer<Float>, _ places: StrideTo<Int>, _ y: Float,
    _ gradient: UnsafeMutableBufferPointer<Float>?, _ alpha: Double, scale: Double
  ) -> Double {
    let m = Double(members)
    let factor = (1 - (1 - alpha) / m) / (2 * m * (m - 1))
    var total = 0.0
    for i in places {
      let error = Double(x[i] - y)
      var derivative = sign(error) / m
      total += abs(error) / m
      for k in places where k != i {
        let d = Double(x[i] - x[k])
        total -= factor * abs(d)
        derivative -= 2 * factor * sign(d)
      }
      gradient?[i] = Float(scale * derivative)
    }
    return total
  }
}

extension PointwiseLoss.Kind {
  /// The loss of one error and its derivative; those that are no sum over errors count as squared.
  func error(_ d: Double) -> (loss: Double, derivative: Double) {
    switch self {
    case .absolute: (abs(d), sign(d))
    case .huber(let delta):
      abs(d) < delta ? (0.5 * d * d, d) : (delta * (abs(d) - 0.5 * delta), delta * sign(d))
    case .logCosh: (abs(d) + log1p(exp(-2 * abs(d))) - log(2), tanh(d))
    case .squared, .rootOfSquared, .rankedProbability: (d * d, 2 * d)
    }
  }
}

private func sign(_ d: Double) -> Double { d > 0 ? 1 : d < 0 ? -1 : 0 }
