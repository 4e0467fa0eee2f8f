import CKernels
import COneDNN

/// One operand of a product, as stored or transposed.
public struct Operand: Sendable {
  public let matrix: Matrix
  public let isTransposed: Bool

  public init(_ matrix: Matrix, transposed: Bool = false) {
    self.matrix = matrix
    isTransposed = transposed
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
  /// The matrix as a transposed operand of a product.
  public var transposed: Operand { Operand(self, transposed: true) }
  /// The matrix as it is, as an operand of a product.
  public var plain: Operand { Operand(self) }
}

/// A library of matrix products.
public protocol ProductBackend: Sendable {
  var name: String { get }

  /// C = A·B, or C += A·B when `accumulate`, on the calling thread alone. Sizes have been checked.
  func multiply(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool)
}

/// Products through oneDNN.
public struct OneDNNProducts: ProductBackend {
  private let scratch = BufferPool()
  private let isAVX2 = OneDNNProducts.instructionSet == "AVX2"

  public init() {}

  public var name: String { "oneDNN \(OneDNNProducts.version)" }

  public static var version: String {
    var major: Int32 = 0
    var minor: Int32 = 0
    var patch: Int32 = 0
    jk_onednn_version(&major, &minor, &patch)
    return "\(major).\(minor).\(patch)"
  }

  /// The instruction set that its kernels use here.
  public static var instructionSet: String { String(cString: jk_onednn_instruction_set()) }

  public func multiply(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool) {
    // With AVX2, oneDNN computes products with few rows or columns in place, and does that well (to 80 % of peak, else 50 %)
    // only for A plain and B transposed. Its rule is 1/m + 1/n >= 0.0038; bringing operands into that order costs little.
    let (m, n, k) = (c.rows, c.columns, a.columns)
    let isSmall = isAVX2 && 10_000 * (m + n) >= 38 * m * n && min(m, n, k) >= 96
    let left = isSmall && a.isTransposed ? turned(a.matrix).plain : a
    let right = isSmall && !b.isTransposed ? turned(b.matrix).transposed : b
    multiplyAsIs(left, right, into: c, accumulate: accumulate)
  }

  private func turned(_ x: Matrix) -> Matrix {
    // Rows that don't all begin at the same place of the cache.
    let stride = x.rows + 16
    let buffer = scratch.buffer(byteCount: x.columns * stride * ElementType.float32.byteCount)
    let out = Matrix(buffer: buffer, offset: 0, rows: x.columns, columns: x.rows, stride: stride)
    jk_current().pointee.transpose(x.pointer, x.stride, x.rows, x.columns, out.pointer, stride)
    return out
  }

  private func multiplyAsIs(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool) {
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

  public func multiply(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool) {
    for i in 0..<c.rows {
      for j in 0..<c.columns {
        var sum = accumulate ? Double(c[i, j]) : 0
        for k in 0..<a.columns {
          let x = a.isTransposed ? a.matrix[k, i] : a.matrix[i, k]
          let y = b.isTransposed ? b.matrix[j, k] : b.matrix[k, j]
          sum += Double(x) * Double(y)
        }
        c[i, j] = Float(sum)
      }
    }
  }
}
