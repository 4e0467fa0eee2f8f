import Datasets

#if canImport(Glibc)
  import Glibc
#endif

/// Power of a field by zonal wavenumber: S_k = 2·|F_k|² with F the Fourier coefficients along a circle of latitude (S_0 =
/// F_0²), so that S_1 + S_2 + … is the variance along the circle; averaged with area weights over 30° … 60° of both
/// hemispheres, or over all rows if there are none.
public struct ZonalSpectrum: Sendable {
  private let columns: Int
  private let rowWeights: [(row: Int, weight: Double)]
  private let cosines: [Double]
  private let sines: [Double]

  /// Nil when the grid doesn't go around the globe.
  public init?(_ grid: LatLonGrid) {
    guard grid.isPeriodic else { return nil }
    columns = grid.columns
    let areas = grid.areaWeights
    let band = grid.latitudes.indices.filter { (30...60).contains(abs(grid.latitudes[$0])) }
    let rows = band.isEmpty ? Array(grid.latitudes.indices) : band
    let sum = rows.reduce(0) { $0 + areas[$1] }
    rowWeights = rows.map { ($0, areas[$0] / sum) }
    cosines = (0..<grid.columns).map { cos(2 * .pi * Double($0) / Double(grid.columns)) }
    sines = (0..<grid.columns).map { sin(2 * .pi * Double($0) / Double(grid.columns)) }
  }

  /// Wavenumbers 0 … columns/2.
  public var count: Int { columns / 2 + 1 }

  /// S_k of a field [rows, columns].
  public func power(_ field: UnsafePointer<Float>) -> [Double] {
    var result = [Double](repeating: 0, count: count)
    for (row, weight) in rowWeights {
      let line = field + row * columns
      for k in 0..<count {
        var (re, im) = (0.0, 0.0)
        var phase = 0
        for column in 0..<columns {
          re += Double(line[column]) * cosines[phase]
          im -= Double(line[column]) * sines[phase]
          phase += k
          if phase >= columns { phase -= columns }
        }
        let isSingle = k == 0 || 2 * k == columns
        result[k] += weight * (isSingle ? 1 : 2) * (re * re + im * im) / Double(columns * columns)
      }
    }
    return result
  }
}
