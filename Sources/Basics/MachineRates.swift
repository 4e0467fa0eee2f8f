import FoundationEssentials

#if canImport(Glibc)
  import Glibc
#endif

/// How fast a machine computes and moves memory, as `jigsaw bench machine` measured it: medians, FLOP/s (a fused multiply-add
/// counts two) and bytes/s. Stored as a file that trainings take their share of the peak from.
public struct MachineRates: Codable, Equatable, Sendable {
  /// The rate of one kind of unit.
  public struct Peak: Codable, Equatable, Sendable {
    /// The type of the operands: "fp32".
    public var type: String
    /// "fused multiply-add".
    public var unit: String
    public var threads: Int
    public var flopsPerSecond: Double

    public init(type: String, unit: String, threads: Int, flopsPerSecond: Double) {
      self.type = type
      self.unit = unit
      self.threads = threads
      self.flopsPerSecond = flopsPerSecond
    }
  }

  /// C [m, n] = A·B with sums over k.
  public struct Product: Codable, Equatable, Sendable {
    public var type: String
    public var m, n, k: Int
    /// "nn": as they are, "nt": B transposed, "tn": A transposed.
    public var operands: String
    public var threads: Int
    /// So many were computed at once, each with threads of its own; nil: one. The rate is that of one.
    public var copies: Int?
    public var flopsPerSecond: Double

    public init(
      type: String, m: Int, n: Int, k: Int, operands: String, threads: Int, copies: Int? = nil, flopsPerSecond: Double
    ) {
      self.type = type
      self.m = m
      self.n = n
      self.k = k
      self.operands = operands
      self.threads = threads
      self.copies = copies
      self.flopsPerSecond = flopsPerSecond
    }
  }

  /// Bytes read plus bytes written, without those that the processor reads only to write them.
  public struct Memory: Codable, Equatable, Sendable {
    /// "copy": y = x, "triad": y = x + a·z.
    public var operation: String
    /// Where the working set lies: "L1", "L2", "L3", "memory".
    public var level: String
    /// The working set of each thread, bytes.
    public var workingSetBytes: Int
    public var threads: Int
    /// Copies that run at once, as for GEMMs.
    public var copies: Int?
    public var bytesPerSecond: Double

    public init(
      operation: String, level: String, workingSetBytes: Int, threads: Int, copies: Int? = nil, bytesPerSecond: Double
    ) {
      self.operation = operation
      self.level = level
      self.workingSetBytes = workingSetBytes
      self.threads = threads
      self.copies = copies
      self.bytesPerSecond = bytesPerSecond
    }
  }

  /// Between the first rank and another one, alone.
  public struct Link: Codable, Equatable, Sendable {
    public var isOnSameHost: Bool
    /// The library or mechanism that carries the messages.
    public var carrier: String
    /// One way, of an empty message.
    public var latencySeconds: Double
    /// One way, of long messages.
    public var bytesPerSecond: Double

    public init(isOnSameHost: Bool, carrier: String, latencySeconds: Double, bytesPerSecond: Double) {
      self.isOnSameHost = isOnSameHost
      self.carrier = carrier
      self.latencySeconds = latencySeconds
      self.bytesPerSecond = bytesPerSecond
    }
  }

  /// GELU of numbers in the second cache.
  public struct Gelu: Codable, Equatable, Sendable {
    public var threads: Int
    public var numbersPerSecond: Double

    public init(threads: Int, numbersPerSecond: Double) {
      self.threads = threads
      self.numbersPerSecond = numbersPerSecond
    }
  }

  /// LayerNorm of rows in the second cache.
  public struct Norm: Codable, Equatable, Sendable {
    public var threads: Int
    /// Elements of a row.
    public var columns: Int
    public var numbersPerSecond: Double

    public init(threads: Int, columns: Int, numbersPerSecond: Double) {
      self.threads = threads
      self.columns = columns
      self.numbersPerSecond = numbersPerSecond
    }
  }

