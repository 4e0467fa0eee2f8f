import Basics
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// Makes a graph from its recipe.
public struct GraphBuilder {
  private let team: ThreadTeam
  private var graph = HeteroGraph()
  private var meshes: [String: TriangularMesh] = [:]

  /// - Throws: naming the nodes or edges, when the recipe contradicts itself or the points that it names.
  public static func build(_ recipe: GraphRecipe, team: ThreadTeam) throws -> HeteroGraph {
    var builder = GraphBuilder(team: team)
    for nodes in recipe.nodes { try builder.add(nodes) }
    for edges in recipe.edges { try builder.add(edges) }
    return builder.graph
  }

  private init(team: ThreadTeam) { self.team = team }

  // MARK: Points

  private mutating func add(_ nodes: GraphRecipe.Nodes) throws {
    let place = "graph: nodes.\(nodes.name)"
    var space = try points(nodes, place)
    guard space.count > 0 else { throw JigsawError(place, "has no points") }
    for weights in nodes.weights {
      space.weights[weights.name] = try weights.kind.values(
        space, weights.norm, team: team, place: "\(place).attributes.\(weights.name)")
    }
    graph.spaces[nodes.name] = space
  }

  private mutating func points(_ nodes: GraphRecipe.Nodes, _ place: String) throws -> PointSpace {
    let mesh: TriangularMesh
    switch nodes.points {
    case .given(let space): return space
    case .octahedral(let n):
      guard (1...4_096).contains(n) else {
        throw JigsawError(place, "no such grid", expected: "O1 … O4096", found: "O\(n)")
      }
      let (latitudes, longitudes) = GaussianGrid.octahedralPoints(n)
      return PointSpace(latitudesDegrees: latitudes, longitudesDegrees: longitudes)
    case .triangular(let level):
      mesh = TriangularMesh(Icosphere(level: try checked(level, place))) { _ in true }
    case .limitedAreaTriangular(let level, let area):
      let sphere = Icosphere(level: try checked(level, place))
      let inside = try isInside(sphere, area, place)
      mesh = TriangularMesh(sphere) { vertex in inside[vertex] }
    case .stretchedTriangular(let globalLevel, let localLevel, let area):
      guard try checked(globalLevel, place) <= localLevel else {
        throw JigsawError(
          place, "the area must be as fine as the globe", expected: "lam_resolution of at least \(globalLevel)",
          found: "\(localLevel)")
      }
      let sphere = Icosphere(level: try checked(localLevel, place))
      let inside = try isInside(sphere, area, place)
      let coarse = Icosphere.vertexCount(level: globalLevel)
      mesh = TriangularMesh(sphere) { vertex in inside[vertex] || vertex < coarse }
    }
    meshes[nodes.name] = mesh
    return mesh.space
  }

  private func checked(_ level: Int, _ place: String) throws -> Int {
    if (0...Icosphere.largestLevel).contains(level) { return level }
    throw JigsawError(
      place, "no such level of refinement", expected: "0 … \(Icosphere.largestLevel)", found: "\(level)")
  }

  /// Whether each vertex lies within the margin of a point of the area.
  private func isInside(_ sphere: Icosphere, _ area: GraphRecipe.Area, _ place: String) throws -> [Bool] {
    let reference = try space(area.reference, place)
    let mask = try area.mask.map { try reference.mask($0, place: place) }
    let positions = reference.positions
    let wanted = positions.indices.filter { mask?[$0] ?? true }.map { positions[$0] }
    guard !wanted.isEmpty else { throw JigsawError(place, "no point of '\(area.reference)' is in the area") }
    guard area.marginKm > 0, area.marginKm < .pi * GraphRecipe.earthRadiusKm else {
      throw JigsawError(place, "no such margin", expected: "kilometres above 0", found: "\(area.marginKm)")
    }
    let tree = PointTree(wanted)
    let chord = 2 * sin(area.marginKm / (2 * GraphRecipe.earthRadiusKm))
    return map(sphere.vertices.count) { vertex in
      let (latitude, longitude) = Icosphere.coordinates(of: sphere.vertices[vertex])
      let point = SpherePoint(latitudeRadians: Double(latitude), longitudeRadians: Double(longitude))
      return tree.nearest(to: point, count: 1).contains { $0.squaredDistance <= chord * chord }
    }
  }

