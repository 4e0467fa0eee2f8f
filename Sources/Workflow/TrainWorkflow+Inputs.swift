import Basics
import Checkpoints
import Communication
import Configuration
import Datasets
import Execution
import Models
import Stepping
import Tensors
import Training

/// The data of a training, and what follows from them before there is a model.
extension TrainWorkflow {
  struct Inputs {
    let dataset: FieldDataset
    let forcings: FieldDataset?
    /// The predicted fields and the forcings that are read, of which statistics are made.
    let all: FieldDataset
    /// Statistics from the file that the configuration names, if it names one.
    let given: DatasetStatistics?
    /// Memory for decoded fields, bytes.
    let cache: (rank: Int, dataset: Int)
    /// The configuration of the run that is resumed.
    let stored: RunConfiguration?
    let batches: Batches
    let plan: Plan
    let auxiliary: AuxiliaryFields
  }

  /// The numbers that fields are normalised with, and the data that they were made from.
  struct Statistics {
    let data: DataFingerprint
    let all: DatasetStatistics
    /// A sentence on statistics that the configuration names and that are of something else.
    let doubt: String?
    let normalization: Normalization
  }

  /// Opens the data, and checks all that can be checked before fields are read.
  ///
  /// - Returns: nil where nothing is left to do.
  func inputs(_ run: RunContext, from checkpoint: Checkpoint?) throws -> Inputs? {
    let (data, resources) = (configuration.data, run.resources)
    let cache = Assembly.cacheBytes(data, configuration.parallel, resources)
    let dataset = try Assembly.dataset(data, cacheBytes: cache.dataset, threads: resources.threads)
    let forcings = try Assembly.forcings(data, cacheBytes: cache.dataset, threads: resources.threads)
    StopSignal.willSave()
    if try StopSignal.cameToAny(of: run.world) { throw Interrupted() }
    try Agreement.check(facts(dataset), on: run.world)
    let instance = configuration.parallel.domain * configuration.parallel.tensor
    let replicas = max(1, run.world.size / instance)
    let stored = try checkpoint.flatMap(storedConfiguration)
    let batches = try batches(replicas: replicas, after: checkpoint, stored)
    let plan = try plan(
      dataset, forcings: forcings, replicas: replicas, localRanks: resources.localRanks,
      samplesPerUpdate: batches.samplesPerUpdate, checkpoint: checkpoint)
    if let graph = plan.graph { try Agreement.check([("graph", graph.digest)], on: run.world) }
    try checkMesh(plan.model)
    _ = try data.train.range("data.train")
    let all = try Assembly.withForcings(data, dataset, threads: resources.threads)
    let given = try Assembly.givenStatistics(data, all)
    if let checkpoint {
      try checkInitialWeights(since: stored)
      try checkInputs(checkpoint, dataset, forcings: forcings, samples: plan.sampler.count)
      if let note = checkpoint.note { console.say("note: \(note)") }
      for note in try Assembly.staticNotes(checkpoint.manifest, dataset) { console.say("note: \(note)") }
      if try isAtStop(checkpoint, totalUpdates: plan.totalUpdates) { return nil }
    }
    let auxiliary = try AuxiliaryFields(
      dataset, forcings: data.computedForcings, scaling: auxiliaryScaling(after: checkpoint))
    let warnings =
      try Periods.warnings(configuration.data, dataset) + LaterVerbs.warnings(configuration, dataset)
      + cutSettings(plan)
    for warning in warnings { console.say(warning) }
    return Inputs(
      dataset: dataset, forcings: forcings, all: all, given: given, cache: cache, stored: stored, batches: batches,
      plan: plan, auxiliary: auxiliary)
  }

  /// Takes the run folder for this training.
  func lockFolder(_ run: RunContext) throws -> OutputLock? {
    var lock: OutputLock?
    try run.world.together(onlyOn: 0) {
      try Files.createDirectory(folder.path)
      lock = try OutputLock(folder: folder.path)
      try folder.removeAbandoned()
    }
    return lock
  }

  /// The statistics given, those of the run, or new ones, the same on all ranks.
  func statistics(of inputs: Inputs, _ run: RunContext, _ checkpoint: Checkpoint?) throws -> Statistics {
    let data = try run.trace.measure(.phases, "fingerprint of the data") {
      try Agreement.data(
        Assembly.descriptions(configuration.data), looks: run.resources.isFirstOfMachine, on: run.world)
    }
    let statistics =
      try inputs.given ?? Assembly.ownStatistics(configuration, inputs.all, data, checkpoint?.manifest, run)
    try Agreement.check(facts(statistics), on: run.world)
    return Statistics(
      data: data, all: statistics,
      doubt: try inputs.given.flatMap { try Assembly.doubt(about: $0, configuration.data, inputs.all, data) },
      normalization: try Normalization(statistics, channels: inputs.dataset.channels, place: folder.statistics))
  }
}
