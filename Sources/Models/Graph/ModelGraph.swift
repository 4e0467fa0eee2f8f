import Basics
import Geometry
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// The graph that a model computes on: data and hidden nodes, and the edges between them.
public struct ModelGraph: Sendable {
  /// One set of edges.
  public struct Edges: Sendable {
    public let lists: EdgeLists
    public let attributeCount: Int
    /// [edges, attributes], in the order of `lists`.
    public let attributes: Tensor

    public init(_ lists: EdgeLists, attributes: [Float], attributeCount: Int) {
      self.lists = lists
      self.attributeCount = attributeCount
      self.attributes = Tensor(attributes, shape: [lists.count, attributeCount])
    }

    public init(_ graph: Graph) {
      self.init(
        EdgeLists(
          destinationStarts: graph.destinationStarts, sources: graph.sources, sourceCount: graph.sourceCount),
        attributes: graph.attributes, attributeCount: graph.attributeCount)
    }
  }

  /// [nodes, 4]: sines of latitude and longitude, cosines of latitude and longitude.
  public let dataCoordinates, hiddenCoordinates: Tensor
  public let dataToHidden, hiddenToData: Edges
  /// nil where the processor needs no edges.
  public let hiddenToHidden: Edges?

  /// Bytes of coordinates, lists and attributes.
  public var byteCount: Int {
    [dataToHidden, hiddenToData, hiddenToHidden].compactMap(\.self)
      .reduce(dataCoordinates.byteCount + hiddenCoordinates.byteCount) {
        $0 + $1.lists.byteCount + $1.attributes.byteCount
      }
  }

  public var dataNodes: Int { dataCoordinates.shape[0] }
  public var hiddenNodes: Int { hiddenCoordinates.shape[0] }

  /// - Parameters:
  ///   - dataCoordinates: [nodes, 2], latitude and longitude in radians.
  ///   - hiddenCoordinates: likewise.
  public init(
    dataCoordinates: [Float], hiddenCoordinates: [Float], dataToHidden: Edges, hiddenToHidden: Edges?,
    hiddenToData: Edges
  ) {
    self.dataCoordinates = ModelGraph.features(dataCoordinates)
    self.hiddenCoordinates = ModelGraph.features(hiddenCoordinates)
    self.dataToHidden = dataToHidden
    self.hiddenToHidden = hiddenToHidden
    self.hiddenToData = hiddenToData
    let (data, hidden) = (dataNodes, hiddenNodes)
    precondition(dataToHidden.lists.sourceCount == data && dataToHidden.lists.destinationCount == hidden)
    precondition(hiddenToData.lists.sourceCount == hidden && hiddenToData.lists.destinationCount == data)
    precondition(
      hiddenToHidden.map { $0.lists.sourceCount == hidden && $0.lists.destinationCount == hidden } ?? true)
  }

  /// The nodes `data` and `hidden` of a graph, and the edges between them.
  /// - Throws: when some are missing.
  public init(_ graph: HeteroGraph) throws {
    let (d, h) = (GraphSection.dataNodes, GraphSection.hiddenNodes)
    guard let data = graph.spaces[d], let hidden = graph.spaces[h], let inwards = graph.graph(from: d, to: h),
      let outwards = graph.graph(from: h, to: d)
    else {
      throw JigsawError(
        "model.graph", "is not a graph of these models", expected: "nodes '\(d)' and '\(h)' with edges both ways",
        found: (graph.spaces.keys.sorted() + graph.edges.map(\.name)).joined(separator: ", "))
    }
    func coordinates(_ space: PointSpace) -> [Float] { zip(space.latitudes, space.longitudes).flatMap { [$0, $1] } }
    self.init(
      dataCoordinates: coordinates(data), hiddenCoordinates: coordinates(hidden), dataToHidden: Edges(inwards),
      hiddenToHidden: graph.graph(from: h, to: h).map(Edges.init), hiddenToData: Edges(outwards))
  }

  /// The same for data on these points, in this order.
  /// - Throws: when the graph was made for others.
  public init(_ graph: HeteroGraph, points: PointSpace) throws {
    try self.init(graph)
    guard let data = graph.spaces[GraphSection.dataNodes], !data.matches(points) else { return }
    throw JigsawError(
      "model.graph", "is of other points than the data", expected: "\(points.count) points (\(points.fingerprint))",
      found: "\(data.count) points (\(data.fingerprint))", remedy: "build it for these data, in their order of points")
  }

  private static func features(_ coordinates: [Float]) -> Tensor {
    let nodes = coordinates.count / 2
    let features = (0..<nodes).flatMap { node in
      let (latitude, longitude) = (coordinates[2 * node], coordinates[2 * node + 1])
      return [sin(latitude), sin(longitude), cos(latitude), cos(longitude)]
    }
    return Tensor(features, shape: [nodes, 4])
  }
}
