import Basics
import Communication
import Configuration
import Datasets
import Distribution
import Execution
import Models
import Stepping
import Tensors
import Training

/// `jigsaw train` and `jigsaw resume`: from a configuration to a run folder with checkpoints and metrics. All ranks run it;
/// the first one writes what is not a checkpoint.
public struct TrainWorkflow {
  let configuration: RunConfiguration
  let console: Console
  let folder: RunFolder
  /// Ends after this many updates in all, as if interrupted; for staged runs and tests.
  let stopAfter: Int?
  let world: any Communicator
  /// Folder for the ranks' traces, if they are wanted.
  let traceFolder: String?

  public init(
    _ configuration: RunConfiguration, on world: any Communicator = SingleRank(), stopAfter: Int? = nil,
    traceFolder: String? = nil, console: Console = Console()
  ) {
    self.traceFolder = traceFolder
    world.manner.overlaps = configuration.parallel.overlap
    self.configuration = configuration
    self.world = world
    self.console = world.rank == 0 ? console : .silent
    self.stopAfter = stopAfter
    folder = RunFolder(configuration.run)
  }

  /// Starts a new run. A folder that already holds checkpoints is refused unless `overwrites`, or gone on with if the
  /// configuration says `resume: auto`.
  public func start(overwrites: Bool = false) throws {
    try Agreement.check(
      "train", configuration, [stopFact, ("--overwrite", overwrites ? "yes" : "no")], on: world)
    try recover()
    let checkpoints = folder.checkpoints()
    let isThere = try !checkpoints.isEmpty
    if !overwrites, configuration.resume == .auto {
      if try !checkpoints.numbered().isEmpty { return try goOn() }
      // What was killed before its first checkpoint begins anew; what had one doesn't.
      if try isThere || hasSaved() {
        throw JigsawError(
          folder.path, "holds a trained run but no checkpoint to go on from",
          remedy: "bring its checkpoints back, choose another folder with --set run=…, or begin anew with --overwrite")
      }
    }
    if isThere && !overwrites {
      throw JigsawError(
        folder.path, "already holds a trained run",
        remedy:
          "go on with 'jigsaw resume \(folder.path)' or --set resume=auto, choose another folder with --set run=…, or pass --overwrite"
      )
    }
    try start(replacing: isThere)
  }

  /// A new run; if it fails before it has a checkpoint, one that it was to replace comes back.
  private func start(replacing: Bool) throws {
    do { try run(from: nil, replacing: replacing) } catch {
      if replacing && world.rank == 0 {
        do { try folder.recover() } catch { console.say("error: \(error)") }
      }
      throw error
    }
  }

  private func recover() throws { try world.together(onlyOn: 0) { try folder.recover() } }

  /// Goes on from the newest checkpoint, bit by bit as if never stopped.
  public func resume() throws {
    try Agreement.check("resume", configuration, [stopFact], on: world)
    try recover()
    try goOn()
  }

  private var stopFact: Agreement.Fact { ("--stop-after", stopAfter.map(String.init) ?? "none") }

  /// Whether a training in this folder has ever saved a checkpoint, by its log.
  private func hasSaved() throws -> Bool {
    try Files.exists(folder.log) && Files.readText(folder.log).contains("/checkpoints/\(CheckpointFolder.prefix)")
  }

  private func goOn() throws {
    guard let checkpoint = try folder.checkpoints().newest() else {
      throw JigsawError(
        folder.path, "holds no checkpoint to go on from", remedy: "start with 'jigsaw train'")
    }
    try run(from: checkpoint)
  }

  private func entries(_ dataset: FieldDataset, _ statistics: DatasetStatistics) -> [CheckpointManifest.ChannelEntry] {
    dataset.channels.map {
      CheckpointManifest.ChannelEntry(
        channel: $0, units: dataset.units(of: $0), statistics: statistics.channels[$0.name]!)
    }
  }

