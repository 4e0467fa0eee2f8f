import Datasets
import Tensors

/// Weights of the training loss, mean over points and variables of w_lat²·b·f(w_var·(ŷ − y)) in normalised units: with f the square and
/// b 1 the published form, whose weights stand inside the square (docs/model.md).
public struct LossWeights: Sendable {
  /// The latitude weights w_lat of the loss.
  public enum Latitude: String, Sendable, CaseIterable {
    /// The root of cos φ (mean 1 before the root), so that squared errors count by area.
    case area
    /// cos φ itself, mean 1: as published, squared errors count by cos² φ.
    case published
    case none
  }

  /// Per grid point in tiled order [T·s].
  public let rows: Tensor
  /// Per channel [V], of the error.
  public let columns: Tensor
  /// b, per channel [V], of the loss; nil: 1.
  public let factors: Tensor?
  /// w_var·√b, the weights of the error whose square is taken.
  public let ofSquares: Tensor

  /// - Parameter factors: nil: 1.
  public init(rows: Tensor, columns: Tensor, factors: Tensor? = nil) {
    self.rows = rows
    self.columns = columns
    self.factors = factors
    ofSquares =
      factors.map { Tensor(zip(columns.values, $0.values).map { $0 * $1.squareRoot() }, shape: columns.shape) }
      ?? columns
  }

  /// - Parameters:
  ///   - points: by point in tiled order.
  ///   - variables: by variable; 1 where not given.
  ///   - levelsHPa: by level, multiplied; 1 where not given.
  ///   - perTendency: divides each channel's weight by its typical change over one step, so that errors count in units of
  ///     what there is to predict.
  ///   - factors: by channel, of the loss; nil: 1.
  public init(
    points: [Float], channels: [Channel], normalization: Normalization, variables: [String: Double],
    levelsHPa: [Double: Double], perTendency: Bool, factors: [Float]? = nil
  ) {
    let weights = channels.enumerated().map { index, channel -> Float in
      let level = channel.levelHPa.flatMap { levelsHPa[$0] } ?? 1
      let weight = Float((variables[channel.variable] ?? 1) * level)
      return perTendency ? weight / normalization.tendencyScale[index] : weight
    }
    self.init(
      rows: Tensor(points, shape: [points.count]), columns: Tensor(weights, shape: [weights.count]),
      factors: factors.map { Tensor($0, shape: [$0.count]) })
  }
}

extension LossWeights {
  /// Weights of points, in tiled order.
  ///
  /// - Parameters:
  ///   - boundary: by grid point: whether it is read but not predicted; nil for none.
  ///   - firstGrid: by grid point: whether it belongs to the first of several combined grids, and the share of all weights
  ///     (squares of the result) that those get, each as much as the other; nil: as their areas are.
  public static func points(
    _ grid: FieldGrid, _ tiling: Tiling, _ latitude: Latitude, boundary: [Bool]? = nil,
    firstGrid: (isIn: [Bool], share: Double)? = nil
  ) -> [Float] {
    let ofRows: [Float] =
      switch latitude {
      case .area: grid.cosineWeights.map { Float($0.squareRoot()) }
      case .published: grid.cosineWeights.map { Float($0) }
      case .none: Array(repeating: 1, count: grid.rows)
      }
    var weights = ofRows.flatMap { Array(repeating: $0, count: grid.columns) }
    func sum(_ isIn: (Int) -> Bool) -> Double {
      weights.indices.reduce(0) { $0 + (isIn($1) ? Double(weights[$1]) * Double(weights[$1]) : 0) }
    }
    if let boundary {
      let predicted = boundary.reduce(0) { $0 + ($1 ? 0 : 1) }
      let factor = Float((Double(predicted) / sum { !boundary[$0] }).squareRoot())
      for point in weights.indices { weights[point] *= boundary[point] ? 0 : factor }
    }
    if let (isIn, share) = firstGrid {
      let (all, outer) = (sum { _ in true }, sum { !isIn[$0] })
      let count = isIn.reduce(0) { $0 + ($1 ? 1 : 0) }
      let inner = Float((share * all / Double(count)).squareRoot())
      let factor = Float(((1 - share) * all / outer).squareRoot())
      for point in weights.indices { weights[point] = isIn[point] ? inner : weights[point] * factor }
    }
    return tiling.spread(weights)
  }
}
