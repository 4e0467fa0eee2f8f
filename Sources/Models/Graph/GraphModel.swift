import Execution
import Tensors

/// An encoder–processor–decoder model on a graph: data nodes to fewer hidden nodes, a processor among these, and back. Computes
/// what anemoi-models computes and names its parameters as they do.
///
/// ```
/// X_d = [states, oldest first | sin φ, sin λ, cos φ, cos λ | trainable]      data nodes
/// X_h = [sin φ, sin λ, cos φ, cos λ | trainable]                            hidden nodes
/// h = encoder(X_d, X_h)      z = processor(h) + h      o = decoder(z, target features of the data nodes)
/// prediction = o, plus the last state of prognostic variables, limited
/// ```
/// Values are [nodes, samples·members, columns] in normalised units.
public struct GraphModel: Sendable {
  /// Called with intermediate results: "encoder_hidden", "processor_layer_0" …, "decoder_out", "noise_embedded".
  public typealias Observer = (String, Value) -> Void

  public let description: GraphModelDescription
  public let graph: ModelGraph
  public let parameters: ParameterTable

  private let trainableData, trainableHidden: ParameterID?
  private let encoder: Encoder
  private let noise: MultiLayerPerceptron?
  private let processorEdges: ParameterID?
  private let layers: [Layer]
  private let decoder: Decoder

  private enum Layer: Sendable {
    case graphTransformer(GraphTransformerBlock)
    case edgeNetwork(EdgeNetworkBlock)
    case transformer(WindowTransformerBlock)
  }

  private enum Encoder: Sendable {
    case graphTransformer(
      sources: AffineParameters, destinations: AffineParameters, block: GraphTransformerBlock, edges: ParameterID?)
    case edgeNetwork(
      sources: MultiLayerPerceptron, destinations: MultiLayerPerceptron, embedding: MultiLayerPerceptron,
      block: EdgeNetworkBlock, edges: ParameterID?)
  }

  private enum Decoder: Sendable {
    case graphTransformer(
      sources: AffineParameters?, destinations: AffineParameters, block: GraphTransformerBlock, norm: NormParameters,
      last: AffineParameters, edges: ParameterID?)
    case edgeNetwork(
      embedding: MultiLayerPerceptron, block: EdgeNetworkBlock, last: MultiLayerPerceptron, edges: ParameterID?)
  }

  public init(_ description: GraphModelDescription, _ graph: ModelGraph) {
    self.description = description
    self.graph = graph
    var builder = LayerBuilder()
    trainableData = builder.trainable(
      "model.node_attributes.trainable_tensors.data.trainable", rows: graph.dataNodes,
      columns: description.trainableData)
    trainableHidden = builder.trainable(
      "model.node_attributes.trainable_tensors.hidden.trainable", rows: graph.hiddenNodes,
      columns: description.trainableHidden)
    let dataColumns =
      description.inputSteps * description.variables.inputs + 4 + description.trainableData
      + (description.noise == nil ? 0 : 1)
    encoder = GraphModel.encoder(description, graph, dataColumns: dataColumns, &builder)
    builder.group = .processor
    noise = description.noise.map {
      MultiLayerPerceptron(
        "model.noise_injector.noise_mlp", inputs: [$0.channels], width: $0.hiddenWidth, outputs: $0.channels,
        norm: true, .plain($0.activation), &builder)
    }
    // A transformer does not look at edges, even where the graph has some.
    let edges = description.processor.kind == .transformer ? nil : graph.hiddenToHidden
    processorEdges = edges.flatMap {
      builder.trainable(
        "model.processor_graph_provider.trainable.trainable", rows: $0.lists.count,
        columns: description.processor.trainableEdges)
    }
    layers = GraphModel.layers(description, graph, &builder)
    builder.group = .decoder
    decoder = GraphModel.decoder(description, graph, dataColumns: dataColumns, &builder)
    parameters = builder.table
  }

  // MARK: Forward

