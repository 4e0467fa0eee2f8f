import Basics
import Geometry
import GraphChecks
import TestSupport
import Testing

@testable import Workflow

/// Datasets, nodes and mappers that have names of their users.
@Suite struct AnemoiNamesTests {
  /// Each pair: our name, the model's.
  @Test func tensorsAreFoundByOurNames() {
    let pairs = [
      "pre_processors.data.processors.normalizer._norm_mul": "pre_processors.era5.processors.normalizer._norm_mul",
      "post_processors_tendencies.data.processors.normalizer._norm_add":
        "post_processors_tendencies.era5.processors.normalizer._norm_add",
      "model.encoder.0.emb_nodes_src.weight": "model.encoder.x.emb_nodes_src.weight",
      "model.decoder.0.proc.lin_edge.bias": "model.decoder.x_d.proc.lin_edge.bias",
      "model.encoder_graph_provider.data.trainable.trainable": "model.encoder_graph_provider.era5.trainable.trainable",
      "model.boundings.data.2.norm_min_val": "model.boundings.era5.2.norm_min_val",
      "model.node_attributes.latlons_data": "model.node_attributes.latlons_era5",
      "model.node_attributes.latlons_hidden": "model.node_attributes.latlons_era5_mesh",
      "model.node_attributes.trainable_tensors.hidden.trainable":
        "model.node_attributes.trainable_tensors.era5_mesh.trainable",
      "model.processor.proc.0.lin_key.weight": "model.processor.proc.0.lin_key.weight",
    ]
    let configuration = JSONValue.object([
      "model": .object(["model": .object(["hidden_nodes_name": .string("era5_mesh")])])
    ])
    let names = AnemoiNames(tensors: pairs.values, configuration: configuration)
    #expect([names.dataset, names.dataNodes, names.hiddenNodes] == ["era5", "era5", "era5_mesh"])
    for (own, stored) in pairs {
      #expect(names.stored(own) == stored)
      #expect(names.own(stored) == own)
    }
    // Sizes are of the nodes that they name.
    let sizes = JSONValue.object(["era5_mesh": .integer(3), "data": .integer(8)])
    let model = names.own(model: .object(["node_trainable_parameters": sizes]))
    #expect(model["node_trainable_parameters"] == .object(["data": .integer(0), "hidden": .integer(3)]))
  }

  /// The golden checkpoint with a dataset `era5` and hidden nodes `meshes` is the same model and the same run.
  @Test func aCheckpointWithOtherNamesIsTheSameModel() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/renamed.ckpt"
    try EditedCheckpoint.write(path, pickle: Self.renamed, metadata: Self.renamed)
    let checkpoint = try AnemoiCheckpoint(path)
    let original = try AnemoiCheckpoint(AnemoiCheckpointTests.path)
    #expect(checkpoint.dataset == "era5" && checkpoint.graph == original.graph)
    #expect(Set(checkpoint.state.keys) == Set(original.state.keys))
    let check = try ForecastCheck(path, "\(AnemoiCheckpointTests.folder)/forecast.safetensors", threads: 1)
    let report = try JSONValue(parsing: Array(check.line.utf8), place: "report")
    #expect(try #require(report["forecast_2"]?["relative_l2"]?.double) < 1e-5)
    let found = try AnemoiImport.run(path, to: "\(folder.path)/run", overwrites: false)
    #expect(!found.contains("no run"), "\(found)")
  }

  /// Strings of a pickle that are these names; none changes its length.
  private static func renamed(_ pickle: [UInt8]) -> [UInt8] {
    [
      ("data", "era5"), ("hidden", "meshes"), ("latlons_data", "latlons_era5"), ("latlons_hidden", "latlons_meshes"),
    ].reduce(pickle) { pickle, names in
      func instruction(_ name: String) -> [UInt8] { [0x58, UInt8(name.utf8.count), 0, 0, 0] + Array(name.utf8) }
      return pickle.replacing(instruction(names.0), with: instruction(names.1))
    }
  }

  private static func renamed(_ metadata: JSONValue) -> JSONValue {
    func datasets(_ value: JSONValue) -> JSONValue {
      if let items = value.array { return .array(items.map(datasets)) }
      guard let members = value.object else { return value }
      return .object(
        Dictionary(uniqueKeysWithValues: members.map { ($0, datasets($0 == "datasets" ? dataset($1) : $1)) }))
    }
    func dataset(_ value: JSONValue) -> JSONValue {
      guard var members = value.object, let own = members.removeValue(forKey: "data") else { return value }
      members["era5"] = own
      return .object(members)
    }
    var members = metadata.object ?? [:]
    for key in ["dataset", "data_indices", "metadata_inference", "supporting_arrays_paths"] {
      members[key] = members[key].map(dataset)
    }
    members["config"] = members["config"].map(datasets)
    let sizes = metadata["config"]?["model"]?["node_trainable_parameters"]
    return JSONValue.object(members)
      .replacing(["metadata_inference", "dataset_names"], with: .array([.string("era5")]))
      .replacing(["config", "model", "model", "hidden_nodes_name"], with: .string("meshes"))
      .replacing(
        ["config", "model", "node_trainable_parameters"],
        with: .object(["era5": sizes?["data"] ?? .null, "meshes": sizes?["hidden"] ?? .null]))
  }
}
