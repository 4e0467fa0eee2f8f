import Datasets
import Tensors

/// Weights of the training loss, mean over points and variables of (w_lat·w_var·(ŷ − y))² in normalised units: the
/// published form, with the weights inside the square (docs/model.md).
public struct LossWeights: Sendable {
  /// What w_lat is.
  public enum Latitude: String, Sendable, CaseIterable {
    /// The root of cos φ (mean 1 before the root), so that squared errors count by area.
    case area
    /// cos φ itself, mean 1: as published, squared errors count by cos² φ.
    case published
    case none
  }

  /// Per grid point in tiled order [T·s].
  public let rows: Tensor
  /// Per channel [V].
  public let columns: Tensor

  public init(rows: Tensor, columns: Tensor) {
    self.rows = rows
    self.columns = columns
  }

  /// - Parameters:
  ///   - points: by point in tiled order.
  ///   - variables: by variable; 1 where not given.
  ///   - levelsHPa: by level, multiplied; 1 where not given.
  ///   - perTendency: divides each channel's weight by its typical change over one step, so that errors count in units of
  ///     what there is to predict.
  public init(
    points: [Float], channels: [Channel], normalization: Normalization, variables: [String: Double],
    levelsHPa: [Double: Double], perTendency: Bool
  ) {
    rows = Tensor(points, shape: [points.count])
    let weights = channels.enumerated().map { index, channel -> Float in
      let level = channel.levelHPa.flatMap { levelsHPa[$0] } ?? 1
      let weight = Float((variables[channel.variable] ?? 1) * level)
      return perTendency ? weight / normalization.tendencyScale[index] : weight
    }
    columns = Tensor(weights, shape: [weights.count])
  }
}

extension LossWeights {
  /// Weights of points, in tiled order.
  ///
  /// - Parameters:
  ///   - boundary: by grid point: whether it is read but not predicted; nil for none.
  ///   - firstGrid: by grid point: whether it belongs to the first of several combined grids, and the share of all weights
  ///     (squares of the result) that those get; nil: as their areas are.
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
      let (inner, outer) = (sum { isIn[$0] }, sum { !isIn[$0] })
      let factors = (
        inner: Float((share * (inner + outer) / inner).squareRoot()),
        outer: Float(((1 - share) * (inner + outer) / outer).squareRoot())
      )
      for point in weights.indices { weights[point] *= isIn[point] ? factors.inner : factors.outer }
    }
    return tiling.spread(weights)
  }
}