  /// Predicts the next states [data nodes, B, T_out·V_out] from the last ones, x [data nodes, B, T_in·V_in].
  ///
  /// - Parameters:
  ///   - noise: [hidden nodes, B, channels], drawn with the deviation that the description says.
  ///   - isFirstStep: of a rollout; models with noise are told.
  public func step(
    _ x: Value, noise: Value? = nil, isFirstStep: Bool = true, observe: Observer? = nil, _ operations: any Operations
  ) throws -> Value {
    let batch = x.shape.batch
    precondition(x.shape.columns == description.inputSteps * description.variables.inputs)
    precondition(x.shape.rows == graph.dataNodes && (noise == nil) == (self.noise == nil))
    let data = try operations.apply(
      Concatenation(
        [.value(x), .constant(graph.dataCoordinates)] + (trainableData.map { [.parameter($0)] } ?? [])
          + (self.noise == nil ? [] : [.number(isFirstStep ? 0 : 1)]),
        rows: graph.dataNodes, batch: batch, group: .encoder))
    let hidden = try operations.apply(
      Concatenation(
        [.constant(graph.hiddenCoordinates)] + (trainableHidden.map { [.parameter($0)] } ?? []),
        rows: graph.hiddenNodes, batch: batch, group: .encoder))
    let encoded = try encode(data, hidden, operations)
    observe?("encoder_hidden", encoded.hidden)
    let condition = try noise.flatMap { noise in try self.noise?([noise], operations) }
    if let condition { observe?("noise_embedded", condition) }
    var z = try process(encoded.hidden, condition: condition, observe, operations)
    if description.skipsLatent { z = try operations.sum(z, encoded.hidden) }
    let target = try targetFeatures(x, encodedData: encoded.data, operations)
    let decoded = try decode(z, target, operations)
    observe?("decoder_out", decoded)
    return try predict(decoded, x, operations)
  }

  private func edgeAttributes(
    _ edges: ModelGraph.Edges, trainable: ParameterID?, group: ParameterGroup,
    _ operations: any Operations
  ) throws -> Value {
    try operations.apply(
      Concatenation(
        [.constant(edges.attributes)] + (trainable.map { [.parameter($0)] } ?? []), rows: edges.lists.count,
        batch: 1, rowStarts: edges.lists.starts, group: group))
  }

  /// The same for all samples.
  private func repeated(
    _ x: Value, batch: Int, group: ParameterGroup, _ operations: any Operations
  ) throws -> Value {
    if batch == 1 { return x }
    return try operations.apply(
      Concatenation(
        [.value(x)], rows: x.shape.rows, batch: batch, rowStarts: x.shape.rowStarts, group: group))
  }

  private func encode(_ data: Value, _ hidden: Value, _ operations: any Operations) throws -> (
    hidden: Value, data: Value
  ) {
    let lists = graph.dataToHidden.lists
    switch encoder {
    case .graphTransformer(let sources, let destinations, let block, let edges):
      let attributes = try edgeAttributes(graph.dataToHidden, trainable: edges, group: .encoder, operations)
      let result = try block(
        operations.apply(Affine(hidden, destinations)), sources: operations.apply(Affine(data, sources)), lists,
        attributes: attributes, operations)
      return (result, data)
    case .edgeNetwork(let sources, let destinations, let embedding, let block, let edges):
      let attributes = try edgeAttributes(graph.dataToHidden, trainable: edges, group: .encoder, operations)
      let e = try repeated(
        embedding([attributes], operations), batch: data.shape.batch, group: .encoder, operations)
      let s = try sources([data], operations)
      let result = try block(destinations([hidden], operations), sources: s, lists, e: e, operations).x
      return (result, try operations.sum(block.nodes([s, s], operations), s))
    }
  }

