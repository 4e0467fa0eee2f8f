import Datasets

/// A part of the globe that scores are averaged over.
public struct Region: Sendable, Hashable {
  public let name: String
  /// Weight of each grid row, sum over rows = 1 (each row stands for all its points); points that are no raster are rows of
  /// one point.
  public let rowWeights: [Double]

  /// Globe, tropics (|φ| ≤ 20°) and both extratropics (φ ≥ 20°, φ ≤ −20°) as far as the grid has them, as in WeatherBench 2:
  /// rows at 20° are in both; one "domain" for a limited area, and where only a part of the grid is predicted.
  public static func standard(for grid: FieldGrid, isPartial: Bool = false) -> [Region] {
    let areas = grid.areaWeights
    func region(_ name: String, _ contains: (Double) -> Bool) -> Region? {
      let weights = zip(grid.rowLatitudes, areas).map { contains($0) ? $1 : 0 }
      let sum = weights.reduce(0, +)
      return sum > 0 ? Region(name: name, rowWeights: weights.map { $0 / sum }) : nil
    }
    guard grid.isGlobal && !isPartial else { return [region("domain") { _ in true }].compactMap { $0 } }
    return [
      region("globe") { _ in true }, region("tropics") { abs($0) <= 20 },
      region("extratropics-north") { $0 >= 20 }, region("extratropics-south") { $0 <= -20 },
    ].compactMap { $0 }
  }
}
