import Execution
import Tensors

/// Attention along edges, then a perceptron, both added to the destinations:
///
/// ```
/// s = LN_src(x_s)   d = LN(x_d)                     in a processor both are LN(x)
/// q = W_q d   k = W_k s   v = W_v s                 if wanted, q and k are normalised per head
/// y = x_d + W_p (attention(q, k, v, edges) + W_r d)
/// z = y + MLP(LN(y))
/// ```
struct GraphTransformerBlock: Sendable {
  let heads: Int
  let norm: NodeNorm
  /// Norm of the sources, which only mappers have.
  let sourceNorm: NodeNorm?
  let query, key, value, own, edge, projection: AffineParameters
  let queryNorm, keyNorm: ParameterID?
  let edgeLayer: AffineParameters?
  let edgeActivation: ActivationKind?
  let perceptron: ResidualPerceptron
  private let group: ParameterGroup

  /// - Parameters:
  ///   - sources: channels of the sources; nil in a processor, where they are the destinations.
  ///   - condition: width of what conditions its norms, if anything.
  init(
    _ name: String, channels c: Int, sources: Int?, edgeColumns: Int, _ layer: GraphModelDescription.Layer,
    condition: Int? = nil, _ builder: inout LayerBuilder
  ) {
    group = builder.group
    heads = layer.heads
    let a = layer.attentionChannels
    let source = sources ?? c
    query = builder.heads("\(name).lin_query", inputs: c, outputs: a, heads: heads)
    key = builder.heads("\(name).lin_key", inputs: source, outputs: a, heads: heads)
    value = builder.heads("\(name).lin_value", inputs: source, outputs: a, heads: heads)
    own = builder.heads("\(name).lin_self", inputs: c, outputs: a, heads: heads)
    edge = builder.affine("\(name).lin_edge", inputs: edgeColumns, outputs: a)
    projection = builder.affine("\(name).projection", inputs: a, outputs: c)
    queryNorm = layer.normalizesQueries ? builder.headScale("\(name).q_norm", a / heads) : nil
    keyNorm = layer.normalizesQueries ? builder.headScale("\(name).k_norm", a / heads) : nil
    edgeActivation = layer.edgeActivation
    edgeLayer =
      layer.edgeActivation == nil
      ? nil : builder.affine("\(name).edge_pre_mlp.0", inputs: edgeColumns, outputs: edgeColumns)
    norm = NodeNorm("\(name).layer_norm_attention", c, condition: condition, &builder)
    sourceNorm =
      sources.map { NodeNorm("\(name).layer_norm_attention_src", $0, condition: nil, &builder) }
    perceptron = ResidualPerceptron(
      name: "\(name).node_dst_mlp",
      norm: NodeNorm("\(name).layer_norm_mlp_dst", c, condition: condition, &builder),
      perceptron: MultiLayerPerceptron(
        "\(name).node_dst_mlp", inputs: [c], width: layer.hiddenWidth, outputs: c, norm: false, layer.hidden, &builder))
  }

  var parameters: [ParameterID] {
    let linear = [query, key, value, own, edge, projection] + (edgeLayer.map { [$0] } ?? [])
    return linear.flatMap(\.all) + [queryNorm, keyNorm].compactMap { $0 }
      + norm.parameters + (sourceNorm?.parameters ?? []) + perceptron.parameters
  }

  /// - Parameters:
  ///   - sources: nil in a processor.
  ///   - attributes: [edges, 1, edgeColumns]
  ///   - perceptronParts: nodes that the perceptron takes one after the other.
  func callAsFunction(
    _ x: Value, sources: Value?, _ edges: EdgeLists, attributes: Value, condition: Value? = nil,
    perceptronParts: PerceptronParts? = nil, _ operations: any Operations
  ) throws -> Value {
    let d = try norm(x, condition, operations)
    let s = if let sources, let sourceNorm { try sourceNorm(sources, nil, operations) } else { d }
    var q = try operations.apply(Affine(d, query))
    var k = try operations.apply(Affine(s, key))
    let v = try operations.apply(Affine(s, value))
    if let queryNorm, let keyNorm {
      q = try operations.apply(HeadNorm(q, scale: queryNorm))
      k = try operations.apply(HeadNorm(k, scale: keyNorm))
    }
    var a = attributes
    if let edgeLayer, let edgeActivation {
      a = try operations.apply(Activation(operations.apply(Affine(a, edgeLayer)), edgeActivation, group: group))
    }
    let attended = try operations.apply(
      EdgeAttention(edges, heads: heads, q: q, k: k, v: v, attributes: a, edge))
    let inner = try operations.apply(Affine(d, own, addTo: attended, overwriting: true))
    let y = try operations.apply(Affine(inner, projection, addTo: x))
    return try perceptron(y, condition, inParts: perceptronParts, operations)
  }
}
