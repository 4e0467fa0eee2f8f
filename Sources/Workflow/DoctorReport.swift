import Basics
import Stores
import Tensors

/// `jigsaw doctor`: what this machine gives and which kernels were really chosen.
public struct DoctorReport: JSONReport {
  /// Measured rate of a 1024³ GEMM.
  public struct Product: Encodable, Sendable {
    public let precision: String
    public let threads: Int
    public let flopsPerSecond: Double
    /// The library or kernels that compute it.
    public let backend: String
  }

  public let format = "jigsaw-doctor-1"
  public let version = jigsawVersion
  /// Machine, kernels and libraries, as runs record them.
  public let provenance: Provenance
  public let memoryAvailableBytes: Int?
  /// Fused multiply-adds of one core.
  public let peakFLOPsPerSecond: Double
  public let products: [Product]
  /// Where the machine's rates are stored, or why they aren't.
  public let machineFile: String
  /// Units that multiply bf16 numbers.
  public let bf16Units: [String]

  public init(threads: Int = 0) throws {
    let count = threads > 0 ? threads : ThreadTeam.availableCPUs
    peakFLOPsPerSecond = Compute.measuredMultiplyAddRate(seconds: 0.1)
    provenance = Provenance(threads: count)
    memoryAvailableBytes = Machine.availableMemory.map { Int($0) }
    let standard = standardProducts()
    var products = (count > 1 ? [1, count] : [1]).map { threads in
      Product(
        precision: "fp32", threads: threads, flopsPerSecond: DoctorReport.productRate(Compute(threads: threads)),
        backend: standard.name)
    }
    products += try [Precision.bf16, .bf16x3].map { precision in
      let backend = try precision.products().backend
      return Product(
        precision: "\(precision)", threads: 1,
        flopsPerSecond: DoctorReport.productRate(Compute(threads: 1, backend: backend)), backend: backend.name)
    }
    self.products = products
    machineFile = DoctorReport.machineFile
    bf16Units = BF16Unit.available.filter(\.isNative).map(\.name)
  }

  // MARK: For people

  public var text: String {
    var lines = provenance.entries.map { "\($0.key): \($0.value)" }
    if let bytes = memoryAvailableBytes { lines.append("memoryAvailable: \(fixed(Double(bytes) / 1e9, 1)) GB") }
    lines.append("multiplyAddPeak: \(fixed(peakFLOPsPerSecond * 1e-9, 1)) GFLOP/s per core")
    func line(_ product: Product) -> String {
      "\(product.precision == "fp32" ? "product" : product.precision), \(product.threads) "
        + "thread\(product.threads == 1 ? "" : "s"): \(fixed(product.flopsPerSecond * 1e-9, 1)) GFLOP/s"
    }
    lines += products.filter { $0.precision == "fp32" }.map(line)
    lines.append("machineFile: \(machineFile)")
    lines.append(
      "bf16Units: \(bf16Units.isEmpty ? "none; rounded operands are multiplied in FP32" : bf16Units.joined(separator: ", "))"
    )
    lines += products.filter { $0.precision != "fp32" }.map { "\(line($0)), \($0.backend)" }
    return lines.joined(separator: "\n")
  }

  // MARK: Pieces

  private static var machineFile: String {
    let remedy = "'jigsaw bench machine' measures and stores the rates of this machine"
    do {
      guard let path = MachineRates.standardPath, Files.exists(path) else { return "none; \(remedy)" }
      guard let rates = try MachineRates.stored(path) else { return "\(path) is for another processor; \(remedy)" }
      return "\(path), measured \(rates.measured)"
    } catch {
      return "\(error)"
    }
  }

  /// FLOP/s of a 1024³ GEMM, the best of a few.
  private static func productRate(_ compute: Compute) -> Double {
    let n = 1_024
    let a = Tensor(zeros: [n, n])
    let b = Tensor(zeros: [n, n])
    let c = Tensor(zeros: [n, n])
    var best = 0.0
    for _ in 0..<5 {
      let start = monotonicSeconds()
      compute.multiply(a.matrix(rows: n).plain, b.matrix(rows: n).plain, into: c.matrix(rows: n))
      best = max(best, 2 * Double(n * n * n) / (monotonicSeconds() - start))
    }
    return best
  }
}
