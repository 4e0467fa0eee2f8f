import Basics
import Geometry
import Settings

/// How the graph of a model is made from the points of its data.
public struct GraphSection: Section, Codable, Hashable {
  public enum Nodes: String, Sendable, Hashable, Codable, CaseIterable {
    case icosphere, octahedral
    case limitedArea = "limited-area"
    case stretched
  }

  public enum LengthNorm: String, Sendable, Hashable, Codable, CaseIterable {
    case unitStd = "unit-std"
    case unitMax = "unit-max"
  }

  public var file: String?
  public var nodes = Nodes.icosphere
  public var level = 5
  public var globalLevel = 5
  public var octahedral = 96
  public var area: [Double] = []
  public var marginKm = 100.0
  public var encoderCutOff = 0.6
  public var encoderNeighbours: Int?
  public var levels: [Int] = []
  public var hops = 1
  public var processorNeighbours: Int?
  public var decoderNeighbours = 3
  public var lengthNorm = LengthNorm.unitStd

  public init() {}

  public static let fields: [Field<GraphSection>] = [
    .text(
      "file", \.file,
      "A graph with nodes 'data' and 'hidden', from 'jigsaw graph build' or a checkpoint of Anemoi (docs/graphs.md), in place "
        + "of what follows; null: none."),
    .choice(
      "nodes", \.nodes,
      "Hidden nodes: icosphere: vertices of a refined icosahedron; octahedral: a reduced Gaussian grid; limited-area: "
        + "vertices near the area; stretched: fine in the area, coarse outside."),
    .integer("level", \.level, 0...10, "Refinements of the icosahedron (of the area, where nodes are stretched)."),
    .integer("globalLevel", \.globalLevel, 0...10, "Refinements outside the area, where nodes are stretched."),
    .integer("octahedral", \.octahedral, 1...4_096, "N of the octahedral grid ON."),
    .numbers(
      "area", \.area, minimum: -720,
      "North, west, south, east in degrees: which points of the data lie in the area; empty: those of a cutout's first dataset, "
        + "or all."),
    .number("marginKm", \.marginKm, 0.001...20_000, "Hidden nodes so near a point of the area belong to it."),
    .number(
      "encoderCutOff", \.encoderCutOff, 0.001...1_000,
      "Encoder: edges from the data points within this radius of a hidden node, in units of the hidden nodes' largest spacing."
    ),
    .integer(
      "encoderNeighbours", \.encoderNeighbours, 1...10_000,
      "Encoder: edges from so many nearest data points instead; null: by radius."),
    .integers(
      "levels", \.levels, in: 0...10, "Processor: levels of the icosahedron whose edges there are; empty: 1 to level."),
    .integer("hops", \.hops, 1...20, "Processor: edges between hidden nodes at most so many edges of a level apart."),
    .integer(
      "processorNeighbours", \.processorNeighbours, 1...10_000,
      "Processor: edges from so many nearest hidden nodes instead; null: those of levels."),
    .integer(
      "decoderNeighbours", \.decoderNeighbours, 1...10_000, "Decoder: edges from so many nearest hidden nodes."),
    .choice("lengthNorm", \.lengthNorm, "Lengths of edges: divided by their standard deviation, or by the largest."),
  ]

  /// Names of nodes, as in Anemoi's configurations.
  static let dataNodes = "data"
  static let hiddenNodes = "hidden"
  private static let areaMask = "area_mask"

  /// - Parameters:
  ///   - points: of the data.
  ///   - hasProcessorEdges: whether the processor walks along edges.
  func source(_ points: PointSpace, hasProcessorEdges: Bool) throws -> GraphSource {
    if let file { return .file(file) }
    var data = points
    if !area.isEmpty { data.masks[Self.areaMask] = try mask(points) }
    let mask = [Self.areaMask, GridPoints.firstGridMask].first { data.masks[$0] != nil }
    let place = GraphRecipe.Area(reference: Self.dataNodes, mask: mask, marginKm: marginKm)
    let hidden: GraphRecipe.Points =
      switch nodes {
      case .icosphere: .triangular(level: level)
      case .octahedral: .octahedral(octahedral)
      case .limitedArea: .limitedAreaTriangular(level: level, place)
      case .stretched: .stretchedTriangular(globalLevel: globalLevel, localLevel: level, place)
      }
    let attributes = [
      GraphRecipe.Attribute(
        name: "edge_length", kind: .length, norm: lengthNorm == .unitStd ? .unitStd : .unitMax),
      GraphRecipe.Attribute(name: "edge_dirs", kind: .direction, norm: .unitStd),
    ]
    func edges(_ source: String, _ destination: String, _ kind: GraphRecipe.EdgeBuilder.Kind) -> GraphRecipe.Edges {
      GraphRecipe.Edges(
        source: source, destination: destination, builders: [GraphRecipe.EdgeBuilder(kind)], attributes: attributes)
    }
    var all = [
      edges(
        Self.dataNodes, Self.hiddenNodes,
        encoderNeighbours.map { .nearest($0) } ?? .cutOff(.factor(encoderCutOff), most: 64))
    ]
    if hasProcessorEdges { all.append(edges(Self.hiddenNodes, Self.hiddenNodes, try processorEdges())) }
    all.append(edges(Self.hiddenNodes, Self.dataNodes, .nearest(decoderNeighbours)))
    return .recipe(
      GraphRecipe(
        nodes: [
          GraphRecipe.Nodes(name: Self.dataNodes, points: .given(data)),
          GraphRecipe.Nodes(name: Self.hiddenNodes, points: hidden),
        ], edges: all))
  }

  private func processorEdges() throws -> GraphRecipe.EdgeBuilder.Kind {
    if let processorNeighbours { return .nearest(processorNeighbours) }
    guard nodes != .octahedral else {
      throw JigsawError(
        "model.graph.processorNeighbours", "is needed: an octahedral grid has no levels whose edges could be taken",
        remedy: "set it, for example to 8, or use icosphere nodes")
    }
    return .multiScale(levels: levels.isEmpty ? level == 0 ? [0] : Array(1...level) : levels, hops: hops)
  }

  /// Degrees by which places in FP32 radians may be off.
  private static let placeTolerance = 1e-4

  /// Which points lie in the area, its edges among it.
  private func mask(_ points: PointSpace) throws -> [Bool] {
    guard area.count == 4, area[0] > area[2], area[1] < area[3], area[3] - area[1] <= 360 else {
      throw JigsawError(
        "model.graph.area", "is no area", expected: "[north, west, south, east] in degrees",
        found: "[\(area.map { significant($0) }.joined(separator: ", "))]")
    }
    let degrees = 180 / Double.pi
    return zip(points.latitudes, points.longitudes).map { latitude, longitude in
      let (north, east) = (Double(latitude) * degrees, Double(longitude) * degrees)
      // Longitudes count from the western edge; a point just west of it lies on it.
      let offset = (east - area[1] + Self.placeTolerance).truncatingRemainder(dividingBy: 360)
      return north <= area[0] + Self.placeTolerance && north >= area[2] - Self.placeTolerance
        && (offset < 0 ? offset + 360 : offset) <= area[3] - area[1] + 2 * Self.placeTolerance
    }
  }
}
