import CKernels
import Testing

@testable import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// Attention along edges and within windows on every kernel set, against plain loops in double precision that form every edge's
/// projected vector, and against differences of these.
@Suite struct GraphKernelTests {
  /// A small graph: a destination without edges, one with many, a source that several edges leave and one that none leaves.
  struct Problem {
    static let starts: [Int32] = [0, 3, 3, 10, 12]
    static let sources: [Int32] = [0, 2, 4, 1, 0, 2, 4, 4, 0, 1, 2, 0]
    let heads: Int
    let channels: Int
    let attributes = 5
    let batch = 2
    var row: Int { heads * channels }
    /// q, k, v, attributes, weight, bias.
    var values: [[Double]]

    init(heads: Int, channels: Int) {
      self.heads = heads
      self.channels = channels
      let row = heads * channels
      values = [4 * 2 * row, 5 * 2 * row, 5 * 2 * row, 12 * 5, row * 5, row].enumerated().map { index, count in
        KernelTests.numbers(count, UInt64(index + 1)).map { Double($0) }
      }
    }

    /// Outputs [destination, batch, heads·channels] by the definition.
    func output(_ values: [[Double]]) -> [Double] {
      let (q, k, v, a, w, bias) = (values[0], values[1], values[2], values[3], values[4], values[5])
      var out = [Double](repeating: 0, count: q.count)
      for i in 0..<4 {
        for b in 0..<batch {
          for h in 0..<heads {
            let edges = Int(Problem.starts[i])..<Int(Problem.starts[i + 1])
            func projected(_ e: Int, _ c: Int) -> Double {
              let channel = h * channels + c
              return (0..<attributes).reduce(bias[channel]) {
                $0 + w[channel * attributes + $1] * a[e * attributes + $1]
              }
            }
            func at(_ node: Int, _ c: Int) -> Int { (node * batch + b) * row + h * channels + c }
            let logits = edges.map { e in
              (0..<channels).reduce(0.0) {
                $0 + q[at(i, $1)] * (k[at(Int(Problem.sources[e]), $1)] + projected(e, $1))
              } / Double(channels).squareRoot()
            }
            let total = logits.reduce(0) { $0 + exp($1) }
            for (e, logit) in zip(edges, logits) {
              for c in 0..<channels {
                out[at(i, c)] += exp(logit) / total * (v[at(Int(Problem.sources[e]), c)] + projected(e, c))
              }
            }
          }
        }
      }
      return out
    }

    /// How Σ c·out changes along a direction of one of the values, by central differences.
    func slope(_ index: Int, along direction: [Double], _ c: [Double]) -> Double {
      func loss(_ step: Double) -> Double {
        var shifted = values
        for i in direction.indices { shifted[index][i] += step * direction[i] }
        return zip(c, output(shifted)).reduce(0) { $0 + $1.0 * $1.1 }
      }
      return (loss(1e-5) - loss(-1e-5)) / 2e-5
    }
  }

  @Test(arguments: KernelTests.sets, [(2, 3), (3, 16)])
  func edgeAttentionIsThatOfItsDefinition(set: String, size: (heads: Int, channels: Int)) {
    let problem = Problem(heads: size.heads, channels: size.channels)
    let results = GraphKernelTests.run(set, problem)
    let c = KernelTests.numbers(results[0].count, 9).map { Double($0) }
    #expect(KernelTests.close(results[0], problem.output(problem.values), 2e-6))
    for index in 0..<6 {
      let gradient = results[index + 1].map { Double($0) }
      // Along the gradient itself, where any error shows, and along others.
      for direction in [gradient] + (10..<13).map({ KernelTests.numbers(gradient.count, $0).map { Double($0) } }) {
        let expected = problem.slope(index, along: direction, c)
        let slope = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
        let size = (gradient.reduce(0) { $0 + $1 * $1 } * direction.reduce(0) { $0 + $1 * $1 }).squareRoot()
        #expect(abs(slope - expected) < 2e-6 * size, "\(set): gradient \(index)")
      }
    }
  }