  private func space(_ name: String, _ place: String) throws -> PointSpace {
    if let space = graph.spaces[name] { return space }
    throw JigsawError(
      place, "no nodes '\(name)' are defined before", found: graph.spaces.keys.sorted().joined(separator: ", "))
  }

  // MARK: Edges

  /// Edges as pairs of points.
  private struct Pairs {
    var sources: [Int32] = []
    var destinations: [Int32] = []
  }

  private mutating func add(_ edges: GraphRecipe.Edges) throws {
    let place = "graph: edges \(edges.source) → \(edges.destination)"
    let source = try space(edges.source, place)
    let destination = try space(edges.destination, place)
    guard graph.edges(from: edges.source, to: edges.destination) == nil else {
      throw JigsawError(place, "are defined twice", remedy: "give all edge_builders at one place")
    }
    var pairs = Pairs()
    for (number, builder) in edges.builders.enumerated() {
      let found = try self.pairs(builder, edges, source, destination, place)
      pairs = number == 0 ? found : union(pairs, found)
    }
    guard !pairs.sources.isEmpty else { throw JigsawError(place, "there are none") }
    var set = HeteroGraph.EdgeSet(
      source: edges.source, destination: edges.destination, sources: pairs.sources, destinations: pairs.destinations)
    set.attributes = try edges.attributes.map { attribute in
      HeteroGraph.Attribute(
        name: attribute.name, columns: attribute.kind.columns,
        values: try Self.attribute(attribute.kind, attribute.norm, of: set, in: graph))
    }
    graph.edges.append(set)
  }

  /// [edges, columns]: numbers of edges of a graph, normalised over all of them.
  public static func attribute(
    _ kind: EdgeGeometry, _ norm: Normalisation, of set: HeteroGraph.EdgeSet, in graph: HeteroGraph
  ) throws -> [Float] {
    let place = "graph: edges \(set.source) → \(set.destination), \(kind.rawValue)"
    guard let source = graph.spaces[set.source], let destination = graph.spaces[set.destination] else {
      throw JigsawError(place, "lead between nodes that are not there")
    }
    return try norm.apply(kind.values(set, from: source, to: destination), place: place)
  }

  private func pairs(
    _ builder: GraphRecipe.EdgeBuilder, _ edges: GraphRecipe.Edges, _ source: PointSpace, _ destination: PointSpace,
    _ place: String
  ) throws -> Pairs {
    if case .multiScale(let levels, let hops) = builder.kind {
      return try multiScale(edges, levels, hops, place)
    }
    let sources = try candidates(source, builder.sourceMask, place)
    let destinations = try candidates(destination, builder.destinationMask, place)
    if builder.isReversed {
      let found = try near(builder.kind, candidates: destinations, centres: sources, allCentres: source, place)
      return Pairs(sources: found.destinations, destinations: found.sources)
    }
    return try near(builder.kind, candidates: sources, centres: destinations, allCentres: destination, place)
  }

  /// Points that a mask leaves.
  private struct Candidates {
    let indices: [Int]
    let positions: [SpherePoint]
  }

  private func candidates(_ space: PointSpace, _ mask: String?, _ place: String) throws -> Candidates {
    let isWanted = try mask.map { try space.mask($0, place: place) }
    let indices = (0..<space.count).filter { isWanted?[$0] ?? true }
    guard !indices.isEmpty else { throw JigsawError(place, "the mask '\(mask ?? "")' leaves no points") }
    let positions = space.positions
    return Candidates(indices: indices, positions: indices.map { positions[$0] })
  }

