import Basics

#if canImport(Glibc)
  import Glibc
#endif

/// How numbers of edges or points are scaled, all columns together and without centring, in single precision.
public enum Normalisation: String, Sendable, CaseIterable {
  case none
  /// By the standard deviation, without bias.
  case unitStd = "unit-std"
  /// By the largest value.
  case unitMax = "unit-max"
  /// By the sum, and by the Euclidean norm.
  case l1, l2

  /// - Throws: where that would divide by zero.
  func apply(_ values: [Float], place: String) throws -> [Float] {
    let divisor: Float
    switch self {
    case .none: return values
    case .unitMax: divisor = values.max() ?? 1
    case .l1: divisor = Float(values.reduce(0.0) { $0 + Double($1) })
    case .l2: divisor = Float(values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot())
    case .unitStd:
      let mean = values.reduce(0.0) { $0 + Double($1) } / Double(max(1, values.count))
      let squares = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
      let deviation = values.count > 1 ? Float((squares / Double(values.count - 1)).squareRoot()) : 0
      // Values that are all the same stay as they are.
      divisor = deviation == 0 ? 1 : deviation
    }
    guard divisor != 0 else {
      throw JigsawError(place, "can't be normalised by \(rawValue)", found: "values that sum up to zero")
    }
    return values.map { $0 / divisor }
  }
}

/// A feature of an edge that follows from where its ends lie.
public enum EdgeGeometry: String, Sendable, CaseIterable {
  /// The great-circle distance, radians (haversine formula): one column.
  case length
  /// The direction in which the source lies, seen from the destination: a unit vector (eastwards-like x, y) in the plane
  /// that touches the sphere at the pole after a rotation of the destination there along its meridian: two columns.
  case direction

  public var columns: Int { self == .length ? 1 : 2 }

  /// [edges, columns], not normalised.
  func values(_ edges: HeteroGraph.EdgeSet, from source: PointSpace, to destination: PointSpace) -> [Float] {
    var values: [Float] = []
    values.reserveCapacity(edges.count * columns)
    for (from, to) in zip(edges.sources, edges.destinations) {
      switch self {
      case .length: values.append(Float(Self.length(source.radians(Int(from)), destination.radians(Int(to)))))
      case .direction:
        let (x, y) = Self.direction(of: source.position(Int(from)), from: destination.position(Int(to)))
        values += [x, y]
      }
    }
    return values
  }

  typealias Place = (latitude: Double, longitude: Double)

  static func length(_ a: Place, _ b: Place) -> Double {
    let (north, east) = (sin((b.latitude - a.latitude) / 2), sin((b.longitude - a.longitude) / 2))
    let h = north * north + cos(a.latitude) * cos(b.latitude) * east * east
    return 2 * atan2(h.squareRoot(), max(0, 1 - h).squareRoot())
  }

  /// Rotation about the axis destination × pole by the colatitude of the destination (Rodrigues), then x and y.
  ///
  /// In single precision, step by step as anemoi-graphs does it: where both ends are one point, what is left is rounding noise
  /// of length 1, and it counts when all directions are normalised.
  static func direction(of s: SIMD3<Float>, from d: SIMD3<Float>) -> (x: Float, y: Float) {
    let sine = (d.x * d.x + d.y * d.y).squareRoot()
    let angle = atan2f(sine, d.z)
    var (u, v) = (d.y / max(sine, 1e-8), -d.x / max(sine, 1e-8))
    let length = max((u * u + v * v).squareRoot(), 1e-8)
    (u, v) = (u / length, v / length)
    let (cosine, turned) = (cosf(angle), sinf(angle))
    let along = (s.x * u + s.y * v) * (1 - cosine)
    let x = s.x * cosine + v * s.z * turned + u * along
    let y = s.y * cosine - u * s.z * turned + v * along
    let distance = max((x * x + y * y).squareRoot(), 1e-8)
    return (x / distance, y / distance)
  }
}

extension PointSpace {
  func radians(_ point: Int) -> EdgeGeometry.Place { (Double(latitudes[point]), Double(longitudes[point])) }

  /// On the unit sphere, in single precision.
  func position(_ point: Int) -> SIMD3<Float> {
    let (phi, lambda) = (latitudes[point], longitudes[point])
    return SIMD3(cosf(phi) * cosf(lambda), cosf(phi) * sinf(lambda), sinf(phi))
  }

  /// [points], on the unit sphere.
  public var positions: [SpherePoint] {
    zip(latitudes, longitudes).map {
      SpherePoint(latitudeRadians: Double($0), longitudeRadians: Double($1))
    }
  }
}
