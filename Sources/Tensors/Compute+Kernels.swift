import CKernels

// Elementwise, normalisation and reduction kernels on contiguous tensors, FP32 unless stated, split over the team. Each forward
// kernel has its backward partner beside it. Matrices are described by (rows, columns) of the tensor's memory.

/// Whether a bias belongs to the columns of a matrix or to its rows.
public enum BiasDirection: Sendable {
  case perColumn, perRow
}

/// Memory for a gradient, which is stored there or, with `accumulate`, added to what is there.
public typealias GradientTarget = (tensor: Tensor, accumulate: Bool)

extension Compute {
  private var kernels: jk_kernels { jk_current().pointee }

  /// Elements per piece of work below which splitting costs more than it gives.
  static let grain = 4_096

  func rowGrain(_ columns: Int) -> Int { max(1, Compute.grain / max(1, columns)) }

  // MARK: GELU

  /// y = gelu(x), exact (erf) form. y may be x.
  public func gelu(_ x: Tensor, into y: Tensor) {
    precondition(x.count == y.count)
    pass(x.count, grain: Compute.grain, bytes: 2 * x.byteCount, arithmetic: .gelu(x.count)) {
      kernels.gelu_forward(x.pointer + $0.lowerBound, y.pointer + $0.lowerBound, $0.count)
    }
  }

  /// dx = dy·gelu'(x), and if wanted y = gelu(x) on the way. dx may be dy.
  public func geluBackward(_ x: Tensor, _ dy: Tensor, into dx: Tensor, output y: Tensor? = nil) {
    precondition(x.count == dy.count && dx.count == x.count && y?.count ?? x.count == x.count)
    pass(x.count, grain: Compute.grain, bytes: (y == nil ? 3 : 4) * x.byteCount, arithmetic: .gelu(x.count)) {
      let i = $0.lowerBound
      kernels.gelu_backward(x.pointer + i, dy.pointer + i, dx.pointer + i, y.map { $0.pointer + i }, $0.count)
    }
  }

  /// y = gelu(u) of u in bf16.
  public func gelu(ofRounded u: Tensor, into y: Tensor) {
    precondition(u.count == y.count)
    pass(u.count, grain: Compute.grain, bytes: u.byteCount + y.byteCount, arithmetic: .gelu(u.count)) {
      kernels.gelu_of_rounded(u.bfloat16Pointer + $0.lowerBound, y.pointer + $0.lowerBound, $0.count)
    }
  }

  /// d = d·gelu'(u) of u in bf16, rounded to bf16 as well but left in FP32.
  public func geluBackward(ofRounded u: Tensor, _ d: Tensor) {
    precondition(u.count == d.count)
    pass(u.count, grain: Compute.grain, bytes: u.byteCount + 2 * d.byteCount, arithmetic: .gelu(u.count)) {
      kernels.gelu_backward_of_rounded(u.bfloat16Pointer + $0.lowerBound, d.pointer + $0.lowerBound, $0.count)
    }
  }

  // MARK: Bias

  /// y = x + bias, y in bf16.
  public func addBias(_ bias: Tensor, to x: Tensor, roundedInto y: Tensor, rows: Int, _ direction: BiasDirection) {
    precondition(x.count == y.count && y.type == .bfloat16)
    let (epilogue, sums, result) = (Epilogue(bias: bias, direction), x.matrix(rows: rows), y.matrix(rows: rows))
    precondition(epilogue.fits(result))
    pass(rows, grain: rowGrain(sums.columns), bytes: x.byteCount + y.byteCount) {
      epilogue.rows($0)(sums.rows($0), into: result.rows($0))
    }
  }

  /// x += bias along columns or rows.
  public func addBias(_ bias: Tensor, to x: Tensor, rows: Int, _ direction: BiasDirection) {
    let columns = x.count / max(rows, 1)
    precondition(rows == 0 || bias.count == (direction == .perColumn ? columns : rows))
    pass(rows, grain: rowGrain(columns), bytes: 2 * x.byteCount) {
      let start = x.pointer + $0.lowerBound * columns
      switch direction {
      case .perColumn: kernels.add_column_bias(start, bias.pointer, $0.count, columns)
      case .perRow: kernels.add_row_bias(start, bias.pointer + $0.lowerBound, $0.count, columns)
      }
    }
  }