  /// Output, and gradients of Σ c·out with respect to q, k, v, attributes, weight, bias.
  static func run(_ set: String, _ p: Problem) -> [[Float]] {
    let kernels = KernelTests.kernels(set)
    let values = p.values.map { $0.map { Float($0) } }
    let (row, width, edges) = (p.row, 16, Problem.sources.count)
    func padded(_ x: [Float], _ rows: Int) -> [Float] {
      (0..<rows).flatMap { r in
        x[r * p.attributes..<(r + 1) * p.attributes] + [Float](repeating: 0, count: width - p.attributes)
      }
    }
    func unpadded(_ x: [Float], _ rows: Int) -> [Float] {
      (0..<rows).flatMap { r in x[r * width..<r * width + p.attributes] }
    }
    let (attributes, weight) = (padded(values[3], edges), padded(values[4], row))
    let transposed = (0..<p.attributes).flatMap { a in (0..<row).map { values[4][$0 * p.attributes + a] } }
    let destinations: [Int32] = [0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 3, 3]
    let sourceEdges: [Int32] = [0, 4, 8, 11, 3, 9, 1, 5, 10, 2, 6, 7]
    let sourceStarts: [Int32] = [0, 4, 6, 9, 9, 12]
    var out = [Float](repeating: 7, count: values[0].count)
    var (dq, dk, dv) = (
      out, [Float](repeating: 7, count: values[1].count), [Float](repeating: 7, count: values[1].count)
    )
    var alpha = [Float](repeating: 0, count: edges * p.batch * p.heads)
    var dlogits = alpha
    var da = [Float](repeating: 0, count: edges * width)
    var dw = [Float](repeating: 0, count: row * width)
    var dbias = [Float](repeating: 0, count: row)
    var scratch = [Float](repeating: 0, count: 4 * p.heads * width)
    let c = KernelTests.numbers(out.count, 9)
    Problem.starts.withUnsafeBufferPointer { starts in
      Problem.sources.withUnsafeBufferPointer { sources in
        attributes.withUnsafeBufferPointer { attributes in
          weight.withUnsafeBufferPointer { weight in
            transposed.withUnsafeBufferPointer { transposed in
              var kernel = jk_attention(
                starts: starts.baseAddress, sources: sources.baseAddress, attributes: attributes.baseAddress,
                weight: weight.baseAddress, transposed: transposed.baseAddress, attribute_count: p.attributes,
                width: width, heads: p.heads, channels: p.channels, batch: p.batch,
                scale: 1 / Float(p.channels).squareRoot())
              kernels.edge_attention_forward(
                &kernel, values[0], values[1], values[2], values[5], &out, &alpha, 0, 4, &scratch)
              kernels.edge_attention_backward(
                &kernel, values[0], values[1], values[2], c, alpha, &dlogits, &dq, &da, &dw, &dbias, 0, 4, &scratch)
              kernels.edge_attention_backward_sources(
                &kernel, sourceStarts, sourceEdges, destinations, values[0], c, alpha, dlogits, &dk, &dv, 0, 5)
            }
          }
        }
      }
    }
    return [out, dq, dk, dv, unpadded(da, edges), unpadded(dw, row), dbias]
  }

  @Test func partsCoverAllNodes() {
    let edges = EdgeLists(destinationStarts: Problem.starts, sources: Problem.sources, sourceCount: 5)
    #expect(edges.destinationParts.flatMap { Array($0) } == [0, 1, 2, 3])
    #expect(edges.sourceParts.flatMap { Array($0) } == [0, 1, 2, 3, 4])
    #expect((0..<12).map { edges.sourceEdges[$0] } == [0, 4, 8, 11, 3, 9, 1, 5, 10, 2, 6, 7])
    #expect((0..<12).map { edges.destinations[$0] } == [0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 3, 3])
  }

  /// Several blocks of keys and panels of queries, a window that leaves blocks empty for some queries, and none; channels that fill vectors and
  /// that don't.
  @Test(
    arguments: [
      (70, 2, 2, 3, 3), (70, 2, 2, 3, 16), (70, 1, 1, nil, 5), (600, 1, 1, 290, 3), (600, 1, 1, nil, 40),
      (300, 1, 2, 64, 24),
      (1, 1, 1, 8, 4),
    ] as [(Int, Int, Int, Int?, Int)])
  func windowAttentionIsThatOfItsDefinition(positions: Int, batch: Int, heads: Int, reach: Int?, channels: Int) {
    let compute = Compute(threads: 2)
    let shape = WindowShape(positions: positions, batch: batch, heads: heads, channels: channels, reach: reach)
    let dimensions = [positions, batch, heads * channels]
    func tensor(_ seed: UInt64) -> Tensor {
      Tensor(KernelTests.numbers(dimensions.reduce(1, *), seed, scale: 2), shape: dimensions)
    }
    let (q, k, v, c) = (tensor(1), tensor(2), tensor(3), tensor(4))
    let pieces = [batch * heads, positions]
    let (out, most, sums) = (compute.tensor(dimensions), compute.tensor(pieces), compute.tensor(pieces))
    let values = AttentionValues(q: q, k: k, v: v)
    compute.windowAttention(shape, values, into: out, most: most, sums: sums)
    let gradients = (0..<3).map { _ in compute.tensor(dimensions) }
    compute.windowAttentionBackward(
      shape, values, out: out, dout: c, most: most, sums: sums,
      into: AttentionValues(q: gradients[0], k: gradients[1], v: gradients[2]))
    let expected = WindowReference(shape, q.values, k.values, v.values, c.values)
    for (mine, theirs) in zip([out] + gradients, [expected.out, expected.dq, expected.dk, expected.dv]) {
      #expect(KernelTests.close(mine.values, theirs, 2e-5))
    }
  }

