import Basics
import CKernels

#if canImport(Glibc)
  import Glibc
#endif

/// A rank's means to compute: its threads, its memory, its library of GEMMs. No global state.
public final class Compute: Sendable {
  public let team: ThreadTeam
  public let pool: BufferPool
  public let backend: any ProductBackend
  /// How values are stored that nothing but GEMMs and GELU reads.
  public let activationType: ElementType
  /// Where GEMMs are noted, if anywhere.
  public let trace: Trace?

  /// - Parameter activationType: the backend's by default; a dry run may have another.
  public init(
    threads: Int = ThreadTeam.availableCPUs, backend: any ProductBackend = standardProducts(),
    activationType: ElementType? = nil, pool: BufferPool = BufferPool(), trace: Trace? = nil
  ) {
    self.activationType = activationType ?? backend.activationType
    precondition(!pool.device.isHost || self.activationType == backend.activationType)
    self.trace = trace
    team = pool.device.makeTeam(threads)
    self.backend = backend
    self.pool = pool
  }

  /// Where its memory is, and who works on it.
  public var device: any Device { pool.device }

  /// Pooled memory, content undefined.
  public func tensor(_ shape: [Int], type: ElementType = .float32, for use: MemoryUse = .activations) -> Tensor {
    let size = shape.reduce(1, *) * type.byteCount
    return Tensor(shape: shape, type: type, buffer: pool.buffer(byteCount: size, for: use))
  }

  /// Zeroed FP32 memory of the device, outside the pool.
  public func zeros(_ shape: [Int]) -> Tensor { Tensor(zeros: shape, on: device) }

  /// A pass over 0 ..< n, on the host shared out over the team as `ThreadTeam.split` does it.
  ///
  /// - Parameters:
  ///   - bytes: that it reads and writes,
  ///   - arithmetic: with what it computes.
  public func pass(
    _ n: Int, grain: Int = 1, bytes: Int, arithmetic: PassArithmetic = .little, _ work: (Range<Int>) -> Void
  ) {
    device.run(DeviceWork(.init(bytes: bytes, arithmetic))) { team.split(n, grain: grain, work) }
  }

  /// C = A·B, or C += A·B when `accumulate`, on all threads of the team.
  ///
  /// - Parameters:
  ///   - epilogue: applied to C's elements once their sums are complete. Not together with `pause`.
  ///   - pause: called on the calling thread every some tenths of a millisecond of its share of the work. Must not use the
  ///     team when that has several members.
  public func multiply(
    _ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool = false, epilogue: Epilogue? = nil,
    pause: (() -> Void)? = nil
  ) {
    precondition(epilogue == nil || pause == nil)
    precondition(epilogue?.fits(c) ?? true)
    precondition(
      a.rows == c.rows && b.columns == c.columns && a.columns == b.rows,
      "product of [\(a.rows), \(a.columns)] and [\(b.rows), \(b.columns)] into [\(c.rows), \(c.columns)]")
    if c.rows == 0 || c.columns == 0 { return }
    if a.columns == 0 {
      precondition(c.type == .float32)
      // A sum of nothing: libraries of GEMMs want at least one term.
      if !accumulate { clear(c) }
      if let epilogue { pass(1, bytes: epilogue.byteCount(c)) { _ in epilogue(c) } }
      return
    }
    trace.measure(.compute, "product") {
      let partial = splitsSum(a, c) ? tensor([team.count, c.rows, c.columns]) : nil
      let work = DeviceWork(
        .init(m: c.rows, n: c.columns, k: a.columns),
        then: epilogue.map { .init(bytes: $0.byteCount(c), $0.arithmetic(c)) }, pause: pause)
      device.run(work) {
        if let partial {
          multiplySplittingSum(a, b, into: c, accumulate, partial)
          epilogue?(c)
        } else {
          multiplyInParts(a, b, into: c, accumulate, epilogue, pause)
        }
      }
    }
  }

  public func clear(_ c: Matrix) {
    pass(1, bytes: c.rows * c.columns * ElementType.float32.byteCount) { _ in
      for row in 0..<c.rows { (c.pointer + row * c.stride).update(repeating: 0, count: c.columns) }
    }
  }

  /// Rows or columns of which a thread gets a multiple.
  private static let productGrain = 16

  /// Along the longer side; but so that all threads read the same packed operand where that leaves none without work.
  private func splitsColumns(_ a: Operand, _ b: Operand, _ c: Matrix) -> Bool {
    let needed = team.count * Compute.productGrain
    if a.packed != nil && c.columns >= needed { return true }
    if b.packed != nil && c.rows >= needed { return false }
    return c.columns >= c.rows
  }

  /// Small results of long sums (weight gradients of the blend) are split along the sum.
  private func splitsSum(_ a: Operand, _ c: Matrix) -> Bool {
    c.type == .float32 && team.count > 1 && c.rows * c.columns < 64 * 64 * team.count && a.columns > 4_096
  }

  private func multiplyInParts(
    _ a: Operand, _ b: Operand, into c: Matrix, _ accumulate: Bool, _ epilogue: Epilogue?, _ pause: (() -> Void)?
  ) {
    let parts = team.count
    let caller = pthread_self()
    func isCaller() -> Bool { pthread_equal(pthread_self(), caller) != 0 }
    func part(_ a: Operand, _ b: Operand, _ c: Matrix, _ epilogue: Epilogue?) {
      if let epilogue {
        backend.multiply(a, b, into: c, accumulate: accumulate, epilogue: epilogue)
      } else {
        backend.multiply(a, b, into: c, accumulate: accumulate, pause: isCaller() ? pause : nil)
      }
    }
    if parts == 1 { return ThreadTeam.withoutSubnormals { part(a, b, c, epilogue) } }
    if splitsColumns(a, b, c) {
      team.split(c.columns, grain: Compute.productGrain) {
        part(a, b.columns($0), c.columns($0), epilogue?.columns($0))
      }
    } else {
      team.split(c.rows, grain: Compute.productGrain) { part(a.rows($0), b, c.rows($0), epilogue?.rows($0)) }
    }
  }

  /// - Parameter partial: [members, rows, columns] of C: each member computes a part of the sums.
  private func multiplySplittingSum(
    _ a: Operand, _ b: Operand, into c: Matrix, _ accumulate: Bool, _ partial: Tensor
  ) {
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

  /// Scratch memory that our own kernels on this CPU need for a GEMM on one thread, bytes: `PackedProducts` keeps a piece of
  /// each size.
  public static func productScratchBytes(m: Int, n: Int, k: Int) -> Int {
    jk_current().pointee.product_scratch(m, n, k) * ElementType.float32.byteCount
  }

  /// Peak rate of fused multiply-adds of one core, FLOP/s, measured over some hundredths of a second.
  public static func measuredMultiplyAddRate(seconds: Double = 0.03) -> Double {
    jk_current().pointee.multiply_add_rate(seconds)
  }
}
