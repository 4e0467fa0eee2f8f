import Basics
import Geometry
import Stores
import Tensors
import TestSupport
import Testing

@testable import Datasets

/// Graphs that anemoi-graphs 0.9.8 made (Tests/Goldens/graphs), made again from their configurations. Points of datasets are
/// taken from the files.
@Suite struct GraphGoldenTests {
  static let folder = "\(Goldens.folder)/../graphs"

  /// Points of a file in place of a dataset.
  private struct FilePoints: FieldView {
    let points: PointGrid
    let gridSizes: [Int]
    var location: String { "golden" }
    var dates: [Timestamp] { [] }
    var variables: [ViewVariable] { [] }
    var memberCount: Int { 1 }
    var missing: Set<Int> { [] }
    var storedRuns: [Range<Int>] { [0..<points.count] }
    var storedDates: DateRuns { DateRuns(count: 0, together: 1) }
    var pointsOnTheWay: Int { 0 }
    var reads: ReadCounts { ReadCounts() }
    var readsAtOnce: Int { 1 }
    func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) {}
  }

  private func made(_ name: String, threads: Int = 2) throws -> (made: HeteroGraph, golden: HeteroGraph) {
    let golden = try GraphFile.read("\(Self.folder)/\(name).safetensors")
    let text = try Files.read("\(Self.folder)/\(name).json")
    let data = try #require(golden.spaces["data"])
    let own = data.masks["cutout_mask"]?.count { $0 }
    var recipe = try GraphConfiguration.recipe(JSONValue(parsing: text, place: name), place: name) { _, _ in
      let degrees = { (radians: Float) in Double(radians) * 180 / .pi }
      return FilePoints(
        points: PointGrid(latitudes: data.latitudes.map(degrees), longitudes: data.longitudes.map(degrees)),
        gridSizes: own.map { [$0, data.count - $0] } ?? [data.count])
    }
    // To the last bit.
    for index in recipe.nodes.indices {
      guard case .given(let space) = recipe.nodes[index].points else { continue }
      var exact = PointSpace(latitudes: data.latitudes, longitudes: data.longitudes)
      exact.masks = space.masks
      recipe.nodes[index].points = .given(exact)
    }
    return (try GraphBuilder.build(recipe, team: ThreadTeam(count: threads)), golden)
  }

  @Test(arguments: [
    ("{}", "name no set of nodes"), (#"{"a/b": POINT}"#, "have a name that is none"),
    (
      #"{"data": {"node_builder": {"_target_": "x.LatLonNodes", "latitudes": [91], "longitudes": [0]}}}"#,
      "nowhere on the globe"
    ),
    (
      #"{"data": {"node_builder": {"_target_": "x.LatLonNodes", "latitudes": [9], "longitudes": [9e9]}}}"#,
      "nowhere on the globe"
    ),
    (
      #"{"data": {"node_builder": {"_target_": "x.TriNodes", "resolution": 1}, "attributes": {"o": {"_target_": "x.BooleanOrMask", "masks": ["a"]}}}}"#,
      "attributes.o._target_: no 'BooleanOrMask' here"
    ),
    (#"{"data": POINT}"#, "no such scale_resolutions; expected 1 … 9, found 1000000000000"),
  ])
  func configurationsOfNoGraphAreRefused(nodes: String, problem: String) throws {
    let point = #"{"node_builder": {"_target_": "x.LatLonNodes", "latitudes": [9], "longitudes": [0]}}"#
    let edges =
      #"[{"source_name": "data", "target_name": "data", "edge_builders": "#
      + #"[{"_target_": "x.MultiScaleEdges", "x_hops": 1, "scale_resolutions": 1000000000000}]}]"#
    let text = #"{"nodes": \#(nodes.replacing("POINT", with: point)), "edges": \#(edges)}"#
    let value = try JSONValue(parsing: Array(text.utf8), place: "g")
    let error = #expect(throws: JigsawError.self) {
      try GraphConfiguration.recipe(value, place: "g") { _, _ in throw JigsawError("g", "opens nothing") }
    }
    #expect(error?.description.contains(problem) == true, "\(String(describing: error))")
  }

  /// Degrees of a configuration become FP32 before they become radians (anemoi-graphs 0.9.8, the last of them differs else).
  @Test func listedPointsAreThoseOfAnemoiToTheLastBit() throws {
    let text =
      #"{"nodes": {"data": {"node_builder": {"_target_": "LatLonNodes", "latitudes": [10.1, 20.2, 30.3, -40.4], "#
      + #""longitudes": [351.7, 3.3, 200.123456789, 123.4]}}}, "edges": []}"#
    let recipe = try GraphConfiguration.recipe(JSONValue(parsing: Array(text.utf8), place: "g"), place: "g") { _, _ in
      throw JigsawError("g", "opens nothing")
    }
    guard case .given(let points) = recipe.nodes[0].points else { preconditionFailure("listed points are given") }
    #expect(points.latitudes.map(\.bitPattern) == [0x3E34_824A, 0x3EB4_824A, 0x3F07_61B7, 0xBF34_824A])
    #expect(points.longitudes.map(\.bitPattern) == [0x40C4_6D25, 0x3D6B_E9A4, 0x405F_8A41, 0x4009_D6D1])
  }

  @Test(arguments: ["global", "stretched"]) func pointsAreThoseOfAnemoiToTheLastBit(name: String) throws {
    let (made, golden) = try made(name)
    let (own, theirs) = (try #require(made.spaces["hidden"]), try #require(golden.spaces["hidden"]))
    func places(_ space: PointSpace) -> [UInt64] {
      (0..<space.count).map { UInt64(space.latitudes[$0].bitPattern) << 32 | UInt64(space.longitudes[$0].bitPattern) }
    }
    #expect(places(own).sorted() == places(theirs).sorted())
    // Theirs are in no order within a latitude.
    #expect(own.latitudes == theirs.latitudes)
  }

  @Test(arguments: ["global", "stretched"]) func masksAndAreaWeightsAreThoseOfAnemoiToTheLastBit(name: String) throws {
    let (made, golden) = try made(name)
    let (own, theirs) = (try #require(made.spaces["data"]), try #require(golden.spaces["data"]))
    #expect(own.masks == theirs.masks)
    #expect(own.weights["lam_area_weight"] == theirs.weights["lam_area_weight"])
    let (areas, expected) = (try #require(own.weights["area_weight"]), try #require(theirs.weights["area_weight"]))
    // In the stretched case the training wrote other weights into the area.
    let inside = theirs.masks["cutout_mask"] ?? []
    #expect(areas.indices.allSatisfy { (inside.isEmpty ? false : inside[$0]) || areas[$0] == expected[$0] })
  }

  @Test(arguments: ["global", "stretched"]) func edgesAreThoseOfAnemoiUpToTies(name: String) throws {
    let (made, golden) = try made(name)
    for theirs in golden.edges {
      let own = try #require(made.edges(from: theirs.source, to: theirs.destination))
      let (ownSpaces, theirSpaces) = (Ends(own, made), Ends(theirs, golden))
      let (mine, other) = (Set(ownSpaces.edges), Set(theirSpaces.edges))
      #expect(mine.count == own.count && own.count == theirs.count)
      // Where two sources are equally near, either may be chosen.
      let (added, missing) = (mine.subtracting(other), other.subtracting(mine))
      let lengths = [added, missing].map { $0.map { $0.chord }.sorted() }
      #expect(added.count < own.count / 50, "\(theirs.name)")
      #expect(zip(lengths[0], lengths[1]).allSatisfy { abs($0 - $1) < 2e-6 }, "\(theirs.name)")
    }
  }

  /// Edges by the places of their ends.
  private struct Ends {
    struct Edge: Hashable {
      let from, to: [Float]
      var chord: Double {
        func point(_ place: [Float]) -> SpherePoint {
          SpherePoint(latitudeRadians: Double(place[0]), longitudeRadians: Double(place[1]))
        }
        return point(from).squaredDistance(to: point(to)).squareRoot()
      }
    }
    let edges: [Edge]

    init(_ set: HeteroGraph.EdgeSet, _ graph: HeteroGraph) {
      func place(_ space: PointSpace?, _ point: Int32) -> [Float] {
        space.map { [$0.latitudes[Int(point)], $0.longitudes[Int(point)]] } ?? []
      }
      edges = zip(set.sources, set.destinations).map {
        Edge(from: place(graph.spaces[set.source], $0), to: place(graph.spaces[set.destination], $1))
      }
    }
  }

  @Test(arguments: ["global", "stretched"]) func attributesOfTheirEdgesAgree(name: String) throws {
    let golden = try GraphFile.read("\(Self.folder)/\(name).safetensors")
    let text = try JSONValue(parsing: try Files.read("\(Self.folder)/\(name).json"), place: name)
    for (number, set) in golden.edges.enumerated() {
      let key = try #require(
        text["edges"]?.array?.first {
          $0["source_name"]?.string == set.source && $0["target_name"]?.string == set.destination
        })
      for attribute in set.attributes {
        let norm = try #require(key["attributes"]?[attribute.name]?["norm"]?.string.flatMap(Normalisation.init))
        let kind: EdgeGeometry = attribute.name == "edge_length" ? .length : .direction
        let own = try GraphBuilder.attribute(kind, norm, of: set, in: golden)
        // Where both ends are one place, the direction is rounding noise.
        let ends = Ends(set, golden).edges
        let columns = attribute.columns
        let worst =
          own.indices.filter { ends[$0 / columns].chord > 1e-6 }
          .map { abs(own[$0] - attribute.values[$0]) }.largest
        #expect(worst < 6e-5, "\(number) \(attribute.name)")
      }
    }
  }

  @Test func threadsDontMatter() throws {
    #expect(try made("stretched", threads: 1).made == made("stretched", threads: 3).made)
  }

  /// An attribute is read once, columns are bounded where no bytes bound them, and thousands of sets take no longer than their bytes.
  @Test(.timeLimit(.minutes(1))) func filesOfStrangersAreBounded() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.safetensors"
    func error(_ tensors: [String: Safetensors.Tensor], _ metadata: [String: String] = [:]) throws -> String? {
      try Safetensors.write(tensors, metadata: metadata, to: path)
      let error = #expect(throws: JigsawError.self) { try GraphFile.read(path) }
      return error?.problem
    }
    var tensors: [String: Safetensors.Tensor] = [
      "nodes/a_to_b/latlon_rad": .init([0.5, 1] as [Float], shape: [1, 2]),
      "edges/a_to_b_to_a_to_b/edge_index": .init([0, 0] as [Int32], shape: [2, 1]),
      "edges/a_to_b_to_a_to_b/edge_length": .init([1] as [Float], shape: [1, 1]),
    ]
    let name = "edges/a_to_b_to_a_to_b"
    #expect(try error(tensors, [name: "edge_length,edge_length"]) == "names an attribute twice in the metadata")
    tensors["\(name)/edge_index"] = .init([] as [Int32], shape: [2, 0])
    tensors["\(name)/edge_length"] = .init([] as [Float], shape: [0, 1 << 40])
    #expect(try error(tensors) == "is of another form")
    tensors["\(name)/edge_length"] = nil
    for set in 0..<3_000 { tensors["nodes/n\(set)/latlon_rad"] = .init([0.5, 1] as [Float], shape: [1, 2]) }
    try Safetensors.write(tensors, metadata: [:], to: path)
    let graph = try GraphFile.read(path)
    #expect(graph.spaces.count == 3_001 && graph.edges.first?.source == "a_to_b")
  }

  @Test func filesHoldWhatWasWritten() throws {
    let folder = try TemporaryFolder()
    let (graph, golden) = try made("stretched")
    for (name, value) in [("a", graph), ("b", golden)] {
      let path = "\(folder.path)/\(name).safetensors"
      try GraphFile.write(value, to: path)
      var expected = value
      expected.edges.sort { $0.name < $1.name }
      #expect(try GraphFile.read(path) == expected)
    }
    // For others, edges are there in the order of a model: as Anemoi's model sorts them.
    let (own, theirs) = (
      try Safetensors.File("\(folder.path)/b.safetensors"),
      try Safetensors.File("\(Self.folder)/stretched.safetensors")
    )
    #expect(Set(own.entries.keys) == Set(theirs.entries.keys))
    for name in theirs.entries.keys { #expect(try own.tensor(name) == theirs.tensor(name), "\(name)") }
  }
}
