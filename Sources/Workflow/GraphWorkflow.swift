import Basics
import Configuration
import Datasets
import Geometry
import Reporting
import Stores
import Tensors

/// `jigsaw graph`: graphs made from their configurations, looked into and drawn.
public enum GraphWorkflow {
  // MARK: Building

  /// Makes the graph that a configuration describes (`GraphConfiguration`). Says what was written.
  ///
  /// - Parameter threads: 0: all.
  public static func build(
    _ configuration: String, to output: String, overwrites: Bool, threads: Int = 0
  ) throws -> String {
    guard output.hasSuffix(".safetensors") else {
      throw JigsawError(output, "can't be written", expected: "a name that ends in .safetensors")
    }
    if Files.exists(output) && !overwrites {
      throw JigsawError(output, "already exists", remedy: "pass --overwrite or name another output")
    }
    let document = try readYAML(configuration)
    try requireResolved(document, configuration, "")
    // The recipe may be the graph section of a training's configuration.
    let recipe = try GraphConfiguration.recipe(document["graph"] ?? document, place: configuration) { dataset, key in
      try ViewRequest(dataset, key: "\(configuration): \(key)").open()
    }
    let graph = try GraphBuilder.build(
      recipe, team: ThreadTeam(count: threads > 0 ? threads : ThreadTeam.availableCPUs))
    try GraphFile.write(graph, metadata: ["writtenBy": "jigsaw \(jigsawVersion)"], to: output)
    return "\(GraphReport.text(graph))\nwrote \(output)"
  }

  private static func requireResolved(_ value: JSONValue, _ file: String, _ key: String) throws {
    switch value {
    case .string(let text) where text.contains("${"):
      throw JigsawError(
        "\(file): \(key)", "refers to another setting", found: text,
        remedy: "write its value, or let Hydra resolve the configuration first (--cfg job --resolve)")
    case .array(let entries):
      for (index, entry) in entries.enumerated() { try requireResolved(entry, file, "\(key)[\(index)]") }
    case .object(let members):
      for (name, member) in members.sorted(by: { $0.key < $1.key }) {
        try requireResolved(member, file, key.isEmpty ? name : "\(key).\(name)")
      }
    default: break
    }
  }

  // MARK: Reading

  /// A graph of a file of ours or of a checkpoint of Anemoi.
  static func read(_ path: String) throws -> HeteroGraph {
    path.hasSuffix(".ckpt") ? try AnemoiCheckpoint(path).graph : try GraphFile.read(path)
  }

  public static func inspect(_ path: String) throws -> String { GraphReport.text(try read(path)) }

  /// Draws a graph as an SVG file. Says what was written.
  ///
  /// - Parameter area: "north,west,south,east" in degrees; nil: the globe.
  public static func plot(_ path: String, to output: String, area: String?) throws -> String {
    guard output.hasSuffix(".svg") else {
      throw JigsawError(output, "can't be drawn", expected: "a name that ends in .svg")
    }
    try Replaceable.requireMarked(output, by: ["<svg", GraphPlot.mark], what: "picture of 'jigsaw graph plot'")
    let plot = try GraphPlot(try read(path), window: try area.map(window), place: path)
    try Files.writeAtomically(plot.svg(), to: output)
    return "wrote \(output)"
  }

  private static func window(_ text: String) throws -> GraphPlot.Window {
    let numbers = text.split(separator: ",").map { Double($0) ?? .nan }
    guard numbers.count == 4, numbers.allSatisfy({ abs($0) <= 720 }) else {
      throw JigsawError("--area \(text)", "is no area", expected: "north,west,south,east in degrees")
    }
    return GraphPlot.Window(north: numbers[0], west: numbers[1], south: numbers[2], east: numbers[3])
  }
}

/// A graph for people.
enum GraphReport {
  static func text(_ graph: HeteroGraph) -> String {
    var lines: [String] = []
    for (name, space) in graph.spaces.sorted(by: { $0.key < $1.key }) {
      let (south, north) = (space.latitudes.min() ?? 0, space.latitudes.max() ?? 0)
      lines.append(
        "nodes \(name): \(space.count) points, \(degrees(south)) … \(degrees(north))° N, \(space.fingerprint)")
      for (weight, values) in space.weights.sorted(by: { $0.key < $1.key }) {
        lines.append("  \(weight): \(range(values))")
      }
      for (mask, values) in space.masks.sorted(by: { $0.key < $1.key }) {
        lines.append("  \(mask): \(values.count { $0 }) of \(space.count) points")
      }
    }
    for set in graph.edges { lines += describe(set, in: graph) }
    return lines.joined(separator: "\n")
  }

  private static func describe(_ set: HeteroGraph.EdgeSet, in graph: HeteroGraph) -> [String] {
    guard let sorted = graph.graph(from: set.source, to: set.destination) else { return [] }
    let degrees = (0..<sorted.destinationCount).map { sorted.edges(into: $0).count }
    let lengths = (try? GraphBuilder.attribute(.length, .none, of: set, in: graph)) ?? []
    let mean = Double(set.count) / Double(max(1, sorted.destinationCount))
    var lines = [
      "edges \(set.source) → \(set.destination): \(set.count); into a destination \(degrees.min() ?? 0) … \(degrees.max() ?? 0), "
        + "\(number(mean)) on average; \(range(lengths.map { $0 * 6_371 })) km long"
    ]
    lines += gaps(sorted, set).map { "  \($0)" }
    for attribute in set.attributes {
      lines.append(
        "  \(attribute.name): \(attribute.columns) \(attribute.columns == 1 ? "column" : "columns"), \(range(attribute.values))"
      )
    }
    return lines
  }

  /// Points that edges leave out, a sentence for each kind and set of edges: what they hold reaches no others, or nothing reaches them.
  static func gaps(_ graph: HeteroGraph) -> [String] {
    graph.edges.flatMap { set in
      graph.graph(from: set.source, to: set.destination).map { sorted in
        gaps(sorted, set).map { "\(set.source) → \(set.destination): \($0)" }
      } ?? []
    }
  }

  private static func gaps(_ sorted: Graph, _ set: HeteroGraph.EdgeSet) -> [String] {
    let open = (0..<sorted.destinationCount).count { sorted.edges(into: $0).isEmpty }
    let unused = sorted.sourceCount - Set(sorted.sources).count
    return (open > 0 ? ["\(counted(open, "point")) of \(set.destination) without an edge"] : [])
      + (unused > 0 ? ["\(counted(unused, "point")) of \(set.source) that no edge starts from"] : [])
  }

  private static func range(_ values: [Float]) -> String {
    "\(number(Double(values.min() ?? 0))) … \(number(Double(values.max() ?? 0)))"
  }

  private static func degrees(_ radians: Float) -> String { number(Double(radians) * 180 / .pi) }

  private static func number(_ value: Double) -> String { significant(value, 4) }
}
