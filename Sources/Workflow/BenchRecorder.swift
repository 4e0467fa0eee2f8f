import Basics
import Communication
import Configuration
import Datasets
import Distribution
import Execution
import Models
import Tensors
import Training

/// Names of what a step consists of besides the phases of the model.
enum BenchPhase {
  static let reduction = TrainingUpdate.Phase.reduction.rawValue
  static let norm = TrainingUpdate.Phase.norm.rawValue
  static let optimizer = TrainingUpdate.Phase.optimizer.rawValue
  /// The time that no phase covers: forcings, static fields, whatever runs between phases.
  static let other = "other"

  /// The phases of a step whose model has these, in the order in which they run.
  static func names(_ parts: [StepPhase], isForecast: Bool) -> [String] {
    let forward = parts.map(\.forward)
    if isForecast { return forward }
    return forward + [StepPhase.loss.forward] + parts.reversed().map(\.backward) + [reduction, norm, optimizer]
  }
}

/// Sorts what a rank's trace says of steps by phases, and makes a report of it.
struct BenchRecorder {
  /// Seconds of one phase in one step.
  private struct Times {
    var all = 0.0
    var products = 0.0
    var waiting = 0.0
  }

  private let world: any Communicator
  private let batch: Int
  private let isForecast: Bool
  private let names: [String]
  private var losses: [Double] = []
  private var isMeasuring = false
  /// The seconds of each measured step.
  private var seconds: [Double] = []
  /// By phase, of each measured step.
  private var times: [[Times]]
  private var countersBefore: BufferPool.Counters
  private var faultsBefore = 0

  init(
    _ world: any Communicator, _ rank: ModelRank, _ model: any ForecastModel, batch: Int, isForecast: Bool
  ) {
    self.world = world
    self.batch = batch
    self.isForecast = isForecast
    names = BenchPhase.names(model.phases, isForecast: isForecast)
    times = names.map { _ in [] }
    countersBefore = rank.compute.pool.counters
  }

  /// From here on steps count.
  mutating func beginMeasuring() { isMeasuring = true }

  mutating func add(_ number: Int, loss: Double, _ spans: [Trace.Span], seconds: Double, _ rank: ModelRank) {
    losses.append(loss)
    guard isMeasuring else {
      // Memory that the first steps took from the system counts as theirs.
      countersBefore = rank.compute.pool.counters
      faultsBefore = Machine.pageFaults
      return
    }
    self.seconds.append(seconds)
    var found = [Times](repeating: Times(), count: names.count)
    let phases = spans.filter { $0.lane == .phases }.sorted { $0.start < $1.start }
    let indices = phases.map { names.firstIndex(of: $0.name) }
    for (phase, index) in zip(phases, indices) {
      if let index { found[index].all += phase.seconds }
    }
    for span in spans where span.lane == .compute || span.lane == .waiting {
      guard let position = phases.lastIndex(startingBy: span.start), span.start <= phases[position].end,
        let index = indices[position]
      else { continue }
      if span.lane == .waiting {
        found[index].waiting += span.seconds
      } else {
        found[index].products += span.seconds
      }
    }
    for index in names.indices { times[index].append(found[index]) }
  }

  /// Medians over the steps, of the slowest rank in each phase.
  ///
  /// - Parameter peak: of this rank, FLOP/s.
  func report(
    _ model: any ForecastModel, _ rank: ModelRank, _ configuration: RunConfiguration,
    _ description: ModelDescription, peak: Double
  ) throws -> BenchStepReport {
    let counters = rank.compute.pool.counters
    let steps = Double(seconds.count)
    var values = [median(seconds)]
    for phase in times {
      values += [\Times.all, \.products, \.waiting].map { part in median(phase.map { $0[keyPath: part] }) }
    }
    values += [
      Double(counters.allocations - countersBefore.allocations) / steps,
      Double(Machine.pageFaults - faultsBefore) / steps, Double(Machine.peakResidentMemory),
      Double(counters.peakBytesInUse),
    ]
    values = try world.allReduce(values, .maximum)
    let costs = try StepCosts(model, rank, batch: batch, averages: configuration.training.averageDecay > 0, isForecast)
    var phases = names.indices.map { index in
      let part = Array(values[1 + 3 * index..<4 + 3 * index])
      let cost = costs[names[index]]
      return BenchStepReport.Phase(
        name: names[index], seconds: part[0], productSeconds: part[1], waitSeconds: part[2], flops: cost.flops,
        bytes: cost.elements * MemoryLayout<Float>.size)
    }
    let rest = max(0, values[0] - phases.reduce(0) { $0 + $1.seconds })
    phases.append(BenchStepReport.Phase(name: BenchPhase.other, seconds: rest))
    let last = Array(values.suffix(4))
    return BenchStepReport(
      kind: isForecast ? "forecast" : "training", version: jigsawVersion, host: Machine.hostName,
      processor: Machine.processorName, kernels: Compute.kernelSet, products: rank.compute.backend.name,
      ranks: world.size, threads: rank.compute.team.count, mesh: "\(rank.context.mesh)",
      model: BenchStepReport.Model(model, description),
      samplesPerStep: batch * rank.context.mesh.replica, steps: seconds.count, secondsPerStep: values[0],
      ownSeconds: seconds, peakFLOPsPerSecond: try world.allReduce([peak])[0], phases: phases,
      losses: isForecast ? [] : losses, poolAllocationsPerStep: last[0], pageFaultsPerStep: last[1],
      peakResidentBytes: Int(last[2]), peakPoolBytes: Int(last[3]))
  }
}

extension [Trace.Span] {
  /// The last of spans, in the order of their starts, that started by `time`.
  fileprivate func lastIndex(startingBy time: Double) -> Int? {
    var (lower, upper) = (0, count)
    while lower < upper {
      let middle = (lower + upper) / 2
      if self[middle].start <= time { lower = middle + 1 } else { upper = middle }
    }
    return lower > 0 ? lower - 1 : nil
  }
}

/// The costs of the phases of a step on all ranks together, counted by a dry run.
private struct StepCosts {
  private var costs: [String: Work] = [:]

  init(_ model: any ForecastModel, _ rank: ModelRank, batch: Int, averages: Bool, _ isForecast: Bool) throws {
    let counting = CountingOperations(model.parameters)
    try model.dryStep(counting, batch: batch)
    let replicas = rank.context.mesh.replica
    func set(_ name: String, _ cost: Work?) {
      costs[name] = Work(
        flops: replicas * (cost?.flops ?? 0), elements: replicas * (cost?.elements ?? 0))
    }
    for phase in model.phases {
      set(phase.forward, counting.forward[phase])
      set(phase.backward, counting.backward[phase])
    }
    let (form, count) = (model.form, model.parameters.elementCount)
    // Prediction and target are read, the gradient is written.
    set(
      StepPhase.loss.forward,
      .init(elements: 3 * batch * form.tokens * form.pointsPerToken * form.variables))
    set(BenchPhase.norm, .init(elements: count))
    // Weight, two moments and the average are read and written, the gradient is read and cleared.
    set(BenchPhase.optimizer, .init(elements: count * (averages ? 10 : 8)))
  }

  subscript(name: String) -> Work { costs[name] ?? Work() }
}
