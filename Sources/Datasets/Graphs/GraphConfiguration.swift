import Basics
import Geometry

/// A graph's recipe as anemoi-graphs configures it: `nodes` by name, each with a `node_builder` and `attributes`, and `edges`,
/// each with `source_name`, `target_name`, `edge_builders` and `attributes`. Builders are named by `_target_`.
///
/// Nodes are defined in the order: datasets, then what needs no other nodes, then the rest.
public struct GraphConfiguration {
  /// Where the configuration stands, for messages.
  private let place: String
  /// Opens what a node builder names as its dataset.
  private let open: (_ dataset: JSONValue, _ key: String) throws -> any FieldView

  /// - Throws: naming the key, when something is missing, unknown or contradictory.
  public static func recipe(
    _ value: JSONValue, place: String, open: @escaping (_ dataset: JSONValue, _ key: String) throws -> any FieldView
  ) throws -> GraphRecipe {
    try GraphConfiguration(place: place, open: open).recipe(value)
  }

  /// Keys of the outermost level that say nothing of the graph.
  private static let ignored: Set = ["overwrite", "data", "hidden", "attributes", "task"]

  private func recipe(_ value: JSONValue) throws -> GraphRecipe {
    guard let members = value.object, let nodes = members["nodes"]?.object, let edges = members["edges"]?.array else {
      throw JigsawError(place, "is no graph configuration", expected: "nodes by name, and a list of edges")
    }
    for key in members.keys.sorted() where !["nodes", "edges", "post_processors"].contains(key) {
      if !Self.ignored.contains(key) { throw unknown(key, place, ["nodes", "edges"]) }
    }
    if let processors = members["post_processors"]?.array, !processors.isEmpty {
      throw JigsawError("\(place): post_processors", "are not supported", remedy: "remove them")
    }
    guard !nodes.isEmpty else { throw JigsawError("\(place): nodes", "name no set of nodes") }
    if let name = nodes.keys.sorted().first(where: { !isNodeName($0) }) {
      throw JigsawError(
        "\(place): nodes", "have a name that is none", expected: "letters, digits, '_', '-' and '.'", found: name)
    }
    let definitions = try nodes.map { try definition($0.key, $0.value) }
    return GraphRecipe(
      nodes: definitions.sorted { (order($0), $0.name) < (order($1), $1.name) },
      edges: try edges.enumerated().map { try edgeSet($1, "edges[\($0)]") })
  }

  /// Names are parts of the names of tensors in the file.
  private func isNodeName(_ name: String) -> Bool {
    !name.isEmpty && name.allSatisfy { $0.isLetter || $0.isNumber || "_-.".contains($0) }
  }

  private func order(_ nodes: GraphRecipe.Nodes) -> Int {
    switch nodes.points {
    case .given: 0
    case .triangular, .octahedral: 1
    case .limitedAreaTriangular, .stretchedTriangular: 2
    }
  }

  // MARK: Nodes

  private func definition(_ name: String, _ value: JSONValue) throws -> GraphRecipe.Nodes {
    let key = "nodes.\(name)"
    let members = try Members(value, "\(place): \(key)", ["node_builder", "attributes"])
    let builder = try members.object("node_builder")
    let kind = try target(builder, "\(key).node_builder")
    var points = try self.points(kind, builder, "\(key).node_builder")
    var weights: [GraphRecipe.Weights] = []
    let attributes = members.value("attributes")?.object ?? [:]
    for (attribute, value) in attributes.sorted(by: { $0.key < $1.key }) {
      let key = "\(key).attributes.\(attribute)"
      if let mask = try mask(value, points, attributes, key) {
        guard case .given(var space) = points.points else {
          throw JigsawError("\(place): \(key)", "is a mask of a dataset's points", found: "points of a mesh")
        }
        space.masks[attribute] = mask
        points.points = .given(space)
      } else {
        weights.append(try self.weights(attribute, value, key))
      }
    }
    return GraphRecipe.Nodes(name: name, points: points.points, weights: weights)
  }

  /// Points and, of a dataset of several grids, the sizes of these.
  private struct PlacedPoints {
    var points: GraphRecipe.Points
    var gridSizes: [Int] = []
  }

