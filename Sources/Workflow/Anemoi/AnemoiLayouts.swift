import Basics
import Stores

/// Checkpoints of earlier releases of anemoi-models, brought into the layout of the present one: names of tensors as its
/// migrations change them, and before these as its releases 0.3 to 0.8 named layers; metadata nested by dataset.
enum AnemoiLayouts {
  /// The name of the dataset in releases that knew one alone.
  private static let dataset = "data"

  // MARK: Tensors

  /// A state dict by the present names. Tensors are the same, but that the weights of queries, keys and values may lie in one.
  static func state(_ state: [String: TorchArchive.Tensor]) -> [String: TorchArchive.Tensor] {
    var result: [String: TorchArchive.Tensor] = [:]
    let names = names(state.keys.sorted(), isVector: { state[$0]?.shape.count == 1 })
    for (old, new) in names {
      guard let tensor = state[old] else { continue }
      guard new.contains(".lin_qkv."), let rows = tensor.shape.first, rows % 3 == 0 else {
        result[new] = tensor
        continue
      }
      for (part, name) in ["lin_q", "lin_k", "lin_v"].enumerated() {
        result[new.replacing(".lin_qkv.", with: ".\(name).")] = tensor.rows(part * rows / 3..<(part + 1) * rows / 3)
      }
    }
    return result
  }

  /// The present name of each name that is kept.
  ///
  /// - Parameter isVector: whether a tensor has one dimension: the first layer of a perceptron was its norm once.
  static func names(_ names: [String], isVector: (String) -> Bool) -> [String: String] {
    let blocks = names.compactMap { name -> Int? in
      let parts = name.split(separator: ".")
      guard parts.count > 5, name.hasPrefix("model.processor.proc."), parts[4] == "blocks" else { return nil }
      return Int(parts[5])
    }
    let perChunk = (blocks.max() ?? -1) + 1
    // 0.3 to 0.8: the norm before a perceptron was its first layer.
    let normsInside = Set(names.filter { $0.hasSuffix("node_dst_mlp.0.weight") && isVector($0) }.map { $0.dropLast(8) })
    var result: [String: String] = [:]
    for name in names {
      // Kept in the graph.
      if name.hasSuffix(".edge_inc") { continue }
      var new = flattened(name, perChunk)
      if let perceptron = normsInside.first(where: { name.hasPrefix($0.dropLast(1)) }) {
        new = withNormOutside(new, in: flattened(String(perceptron), perChunk))
      }
      result[name] = byDataset(normsRenamed(perceptronsRenamed(new)))
    }
    return result
  }

  /// `processor.proc.<chunk>.blocks.<block>` → `processor.proc.<layer>` (0.11).
  private static func flattened(_ name: String, _ perChunk: Int) -> String {
    let parts = name.split(separator: ".").map(String.init)
    guard parts.count > 5, name.hasPrefix("model.processor.proc."), parts[4] == "blocks", let chunk = Int(parts[3]),
      let block = Int(parts[5])
    else { return name }
    return (parts[..<3] + ["\(chunk * perChunk + block)"] + parts[6...]).joined(separator: ".")
  }

  /// `node_dst_mlp.{0,1,3}` → `layer_norm_mlp_dst`, `node_dst_mlp.{0,2}`.
  private static func withNormOutside(_ name: String, in perceptron: String) -> String {
    let block = perceptron.dropLast("node_dst_mlp.0".count)
    guard name.hasPrefix(block) else { return name }
    return name.replacing("node_dst_mlp.0.", with: "layer_norm_mlp_dst.")
      .replacing("node_dst_mlp.1.", with: "node_dst_mlp.0.").replacing("node_dst_mlp.3.", with: "node_dst_mlp.2.")
  }

  /// `node_dst_mlp.0` → `node_dst_mlp.mlp.0` (0.16), and of transformer blocks `mlp.0` → `mlp.mlp.0`.
  private static func perceptronsRenamed(_ name: String) -> String {
    var new = name
    for layer in ["0", "2"] {
      new = new.replacing(".node_dst_mlp.\(layer).", with: ".node_dst_mlp.mlp.\(layer).")
    }
    let parts = new.split(separator: ".")
    if new.hasPrefix("model.processor.proc."), parts.count == 7, parts[4] == "mlp", Int(parts[5]) != nil {
      new = new.replacing(".mlp.\(parts[5]).", with: ".mlp.mlp.\(parts[5]).")
    }
    return new
  }

