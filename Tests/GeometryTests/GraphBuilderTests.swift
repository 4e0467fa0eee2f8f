import Basics
import Tensors
import Testing

@testable import Geometry

@Suite struct GraphBuilderTests {
  private let team = ThreadTeam(count: 2)

  /// Points that lie anywhere, the same in every run.
  private static func scattered(_ count: Int, north: Double = 90, south: Double = -90) -> PointSpace {
    var state: UInt64 = 7
    func random() -> Double {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(state >> 11) / Double(1 << 53)
    }
    return PointSpace(
      latitudesDegrees: (0..<count).map { _ in south + (north - south) * random() },
      longitudesDegrees: (0..<count).map { _ in 360 * random() })
  }

  private func edges(
    _ builder: GraphRecipe.EdgeBuilder, _ a: PointSpace, _ b: PointSpace
  ) throws -> HeteroGraph.EdgeSet {
    let recipe = GraphRecipe(
      nodes: [.init(name: "a", points: .given(a)), .init(name: "b", points: .given(b))],
      edges: [.init(source: "a", destination: "b", builders: [builder])])
    return try #require(try GraphBuilder.build(recipe, team: team).edges.first)
  }

  private func pairs(_ set: HeteroGraph.EdgeSet) -> Set<[Int32]> {
    Set(zip(set.sources, set.destinations).map { [$0, $1] })
  }

  /// For each destination the sources nearest to it, found by looking at all.
  private func nearest(_ a: PointSpace, _ b: PointSpace, _ isWanted: (_ rank: Int, _ chord: Double) -> Bool) -> Set<
    [Int32]
  > {
    let (from, to) = (a.positions, b.positions)
    var result: Set<[Int32]> = []
    for (index, point) in to.enumerated() {
      let chords = from.map { $0.squaredDistance(to: point).squareRoot() }
      for (rank, source) in chords.indices.sorted(by: { chords[$0] < chords[$1] }).enumerated()
      where isWanted(rank, chords[source]) { result.insert([Int32(source), Int32(index)]) }
    }
    return result
  }

