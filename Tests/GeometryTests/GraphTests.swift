import Geometry
import Testing

@Suite struct GraphTests {
  /// Two destinations, the edges of the second given first.
  let graph = Graph(
    sourceCount: 4, destinationCount: 3, sources: [3, 0, 2, 1, 0], destinations: [2, 0, 2, 0, 2],
    attributes: [0, 10, 1, 11, 2, 12, 3, 13, 4, 14], attributeCount: 2)

  @Test func edgesAreSortedByDestinationAndKeepTheirOrder() {
    #expect(graph.destinationStarts == [0, 2, 2, 5])
    #expect(graph.sources == [0, 1, 3, 2, 0])
    #expect(graph.perm == [1, 3, 0, 2, 4])
    #expect(graph.destinations == [0, 0, 2, 2, 2])
    #expect(graph.edges(into: 1).isEmpty && graph.edges(into: 2) == 2..<5)
  }

  @Test func attributesGoWithTheirEdges() {
    #expect(graph.attributes == [1, 11, 3, 13, 0, 10, 2, 12, 4, 14])
  }

  @Test func attributesLieSideBySideInTheOrderOfTheEdgeSet() throws {
    let space = PointSpace(latitudes: [0, 0.1], longitudes: [0, 0])
    var set = HeteroGraph.EdgeSet(source: "a", destination: "b", sources: [0, 1], destinations: [1, 0])
    set.attributes = [
      .init(name: "edge_length", columns: 1, values: [1, 2]),
      .init(name: "edge_dirs", columns: 2, values: [3, 4, 5, 6]),
    ]
    let graph = try #require(HeteroGraph(spaces: ["a": space, "b": space], edges: [set]).graph(from: "a", to: "b"))
    #expect(graph.attributeCount == 3 && graph.attributes == [2, 5, 6, 1, 3, 4])
    #expect(graph.sources == [1, 0])
  }

  @Test func fingerprintsTellPointsAndTheirOrderApart() {
    let space = PointSpace(latitudes: [0.5, -0.5], longitudes: [1, 2])
    #expect(space.fingerprint == PointSpace(latitudes: [0.5, -0.5], longitudes: [1, 2]).fingerprint)
    #expect(space.fingerprint != PointSpace(latitudes: [-0.5, 0.5], longitudes: [2, 1]).fingerprint)
    #expect(space.fingerprint != PointSpace(latitudes: [0.5, Float(-0.5).nextUp], longitudes: [1, 2]).fingerprint)
  }
}
