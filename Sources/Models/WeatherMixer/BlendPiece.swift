import CKernels
import Execution
import Tensors

/// One thread's scratch for the blend: a piece of the grid points with all variables.
final class BlendPiece {
  typealias Norm = (scale: Tensor, shift: Tensor)

  private let kernels = jk_current().pointee
  private let variables: Int
  private let inner, outer: Norm
  /// concat(norm₁(y), x), and norm₂ of it or the gradient with respect to that: [rows, 2V].
  private let joined, outerOut: Tensor
  private let innerMean, innerRstd, outerMean, outerRstd: Tensor
  /// Sums for the weight [V, 2V] and for scale and shift of the two norms; empty in forward passes.
  private let gradients: [Tensor]

  init(_ compute: Compute, variables: Int, rows: Int, inner: Norm, outer: Norm, withGradients: Bool) {
    self.variables = variables
    self.inner = inner
    self.outer = outer
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

  /// norm₂'s output for the piece at hand; before `backward`, the gradient with respect to it.
  func normalized(_ rows: Int) -> Matrix { outerOut.matrix(rows: outerOut.shape[0]).rows(0..<rows) }

  var weightGradient: Matrix { gradients[0].matrix(rows: variables) }

  func forward(_ range: Range<Int>, _ y: Tensor, _ x: Tensor) {
    let (v, rows) = (variables, range.count)
    kernels.layer_norm_forward(
      y.pointer + range.lowerBound * v, v, inner.scale.pointer, inner.shift.pointer, layerNormEpsilon,
      joined.pointer, 2 * v, innerMean.pointer, innerRstd.pointer, rows, v)
    for row in 0..<rows {
      (joined.pointer + (2 * row + 1) * v).update(from: x.pointer + (range.lowerBound + row) * v, count: v)
    }
    kernels.layer_norm_forward(
      joined.pointer, 2 * v, outer.scale.pointer, outer.shift.pointer, layerNormEpsilon, outerOut.pointer, 2 * v,
      outerMean.pointer, outerRstd.pointer, rows, 2 * v)
  }

  func add(_ bias: Tensor, to out: Matrix) {
    kernels.add_column_bias(out.pointer, bias.pointer, out.rows, out.columns)
  }

  /// Stores dy of the piece, stores or adds dx if wanted, adds to the sums for the norms.
  func backward(_ range: Range<Int>, _ y: Tensor, dy: Tensor, dx: (tensor: Tensor, accumulate: Bool)?) {
    let (v, rows, start) = (variables, range.count, range.lowerBound * variables)
    // In place: the gradient of norm₂'s output becomes that of its input.
    kernels.layer_norm_backward(
      joined.pointer, 2 * v, outer.scale.pointer, outerMean.pointer, outerRstd.pointer, outerOut.pointer, 2 * v,
      outerOut.pointer, 2 * v, false, gradients[3].pointer, gradients[4].pointer, rows, 2 * v)
    kernels.layer_norm_backward(
      y.pointer + start, v, inner.scale.pointer, innerMean.pointer, innerRstd.pointer, outerOut.pointer, 2 * v,
      dy.pointer + start, v, false, gradients[1].pointer, gradients[2].pointer, rows, v)
    guard let dx else { return }
    for row in 0..<rows {
      let from = outerOut.pointer + (2 * row + 1) * v
      let to = dx.tensor.pointer + start + row * v
      if dx.accumulate { kernels.add(to, from, v) } else { to.update(from: from, count: v) }
    }
  }

  /// Adds the sums to the parameters' gradients.
  func addGradients(weight: Tensor, norms: [Tensor], _ compute: Compute) {
    for (sum, gradient) in zip(gradients, [weight] + norms) { compute.add(sum, to: gradient) }
  }
}
