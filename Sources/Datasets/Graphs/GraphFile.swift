import Basics
import Geometry
import Stores

/// Graphs in safetensors files: `nodes/<name>/latlon_rad` (FP32 [points, 2]) with weights and masks ([points, 1]) beside it,
/// `edges/<source>_to_<destination>/edge_index` (INT32 [2, edges]: sources, then destinations) with attributes (FP32 [edges,
/// columns]). For others the edges are there as a model uses them too: `sorted_edge_index`, `sorted_edge_attr`, `perm`.
public enum GraphFile {
  /// Without edges a tensor of any width has no bytes.
  private static let columnLimit = 1 << 16
  private static let derived: Set = ["edge_index", "sorted_edge_index", "sorted_edge_attr", "perm"]

  // MARK: Writing

  public static func write(_ graph: HeteroGraph, metadata: [String: String] = [:], to path: String) throws {
    try Safetensors.write(
      tensors(graph), metadata: metadata.merging(attributeOrder(graph)) { first, _ in first }, to: path)
  }

  /// The order in which a model reads the attributes of edges; tensors of a file have none.
  private static func attributeOrder(_ graph: HeteroGraph) -> [String: String] {
    Dictionary(
      graph.edges.map { ("edges/\($0.name)", $0.attributes.map(\.name).joined(separator: ",")) },
      uniquingKeysWith: { first, _ in first })
  }

  static func tensors(_ graph: HeteroGraph) -> [String: Safetensors.Tensor] {
    var tensors: [String: Safetensors.Tensor] = [:]
    for (name, space) in graph.spaces {
      let coordinates = zip(space.latitudes, space.longitudes).flatMap { [$0, $1] }
      tensors["nodes/\(name)/latlon_rad"] = .init(coordinates, shape: [space.count, 2])
      for (weight, values) in space.weights {
        tensors["nodes/\(name)/\(weight)"] = .init(values, shape: [space.count, 1])
      }
      for (mask, values) in space.masks { tensors["nodes/\(name)/\(mask)"] = .init(values, shape: [space.count, 1]) }
    }
    for set in graph.edges {
      let start = "edges/\(set.name)/"
      tensors[start + "edge_index"] = .init(set.sources + set.destinations, shape: [2, set.count])
      for attribute in set.attributes {
        tensors[start + attribute.name] = .init(attribute.values, shape: [set.count, attribute.columns])
      }
      guard let sorted = graph.graph(from: set.source, to: set.destination) else { continue }
      tensors[start + "sorted_edge_index"] = .init(sorted.sources + sorted.destinations, shape: [2, set.count])
      tensors[start + "perm"] = .init(sorted.perm, shape: [set.count])
      if sorted.attributeCount > 0 {
        tensors[start + "sorted_edge_attr"] = .init(sorted.attributes, shape: [set.count, sorted.attributeCount])
      }
    }
    return tensors
  }

  // MARK: Reading

  /// - Throws: naming the tensor, when the file is damaged or contradicts itself.
  public static func read(_ path: String) throws -> HeteroGraph {
    let file = try Safetensors.File(path)
    var graph = HeteroGraph()
    let members = members(file)
    for (name, attributes) in (members["nodes"] ?? [:]).sorted(by: { $0.key < $1.key })
    where attributes.contains("latlon_rad") {
      graph.spaces[name] = try space(name, attributes, file)
    }
    for (name, attributes) in (members["edges"] ?? [:]).sorted(by: { $0.key < $1.key })
    where attributes.contains("edge_index") {
      graph.edges.append(try edges(name, attributes, graph, file))
    }
    guard !graph.spaces.isEmpty else {
      throw JigsawError(path, "holds no graph", expected: "tensors named nodes/<name>/latlon_rad")
    }
    return graph
  }

  /// The tensors' names by kind ("nodes", "edges") and set.
  private static func members(_ file: Safetensors.File) -> [String: [String: [String]]] {
    var members: [String: [String: [String]]] = [:]
    for key in file.entries.keys.sorted() {
      let parts = key.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
      if parts.count == 3 { members[parts[0], default: [:]][parts[1], default: []].append(parts[2]) }
    }
    return members
  }

  private static func space(_ name: String, _ attributes: [String], _ file: Safetensors.File) throws -> PointSpace {
    let key = "nodes/\(name)/latlon_rad"
    guard let entry = file.entries[key], entry.type == "F32", entry.shape.count == 2, entry.shape[1] == 2,
      entry.shape[0] > 0, entry.shape[0] < Int(Int32.max)
    else { throw unfit(file, key, expected: "F32 [points, 2]") }
    let coordinates = try file.floats(key)
    guard coordinates.allSatisfy(\.isFinite) else {
      throw JigsawError("\(file.path): \(key)", "has coordinates that are not finite")
    }
    let count = entry.shape[0]
    var space = PointSpace(
      latitudes: (0..<count).map { coordinates[2 * $0] }, longitudes: (0..<count).map { coordinates[2 * $0 + 1] })
    guard space.latitudes.allSatisfy({ abs($0) < 1.571 }) else {
      throw JigsawError("\(file.path): \(key)", "has latitudes beyond the poles", expected: "radians, latitude first")
    }
    for attribute in attributes where attribute != "latlon_rad" {
      let key = "nodes/\(name)/\(attribute)"
      guard let entry = file.entries[key], entry.shape == [count, 1] || entry.shape == [count] else {
        throw unfit(file, key, expected: "[\(count), 1]")
      }
      switch entry.type {
      case "BOOL": space.masks[attribute] = try file.tensor(key).bytes.map { $0 != 0 }
      case "F32": space.weights[attribute] = try file.floats(key)
      default: throw unfit(file, key, expected: "F32 or BOOL [\(count), 1]")
      }
    }
    return space
  }

