#if canImport(Glibc)
  import Glibc
#endif

/// A refined icosahedron: each level replaces every triangle by four, with the midpoints of its edges moved onto the sphere.
/// Vertices of coarse levels keep their index, so that level l has the first 10·4^l + 2 of the vertices.
///
/// Vertices equal those of trimesh's `creation.icosphere` bit for bit, but for the order of those that a level adds.
public struct Icosphere: Sendable {
  /// Level 9 has 2.6 million vertices, 13 km apart.
  public static let largestLevel = 9

  public let level: Int
  public let vertices: [SpherePoint]
  /// Edges of each level from 0 on, each once.
  public let edges: [[(first: Int32, second: Int32)]]

  public static func vertexCount(level: Int) -> Int { 10 << (2 * level) + 2 }

  public init(level: Int) {
    precondition(level >= 0 && level <= Self.largestLevel)
    self.level = level
    var (vertices, faces) = Self.icosahedron()
    var edges = [Self.edges(faces)]
    for _ in 0..<level {
      Self.refine(&vertices, &faces, edges[edges.count - 1])
      edges.append(Self.edges(faces))
    }
    self.vertices = vertices
    self.edges = edges
  }

  private typealias Face = (Int32, Int32, Int32)

  private static func icosahedron() -> ([SpherePoint], [Face]) {
    let golden = (1 + 5.0.squareRoot()) / 2
    let length = (2 + golden).squareRoot()
    let (a, b) = (1 / length, golden / length)
    let vertices = [
      (-a, b, 0), (a, b, 0), (-a, -b, 0), (a, -b, 0), (0, -a, b), (0, a, b), (0, -a, -b), (0, a, -b), (b, 0, -a),
      (b, 0, a), (-b, 0, -a), (-b, 0, a),
    ].map { SpherePoint($0.0, $0.1, $0.2) }
    let faces: [Face] = [
      (0, 11, 5), (0, 5, 1), (0, 1, 7), (0, 7, 10), (0, 10, 11), (1, 5, 9), (5, 11, 4), (11, 10, 2), (10, 7, 6),
      (7, 1, 8), (3, 9, 4), (3, 4, 2), (3, 2, 6), (3, 6, 8), (3, 8, 9), (4, 9, 5), (2, 4, 11), (6, 2, 10), (8, 6, 7),
      (9, 8, 1),
    ]
    return (vertices, faces)
  }

  /// Each edge belongs to two faces, which walk along it in opposite directions.
  private static func edges(_ faces: [Face]) -> [(first: Int32, second: Int32)] {
    faces.flatMap { a, b, c in [(a, b), (b, c), (c, a)].filter { $0.0 < $0.1 }.map { (first: $0.0, second: $0.1) } }
  }

  private static func refine(
    _ vertices: inout [SpherePoint], _ faces: inout [Face], _ edges: [(first: Int32, second: Int32)]
  ) {
    var middles: [Int64: Int32] = [:]
    middles.reserveCapacity(edges.count)
    for (first, second) in edges {
      middles[Int64(first) << 32 | Int64(second)] = Int32(vertices.count)
      let (a, b) = (vertices[Int(first)], vertices[Int(second)])
      vertices.append(SpherePoint((a.x + b.x) / 2, (a.y + b.y) / 2, (a.z + b.z) / 2))
    }
    func middle(_ a: Int32, _ b: Int32) -> Int32 {
      guard let found = middles[Int64(min(a, b)) << 32 | Int64(max(a, b))] else {
        preconditionFailure("a face has an edge that is none")
      }
      return found
    }
    faces = faces.flatMap { face -> [Face] in
      let (a, b, c) = face
      let (ab, bc, ca) = (middle(a, b), middle(b, c), middle(c, a))
      return [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    }
    // All vertices are moved, as in trimesh: the second time an old one may change in its last digit.
    for index in vertices.indices {
      let v = vertices[index]
      let length = (v.x * v.x + v.y * v.y + v.z * v.z).squareRoot()
      let rest = 1 - length
      vertices[index] = SpherePoint(v.x + v.x / length * rest, v.y + v.y / length * rest, v.z + v.z / length * rest)
    }
  }

  /// Radians, as anemoi-graphs computes them.
  static func coordinates(of vertex: SpherePoint) -> (latitude: Float, longitude: Float) {
    (Float(asin(vertex.z / vertex.dot(vertex))), Float(atan2(vertex.y, vertex.x)))
  }
}

/// Points of a refined icosahedron, all of them or some, from north to south and at one latitude from east to west.
public struct TriangularMesh: Sendable {
  public let sphere: Icosphere
  /// Point index of each vertex of the sphere; −1 where it is no point.
  let pointOfVertex: [Int32]
  public let space: PointSpace

  /// - Parameter isKept: of each vertex.
  init(_ sphere: Icosphere, isKept: (Int) -> Bool) {
    self.sphere = sphere
    let coordinates = sphere.vertices.map(Icosphere.coordinates(of:))
    let kept = coordinates.indices.filter { isKept($0) }
      .sorted {
        (coordinates[$0].latitude, coordinates[$0].longitude) > (coordinates[$1].latitude, coordinates[$1].longitude)
      }
    var places = [Int32](repeating: -1, count: coordinates.count)
    for (place, vertex) in kept.enumerated() { places[vertex] = Int32(place) }
    pointOfVertex = places
    space = PointSpace(
      latitudes: kept.map { coordinates[$0].latitude }, longitudes: kept.map { coordinates[$0].longitude })
  }

  /// Pairs of points (source, destination) that are at most `hops` edges apart on the mesh of a level, along points that are
  /// there, in both directions.
  func neighbours(level: Int, hops: Int) -> (sources: [Int32], destinations: [Int32]) {
    var (sources, destinations): ([Int32], [Int32]) = ([], [])
    for (first, second) in sphere.edges[level] {
      let (a, b) = (pointOfVertex[Int(first)], pointOfVertex[Int(second)])
      guard a >= 0, b >= 0 else { continue }
      sources += [a, b]
      destinations += [b, a]
    }
    if hops == 1 { return (sources, destinations) }
    let mesh = Graph(
      sourceCount: space.count, destinationCount: space.count, sources: sources, destinations: destinations)
    (sources, destinations) = ([], [])
    for point in 0..<space.count {
      var reached: Set<Int32> = [Int32(point)]
      var front = [Int32(point)]
      for _ in 0..<hops {
        if front.isEmpty { break }
        front = front.flatMap { mesh.sources[mesh.edges(into: Int($0))] }.filter { reached.insert($0).inserted }
      }
      reached.remove(Int32(point))
      sources += reached.sorted()
      destinations += [Int32](repeating: Int32(point), count: reached.count)
    }
    return (sources, destinations)
  }
}
