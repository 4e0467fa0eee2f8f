import Basics
import Stores
import Testing

@testable import Workflow

/// Layouts of earlier releases of anemoi-models: names as its modules gave them, and its migrations change them.
@Suite struct AnemoiLayoutTests {
  private func renamed(_ names: [String], vectors: Set<String> = []) -> [String: String] {
    AnemoiLayouts.names(names, isVector: vectors.contains)
  }

  @Test func presentNamesStay() throws {
    let checkpoint = try AnemoiCheckpoint(AnemoiCheckpointTests.path)
    let names = checkpoint.state.keys.sorted()
    #expect(renamed(names) == Dictionary(uniqueKeysWithValues: names.map { ($0, $0) }))
  }

  /// anemoi-models 0.3.1, graph transformer: two layers in each of two chunks, the norm inside of the perceptron.
  @Test func graphTransformersOfRelease03() {
    let block = "model.processor.proc.1.blocks.0"
    let expected = [
      "pre_processors.processors.normalizer._norm_mul": "pre_processors.data.processors.normalizer._norm_mul",
      "model.node_attributes.trainable_tensors.hidden.trainable":
        "model.node_attributes.trainable_tensors.hidden.trainable",
      "model.encoder.trainable.trainable": "model.encoder_graph_provider.data.trainable.trainable",
      "model.processor.trainable.trainable": "model.processor_graph_provider.trainable.trainable",
      "model.decoder.trainable.trainable": "model.decoder_graph_provider.data.trainable.trainable",
      "model.encoder.emb_nodes_src.weight": "model.encoder.0.emb_nodes_src.weight",
      "model.encoder.proc.layer_norm1.weight": "model.encoder.0.proc.layer_norm_attention_src.weight",
      "model.encoder.proc.layer_norm2.bias": "model.encoder.0.proc.layer_norm_attention.bias",
      "model.encoder.proc.node_dst_mlp.0.weight": "model.encoder.0.proc.layer_norm_mlp_dst.weight",
      "model.encoder.proc.node_dst_mlp.1.weight": "model.encoder.0.proc.node_dst_mlp.mlp.0.weight",
      "model.encoder.proc.node_dst_mlp.3.bias": "model.encoder.0.proc.node_dst_mlp.mlp.2.bias",
      "model.decoder.node_data_extractor.1.weight": "model.decoder.0.node_data_extractor.1.weight",
      "model.processor.proc.0.blocks.1.lin_key.weight": "model.processor.proc.1.lin_key.weight",
      "\(block).layer_norm1.weight": "model.processor.proc.2.layer_norm_attention.weight",
      "\(block).node_dst_mlp.0.weight": "model.processor.proc.2.layer_norm_mlp_dst.weight",
      "\(block).node_dst_mlp.0.bias": "model.processor.proc.2.layer_norm_mlp_dst.bias",
      "\(block).node_dst_mlp.3.weight": "model.processor.proc.2.node_dst_mlp.mlp.2.weight",
    ]
    let vectors: Set = ["\(block).node_dst_mlp.0.weight", "model.encoder.proc.node_dst_mlp.0.weight"]
    #expect(renamed(expected.keys.sorted() + ["model.encoder.edge_inc"], vectors: vectors) == expected)
  }

  /// anemoi-models 0.3.1, sliding-window transformer, as AIFS single has it.
  @Test func transformersOfRelease03() {
    let block = "model.processor.proc.0.blocks.0"
    let expected = [
      "\(block).attention.lin_qkv.weight": "model.processor.proc.0.attention.lin_qkv.weight",
      "\(block).attention.projection.bias": "model.processor.proc.0.attention.projection.bias",
      "\(block).layer_norm1.weight": "model.processor.proc.0.layer_norm_attention.weight",
      "\(block).layer_norm2.weight": "model.processor.proc.0.layer_norm_mlp.weight",
      "\(block).mlp.0.weight": "model.processor.proc.0.mlp.mlp.0.weight",
      "\(block).mlp.2.bias": "model.processor.proc.0.mlp.mlp.2.bias",
    ]
    #expect(renamed(expected.keys.sorted()) == expected)
  }

  /// anemoi-models 0.12 to 0.15: by dataset, layers in a row, perceptrons without their own module.
  @Test func releasesOfOneGraphPerDataset() {
    let expected = [
      "model.node_attributes.data.latlons_hidden": "model.node_attributes.latlons_hidden",
      "model.node_attributes.data.trainable_tensors.data.trainable":
        "model.node_attributes.trainable_tensors.data.trainable",
      "model.encoder_graph_provider.data.trainable.trainable": "model.encoder_graph_provider.data.trainable.trainable",
      "model.encoder.data.proc.node_dst_mlp.0.weight": "model.encoder.0.proc.node_dst_mlp.mlp.0.weight",
      "model.decoder.data.node_data_extractor.0.bias": "model.decoder.0.node_data_extractor.0.bias",
      "model.processor.proc.3.node_dst_mlp.2.weight": "model.processor.proc.3.node_dst_mlp.mlp.2.weight",
    ]
    #expect(renamed(expected.keys.sorted()) == expected)
  }

  @Test func metadataOfOneDatasetAreNested() {
    func texts(_ list: [String]) -> JSONValue { .array(list.map { .string($0) }) }
    let old = JSONValue.object([
      "dataset": .object(["variables": texts(["2t", "lsm", "tp"])]),
      "data_indices": .object(["data": .object([:]), "model": .object([:])]),
      "config": .object([
        "data": .object(["forcing": texts(["lsm"]), "diagnostic": texts(["tp"]), "timestep": .string("6h")]),
        "model": .object([
          "num_channels": .integer(16), "encoder": .object(["_target_": .string("a.GraphTransformerForwardMapper")]),
          "trainable_parameters": .object(["data": .integer(8), "data2hidden": .integer(4)]),
        ]),
      ]),
    ])
    let new = AnemoiLayouts.metadata(old)
    #expect(new["dataset"]?["data"]?["variables"]?.strings == ["2t", "lsm", "tp"])
    #expect(new["data_indices"]?["data"]?["model"] != nil)
    let types = new["metadata_inference"]?["data"]?["variable_types"]
    #expect(types?["prognostic"]?.strings == ["2t"] && types?["forcing"]?.strings == ["lsm"])
    let model = new["config"]?["model"]
    #expect(model?["encoders"]?["0"]?["mapper"]?["_target_"]?.string == "a.GraphTransformerForwardMapper")
    #expect(model?["node_trainable_parameters"] == .object(["data": .integer(8)]))
    #expect(model?["edge_trainable_parameters"] == .object(["data2hidden": .integer(4)]))
    #expect(AnemoiLayouts.metadata(new) == new)
  }
}