  /// u += bias, y = gelu(u) in one pass. y may be u.
  public func addBiasThenGELU(_ bias: Tensor, to u: Tensor, into y: Tensor, rows: Int, _ direction: BiasDirection) {
    let columns = u.count / max(rows, 1)
    precondition(rows == 0 || bias.count == (direction == .perColumn ? columns : rows) && y.count == u.count)
    pass(rows, grain: rowGrain(columns), bytes: 3 * u.byteCount, arithmetic: .gelu(u.count)) {
      let i = $0.lowerBound * columns
      switch direction {
      case .perColumn: kernels.column_bias_gelu(u.pointer + i, bias.pointer, y.pointer + i, $0.count, columns)
      case .perRow:
        kernels.row_bias_gelu(u.pointer + i, bias.pointer + $0.lowerBound, y.pointer + i, $0.count, columns)
      }
    }
  }

  /// The gradient of a bias: dbias += sums of dy, in FP32 or bf16, over rows or columns.
  public func addBiasGradient(of dy: Tensor, rows: Int, _ direction: BiasDirection, to dbias: Tensor) {
    let columns = dy.count / max(rows, 1)
    precondition(rows == 0 || dbias.count == (direction == .perColumn ? columns : rows))
    switch direction {
    case .perRow:
      pass(rows, grain: rowGrain(columns), bytes: dy.byteCount) {
        let (i, sums) = ($0.lowerBound * columns, dbias.pointer + $0.lowerBound)
        switch dy.type {
        case .float32: kernels.row_sums(dy.pointer + i, sums, $0.count, columns)
        case .bfloat16: kernels.row_sums_of_rounded(dy.bfloat16Pointer + i, sums, $0.count, columns)
        }
      }
    case .perColumn:
      sumOverMembers(into: [dbias], work: rows, grain: rowGrain(columns), bytes: dy.byteCount) { range, partial in
        let i = range.lowerBound * columns
        switch dy.type {
        case .float32: kernels.column_sums(dy.pointer + i, partial[0], range.count, columns)
        case .bfloat16: kernels.column_sums_of_rounded(dy.bfloat16Pointer + i, partial[0], range.count, columns)
        }
      }
    }
  }

  /// Each member adds its part of the work into sums of its own (zeroed, as long as `results`); then these are added to
  /// the results in the order of members.
  func sumOverMembers(
    into results: [Tensor], work: Int, grain: Int, bytes: Int, arithmetic: PassArithmetic = .little,
    _ body: (Range<Int>, [UnsafeMutablePointer<Float>]) -> Void
  ) {
    if team.count == 1 || work <= grain {
      if work > 0 { pass(1, bytes: bytes, arithmetic: arithmetic) { _ in body(0..<work, results.map(\.pointer)) } }
      return
    }
    let length = results.reduce(0) { $0 + $1.count }
    let partial = tensor([team.count, length])
    partial.fill()
    device.run(DeviceWork(.init(bytes: bytes, arithmetic))) {
      let pieces = (work + grain - 1) / grain
      team.run { member in
        let lower = min(work, pieces * member / team.count * grain)
        let upper = min(work, pieces * (member + 1) / team.count * grain)
        var start = partial.pointer + member * length
        let pointers = results.map { result -> UnsafeMutablePointer<Float> in
          defer { start += result.count }
          return start
        }
        if lower < upper { body(lower..<upper, pointers) }
      }
      var start = partial.pointer
      for result in results {
        for member in 0..<team.count { kernels.add(result.pointer, start + member * length, result.count) }
        start += result.count
      }
    }
  }

  // MARK: Sums and scalings

  /// y += x.
  public func add(_ x: Tensor, to y: Tensor) {
    precondition(x.count == y.count)
    pass(x.count, grain: Compute.grain, bytes: 3 * x.byteCount) {
      kernels.add(y.pointer + $0.lowerBound, x.pointer + $0.lowerBound, $0.count)
    }
  }

