import CKernels
import COneDNN

/// One operand of a GEMM, as stored or transposed.
public struct Operand: Sendable {
  public let matrix: Matrix
  public let isTransposed: Bool
  /// The same in the order in which bf16 matrix products read it, if it has been packed; nil for a part of a matrix.
  let packed: PackedOperand?

  public init(_ matrix: Matrix, transposed: Bool = false) { self.init(matrix, transposed: transposed, packed: nil) }

  init(_ matrix: Matrix, transposed: Bool, packed: PackedOperand?) {
    self.matrix = matrix
    isTransposed = transposed
    self.packed = packed
  }

  public var rows: Int { isTransposed ? matrix.columns : matrix.rows }
  public var columns: Int { isTransposed ? matrix.rows : matrix.columns }

  public func rows(_ range: Range<Int>) -> Operand {
    Operand(isTransposed ? matrix.columns(range) : matrix.rows(range), transposed: isTransposed)
  }

  public func columns(_ range: Range<Int>) -> Operand {
    Operand(isTransposed ? matrix.rows(range) : matrix.columns(range), transposed: isTransposed)
  }
}

extension Matrix {
  /// The matrix as a transposed operand of a GEMM.
  public var transposed: Operand { Operand(self, transposed: true) }
  /// The matrix as an operand of a GEMM, not transposed.
  public var plain: Operand { Operand(self) }
}

/// A way to compute matrix products.
public protocol ProductBackend: Sendable {
  var name: String { get }

  /// How values are stored that nothing but GEMMs and GELU reads; of all its matrices if it is FP32.
  var activationType: ElementType { get }

  /// C = A·B, or C += A·B when `accumulate`, on the calling thread alone. Sizes have been checked, none is zero.
  ///
  /// - Parameter pause: called every some tenths of a millisecond of work, on the calling thread.
  func multiply(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool, pause: (() -> Void)?)

  /// The same, and what is left to do to C's elements once their sums are complete.
  func multiply(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool, epilogue: Epilogue)
}

extension ProductBackend {
  public var activationType: ElementType { .float32 }

  public func multiply(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool, epilogue: Epilogue) {
    multiply(a, b, into: c, accumulate: accumulate, pause: nil)
    epilogue(c)
  }

  public func multiply(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool) {
    multiply(a, b, into: c, accumulate: accumulate, pause: nil)
  }
}

/// The backend for this CPU: docs/decisions/0011 has the rates.
public func standardProducts() -> any ProductBackend {
  Compute.kernelSet == "avx2" ? PackedProducts() : OneDNNProducts()
}

/// GEMMs by our own kernels, whose result does not depend on how rows and columns are shared out over threads.
public struct PackedProducts: ProductBackend, @unchecked Sendable {
  private let kernels: UnsafePointer<jk_kernels>  // an immutable table
  private let scratch = BufferPool()

  public init() { kernels = jk_current() }

  /// Nil when this CPU lacks the instruction set: "baseline", "avx2", "avx512".
  public init?(kernelSet: String) {
    guard let kernels = jk_named(kernelSet) else { return nil }
    self.kernels = kernels
  }

  public var name: String { "packed products" }

  public func multiply(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool, pause: (() -> Void)?) {
    multiply(a, b, into: c, accumulate, nil, pause)
  }

  public func multiply(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool, epilogue: Epilogue) {
    epilogue.withKernel { multiply(a, b, into: c, accumulate, $0, nil) }
  }

  private func multiply(
    _ a: Operand, _ b: Operand, into c: Matrix, _ accumulate: Bool, _ epilogue: UnsafePointer<jk_epilogue>?,
    _ pause: (() -> Void)?
  ) {
    let (m, n, k) = (c.rows, c.columns, a.columns)
    let size = kernels.pointee.product_scratch(m, n, k) * ElementType.float32.byteCount
    let buffer = scratch.buffer(byteCount: size)
    var (x, y) = (jk_operand(a), jk_operand(b))
    withCallback(pause) { callback, context in
      kernels.pointee.product(
        &x, &y, m, n, k, accumulate, c.pointer, c.stride, epilogue, buffer.pointer.assumingMemoryBound(to: Float.self),
        callback, context)
    }
  }
}

/// Calls `body` with what kernels call between blocks of a GEMM, if anything.
func withCallback(
  _ pause: (() -> Void)?,
  _ body: ((@convention(c) (UnsafeMutableRawPointer?) -> Void)?, UnsafeMutableRawPointer?) -> Void
) {
  guard var pause else { return body(nil, nil) }
  withUnsafeMutablePointer(to: &pause) {
    body({ $0!.assumingMemoryBound(to: (() -> Void).self).pointee() }, UnsafeMutableRawPointer($0))
  }
}

extension jk_operand {
  fileprivate init(_ operand: Operand) {
    self.init(data: operand.matrix.pointer, stride: operand.matrix.stride, transposed: operand.isTransposed)
  }
}

/// Products through oneDNN.
public struct OneDNNProducts: ProductBackend {
  public init() {}

  public var name: String { "oneDNN \(OneDNNProducts.version) (\(OneDNNProducts.instructionSet))" }

  public static var version: String {
    var major: Int32 = 0
    var minor: Int32 = 0
    var patch: Int32 = 0
    jk_onednn_version(&major, &minor, &patch)
    return "\(major).\(minor).\(patch)"
  }

  /// The instruction set that its kernels use here.
  public static var instructionSet: String { String(cString: jk_onednn_instruction_set()) }

  /// Shorter slices cost more than they gain, since each brings its operands into order anew.
  private static let flopsBetweenPauses = 400_000_000

  public func multiply(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool, pause: (() -> Void)?) {
    guard let pause else { return multiply(a, b, into: c, accumulate) }
    let slices = max(1, min(c.rows / 64, 2 * c.rows * c.columns * a.columns / OneDNNProducts.flopsBetweenPauses))
    for slice in 0..<slices {
      let rows = c.rows * slice / slices..<c.rows * (slice + 1) / slices
      multiply(a.rows(rows), b, into: c.rows(rows), accumulate)
      pause()
    }
  }

  private func multiply(_ a: Operand, _ b: Operand, into c: Matrix, _ accumulate: Bool) {
    let status = jk_onednn_product(
      a.isTransposed, b.isTransposed, c.rows, c.columns, a.columns, a.matrix.pointer, a.matrix.stride, b.matrix.pointer,
      b.matrix.stride, accumulate, c.pointer, c.stride)
    precondition(status == 0, "oneDNN refused a product: status \(status)")
  }
}

/// Products in plain Swift, accumulated in double: slow and simple, what tests compare against.
public struct ReferenceProducts: ProductBackend {
  public init() {}

  public var name: String { "reference" }

  public func multiply(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool, pause: (() -> Void)?) {
    let (x, y) = (a.matrix.pointer, b.matrix.pointer)
    let (xRow, xColumn) = a.isTransposed ? (1, a.matrix.stride) : (a.matrix.stride, 1)
    let (yRow, yColumn) = b.isTransposed ? (1, b.matrix.stride) : (b.matrix.stride, 1)
    for i in 0..<c.rows {
      for j in 0..<c.columns {
        var sum = accumulate ? Double(c[i, j]) : 0
        var k = 0
        while k < a.columns {
          sum += Double(x[i * xRow + k * xColumn]) * Double(y[k * yRow + j * yColumn])
          k += 1
        }
        c[i, j] = Float(sum)
      }
    }
  }
}
