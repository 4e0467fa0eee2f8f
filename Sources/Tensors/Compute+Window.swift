import CKernels

// Multi-head self-attention of positions that lie at most `reach` apart, in FP32, in tiles with an online softmax: no matrix of all
// positions by all positions exists.

/// Sizes of self-attention within a window. Queries are [positions, batch, heads·channels], keys and values likewise, of all
/// positions or of some before and behind as well.
public struct WindowShape: Sendable, Hashable {
  public let positions, batch, heads, channels: Int
  /// Positions of keys and values, and the first query among them.
  public let keys, firstQuery: Int
  /// How far apart positions may lie that attend to each other; nil: any distance.
  public let reach: Int?

  /// - Parameters:
  ///   - keys: `positions` unless given.
  ///   - firstQuery: the position of the first query among the keys.
  public init(
    positions: Int, batch: Int, heads: Int, channels: Int, reach: Int?, keys: Int? = nil, firstQuery: Int = 0
  ) {
    precondition(firstQuery + positions <= keys ?? positions)
    self.positions = positions
    self.keys = keys ?? positions
    self.firstQuery = firstQuery
    self.batch = batch
    self.heads = heads
    self.channels = channels
    self.reach = reach
  }

  /// Independent pieces of work: samples times heads.
  var pieces: Int { batch * heads }

  /// The first number of one head of one sample.
  func head(_ piece: Int, of x: Tensor) -> UnsafeMutablePointer<Float> {
    x.pointer + piece / heads * heads * channels + piece % heads * channels
  }

  var kernel: jk_window {
    jk_window(
      queries: positions, keys: keys, first_query: firstQuery, reach: reach ?? keys, channels: channels,
      row: batch * heads * channels, scale: 1 / Float(channels).squareRoot())
  }
}

extension Compute {
  private var kernels: jk_kernels { jk_current().pointee }

  /// Calls `work` for each head of each sample, with memory of its own.
  private func forEachHead(
    _ shape: WindowShape, bytes: Int, _ work: (Int, UnsafeMutablePointer<Float>) -> Void
  ) {
    let scratch = tensor([shape.pieces, jk_window_scratch(shape.positions, shape.channels)])
    pass(shape.pieces, bytes: bytes) { pieces in
      for piece in pieces { work(piece, scratch.pointer + piece * scratch.shape[1]) }
    }
  }

  /// out = softmax(q·kᵀ/√channels)·v per head within the window. `most` and `sums` [batch·heads, positions] are kept for
  /// backward: the largest logit of each position, and the sum of exp(logit − most).
  public func windowAttention(
    _ shape: WindowShape, _ values: AttentionValues, into out: Tensor, most: Tensor, sums: Tensor
  ) {
    let (q, k, v) = (values.q, values.k, values.v)
    precondition(most.count == shape.pieces * shape.positions && sums.count == most.count)
    forEachHead(shape, bytes: 4 * out.byteCount) { piece, scratch in
      var window = shape.kernel
      let start = piece * shape.positions
      kernels.window_forward(
        &window, shape.head(piece, of: q), shape.head(piece, of: k), shape.head(piece, of: v),
        shape.head(piece, of: out), most.pointer + start, sums.pointer + start, scratch)
    }
  }

  /// The gradients of queries, keys and values are stored.
  public func windowAttentionBackward(
    _ shape: WindowShape, _ values: AttentionValues, out: Tensor, dout: Tensor, most: Tensor, sums: Tensor,
    into gradients: AttentionValues
  ) {
    let (q, k, v) = (values.q, values.k, values.v)
    gradients.q.fill()
    forEachHead(shape, bytes: 8 * out.byteCount) { piece, scratch in
      var window = shape.kernel
      let start = piece * shape.positions
      kernels.window_backward(
        &window, shape.head(piece, of: q), shape.head(piece, of: k), shape.head(piece, of: v),
        shape.head(piece, of: out), shape.head(piece, of: dout), most.pointer + start, sums.pointer + start,
        shape.head(piece, of: gradients.q), shape.head(piece, of: gradients.k), shape.head(piece, of: gradients.v),
        scratch)
    }
  }
}
