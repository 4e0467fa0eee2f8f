import Execution

/// Self-attention within a window, then a perceptron, both added: y = x + W_p·attention(LN(x)), z = y + MLP(LN(y)).
struct WindowTransformerBlock: Sendable {
  let heads: Int
  let reach: Int?
  let norm: NodeNorm
  let query, key, value, projection: AffineParameters
  let queryNorm, keyNorm: ParameterID?
  let perceptron: ResidualPerceptron

  init(
    _ name: String, channels c: Int, reach: Int?, _ layer: GraphModelDescription.Layer, condition: Int?,
    _ builder: inout LayerBuilder
  ) {
    heads = layer.heads
    self.reach = reach
    let a = layer.attentionChannels
    query = builder.heads("\(name).attention.lin_q", inputs: c, outputs: a, heads: heads, bias: false)
    key = builder.heads("\(name).attention.lin_k", inputs: c, outputs: a, heads: heads, bias: false)
    value = builder.heads("\(name).attention.lin_v", inputs: c, outputs: a, heads: heads, bias: false)
    projection = builder.affine("\(name).attention.projection", inputs: a, outputs: c)
    queryNorm = layer.normalizesQueries ? builder.headScale("\(name).attention.q_norm", a / heads) : nil
    keyNorm = layer.normalizesQueries ? builder.headScale("\(name).attention.k_norm", a / heads) : nil
    norm = NodeNorm("\(name).layer_norm_attention", c, condition: condition, &builder)
    perceptron = ResidualPerceptron(
      name: "\(name).mlp", norm: NodeNorm("\(name).layer_norm_mlp", c, condition: condition, &builder),
      perceptron: MultiLayerPerceptron(
        "\(name).mlp", inputs: [c], width: layer.hiddenWidth, outputs: c, norm: false, layer.hidden, &builder))
  }

  var parameters: [ParameterID] {
    [query, key, value, projection].flatMap(\.all) + [queryNorm, keyNorm].compactMap { $0 } + norm.parameters
      + perceptron.parameters
  }

  /// - Parameter perceptronParts: nodes that the perceptron takes one after the other.
  func callAsFunction(
    _ x: Value, condition: Value?, perceptronParts: PerceptronParts? = nil, _ operations: any Operations
  ) throws -> Value {
    let d = try norm(x, condition, operations)
    var q = try operations.apply(Affine(d, query))
    var k = try operations.apply(Affine(d, key))
    let v = try operations.apply(Affine(d, value))
    if let queryNorm, let keyNorm {
      q = try operations.apply(HeadNorm(q, scale: queryNorm))
      k = try operations.apply(HeadNorm(k, scale: keyNorm))
    }
    let attended = try operations.apply(WindowAttention(q: q, k: k, v: v, heads: heads, reach: reach))
    let y = try operations.apply(Affine(attended, projection, addTo: x))
    return try perceptron(y, condition, inParts: perceptronParts, operations)
  }
}
