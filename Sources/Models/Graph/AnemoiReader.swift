import Basics
import Tensors

/// Finds its way in a configuration of anemoi-training.
struct AnemoiReader {
  let model: JSONValue
  let place: String

  init(_ model: JSONValue, _ place: String) {
    self.model = model
    self.place = place
  }

  func refusal(_ key: String, _ expected: String, _ found: String) -> JigsawError {
    JigsawError(
      "\(place): model.\(key)", "is not among the models computed here", expected: expected, found: found,
      remedy: "see docs/graph-models.md for the settings that are")
  }

  func integer(_ key: String, in section: JSONValue? = nil, at path: String = "", default fallback: Int? = nil) throws
    -> Int
  {
    if let value = (section ?? model)[key]?.integer { return value }
    if let fallback, (section ?? model)[key] == nil { return fallback }
    throw refusal(path + key, "a whole number", (section ?? model)[key]?.line ?? "nothing")
  }

  /// A whole number within the bounds of what can be a size.
  func count(
    _ key: String, in section: JSONValue?, at path: String = "", from least: Int = 0, to most: Int = 1 << 20,
    default fallback: Int? = nil
  ) throws -> Int {
    let value = try integer(key, in: section ?? .object([:]), at: path, default: fallback)
    guard (least...most).contains(value) else {
      throw refusal(path + key, "a whole number from \(least) to \(most)", "\(value)")
    }
    return value
  }

  func flag(_ key: String, in section: JSONValue?, at path: String, default fallback: Bool) throws -> Bool {
    guard let value = section?[key], value != .null else { return fallback }
    guard let flag = value.isTrue else { throw refusal(path + key, "true or false", value.line) }
    return flag
  }

  func real(_ key: String, in section: JSONValue?, at path: String, default fallback: Double) throws -> Double {
    guard let value = section?[key], value != .null else { return fallback }
    guard let number = value.double, number.isFinite else { throw refusal(path + key, "a number", value.line) }
    return number
  }

  /// Checks settings of the model as a whole.
  func checkWhole(
    _ variables: GraphModelDescription.Variables, inputSteps: Int, outputSteps: Int
  ) throws {
    let whole = model["model"]
    if whole?["_target_"] != nil {
      let name = try target(whole, "model._target_")
      guard ["AnemoiModelEncProcDec", "AnemoiEnsModelEncProcDec"].contains(name) else {
        throw refusal("model._target_", "AnemoiModelEncProcDec or AnemoiEnsModelEncProcDec", name)
      }
    }
    for (section, path) in [(model, ""), (whole ?? .object([:]), "model.")]
    where try flag("condition_on_residual", in: section, at: path, default: false) {
      throw refusal(path + "condition_on_residual", "false", "true")
    }
    let sets = [
      (variables.prognosticInputs, variables.inputs), (variables.forcingInputs, variables.inputs),
      (variables.prognosticOutputs, variables.outputs),
    ]
    guard sets.allSatisfy({ columns, count in columns.allSatisfy { (0..<count).contains($0) } }),
      variables.prognosticInputs.count == variables.prognosticOutputs.count, (1...1_024).contains(inputSteps),
      (1...1_024).contains(outputSteps)
    else {
      throw JigsawError(
        place, "has variables or steps that don't fit together",
        expected:
          "columns among \(variables.inputs) inputs and \(variables.outputs) outputs, as many prognostic in as out",
        found: "\(variables.prognosticInputs.count) and \(variables.prognosticOutputs.count) prognostic, "
          + "\(inputSteps) and \(outputSteps) steps")
    }
  }

  /// The last part of a `_target_`, the name of a class.
  func target(_ section: JSONValue?, _ key: String) throws -> String {
    guard let name = section?["_target_"]?.string?.split(separator: ".").last else {
      throw refusal(key, "a _target_", "nothing")
    }
    return String(name)
  }

  func trainable(_ key: String, _ part: String) throws -> Int {
    guard let section = model[key] else { return 0 }
    return try count(part, in: section, at: "\(key).", default: 0)
  }

  /// Trainable parameters of each edge: the section's own `trainable_size` where it has one.
  func trainableEdges(_ section: JSONValue?, _ part: String) throws -> Int {
    if section?["trainable_size"] != nil { return try count("trainable_size", in: section, at: "\(part).") }
    return try trainable("edge_trainable_parameters", part)
  }

  /// The only mapper of the encoders or decoders.
  func mapperSection(_ key: String) -> JSONValue? { model[key]?.object?.first?.value["mapper"] }

  // MARK: Layers