  /// y = a·x. y may be x.
  public func scale(_ x: Tensor, by a: Float, into y: Tensor) {
    precondition(x.count == y.count)
    pass(x.count, grain: Compute.grain, bytes: 2 * x.byteCount) {
      kernels.scale(y.pointer + $0.lowerBound, x.pointer + $0.lowerBound, a, $0.count)
    }
  }

  /// y[r, c] = x[r, c] + factor[c]·d[r, c].
  public func addScaledColumns(_ x: Tensor, factor: Tensor, _ d: Tensor, into y: Tensor) {
    let columns = factor.count
    precondition(x.count == d.count && y.count == x.count && x.count % columns == 0)
    pass(x.count / columns, grain: rowGrain(columns), bytes: 3 * x.byteCount) {
      let i = $0.lowerBound * columns
      kernels.add_scaled_columns(x.pointer + i, factor.pointer, d.pointer + i, y.pointer + i, $0.count, columns)
    }
  }

  /// Its backward: dd[r, c] = factor[c]·dy[r, c] (dx is dy itself).
  public func addScaledColumnsBackward(_ dy: Tensor, factor: Tensor, into dd: Tensor) {
    let columns = factor.count
    precondition(dd.count == dy.count && dy.count % columns == 0)
    pass(dy.count / columns, grain: rowGrain(columns), bytes: 2 * dy.byteCount) {
      let i = $0.lowerBound * columns
      kernels.scale_columns(dy.pointer + i, factor.pointer, dd.pointer + i, $0.count, columns)
    }
  }

  /// Sum of squares, not finite if any element is not. Partial sums are added in a fixed order.
  public func sumOfSquares(_ x: Tensor) -> Double {
    sum(over: x.count, grain: Compute.grain, bytes: x.byteCount) {
      kernels.sum_of_squares(x.pointer + $0.lowerBound, $0.count)
    }
  }

  /// Sum of what `body` returns for the members' ranges of 0 ..< n; zero where nothing is computed.
  public func sum(over n: Int, grain: Int, bytes: Int, _ body: (Range<Int>) -> Double) -> Double {
    var result = 0.0
    device.run(DeviceWork(.init(bytes: bytes))) { result = sum(over: n, grain: grain, body) }
    return result
  }

  private func sum(over n: Int, grain: Int, _ body: (Range<Int>) -> Double) -> Double {
    if team.count == 1 || n <= grain { return n > 0 ? ThreadTeam.withoutSubnormals { body(0..<n) } : 0 }
    let pieces = (n + grain - 1) / grain
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: team.count) { partial in
      let partial = UnsafeSendable(partial)
      team.run { member in
        let lower = min(n, pieces * member / team.count * grain)
        let upper = min(n, pieces * (member + 1) / team.count * grain)
        partial.value[member] = lower < upper ? body(lower..<upper) : 0
      }
      return partial.value.reduce(0, +)
    }
  }

  private struct UnsafeSendable<T>: @unchecked Sendable {
    let value: T
    init(_ value: T) { self.value = value }
  }

  // MARK: Dropout

  /// y = keep(x)/(1 − probability). The mask is a function of the stream and each element's place alone: row
  /// `rowIndex(r)` and its column, counted from `firstColumn`. Forward and backward are the same operation. y may be x.
  public func dropout(
    _ x: Tensor, rows: Int, probability: Float, stream: RandomStream, rowIndex: (Int) -> UInt64,
    firstColumn: Int = 0, into y: Tensor
  ) {
    let columns = x.count / max(rows, 1)
    precondition(y.count == x.count && rows * columns == x.count)
    pass(rows, grain: rowGrain(columns), bytes: 2 * x.byteCount) { range in
      stream.withStream { stream in
        for row in range {
          kernels.dropout(
            stream, rowIndex(row), UInt64(firstColumn), probability, x.pointer + row * columns,
            y.pointer + row * columns, columns)
        }
      }
    }
  }
}