  /// The sets of nodes that the name of a set of edges tells. Their names may hold "_to_" themselves.
  private static func ends(_ name: String, _ graph: HeteroGraph) -> (source: String, destination: String)? {
    name.ranges(of: "_to_").lazy
      .map { (String(name[..<$0.lowerBound]), String(name[$0.upperBound...])) }
      .filter { graph.spaces[$0.0] != nil && graph.spaces[$0.1] != nil }
      .min { $0.0 < $1.0 }
  }

  private static func edges(
    _ name: String, _ members: [String], _ graph: HeteroGraph, _ file: Safetensors.File
  ) throws -> HeteroGraph.EdgeSet {
    let key = "edges/\(name)/edge_index"
    guard let (source, destination) = ends(name, graph), let from = graph.spaces[source],
      let to = graph.spaces[destination]
    else { throw JigsawError("\(file.path): \(key)", "leads between nodes that are not in the file") }
    let index = try integers(key, file)
    guard let shape = file.entries[key]?.shape, shape.count == 2, shape[0] == 2 else {
      throw unfit(file, key, expected: "I32 [2, edges]")
    }
    let (sources, destinations) = (Array(index[..<shape[1]]), Array(index[shape[1]...]))
    guard sources.allSatisfy({ $0 >= 0 && $0 < from.count }), destinations.allSatisfy({ $0 >= 0 && $0 < to.count })
    else {
      throw JigsawError(
        "\(file.path): \(key)", "leads to points that are not there",
        expected: "0 … \(from.count - 1) → 0 … \(to.count - 1)")
    }
    var set = HeteroGraph.EdgeSet(
      source: source, destination: destination, sources: sources, destinations: destinations)
    for attribute in try attributeNames(name, members, file) {
      let key = "edges/\(name)/\(attribute)"
      guard let entry = file.entries[key], entry.type == "F32", entry.shape.count == 2, entry.shape[0] == shape[1],
        entry.shape[1] <= columnLimit
      else {
        throw unfit(file, key, expected: "F32 [\(shape[1]), at most \(columnLimit) columns]")
      }
      set.attributes.append(.init(name: attribute, columns: entry.shape[1], values: try file.floats(key)))
    }
    try check(set, from.count, to.count, file)
    return set
  }

  /// In the order that the file tells, else as shipped configurations have it.
  private static func attributeNames(_ name: String, _ members: [String], _ file: Safetensors.File) throws -> [String] {
    if let order = file.metadata["edges/\(name)"] {
      let names = order.split(separator: ",").map(String.init)
      guard Set(names).count == names.count else {
        throw JigsawError("\(file.path): edges/\(name)", "names an attribute twice in the metadata", found: order)
      }
      return names
    }
    let found = members.filter { !derived.contains($0) }
    let usual = ["edge_length", "edge_dirs"]
    return usual.filter(found.contains) + found.filter { !usual.contains($0) }.sorted()
  }

  /// Where the file says how a model sorts the edges, that must be how they are sorted here.
  private static func check(
    _ set: HeteroGraph.EdgeSet, _ sourceCount: Int, _ destinationCount: Int, _ file: Safetensors.File
  ) throws {
    let key = "edges/\(set.name)/perm"
    guard file.entries[key] != nil else { return }
    let sorted = Graph(
      sourceCount: sourceCount, destinationCount: destinationCount, sources: set.sources,
      destinations: set.destinations)
    guard try integers(key, file) == sorted.perm else {
      throw JigsawError(
        "\(file.path): \(key)", "sorts the edges in another way", expected: "by destination, otherwise as in edge_index"
      )
    }
  }

  private static func integers(_ key: String, _ file: Safetensors.File) throws -> [Int32] {
    let tensor = try file.tensor(key)
    return try tensor.bytes.withUnsafeBytes { bytes in
      switch tensor.type {
      case "I32": return (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self) }
      case "I64":
        return (0..<bytes.count / 8).map {
          Int32(clamping: bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self))
        }
      default: throw unfit(file, key, expected: "I32 or I64")
      }
    }
  }

  private static func unfit(_ file: Safetensors.File, _ key: String, expected: String) -> JigsawError {
    let found = file.entries[key].map { "\($0.type) \($0.shape)" } ?? "nothing"
    return JigsawError("\(file.path): \(key)", "is of another form", expected: expected, found: found)
  }
}