  private func points(_ kind: String, _ value: JSONValue, _ key: String) throws -> PlacedPoints {
    let area = ["reference_node_name", "mask_attr_name", "margin_radius_km"]
    switch kind {
    case "AnemoiDatasetNodes", "ZarrDatasetNodes":
      let members = try Members(value, "\(place): \(key)", ["_target_", "dataset"])
      guard let dataset = members.value("dataset") else { throw members.missing("dataset") }
      let view = try open(dataset, "\(key).dataset")
      return PlacedPoints(points: .given(PointSpace(view.points)), gridSizes: view.gridSizes)
    case "TriNodes":
      let members = try Members(value, "\(place): \(key)", ["_target_", "resolution"])
      return PlacedPoints(points: .triangular(level: try members.integer("resolution")))
    case "LimitedAreaTriNodes":
      let members = try Members(value, "\(place): \(key)", ["_target_", "resolution"] + area)
      return PlacedPoints(
        points: .limitedAreaTriangular(level: try members.integer("resolution"), try self.area(members)))
    case "StretchedTriNodes":
      let members = try Members(
        value, "\(place): \(key)", ["_target_", "global_resolution", "lam_resolution"] + area)
      return PlacedPoints(
        points: .stretchedTriangular(
          globalLevel: try members.integer("global_resolution"), localLevel: try members.integer("lam_resolution"),
          try self.area(members)))
    case "ReducedGaussianGridNodes":
      let members = try Members(value, "\(place): \(key)", ["_target_", "grid"])
      return PlacedPoints(points: .octahedral(try octahedral(members)))
    case "LatLonNodes":
      let members = try Members(value, "\(place): \(key)", ["_target_", "latitudes", "longitudes"])
      let (latitudes, longitudes) = (try members.numbers("latitudes"), try members.numbers("longitudes"))
      guard latitudes.count == longitudes.count else {
        throw JigsawError(
          "\(place): \(key)", "has another number of longitudes than latitudes", expected: "\(latitudes.count)",
          found: "\(longitudes.count)")
      }
      for (latitude, longitude) in zip(latitudes, longitudes)
      where !(abs(latitude) <= 90 && abs(longitude) <= 720) {
        throw JigsawError(
          "\(place): \(key)", "has a point that is nowhere on the globe",
          expected: "latitudes from -90 to 90 and longitudes from -720 to 720 degrees",
          found: "\(latitude), \(longitude)")
      }
      // Numbers of a configuration are FP32 in PyTorch.
      let grid = PointGrid(latitudes: latitudes, longitudes: longitudes, isSinglePrecision: true)
      return PlacedPoints(points: .given(PointSpace(grid)))
    default:
      throw unknown(
        kind, "\(place): \(key)._target_",
        [
          "AnemoiDatasetNodes", "TriNodes", "LimitedAreaTriNodes", "StretchedTriNodes", "ReducedGaussianGridNodes",
          "LatLonNodes",
        ])
    }
  }

  private func octahedral(_ members: Members) throws -> Int {
    let grid = try members.string("grid")
    if grid.lowercased().hasPrefix("n") {
      throw JigsawError(
        members.place, "the points of \(grid) are a table that ECMWF publishes, not a formula", found: "grid: \(grid)",
        remedy:
          "take an octahedral grid (o\(grid.dropFirst())), a dataset on that grid, or give its points as LatLonNodes")
    }
    guard grid.lowercased().hasPrefix("o"), let number = Int(grid.dropFirst()) else {
      throw JigsawError(members.place, "no such grid", expected: "o<lines from pole to equator>", found: grid)
    }
    return number
  }

  private func area(_ members: Members) throws -> GraphRecipe.Area {
    GraphRecipe.Area(
      reference: try members.string("reference_node_name"), mask: try members.optionalString("mask_attr_name"),
      marginKm: try members.optionalNumber("margin_radius_km") ?? 100)
  }

