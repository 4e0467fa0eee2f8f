import Basics
import Checkpoints
import Communication
import Configuration
import Datasets
import Execution
import Geometry
import Models
import Stores
import Training

/// `jigsaw export anemoi`: a run of a graph model as anemoi-models has it, in plain files.
///
/// * `state_dict.safetensors`: weights, coordinates and normalisers by the names of anemoi-models 0.19.
/// * `graph.safetensors`: points and edges (`GraphFile`).
/// * `variables.json`: variables in the order of the state dict, with role and unit; input states and step.
public enum AnemoiExport {
  /// Says what was written.
  public static func run(_ run: String, to output: String, overwrites: Bool) throws -> String {
    if Files.exists(output) && !overwrites {
      throw JigsawError(output, "already exists", remedy: "pass --overwrite or name another output")
    }
    guard let checkpoint = try RunFolder(run).checkpoints().preferred() else {
      throw RunFolder(run).noCheckpoint()
    }
    let description = try checkpoint.description()
    guard let model = try description.makeModel() as? GraphForecastModel, let graph = description.fields.graph else {
      throw JigsawError(
        checkpoint.path, "is of a model that anemoi-models doesn't have",
        expected: ModelFamilies.all.filter { $0 is any AnemoiModelSettings.Type }.map { $0.family }
          .joined(separator: ", "),
        found: description.settings.family)
    }
    let variables = try ExportedVariables(checkpoint.manifest, model.columns)
    let weights = try checkpoint.tensors(.averaged, model.parameters)
    var state = weights.tensors
    addBuffers(to: &state, graph)
    for (name, tensor) in variables.normalisers { state[name] = tensor }
    try Replaceable.require(output, inputs: [], run: run)
    try Replaceable.requireFolder(
      output, mark: "variables.json", isOwn: ["state_dict.safetensors", "graph.safetensors"].contains)
    let lock = try OutputLock(output)
    defer { withExtendedLifetime(lock) {} }
    try Temporary.removeAbandoned(of: output)
    let folder = Temporary.name(for: output)
    do {
      try Files.createDirectory(folder)
      try Safetensors.write(state, metadata: ["format": "pt"], to: "\(folder)/state_dict.safetensors")
      try GraphFile.write(graph, to: "\(folder)/graph.safetensors")
      try Files.writeAtomically(
        variables.json(checkpoint.manifest, checksums: weights.checksums).text() + "\n",
        to: "\(folder)/variables.json")
      try Files.replace(output, by: folder)
    } catch {
      try? Files.remove(folder)
      throw error
    }
    return "\(checkpoint.path): \(state.count) tensors, \(variables.names.count) variables\nwrote \(output)"
  }

  /// Entries that anemoi-models keeps beside weights: coordinates, the version of the order of edges, names that stand for others.
  private static func addBuffers(to state: inout [String: Safetensors.Tensor], _ graph: HeteroGraph) {
    for (name, space) in graph.spaces {
      state["model.node_attributes.latlons_\(name)"] = .init(space.encodedCoordinates, shape: [space.count, 4])
    }
    for (name, tensor) in state {
      let trainable = ".trainable.trainable"
      if name.contains("_graph_provider."), name.hasSuffix(trainable) {
        state[name.dropLast(trainable.count) + ".trainable_layout_version"] = Safetensors.Tensor(
          type: "I64", shape: [], bytes: withUnsafeBytes(of: Int64(1).littleEndian) { Array($0) })
      }
      // The destination's norm of mappers has two names.
      let isMapper = name.hasPrefix("model.encoder.") || name.hasPrefix("model.decoder.")
      if isMapper, name.contains(".layer_norm_attention.") {
        state[name.replacing(".layer_norm_attention.", with: ".layer_norm_attention_dest.")] = tensor
      }
    }
  }
}

/// The variables of a run in an order of one dataset, from which those of inputs and predictions follow.
struct ExportedVariables {
  private struct Variable {
    let role, units: String
    let scaling: AffineScaling
  }

  let names: [String]
  private let variables: [String: Variable]
  private let inputs, outputs: [String]

