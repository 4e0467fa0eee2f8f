import Basics
import CKernels

#if canImport(Glibc)
  import Glibc
#endif

/// What a rank computes with: its threads, its memory, its library of products. No global state.
public final class Compute: Sendable {
  public let team: ThreadTeam
  public let pool: BufferPool
  public let backend: any ProductBackend
  /// Where products are noted, if anywhere.
  public let trace: Trace?

  public init(
    threads: Int = ThreadTeam.availableCPUs, backend: any ProductBackend = standardProducts(),
    pool: BufferPool = BufferPool(), trace: Trace? = nil
  ) {
    self.trace = trace
    team = ThreadTeam(count: threads)
    self.backend = backend
    self.pool = pool
  }

  /// Pooled FP32 memory, content undefined.
  public func tensor(_ shape: [Int]) -> Tensor {
    Tensor(shape: shape, buffer: pool.buffer(byteCount: shape.reduce(1, *) * ElementType.float32.byteCount))
  }

  /// C = A·B, or C += A·B when `accumulate`, on all threads of the team.
  ///
  /// - Parameters:
  ///   - finish: what is left to do to C's elements once their sums are complete. Not together with `pause`.
  ///   - pause: called on the calling thread every some tenths of a millisecond of its share of the work. Must not use the
  ///     team when that has several members.
  public func multiply(
    _ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool = false, finish: Finish? = nil,
    pause: (() -> Void)? = nil
  ) {
    precondition(finish == nil || pause == nil)
    precondition(finish?.fits(rows: c.rows, columns: c.columns) ?? true)
    precondition(
      a.rows == c.rows && b.columns == c.columns && a.columns == b.rows,
      "product of [\(a.rows), \(a.columns)] and [\(b.rows), \(b.columns)] into [\(c.rows), \(c.columns)]")
    if c.rows == 0 || c.columns == 0 { return }
    if a.columns == 0 {
      // A sum of nothing: libraries of products want at least one term.
      if !accumulate {
        for row in 0..<c.rows { (c.pointer + row * c.stride).update(repeating: 0, count: c.columns) }
      }
      finish?(c)
      return
    }
    trace.measure(.compute, "product") { multiplyInParts(a, b, into: c, accumulate, finish, pause) }
  }

  private func multiplyInParts(
    _ a: Operand, _ b: Operand, into c: Matrix, _ accumulate: Bool, _ finish: Finish?, _ pause: (() -> Void)?
  ) {
    let parts = team.count
    let caller = pthread_self()
    func isCaller() -> Bool { pthread_equal(pthread_self(), caller) != 0 }
    func part(_ a: Operand, _ b: Operand, _ c: Matrix, _ finish: Finish?) {
      if let finish {
        backend.multiply(a, b, into: c, accumulate: accumulate, finish: finish)
      } else {
        backend.multiply(a, b, into: c, accumulate: accumulate, pause: isCaller() ? pause : nil)
      }
    }
    if parts == 1 { return part(a, b, c, finish) }
    // Small results of long sums (weight gradients of the blend) are split along the sum, others along the longer side.
    if c.rows * c.columns < 64 * 64 * parts && a.columns > 4_096 {
      multiplySplittingSum(a, b, into: c, accumulate: accumulate)
      finish?(c)
    } else if c.columns >= c.rows {
      team.split(c.columns, grain: 16) { part(a, b.columns($0), c.columns($0), finish?.columns($0)) }
    } else {
      team.split(c.rows, grain: 16) { part(a.rows($0), b, c.rows($0), finish?.rows($0)) }
    }
  }

  private func multiplySplittingSum(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool) {
    let partial = tensor([team.count, c.rows, c.columns])
    let size = c.rows * c.columns
    team.run { member in
      let range = a.columns * member / team.count..<a.columns * (member + 1) / team.count
      let part = Matrix(
        buffer: partial.buffer, offset: partial.offset + member * size, rows: c.rows, columns: c.columns,
        stride: c.columns)
      backend.multiply(a.columns(range), b.rows(range), into: part, accumulate: false)
    }
    for i in 0..<c.rows {
      for j in 0..<c.columns {
        var sum = accumulate ? c[i, j] : 0
        for member in 0..<team.count { sum += partial.pointer[member * size + i * c.columns + j] }
        c[i, j] = sum
      }
    }
  }

  /// The vector kernels in use on this CPU: "avx512", "avx2" or "baseline".
  public static var kernelSet: String { String(cString: jk_current().pointee.name) }

  /// Peak rate of fused multiply-adds of one core, FLOP/s, measured over some hundredths of a second.
  public static func measuredMultiplyAddRate(seconds: Double = 0.03) -> Double {
    jk_current().pointee.multiply_add_rate(seconds)
  }
}