  /// A mask of points; nil when the attribute is none.
  private func mask(
    _ value: JSONValue, _ points: PlacedPoints, _ others: [String: JSONValue], _ key: String
  ) throws -> [Bool]? {
    let kind = try target(value, key)
    switch kind {
    case "CutOutMask", "GridsMask":
      let members = try Members(value, "\(place): \(key)", ["_target_", "grids"])
      let wanted = members.value("grids")?.integers ?? members.value("grids")?.integer.map { [$0] } ?? [0]
      guard case .given = points.points, wanted.allSatisfy({ points.gridSizes.indices.contains($0) }) else {
        throw JigsawError(
          members.place, "needs a dataset of several grids", expected: "a cutout or grids",
          found: "\(points.gridSizes.count) grids")
      }
      return points.gridSizes.enumerated().flatMap { [Bool](repeating: wanted.contains($0.offset), count: $0.element) }
    case "BooleanNot":
      let members = try Members(value, "\(place): \(key)", ["_target_", "masks"])
      // Another mask by its name, or how it is built; not another negation by name, which could name this one.
      let inner = members.value("masks").flatMap { $0.string.flatMap { others[$0] } ?? $0 }
      guard let inner, inner.object != nil, members.value("masks")?.string == nil || inner["masks"] == nil,
        let known = try mask(inner, points, others, "\(key).masks")
      else { throw JigsawError(members.place, "negates one mask", expected: "masks: its name or its builder") }
      return known.map { !$0 }
    default: return nil
    }
  }

  private func weights(_ name: String, _ value: JSONValue, _ key: String) throws -> GraphRecipe.Weights {
    let mask = "mask_node_attr_name"
    let kinds: [String: (Members) throws -> AreaWeights] = [
      "SphericalAreaWeights": { _ in .spherical }, "CosineLatWeightedAttribute": { _ in .cosine },
      "PlanarAreaWeights": { _ in .planar(mask: nil) },
      "MaskedPlanarAreaWeights": { .planar(mask: try $0.string(mask)) },
    ]
    let target = try target(value, key)
    guard let kind = kinds[target] else {
      throw unknown(
        target, "\(place): \(key)._target_", kinds.keys.sorted() + ["CutOutMask", "GridsMask", "BooleanNot"])
    }
    let members = try Members(value, "\(place): \(key)", ["_target_", "norm", "fill_value", mask, "dtype"])
    return GraphRecipe.Weights(name: name, kind: try kind(members), norm: try norm(members))
  }

  private func norm(_ members: Members) throws -> Normalisation {
    guard let name = try members.optionalString("norm") else { return .none }
    guard let norm = Normalisation(rawValue: name), norm != .none else {
      throw unknown(name, "\(members.place).norm", Normalisation.allCases.filter { $0 != .none }.map(\.rawValue))
    }
    return norm
  }

  // MARK: Edges

  private func edgeSet(_ value: JSONValue, _ key: String) throws -> GraphRecipe.Edges {
    let members = try Members(
      value, "\(place): \(key)", ["source_name", "target_name", "edge_builders", "attributes"])
    guard let builders = members.value("edge_builders")?.array, !builders.isEmpty else {
      throw members.missing("edge_builders")
    }
    let given = members.value("attributes")?.object ?? [:]
    // The order of an object is lost; Anemoi's models name the attributes that they read in this one.
    let known = ["edge_length", "edge_dirs"]
    let names = known.filter { given[$0] != nil } + given.keys.filter { !known.contains($0) }.sorted()
    return GraphRecipe.Edges(
      source: try members.string("source_name"), destination: try members.string("target_name"),
      builders: try builders.enumerated().map { try edgeBuilder($1, "\(key).edge_builders[\($0)]") },
      attributes: try names.map { try attribute($0, given[$0] ?? .null, "\(key).attributes.\($0)") })
  }

