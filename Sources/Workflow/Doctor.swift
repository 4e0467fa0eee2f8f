import Basics
import Stores
import Tensors

/// `jigsaw doctor`: what this machine gives and which kernels were really chosen.
public enum Doctor {
  public static func report(threads: Int = 0) throws -> String {
    let count = threads > 0 ? threads : ThreadTeam.availableCPUs
    let compute = Compute(threads: count)
    let one = Compute(threads: 1)
    let peak = Compute.measuredMultiplyAddRate(seconds: 0.1)
    var lines = Provenance(threads: count).entries.map { "\($0.key): \($0.value)" }
    if let memory = Machine.availableMemory { lines.append("memoryAvailable: \(fixed(Double(memory) / 1e9, 1)) GB") }
    lines.append("multiplyAddPeak: \(fixed(peak * 1e-9, 1)) GFLOP/s per core")
    lines.append("product, 1 thread: \(fixed(productRate(one) * 1e-9, 1)) GFLOP/s")
    if count > 1 { lines.append("product, \(count) threads: \(fixed(productRate(compute) * 1e-9, 1)) GFLOP/s") }
    lines.append("machineFile: \(machineFile)")
    let units = BF16Unit.available
    let native = units.filter(\.isNative).map(\.name)
    lines.append(
      "bf16Units: \(native.isEmpty ? "none; rounded operands are multiplied in FP32" : native.joined(separator: ", "))")
    for precision in [Precision.bf16, .bf16x3] {
      let choice = try precision.products()
      let rate = productRate(Compute(threads: 1, backend: choice.backend))
      lines.append("\(precision), 1 thread: \(fixed(rate * 1e-9, 1)) GFLOP/s, \(choice.backend.name)")
    }
    return lines.joined(separator: "\n")
  }

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

  /// FLOP/s of a 1024³ product, the best of a few.
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
