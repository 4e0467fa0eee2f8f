/// Named sets of points and the edges between them: the geometry of an encoder–processor–decoder model.
public struct HeteroGraph: Sendable, Hashable {
  /// One set of edges, in the order in which they were built.
  public struct EdgeSet: Sendable, Hashable {
    /// Names of point spaces.
    public let source, destination: String
    /// [edges] each.
    public var sources, destinations: [Int32]
    /// In the order in which a model reads them.
    public var attributes: [Attribute] = []

    public init(source: String, destination: String, sources: [Int32], destinations: [Int32]) {
      self.source = source
      self.destination = destination
      self.sources = sources
      self.destinations = destinations
    }

    public var count: Int { sources.count }
    /// The name in files: `data_to_hidden`.
    public var name: String { "\(source)_to_\(destination)" }
  }

  /// Numbers of edges, such as `edge_length`.
  public struct Attribute: Sendable, Hashable {
    public let name: String
    public let columns: Int
    /// [edges, columns]
    public let values: [Float]

    public init(name: String, columns: Int, values: [Float]) {
      self.name = name
      self.columns = columns
      self.values = values
    }
  }

  public var spaces: [String: PointSpace]
  public var edges: [EdgeSet]

  /// Bytes of coordinates, weights, masks, ends and attributes.
  public var byteCount: Int {
    let points = spaces.values.reduce(0) { $0 + $1.count * (8 + 4 * $1.weights.count + $1.masks.count) }
    return edges.reduce(points) { $0 + $1.count * (8 + 4 * $1.attributes.reduce(0) { $0 + $1.columns }) }
  }

  public init(spaces: [String: PointSpace] = [:], edges: [EdgeSet] = []) {
    self.spaces = spaces
    self.edges = edges
  }

  /// The edges from one space to another; nil when there are none of the name.
  public func edges(from source: String, to destination: String) -> EdgeSet? {
    edges.first { $0.source == source && $0.destination == destination }
  }

  /// The same with the points of a space in another order; edges stay in theirs.
  ///
  /// - Parameter order: by new place, where each point is now.
  public func reordered(_ name: String, _ order: [Int]) -> HeteroGraph {
    guard let space = spaces[name] else { return self }
    precondition(order.count == space.count)
    var (result, places) = (self, [Int32](repeating: 0, count: order.count))
    for (place, point) in order.enumerated() { places[point] = Int32(place) }
    var points = PointSpace(
      latitudes: order.map { space.latitudes[$0] }, longitudes: order.map { space.longitudes[$0] })
    points.weights = space.weights.mapValues { values in order.map { values[$0] } }
    points.masks = space.masks.mapValues { values in order.map { values[$0] } }
    result.spaces[name] = points
    for index in result.edges.indices {
      func moved(_ ends: [Int32]) -> [Int32] { ends.map { places[Int($0)] } }
      if edges[index].source == name { result.edges[index].sources = moved(edges[index].sources) }
      if edges[index].destination == name { result.edges[index].destinations = moved(edges[index].destinations) }
    }
    return result
  }

  /// The same by destination, with all attributes side by side.
  public func graph(from source: String, to destination: String) -> Graph? {
    guard let set = edges(from: source, to: destination), let from = spaces[source], let to = spaces[destination]
    else { return nil }
    let width = set.attributes.reduce(0) { $0 + $1.columns }
    var values: [Float] = []
    values.reserveCapacity(width * set.count)
    for edge in 0..<set.count {
      for attribute in set.attributes {
        values += attribute.values[edge * attribute.columns..<(edge + 1) * attribute.columns]
      }
    }
    return Graph(
      sourceCount: from.count, destinationCount: to.count, sources: set.sources, destinations: set.destinations,
      attributes: values, attributeCount: width)
  }
}
