import Basics
import Geometry
import Stores

/// An inference checkpoint of anemoi-training (`inference-*.ckpt`), read as plain data: nothing of it is executed.
public struct AnemoiCheckpoint: Sendable {
  public let path: String
  /// The state dict by its names in the present release (`AnemoiLayouts`), and ours of what its users name (`AnemoiNames`).
  public let state: [String: TorchArchive.Tensor]
  /// The model's points and edges, as its configuration built them: nodes are `data` and `hidden`.
  public let graph: HeteroGraph
  /// `anemoi.json`: configuration, variables, indices, provenance.
  public let metadata: JSONValue
  /// The name of the dataset that the model is for, by which its metadata have it.
  public let dataset: String
  let names: AnemoiNames
  private let archive: TorchArchive
  private let module: TorchModule

  /// The longest metadata document, and the longest supporting array.
  private static let documentLimit = 256 << 20
  private static let arrayLimit = 1 << 30

  /// - Throws: naming the file and what of it is damaged, refused or of a kind that is not supported.
  public init(_ path: String) throws {
    self.path = path
    let archive = try TorchArchive(path, isAllowed: AnemoiGlobals.contain)
    self.archive = archive
    let root = archive.document.root
    guard archive.document.className(root)?.hasSuffix("AnemoiModelInterface") == true else {
      throw JigsawError(
        path, "is not an inference checkpoint of Anemoi", expected: "an AnemoiModelInterface",
        found: archive.document.className(root) ?? "another value",
        remedy: "take the file whose name begins with inference-; the one for training holds other things")
    }
    module = try TorchModule(archive, root)
    let state = AnemoiLayouts.state(module.state)
    metadata = AnemoiLayouts.metadata(try Self.metadata(archive))
    let names = AnemoiNames(tensors: state.keys, configuration: metadata["config"] ?? .null)
    self.names = names
    self.state = Dictionary(state.map { (names.own($0.key), $0.value) }) { first, _ in first }
    graph = try names.own(AnemoiGraph(archive, root).graph).withAttributes(
      of: metadata["config"]?["model"] ?? .null, place: path)
    let datasets =
      metadata["metadata_inference"]?["dataset_names"]?.strings ?? metadata["dataset"]?.object?.keys.sorted()
    guard let name = datasets?.first, datasets?.count == 1 else {
      throw JigsawError(
        path, "is of a model for another number of datasets than one",
        found: datasets?.joined(separator: ", ") ?? "none")
    }
    dataset = name
    try verify()
  }

  private static func metadata(_ archive: TorchArchive) throws -> JSONValue {
    let name = "\(archive.root)/anemoi-metadata/anemoi.json"
    guard let bytes = try archive.entry(name, limit: documentLimit) else {
      throw JigsawError(
        archive.path, "has no metadata", expected: name,
        remedy: "take the inference checkpoint that anemoi-training wrote, not a copy saved by PyTorch")
    }
    return try JSONValue(parsing: bytes, place: "\(archive.path)/\(name)")
  }

  /// The elements of a tensor of the state dict.
  public func tensor(_ name: String) throws -> Safetensors.Tensor {
    guard let tensor = state[name] else { throw JigsawError(path, "has no tensor '\(name)'") }
    return Safetensors.Tensor(type: tensor.type, shape: tensor.shape, bytes: try archive.bytes(tensor))
  }

  // MARK: What it says of variables

  /// Names in the order of the dataset.
  public var variables: [String] { metadata["dataset"]?[dataset]?["variables"]?.strings ?? [] }

  /// "forcing", "prognostic" or "diagnostic" of each variable that the model knows.
  public var roles: [String: String] {
    let types = metadata["metadata_inference"]?[dataset]?["variable_types"]?.object ?? [:]
    var roles: [String: String] = [:]
    for (role, names) in types { for name in names.strings ?? [] { roles[name] = role } }
    return roles
  }

  /// States that the model reads and predicts at once, and the time between them.
  public var inputSteps: Int {
    ["n_step_input", "multi_step"].lazy.compactMap { number($0) }.first ?? 1
  }
  public var outputSteps: Int {
    number("n_step_output") ?? 1
  }

  /// A number that the model's interface keeps.
  private func number(_ name: String) -> Int? {
    archive.document.attribute(name, of: archive.document.root).flatMap { archive.document.integer($0) }
  }

  public var timestep: String? { metadata["metadata_inference"]?[dataset]?["timesteps"]?["timestep"]?.string }

  /// Arrays that a forecast needs beside the model: coordinates in degrees, masks.
  public func supportingArrays() throws -> [String: Safetensors.Tensor] {
    let types = ["float32": "F32", "float64": "F64", "bool": "BOOL", "int64": "I64", "int32": "I32"]
    var arrays: [String: Safetensors.Tensor] = [:]
    for (name, entry) in metadata["supporting_arrays_paths"]?[dataset]?.object ?? [:] {
      let place = "\(path): supporting_arrays_paths.\(name)"
      guard let file = entry["path"]?.string, let shape = entry["shape"]?.integers, let dtype = entry["dtype"]?.string,
        let type = types[dtype], shape.allSatisfy({ $0 >= 0 })
      else { throw JigsawError(place, "can't be read", expected: "path, shape and a dtype of \(types.keys.sorted())") }
      guard let bytes = try archive.entry(file, limit: Self.arrayLimit) else {
        throw JigsawError(place, "leads to nothing", found: file)
      }
      let width = type == "BOOL" ? 1 : type.hasSuffix("64") ? 8 : 4
      guard bytes.count == shape.reduce(width, { $0.multipliedSaturating(by: $1) }) else {
        throw JigsawError(
          place, "has another length than its shape", expected: "\(shape) of \(dtype)", found: "\(bytes.count) bytes")
      }
      arrays[name] = Safetensors.Tensor(type: type, shape: shape, bytes: bytes)
    }
    return arrays
  }