  private func edgeBuilder(_ value: JSONValue, _ key: String) throws -> GraphRecipe.EdgeBuilder {
    let masks = ["_target_", "source_mask_attr_name", "target_mask_attr_name"]
    let kind = try target(value, key)
    let isReversed = kind.hasPrefix("Reversed")
    switch isReversed ? String(kind.dropFirst("Reversed".count)) : kind {
    case "KNNEdges":
      let members = try Members(value, "\(place): \(key)", masks + ["num_nearest_neighbours"])
      return try edgeBuilder(.nearest(try members.integer("num_nearest_neighbours")), members, isReversed)
    case "CutOffEdges":
      let members = try Members(
        value, "\(place): \(key)", masks + ["cutoff_factor", "cutoff_distance_km", "max_num_neighbours"])
      let radius: GraphRecipe.EdgeBuilder.Radius
      switch (try members.optionalNumber("cutoff_factor"), try members.optionalNumber("cutoff_distance_km")) {
      case (let factor?, nil): radius = .factor(factor)
      case (nil, let km?): radius = .km(km)
      default: throw JigsawError(members.place, "needs one of cutoff_factor and cutoff_distance_km")
      }
      let most = members.value("max_num_neighbours") == nil ? 64 : try members.integer("max_num_neighbours")
      return try edgeBuilder(.cutOff(radius, most: most), members, isReversed)
    case "MultiScaleEdges" where !isReversed:
      let members = try Members(value, "\(place): \(key)", masks + ["x_hops", "scale_resolutions"])
      let scales = members.value("scale_resolutions") ?? .null
      let levels: [Int]?
      if let most = scales.integer {
        guard (1...Icosphere.largestLevel).contains(most) else {
          throw JigsawError(
            members.place, "no such scale_resolutions", expected: "1 … \(Icosphere.largestLevel)", found: "\(most)")
        }
        levels = Array(1...most)
      } else if let list = scales.integers {
        levels = list
      } else if scales == .null {
        levels = nil
      } else {
        throw JigsawError(members.place, "no such scale_resolutions", expected: "a level or a list of levels")
      }
      return GraphRecipe.EdgeBuilder(.multiScale(levels: levels, hops: try members.integer("x_hops")))
    default:
      throw unknown(
        kind, "\(place): \(key)._target_",
        ["KNNEdges", "ReversedKNNEdges", "CutOffEdges", "ReversedCutOffEdges", "MultiScaleEdges"])
    }
  }

  private func edgeBuilder(
    _ kind: GraphRecipe.EdgeBuilder.Kind, _ members: Members, _ isReversed: Bool
  ) throws -> GraphRecipe.EdgeBuilder {
    GraphRecipe.EdgeBuilder(
      kind, sourceMask: try members.optionalString("source_mask_attr_name"),
      destinationMask: try members.optionalString("target_mask_attr_name"), isReversed: isReversed)
  }

  private func attribute(_ name: String, _ value: JSONValue, _ key: String) throws -> GraphRecipe.Attribute {
    let kinds: [String: EdgeGeometry] = ["EdgeLength": .length, "EdgeDirection": .direction]
    let target = try target(value, key)
    guard let kind = kinds[target] else { throw unknown(target, "\(place): \(key)._target_", kinds.keys.sorted()) }
    let members = try Members(value, "\(place): \(key)", ["_target_", "norm", "dtype"])
    return GraphRecipe.Attribute(name: name, kind: kind, norm: try norm(members))
  }

  // MARK: Words

  /// The last word of `_target_`.
  private func target(_ value: JSONValue, _ key: String) throws -> String {
    guard let path = value["_target_"]?.string, let name = path.split(separator: ".").last else {
      throw JigsawError("\(place): \(key)", "has no _target_ that names its builder")
    }
    return String(name)
  }

  private func unknown(_ name: String, _ place: String, _ known: [String]) -> JigsawError {
    JigsawError(
      place, "no '\(name)' here", expected: known.joined(separator: ", "),
      remedy: nearest(to: name, among: known).map { "did you mean '\($0)'?" })
  }
}

extension PointSpace {
  /// The points of a dataset: radians in the precision in which its degrees are stored, as others convert them.
  public init(_ grid: PointGrid) {
    if grid.isSinglePrecision {
      let degree = Float(Double.pi / 180)
      self.init(
        latitudes: grid.latitudes.map { Float($0) * degree }, longitudes: grid.longitudes.map { Float($0) * degree })
    } else {
      self.init(latitudesDegrees: grid.latitudes, longitudesDegrees: grid.longitudes)
    }
  }
}
