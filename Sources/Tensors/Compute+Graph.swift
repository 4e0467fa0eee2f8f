import CKernels

// Attention along edges, sums over edges, activations: kernels split over the team, each forward beside its backward.

/// An activation of multi-layer perceptrons and gates. GELU is the exact (erf) form.
public enum ActivationKind: String, Sendable, Hashable, Codable, CaseIterable {
  case gelu, silu, relu, sigmoid

  var kernel: jk_activation {
    switch self {
    case .gelu: jk_gelu
    case .silu: jk_silu
    case .relu: jk_relu
    case .sigmoid: jk_sigmoid
    }
  }

  /// The arithmetic of so many numbers; that of an exponential and a division is priced as GELU's.
  func arithmetic(_ count: Int) -> PassArithmetic {
    switch self {
    case .gelu, .silu, .sigmoid: .gelu(count)
    case .relu: .little
    }
  }
}

/// Queries, keys and values of attention, or their gradients.
public struct AttentionValues: Sendable {
  public let q, k, v: Tensor

  public init(q: Tensor, k: Tensor, v: Tensor) {
    self.q = q
    self.k = k
    self.v = v
  }
}

/// Where the gradients of an edge projection are added: attributes [edges, attributes], nil if they have none, weight and bias.
public struct EdgeProjectionGradients: Sendable {
  let attributes: Tensor?
  let weight, bias: Tensor

  public init(attributes: Tensor?, weight: Tensor, bias: Tensor) {
    self.attributes = attributes
    self.weight = weight
    self.bias = bias
  }
}

/// The arguments of attention along edges besides nodes: the edges, their attributes and the projection of these.
public struct EdgeProjection: Sendable {
  public let edges: EdgeLists
  public let heads, channels, batch: Int
  /// Attributes per edge, and the same rounded up to what kernels load at once.
  public let attributeCount, width: Int
  /// [edges, width], [heads·channels, width], padded with zeros, and [attributes, heads·channels].
  let attributes, weight, transposed: Tensor

  /// How many numbers an edge takes in kernels.
  public static func paddedWidth(_ attributes: Int) -> Int { (attributes + 15) / 16 * 16 }

  var kernel: jk_attention {
    jk_attention(
      starts: edges.starts.pointer, sources: edges.sources.pointer, attributes: attributes.pointer,
      weight: weight.pointer, transposed: transposed.pointer, attribute_count: attributeCount, width: width,
      heads: heads, channels: channels, batch: batch, scale: 1 / Float(channels).squareRoot())
  }
}

extension Compute {
  private var kernels: jk_kernels { jk_current().pointee }

  /// Brings attributes [edges, a] and weight [heads·channels, a] of the edges' projection into the kernels' order.
  public func edgeProjection(
    _ edges: EdgeLists, attributes: Tensor, weight: Tensor, heads: Int, batch: Int
  ) -> EdgeProjection {
    let (rows, count) = (weight.shape[0], weight.shape[1])
    let width = EdgeProjection.paddedWidth(count)
    precondition(rows % heads == 0 && attributes.count == edges.count * count)
    let padded = tensor([edges.count, width])
    pad(attributes, rows: edges.count, into: padded)
    let paddedWeight = tensor([rows, width])
    pad(weight, rows: rows, into: paddedWeight)
    let transposed = tensor([count, rows])
    pass(1, bytes: 2 * weight.byteCount) { _ in
      for row in 0..<rows {
        for column in 0..<count { transposed.pointer[column * rows + row] = weight.pointer[row * count + column] }
      }
    }
    return EdgeProjection(
      edges: edges, heads: heads, channels: rows / heads, batch: batch, attributeCount: count, width: width,
      attributes: padded, weight: paddedWeight, transposed: transposed)
  }

  /// y [rows, wider] = x [rows, columns] and zeros.
  private func pad(_ x: Tensor, rows: Int, into y: Tensor) {
    let (columns, width) = (x.count / max(rows, 1), y.count / max(rows, 1))
    pass(rows, grain: 64, bytes: x.byteCount + y.byteCount) { range in
      for row in range {
        let to = y.pointer + row * width
        to.update(from: x.pointer + row * columns, count: columns)
        (to + columns).update(repeating: 0, count: width - columns)
      }
    }
  }

  /// Calls `work` for all parts, each with a number of its own; a thread does several.
  private func pass(parts: [Range<Int>], bytes: Int, _ work: (Int, Range<Int>) -> Void) {
    pass(parts.count, bytes: bytes) { for part in $0 { work(part, parts[part]) } }
  }

