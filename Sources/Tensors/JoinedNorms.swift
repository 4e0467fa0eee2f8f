import CKernels

/// A linear layer of a norm of two values side by side, the first of them normalised by itself:
/// linear(norm₂(concat(norm₁(y), x))), y and x [rows, V].
///
/// For many rows and few columns: each thread walks through the rows in pieces that stay in its cache, and nothing but y and x
/// is kept for backward.
public struct JoinedNorms: Sendable {
  public typealias Norm = (scale: Tensor, shift: Tensor)

  /// norm₁ [V] and norm₂ [2V].
  let inner, outer: Norm
  let epsilon: Float
  /// [V, 2V] and [V].
  let weight: Matrix
  let bias: Tensor

  public init(inner: Norm, outer: Norm, epsilon: Float, weight: Tensor, bias: Tensor) {
    precondition(weight.count == 2 * bias.count * bias.count && inner.scale.count == bias.count)
    self.inner = inner
    self.outer = outer
    self.epsilon = epsilon
    self.weight = weight.matrix(rows: bias.count)
    self.bias = bias
  }

  var variables: Int { bias.count }
}

extension Compute {
  private static let pieceRows = 512

  /// out [rows, V].
  public func joinedNorms(_ p: JoinedNorms, _ y: Tensor, _ x: Tensor, into out: Tensor) {
    let rows = y.count / p.variables
    let scratch = makePieces(p, withGradients: false)
    // y and x are read, the result is written.
    forEachPiece(p, rows: rows, products: 1, tensors: 3) { range, member in
      let piece = scratch[member]
      let target = out.matrix(rows: rows).rows(range)
      piece.forward(range, y, x)
      backend.multiply(piece.normalized(range.count).plain, p.weight.transposed, into: target, accumulate: false)
      piece.addBias(to: target)
    }
  }

  /// dy is stored, dx too, or added to; the gradients of weight, norm₁'s and norm₂'s scale and shift are added to.
  public func joinedNormsBackward(
    _ p: JoinedNorms, _ y: Tensor, _ x: Tensor, dout: Tensor, dy: Tensor, dx: GradientTarget?,
    parameters gradients: [Tensor]
  ) {
    let rows = y.count / p.variables
    let scratch = makePieces(p, withGradients: true)
    // y, x and the result's gradient are read, y's is written, x's is written or added to.
    let tensors = dx.map { $0.accumulate ? 6 : 5 } ?? 4
    forEachPiece(p, rows: rows, products: 2, tensors: tensors) { range, member in
      let piece = scratch[member]
      let dpart = dout.matrix(rows: rows).rows(range)
      piece.forward(range, y, x)
      let normalized = piece.normalized(range.count)
      backend.multiply(dpart.transposed, normalized.plain, into: piece.weightGradient, accumulate: true)
      backend.multiply(dpart.plain, p.weight.plain, into: normalized, accumulate: false)
      piece.backward(range, y, dy: dy, dx: dx)
    }
    for piece in scratch { piece.addGradients(to: gradients, self) }
  }

  /// One scratch for each thread.
  private func makePieces(_ p: JoinedNorms, withGradients: Bool) -> [JoinedNormsPiece] {
    (0..<team.count).map { _ in
      JoinedNormsPiece(self, p, rows: Compute.pieceRows, withGradients: withGradients)
    }
  }

  /// Shares ranges of at most `pieceRows` rows out to the threads: `body(range, thread)`.
  ///
  /// - Parameters:
  ///   - products: GEMMs of rows, V and 2V.
  ///   - tensors: [rows, V], that are read or written.
  private func forEachPiece(
    _ p: JoinedNorms, rows: Int, products: Int, tensors: Int, _ body: (Range<Int>, Int) -> Void
  ) {
    let work = DeviceWork(
      .init(m: rows, n: p.variables, k: 2 * p.variables), count: products,
      then: .init(bytes: tensors * rows * p.variables * ElementType.float32.byteCount))
    device.run(work) {
      let (size, members) = (Compute.pieceRows, team.count)
      let count = (rows + size - 1) / size
      team.run { member in
        for index in count * member / members..<count * (member + 1) / members {
          body(index * size..<min(rows, (index + 1) * size), member)
        }
      }
    }
  }
}

