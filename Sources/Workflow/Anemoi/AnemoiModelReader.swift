import Basics
import Execution
import Geometry
import Models
import Stores
import Tensors

/// Finds the parts of a model in a checkpoint.
struct AnemoiModelReader {
  let checkpoint: AnemoiCheckpoint
  /// By place, which of the checkpoint's data points lies there; nil: they are in its order.
  private let order: [Int]?
  /// The graph with its points in this order.
  let graph: HeteroGraph

  init(_ checkpoint: AnemoiCheckpoint, order: [Int]? = nil) {
    self.checkpoint = checkpoint
    self.order = order
    graph = order.map { checkpoint.graph.reordered(AnemoiModelReader.dataNodes, $0) } ?? checkpoint.graph
  }

  private static let dataNodes = "data"

  func columns(_ space: String, _ side: String, _ kind: String) throws -> [Int] {
    let path = "data_indices.\(checkpoint.dataset).\(space).\(side).\(kind)"
    guard
      let list = checkpoint.metadata["data_indices"]?[checkpoint.dataset]?[space]?[side]?[kind]?.integers,
      list.allSatisfy({ $0 >= 0 && $0 < checkpoint.variables.count })
    else { throw JigsawError("\(checkpoint.path): \(path)", "is not a list of columns") }
    return list
  }

  /// Columns of the dataset's variables that the model reads, and that it predicts.
  func datasetColumns() throws -> (inputs: [Int], outputs: [Int]) {
    let names = checkpoint.metadata["data_indices"]?[checkpoint.dataset]?["model"]?["output"]?["name_to_index"]
    let inputs = try columns("data", "input", "full")
    let outputs = AnemoiModel.predicted(
      try columns("data", "output", "full"), of: checkpoint.variables, names: names ?? .null)
    let model = try modelVariables()
    guard inputs.count == model.inputs, outputs.count == model.outputs else {
      throw JigsawError(
        "\(checkpoint.path): data_indices.\(checkpoint.dataset)", "has other variables of the data than of the model",
        expected: "\(model.inputs) inputs and \(model.outputs) outputs",
        found: "\(inputs.count) and \(outputs.count)")
    }
    return (inputs, outputs)
  }

  func normalizer(_ side: String, _ part: String) throws -> [Float] {
    try floats("\(side)_processors.data.processors.normalizer._norm_\(part)", [checkpoint.variables.count])
  }

