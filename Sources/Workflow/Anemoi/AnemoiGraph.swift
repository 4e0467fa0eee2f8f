import Basics
import Geometry
import Stores

extension HeteroGraph {
  private func attributes(_ set: EdgeSet, _ names: [String], place: String) throws -> [Attribute] {
    try names.map { name in
      guard let found = set.attributes.first(where: { $0.name == name }) else {
        throw JigsawError(
          "\(place): config.model", "names an attribute of edges that its graph does not have",
          expected: "some of \(set.attributes.map(\.name).joined(separator: ", "))", found: name)
      }
      return found
    }
  }

  /// The same with those attributes of edges that a model's configuration names for each of its parts, in that order.
  ///
  /// - Throws: for an attribute that is not there.
  func withAttributes(of configuration: JSONValue, place: String) throws -> HeteroGraph {
    let hidden = "hidden"
    var graph = self
    for (index, set) in edges.enumerated() {
      let key = set.source == set.destination ? "processor" : set.destination == hidden ? "encoders" : "decoders"
      let part = configuration[key]
      let section = key == "processor" ? part : part?.object?.sorted { $0.key < $1.key }.first?.value["mapper"]
      let names = section?["sub_graph_edge_attributes"]?.strings ?? configuration["attributes"]?["edges"]?.strings
      if let names { graph.edges[index].attributes = try attributes(set, names, place: place) }
    }
    return graph
  }
}

/// The graph in a checkpoint: a HeteroData of torch_geometric, whose stores of nodes and edges hold tensors by name.
struct AnemoiGraph {
  let graph: HeteroGraph

  /// Beside coordinates: more columns than these are no weights of points.
  private static let indexLimit = Int(Int32.max)

  init(_ archive: TorchArchive, _ root: PickleDocument.ID) throws {
    let document = archive.document
    // Releases differ in which of the two objects keeps it.
    let model = document.attribute("_modules", of: root).flatMap { document.member("model", of: $0) }
    let candidates = [
      document.attribute("graph_data", of: root), model.flatMap { document.attribute("_graph_data", of: $0) },
    ]
    guard
      let data = candidates.compactMap({ $0 }).first(where: { document.attribute("_node_store_dict", of: $0) != nil }),
      let nodes = document.attribute("_node_store_dict", of: data).flatMap({ document.pairs($0) }),
      let edges = document.attribute("_edge_store_dict", of: data).flatMap({ document.pairs($0) })
    else { throw JigsawError(archive.path, "has no graph", expected: "graph_data of the model") }
    var graph = HeteroGraph()
    for pair in nodes {
      guard let name = document.string(pair.key) else { continue }
      graph.spaces[name] = try Self.space(name, pair.value, archive)
    }
    for pair in edges {
      guard let names = document.elements(pair.key)?.map({ document.string($0) ?? "" }), names.count == 3 else {
        continue
      }
      // A transformer's processor has edges in name only.
      if let set = try Self.edges(names[0], names[2], pair.value, graph, archive) { graph.edges.append(set) }
    }
    self.graph = graph
  }

  private static func tensors(
    _ store: PickleDocument.ID, _ archive: TorchArchive
  ) throws -> [(name: String, tensor: TorchArchive.Tensor)] {
    let document = archive.document
    guard let mapping = document.attribute("_mapping", of: store).flatMap({ document.pairs($0) }) else { return [] }
    return try mapping.compactMap { pair in
      guard let name = document.string(pair.key), let tensor = try archive.tensor(pair.value) else { return nil }
      return (name, tensor)
    }
  }

  private static func space(
    _ name: String, _ store: PickleDocument.ID, _ archive: TorchArchive
  ) throws -> PointSpace {
    let place = "\(archive.path): graph, nodes '\(name)'"
    let tensors = try tensors(store, archive)
    guard let x = tensors.first(where: { $0.name == "x" })?.tensor, x.type == "F32", x.shape.count == 2,
      x.shape[1] == 2,
      x.shape[0] > 0, x.shape[0] < indexLimit
    else { throw JigsawError(place, "have no coordinates", expected: "x, F32 [points, 2]") }
    let coordinates = floats(try archive.bytes(x))
    let count = x.shape[0]
    guard coordinates.allSatisfy({ $0.isFinite }) else {
      throw JigsawError(place, "have coordinates that are not finite")
    }
    var space = PointSpace(
      latitudes: (0..<count).map { coordinates[2 * $0] }, longitudes: (0..<count).map { coordinates[2 * $0 + 1] })
    for (name, tensor) in tensors where name != "x" && (tensor.shape == [count, 1] || tensor.shape == [count]) {
      switch tensor.type {
      case "F32": space.weights[name] = floats(try archive.bytes(tensor))
      case "BOOL": space.masks[name] = try archive.bytes(tensor).map { $0 != 0 }
      default: continue
      }
    }
    return space
  }

  private static func edges(
    _ source: String, _ destination: String, _ store: PickleDocument.ID, _ graph: HeteroGraph, _ archive: TorchArchive
  ) throws -> HeteroGraph.EdgeSet? {
    let place = "\(archive.path): graph, edges \(source) → \(destination)"
    let tensors = try tensors(store, archive)
    if tensors.isEmpty { return nil }
    guard let from = graph.spaces[source], let to = graph.spaces[destination],
      let index = tensors.first(where: { $0.name == "edge_index" })?.tensor, index.shape.count == 2,
      index.shape[0] == 2,
      index.shape[1] < indexLimit
    else { throw JigsawError(place, "have no ends", expected: "edge_index [2, edges] between known nodes") }
    let count = index.shape[1]
    let ends = try integers(index, archive, place)
    let (sources, destinations) = (Array(ends[..<count]), Array(ends[count...]))
    guard sources.allSatisfy({ $0 >= 0 && $0 < from.count }), destinations.allSatisfy({ $0 >= 0 && $0 < to.count })
    else {
      throw JigsawError(place, "lead to points that are not there")
    }
    var set = HeteroGraph.EdgeSet(
      source: source, destination: destination, sources: sources, destinations: destinations)
    for (name, tensor) in tensors where tensor.type == "F32" && tensor.shape.count == 2 && tensor.shape[0] == count {
      set.attributes.append(
        .init(name: name, columns: tensor.shape[1], values: floats(try archive.bytes(tensor))))
    }
    return set
  }

  private static func integers(_ tensor: TorchArchive.Tensor, _ archive: TorchArchive, _ place: String) throws
    -> [Int32]
  {
    let bytes = try archive.bytes(tensor)
    return try bytes.withUnsafeBytes { raw in
      switch tensor.type {
      case "I32": return (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self) }
      case "I64":
        return (0..<raw.count / 8).map { Int32(clamping: raw.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self)) }
      default: throw JigsawError(place, "have ends of another type", expected: "I32 or I64", found: tensor.type)
      }
    }
  }

  private static func floats(_ bytes: [UInt8]) -> [Float] {
    bytes.withUnsafeBytes { raw in
      (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
  }
}
