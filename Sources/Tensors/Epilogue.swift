import CKernels

/// The epilogue of a matrix product: what is applied to each element of C once its sum is complete, while it is in the cache:
/// bias, a matrix to add, GELU or its derivative, in this order. It saves a pass over memory for each. Where C is in bf16, so are the activation's matrices,
/// and GELU is that of the rounded element.
public struct Epilogue: Sendable {
  public enum Activation: Sendable {
    case none
    /// Stores gelu(C) as well; the matrix may be C.
    case gelu(into: Matrix)
    /// C becomes C·gelu'(u); gelu(u), which backward needs again, is stored as well.
    case geluGradient(of: Matrix, output: Matrix)
  }

  public let bias: Tensor?
  /// Whether the bias belongs to the columns of C or to its rows.
  public let direction: BiasDirection
  public let addend: Matrix?
  public let activation: Activation

  public init(
    bias: Tensor? = nil, _ direction: BiasDirection = .perColumn, addend: Matrix? = nil, activation: Activation = .none
  ) {
    self.bias = bias
    self.direction = direction
    self.addend = addend
    self.activation = activation
  }

  /// Applies the epilogue to a complete C.
  func callAsFunction(_ c: Matrix) {
    withKernel { jk_current().pointee.epilogue($0, 0, 0, c.pointer, c.stride, c.rows, c.columns) }
  }

  /// Applies the epilogue to sums in FP32 on their way to C in bf16, a matrix of the same size.
  func callAsFunction(_ sums: Matrix, into c: Matrix) {
    withKernel {
      jk_current().pointee.rounded_epilogue(
        $0, 0, 0, sums.pointer, sums.stride, c.bfloat16Pointer, c.stride, c.rows, c.columns)
    }
  }

  /// Read and written besides C itself, where that is in the cache.
  func byteCount(_ c: Matrix) -> Int {
    let matrices =
      switch activation {
      case .none: 0
      case .gelu(let y): y.address == c.address ? 0 : 1
      case .geluGradient: 2
      }
    return matrices * c.byteCount + (addend?.byteCount ?? 0)
  }

  func arithmetic(_ c: Matrix) -> PassArithmetic {
    if case .none = activation { .little } else { .gelu(c.rows * c.columns) }
  }

  /// The epilogue for some rows of C.
  func rows(_ range: Range<Int>) -> Epilogue {
    Epilogue(
      bias: direction == .perRow ? bias.map { Epilogue.part($0, range) } : bias, direction,
      addend: addend?.rows(range), activation: part { $0.rows(range) })
  }

  func columns(_ range: Range<Int>) -> Epilogue {
    Epilogue(
      bias: direction == .perColumn ? bias.map { Epilogue.part($0, range) } : bias, direction,
      addend: addend?.columns(range), activation: part { $0.columns(range) })
  }

  /// Whether the epilogue is for a C of this size and type.
  func fits(_ c: Matrix) -> Bool {
    func fits(_ matrix: Matrix, _ type: ElementType) -> Bool {
      matrix.rows == c.rows && matrix.columns == c.columns && matrix.type == type
    }
    let activationFits =
      switch activation {
      case .none: true
      case .gelu(let y): fits(y, c.type)
      case .geluGradient(let u, let y): fits(u, c.type) && fits(y, c.type)
      }
    return activationFits && addend.map { fits($0, .float32) } ?? true
      && bias.map { $0.count == (direction == .perColumn ? c.columns : c.rows) } ?? true
  }

  /// Pointers for the kernels, valid in the body.
  func withKernel(_ body: (UnsafePointer<jk_epilogue>) -> Void) {
    var kernel = jk_epilogue()
    kernel.bias = bias.map { UnsafePointer($0.pointer) }
    kernel.bias_per_row = direction == .perRow
    if let addend {
      kernel.addend = UnsafePointer(addend.pointer)
      kernel.addend_stride = addend.stride
    }
    switch activation {
    case .none: break
    case .gelu(let y):
      kernel.gelu_output = y.start
      kernel.gelu_output_stride = y.stride
    case .geluGradient(let u, let y):
      kernel.gelu_input = UnsafeRawPointer(u.start)
      kernel.gelu_input_stride = u.stride
      kernel.gelu_output = y.start
      kernel.gelu_output_stride = y.stride
    }
    withExtendedLifetime(self) { body(&kernel) }
  }

  private func part(_ cut: (Matrix) -> Matrix) -> Activation {
    switch activation {
    case .none: .none
    case .gelu(let y): .gelu(into: cut(y))
    case .geluGradient(let u, let y): .geluGradient(of: cut(u), output: cut(y))
    }
  }

  private static func part(_ bias: Tensor, _ range: Range<Int>) -> Tensor {
    Tensor(shape: [range.count], type: bias.type, buffer: bias.buffer, offset: bias.offset + range.lowerBound)
  }
}
