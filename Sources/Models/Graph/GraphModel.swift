import Basics
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
  /// How it is computed.
  public let parts: ComputationParts

  let chunkedGraph: ChunkedGraph
  let trainableData, trainableHidden: ParameterID?
  let encoder: Encoder
  let noise: MultiLayerPerceptron?
  private let processorEdges: ParameterID?
  private let layers: [Layer]
  let decoder: Decoder

  enum Layer: Sendable {
    case graphTransformer(GraphTransformerBlock)
    case edgeNetwork(EdgeNetworkBlock)
    case transformer(WindowTransformerBlock)

    var parameters: [ParameterID] {
      switch self {
      case .graphTransformer(let block): block.parameters
      case .edgeNetwork(let block): block.parameters
      case .transformer(let block): block.parameters
      }
    }

    /// - Parameter state: hidden nodes, and of an edge network edges.
    func callAsFunction(
      _ state: [Value], _ edges: EdgeLists?, _ attributes: Value?, _ condition: Value?, _ parts: PerceptronParts?,
      _ operations: any Operations
    ) throws -> [Value] {
      switch self {
      case .graphTransformer(let block):
        guard let edges, let attributes else { preconditionFailure("no edges to process") }
        return [
          try block(
            state[0], sources: nil, edges, attributes: attributes, condition: condition, perceptronParts: parts,
            operations)
        ]
      case .transformer(let block):
        return [try block(state[0], condition: condition, perceptronParts: parts, operations)]
      case .edgeNetwork(let block):
        guard let edges else { preconditionFailure("no edges to process") }
        let result = try block(state[0], sources: state[0], edges, e: state[1], operations)
        return [result.x, result.e]
      }
    }
  }

  enum Encoder: Sendable {
    case graphTransformer(
      sources: AffineParameters, destinations: AffineParameters, block: GraphTransformerBlock, edges: ParameterID?)
    case edgeNetwork(
      sources: MultiLayerPerceptron, destinations: MultiLayerPerceptron, embedding: MultiLayerPerceptron,
      block: EdgeNetworkBlock, edges: ParameterID?)
  }

  enum Decoder: Sendable {
    case graphTransformer(
      sources: AffineParameters?, destinations: AffineParameters, block: GraphTransformerBlock, norm: NormParameters,
      last: AffineParameters, edges: ParameterID?)
    case edgeNetwork(
      embedding: MultiLayerPerceptron, block: EdgeNetworkBlock, last: MultiLayerPerceptron, edges: ParameterID?)
  }

  public init(
    _ description: GraphModelDescription, _ graph: ModelGraph, _ parts: ComputationParts = ComputationParts()
  ) {
    self.description = description
    self.graph = graph
    self.parts = parts
    chunkedGraph = ChunkedGraph(graph, parts)
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
    // Norms that are not conditional have no use for noise.
    noise = (description.processor.isConditional ? description.noise : nil).map {
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
  ///   - isFirstStep: of a rollout; models with noise use it.
  public func step(
    _ x: Value, noise: Value? = nil, isFirstStep: Bool = true, observe: Observer? = nil, _ operations: any Operations
  ) throws -> Value {
    precondition(x.shape.columns == description.inputSteps * description.variables.inputs)
    precondition(x.shape.rows == graph.dataNodes && (noise == nil) == (description.noise == nil))
    let input = Input(x: x, isFirstStep: isFirstStep)
    let encoded = try encode(input, operations)
    observe?("encoder_hidden", encoded.hidden)
    let condition = try noise.flatMap { noise in try self.noise?([noise], operations) }
    if let condition { observe?("noise_embedded", condition) }
    var z = try process(encoded.hidden, condition: condition, observe, operations)
    if description.skipsLatent { z = try operations.sum(z, encoded.hidden) }
    let decoded = try decode(z, input, encodedData: encoded.data, operations)
    observe?("decoder_out", decoded)
    return try predict(decoded, x, operations)
  }

  /// The features of the data nodes that a step reads.
  struct Input {
    let x: Value
    let isFirstStep: Bool
  }

  /// X_d, or some rows of it.
  ///
  /// - Parameter starts: of rows that stay on one rank.
  func dataFeatures(_ input: Input, _ rows: PickedRows?, starts: IndexList? = nil, _ operations: any Operations) throws
    -> Value
  {
    try operations.apply(
      Concatenation(
        [.value(input.x), .constant(graph.dataCoordinates)] + (trainableData.map { [.parameter($0)] } ?? [])
          + (description.noise == nil ? [] : [.number(input.isFirstStep ? 0 : 1)]),
        rows: rows?.count ?? graph.dataNodes, batch: input.x.shape.batch, rowStarts: starts, picked: rows,
        group: .encoder))
  }

  /// X_h, or some rows of it.
  func hiddenFeatures(_ rows: PickedRows?, batch: Int, _ operations: any Operations) throws -> Value {
    try operations.apply(
      Concatenation(
        [.constant(graph.hiddenCoordinates)] + (trainableHidden.map { [.parameter($0)] } ?? []),
        rows: rows?.count ?? graph.hiddenNodes, batch: batch, picked: rows, group: .encoder))
  }

  func edgeAttributes(
    _ edges: ModelGraph.Edges, _ chunk: MapperChunk? = nil, trainable: ParameterID?, group: ParameterGroup,
    _ operations: any Operations
  ) throws -> Value {
    let lists = chunk?.lists ?? edges.lists
    return try operations.apply(
      Concatenation(
        [.constant(edges.attributes)] + (trainable.map { [.parameter($0)] } ?? []), rows: lists.count, batch: 1,
        rowStarts: lists.starts, picked: chunk?.rows?.edges, group: group))
  }

  /// The same for all samples.
  func repeated(
    _ x: Value, batch: Int, group: ParameterGroup, _ operations: any Operations
  ) throws -> Value {
    if batch == 1 { return x }
    return try operations.apply(
      Concatenation(
        [.value(x)], rows: x.shape.rows, batch: batch, rowStarts: x.shape.rowStarts, group: group))
  }

  private func process(
    _ h: Value, condition: Value?, _ observe: Observer?, _ operations: any Operations
  ) throws -> Value {
    let edges = description.processor.kind == .transformer ? nil : graph.hiddenToHidden
    let attributes = try edges.map {
      try edgeAttributes($0, trainable: processorEdges, group: .processor, operations)
    }
    var state = [h]
    if case .edgeNetwork(let first)? = layers.first, let embedding = first.embedding, let attributes {
      state.append(
        try repeated(embedding([attributes], operations), batch: h.shape.batch, group: .processor, operations))
    }
    let parts = chunkedGraph.chunks(shares: operations.rowShare.count).perceptrons
    func run(_ index: Int, _ state: [Value]) throws -> [Value] {
      let result = try operations.segment(state, layers[index].parameters) {
        try layers[index]($0, edges?.lists, attributes, condition, parts, operations)
      }
      observe?("processor_layer_\(index)", result[0])
      return result
    }
    for group in layerGroups {
      if group.count == 1 {
        state = try run(group.lowerBound, state)
      } else {
        state = try operations.segment(state, group.flatMap { layers[$0].parameters }) { state in
          try group.reduce(state) { try run($1, $0) }
        }
      }
    }
    return state[0]
  }

  /// Layers that are checkpointed together.
  private var layerGroups: [Range<Int>] {
    ComputationParts.layerGroups(layers.count, into: min(parts.processor ?? layers.count, layers.count))
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
}