  /// - Parameter replacing: whether an earlier run goes, once everything has been checked that can be.
  private func run(from checkpoint: Checkpoint?, replacing: Bool = false) throws {
    try Agreement.check(
      [("checkpoint", checkpoint.map { "\($0.path), \($0.manifest.identity.summary)" } ?? "none")], on: world)
    _ = try StopSignal.unlessStopped("before the first update", on: world, console) {
      try train(from: checkpoint, replacing: replacing)
    }
  }

  private func train(from checkpoint: Checkpoint?, replacing: Bool) throws {
    let settings = configuration.training
    if traceFolder != nil {
      // One zero for all ranks of a machine: their clock is the same.
      let zero = try world.allReduce([monotonicSeconds()], .minimum)[0]
      world.manner.trace = Trace(origin: zero)
    }
    let resources = try RankResources(world, threads: configuration.threads)
    let cache = Ingredients.cacheBytes(configuration.data, configuration.parallel, resources)
    let dataset = try Ingredients.dataset(
      configuration.data, cacheBytes: cache.dataset, threads: resources.threads)
    let forcings = try Ingredients.forcings(
      configuration.data, cacheBytes: cache.dataset, threads: resources.threads)
    StopSignal.willSave()
    if try StopSignal.cameToAny(of: world) { throw Interrupted() }
    try Agreement.check(facts(dataset), on: world)
    let instance = configuration.parallel.domain * configuration.parallel.tensor
    let replicas = max(1, world.size / instance)
    let stored = checkpoint == nil ? nil : try storedConfiguration()
    let batches = try batches(replicas: replicas, after: checkpoint, stored)
    let plan = try plan(
      dataset, forcings: forcings, replicas: replicas, localRanks: resources.localRanks,
      samplesPerUpdate: batches.samplesPerUpdate,
      checkpoint: checkpoint)
    if let graph = plan.graph { try Agreement.check([("graph", graph.digest)], on: world) }
    try checkMesh(plan.model)
    let (trainStart, trainEnd) = try configuration.data.train.range("data.train")
    let seed = UInt64(configuration.seed)
    let all = try Ingredients.withForcings(configuration.data, dataset, threads: resources.threads)
    let given = try Ingredients.givenStatistics(configuration.data, all)
    if let checkpoint {
      try checkInitialWeights(since: stored)
      try checkInputs(checkpoint, dataset, forcings: forcings, samples: plan.sampler.count)
      if let note = checkpoint.note { console.say("note: \(note)") }
      if try isAtStop(checkpoint, totalUpdates: plan.totalUpdates) { return }
    }
    let auxiliary = try AuxiliaryFields(
      dataset, forcings: configuration.data.computedForcings, scaling: auxiliaryScaling(after: checkpoint))
    for warning in try Periods.warnings(configuration.data, dataset) { console.say(warning) }

    var lock: OutputLock?
    defer { withExtendedLifetime(lock) {} }
    try world.together(onlyOn: 0) {
      try Files.createDirectory(folder.path)
      lock = try OutputLock(folder: folder.path)
    }
    let data = try Agreement.data(
      Ingredients.descriptions(configuration.data), looks: resources.isFirstOfMachine, on: world)
    let statistics =
      try given ?? Ingredients.ownStatistics(configuration, all, data, on: world, checkpoint?.manifest, console)
    try Agreement.check(facts(statistics), on: world)
    let normalization = try Normalization(statistics, channels: dataset.channels, place: folder.statistics)
    var description = try Ingredients.description(
      configuration, dataset, forcings: forcings, tendencyScale: normalization.tendencyScale)
    description.fields.graph = plan.graph
    description.fields.scaling = Ingredients.scaling(dataset.channels, normalization)
    let tiling = try description.tiling()
    let model = try description.makeModel()
    let base = Machine.residentMemory
    let products = try configuration.precision.products()
    if let warning = products.warning { console.say("warning: \(warning)") }
    let rank = try Ingredients.rank(
      configuration.parallel, model, batch: batches.batchSize, world, resources, products: products.backend,
      trains: true)
    let (compute, mesh) = (rank.compute, rank.context.mesh)
    let reduction = GradientReduction(rank, splitsOptimizer: configuration.parallel.splitOptimizer)
    let optimizer = Optimizer(rank.parameters, compute, plan.optimizer, owned: reduction.owned)
    var manifest = CheckpointManifest(
      version: jigsawVersion, model: description, parameterCount: model.parameters.elementCount, grid: dataset.grid,
      stepHours: configuration.data.stepHours,
      channels: entries(dataset, statistics), staticFields: configuration.data.staticFields,
      forcings: configuration.data.computedForcings,
      trainingStart: trainStart.description, trainingEnd: trainEnd.description, optimizer: plan.optimizer,
      progress: CheckpointManifest.Progress(
        update: 0, samples: 0, samplesPerEpoch: plan.sampler.count, seed: seed))
    manifest.precision = configuration.precision.rawValue
    manifest.imputed = Ingredients.imputationSignatures(dataset, forcings)
    manifest.boundary = dataset.boundarySignature
    manifest.readForcings = forcings.map { entries($0, statistics) }
    manifest.data = data
    manifest.auxiliaryScaling = auxiliary.scaling
    manifest.imported = checkpoint?.manifest.imported

    let checkpoints = folder.checkpoints(keep: settings.checkpoint.keep)
    var initialWeights: InitialWeights?
    if let checkpoint {
      manifest.initialWeights = checkpoint.manifest.initialWeights
      try checkStatistics(checkpoint, manifest)
      try checkpoint.load(.current, into: rank)
      try checkpoint.load(into: optimizer, rank)
    } else {
      manifest.progress.bestMeasure = TrainWorkflow.measure(configuration)
      rank.initialize(seed: seed)
      initialWeights = try takeInitialWeights(into: rank, manifest)
      manifest.initialWeights = initialWeights?.origin
      optimizer.startAverage()
    }
    let began = Machine.unixSeconds
    // From here on the run's files are written to: all has been checked that can be.
    try world.together(onlyOn: 0) {
      if replacing { try folder.setAside() }
      try console.attachLog(folder.log)
      try Ingredients.save(statistics, to: folder.statistics)
      // Settings given when it goes on are those of the run from now on.
      try Files.writeAtomically(withoutUserInformation(configuration.yaml(comments: true)), to: folder.configuration)
      try Files.writeAtomically(
        try Provenance(threads: compute.team.count, products: compute.backend.name).json(
          started: Timestamp(seconds: Int64(began))),
        to: folder.provenance)
    }
    if let initialWeights { introduce(initialWeights, manifest) }
    if let checkpoint {
      let fresh = manifest.progress
      manifest.progress = try progress(checkpoint.manifest.progress, stored)
      if manifest.progress.samples == 0 {
        (manifest.progress.samplesPerEpoch, manifest.progress.seed) = (fresh.samplesPerEpoch, fresh.seed)
      }
      try sayChanges(since: stored, plan, batches, at: manifest.progress.update)
    }

    rank.checkpointsActivations = settings.checkpointActivations
    let runner = StepRunner(
      Stepper(
        model: model, fields: description.fields, rank: rank, auxiliary: auxiliary, tiling: tiling,
        stepHours: configuration.data.stepHours, boundary: dataset.boundary),
      weights: try Ingredients.lossWeights(configuration, dataset, tiling, normalization),
      kind: settings.loss.kind.pointwise(delta: settings.loss.huberDelta),
      slots: settings.rollout.storedStates, unpredictedCount: dataset.unpredictedCount)
    let flops = try model.forwardFLOPs
    let ownPeak = Ingredients.multiplyAddPeak(compute, processors: resources.processors, console)
    let peak = try world.allReduce([ownPeak])[0]
    let prefetch =
      try settings.prefetch
      ?? Ingredients.prefetch(
        rank, tiling: tiling, fields: dataset.channels.count, batch: batches.batchSize, resources)
    let trainer = Trainer(
      runner: runner, optimizer: optimizer, reduction: reduction,
      samples: Trainer.Samples(
        Ingredients.reader(dataset, normalization, tiling, rank, cacheBytes: cache.rank),
        forcings: try forcings.map {
          Ingredients.forcingReader(
            $0, try Normalization(statistics, channels: $0.channels, place: folder.statistics), tiling, rank,
            auxiliaries: description.fields.auxiliaries, cacheBytes: cache.rank)
        }, training: plan.sampler, validation: plan.validationSampler),
      options: Trainer.Options(
        totalUpdates: plan.totalUpdates, batchSize: batches.batchSize, accumulation: batches.accumulation, seed: seed,
        rollout: plan.rollout, schedule: plan.schedule,
        validateEvery: settings.validation.every, checkpointEvery: settings.checkpoint.every,
        validationSamples: settings.validation.samples,
        validationSteps: settings.validation.steps, prefetch: prefetch,
        rollsLongitudes: settings.rollLongitudes),
      forwardFLOPsPerSample: flops, progress: manifest.progress)

    introduce(model, dataset, rank, flops: flops, peak: peak, samples: plan.sampler.count, checkpoint)
    let firstUpdate = manifest.progress.update
    if firstUpdate >= plan.totalUpdates {
      console.say(
        "nothing to do: update \(firstUpdate) of \(plan.totalUpdates) is reached; raise training.updates or epochs to go on"
      )
    }
    var hooks = Trainer.Hooks()
    var display: TrainingDisplay?
    try world.together(onlyOn: 0) {
      display = try TrainingDisplay(
        folder, console, channels: dataset.channels, firstUpdate: firstUpdate, totalUpdates: plan.totalUpdates,
        rollout: plan.rollout, seed: seed, peakFLOPPerSecond: peak, unixSeconds: began)
    }
    if let display {
      hooks.updated = display.updated
      hooks.validated = display.validated
    }
    var hasCheckpoint = checkpoint != nil
    hooks.checkpoint = { progress, isBest in
      manifest.progress = progress
      // A run that has a best checkpoint has one to go on from, too.
      if !isBest || !hasCheckpoint {
        hasCheckpoint = true
        try checkpoints.write(manifest, rank, optimizer: optimizer)
        console.say("saved \(checkpoints.path)/\(CheckpointFolder.name(update: progress.update))")
      }
      if isBest {
        try checkpoints.writeBest(manifest, rank, optimizer: optimizer)
      }
      if replacing { try world.together(onlyOn: 0) { try folder.removeAside() } }
    }
    hooks.shouldStop = { update in update == stopAfter || StopSignal.current != nil }
    let linkRate = try rank.context.measurePace(peak: ownPeak)
    let traffic = rank.context.traffic
    let started = monotonicSeconds()
    try trainer.run(hooks)
    let signal = try world.allReduce([Double(StopSignal.current ?? 0)], .maximum)[0]
    if signal > 0 {
      console.say("stopped by signal \(Int(signal)); go on with 'jigsaw resume \(folder.path)'")
    }
    try summarize(rank, traffic, linkRate: linkRate, seconds: monotonicSeconds() - started)
    // The most of any rank.
    let counters = compute.pool.counters
    let memory = try world.allReduce(
      [Double(Machine.peakResidentMemory), Double(base), Double(counters.peakBytesInUse)], .maximum
    ).map { fixed($0 / 1e9, 3) }
    console.say(
      "peak memory\(mesh.count > 1 ? " of a rank" : "") \(memory[0]) GB, before the model \(memory[1]) GB, activations "
        + "and buffers \(memory[2]) GB")
  }
}
