import Basics
import Configuration
import Distribution
import Execution
import Models
import Planning
import Tensors

/// The way in which a model is computed so that an update takes no more memory than its settings allow (`model.memoryGiB`).
struct MemoryFit {
  let description: ModelDescription
  let checkpointsActivations: Bool
  /// The choice in words; nil where there was nothing to choose.
  let sentence: String?
  /// That each rank may take; nil: any.
  let mostBytes: Int?

  /// - Parameters:
  ///   - description: with its graph.
  ///   - machine: that it is to run on; nil: this one, with so many threads of each rank.
  /// - Throws: when no way takes so little.
  init(
    _ description: ModelDescription, _ configuration: RunConfiguration, _ mesh: Mesh, batch: Int, threads: Int,
    machine: MachineModel? = nil
  ) throws {
    let configured = configuration.training.checkpointActivations
    guard let limitGiB = description.settings.memoryGiB else {
      (self.description, checkpointsActivations, sentence, mostBytes) = (description, configured, nil, nil)
      return
    }
    let limit = Int(limitGiB * Double(1 << 30))
    let fields = description.fields
    var layout = MemoryFit.layout(configuration, mesh)
    layout.batch = batch
    let machine = try machine ?? MemoryFit.machine(threads: threads, configuration)
    func bytes(_ settings: any ModelSettings, checkpoints: Bool) throws -> Int {
      var layout = layout
      layout.checkpointsActivations = checkpoints
      let simulator = try TrainingSimulator(
        ModelDescription(settings, fields), rollout: configuration.training.rollout.kind,
        storedStates: configuration.training.rollout.storedStates)
      return try simulator.predict(layout, on: machine).memory.ofUpdate
    }
    let ways: [any ModelSettings] = description.settings.waysToCompute(
      points: fields.gridRows * fields.gridColumns, ranks: mesh.instance)
    var tried: [(settings: any ModelSettings, checkpoints: Bool, bytes: Int)] = []
    func tries(_ settings: any ModelSettings, checkpoints: Bool) throws -> Bool {
      tried.append((settings, checkpoints, try bytes(settings, checkpoints: checkpoints)))
      return tried[tried.count - 1].bytes <= limit
    }
    var fits = try ways.first.map { try !configured && tries($0, checkpoints: false) } ?? false
    // Where the last way takes too much, all do.
    if !fits, let least = ways.last, try tries(least, checkpoints: true) {
      for way in ways where !fits { fits = try tries(way, checkpoints: true) }
    }
    guard fits, let found = tried.last else {
      let least = tried.map(\.bytes).min() ?? 0
      throw JigsawError(
        "model.memoryGiB", "is less than an update takes, in whatever chunks",
        expected: "at least \(significant(Double(least) / Double(1 << 30), 3))", found: significant(limitGiB),
        remedy: "raise it, or make the model or training.batchSize smaller")
    }
    self.description = ModelDescription(found.settings, description.fields)
    checkpointsActivations = found.checkpoints
    mostBytes = limit
    sentence =
      "model.memoryGiB \(significant(limitGiB)): \(found.settings.computation)"
      + (found.checkpoints ? ", blocks checkpointed" : "")
      + "; an update takes \(significant(Double(found.bytes) / Double(1 << 30), 3)) GiB"
  }

  /// The settings that decide how much memory an update of a training takes; nothing is read.
  private static func layout(_ configuration: RunConfiguration, _ mesh: Mesh) -> Layout {
    let training = configuration.training
    var layout = Layout(mesh: mesh)
    layout.accumulation = training.accumulation
    layout.rolloutSteps = training.rollout.stages.map(\.steps).max() ?? 1
    layout.averagesWeights = training.averageDecay > 0
    layout.overlaps = configuration.parallel.overlap
    layout.splitsOptimizer = configuration.parallel.splitOptimizer
    return layout
  }

  /// How fast it is does not matter.
  private static func machine(threads: Int, _ configuration: RunConfiguration) throws -> MachineModel {
    let precision = configuration.precision
    let link = MachineModel.Link(latencySeconds: 0, bytesPerSecond: .infinity)
    var machine = MachineModel(
      productSeconds: { _ in 0 }, passSeconds: { _ in 0 }, peakFLOPsPerSecond: 1, ranksPerNode: 1 << 20,
      withinNode: link, betweenNodes: link)
    machine.threads = threads
    machine.productScratchBytes = { precision.productScratchBytes(m: $0.m, n: $0.n, k: $0.k) }
    machine.activationType = try configuration.precision.products().backend.activationType
    return machine
  }
}
