import Basics

#if canImport(Glibc)
  import Glibc
#endif

/// A regular latitude–longitude grid: the product of its latitudes (north to south) and longitudes (eastwards).
public struct LatLonGrid: Sendable, Hashable, Codable {
  /// Degrees north, descending.
  public let latitudes: [Double]
  /// Degrees east, ascending.
  public let longitudes: [Double]

  public init(latitudes: [Double], longitudes: [Double]) {
    self.latitudes = latitudes
    self.longitudes = longitudes
  }

  public var rows: Int { latitudes.count }
  public var columns: Int { longitudes.count }
  public var count: Int { rows * columns }

  /// Whether the longitudes go all the way around, evenly as far as rounding lets see.
  public var isPeriodic: Bool { Meridians.closesCircle(longitudes) }

  /// Whether it covers the globe.
  public var isGlobal: Bool {
    guard isPeriodic, rows > 1 else { return false }
    let spacing = latitudes[0] - latitudes[1]
    return latitudes[0] + spacing > 90 - 1e-3 && latitudes[rows - 1] - spacing < -90 + 1e-3
  }

  /// Loss weights n·cos φ / Σ cos φ, mean 1 (model.md; Rasp et al. 2020).
  public var cosineWeights: [Double] {
    let cosines = latitudes.map { max(0, cos($0 * .pi / 180)) }
    let sum = cosines.reduce(0, +)
    return cosines.map { $0 * Double(rows) / sum }
  }

  /// Area weights of the rows from cell bounds, sin φ_north − sin φ_south, mean 1. Bounds are half-way between rows; the
  /// outer ones lie half a spacing beyond and at most at the poles, as in WeatherBench-X. (WeatherBench 2 puts them at the
  /// poles whatever the spacing.)
  public var areaWeights: [Double] {
    guard rows > 1 else { return [1] }
    var bounds = [min(90, latitudes[0] + (latitudes[0] - latitudes[1]) / 2)]
    for row in 1..<rows { bounds.append((latitudes[row - 1] + latitudes[row]) / 2) }
    bounds.append(max(-90, latitudes[rows - 1] - (latitudes[rows - 2] - latitudes[rows - 1]) / 2))
    let sines = bounds.map { sin($0 * .pi / 180) }
    let areas = (0..<rows).map { sines[$0] - sines[$0 + 1] }
    let sum = areas.reduce(0, +)
    return areas.map { $0 * Double(rows) / sum }
  }

  /// Whether another grid has the same points within `tolerance` degrees: -30 … -10° E are 330 … 350° E.
  public func matches(_ other: LatLonGrid, tolerance: Double = 1e-3) -> Bool {
    guard rows == other.rows, columns == other.columns else { return false }
    let turns = longitudes.first.flatMap { own in other.longitudes.first.map { ((own - $0) / 360).rounded() } } ?? 0
    return zip(latitudes, other.latitudes).allSatisfy { abs($0 - $1) < tolerance }
      && zip(longitudes, other.longitudes).allSatisfy { abs($0 - $1 - 360 * turns) < tolerance }
  }

  /// For people: "32 × 64 (87.19 … -87.19° N, 0 … 354.38° E)".
  public var summary: String {
    "\(rows) × \(columns) (\(short(latitudes.first)) … \(short(latitudes.last))° N, "
      + "\(short(longitudes.first)) … \(short(longitudes.last))° E)"
  }

  private func short(_ value: Double?) -> String {
    guard let value else { return "none" }
    let rounded = (value * 100).rounded() / 100
    return Int(exactly: rounded).map(String.init) ?? String(rounded)
  }
}
