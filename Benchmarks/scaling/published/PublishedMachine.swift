import Planning

#if canImport(Glibc)
  import Glibc
#endif

/// HoreKa's GPU nodes as the published experiments used them, and what of them is known. Every figure is documented, measured
/// elsewhere on the same hardware, or named as an assumption; two are starting points that `PublishedExperiments` calibrates.
public struct PublishedMachine: Sendable {
  /// Of passes over a GPU's memory, reads and writes. Documented: 1 555 GB/s (data sheet of the A100, 40 GB). Assumed: streaming
  /// kernels reach 84 % of it.
  public var passBytesPerSecond = 1.3e12
  /// Between two GPUs of a node, one direction at a time. Documented: four NVLink 3, 100 GB/s. Measured with NCCL on such a node,
  /// both directions at once: 72 GB/s each (github.com/NVIDIA/nccl-tests/issues/331). Calibrated between the two. Assumed:
  /// 20 µs until a message is on its way.
  public var link = MachineModel.Link(latencySeconds: 20e-6, bytesPerSecond: 72e9)
  public var gpusPerNode = 4
  /// InfiniBand HDR, 200 Gbit/s (nhr.kit.edu/userdocs/horeka/hardware). Assumed: GPUs share one port per node; the
  /// second adapter that the page speaks of is not used for this.
  public var portBytesPerSecond = 25e9
  /// Part of the time that one all-reduce has data on the port, the rest of it going into copies through host memory and
  /// over NVLink; several at once, independent of each other, keep it busy 1 − (1 − share)^count of the time. 16 GB/s of
  /// 25 are called normal for one where the adapter hangs on the processor (github.com/NVIDIA/nccl/issues/412). Calibrated.
  public var flowShare = 0.5
  /// Per step of a ring between nodes. Assumed.
  public var ringLatencySeconds = 15e-6
  /// From host memory to a GPU, PCIe 4 × 16: 31.5 GB/s documented, 25 assumed to be reached.
  public var hostBytesPerSecond = 25e9
  /// Standard deviation of the time that a GPU takes for the same work, relative. Assumed; a step waits for the slowest.
  public var straggling = 0.01

  public init() {}

  /// What each of `groups` all-reduces that run at once gets of a node's port.
  public func allReduceBytesPerSecond(groups: Int) -> Double {
    var idle = 1.0
    for _ in 0..<groups { idle *= 1 - flowShare }
    return portBytesPerSecond * (1 - idle) / Double(groups)
  }
}

/// How far the slowest of many is from the mean.
enum Straggler {
  /// Expected maximum of `count` standard normal numbers (0.56 of 2, 2.8 of 256): ∫ x·dΦ(x)^count, integrated numerically.
  static func expectedMaximum(of count: Int) -> Double {
    guard count > 1 else { return 0 }
    let step = 0.01
    var (cumulative, power, mean) = (0.0, 0.0, 0.0)
    for i in -800..<800 {
      let x = (Double(i) + 0.5) * step
      cumulative += step * exp(-x * x / 2) / (2 * Double.pi).squareRoot()
      var next = 1.0
      for _ in 0..<count { next *= cumulative }
      mean += x * (next - power)
      power = next
    }
    return mean
  }
}