  init(_ manifest: CheckpointManifest, _ columns: GraphColumns) throws {
    guard let auxiliary = manifest.auxiliaryScaling else {
      throw JigsawError(
        "static fields", "are normalised by numbers that this checkpoint does not hold",
        remedy: "resume from it once: later checkpoints have them")
    }
    func name(_ channel: Channel) -> String {
      // ECMWF calls the geopotential of the surface z as well as that on levels: such a name would be read as the other one's.
      let short = Lexicon[channel.variable]?.ecmwf?.shortName ?? channel.variable
      let stem = Lexicon[short] == nil ? short : channel.variable
      return channel.levelHPa.map { "\(stem)_\(Channel.text($0))" } ?? stem
    }
    var variables: [String: Variable] = [:]
    func add(_ entry: CheckpointManifest.ChannelEntry, _ role: String) -> String {
      let name = name(entry.channel)
      variables[name] = Variable(
        role: role, units: entry.units,
        scaling: AffineScaling(offset: entry.statistics.mean, scale: entry.statistics.deviation))
      return name
    }
    let diagnostics = manifest.model.fields.diagnostics
    let predicted = manifest.channels.enumerated().map { index, entry in
      add(entry, diagnostics.contains(index) ? "diagnostic" : "prognostic")
    }
    var known = predicted.indices.filter { !diagnostics.contains($0) }.map { predicted[$0] }
    let constant = manifest.staticFields.map { (name(Channel(variable: $0)), Lexicon.variable($0).units) }
    for (index, entry) in (constant + manifest.forcings.map { ($0.rawValue, "1") }).enumerated() {
      variables[entry.0] = Variable(role: "forcing", units: entry.1, scaling: auxiliary[index])
      known.append(entry.0)
    }
    known += (manifest.readForcings ?? []).map { add($0, "forcing") }
    guard Set(predicted).union(known).count == predicted.count + known.count - (predicted.count - diagnostics.count)
    else {
      throw JigsawError(
        "variables", "have one name for two in Anemoi", found: (predicted + known).joined(separator: ", "))
    }
    inputs = columns.inputs.map { known[$0] }
    outputs = columns.outputs.map { predicted[$0] }
    self.variables = variables
    names = try ExportedVariables.merged(inputs, outputs)
  }

  /// All of both once, each in its order.
  /// - Throws: where the two contradict each other.
  static func merged(_ inputs: [String], _ outputs: [String]) throws -> [String] {
    var (names, rest) = ([String](), outputs[...])
    for name in inputs {
      if let place = rest.firstIndex(of: name) {
        names += rest[...place]
        rest = rest[(place + 1)...]
      } else if names.contains(name) {
        throw JigsawError(
          "model.outputOrder", "contradicts model.inputOrder, and Anemoi has one order of variables for both",
          expected: inputs.filter(outputs.contains).joined(separator: ", "),
          found: outputs.filter(inputs.contains).joined(separator: ", "))
      } else {
        names.append(name)
      }
    }
    return names + rest
  }

  /// normalised = value·mul + add, and places in the order of all variables.
  var normalisers: [String: Safetensors.Tensor] {
    let scaling = names.compactMap { variables[$0]?.scaling }
    func places(_ some: [String], _ of: [String]) -> Safetensors.Tensor {
      .init(some.compactMap { of.firstIndex(of: $0) }.map(Int32.init), shape: [some.count])
    }
    let tensors: [String: Safetensors.Tensor] = [
      "_norm_mul": .init(scaling.map { Float(1 / $0.scale) }, shape: [names.count]),
      "_norm_add": .init(scaling.map { Float(-$0.offset / $0.scale) }, shape: [names.count]),
      "_input_idx": places(inputs, names), "_output_idx": places(outputs, names),
      "_model_output_idx": places(outputs, names),
    ]
    return Dictionary(
      uniqueKeysWithValues: ["pre", "post"].flatMap { side in
        tensors.map { ("\(side)_processors.data.processors.normalizer.\($0)", $1) }
      })
  }

  /// - Parameter checksums: CRC-32C of weights, where the manifest has them.
  func json(_ manifest: CheckpointManifest, checksums: [String: String]) throws -> JSONValue {
    .object([
      "update": .integer(manifest.progress.update), "weights": .string(manifest.identity.hash),
      "crc32c": .object(checksums.mapValues { .string($0) }),
      "writtenBy": .string("jigsaw \(jigsawVersion)"), "family": .string(manifest.model.settings.family),
      "settings": .object(
        Dictionary(manifest.model.settings.entries.map { ($0.key, .string($0.value)) }) { first, _ in first }),
      "stepHours": .integer(manifest.stepHours),
      "inputSteps": .array(manifest.model.fields.inputSteps.map { .integer($0 * manifest.stepHours) }),
      "variables": .array(
        names.compactMap { name in
          variables[name].map {
            .object(["name": .string(name), "role": .string($0.role), "units": .string($0.units)])
          }
        }),
    ])
  }
}