  private func floats(_ name: String, _ shape: [Int]) throws -> [Float] {
    let tensor = try checkpoint.tensor(name)
    guard tensor.type == "F32", tensor.shape == shape else {
      throw JigsawError(
        "\(checkpoint.path): \(name)", "doesn't fit its model", expected: "F32 \(shape)",
        found: "\(tensor.type) \(tensor.shape)")
    }
    return tensor.bytes.withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { Float(bitPattern: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)) }
    }
  }

  private func modelVariables() throws -> GraphModelDescription.Variables {
    let inputs = try columns("model", "input", "full").count
    let outputs = try columns("model", "output", "full").count
    let prognosticInputs = try columns("model", "input", "prognostic")
    let prognosticOutputs = try columns("model", "output", "prognostic")
    let forcingInputs = try columns("model", "input", "forcing")
    guard prognosticInputs.count == prognosticOutputs.count else {
      throw JigsawError(checkpoint.path, "has other prognostic variables in its input than in its output")
    }
    guard (prognosticInputs + forcingInputs).allSatisfy({ $0 < inputs }), prognosticOutputs.allSatisfy({ $0 < outputs })
    else {
      throw JigsawError(
        "\(checkpoint.path): data_indices.\(checkpoint.dataset).model", "has columns beyond its input or output",
        expected: "columns of \(inputs) inputs and \(outputs) outputs")
    }
    return GraphModelDescription.Variables(
      inputs: inputs, outputs: outputs, prognosticInputs: prognosticInputs, prognosticOutputs: prognosticOutputs,
      forcingInputs: forcingInputs)
  }

  func description() throws -> GraphModelDescription {
    guard let configuration = checkpoint.metadata["config"]?["model"] else {
      throw JigsawError(checkpoint.path, "has no configuration of its model")
    }
    let variables = try modelVariables()
    let boundings = try GraphModelDescription.Bounding.list(
      anemoi: configuration["bounding"]?["datasets"]?[checkpoint.dataset] ?? configuration["bounding"] ?? .array([]),
      outputs: checkpoint.metadata["data_indices"]?[checkpoint.dataset]?["model"]?["output"]?["name_to_index"] ?? .null,
      variables: checkpoint.variables, statistics: .null, place: checkpoint.path
    ) { index, count in
      try floats("model.boundings.data.\(index).norm_min_val", [count])
    }
    return try GraphModelDescription(
      anemoi: checkpoint.names.own(model: configuration), variables, inputSteps: checkpoint.inputSteps,
      outputSteps: checkpoint.outputSteps,
      boundings: boundings, place: checkpoint.path)
  }

  /// The checkpoint must hold every parameter of the model in its shape, before memory is taken for them.
  func requireShapes(_ table: ParameterTable) throws {
    for spec in table.specs where checkpoint.state[spec.name]?.shape != spec.shape {
      throw JigsawError(
        "\(checkpoint.path): \(spec.name)", "doesn't fit its model", expected: "\(spec.shape)",
        found: checkpoint.state[spec.name].map { "\($0.shape)" } ?? "nothing")
    }
  }

  /// Every parameter of the model; the checkpoint must hold no others.
  func load(_ parameters: ParameterStore) throws {
    var known = Set<String>()
    for (spec, tensor) in parameters.named(in: parameters.values) {
      known.insert(spec.name)
      let values = try inLayout(try floats(spec.name, spec.shape), spec)
      tensor.updateOnHost { _ = $0.update(fromContentsOf: values) }
    }
    let description = try description()
    let others = checkpoint.state.keys.filter {
      $0.hasPrefix("model.") && !known.contains($0) && !description.ignores(tensor: $0)
    }
    guard others.isEmpty else {
      throw JigsawError(
        checkpoint.path, "has parameters that its model does not have",
        found: others.sorted().prefix(3).joined(separator: ", "))
    }
  }

  /// Trainable numbers of edges follow the order of destinations; releases before 0.16 stored them in the order of the graph.
  /// Those of data points and of edges into them follow the points.
  private func inLayout(_ values: [Float], _ spec: ParameterSpec) throws -> [Float] {
    func rows(_ order: some Sequence<Int>) -> [Float] {
      order.flatMap { values[$0 * spec.columns..<($0 + 1) * spec.columns] }
    }
    let suffix = ".trainable.trainable"
    if let order, spec.name == "model.node_attributes.trainable_tensors.\(Self.dataNodes).trainable" {
      return rows(order)
    }
    guard spec.name.hasSuffix(suffix) else { return values }
    let ends =
      spec.name.contains("encoder_")
      ? ("data", "hidden")
      : spec.name.contains("decoder_") ? ("hidden", "data") : ("hidden", "hidden")
    guard let stored = checkpoint.graph.graph(from: ends.0, to: ends.1),
      let own = graph.graph(from: ends.0, to: ends.1)
    else { throw JigsawError(checkpoint.path, "has no edges of \(spec.name)") }
    guard checkpoint.state["\(spec.name.dropLast(suffix.count)).trainable_layout_version"] != nil else {
      return rows(own.perm.lazy.map(Int.init))
    }
    if own.perm == stored.perm { return values }
    var places = [Int](repeating: 0, count: stored.perm.count)
    for (place, edge) in stored.perm.enumerated() { places[Int(edge)] = place }
    return rows(own.perm.lazy.map { places[Int($0)] })
  }
}
