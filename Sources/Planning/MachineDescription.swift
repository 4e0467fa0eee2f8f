/// A machine as its documents describe it: what one rank has, how ranks are joined, where each number is from. One file per
/// machine; those of the catalogue are compiled in.
public struct MachineDescription: Codable, Equatable, Sendable {
  /// A number and where it is from.
  public struct Figure: Codable, Equatable, Sendable {
    public var value: Double
    /// A document, or what an assumption rests on.
    public var source: String
    /// Neither documented nor measured on this machine.
    public var isAssumed: Bool?

    public init(_ value: Double, source: String, isAssumed: Bool? = nil) {
      self.value = value
      self.source = source
      self.isAssumed = isAssumed
    }
  }

  /// How fast GEMMs of one precision are.
  ///
  /// A GEMM takes 2·(m·n·k + (n·k + m·k + m·n)·halfSize/3) / (peak · shareReached): large ones reach that share, a cube
  /// of side `halfSize` half of it, and thin ones pay for the operands that they move.
  public struct Products: Codable, Equatable, Sendable {
    public var peakFLOPsPerSecond: Figure
    /// The share of the peak that large GEMMs reach.
    public var shareReached: Figure
    public var halfSize: Figure
  }

  /// One way, between two ranks.
  public struct Link: Codable, Equatable, Sendable {
    public var bytesPerSecond: Figure
    /// The share of the bandwidth that long messages reach.
    public var shareReached: Figure
    public var latencySeconds: Figure
  }

  /// From files, stored bytes per second.
  public struct Reading: Codable, Equatable, Sendable {
    public var rankBytesPerSecond: Figure
    public var nodeBytesPerSecond: Figure
    /// All ranks of a job together.
    public var jobBytesPerSecond: Figure
  }

  public static let format = "jigsaw-machine-description-1"
  public var format = MachineDescription.format
  /// The name that `--machine` takes.
  public var name: String
  public var summary: String
  /// The units of one rank, in words: "one NVIDIA A100 SXM4 (40 GB)".
  public var rank: String
  /// This program computes on processors; of a GPU it says what the same schedules would do there.
  public var isGPU: Bool
  /// The cores of one rank on processors, which `--threads` divides anew.
  public var coresPerRank: Figure?
  public var ranksPerNode: Figure
  /// Memory of one rank, bytes.
  public var memoryBytes: Figure
  /// Memory that a rank takes before it has made its model, bytes.
  public var programBytes: Figure
  /// By what the operands of GEMMs are rounded to: "fp32", "tf32", "bf16".
  public var precisions: [String: Products]
  /// Memory bandwidth of one rank when all of its node are busy, reads and writes together.
  public var memoryBytesPerSecond: Figure
  public var memoryShareReached: Figure
  /// The seconds that every GEMM and pass takes besides.
  public var launchSeconds: Figure
  public var withinNode: Link
  public var betweenNodes: Link
  /// The bandwidth that all ranks of a node share to other nodes; nil: each has a connection of its own.
  public var nodeBytesPerSecond: Figure?
  public var reading: Reading
  /// A rank's own time for each byte of a frame.
  public var frameSecondsPerByte: Figure
  /// Under full load.
  public var wattsPerRank: Figure
  /// The power of a node beside its ranks.
  public var wattsPerNode: Figure
  /// Whether the processors of the ranks copy what is sent.
  public var transfersTakeProcessor: Bool
  /// Standard deviation of a rank's time for a step, relative.
  public var straggling: Figure

  /// Every figure with its key.
  public var figures: [(key: String, figure: Figure)] {
    var all: [(key: String, figure: Figure)] = [
      ("ranksPerNode", ranksPerNode), ("memoryBytes", memoryBytes), ("programBytes", programBytes),
      ("memoryBytesPerSecond", memoryBytesPerSecond),
      ("memoryShareReached", memoryShareReached), ("launchSeconds", launchSeconds),
      ("reading.rankBytesPerSecond", reading.rankBytesPerSecond),
      ("reading.nodeBytesPerSecond", reading.nodeBytesPerSecond),
      ("reading.jobBytesPerSecond", reading.jobBytesPerSecond), ("frameSecondsPerByte", frameSecondsPerByte),
      ("wattsPerRank", wattsPerRank), ("wattsPerNode", wattsPerNode), ("straggling", straggling),
    ]
    for (key, link) in [("withinNode", withinNode), ("betweenNodes", betweenNodes)] {
      all += [
        ("\(key).bytesPerSecond", link.bytesPerSecond), ("\(key).shareReached", link.shareReached),
        ("\(key).latencySeconds", link.latencySeconds),
      ]
    }
    for (name, products) in precisions.sorted(by: { $0.key < $1.key }) {
      all += [
        ("precisions.\(name).peakFLOPsPerSecond", products.peakFLOPsPerSecond),
        ("precisions.\(name).shareReached", products.shareReached),
        ("precisions.\(name).halfSize", products.halfSize),
      ]
    }
    if let coresPerRank { all.append(("coresPerRank", coresPerRank)) }
    if let nodeBytesPerSecond { all.append(("nodeBytesPerSecond", nodeBytesPerSecond)) }
    return all
  }
}