  private func process(
    _ h: Value, condition: Value?, _ observe: Observer?, _ operations: any Operations
  ) throws -> Value {
    let edges = description.processor.kind == .transformer ? nil : graph.hiddenToHidden
    let attributes = try edges.map {
      try edgeAttributes($0, trainable: processorEdges, group: .processor, operations)
    }
    let condition = description.processor.isConditional ? condition : nil
    var x = h
    var carried: Value?
    for (index, layer) in layers.enumerated() {
      switch layer {
      case .graphTransformer(let block):
        guard let edges, let attributes else { preconditionFailure("no edges to process") }
        x = try operations.segment(x, block.parameters) {
          try block($0, sources: nil, edges.lists, attributes: attributes, condition: condition, operations)
        }
      case .transformer(let block):
        x = try operations.segment(x, block.parameters) { try block($0, condition: condition, operations) }
      case .edgeNetwork(let block):
        guard let edges, let attributes else { preconditionFailure("no edges to process") }
        if let embedding = block.embedding {
          carried = try repeated(
            embedding([attributes], operations), batch: h.shape.batch, group: .processor, operations)
        }
        guard let e = carried else { preconditionFailure("edges were not embedded") }
        let result = try block(x, sources: x, edges.lists, e: e, operations)
        (x, carried) = (result.x, result.e)
      }
      observe?("processor_layer_\(index)", x)
    }
    return x
  }

  private func targetFeatures(_ x: Value, encodedData: Value, _ operations: any Operations) throws -> Value {
    if description.targetFeatures == [.encodedData] { return encodedData }
    let v = description.variables
    func everyStep(_ columns: [Int]) -> [Int] {
      (0..<description.inputSteps).flatMap { step in columns.map { step * v.inputs + $0 } }
    }
    let parts = description.targetFeatures.map { feature -> Concatenation.Part in
      switch feature {
      case .encodedData: return .value(encodedData)
      case .coordinates: return .constant(graph.dataCoordinates)
      case .forcings: return .columns(x, everyStep(v.forcingInputs))
      case .prognostics: return .columns(x, everyStep(v.prognosticInputs))
      case .trainableParameters:
        guard let trainableData else { preconditionFailure("no trainable parameters of data nodes") }
        return .parameter(trainableData)
      }
    }
    return try operations.apply(
      Concatenation(parts, rows: graph.dataNodes, batch: x.shape.batch, group: .decoder))
  }

  private func decode(_ z: Value, _ target: Value, _ operations: any Operations) throws -> Value {
    let lists = graph.hiddenToData.lists
    switch decoder {
    case .graphTransformer(let sources, let destinations, let block, let norm, let last, let edges):
      let attributes = try edgeAttributes(graph.hiddenToData, trainable: edges, group: .decoder, operations)
      let s = try sources.map { try operations.apply(Affine(z, $0)) } ?? z
      let y = try block(
        operations.apply(Affine(target, destinations)), sources: s, lists, attributes: attributes, operations)
      return try operations.apply(Affine(operations.layerNorm(y, norm), last))
    case .edgeNetwork(let embedding, let block, let last, let edges):
      let attributes = try edgeAttributes(graph.hiddenToData, trainable: edges, group: .decoder, operations)
      let e = try repeated(embedding([attributes], operations), batch: z.shape.batch, group: .decoder, operations)
      return try last([block(target, sources: z, lists, e: e, operations).x], operations)
    }
  }

  private func predict(_ o: Value, _ x: Value, _ operations: any Operations) throws -> Value {
    let v = description.variables
    let pairs = (0..<description.outputSteps).flatMap { step in
      zip(v.prognosticOutputs, v.prognosticInputs).map {
        (to: step * v.outputs + $0, from: description.residualStep * v.inputs + $1)
      }
    }
    var y = try operations.apply(AddColumns(x, to: o, pairs: pairs))
    for bounding in description.boundings {
      y = try operations.apply(Bound(x: y, bounding: bounding, variables: v.outputs))
    }
    return y
  }

  // MARK: Building

  private static func encoder(
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

  private static func layers(
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

  private static func decoder(
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