  private func activation(_ section: JSONValue, _ key: String) throws -> ActivationKind {
    // Without kernels of its own a section has torch's; releases before them have the name of the activation alone.
    if section["layer_kernels"] == nil, let name = section["activation"], name != .null {
      let kinds: [String: ActivationKind] = ["GELU": .gelu, "SiLU": .silu, "ReLU": .relu, "Sigmoid": .sigmoid]
      guard let kind = name.string.flatMap({ kinds[$0] }) else {
        throw refusal("\(key).activation", "GELU, SiLU, ReLU or Sigmoid", name.line)
      }
      return kind
    }
    guard let kernel = section["layer_kernels"]?["Activation"] else { return .gelu }
    let name = try target(kernel, "\(key).layer_kernels.Activation")
    switch (name, kernel["approximate"]?.string ?? "none") {
    case ("GELU", "none"): return .gelu
    case ("SiLU", _): return .silu
    case ("ReLU", _): return .relu
    case ("Sigmoid", _): return .sigmoid
    default:
      throw refusal(
        "\(key).layer_kernels.Activation", "GELU (exact), SiLU, ReLU or Sigmoid",
        kernel["approximate"] == nil ? name : kernel.line)
    }
  }

  private func checkKernels(_ section: JSONValue, _ key: String, conditional: Bool) throws -> Bool {
    let kernels = section["layer_kernels"]
    for name in ["QueryNorm", "KeyNorm"] {
      guard let norm = kernels?[name] else { continue }
      let kind = try target(norm, "\(key).layer_kernels.\(name)")
      guard ["LayerNorm", "AutocastLayerNorm"].contains(kind), norm["bias"]?.isTrue != true,
        norm["elementwise_affine"]?.isTrue != false, norm["eps"].map({ $0.double == 1e-5 }) ?? true
      else { throw refusal("\(key).layer_kernels.\(name)", "LayerNorm with weights and without bias", norm.line) }
    }
    if kernels?["Linear"]?["bias"]?.isTrue == false {
      throw refusal("\(key).layer_kernels.Linear.bias", "true", "false")
    }
    for option in ["elementwise_affine", "bias"] where kernels?["LayerNorm"]?[option]?.isTrue == false {
      throw refusal("\(key).layer_kernels.LayerNorm.\(option)", "true", "false")
    }
    if let linear = kernels?["Linear"], try target(linear, "\(key).layer_kernels.Linear") != "Linear" {
      throw refusal("\(key).layer_kernels.Linear", "torch.nn.Linear", linear["_target_"]?.string ?? "")
    }
    guard let norm = kernels?["LayerNorm"] else { return false }
    let name = try target(norm, "\(key).layer_kernels.LayerNorm")
    if let epsilon = norm["eps"]?.double, epsilon != 1e-5 {
      throw refusal("\(key).layer_kernels.LayerNorm.eps", "1e-5", "\(epsilon)")
    }
    switch name {
    case "LayerNorm", "AutocastLayerNorm": return false
    case "ConditionalLayerNorm" where conditional: return true
    default:
      throw refusal("\(key).layer_kernels.LayerNorm", "LayerNorm or AutocastLayerNorm", name)
    }
  }

  private func layer(_ section: JSONValue, _ key: String, channels: Int) throws -> GraphModelDescription.Layer {
    let ratio = try real("mlp_hidden_ratio", in: section, at: "\(key).", default: 1)
    guard ratio > 0, ratio * Double(channels) < Double(1 << 24) else {
      throw refusal("\(key).mlp_hidden_ratio", "a ratio above 0", "\(ratio)")
    }
    let attention =
      section["attn_channels"] == .null
      ? channels : try count("attn_channels", in: section, at: "\(key).", from: 1, default: channels)
    var layer = GraphModelDescription.Layer(
      hiddenWidth: Int((Double(channels) * ratio + 0.5).rounded(.down)), attentionChannels: attention)
    let activation = try activation(section, key)
    layer.hidden =
      switch section["mlp_implementation"]?.string ?? "mlp" {
      case "mlp": .plain(activation)
      case "glu": .gated(.sigmoid)
      case "swiglu": .gated(.silu)
      case "geglu": .gated(.gelu)
      case "reglu": .gated(.relu)
      case let other:
        throw refusal("\(key).mlp_implementation", "mlp, glu, swiglu, geglu or reglu", other)
      }
    layer.heads = try integer("num_heads", in: section, at: "\(key).", default: 1)
    guard layer.heads > 0, attention % layer.heads == 0 else {
      throw refusal("\(key).num_heads", "a divisor of \(attention) channels", "\(layer.heads)")
    }
    layer.normalizesQueries = try flag("qk_norm", in: section, at: "\(key).", default: false)
    layer.edgeActivation =
      try flag("edge_pre_mlp", in: section, at: "\(key).", default: false) ? activation : nil
    layer.extraLayers = try count("mlp_extra_layers", in: section, at: "\(key).", to: 100, default: 0)
    return layer
  }

