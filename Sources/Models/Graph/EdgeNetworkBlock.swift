import Execution
import Tensors

/// A message-passing layer: e' = e + MLP([x_i, x_j, e]) for the edges j → i, x_i' = x_i + MLP([x_i, Σ_j e'_ij]).
struct EdgeNetworkBlock: Sendable {
  let channels: Int
  let edges, nodes: MultiLayerPerceptron
  /// Embedding of edge attributes in a processor's first layer: attributes → channels.
  let embedding: MultiLayerPerceptron?
  private let group: ParameterGroup

  init(
    _ name: String, channels c: Int, _ layer: GraphModelDescription.Layer, embeddedColumns: Int? = nil,
    _ builder: inout LayerBuilder
  ) {
    channels = c
    group = builder.group
    embedding = embeddedColumns.map {
      EdgeNetworkBlock.embedding("\(name).emb_edges", inputs: $0, channels: c, layer, &builder)
    }
    nodes = MultiLayerPerceptron(
      "\(name).node_mlp", inputs: [c, c], width: layer.hiddenWidth, outputs: c, hiddenLayers: layer.extraLayers + 2,
      norm: true, layer.hidden, &builder)
    edges = MultiLayerPerceptron(
      "\(name).conv.edge_mlp", inputs: [c, c, c], width: c, outputs: c, hiddenLayers: layer.extraLayers + 2,
      norm: true, layer.hidden, &builder)
  }

  /// A perceptron that takes attributes or variables to channels.
  static func embedding(
    _ name: String, inputs: Int, channels: Int, _ layer: GraphModelDescription.Layer, _ builder: inout LayerBuilder
  ) -> MultiLayerPerceptron {
    MultiLayerPerceptron(
      name, inputs: [inputs], width: layer.hiddenWidth, outputs: channels, hiddenLayers: layer.extraLayers + 2,
      norm: true, layer.hidden, &builder)
  }

  var parameters: [ParameterID] { edges.parameters + nodes.parameters + (embedding?.parameters ?? []) }

  /// - Parameter e: [edges, B, C]
  /// - Returns: new destinations and new edges.
  func callAsFunction(
    _ x: Value, sources: Value, _ lists: EdgeLists, e: Value, _ operations: any Operations
  ) throws -> (x: Value, e: Value) {
    let c = channels
    let messages = try edges.apply(operations) { layer in
      // The weight's columns: destination, source, edge.
      let own = try operations.apply(Affine(e, AffineParameters(layer, columns: 2 * c..<3 * c)))
      let a = try operations.apply(Affine(x, AffineParameters(layer, columns: 0..<c, bias: false)))
      let b = try operations.apply(Affine(sources, AffineParameters(layer, columns: c..<2 * c, bias: false)))
      return try operations.apply(EndpointSum(lists, overwriting: own, destinations: a, sources: b, group: group))
    }
    let newEdges = try operations.sum(messages, e)
    let received = try operations.apply(IncomingSum(lists, newEdges, group: group))
    return (try operations.sum(nodes([x, received], operations), x), newEdges)
  }
}