  /// Attention by whole rows of weights, and its gradients.
  struct WindowReference {
    var out, dq, dk, dv: [Double]

    init(_ s: WindowShape, _ q: [Float], _ k: [Float], _ v: [Float], _ c: [Float]) {
      out = [Double](repeating: 0, count: q.count)
      (dq, dk, dv) = (out, out, out)
      let scale = 1 / Double(s.channels).squareRoot()
      for piece in 0..<s.batch * s.heads {
        func at(_ position: Int, _ channel: Int) -> Int {
          (position * s.batch + piece / s.heads) * s.heads * s.channels + piece % s.heads * s.channels + channel
        }
        func dot(_ x: [Float], _ i: Int, _ y: [Float], _ j: Int) -> Double {
          let (a, b) = (at(i, 0), at(j, 0))
          var sum = 0.0
          for channel in 0..<s.channels { sum += Double(x[a + channel] * y[b + channel]) }
          return sum
        }
        for i in 0..<s.positions {
          let reach = s.reach ?? s.positions
          let seen = max(0, i - reach)..<min(s.positions, i + reach + 1)
          let weights = seen.map { exp(dot(q, i, k, $0) * scale) }
          let total = weights.reduce(0, +)
          let slopes = seen.map { dot(c, i, v, $0) }
          let mean = zip(weights, slopes).reduce(0) { $0 + $1.0 * $1.1 / total }
          for (index, j) in seen.enumerated() {
            let p = weights[index] / total
            let d = p * (slopes[index] - mean) * scale
            for channel in 0..<s.channels {
              out[at(i, channel)] += p * Double(v[at(j, channel)])
              dq[at(i, channel)] += d * Double(k[at(j, channel)])
              dk[at(j, channel)] += d * Double(q[at(i, channel)])
              dv[at(j, channel)] += p * Double(c[at(i, channel)])
            }
          }
        }
      }
    }
  }

  @Test(arguments: KernelTests.sets) func activationsAndGatesAreExact(set: String) {
    let kernels = KernelTests.kernels(set)
    func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
    func f(_ kind: ActivationKind, _ x: Double) -> Double {
      switch kind {
      case .gelu: x * KernelTests.cdf(x)
      case .silu: x * sigmoid(x)
      case .relu: max(x, 0)
      case .sigmoid: sigmoid(x)
      }
    }
    let (x, value, dy) = (
      KernelTests.numbers(101, 1, scale: 8), KernelTests.numbers(101, 2), KernelTests.numbers(101, 3)
    )
    for activation in ActivationKind.allCases {
      let (kind, f) = (activation.kernel, { f(activation, $0) })
      var (y, dx, gated) = (x, x, x)
      var (dgate, dvalue) = (x, x)
      kernels.activation_forward(kind, x, &y, 101)
      kernels.activation_backward(kind, x, dy, &dx, 101)
      kernels.gated_forward(kind, x, value, &gated, 101)
      kernels.gated_backward(kind, x, value, dy, &dgate, &dvalue, 101)
      let slope = x.map { (f(Double($0) + 1e-6) - f(Double($0) - 1e-6)) / 2e-6 }
      #expect(KernelTests.close(y, x.map { f(Double($0)) }, 1e-6))
      #expect(KernelTests.close(dx, zip(slope, dy).map { $0 * Double($1) }, 2e-6))
      #expect(KernelTests.close(gated, zip(x, value).map { f(Double($0)) * Double($1) }, 1e-6))
      #expect(KernelTests.close(dvalue, zip(x, dy).map { f(Double($0)) * Double($1) }, 1e-6))
      #expect(KernelTests.close(dgate, x.indices.map { slope[$0] * Double(value[$0]) * Double(dy[$0]) }, 2e-6))
    }
  }
}
