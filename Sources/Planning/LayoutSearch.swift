import Basics
import Distribution
import Models

/// Finds the layout that trains the most samples per second on a number of ranks, among those that fit into memory.
///
/// All meshes that divide the ranks are candidates, each with the optimiser whole and split, with activations
/// checkpointed only where they don't fit otherwise: computing again never pays for itself. Where there are few, all are
/// simulated, else those that formulas put first.
public struct LayoutSearch: Sendable {
  /// The training, whatever the layout.
  public struct Job: Sendable {
    public var model: any ForecastModel
    /// The layout of one instance, and what else is the same in all layouts; its mesh is not looked at.
    public var layout: Layout
    /// Samples of an update over all replicas, to be kept; nil: batch and accumulation are kept instead.
    public var globalBatch: Int?
    /// Bytes that an update may take on a rank, however much it has; nil: all that it has.
    public var mostBytes: Int?
    /// Whether as many frames are read ahead as memory allows, in place of the layout's.
    public var readsAhead = false
    /// Decoded fields that the ranks of an instance read again and again in a layout, bytes; nil: the layout's own.
    public var decodedBytes: (@Sendable (Layout) -> Int)?

    public init(model: any ForecastModel, layout: Layout) {
      self.model = model
      self.layout = layout
    }
  }

  /// A layout with what it was predicted to cost.
  public struct Candidate: Sendable {
    public var layout: Layout
    public var prediction: Prediction
    public var samplesPerSecond: Double { Double(prediction.samples) / prediction.seconds }
  }

  public struct Outcome: Sendable {
    /// Candidates that fit, the fastest first.
    public var fitting: [Candidate] = []
    /// Simulated ones that need more than there is, the smallest first.
    public var tooLarge: [Candidate] = []
    /// Layouts that there are, with and without checkpointing, and those that were simulated.
    public var considered = 0
    public var simulated = 0

    public init() {}
  }

  public let job: Job
  public let machine: PlannedMachine
  private let predictor: any Predictor
  /// Ranks of the largest instance that is simulated.
  public var largestInstance = 64
  /// Layouts simulated at most once one has been found that fits; few enough are all simulated.
  public var simulations = 24
  /// And ranks in all of these together, since a simulation takes the longer the more there are.
  public var simulatedRanks = 160

  public init(_ job: Job, on machine: PlannedMachine, _ predictor: any Predictor) {
    self.job = job
    self.machine = machine
    self.predictor = predictor
  }

  /// Memory of a rank beside the program itself, bytes; nil when unknown.
  private var freeBytes: Int? { machine.memoryBytes.map { max(0, $0 - machine.model.programBytes) } }

  public func fits(_ prediction: Prediction) -> Bool {
    let memory = prediction.memory
    return machine.memoryBytes.map { memory.total <= $0 } ?? true
      && job.mostBytes.map { memory.ofUpdate <= $0 } ?? true
  }

  /// The job's layout on a mesh: batch and accumulation follow from the global batch where that is kept.
  ///
  /// - Returns: nil if the replicas don't divide the global batch.
  public func layout(on mesh: Mesh) -> Layout? {
    var layout = job.layout
    layout.mesh = mesh
    if let globalBatch = job.globalBatch {
      guard globalBatch % mesh.replica == 0 else { return nil }
      let own = globalBatch / mesh.replica
      // The batch is as large as the job allows.
      layout.batch = (1...min(own, job.layout.batch)).last { own % $0 == 0 } ?? 1
      layout.accumulation = own / layout.batch
    }
    layout.framesHeld = framesHeld(layout)
    if let decodedBytes = job.decodedBytes { layout.decodedBytes = decodedBytes(layout) }
    return layout
  }

  /// The number of frames read ahead, as `Assembly.prefetch` chooses it: those in an eighth of a rank's memory, 2 to 16.
  private func framesHeld(_ layout: Layout) -> Int {
    guard job.readsAhead, layout.storedBytesPerFrame > 0 else { return layout.prefetch }
    let (form, mesh) = (job.model.form, layout.mesh)
    let frame = 4 * form.tokens * form.pointsPerToken / mesh.domain * form.variables / mesh.tensor * layout.batch
    return min(max((machine.memoryBytes ?? 16 << 30) / 8 / max(1, frame), 2), 16)
  }