  /// out [destinations, batch, heads·channels]; alpha [edges, batch, heads] is kept for backward. `bias` is that of the edges'
  /// projection. `parts` are the destinations that are computed, all unless given.
  public func edgeAttention(
    _ p: EdgeProjection, _ values: AttentionValues, bias: Tensor, into out: Tensor, alpha: Tensor,
    over parts: [Range<Int>]? = nil
  ) {
    let (q, k, v) = (values.q, values.k, values.v)
    let parts = parts ?? p.edges.destinationParts
    let row = p.heads * p.channels
    precondition(q.count == p.edges.destinationCount * p.batch * row && out.count == q.count && bias.count == row)
    precondition(k.count == p.edges.sourceCount * p.batch * row && v.count == k.count)
    let scratch = tensor([parts.count, 2 * p.heads * p.width])
    // The whole pass's share that these destinations are.
    let share = Double(parts.reduce(0) { $0 + $1.count }) / Double(max(1, p.edges.destinationCount))
    let bytes = Int(share * Double(2 * (q.byteCount + k.byteCount) + alpha.byteCount))
    pass(parts: parts, bytes: bytes) { part, nodes in
      var kernel = p.kernel
      kernels.edge_attention_forward(
        &kernel, q.pointer, k.pointer, v.pointer, bias.pointer, out.pointer, alpha.pointer, nodes.lowerBound,
        nodes.upperBound, scratch.pointer + part * 2 * p.heads * p.width)
    }
  }

  /// The gradients of queries, keys and values are stored, those of the projection are added to.
  public func edgeAttentionBackward(
    _ p: EdgeProjection, _ values: AttentionValues, dout: Tensor, alpha: Tensor, into gradients: AttentionValues,
    projection: EdgeProjectionGradients
  ) {
    let dlogits = edgeAttentionBackward(
      p, values, dout: dout, alpha: alpha, intoQueries: gradients.q, projection: projection)
    edgeAttentionBackward(
      p, q: values.q, dout: dout, alpha: alpha, dlogits: dlogits, intoSources: (gradients.k, gradients.v),
      over: p.edges.sourceParts)
  }

  /// The first part of the backward step: all but the gradients of sources, which need the logits' gradients, the result.
  public func edgeAttentionBackward(
    _ p: EdgeProjection, _ values: AttentionValues, dout: Tensor, alpha: Tensor, intoQueries dq: Tensor,
    projection: EdgeProjectionGradients
  ) -> Tensor {
    let (q, k, v) = (values.q, values.k, values.v)
    let (dattributes, dweight, dbias) = (projection.attributes, projection.weight, projection.bias)
    let (row, parts) = (p.heads * p.channels, EdgeLists.partCount)
    let dlogits = tensor(alpha.shape)
    let scratch = tensor([parts, 4 * p.heads * p.width])
    let weightSums = tensor([parts, row, p.width])
    let biasSums = tensor([parts, row])
    let edgeSums = dattributes.map { _ in tensor([p.edges.count, p.width]) }
    for sums in [weightSums, biasSums] + (edgeSums.map { [$0] } ?? []) { sums.fill() }
    let bytes = 3 * q.byteCount + 2 * k.byteCount + 2 * alpha.byteCount
    pass(parts: p.edges.destinationParts, bytes: bytes) { part, nodes in
      var kernel = p.kernel
      kernels.edge_attention_backward(
        &kernel, q.pointer, k.pointer, v.pointer, dout.pointer, alpha.pointer, dlogits.pointer, dq.pointer,
        edgeSums?.pointer, weightSums.pointer + part * row * p.width, biasSums.pointer + part * row, nodes.lowerBound,
        nodes.upperBound, scratch.pointer + part * 4 * p.heads * p.width)
    }
    pass(row, grain: 16, bytes: weightSums.byteCount) { range in
      for r in range {
        for part in 0..<parts {
          let sums = weightSums.pointer + (part * row + r) * p.width
          for a in 0..<p.attributeCount { dweight.pointer[r * p.attributeCount + a] += sums[a] }
          dbias.pointer[r] += biasSums.pointer[part * row + r]
        }
      }
    }
    guard let dattributes, let edgeSums else { return dlogits }
    pass(p.edges.count, grain: 256, bytes: edgeSums.byteCount + 2 * dattributes.byteCount) { range in
      for e in range {
        let (to, from) = (dattributes.pointer + e * p.attributeCount, edgeSums.pointer + e * p.width)
        for a in 0..<p.attributeCount { to[a] += from[a] }
      }
    }
    return dlogits
  }

  /// The second part: stores the gradients of the keys and values of some sources.
  public func edgeAttentionBackward(
    _ p: EdgeProjection, q: Tensor, dout: Tensor, alpha: Tensor, dlogits: Tensor,
    intoSources gradients: (dk: Tensor, dv: Tensor), over parts: [Range<Int>]
  ) {
    let share = Double(parts.reduce(0) { $0 + $1.count }) / Double(max(1, p.edges.sourceCount))
    let bytes = Int(share * Double(3 * q.byteCount + 2 * gradients.dk.byteCount + 2 * alpha.byteCount))
    pass(parts: parts, bytes: bytes) { _, nodes in
      var kernel = p.kernel
      kernels.edge_attention_backward_sources(
        &kernel, p.edges.sourceStarts.pointer, p.edges.sourceEdges.pointer, p.edges.destinations.pointer, q.pointer,
        dout.pointer, alpha.pointer, dlogits.pointer, gradients.dk.pointer, gradients.dv.pointer, nodes.lowerBound,
        nodes.upperBound)
    }
  }

  // MARK: Sums along edges; rows of nodes and edges are of `length` elements

