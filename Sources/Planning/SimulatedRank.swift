import Basics
import Checkpoints
import Communication
import Datasets
import Distribution
import Execution
import Geometry
import Models
import Stepping
import Tensors
import Training

/// The report of a simulated rank on its last update.
struct RankReport: Sendable {
  /// When the update before ended, and this one.
  var start = 0.0
  var end = 0.0
  var waitSeconds = 0.0
  var readingWaitSeconds = 0.0
  var phases: [TrainingUpdate.Phase: Double] = [:]
  var work = Prediction.Work()
  /// Messages sent along each axis.
  var messagesSent: [MeshAxis: Int] = [:]
  var memory = RankMemory()
  /// Counters of the pool, since the start.
  var pool: BufferPool.Counters?
}

/// One rank of a simulated training.
final class SimulatedRank {
  private let own: VirtualRank
  private let layout: Layout
  private let machine: MachineModel
  private let simulator: TrainingSimulator
  private let rank: ModelRank
  private let optimizer: Optimizer
  private let training: TrainingUpdate
  private let stepper: Stepper
  private let loader: VirtualLoader?
  /// Used again and again where nothing is read.
  private let frames: [Frame]
  private let trace: Trace
  private let isTraced: Bool
  private(set) var report = RankReport()

  init(_ simulator: TrainingSimulator, _ world: VirtualWorld, _ own: VirtualRank, _ layout: Layout) throws {
    self.own = own
    self.layout = layout
    self.simulator = simulator
    isTraced = world.isTraced
    machine = world.machine
    let trace = Trace(origin: 0) { own.clock }
    self.trace = trace
    let context = try world.context(own, CommunicationPolicy(overlaps: layout.overlaps), trace: trace)
    // The phases of an update are always wanted; those of the model take time to note.
    let rank = try simulator.makeRank(
      context,
      Compute(
        threads: machine.threads, activationType: machine.activationType, pool: BufferPool(on: DryDevice(own)),
        trace: isTraced ? trace : nil), layout)
    self.rank = rank
    let reduction = GradientReduction(rank, splitsOptimizer: layout.splitsOptimizer)
    var options = OptimizerOptions()
    options.averageDecay = layout.averagesWeights ? 0.999 : 0
    optimizer = Optimizer(rank.parameters, rank.compute, options, shard: reduction.shard)
    let runner = simulator.makeRunner(rank)
    stepper = runner.stepper
    training = TrainingUpdate(runner, optimizer, reduction)
    context.linkEstimate = LinkEstimate(bytesPerSecond: world.neighbourBytesPerSecond, peak: machine.peakFLOPsPerSecond)
    if layout.storedBytesPerFrame > 0 {
      loader = VirtualLoader(
        own, rank, machine, layout, simulator.tiling, fields: simulator.description.fields.variables)
      frames = []
    } else {
      loader = nil
      let shape = [
        runner.block.tokens.count, layout.batch, simulator.tiling.pointsPerToken * runner.block.fields.count,
      ]
      let times = Array(repeating: Timestamp(seconds: 0), count: layout.batch)
      frames = (0..<2).map { _ in Frame(state: rank.compute.zeros(shape), times: times) }
    }
  }

  /// The parts of a run that are not timed, for their memory, which stays. A validation has one sample at a time.
  func restOfRun(after updates: Int) throws {
    if layout.longestRollout > layout.rolloutSteps { try longestUpdate(updates) }
    if layout.validates { try stepper.rollOutDry(batch: 1) }
    report.pool = rank.compute.pool.counters
    report.memory = memory
  }

  /// An update with the longest rollout of the run.
  private func longestUpdate(_ number: Int) throws {
    var longest = layout
    longest.rolloutSteps = layout.longestRollout
    let sums = try training.gradients(number, simulator.plan(longest)) { [self] in
      try loader?.next() ?? frames[1]
    }
    try training.apply(number, learningRate: 1e-4, sums)
  }

  func update(_ number: Int) throws {
    if !isTraced { _ = trace.takeSpans() }
    let before = totals
    report.start = report.end
    var isFirst = true
    let sums = try training.gradients(number, simulator.plan(layout)) { [self] in
      defer { isFirst = false }
      return try loader?.next() ?? frames[isFirst ? 0 : 1]
    }
    try training.apply(number, learningRate: 1e-4, sums)
    report.end = own.clock
    note(since: before)
  }

  func writeTrace(_ folder: String) throws {
    try Files.createDirectory(folder)
    try trace.write(to: "\(folder)/rank-\(own.index).json", rank: own.index)
  }

  // MARK: What it cost

  /// Since the start.
  private struct Totals {
    var traffic: [MeshAxis: Traffic]
    var waitSeconds, readingWaitSeconds: Double
    var productFLOPs, passBytes, bytesRead: Int
  }

  private var totals: Totals {
    let context = rank.context
    return Totals(
      traffic: [
        .replica: context.replica.traffic, .domain: context.domain.traffic, .tensor: context.tensor.traffic,
      ], waitSeconds: context.traffic.waitSeconds, readingWaitSeconds: loader?.waitSeconds ?? 0,
      productFLOPs: own.productFLOPs, passBytes: own.passBytes, bytesRead: loader?.bytesRead ?? 0)
  }