  func mapper(_ key: String) throws -> GraphModelDescription.Mapper {
    guard let entries = model[key]?.object, entries.count == 1, let entry = entries.first,
      let section = entry.value["mapper"]
    else { throw refusal(key, "one mapper", "\(model[key]?.object?.count ?? 0)") }
    let name = try target(section, "\(key).mapper")
    let channels = try count(
      "num_channels", in: section, at: "\(key).mapper.", from: 1, default: model["num_channels"]?.integer)
    let isEncoder = key == "encoders"
    let kinds: [String: GraphModelDescription.MapperKind] =
      isEncoder
      ? ["GraphTransformerForwardMapper": .graphTransformer, "GNNForwardMapper": .edgeNetwork]
      : ["GraphTransformerBackwardMapper": .graphTransformer, "GNNBackwardMapper": .edgeNetwork]
    guard let kind = kinds[name] else {
      throw refusal("\(key).mapper", kinds.keys.sorted().joined(separator: " or "), name)
    }
    _ = try checkKernels(section, "\(key).mapper", conditional: false)
    var mapper = GraphModelDescription.Mapper(
      kind, try layer(section, "\(key).mapper", channels: channels), channels: channels)
    mapper.startsAtZero = try flag("initialise_data_extractor_zero", in: section, at: "\(key).mapper.", default: false)
    return mapper
  }

  func processor() throws -> GraphModelDescription.Processor {
    guard let section = model["processor"] else { throw refusal("processor", "a processor", "none") }
    let name = try target(section, "processor")
    let kinds: [String: GraphModelDescription.ProcessorKind] = [
      "GraphTransformerProcessor": .graphTransformer, "GNNProcessor": .edgeNetwork,
      "TransformerProcessor": .transformer,
    ]
    guard let kind = kinds[name] else {
      throw refusal("processor", kinds.keys.sorted().joined(separator: ", "), name)
    }
    let channels = try integer("num_channels", in: section, at: "processor.", default: model["num_channels"]?.integer)
    guard channels == model["num_channels"]?.integer else {
      throw refusal("processor.num_channels", "model.num_channels", "\(channels)")
    }
    var processor = GraphModelDescription.Processor(
      kind, try layer(section, "processor", channels: channels),
      layers: try count("num_layers", in: section, at: "processor.", from: 1, to: 10_000))
    processor.isConditional = try checkKernels(section, "processor", conditional: kind != .edgeNetwork)
    if kind == .transformer {
      // None and -1 are no window at all.
      if let window = section["window_size"], window != .null, window != .integer(-1) {
        processor.reach = try count("window_size", in: section, at: "processor.")
      }
      for (option, isSet) in [
        ("softcap", (section["softcap"]?.double ?? 0) != 0),
        ("use_alibi_slopes", section["use_alibi_slopes"]?.isTrue == true),
        ("dropout_p", (section["dropout_p"]?.double ?? 0) != 0),
      ] where isSet {
        throw refusal("processor.\(option)", "none", section[option]?.line ?? "")
      }
    }
    return processor
  }

  // MARK: The whole

  func targetFeatures() throws -> [GraphModelDescription.TargetFeature] {
    guard let features = model["decoders"]?.object?.first?.value["target_node_features"], features != .null else {
      return [.encodedData]
    }
    guard let names = features.array else {
      throw refusal("decoders.target_node_features", "a list", features.line)
    }
    return try names.map {
      guard let feature = $0.string.flatMap(GraphModelDescription.TargetFeature.init(rawValue:)) else {
        throw refusal(
          "decoders.target_node_features",
          "encoded_data, coordinates, forcings, prognostics or trainable_parameters", $0.line)
      }
      return feature
    }
  }

  func residualStep(_ inputSteps: Int) throws -> Int {
    let datasets = model["residual"]?["datasets"]?.object
    guard datasets?.count ?? 1 == 1 else {
      throw refusal("residual.datasets", "one dataset", datasets?.keys.sorted().joined(separator: ", ") ?? "")
    }
    guard let residual = datasets?.first?.value ?? model["residual"] else { return inputSteps - 1 }
    let name = try target(residual, "residual")
    guard name == "SkipConnection" else { throw refusal("residual", "SkipConnection", name) }
    let step = try integer("step", in: residual, at: "residual.", default: -1)
    let index = step < 0 ? inputSteps + step : step
    guard (0..<inputSteps).contains(index) else {
      throw refusal("residual.step", "one of \(inputSteps) input steps", "\(step)")
    }
    return index
  }

  func noise() throws -> GraphModelDescription.Noise? {
    guard let section = model["noise_injector"], section != .null else { return nil }
    let name = try target(section, "noise_injector")
    guard name == "NoiseConditioning" else { throw refusal("noise_injector", "NoiseConditioning", name) }
    for option in ["noise_matrix", "noise_edges_name"] where section[option].map({ $0 != .null }) ?? false {
      throw refusal("noise_injector.\(option)", "none", section[option]?.line ?? "")
    }
    return GraphModelDescription.Noise(
      channels: try count("noise_channels_dim", in: section, at: "noise_injector.", from: 1),
      hiddenWidth: try count("noise_mlp_hidden_dim", in: section, at: "noise_injector.", from: 1),
      deviation: Float(try real("noise_std", in: section, at: "noise_injector.", default: 1)),
      activation: try activation(section, "noise_injector"))
  }
}

extension JSONValue {
  /// The value if it is a JSON boolean, else nil.
  fileprivate var isTrue: Bool? { if case .bool(let value) = self { value } else { nil } }
}
