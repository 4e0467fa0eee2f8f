#if canImport(Glibc)
  import Glibc
#endif

/// Gaussian grids of the names that ECMWF gives them.
public enum GaussianGrid {
  /// The latitudes of N lines between pole and equator on both hemispheres, north to south: zeros of the Legendre polynomial
  /// of degree 2N.
  public static func latitudes(_ n: Int) -> [Double] {
    let degree = 2 * n
    let north = (1...n).map { index -> Double in
      var x = cos(.pi * (Double(index) - 0.25) / (Double(degree) + 0.5))
      for _ in 0..<100 {
        var (previous, value) = (1.0, x)
        for k in 2...max(2, degree) {
          (previous, value) = (value, ((2 * Double(k) - 1) * x * value - (Double(k) - 1) * previous) / Double(k))
        }
        let slope = Double(degree) * (x * value - previous) / (x * x - 1)
        let step = value / slope
        x -= step
        if abs(step) < 1e-15 { break }
      }
      return asin(x) * 180 / .pi
    }
    return north + north.reversed().map { -$0 }
  }

  /// The octahedral reduced grid O<n>, degrees: 20 points on the line next to a pole, four more on each following one
  /// (Malardel et al., ECMWF Newsletter 146).
  public static func octahedralPoints(_ n: Int) -> (latitudes: [Double], longitudes: [Double]) {
    var (latitudes, longitudes): ([Double], [Double]) = ([], [])
    for (line, latitude) in GaussianGrid.latitudes(n).enumerated() {
      let count = 20 + 4 * min(line, 2 * n - 1 - line)
      for column in 0..<count {
        latitudes.append(latitude)
        longitudes.append(360 * Double(column) / Double(count))
      }
    }
    return (latitudes, longitudes)
  }
}