  /// A team of threads called and waited for, with nothing to do.
  public struct Call: Codable, Equatable, Sendable {
    public var threads: Int
    public var seconds: Double

    public init(threads: Int, seconds: Double) {
      self.threads = threads
      self.seconds = seconds
    }
  }

  public static let format = "jigsaw-machine-1"
  public var format = MachineRates.format
  /// Version of the program that measured, and the time of measurement, UTC.
  public var version = jigsawVersion
  public var measured: String
  public var host: String
  public var processor: String
  /// The instruction set of the kernels.
  public var kernels: String
  /// CPUs that the measuring process could use.
  public var cpus: Int
  /// Processors that others kept busy meanwhile; nil when unknown.
  public var otherLoad: Double?
  /// Memory of the whole machine, bytes; nil when unknown.
  public var memoryBytes: Int?
  public var peaks: [Peak] = []
  public var products: [Product] = []
  public var memory: [Memory] = []
  public var links: [Link] = []
  public var calls: [Call]?
  public var gelus: [Gelu]?
  public var norms: [Norm]?
  /// Resident memory of the program, bytes, before it measured anything, and after messages through a library of ranks.
  public var residentBytes, residentBytesWithRanks: Int?

  public init(measured: String, host: String, processor: String, kernels: String, cpus: Int) {
    self.measured = measured
    self.host = host
    self.processor = processor
    self.kernels = kernels
    self.cpus = cpus
  }

  /// The peak of fused multiply-adds of so many threads; nil when that was not measured.
  public func multiplyAddPeak(type: String = "fp32", threads: Int) -> Double? {
    peaks.first { $0.type == type && $0.unit == "fused multiply-add" && $0.threads == threads }?.flopsPerSecond
  }

  // MARK: The file

  /// `$XDG_CACHE_HOME/jigsaw/machine-HOST.json`, else below `~/.cache`; nil when there is neither.
  public static var standardPath: String? {
    func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
    let cache =
      variable("XDG_CACHE_HOME").flatMap { $0.hasPrefix("/") ? $0 : nil }
      ?? variable("HOME").flatMap { $0.hasPrefix("/") ? "\($0)/.cache" : nil }
    return cache.map { "\($0)/jigsaw/machine-\(Machine.hostName).json" }
  }

  /// - Throws: when the file can't be read or is of another kind.
  public init(file path: String) throws {
    let bytes = try Files.read(path)
    guard let rates = try? JSONDecoder().decode(MachineRates.self, from: Data(bytes)), rates.isSound else {
      throw JigsawError(
        path, "is not a description of a machine", expected: "what 'jigsaw bench machine' writes",
        remedy: "measure anew with 'jigsaw bench machine'")
    }
    self = rates
  }

  private var isSound: Bool {
    func isRate(_ value: Double) -> Bool { value.isFinite && value > 0 }
    return format == MachineRates.format && cpus > 0 && (memoryBytes ?? 1) > 0
      && products.allSatisfy { min($0.m, $0.n, $0.k, $0.threads, $0.copies ?? 1) > 0 }
      && memory.allSatisfy { min($0.workingSetBytes, $0.threads) > 0 }
      && (gelus ?? []).allSatisfy { isRate($0.numbersPerSecond) && $0.threads > 0 }
      && (norms ?? []).allSatisfy { isRate($0.numbersPerSecond) && min($0.threads, $0.columns) > 0 }
      && (calls ?? []).allSatisfy { isRate($0.seconds) && $0.threads > 0 }
      && peaks.allSatisfy { isRate($0.flopsPerSecond) }
      && products.allSatisfy { isRate($0.flopsPerSecond) } && memory.allSatisfy { isRate($0.bytesPerSecond) }
      && links.allSatisfy { isRate($0.bytesPerSecond) && isRate($0.latencySeconds) }
  }

  public func write(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    try Files.createDirectory(Files.parent(of: path))
    try Files.writeAtomically(Array(try encoder.encode(self)) + [10], to: path)
  }
}
