import Basics

#if canImport(Glibc)
  import Glibc
#endif

/// The precision that the operands of matrix products are rounded to. Sums, and everything that is computed otherwise, are in FP32.
public enum Precision: String, CaseIterable, Sendable {
  case fp32
  /// 8 significant bits: relative error of an operand up to 2⁻⁸.
  case bf16
  /// Operands in two bf16 parts, three GEMMs: error at most 2⁻¹⁵ of the sum of magnitudes.
  case bf16x3

  /// GEMMs in a precision, and what a user must know of them.
  public struct Choice: Sendable {
    public let backend: any ProductBackend
    public let warning: String?
    /// The precision of the GEMMs: FP32 where the configured one is no faster on this CPU.
    public let precision: Precision
  }

  /// For tests and comparisons: the name of the unit to use, whatever is fastest.
  public static let unitVariable = "JIGSAW_BF16_UNIT"

  /// The fastest way to compute GEMMs in this precision on this CPU.
  /// - Throws: when the environment asks for a unit that this CPU lacks.
  public func products() throws -> Choice {
    try products(unit: getenv(Precision.unitVariable).map { String(cString: $0) })
  }

  func products(unit name: String?) throws -> Choice {
    if self == .fp32 { return Choice(backend: standardProducts(), warning: nil, precision: .fp32) }
    if let name {
      guard let unit = BF16Unit(name) else {
        throw JigsawError(
          Precision.unitVariable, "names no unit of this CPU",
          expected: BF16Unit.available.map(\.name).joined(separator: ", "), found: name)
      }
      return Choice(backend: BF16Products(unit, parts: parts), warning: nil, precision: self)
    }
    return self == .bf16 ? Precision.fastestRounded : Precision.fastestSplit
  }

  var parts: Int { self == .bf16x3 ? 2 : 1 }

  /// The most scratch memory that one thread needs for a GEMM on this CPU, bytes.
  public func productScratchBytes(m: Int, n: Int, k: Int) -> Int {
    let unit = BF16Unit.available[0]
    if self == .fp32 || self == .bf16x3 && !unit.isNative { return Compute.productScratchBytes(m: m, n: n, k: k) }
    return unit.scratchBytes(m: m, n: n, k: k, parts: parts)
  }

  /// How values are stored that nothing but GEMMs and GELU reads.
  public var activationType: ElementType { self == .bf16 ? .bfloat16 : .float32 }

  private static let fastestRounded: Choice = {
    let native = BF16Unit.available.filter(\.isNative).map { BF16Products($0, parts: 1) }
    if let backend = fastest(native) { return Choice(backend: backend, warning: nil, precision: .bf16) }
    return Choice(
      backend: BF16Products(BF16Unit.available[0], parts: 1),
      warning:
        "bf16: this CPU has no matrix unit for it; matrix products are computed in FP32 on operands rounded to bf16, "
        + "no faster than fp32", precision: .bf16)
  }()

  private static let fastestSplit: Choice = {
    let native = BF16Unit.available.filter(\.isNative).map { BF16Products($0, parts: 2) }
    if let backend = fastest(native), rate(backend) > rate(standardProducts()) {
      return Choice(backend: backend, warning: nil, precision: .bf16x3)
    }
    return Choice(
      backend: standardProducts(),
      warning:
        "bf16x3: three bf16 matrix products are no faster than one in FP32 on this CPU; matrix products are computed in FP32, "
        + "which is more accurate", precision: .fp32)
  }()

  /// By measurement. An earlier one stays unless another is a quarter faster: noise must not decide, since units sum in
  /// different orders and a resumed run must repeat.
  private static func fastest(_ candidates: [BF16Products]) -> BF16Products? {
    guard var best = candidates.first else { return nil }
    if candidates.count == 1 { return best }
    var bestRate = rate(best)
    for candidate in candidates.dropFirst() {
      let rate = rate(candidate)
      if rate > 1.25 * bestRate { (best, bestRate) = (candidate, rate) }
    }
    return best
  }

  /// FLOP/s of one core on a GEMM of 512³, the best of a few: some hundredths of a second.
  private static func rate(_ backend: any ProductBackend) -> Double {
    let n = 512
    let (a, b, c) = (Tensor(zeros: [n, n]), Tensor(zeros: [n, n]), Tensor(zeros: [n, n]))
    let stream = RandomStream(seed: 0, name: "rate")
    stream.fillUniform(a.floats, bound: 1, row: 0, columns: 0..<n * n)
    stream.fillUniform(b.floats, bound: 1, row: 1, columns: 0..<n * n)
    var best = Double.infinity
    for _ in 0..<4 {
      let start = monotonicSeconds()
      backend.multiply(a.matrix.plain, b.matrix.plain, into: c.matrix, accumulate: false)
      best = min(best, monotonicSeconds() - start)
    }
    return 2 * Double(n * n * n) / best
  }
}

/// GEMMs whose operands are in bf16, or in FP32 and are rounded to bf16, or split in two bf16 parts, while they are packed.
public struct BF16Products: ProductBackend {
  let unit: BF16Unit
  private let parts: Int

  /// - Parameter parts: 1, or 2 for the accuracy of bf16x3.
  public init(_ unit: BF16Unit, parts: Int) {
    self.unit = unit
    self.parts = parts
  }

  public var name: String { "\(parts == 1 ? "bf16" : "bf16x3") products (\(unit.name))" }

  public var activationType: ElementType { parts == 1 ? .bfloat16 : .float32 }

  public func multiply(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool, pause: (() -> Void)?) {
    unit.multiply(
      BF16Operand(a), BF16Operand(b), parts: parts, into: c, accumulate: accumulate, pause: pause)
  }

  public func multiply(_ a: Operand, _ b: Operand, into c: Matrix, accumulate: Bool, epilogue: Epilogue) {
    unit.multiply(
      BF16Operand(a), BF16Operand(b), parts: parts, into: c, accumulate: accumulate, epilogue: epilogue)
  }
}
