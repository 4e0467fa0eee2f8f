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

/// What is known of an edge from where its ends lie.
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
      let (a, b) = (source.radians(Int(from)), destination.radians(Int(to)))
      switch self {
      case .length: values.append(Float(Self.length(a, b)))
      case .direction:
        let (x, y) = Self.direction(of: a, from: b)
        values += [Float(x), Float(y)]
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

  /// Rotation about the axis destination × pole by the colatitude of the destination (Rodrigues), then x and y; about (0, 0)
  /// where both are one point.
  static func direction(of source: Place, from destination: Place) -> (x: Double, y: Double) {
    let s = SpherePoint(latitudeRadians: source.latitude, longitudeRadians: source.longitude)
    let d = SpherePoint(latitudeRadians: destination.latitude, longitudeRadians: destination.longitude)
    // Single-precision latitudes of the poles lie beside them: the meridian of such a point still counts.
    let distance = max((d.x * d.x + d.y * d.y).squareRoot(), .leastNormalMagnitude)
    let axis = SpherePoint(d.y / distance, -d.x / distance, 0)
    let across = axis.cross(s)
    let along = axis.dot(s) * (1 - d.z)
    let x = s.x * d.z + across.x * distance + axis.x * along
    let y = s.y * d.z + across.y * distance + axis.y * along
    let length = max((x * x + y * y).squareRoot(), 1e-8)
    return (x / length, y / length)
  }
}

extension PointSpace {
  func radians(_ point: Int) -> EdgeGeometry.Place { (Double(latitudes[point]), Double(longitudes[point])) }

  /// [points], on the unit sphere.
  public var positions: [SpherePoint] {
    zip(latitudes, longitudes).map {
      SpherePoint(latitudeRadians: Double($0), longitudeRadians: Double($1))
    }
  }
}