/// One thread's scratch: a piece of the rows with all variables.
private final class JoinedNormsPiece {
  private let kernels = jk_current().pointee
  private let p: JoinedNorms
  private let variables: Int
  /// concat(norm₁(y), x), and norm₂ of it or the gradient with respect to that: [rows, 2V].
  private let joined, outerOut: Tensor
  private let innerMean, innerRstd, outerMean, outerRstd: Tensor
  /// Sums for the weight [V, 2V] and for scale and shift of the two norms; empty in forward passes.
  private let gradients: [Tensor]

  init(_ compute: Compute, _ p: JoinedNorms, rows: Int, withGradients: Bool) {
    self.p = p
    variables = p.variables
    joined = compute.tensor([rows, 2 * variables])
    outerOut = compute.tensor([rows, 2 * variables])
    innerMean = compute.tensor([rows])
    innerRstd = compute.tensor([rows])
    outerMean = compute.tensor([rows])
    outerRstd = compute.tensor([rows])
    let v = variables
    gradients = withGradients ? [[v, 2 * v], [v], [v], [2 * v], [2 * v]].map { compute.tensor($0) } : []
    for gradient in gradients { gradient.fill() }
  }

  /// norm₂'s output for the current piece; before `backward`, the gradient with respect to it.
  func normalized(_ rows: Int) -> Matrix { outerOut.matrix(rows: outerOut.shape[0]).rows(0..<rows) }

  var weightGradient: Matrix { gradients[0].matrix(rows: variables) }

  func forward(_ range: Range<Int>, _ y: Tensor, _ x: Tensor) {
    let (v, rows) = (variables, range.count)
    kernels.layer_norm_forward(
      y.pointer + range.lowerBound * v, v, p.inner.scale.pointer, p.inner.shift.pointer, p.epsilon,
      joined.pointer, 2 * v, innerMean.pointer, innerRstd.pointer, rows, v)
    for row in 0..<rows {
      (joined.pointer + (2 * row + 1) * v).update(from: x.pointer + (range.lowerBound + row) * v, count: v)
    }
    kernels.layer_norm_forward(
      joined.pointer, 2 * v, p.outer.scale.pointer, p.outer.shift.pointer, p.epsilon, outerOut.pointer, 2 * v,
      outerMean.pointer, outerRstd.pointer, rows, 2 * v)
  }

  func addBias(to out: Matrix) {
    kernels.add_column_bias(out.pointer, p.bias.pointer, out.rows, out.columns)
  }

  /// Stores dy of the piece, stores or adds dx if wanted, adds to the sums for the norms.
  func backward(_ range: Range<Int>, _ y: Tensor, dy: Tensor, dx: GradientTarget?) {
    let (v, rows, start) = (variables, range.count, range.lowerBound * variables)
    // In place: the gradient of norm₂'s output becomes that of its input.
    kernels.layer_norm_backward(
      joined.pointer, 2 * v, p.outer.scale.pointer, outerMean.pointer, outerRstd.pointer, outerOut.pointer, 2 * v,
      outerOut.pointer, 2 * v, false, gradients[3].pointer, gradients[4].pointer, rows, 2 * v)
    kernels.layer_norm_backward(
      y.pointer + start, v, p.inner.scale.pointer, innerMean.pointer, innerRstd.pointer, outerOut.pointer, 2 * v,
      dy.pointer + start, v, false, gradients[1].pointer, gradients[2].pointer, rows, v)
    guard let dx else { return }
    for row in 0..<rows {
      let from = outerOut.pointer + (2 * row + 1) * v
      let to = dx.tensor.pointer + start + row * v
      if dx.accumulate { kernels.add(to, from, v) } else { to.update(from: from, count: v) }
    }
  }

  /// Adds the sums to the gradients of weight, scales and shifts.
  func addGradients(to parameters: [Tensor], _ compute: Compute) {
    for (sum, gradient) in zip(gradients, parameters) { compute.add(sum, to: gradient) }
  }
}
