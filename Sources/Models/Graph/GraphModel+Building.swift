import Execution
import Tensors

// Parameters by the names of anemoi-models.

extension GraphModel {
  static func encoder(
    _ d: GraphModelDescription, _ graph: ModelGraph, dataColumns: Int, _ builder: inout LayerBuilder
  ) -> Encoder {
    let (mapper, name) = (d.encoder, "model.encoder.0")
    let c = mapper.channels
    let edges = builder.trainable(
      "model.encoder_graph_provider.data.trainable.trainable", rows: graph.dataToHidden.lists.count,
      columns: mapper.trainableEdges)
    let edgeColumns = graph.dataToHidden.attributeCount + mapper.trainableEdges
    let hiddenColumns = 4 + d.trainableHidden
    switch mapper.kind {
    case .graphTransformer:
      return .graphTransformer(
        sources: builder.affine("\(name).emb_nodes_src", inputs: dataColumns, outputs: c),
        destinations: builder.affine("\(name).emb_nodes_dst", inputs: hiddenColumns, outputs: c),
        block: GraphTransformerBlock(
          "\(name).proc", channels: c, sources: c, edgeColumns: edgeColumns, mapper.layer, &builder),
        edges: edges)
    case .edgeNetwork:
      func embedding(_ part: String, _ inputs: Int) -> MultiLayerPerceptron {
        EdgeNetworkBlock.embedding("\(name).\(part)", inputs: inputs, channels: c, mapper.layer, &builder)
      }
      return .edgeNetwork(
        sources: embedding("emb_nodes_src", dataColumns), destinations: embedding("emb_nodes_dst", hiddenColumns),
        embedding: embedding("emb_edges", edgeColumns),
        block: EdgeNetworkBlock("\(name).proc", channels: c, mapper.layer, &builder), edges: edges)
    }
  }

  static func layers(
    _ d: GraphModelDescription, _ graph: ModelGraph, _ builder: inout LayerBuilder
  ) -> [Layer] {
    let processor = d.processor
    let edgeColumns = (graph.hiddenToHidden?.attributeCount ?? 0) + processor.trainableEdges
    let condition = processor.isConditional ? d.noise?.channels : nil
    return (0..<processor.layers).map { index in
      let name = "model.processor.proc.\(index)"
      switch processor.kind {
      case .graphTransformer:
        return .graphTransformer(
          GraphTransformerBlock(
            name, channels: d.channels, sources: nil, edgeColumns: edgeColumns, processor.layer, condition: condition,
            &builder))
      case .edgeNetwork:
        return .edgeNetwork(
          EdgeNetworkBlock(
            name, channels: d.channels, processor.layer, embeddedColumns: index == 0 ? edgeColumns : nil, &builder))
      case .transformer:
        return .transformer(
          WindowTransformerBlock(
            name, channels: d.channels, reach: processor.reach, processor.layer, condition: condition, &builder))
      }
    }
  }

  static func decoder(
    _ d: GraphModelDescription, _ graph: ModelGraph, dataColumns: Int, _ builder: inout LayerBuilder
  ) -> Decoder {
    let (mapper, name) = (d.decoder, "model.decoder.0")
    let c = mapper.channels
    let edges = builder.trainable(
      "model.decoder_graph_provider.data.trainable.trainable", rows: graph.hiddenToData.lists.count,
      columns: mapper.trainableEdges)
    let edgeColumns = graph.hiddenToData.attributeCount + mapper.trainableEdges
    let outputs = d.outputSteps * d.variables.outputs
    let encodedColumns = d.encoder.kind == .edgeNetwork ? d.channels : dataColumns
    let targetColumns = d.targetFeatures.reduce(0) { $0 + d.columns($1, encoded: encodedColumns) }
    switch mapper.kind {
    case .graphTransformer:
      return .graphTransformer(
        sources: c == d.channels
          ? nil : builder.affine("\(name).emb_nodes_src", inputs: d.channels, outputs: c),
        destinations: builder.affine("\(name).emb_nodes_dst", inputs: targetColumns, outputs: c),
        block: GraphTransformerBlock(
          "\(name).proc", channels: c, sources: c, edgeColumns: edgeColumns, mapper.layer, &builder),
        norm: builder.norm("\(name).node_data_extractor.0", c),
        last: builder.affine(
          "\(name).node_data_extractor.1", inputs: c, outputs: outputs, outputGroups: d.outputSteps,
          zero: mapper.startsAtZero),
        edges: edges)
    case .edgeNetwork:
      return .edgeNetwork(
        embedding: EdgeNetworkBlock.embedding(
          "\(name).emb_edges", inputs: edgeColumns, channels: c, mapper.layer, &builder),
        block: EdgeNetworkBlock("\(name).proc", channels: c, mapper.layer, &builder),
        last: MultiLayerPerceptron(
          "\(name).node_data_extractor", inputs: [c], width: mapper.layer.hiddenWidth, outputs: outputs,
          outputGroups: d.outputSteps, hiddenLayers: mapper.layer.extraLayers + 2, norm: false, mapper.layer.hidden,
          &builder),
        edges: edges)
    }
  }
}
