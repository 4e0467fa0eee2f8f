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
  ///   - latitude: what grid rows count.
  ///   - variables: by variable; 1 where not given.
  ///   - levelsHPa: by level, multiplied; 1 where not given.
  ///   - perTendency: divides each channel's weight by its typical change over one step, so that errors count in units of
  ///     what there is to predict.
  public init(
    grid: FieldGrid, channels: [Channel], tiling: Tiling, normalization: Normalization, latitude: Latitude,
    variables: [String: Double], levelsHPa: [Double: Double], perTendency: Bool
  ) {
    let latitudeWeights: [Float] =
      switch latitude {
      case .area: grid.cosineWeights.map { Float($0.squareRoot()) }
      case .published: grid.cosineWeights.map { Float($0) }
      case .none: Array(repeating: 1, count: grid.rows)
      }
    rows = Tensor(tiling.spread(rowValues: latitudeWeights), shape: [grid.count])
    let weights = channels.enumerated().map { index, channel -> Float in
      let level = channel.levelHPa.flatMap { levelsHPa[$0] } ?? 1
      let weight = Float((variables[channel.variable] ?? 1) * level)
      return perTendency ? weight / normalization.tendencyScale[index] : weight
    }
    columns = Tensor(weights, shape: [weights.count])
  }
}
