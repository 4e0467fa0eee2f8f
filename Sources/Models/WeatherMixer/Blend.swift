import Execution
import Tensors

/// The learned blend of decoded field and input, per grid point: linear(norm₂(concat(norm₁(y), x))), y and x [R, B, V].
///
/// There are many points and few variables, so each thread walks through the points in pieces that stay in its cache;
/// nothing but y and x is kept for backward.
public struct Blend: Operation {
  public let y, x: Value
  public let inner, outer: NormParameters
  public let p: LinearParameters

  public init(_ y: Value, with x: Value, inner: NormParameters, outer: NormParameters, _ parameters: LinearParameters) {
    precondition(y.shape == x.shape)
    self.y = y
    self.x = x
    self.inner = inner
    self.outer = outer
    p = parameters
  }

  public var inputs: [Value] { [y, x] }
  public var parameters: [ParameterID] {
    [inner.scale, inner.shift, outer.scale, outer.shift, p.weight, p.bias]
  }

  public func output(_ table: ParameterTable) -> OutputForm { OutputForm(y.shape) }
  public func phase(_ table: ParameterTable) -> StepPhase? { .output }

  public func cost(_ table: ParameterTable) -> OperationCost {
    let flops = 2 * points * table[p.weight].count
    let all = parameters.reduce(0) { $0 + table[$1].count }
    let gradients = x.requiresGradient ? 2 : 1
    return OperationCost(
      forward: Work(flops: flops, elements: 3 * y.shape.count + all),
      backward: Work(flops: 2 * flops, elements: (3 + gradients) * y.shape.count + 3 * all))
  }

  private var points: Int { y.shape.rows * y.shape.batch }
  private var variables: Int { y.shape.columns }

  public func run(on operations: LocalOperations) -> Value {
    let compute = operations.compute
    let weight = operations.value(p.weight).matrix(rows: variables)
    let out = operations.newTensor(y.shape)
    let scratch = makeScratch(operations, withGradients: false)
    // y and x are read, the result is written.
    forEachPiece(compute, products: 1, tensors: 3) { range, member in
      let piece = scratch[member]
      let target = out.matrix(rows: points).rows(range)
      piece.forward(range, y.tensor, x.tensor)
      compute.backend.multiply(
        piece.normalized(range.count).plain, weight.transposed, into: target, accumulate: false)
      piece.add(operations.value(p.bias), to: target)
    }
    let output = operations.result(out, y.shape)
    operations.tape?.record(parameters) { backward(output.takeGradient(), operations) }
    return output
  }

  private func backward(_ dout: Tensor, _ operations: LocalOperations) {
    let compute = operations.compute
    let weight = operations.value(p.weight).matrix(rows: variables)
    let dy = operations.newTensor(y.shape)
    let dx = x.requiresGradient ? operations.gradientTarget(x) : nil
    compute.addBiasGradient(of: dout, rows: points, .perColumn, to: operations.gradient(p.bias))
    let scratch = makeScratch(operations, withGradients: true)
    // y, x and the result's gradient are read, y's is written, x's is written or added to.
    let tensors = dx.map { $0.accumulate ? 6 : 5 } ?? 4
    forEachPiece(compute, products: 2, tensors: tensors) { range, member in
      let piece = scratch[member]
      let dpart = dout.matrix(rows: points).rows(range)
      piece.forward(range, y.tensor, x.tensor)
      let normalized = piece.normalized(range.count)
      compute.backend.multiply(dpart.transposed, normalized.plain, into: piece.weightGradient, accumulate: true)
      compute.backend.multiply(dpart.plain, weight.plain, into: normalized, accumulate: false)
      piece.backward(range, y.tensor, dy: dy, dx: dx)
    }
    for piece in scratch {
      piece.addGradients(
        weight: operations.gradient(p.weight),
        norms: [inner.scale, inner.shift, outer.scale, outer.shift].map { operations.gradient($0) }, compute)
    }
    operations.contribute(dy, to: y)
  }

  private static let pieceRows = 512

  /// One scratch for each thread.
  private func makeScratch(_ operations: LocalOperations, withGradients: Bool) -> [BlendPiece] {
    let compute = operations.compute
    return (0..<compute.team.count).map { _ in
      BlendPiece(
        compute, variables: variables, rows: Blend.pieceRows,
        inner: (operations.value(inner.scale), operations.value(inner.shift)),
        outer: (operations.value(outer.scale), operations.value(outer.shift)), withGradients: withGradients)
    }
  }

  /// Shares ranges of at most `pieceRows` points out to the threads: `body(range, thread)`.
  ///
  /// - Parameters:
  ///   - products: of points, variables and twice the variables, for which this counts.
  ///   - tensors: [points, variables], that are read or written.
  private func forEachPiece(_ compute: Compute, products: Int, tensors: Int, _ body: (Range<Int>, Int) -> Void) {
    if let meter = compute.meter {
      for _ in 0..<products { meter.product(m: points, n: variables, k: 2 * variables, pause: nil) }
      return meter.pass(bytes: tensors * points * variables * ElementType.float32.byteCount)
    }
    let size = Blend.pieceRows
    let count = (points + size - 1) / size
    let members = compute.team.count
    compute.team.run { member in
      for index in count * member / members..<count * (member + 1) / members {
        body(index * size..<min(points, (index + 1) * size), member)
      }
    }
  }
}
