#if canImport(Glibc)
  import Glibc
#endif

/// A point of the unit sphere, or another vector of three components.
public struct SpherePoint: Sendable, Equatable {
  public let x, y, z: Double

  /// WMO's sphere (code table 3.2, 6).
  public static let earthRadiusKm = 6_371.229

  /// - Parameters: degrees.
  public init(latitude: Double, longitude: Double) {
    self.init(latitudeRadians: latitude * .pi / 180, longitudeRadians: longitude * .pi / 180)
  }

  public init(latitudeRadians phi: Double, longitudeRadians lambda: Double) {
    (x, y, z) = (cos(phi) * cos(lambda), cos(phi) * sin(lambda), sin(phi))
  }

  public init(_ x: Double, _ y: Double, _ z: Double) { (self.x, self.y, self.z) = (x, y, z) }

  public func dot(_ other: SpherePoint) -> Double { x * other.x + y * other.y + z * other.z }

  public func cross(_ other: SpherePoint) -> SpherePoint {
    SpherePoint(y * other.z - z * other.y, z * other.x - x * other.z, x * other.y - y * other.x)
  }

  public static func - (a: SpherePoint, b: SpherePoint) -> SpherePoint {
    SpherePoint(a.x - b.x, a.y - b.y, a.z - b.z)
  }

  public static func + (a: SpherePoint, b: SpherePoint) -> SpherePoint {
    SpherePoint(a.x + b.x, a.y + b.y, a.z + b.z)
  }

  public static func * (factor: Double, a: SpherePoint) -> SpherePoint {
    SpherePoint(factor * a.x, factor * a.y, factor * a.z)
  }

  public var length: Double { dot(self).squareRoot() }

  public func squaredDistance(to other: SpherePoint) -> Double {
    let d = self - other
    return d.dot(d)
  }

  /// The same with another coordinate along an axis.
  func replacing(_ axis: Int, by value: Double) -> SpherePoint {
    SpherePoint(axis == 0 ? value : x, axis == 1 ? value : y, axis == 2 ? value : z)
  }

  public func coordinate(_ axis: Int) -> Double { axis == 0 ? x : axis == 1 ? y : z }

  /// The weighted mean of some points, on the sphere; nil where they cancel each other.
  public init?(mean points: [(point: SpherePoint, weight: Double)]) {
    func sum(_ axis: Int) -> Double { points.reduce(0) { $0 + $1.point.coordinate(axis) * $1.weight } }
    let (x, y, z) = (sum(0), sum(1), sum(2))
    let length = (x * x + y * y + z * z).squareRoot()
    guard length > 1e-9, length.isFinite else { return nil }
    self.init(x / length, y / length, z / length)
  }

  /// How far a point of a grid lies from the next, on a chord: the largest distance found of some of its points.
  public static func spacing(_ points: [SpherePoint]) -> Double {
    let samples = min(64, points.count)
    let squares = (0..<samples).map { sample -> Double in
      let point = points[points.count * sample / samples]
      // At the poles a row is one point.
      return points.reduce(4) { least, other in
        let square = point.squaredDistance(to: other)
        return square > 1e-16 ? min(least, square) : least
      }
    }
    return squares.max()?.squareRoot() ?? 0
  }
}
