import Models

/// One training step of the published model on one model instance, as its code queues it (`Linear.py`, `Model.py`,
/// `PatchEmbedding.py` of github.com/DeifiliaTo/Jigsaw_SC): forward, loss, backward; gradients become complete one by one.
///
/// Passes over memory are counted from the operations of that code, each of which reads and writes whole tensors: bias,
/// sum of partial products, GELU, dropout, LayerNorm, residual.
struct PublishedStep {
  /// Samples are padded to as many fields in and out, so that they divide by 2.
  static let fields = 72

  private(set) var scheme: PublishedProducts
  private let sizes: WeatherMixer.Sizes
  private let ways: Int
  /// Steps of backward, in the order of forward.
  private var backward: [(inout PublishedProducts) -> Void] = []

  init(_ sizes: WeatherMixer.Sizes, ways: Int, costs: PublishedProducts.Costs) {
    self.sizes = sizes
    self.ways = ways
    scheme = PublishedProducts(ways: ways, costs: costs)
    let (t, d) = (sizes.tokens, sizes.channels)
    let pixels = sizes.tokens * sizes.pointsPerToken
    let patch = sizes.pointsPerToken * Self.fields

    linear(.channels, rows: t, inputs: patch, outputs: d, inputNeedsGradient: ways > 1)
    for _ in 0..<sizes.blocks {
      pass(forward: 2, backward: 3, over: t * d)  // residual: a clone; two gradients added
      pass(forward: 2, backward: 5, over: t * d)  // LayerNorm
      mlp(.tokens, rows: d, width: sizes.tokenWidth, outputs: t)
      transpose(numbers: t * d)
      pass(forward: 3, backward: 0, over: t * d)
      pass(forward: 2, backward: 5, over: t * d)
      mlp(.channels, rows: t, width: sizes.channelWidth, outputs: d)
      pass(forward: 3, backward: 3, over: t * d)
    }
    pass(forward: 2, backward: 5, over: t * d)  // LayerNorm, then [LN(X), E]
    pass(forward: 4, backward: 4, over: t * d)
    linear(.channels, rows: t, inputs: 2 * d, outputs: patch, inputNeedsGradient: true)
    // The blend of decoded and given fields, point by point.
    let points = pixels * Self.fields
    pass(forward: 2, backward: 5, over: points)
    pass(forward: 4, backward: 4, over: points)
    pass(forward: 4, backward: 10, over: points)
    linear(.channels, rows: pixels, inputs: 2 * Self.fields, outputs: Self.fields, inputNeedsGradient: true)
    pass(forward: 5, backward: 3, over: points)  // loss: difference, square, mean

    for step in backward.reversed() { step(&scheme) }
  }

  /// What a linear layer maps: channels of each token (X·Wᵀ), or tokens of each channel, from X or from its transpose.
  private enum Along { case channels, tokens, transposedTokens }

  private mutating func linear(_ along: Along, rows: Int, inputs: Int, outputs: Int, inputNeedsGradient: Bool) {
    // Forward, gradient of the input, gradient of the weight: kinds, and sizes m, n, k of each.
    let (forward, input, weight): (PublishedProducts.Kind, PublishedProducts.Kind, PublishedProducts.Kind)
    switch along {
    case .channels: (forward, input, weight) = (.xwt, .xw, .xtw)
    case .tokens: (forward, input, weight) = (.xtw, .xwt, .xw)
    case .transposedTokens: (forward, input, weight) = (.xw, .xwt, .xtw)
    }
    scheme.product(forward, m: rows, n: outputs, k: inputs)
    if ways > 1 { scheme.pass(2, over: rows * outputs) }  // the bias; 1-way adds it within the GEMM
    let isSplit = ways > 1
    backward.append { scheme in
      if inputNeedsGradient {
        // Tokens: the gradient comes as W·dYᵀ, rows and columns exchanged.
        let (m, n) = along == .tokens ? (inputs, rows) : (rows, inputs)
        scheme.product(input, m: m, n: n, k: outputs)
      }
      let (m, n) = along == .channels ? (outputs, inputs) : (inputs, outputs)
      scheme.product(weight, m: m, n: n, k: rows)
      scheme.pass(1, over: rows * outputs)  // gradient of the bias
      // The split code's gradients have a leading axis of one that autograd sums over: one more copy.
      if isSplit { scheme.pass(2, over: inputs * outputs) }
      // Into the bucket of DistributedDataParallel, and back.
      scheme.pass(4, over: inputs * outputs)
      scheme.completeGradient(numbers: inputs * outputs + outputs)
    }
  }

  private mutating func mlp(_ along: Along, rows: Int, width: Int, outputs: Int) {
    linear(along, rows: rows, inputs: outputs, outputs: width, inputNeedsGradient: true)
    pass(forward: 2 + 2.25, backward: 3 + 2.25, over: rows * width)  // GELU, dropout with a mask of bytes
    linear(
      along == .tokens ? .transposedTokens : .channels, rows: rows, inputs: width, outputs: outputs,
      inputNeedsGradient: true)
    pass(forward: 2.25, backward: 2.25, over: rows * outputs)
  }

  private mutating func transpose(numbers: Int) {
    scheme.transpose(numbers: numbers)
    backward.append { $0.transpose(numbers: numbers) }
  }

  private mutating func pass(forward: Double, backward: Double, over numbers: Int) {
    scheme.pass(forward, over: numbers)
    self.backward.append { $0.pass(backward, over: numbers) }
  }
}