  private func note(since before: Totals) {
    let now = totals
    report.waitSeconds = now.waitSeconds - before.waitSeconds
    report.readingWaitSeconds = now.readingWaitSeconds - before.readingWaitSeconds
    report.work.productFLOPs = now.productFLOPs - before.productFLOPs
    report.work.passBytes = now.passBytes - before.passBytes
    report.work.bytesRead = now.bytesRead - before.bytesRead
    for axis in MeshAxis.allCases {
      let (now, before) = (now.traffic[axis] ?? Traffic(), before.traffic[axis] ?? Traffic())
      report.work.bytesSent[axis] = now.bytesSent - before.bytesSent
      report.messagesSent[axis] = now.messagesSent - before.messagesSent
    }
    if !isTraced {
      report.phases = [:]
      for span in trace.takeSpans() {
        guard let phase = TrainingUpdate.Phase(rawValue: span.name) else { continue }
        report.phases[phase, default: 0] += span.seconds
      }
    }
    report.pool = rank.compute.pool.counters
    report.memory = memory
  }

  /// The memory of the rank at the end of an update, which is that of its peak: pools keep what they have.
  private var memory: RankMemory {
    var memory = RankMemory(rank, own, simulator.graphBytes(rank), machine, layout.surroundings)
    let (tiling, fields) = (simulator.tiling, simulator.description.fields)
    memory.gradients = rank.parameters.gradients.byteCount
    memory.optimizer =
      optimizer.state.moment1.byteCount + optimizer.state.moment2.byteCount
      + (optimizer.state.average?.byteCount ?? 0)
    memory.buckets = rank.compute.pool.counters[.buckets]
    // Whole on every rank: static fields and the weights of the loss; planes of the local fields are made for each step.
    let statics = (fields.auxiliaries + 1) * tiling.fieldSize
    let planes =
      rank.fields(fields.auxiliaries).count * tiling.rows(rank.tokens(tiling.tokens)).count * tiling.columns
      * min(machine.threads, layout.batch)
    memory.frames +=
      frames.reduce(0) { $0 + $1.state.byteCount } + (statics + planes) * ElementType.float32.byteCount
    let frame =
      rank.tokens(tiling.tokens).count * tiling.pointsPerToken * rank.fields(fields.variables).count * layout.batch
    // Ranks that share the reading hold the planes of a frame, and what they send and receive of it.
    let (ranks, own) = (layout.mesh.instance, frame * ElementType.float32.byteCount)
    let ahead = ranks > 1 ? own + 2 * own * (ranks - 1) / ranks : own
    memory.frames += max(0, layout.framesHeld - layout.prefetch) * ahead
    memory.fields = min(layout.decodedBytes / layout.mesh.instance, layout.decodedBytesLimit)
    return memory
  }
}

extension RankMemory {
  /// The memory that a simulated rank of a training and one of a forecast have alike.
  /// - Parameter graph: bytes of the model's graph.
  init(
    _ rank: ModelRank, _ own: VirtualRank, _ graph: Int, _ machine: MachineModel, _ surroundings: RunSurroundings
  ) {
    self.init()
    let pool = rank.compute.pool.counters
    weights = rank.parameters.values.byteCount
    activations = pool[.activations]
    exchange = pool[.exchange]
    frames = pool[.frames]
    reading = surroundings.reading
    libraries = surroundings.libraries
    self.graph = graph
    program = machine.programBytes + surroundings.program + machine.threads * own.scratchBytes.reduce(0, +)
  }
}

extension VirtualWorld {
  /// The rate that `RankContext.measureLinkRate` would find: all ranks send to their neighbours at once.
  var neighbourBytesPerSecond: Double {
    if mesh.count == 1 { return .infinity }
    let link = mesh.count > machine.ranksPerNode ? machine.betweenNodes : machine.withinNode
    let bytes = Double(1 << 22)
    // One of the ranks of a node sends to another node, and one receives from another.
    return min(bytes / (link.latencySeconds + bytes / link.bytesPerSecond), machine.nodeBytesPerSecond ?? .infinity)
  }
}

extension Prediction {
  /// - Parameter reports: of all simulated ranks.
  init(_ reports: [RankReport], samples: Int) {
    func most<T: Comparable>(_ value: (RankReport) -> T) -> T {
      guard let most = reports.map(value).max() else { preconditionFailure("a simulation without ranks") }
      return most
    }
    var work = Work()
    work.productFLOPs = most(\.work.productFLOPs)
    work.passBytes = most(\.work.passBytes)
    work.bytesRead = most(\.work.bytesRead)
    for axis in MeshAxis.allCases { work.bytesSent[axis] = most { $0.work.bytesSent[axis] ?? 0 } }
    // The slowest waits least.
    let slowest = reports.min { $0.waitSeconds < $1.waitSeconds }?.phases ?? [:]
    let largest = reports.map(\.memory).max { $0.total < $1.total } ?? RankMemory()
    self.init(
      seconds: most(\.end) - most(\.start), waitSeconds: most(\.waitSeconds),
      readingWaitSeconds: most(\.readingWaitSeconds),
      phases: TrainingUpdate.Phase.allCases.map { ($0.rawValue, slowest[$0] ?? 0) }, memory: largest, work: work,
      samples: samples)
  }
}
