import Basics
import Models
import Stores
import Tensors
import Workflow

/// A folder of a golden case: config.json, graph.safetensors, weights.safetensors, case.safetensors, losses.json.
struct CaseFiles {
  let folder: String
  let config: JSONValue
  let graph, weights, values: Safetensors.File
  let names: AnemoiNames

  init(_ folder: String) throws {
    self.folder = folder
    func path(_ name: String) -> String { "\(folder)/\(name)" }
    config = try JSONValue(parsing: try Files.read(path("config.json")), place: path("config.json"))
    graph = try Safetensors.File(path("graph.safetensors"))
    weights = try Safetensors.File(path("weights.safetensors"))
    values = try Safetensors.File(path("case.safetensors"))
    names = AnemoiNames(tensors: weights.entries.keys, configuration: config["anemoi_config"] ?? .null)
  }

  func losses() throws -> JSONValue {
    try JSONValue(parsing: try Files.read("\(folder)/losses.json"), place: "\(folder)/losses.json")
  }

  /// A member of the configuration, by the way to it.
  func setting(_ path: String...) throws -> JSONValue {
    var value = config
    for key in path {
      guard let next = value[key] else {
        throw JigsawError("\(folder)/config.json", "has no \(path.joined(separator: "."))")
      }
      value = next
    }
    return value
  }

  /// Columns of the data that the model predicts.
  func predictedColumns() throws -> [Int] {
    let names = try setting("indices", "model", "output", "name_to_index")
    let columns = try indices("data", "output", "full")
    let variables = try setting("variables").strings ?? []
    guard columns.allSatisfy(variables.indices.contains) else {
      throw JigsawError("\(folder)/config.json: indices.data.output.full", "has columns beyond the variables")
    }
    return AnemoiModel.predicted(columns, of: variables, names: names)
  }

  func integer(_ path: String, _ key: String) throws -> Int {
    guard let value = try setting(path, key).integer else {
      throw JigsawError("\(folder)/config.json: \(path).\(key)", "is not a whole number")
    }
    return value
  }

  /// Columns of a kind of variables: `data` or `model`, `input` or `output`, `full`, `prognostic` …
  func indices(_ space: String, _ side: String, _ kind: String) throws -> [Int] {
    guard let list = try setting("indices", space, side, kind).integers else {
      throw JigsawError("\(folder)/config.json: indices.\(space).\(side).\(kind)", "is not a list of whole numbers")
    }
    return list
  }
}

extension Safetensors.File {
  func integers(_ name: String) throws -> [Int32] {
    let tensor = try tensor(name)
    guard tensor.type == "I32" else { throw JigsawError("\(path): \(name)", "is not of type I32", found: tensor.type) }
    return tensor.bytes.withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)) }
    }
  }

  func flags(_ name: String) throws -> [Bool] {
    let tensor = try tensor(name)
    guard tensor.type == "BOOL" else {
      throw JigsawError("\(path): \(name)", "is not of type BOOL", found: tensor.type)
    }
    return tensor.bytes.map { $0 != 0 }
  }

  func shape(_ name: String) throws -> [Int] {
    guard let entry = entries[name] else { throw JigsawError(path, "has no tensor '\(name)'") }
    return entry.shape
  }
}

extension CaseFiles {
  /// A section of a configuration that anemoi-models has for each dataset, or once for all.
  func ofDataset(_ section: JSONValue?) throws -> JSONValue? {
    guard let section, section != .null else { return nil }
    guard let datasets = section["datasets"] else { return section }
    if let own = datasets[names.dataset] { return own }
    throw JigsawError(
      "\(folder)/config.json", "has settings of other datasets", expected: names.dataset,
      found: datasets.object?.keys.sorted().joined(separator: ", ") ?? "none")
  }
}

extension CaseFiles {
  /// - Throws: where the case's data were processed by more than a normaliser, whose numbers the case holds.
  func checkProcessors() throws {
    guard let data = try ofDataset(config["anemoi_config"]?["data"]) else { return }
    for (name, processor) in (data["processors"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
      let kind = processor["_target_"]?.string?.split(separator: ".").last.map(String.init) ?? "?"
      if kind == "InputNormalizer" { continue }
      throw JigsawError(
        "\(folder)/config.json: data.processors.\(name)", "is a processor that is not computed here",
        expected: "InputNormalizer", found: kind)
    }
  }

  /// The graph in the order in which the model reads it.
  func modelGraph() throws -> ModelGraph {
    let (points, mesh) = (names.dataNodes, names.hiddenNodes)
    func edges(_ name: String, _ sources: Int, _ destinations: Int) throws -> ModelGraph.Edges {
      let indices = try graph.integers("edges/\(name)/sorted_edge_index")
      let count = indices.count / 2
      let shape = try graph.shape("edges/\(name)/sorted_edge_attr")
      let ends = indices[count...]
      guard indices.count == 2 * count, shape.count == 2, shape[0] == count,
        indices[..<count].allSatisfy({ (0..<sources).contains(Int($0)) }),
        ends.allSatisfy({ (0..<destinations).contains(Int($0)) }), zip(ends, ends.dropFirst()).allSatisfy({ $0 <= $1 })
      else {
        throw JigsawError(
          "\(graph.path): edges/\(name)", "are not edges sorted by destination, with a row of attributes for each",
          expected: "\(sources) sources, \(destinations) destinations", found: "\(count) edges, attributes \(shape)")
      }
      var starts = [Int32](repeating: 0, count: destinations + 1)
      for destination in indices[count...] { starts[Int(destination) + 1] += 1 }
      for i in 0..<destinations { starts[i + 1] += starts[i] }
      let attributes = "edges/\(name)/sorted_edge_attr"
      return ModelGraph.Edges(
        EdgeLists(destinationStarts: starts, sources: Array(indices[..<count]), sourceCount: sources),
        attributes: try graph.floats(attributes), attributeCount: try graph.shape(attributes)[1])
    }
    let (data, hidden) = (
      try graph.floats("nodes/\(points)/latlon_rad"), try graph.floats("nodes/\(mesh)/latlon_rad")
    )
    let (n, m) = (data.count / 2, hidden.count / 2)
    let hasProcessorEdges = graph.entries["edges/\(mesh)_to_\(mesh)/sorted_edge_index"] != nil
    return ModelGraph(
      dataCoordinates: data, hiddenCoordinates: hidden, dataToHidden: try edges("\(points)_to_\(mesh)", n, m),
      hiddenToHidden: hasProcessorEdges ? try edges("\(mesh)_to_\(mesh)", m, m) : nil,
      hiddenToData: try edges("\(mesh)_to_\(points)", m, n))
  }

  func modelDescription() throws -> GraphModelDescription {
    let model = names.own(model: try setting("anemoi_config", "model"))
    let variables = GraphModelDescription.Variables(
      inputs: try indices("model", "input", "full").count, outputs: try indices("model", "output", "full").count,
      prognosticInputs: try indices("model", "input", "prognostic"),
      prognosticOutputs: try indices("model", "output", "prognostic"),
      forcingInputs: try indices("model", "input", "forcing"))
    let boundings = try GraphModelDescription.Bounding.list(
      anemoi: try ofDataset(model["bounding"]) ?? .array([]),
      outputs: try setting("indices", "model", "output", "name_to_index"),
      variables: try setting("variables").strings ?? [], statistics: try setting("statistics_used_by_model"),
      place: "\(folder)/config.json")
    return try GraphModelDescription(
      anemoi: model, variables, inputSteps: try integer("sample", "n_step_input"),
      outputSteps: try integer("sample", "n_step_output"), boundings: boundings, place: "\(folder)/config.json")
  }
}
