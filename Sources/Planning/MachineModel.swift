/// What a simulated run asks of a machine: how long the work of one rank takes, and how fast ranks exchange and read.
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

  /// A product C[m, n] (+)= A·B with sums over k, computed by one rank.
  public struct Product: Sendable, Hashable {
    public var m, n, k: Int

    public init(m: Int, n: Int, k: Int) {
      self.m = m
      self.n = n
      self.k = k
    }

    public var flops: Int { 2 * m * n * k }
  }

  /// Seconds that one rank takes for a product.
  public var productSeconds: @Sendable (Product) -> Double
  /// Seconds that one rank takes for a pass that reads and writes so many bytes in all.
  public var passSeconds: @Sendable (_ bytes: Int) -> Double
  /// Of one rank's units for products, FLOP/s.
  public var peakFLOPsPerSecond: Double
  /// Neighbouring ranks share a node.
  public var ranksPerNode: Int
  public var withinNode, betweenNodes: Link
  /// What all ranks of a node together can send to other nodes, and receive from them; nil when each rank has a
  /// connection of its own.
  public var nodeBytesPerSecond: Double?
  /// Whether a rank's own processors copy what it receives, which then takes from its time to compute.
  public var transfersTakeProcessor: Bool
  /// Stored bytes that one rank reads and decodes per second when alone, and all ranks of a node, and all ranks of the job.
  public var readingBytesPerSecond: (rank: Double, node: Double, job: Double)
  /// Seconds of a rank's own time that a frame takes for each of its bytes (normalising, tiling).
  public var frameSecondsPerByte: Double
  /// Relative standard deviation of what a rank takes for the same step, from rank to rank and step to step.
  public var straggling: Double

  public init(
    productSeconds: @escaping @Sendable (Product) -> Double, passSeconds: @escaping @Sendable (_ bytes: Int) -> Double,
    peakFLOPsPerSecond: Double, ranksPerNode: Int, withinNode: Link, betweenNodes: Link,
    nodeBytesPerSecond: Double? = nil, transfersTakeProcessor: Bool = false,
    readingBytesPerSecond: (rank: Double, node: Double, job: Double) = (.infinity, .infinity, .infinity),
    frameSecondsPerByte: Double = 0, straggling: Double = 0
  ) {
    self.productSeconds = productSeconds
    self.passSeconds = passSeconds
    self.peakFLOPsPerSecond = peakFLOPsPerSecond
    self.ranksPerNode = ranksPerNode
    self.withinNode = withinNode
    self.betweenNodes = betweenNodes
    self.nodeBytesPerSecond = nodeBytesPerSecond
    self.transfersTakeProcessor = transfersTakeProcessor
    self.readingBytesPerSecond = readingBytesPerSecond
    self.frameSecondsPerByte = frameSecondsPerByte
    self.straggling = straggling
  }
}