  @Test func neighboursAreThoseOfASearchThroughAll() throws {
    let (a, b) = (Self.scattered(300), Self.scattered(80, north: 40, south: -20))
    #expect(pairs(try edges(.init(.nearest(5)), a, b)) == nearest(a, b) { rank, _ in rank < 5 })
    let km = 900.0
    let found = try edges(.init(.cutOff(.km(km), most: 64)), a, b)
    #expect(pairs(found) == nearest(a, b) { _, chord in chord <= km / 6_371 } && found.count > 20)
    // Of more the nearest.
    #expect(
      pairs(try edges(.init(.cutOff(.km(3_000), most: 2)), a, b)) == nearest(a, b) { $0 < 2 && $1 <= 3_000 / 6_371 })
  }

  @Test func reversedBuildersLetSourcesChoose() throws {
    let (a, b) = (Self.scattered(60), Self.scattered(90))
    let reversed = pairs(try edges(.init(.nearest(3), isReversed: true), a, b))
    #expect(reversed == Set(nearest(b, a) { rank, _ in rank < 3 }.map { [$0[1], $0[0]] }))
  }

  @Test func masksRestrictCandidatesAndUnionsHaveNoDuplicates() throws {
    var (a, b) = (Self.scattered(50), Self.scattered(20))
    a.masks["some"] = (0..<50).map { $0 % 2 == 0 }
    b.masks["few"] = (0..<20).map { $0 < 5 }
    let set = try edges(.init(.nearest(4), sourceMask: "some", destinationMask: "few"), a, b)
    #expect(set.count == 20 && set.sources.allSatisfy { $0 % 2 == 0 } && set.destinations.allSatisfy { $0 < 5 })
    let recipe = GraphRecipe(
      nodes: [.init(name: "a", points: .given(a)), .init(name: "b", points: .given(b))],
      edges: [.init(source: "a", destination: "b", builders: [.init(.nearest(3)), .init(.nearest(5))])])
    let union = try #require(try GraphBuilder.build(recipe, team: team).edges.first)
    #expect(union.count == 100 && pairs(union).count == 100)
    let order = zip(union.sources, union.destinations).map { Int($0) << 32 | Int($1) }
    #expect(order == order.sorted())
  }

  @Test func meshesHaveTheirPointsAndEdges() throws {
    func mesh(_ points: GraphRecipe.Points, levels: [Int]?, hops: Int = 1) throws -> (PointSpace, HeteroGraph.EdgeSet) {
      let recipe = GraphRecipe(
        nodes: [
          .init(name: "data", points: .given(Self.scattered(40, north: 60, south: 50))),
          .init(name: "h", points: points),
        ],
        edges: [.init(source: "h", destination: "h", builders: [.init(.multiScale(levels: levels, hops: hops))])])
      let graph = try GraphBuilder.build(recipe, team: team)
      return (try #require(graph.spaces["h"]), try #require(graph.edges.first))
    }
    // 30·4^l edges on level l, in both directions.
    let (space, all) = try mesh(.triangular(level: 3), levels: nil)
    #expect(space.count == 642 && all.count == 2 * 30 * (1 + 4 + 16 + 64))
    // On the level itself 12 points have five neighbours and ten in two hops, the others six and eighteen but for those near the 12.
    let (_, far) = try mesh(.triangular(level: 2), levels: [2], hops: 2)
    #expect(
      pairs(far).count == far.count && far.count > 2 * 480
        && far.sources.indices.allSatisfy { far.sources[$0] != far.destinations[$0] })
    // No more hops than reach all, and each level once.
    let (_, whole) = try mesh(.triangular(level: 1), levels: [1, 1, 1], hops: .max)
    #expect(whole.count == 42 * 41 && pairs(whole).count == whole.count)
    // Around a band, and the globe outside of it.
    let area = GraphRecipe.Area(reference: "data", marginKm: 300)
    let (limited, _) = try mesh(.limitedAreaTriangular(level: 4, area), levels: [4])
    let (stretched, _) = try mesh(.stretchedTriangular(globalLevel: 1, localLevel: 4, area), levels: [1, 4])
    #expect(limited.count > 50 && limited.latitudes.allSatisfy { $0 * 180 / .pi > 46 && $0 * 180 / .pi < 64 })
    #expect(stretched.count > limited.count && stretched.count <= limited.count + 42)
  }

  @Test func areasFillTheSphere() throws {
    for count in [2, 5, 300] {
      let space = Self.scattered(count)
      let areas = try SphericalVoronoi.areas(space, team: team, place: "test")
      #expect(abs(areas.reduce(0, +) - 4 * .pi) < 1e-9 && areas.allSatisfy { $0 > 0 }, "\(count)")
    }
    // Of points on one side the outermost cells reach around the globe.
    let areas = try SphericalVoronoi.areas(Self.scattered(200, north: 60, south: 40), team: team, place: "test")
    #expect(abs(areas.reduce(0, +) - 4 * .pi) < 1e-9)
  }

  @Test func planarCellsOfALatticeAreItsMeshes() {
    let rows = 8
    let degrees = (0..<rows * rows).map { (Double($0 / rows), Double($0 % rows) * 2 - 7) }
    let space = PointSpace(latitudesDegrees: degrees.map(\.0), longitudesDegrees: degrees.map(\.1))
    let expected = 2 * (Double.pi / 180) * (Double.pi / 180)
    // Also at the edge, which takes what is next to it.
    for area in PlanarVoronoi.areas(space, nil, team: team) { #expect(abs(area / expected - 1) < 1e-5) }
  }

  @Test func pointsThatCoincideHaveNoAreas() {
    let space = PointSpace(latitudesDegrees: [90, 90, 0, 0], longitudesDegrees: [0, 90, 0, 120])
    #expect {
      try AreaWeights.spherical.values(space, .unitMax, team: team, place: "nodes.data")
    } throws: { "\($0)".contains("points 0 and 1") && "\($0)".contains("CosineLat") }
  }

  /// However few points there are.
  @Test(arguments: [4, 9, 15, 16, 17, 40]) func copiesOfAPointHaveNoAreas(count: Int) throws {
    let points = Self.scattered(count)
    #expect(throws: Never.self) { try AreaWeights.spherical.values(points, .none, team: team, place: "nodes.data") }
    let twice = PointSpace(
      latitudes: points.latitudes + [points.latitudes[count / 2]],
      longitudes: points.longitudes + [points.longitudes[count / 2]])
    #expect {
      try AreaWeights.spherical.values(twice, .none, team: team, place: "nodes.data")
    } throws: { "\($0)".contains("points that coincide have no areas of their own") }
  }

  @Test(arguments: [
    (GraphRecipe.EdgeBuilder(.nearest(0)), "neighbours"), (.init(.cutOff(.km(100), most: 0)), "max_num_neighbours"),
    (.init(.nearest(21)), "1 … 20"),
    (.init(.cutOff(.km(-1), most: 64)), "radius"), (.init(.nearest(1), sourceMask: "none"), "no mask 'none'"),
    (.init(.nearest(1), sourceMask: "empty"), "leaves no points"),
    (.init(.multiScale(levels: [1], hops: 1)), "refined icosahedron"),
    (.init(.cutOff(.km(0.001), most: 1)), "there are none"),
  ])
  func whatContradictsItselfIsRefused(builder: GraphRecipe.EdgeBuilder, problem: String) {
    var a = Self.scattered(20)
    a.masks["empty"] = [Bool](repeating: false, count: 20)
    #expect { try edges(builder, a, Self.scattered(10, north: -10)) } throws: {
      "\($0)".contains("edges a → b") && "\($0)".contains(problem)
    }
  }

  @Test(arguments: [
    (GraphRecipe.Points.triangular(level: 10), "0 … 9"), (.triangular(level: -1), "0 … 9"),
    (.octahedral(0), "O1 … O4096"),
    (.limitedAreaTriangular(level: 2, .init(reference: "data")), "no nodes 'data'"),
    (.stretchedTriangular(globalLevel: 3, localLevel: 2, .init(reference: "data")), "at least 3"),
  ])
  func pointsThatCantBeAreRefused(points: GraphRecipe.Points, problem: String) {
    let recipe = GraphRecipe(nodes: [.init(name: "h", points: points)], edges: [])
    #expect { try GraphBuilder.build(recipe, team: team) } throws: {
      "\($0)".contains("nodes.h") && "\($0)".contains(problem)
    }
  }
}