  /// For each centre the candidates near it, as (candidate, centre).
  private func near(
    _ kind: GraphRecipe.EdgeBuilder.Kind, candidates: Candidates, centres: Candidates, allCentres: PointSpace,
    _ place: String
  ) throws -> Pairs {
    let tree = PointTree(candidates.positions)
    let search: (SpherePoint) -> [PointTree.Neighbour]
    switch kind {
    case .nearest(let count):
      guard (1...candidates.indices.count).contains(count) else {
        throw JigsawError(
          place, "no such number of neighbours", expected: "1 … \(candidates.indices.count)", found: "\(count)")
      }
      search = { tree.nearest(to: $0, count: count) }
    case .cutOff(let radius, let most):
      let chord: Double
      switch radius {
      case .km(let km): chord = km / GraphRecipe.earthRadiusKm
      case .factor(let factor): chord = factor * spacing(allCentres)
      }
      guard most > 0 else {
        throw JigsawError(place, "no such max_num_neighbours", expected: "1 or more", found: "\(most)")
      }
      if case .factor = radius, allCentres.count < 2 {
        throw JigsawError(
          place, "cutoff_factor is a multiple of the spacing of nodes, and a single node has none",
          remedy: "give cutoff_distance_km")
      }
      guard chord > 0, chord.isFinite else {
        throw JigsawError(
          place, "no such radius", expected: "more than 0", found: "\(chord * GraphRecipe.earthRadiusKm) km")
      }
      search = { tree.within(chord, of: $0, most: most) }
    case .multiScale: return Pairs()
    }
    let found = map(centres.indices.count) { search(centres.positions[$0]).map { Int32(candidates.indices[$0.index]) } }
    var pairs = Pairs()
    for (centre, sources) in zip(centres.indices, found) {
      pairs.sources += sources
      pairs.destinations += [Int32](repeating: Int32(centre), count: sources.count)
    }
    return pairs
  }

  /// The largest distance of a point from the nearest other one, on a chord.
  private func spacing(_ space: PointSpace) -> Double {
    let tree = PointTree(space.positions)
    let squares = map(space.count) { tree.nearest(to: tree.points[$0], count: 2).last?.squaredDistance ?? 0 }
    return squares.max()?.squareRoot() ?? 0
  }

  private func multiScale(
    _ edges: GraphRecipe.Edges, _ levels: [Int]?, _ hops: Int, _ place: String
  ) throws -> Pairs {
    guard edges.source == edges.destination, let mesh = meshes[edges.source] else {
      throw JigsawError(
        place, "edges of several scales are those of a refined icosahedron",
        expected: "one set of TriNodes, LimitedAreaTriNodes or StretchedTriNodes as source and target")
    }
    guard hops > 0 else { throw JigsawError(place, "no such number of hops", expected: "1 or more", found: "\(hops)") }
    var pairs = Pairs()
    let levels = levels ?? Array(0...mesh.sphere.level)
    var seen: Set<Int> = []
    for level in levels where seen.insert(level).inserted {
      guard mesh.sphere.edges.indices.contains(level) else {
        throw JigsawError(
          place, "the nodes have no such level", expected: "0 … \(mesh.sphere.level)", found: "\(level)",
          remedy: "lower scale_resolutions, or refine the nodes")
      }
      let found = mesh.neighbours(level: level, hops: hops)
      pairs.sources += found.sources
      pairs.destinations += found.destinations
    }
    // Along a line, two hops of one level may be one of the next.
    return hops > 1 && seen.count > 1 ? union(pairs, Pairs()) : pairs
  }

  /// Without duplicates, sorted by source and destination.
  private func union(_ a: Pairs, _ b: Pairs) -> Pairs {
    let keys = Set(
      zip(a.sources + b.sources, a.destinations + b.destinations).map { Int64($0) << 32 | Int64($1) }
    ).sorted()
    return Pairs(
      sources: keys.map { Int32($0 >> 32) }, destinations: keys.map { Int32(truncatingIfNeeded: $0) })
  }

  /// Values for 0 ..< n, on all threads.
  private func map<T>(_ n: Int, _ value: (Int) -> T) -> [T] {
    [T](unsafeUninitializedCapacity: n) { buffer, count in
      let out = buffer
      team.split(n) { range in
        for index in range { (out.baseAddress! + index).initialize(to: value(index)) }
      }
      count = n
    }
  }
}