  /// y[e] += x[node of e] for the node at the edge's end or start.
  public func addNodesToEdges(_ x: Tensor, atSources: Bool, _ edges: EdgeLists, length: Int, to y: Tensor) {
    let nodes = atSources ? edges.sources : edges.destinations
    pass(edges.count, grain: max(1, 4_096 / max(1, length)), bytes: 3 * y.byteCount) { range in
      for e in range { kernels.add(y.pointer + e * length, x.pointer + nodes[e] * length, length) }
    }
  }

  /// y[i] = sum of x[e] over the edges that end, or start, at node i.
  public func sumEdges(_ x: Tensor, atSources: Bool, _ edges: EdgeLists, length: Int, into y: Tensor) {
    let starts = atSources ? edges.sourceStarts : edges.starts
    pass(parts: atSources ? edges.sourceParts : edges.destinationParts, bytes: x.byteCount + y.byteCount) { _, nodes in
      for node in nodes {
        let sum = y.pointer + node * length
        sum.update(repeating: 0, count: length)
        for n in starts[node]..<starts[node + 1] {
          kernels.add(sum, x.pointer + (atSources ? edges.sourceEdges[n] : n) * length, length)
        }
      }
    }
  }

  // MARK: Conditional norms

  /// y = y·(1 + scale) + shift, element by element.
  public func scaleAndShift(_ y: Tensor, by scale: Tensor, _ shift: Tensor) {
    precondition(scale.count == y.count && shift.count == y.count)
    pass(y.count, grain: 4_096, bytes: 4 * y.byteCount) { range in
      let (y, s, t) = (y.pointer, scale.pointer, shift.pointer)
      for i in range { y[i] = y[i] * (1 + s[i]) + t[i] }
    }
  }

  /// For y = n·(1 + scale) + shift with n = (x − mean)·rstd: the gradients of scale and of n from that of y.
  public func scaleAndShiftBackward(
    _ x: Tensor, scale: Tensor, _ statistics: RowStatistics, _ dy: Tensor, into gradients: (dscale: Tensor, dn: Tensor)
  ) {
    let (rows, mean, rstd) = (statistics.rows, statistics.mean, statistics.rstd)
    let columns = rows == 0 ? 0 : x.count / rows
    precondition(x.count == rows * columns && dy.count == x.count && scale.count == x.count)
    pass(rows, grain: max(1, 4_096 / max(1, columns)), bytes: 5 * dy.byteCount) { range in
      let (x, s, d) = (x.pointer, scale.pointer, dy.pointer)
      for row in range {
        let (m, r) = (mean.pointer[row], rstd.pointer[row])
        for i in row * columns..<(row + 1) * columns {
          gradients.dscale.pointer[i] = d[i] * (x[i] - m) * r
          gradients.dn.pointer[i] = d[i] * (1 + s[i])
        }
      }
    }
  }

  // MARK: Activations

  /// y = f(x). y may be x.
  public func activation(_ kind: ActivationKind, _ x: Tensor, into y: Tensor) {
    precondition(x.count == y.count)
    pass(x.count, grain: 4_096, bytes: 2 * x.byteCount, arithmetic: kind.arithmetic(x.count)) {
      kernels.activation_forward(kind.kernel, x.pointer + $0.lowerBound, y.pointer + $0.lowerBound, $0.count)
    }
  }

  /// dx = dy·f'(x). dx may be dy.
  public func activationBackward(_ kind: ActivationKind, _ x: Tensor, _ dy: Tensor, into dx: Tensor) {
    precondition(x.count == dy.count && dx.count == x.count)
    pass(x.count, grain: 4_096, bytes: 3 * x.byteCount, arithmetic: kind.arithmetic(x.count)) {
      let i = $0.lowerBound
      kernels.activation_backward(kind.kernel, x.pointer + i, dy.pointer + i, dx.pointer + i, $0.count)
    }
  }

  /// y = f(gate)·value.
  public func gate(_ kind: ActivationKind, _ gate: Tensor, _ value: Tensor, into y: Tensor) {
    precondition(gate.count == value.count && y.count == value.count)
    pass(y.count, grain: 4_096, bytes: 3 * y.byteCount, arithmetic: kind.arithmetic(y.count)) {
      let i = $0.lowerBound
      kernels.gated_forward(kind.kernel, gate.pointer + i, value.pointer + i, y.pointer + i, $0.count)
    }
  }

  public func gateBackward(
    _ kind: ActivationKind, _ gate: Tensor, _ value: Tensor, _ dy: Tensor, dgate: Tensor, dvalue: Tensor
  ) {
    precondition(gate.count == value.count && dy.count == value.count)
    precondition(dgate.count == value.count && dvalue.count == value.count)
    pass(dy.count, grain: 4_096, bytes: 5 * dy.byteCount, arithmetic: kind.arithmetic(dy.count)) {
      let i = $0.lowerBound
      kernels.gated_backward(
        kind.kernel, gate.pointer + i, value.pointer + i, dy.pointer + i, dgate.pointer + i, dvalue.pointer + i,
        $0.count)
    }
  }
}
