import Basics
import Distribution
import Planning

/// The answer of `jigsaw plan`: a layout, what it costs, and those that come next.
public struct PlanReport: Codable, JSONReport {
  public struct Machine: Codable, Sendable {
    public var name, summary, rank, precision: String
    public var isGPU: Bool
    public var ranksPerNode: Int
    public var memoryBytesPerRank: Int?
    public var peakFLOPsPerSecond: Double
    /// Keys of its description that are assumptions.
    public var assumptions: [String]

    init(_ machine: PlannedMachine) {
      name = machine.name
      summary = machine.summary
      rank = machine.rank
      precision = machine.precision
      isGPU = machine.isGPU
      ranksPerNode = machine.model.ranksPerNode
      memoryBytesPerRank = machine.memoryBytes
      peakFLOPsPerSecond = machine.model.peakFLOPsPerSecond
      assumptions = machine.assumptions
    }
  }

  public struct Phase: Codable, Sendable {
    public var name: String
    public var seconds: Double
  }

  /// Bytes that one rank holds when it holds most. `libraries` and `program` are held once by ranks that are threads of one process.
  public struct Memory: Codable, Sendable {
    public var weights, gradients, optimizer, activations, exchange, buckets, graph, frames, fields, reading: Int
    public var libraries, climatology, scores, output, program, total: Int
    /// "fits", "tight" (above nine tenths), "does not fit", "unknown".
    public var verdict: String

    init(_ memory: RankMemory, available: Int?) {
      (weights, gradients, optimizer) = (memory.weights, memory.gradients, memory.optimizer)
      (activations, exchange, buckets) = (memory.activations, memory.exchange, memory.buckets)
      (graph, frames, fields, reading) = (memory.graph, memory.frames, memory.fields, memory.reading)
      (libraries, climatology, scores, output) = (memory.libraries, memory.climatology, memory.scores, memory.output)
      (program, total) = (memory.program, memory.total)
      verdict =
        available.map {
          Double(memory.total) > 0.9 * Double($0) ? memory.total > $0 ? "does not fit" : "tight" : "fits"
        }
        ?? "unknown"
    }

    var parts: [(String, Int)] {
      [
        ("weights", weights), ("gradients", gradients), ("optimiser", optimizer), ("activations", activations),
        ("blocks on their way", exchange), ("gradient buckets", buckets), ("graph", graph), ("frames", frames),
        ("decoded fields", fields), ("reading", reading), ("file libraries", libraries), ("climatology", climatology),
        ("scores", scores), ("output", output), ("program", program),
      ]
    }
  }

  public struct Layout: Codable, Sendable {
    /// Replica × domain × tensor.
    public var mesh: String
    public var replica, domain, tensor: Int
    public var batch, accumulation, globalBatch: Int
    public var checkpointActivations, splitOptimizer: Bool
    public var memory: Memory
    public var secondsPerUpdate, samplesPerSecond, shareOfPeak: Double
    /// The waiting of the rank that waits longest, in an update.
    public var waitSeconds, readingWaitSeconds: Double
    public var phases: [Phase]
    /// The work of the rank that has most of each, in an update.
    public var productFLOPs, passBytes, bytesRead: Int
    /// By axis of the mesh.
    public var bytesSent: [String: Int]
    public var secondsPerEpoch: Double?
    /// The energy of all ranks and their share of the nodes under full load.
    public var kilowattHoursPerEpoch: Double?

    init(_ candidate: LayoutSearch.Candidate, _ machine: PlannedMachine, samplesPerEpoch: Int?) {
      let (layout, prediction) = (candidate.layout, candidate.prediction)
      mesh = layout.mesh.description
      (replica, domain, tensor) = (layout.mesh.replica, layout.mesh.domain, layout.mesh.tensor)
      (batch, accumulation, globalBatch) = (layout.batch, layout.accumulation, prediction.samples)
      checkpointActivations = layout.checkpointsActivations
      splitOptimizer = layout.splitsOptimizer
      memory = Memory(prediction.memory, available: machine.memoryBytes)
      secondsPerUpdate = prediction.seconds
      samplesPerSecond = candidate.samplesPerSecond
      shareOfPeak = Double(prediction.work.productFLOPs) / prediction.seconds / machine.model.peakFLOPsPerSecond
      waitSeconds = prediction.waitSeconds
      readingWaitSeconds = prediction.readingWaitSeconds
      phases = prediction.phases.map { Phase(name: $0.name, seconds: $0.seconds) }
      (productFLOPs, passBytes) = (prediction.work.productFLOPs, prediction.work.passBytes)
      bytesRead = prediction.work.bytesRead
      bytesSent = Dictionary(uniqueKeysWithValues: prediction.work.bytesSent.map { ($0.key.rawValue, $0.value) })
      secondsPerEpoch = samplesPerEpoch.map { Double($0) / candidate.samplesPerSecond }
      kilowattHoursPerEpoch = machine.watts.flatMap { watts in
        secondsPerEpoch.map { watts * Double(layout.mesh.count) * $0 / 3.6e6 }
      }
    }
  }

  public var format = "jigsaw-plan-1"
  public var version = jigsawVersion
  public var machine: Machine
  public var ranks: Int
  public var model: BenchStepReport.Model
  public var samplesPerEpoch: Int?
  /// Its memory is that of a training.
  public var best: Layout
  /// The memory of a forecast of the test period and of its evaluation, on as many ranks as `best`; nil where no data say which.
  public var forecastMemory, evaluationMemory: Memory?
  public var runnersUp: [Layout]
  public var reason: String
  /// Layouts that there are, and those that were simulated.
  public var considered, simulated: Int
}
