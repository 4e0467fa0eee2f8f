import Geometry

extension GaussianGrid {
  /// The octahedral reduced grid O<n>.
  static func octahedral(_ n: Int) -> PointGrid {
    let (latitudes, longitudes) = octahedralPoints(n)
    return PointGrid(latitudes: latitudes, longitudes: longitudes)
  }

  /// The regular grid F<n>.
  static func regular(_ n: Int) -> LatLonGrid {
    LatLonGrid(latitudes: latitudes(n), longitudes: (0..<4 * n).map { 360 * Double($0) / Double(4 * n) })
  }
}
