import Tensors

// linear(norm₂(concat(norm₁(y), x))) per grid point. There are many points and few variables, so each thread walks
// through the points in pieces that stay in its cache; nothing but y and x is kept for backward.

extension LocalOperations {
  private static let pieceRows = 512

  public func blend(
    _ y: Value, with x: Value, inner: NormParameters, outer: NormParameters, _ p: LinearParameters
  ) -> Value {
    precondition(y.shape == x.shape)
    let points = y.shape.rows * y.shape.batch
    let weight = value(p.weight).matrix(rows: y.shape.columns)
    let out = newTensor(y.shape)
    let scratch = makeScratch(y.shape.columns, inner, outer, withGradients: false)
    // y and x are read, the result is written.
    forEachPiece(points, variables: y.shape.columns, products: 1, tensors: 3) { range, member in
      let piece = scratch[member]
      let target = out.matrix(rows: points).rows(range)
      piece.forward(range, y.tensor, x.tensor)
      compute.backend.multiply(
        piece.normalized(range.count).plain, weight.transposed, into: target, accumulate: false)
      piece.add(value(p.bias), to: target)
    }
    let output = result(out, y.shape)
    guard let tape else { return output }

    tape.record([inner.scale, inner.shift, outer.scale, outer.shift, p.weight, p.bias]) { [self] in
      let dout = output.takeGradient()
      let dy = newTensor(y.shape)
      let dx = x.requiresGradient ? gradientTarget(x) : nil
      compute.addBiasGradient(of: dout, rows: points, .perColumn, to: gradient(p.bias))
      let scratch = makeScratch(y.shape.columns, inner, outer, withGradients: true)
      // y, x and the result's gradient are read, y's is written, x's is written or added to.
      let tensors = dx.map { $0.accumulate ? 6 : 5 } ?? 4
      forEachPiece(points, variables: y.shape.columns, products: 2, tensors: tensors) { range, member in
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
          weight: gradient(p.weight),
          norms: [inner.scale, inner.shift, outer.scale, outer.shift].map { gradient($0) }, compute)
      }
      contribute(dy, to: y)
    }
    return output
  }

  /// One scratch for each thread.
  private func makeScratch(
    _ variables: Int, _ inner: NormParameters, _ outer: NormParameters, withGradients: Bool
  ) -> [BlendPiece] {
    (0..<compute.team.count).map { _ in
      BlendPiece(
        compute, variables: variables, rows: LocalOperations.pieceRows,
        inner: (value(inner.scale), value(inner.shift)), outer: (value(outer.scale), value(outer.shift)),
        withGradients: withGradients)
    }
  }

  /// Shares ranges of at most `pieceRows` points out to the threads: `body(range, thread)`.
  ///
  /// - Parameters:
  ///   - products: of points, variables and twice the variables, for which this counts.
  ///   - tensors: [points, variables], that are read or written.
  private func forEachPiece(
    _ points: Int, variables: Int, products: Int, tensors: Int, _ body: (Range<Int>, Int) -> Void
  ) {
    if let meter = compute.meter {
      for _ in 0..<products { meter.product(m: points, n: variables, k: 2 * variables, pause: nil) }
      return meter.pass(bytes: tensors * points * variables * ElementType.float32.byteCount)
    }
    let size = LocalOperations.pieceRows
    let count = (points + size - 1) / size
    let members = compute.team.count
    compute.team.run { member in
      for index in count * member / members..<count * (member + 1) / members {
        body(index * size..<min(points, (index + 1) * size), member)
      }
    }
  }
}