  public func predict(_ layout: Layout) throws -> Candidate {
    Candidate(layout: layout, prediction: try predictor.predict(layout, on: machine.model))
  }

  /// All layouts of so many ranks without checkpointing.
  func layouts(ranks: Int) -> [Layout] {
    var layouts: [Layout] = []
    for instance in 1...min(ranks, largestInstance) where ranks % instance == 0 {
      for domain in 1...instance where instance % domain == 0 {
        let (replica, tensor) = (ranks / instance, instance / domain)
        guard domain <= job.model.form.tokens,
          tensor <= job.model.columnParts,
          var layout = layout(on: Mesh(replica: replica, domain: domain, tensor: tensor))
        else { continue }
        layout.checkpointsActivations = false
        for splits in replica > 1 ? [false, true] : [false] {
          layout.splitsOptimizer = splits
          layouts.append(layout)
        }
      }
    }
    return layouts
  }

  public func best(ranks: Int) throws -> Outcome {
    var outcome = Outcome()
    // Samples per second by formulas, likely ones and the most that there can be; equals stay in the order of the meshes.
    let promised = try layouts(ranks: ranks).map { layout in
      let estimate = try StepEstimate(layout, job.model, machine.model)
      let samples = Double(layout.mesh.replica * layout.batch * layout.accumulation)
      return (layout: layout, likely: samples / estimate.seconds, most: samples / estimate.leastSeconds)
    }.enumerated().sorted { ($1.element.likely, $0.offset) < ($0.element.likely, $1.offset) }.map(\.element)
    outcome.considered = 2 * promised.count
    let isExhaustive = promised.count <= simulations
    var spent = 0
    for (layout, _, most) in promised {
      let best = outcome.fitting.map(\.samplesPerSecond).max() ?? 0
      if !isExhaustive {
        if (outcome.simulated >= simulations || spent >= simulatedRanks) && best > 0 { break }
        // Rates of GEMMs that were not measured may be some percent off.
        if 1.05 * most < best { continue }
      }
      for checkpoints in [false, true] {
        var layout = layout
        layout.checkpointsActivations = checkpoints
        // Formulas leave out much: who needs more by them needs more.
        let least = try StepEstimate(layout, job.model, machine.model).memoryBytes
        if let free = freeBytes, Double(least) > 1.1 * Double(free) { continue }
        let candidate = try predict(layout)
        outcome.simulated += 1
        spent += layout.mesh.instance
        if fits(candidate.prediction) {
          outcome.fitting.append(candidate)
          break
        }
        outcome.tooLarge.append(candidate)
      }
    }
    outcome.fitting.sort { $0.samplesPerSecond > $1.samplesPerSecond }
    outcome.tooLarge.sort { $0.prediction.memory.total < $1.prediction.memory.total }
    return outcome
  }

  /// The smallest power of two times `ranks` at which a layout fits, with that layout; nil if none does up to `limit`, or
  /// among as many as are tried.
  public func smallestFitting(from ranks: Int, limit: Int = 65_536) throws -> Candidate? {
    if freeBytes == 0 { return nil }
    var (count, spent) = (ranks, 0)
    while count <= limit, spent < 10 * simulatedRanks {
      // The largest instances and split optimisers hold the least.
      let smallest = try layouts(ranks: count).map { layout in
        var layout = layout
        layout.checkpointsActivations = true
        return (layout: layout, bytes: try StepEstimate(layout, job.model, machine.model).memoryBytes)
      }.sorted { $0.bytes < $1.bytes }.prefix(4)
      for (layout, bytes) in smallest where freeBytes.map({ bytes <= $0 }) ?? true {
        spent += layout.mesh.instance
        let candidate = try predict(layout)
        if fits(candidate.prediction) { return candidate }
      }
      count *= 2
    }
    return nil
  }
}
