import Execution

/// WeatherMixer: an MLP-Mixer for the global atmosphere (Kieckhefen et al., arXiv 2507.05753).
///
/// ```
/// encoder  E = P·W_encᵀ + b_enc                                          [T, B, D]
/// block    X ← X + W₂·gelu(W₁·LN(X) + b₁) + b₂                           token mixing,  W₁ [H_t, T]
///          X ← X + gelu(LN(X)·V₁ᵀ + c₁)·V₂ᵀ + c₂                         channel mixing, V₁ [H_c, D]
/// decoder  Y = concat(LN(X), E)·W_decᵀ + b_dec                           [T, B, s·V_out]
/// output   blend: ŷ = Linear(LN(concat(LN(Y), x)));  residual: ŷ = x + f ⊙ Y
/// ```
/// T tokens of s = p_h·p_w points, B batch, D channels. A patch vector is ordered (dy, dx, variable), so that the same
/// memory is patch matrix [T, s·V] and list of grid points [T·s, V]; docs/decisions/0004 says why.
public struct WeatherMixer: LatentModel {
  public struct Sizes: Sendable, Hashable {
    /// T, and s.
    public var tokens, pointsPerToken: Int
    /// V_out, and static fields plus forcings.
    public var variables, auxiliaries: Int
    /// Times at which it reads states and forcings.
    public var inputTimes = 1
    /// D, H_t, H_c.
    public var channels, tokenWidth, channelWidth: Int
    public var blocks: Int

    public init(
      tokens: Int, pointsPerToken: Int, variables: Int, auxiliaries: Int, channels: Int, tokenWidth: Int,
      channelWidth: Int, blocks: Int
    ) {
      self.tokens = tokens
      self.pointsPerToken = pointsPerToken
      self.variables = variables
      self.auxiliaries = auxiliaries
      self.channels = channels
      self.tokenWidth = tokenWidth
      self.channelWidth = channelWidth
      self.blocks = blocks
    }
  }

  public enum Output: Sendable, Hashable {
    /// The published form: a learned blend of the decoded field and the input.
    case blend
    /// The decoder predicts the change over one step, in units of `scale` (per variable, in normalised units).
    case residual(scale: [Float])
  }

  public let sizes: Sizes
  public let output: Output
  public let dropoutProbability: Float
  public let parameters: ParameterTable

  public let phases: [StepPhase] = [.encoder, .tokenMixing, .channelMixing, .decoder, .output]

  public var form: ModelForm {
    ModelForm(
      tokens: sizes.tokens, pointsPerToken: sizes.pointsPerToken, variables: sizes.variables,
      auxiliaries: sizes.auxiliaries, inputTimes: sizes.inputTimes)
  }

  public var summary: String {
    "\(sizes.tokens) tokens of \(sizes.pointsPerToken) points, D \(sizes.channels), \(sizes.blocks) blocks"
  }

  private let encoder: LinearParameters
  private let blocks: [(tokens: MLPParameters, channels: MLPParameters)]
  private let decoderNorm: NormParameters
  private let decoder: LinearParameters
  private let head: Head

  private enum Head: Sendable {
    case blend(inner: NormParameters, outer: NormParameters, linear: LinearParameters)
    case residual(scale: [Float])
  }

  public init(_ sizes: Sizes, output: Output, dropoutProbability: Float = 0) {
    self.sizes = sizes
    self.output = output
    self.dropoutProbability = dropoutProbability
    var table = ParameterTable()
    let (s, d, v) = (sizes.pointsPerToken, sizes.channels, sizes.variables)
    let form = ModelForm(
      tokens: sizes.tokens, pointsPerToken: s, variables: v, auxiliaries: sizes.auxiliaries,
      inputTimes: sizes.inputTimes)
    encoder = table.linear("encoder", inputs: form.inputColumns, outputs: d, group: .encoder)
    blocks = (0..<sizes.blocks).map { i in
      func mlp(_ name: String, _ inputs: Int, _ width: Int) -> MLPParameters {
        let name = "blocks.\(i).\(name)"
        return MLPParameters(
          name: name,
          norm: table.norm("\(name).norm", lengths: [d], group: .processor),
          first: table.linear("\(name).first", inputs: [inputs], outputs: width, group: .processor),
          second: table.linear("\(name).second", inputs: [width], outputs: inputs, group: .processor))
      }
      return (mlp("tokens", sizes.tokens, sizes.tokenWidth), mlp("channels", d, sizes.channelWidth))
    }
    decoderNorm = table.norm("decoder.norm", lengths: [d], group: .decoder)
    // Residual output starts as persistence: no change.
    let startsAtZero = if case .residual = output { true } else { false }
    decoder = table.linear(
      "decoder", inputs: [d, d], outputs: s * v, outputGroups: s, group: .decoder, zero: startsAtZero)
    switch output {
    case .residual(let scale):
      precondition(scale.count == v)
      head = .residual(scale: scale)
    case .blend:
      head = .blend(
        inner: table.norm("blend.inner", lengths: [v], group: .decoder),
        outer: table.norm("blend.outer", lengths: [v, v], group: .decoder),
        linear: table.linear("blend", inputs: [v, v], outputs: v, group: .decoder))
    }
    table.label(encoder.weight, columns: form.inputSlots)
    table.label(decoder.weight, rows: form.outputSlots)
    table.label(decoder.bias, columns: form.outputSlots)
    if case .blend(let inner, let outer, let linear) = head {
      let predicted = (0..<v).map { FieldSlot(.prediction, field: $0) }
      let both = predicted + (0..<v).map { FieldSlot(.state(time: form.inputTimes - 1), field: $0) }
      for id in [inner.scale, inner.shift, linear.bias] { table.label(id, columns: predicted) }
      for id in [outer.scale, outer.shift] { table.label(id, columns: both) }
      table.label(linear.weight, rows: predicted, columns: both)
    }
    parameters = table
  }

  public func encode(_ input: ModelInput, _ operations: any Operations) throws -> Value {
    try operations.linear(input.all, encoder)
  }

  public func process(_ latent: Value, application: Int, isTraining: Bool, _ operations: any Operations) throws
    -> Value
  {
    let dropout =
      isTraining && dropoutProbability > 0
      ? Dropout(probability: dropoutProbability, application: application) : nil
    var x = latent
    for block in blocks {
      x = try operations.segment(x, block.tokens.all + block.channels.all) {
        let mixed = try operations.apply(ResidualMLP($0, along: .tokens, block.tokens, dropout: dropout))
        return try operations.apply(ResidualMLP(mixed, along: .channels, block.channels, dropout: dropout))
      }
    }
    return x
  }

  public func decode(
    _ latent: Value, encoded: Value, input: ModelInput, _ operations: any Operations
  ) throws -> Value {
    let decoded = try operations.linear([operations.layerNorm(latent, decoderNorm), encoded], decoder)
    // From here on per grid point: [T, B·s, V].
    let points = decoded.shape.batch * sizes.pointsPerToken
    let y = try operations.reshape(decoded, batch: points, columns: sizes.variables)
    let x = try operations.reshape(input.state, batch: points, columns: sizes.variables)
    let prediction =
      switch head {
      case .residual(let scale): try operations.addScaled(y, factor: scale, to: x)
      case .blend(let inner, let outer, let linear):
        try operations.apply(Blend(y, with: x, inner: inner, outer: outer, linear))
      }
    return try operations.reshape(prediction, batch: decoded.shape.batch, columns: decoded.shape.columns)
  }
}
