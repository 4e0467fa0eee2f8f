import Basics
import Stores

/// What a case calls its dataset, its data nodes and its mappers: `data`, `data` and `0`, or otherwise.
struct CaseNames {
  let dataset, dataNodes: String
  private let encoder, decoder: String

  /// - Throws: where there are several of one, or none.
  init(weights: Safetensors.File, graph: Safetensors.File) throws {
    func only(_ what: String, _ file: Safetensors.File, prefix: String, before suffix: String) throws -> String {
      let names = Set(
        file.entries.keys.compactMap { name -> String? in
          guard name.hasPrefix(prefix) else { return nil }
          let rest = name.dropFirst(prefix.count)
          return rest.firstRange(of: suffix).map { String(rest[..<$0.lowerBound]) }
        })
      guard let name = names.first, names.count == 1 else {
        throw JigsawError(
          file.path, "has another number of \(what) than one", expected: "one",
          found: names.isEmpty ? "none" : names.sorted().joined(separator: ", "))
      }
      return name
    }
    dataset = try only("datasets", weights, prefix: "pre_processors.", before: ".processors.normalizer._norm_mul")
    encoder = try only("encoders", weights, prefix: "model.encoder.", before: ".")
    decoder = try only("decoders", weights, prefix: "model.decoder.", before: ".")
    dataNodes = graph.entries["nodes/data/latlon_rad"] == nil ? dataset : "data"
  }

  /// The case's name of a tensor that is called `name` where the dataset is `data` and mappers are `0`.
  func stored(_ name: String) -> String {
    let changes = [
      ("model.encoder.0.", "model.encoder.\(encoder)."), ("model.decoder.0.", "model.decoder.\(decoder)."),
      ("model.encoder_graph_provider.data.", "model.encoder_graph_provider.\(dataset)."),
      ("model.decoder_graph_provider.data.", "model.decoder_graph_provider.\(dataset)."),
      ("model.node_attributes.trainable_tensors.data.", "model.node_attributes.trainable_tensors.\(dataNodes)."),
      ("pre_processors.data.", "pre_processors.\(dataset)."), ("post_processors.data.", "post_processors.\(dataset)."),
    ]
    if name == "model.node_attributes.latlons_data" { return "model.node_attributes.latlons_\(dataNodes)" }
    for (own, theirs) in changes where name.hasPrefix(own) { return theirs + name.dropFirst(own.count) }
    return name
  }
}
