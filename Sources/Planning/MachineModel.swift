import Tensors

/// The questions of a simulated run about its machine: how long the work of one rank takes, and how fast ranks exchange and read.
/// Made from a `MachineDescription` for a number of threads and a precision.
public struct MachineModel: Sendable {
  /// Between two ranks, one way, nothing else going on.
  public struct Link: Sendable, Equatable {
    public var latencySeconds, bytesPerSecond: Double

    public init(latencySeconds: Double, bytesPerSecond: Double) {
      self.latencySeconds = latencySeconds
      self.bytesPerSecond = bytesPerSecond
    }
  }

  /// A GEMM C[m, n] (+)= A·B with sums over k, computed by one rank.
  public struct Product: Sendable, Hashable {
    public var m, n, k: Int

    public init(m: Int, n: Int, k: Int) {
      self.m = m
      self.n = n
      self.k = k
    }

    public var flops: Int { 2 * m * n * k }
  }

  /// Seconds that one rank takes for a GEMM.
  public var productSeconds: @Sendable (Product) -> Double
  /// Seconds that one rank takes for a pass that reads and writes so many bytes in all.
  public var passSeconds: @Sendable (_ bytes: Int) -> Double
  /// Seconds that one rank takes for GELU or its derivative of one number, where that is more than its pass takes.
  public var geluSeconds = 0.0
  /// Seconds that one rank takes for the sums of one row of so many columns, where that is more than their pass takes.
  public var rowSumSeconds: @Sendable (_ columns: Int) -> Double = { _ in 0 }
  /// The peak of one rank's units for GEMMs, FLOP/s.
  public var peakFLOPsPerSecond: Double
  /// Neighbouring ranks share a node.
  public var ranksPerNode: Int
  public var withinNode, betweenNodes: Link
  /// The bandwidth at which all ranks of a node together can send to other nodes, and receive from them; nil when each rank has a
  /// connection of its own.
  public var nodeBytesPerSecond: Double?
  /// Whether a rank's own processors copy what it receives, at the rate of the link within a node, which then takes from its
  /// time to compute. Within a node nothing else carries the bytes.
  public var transfersTakeProcessor = false
  /// Stored bytes that one rank reads and decodes per second when alone, and all ranks of a node, and all ranks of the job.
  public var readingBytesPerSecond: (rank: Double, node: Double, job: Double) = (.infinity, .infinity, .infinity)
  /// Seconds of a rank's own time that a frame takes for each of its bytes (normalising, tiling).
  public var frameSecondsPerByte = 0.0
  /// Relative standard deviation of what a rank takes for the same step, from rank to rank and step to step.
  public var straggling = 0.0
  /// The threads of each rank.
  public var threads = 1
  /// Scratch memory that each thread of a rank needs for a GEMM, bytes.
  public var productScratchBytes: @Sendable (Product) -> Int = { _ in 0 }
  /// How a rank stores what nothing but GEMMs and GELU reads.
  public var activationType = ElementType.float32
  /// Memory that a rank takes before it has made its model, bytes.
  public var programBytes = MachineModel.measuredProgramBytes

  /// Measured with `jigsaw bench step` on Linux: peak resident memory less what a simulation finds, for several models.
  public static let measuredProgramBytes = 35_000_000

  /// Memory of whole runs beyond `measuredProgramBytes`: libraries that read and write files and what they allocate for themselves
  /// (docs/results/planning/memory.md).
  public static let measuredEvaluationBytes = 14_000_000
  /// The same of trainings and forecasts, with what the library of products takes for itself where GEMMs go through one.
  public static func measuredRunBytes(hasProductLibrary: Bool) -> Int {
    measuredEvaluationBytes + (hasProductLibrary ? 12_000_000 : 0)
  }

  /// Seconds of the arithmetic of a pass, besides reading and writing.
  func seconds(_ arithmetic: PassArithmetic) -> Double {
    switch arithmetic {
    case .little: 0
    case .gelu(let count): Double(count) * geluSeconds
    case .rowSums(let rows, let columns): Double(rows) * rowSumSeconds(columns)
    }
  }

  public init(
    productSeconds: @escaping @Sendable (Product) -> Double, passSeconds: @escaping @Sendable (_ bytes: Int) -> Double,
    peakFLOPsPerSecond: Double, ranksPerNode: Int, withinNode: Link, betweenNodes: Link
  ) {
    self.productSeconds = productSeconds
    self.passSeconds = passSeconds
    self.peakFLOPsPerSecond = peakFLOPsPerSecond
    self.ranksPerNode = ranksPerNode
    self.withinNode = withinNode
    self.betweenNodes = betweenNodes
  }
}