  // MARK: Consistency

  /// Tensors must fit the graph, the variables and each other.
  private func verify() throws {
    let count = variables.count
    guard count > 0, Set(variables).count == count else {
      throw JigsawError(path, "has no list of variables", expected: "dataset.\(dataset).variables, each once")
    }
    for (name, tensor) in state.sorted(by: { $0.key < $1.key })
    where name.hasSuffix("normalizer._norm_mul") || name.hasSuffix("normalizer._norm_add") {
      try require(name, tensor.shape == [count], "[\(count)], one number per variable")
    }
    for (name, space) in graph.spaces {
      try require("model.node_attributes.latlons_\(name)", [space.count, 4])
      let trainable = "model.node_attributes.trainable_tensors.\(name).trainable"
      if let tensor = state[trainable] {
        try require(trainable, tensor.shape.count == 2 && tensor.shape[0] == space.count, "[\(space.count), numbers]")
      }
    }
    for (name, tensor) in state.sorted(by: { $0.key < $1.key })
    where name.hasSuffix("graph_provider.trainable.trainable")
      || name.contains("_graph_provider.") && name.hasSuffix(".trainable.trainable")
    {
      let counts = graph.edges.map(\.count)
      try require(
        name, tensor.shape.count == 2 && counts.contains(tensor.shape[0]), "[edges, numbers] for \(counts) edges")
    }
    guard (1...1_024).contains(inputSteps) else {
      throw JigsawError(path, "reads an impossible number of states", expected: "1 to 1024", found: "\(inputSteps)")
    }
    try verifyWidths()
    try verifySortedEdges()
  }

  /// The model keeps its edges by destination, with their attributes side by side: some set of edges must give just these.
  private func verifySortedEdges() throws {
    let sorted = graph.edges.compactMap { graph.graph(from: $0.source, to: $0.destination) }
    for (name, tensor) in module.otherBuffers.sorted(by: { $0.key < $1.key }) where name.hasSuffix(".edge_attr") {
      let index = String(name.dropLast("edge_attr".count)) + "edge_index_base"
      guard let ends = module.otherBuffers[index], ends.type == "I32", tensor.type == "F32" else { continue }
      let (attributes, endBytes) = (try archive.bytes(tensor), try archive.bytes(ends))
      let isKnown = sorted.contains { graph in
        let own = (graph.sources + graph.destinations).withUnsafeBytes { Array($0) }
        return own == endBytes && graph.attributes.withUnsafeBytes { Array($0) } == attributes
      }
      guard isKnown else {
        throw JigsawError(
          "\(path): \(name)", "doesn't fit the graph", expected: "attributes of edges sorted by destination",
          found: "\(tensor.shape)")
      }
    }
  }

  /// Widths of the first and the last layer follow from variables and steps.
  private func verifyWidths() throws {
    let roles = roles
    let inputs = variables.count { roles[$0] == "forcing" || roles[$0] == "prognostic" }
    let outputs = variables.count { roles[$0] == "diagnostic" || roles[$0] == "prognostic" }
    let trainable = state["model.node_attributes.trainable_tensors.data.trainable"]?.shape.last ?? 0
    let width = inputSteps.multipliedSaturating(by: inputs).addingSaturating(4 + trainable)
    for (name, tensor) in state.sorted(by: { $0.key < $1.key })
    where name.hasPrefix("model.encoder.")
      && (name.hasSuffix("emb_nodes_src.weight") || name.hasSuffix("emb_nodes_src.mlp.0.weight"))
    {
      try require(
        name, tensor.shape.count == 2 && tensor.shape[1] == width || tensor.shape.last == width + 1,
        "\(width) columns: \(inputs) variables of \(inputSteps) states, 4 coordinates, \(trainable) trainable numbers")
    }
    for (name, tensor) in state where name.hasPrefix("model.decoder.") && name.hasSuffix("node_data_extractor.1.weight")
    {
      let rows = outputSteps.multipliedSaturating(by: outputs)
      try require(name, tensor.shape.first == rows, "\(rows) rows: \(outputs) variables of \(outputSteps) states")
    }
  }

  private func require(_ name: String, _ shape: [Int]) throws {
    guard let tensor = state[name] else { throw JigsawError(path, "has no tensor '\(name)'") }
    try require(name, tensor.shape == shape, "\(shape)")
  }

  private func require(_ name: String, _ isRight: Bool, _ expected: String) throws {
    guard !isRight else { return }
    throw JigsawError(
      "\(path): \(name)", "doesn't fit the graph or the variables", expected: expected,
      found: state[name].map { "\($0.shape)" } ?? "nothing")
  }
}