  /// `layer_norm1` and `layer_norm2`: before attention and perceptron of transformers, before the attention's source and
  /// destination of mappers.
  private static func normsRenamed(_ name: String) -> String {
    if name.hasPrefix("model.processor.") {
      return name.replacing(".layer_norm1.", with: ".layer_norm_attention.")
        .replacing(".layer_norm2.", with: ".layer_norm_mlp.")
    }
    return name.replacing(".layer_norm1.", with: ".layer_norm_attention_src.")
      .replacing(".layer_norm2.", with: ".layer_norm_attention.")
  }

  /// Names without the dataset (0.12), graphs that were in their layers (0.11.3), nodes by dataset (0.13).
  private static func byDataset(_ name: String) -> String {
    var new = name
    for part in ["encoder", "processor", "decoder"] where new == "model.\(part).trainable.trainable" {
      new = "model.\(part)_graph_provider.trainable.trainable"
    }
    for side in ["pre_processors", "post_processors"] where new.hasPrefix("\(side).processors.") {
      new = new.replacing("\(side).processors.", with: "\(side).\(dataset).processors.")
    }
    for part in ["encoder", "decoder"] {
      if new == "model.\(part)_graph_provider.trainable.trainable" {
        new = "model.\(part)_graph_provider.\(dataset).trainable.trainable"
      }
      for layer in ["proc.", "emb_nodes_", "emb_edges.", "node_data_extractor."] {
        for key in ["", "\(dataset)."] where new.hasPrefix("model.\(part).\(key)\(layer)") {
          new = "model.\(part).0." + new.dropFirst("model.\(part).\(key)".count)
        }
      }
    }
    let nodes = "model.node_attributes."
    if new.hasPrefix(nodes),
      let part = [".latlons_", ".trainable_tensors."].lazy.compactMap({ new.firstRange(of: $0) }).first
    {
      new = "model.node_attributes\(new[part.lowerBound...])"
    }
    return new
  }

  // MARK: Metadata

  /// Metadata in the layout of version 2.
  static func metadata(_ metadata: JSONValue) -> JSONValue {
    guard var members = metadata.object, let old = members["dataset"], old["variables"] != nil else { return metadata }
    func nested(_ name: String) { members[name] = members[name].map { .object([dataset: $0]) } }
    for name in ["dataset", "data_indices", "supporting_arrays_paths"] { nested(name) }
    let names = old["variables"]?.strings ?? []
    let data = members["config"]?["data"]
    let forcing = data?["forcing"]?.strings ?? []
    let diagnostic = data?["diagnostic"]?.strings ?? []
    func texts(_ list: [String]) -> JSONValue { .array(list.map { .string($0) }) }
    let known = Set(forcing + diagnostic)
    members["metadata_inference"] = .object([
      "dataset_names": texts([dataset]),
      dataset: .object([
        "variable_types": .object([
          "forcing": texts(forcing), "diagnostic": texts(diagnostic),
          "prognostic": texts(names.filter { !known.contains($0) }),
        ]),
        "timesteps": .object(["timestep": data?["timestep"] ?? .null]),
      ]),
    ])
    if let configuration = members["config"]?.object, let model = configuration["model"] {
      members["config"] = .object(configuration.merging(["model": self.model(model)]) { $1 })
    }
    return .object(members)
  }

  /// A model's configuration with its mappers and trainable numbers where they are now.
  private static func model(_ model: JSONValue) -> JSONValue {
    guard var members = model.object, members["encoders"] == nil else { return model }
    for (old, new) in [("encoder", "encoders"), ("decoder", "decoders")] {
      guard let mapper = members.removeValue(forKey: old) else { continue }
      members[new] = .object(["0": .object(["mapper": mapper])])
    }
    if let trainable = members.removeValue(forKey: "trainable_parameters")?.object {
      members["node_trainable_parameters"] = .object(trainable.filter { !$0.key.contains("2") })
      members["edge_trainable_parameters"] = .object(trainable.filter { $0.key.contains("2") })
    }
    return .object(members)
  }
}
