import Basics
import Communication
import Configuration
import Datasets
import Distribution
import Execution
import Models
import Tensors
import Training

/// `jigsaw train` and `jigsaw resume`: from a configuration to a run folder with checkpoints and metrics. All ranks run it;
/// the first one writes what is not a checkpoint.
public struct TrainWorkflow {
  let configuration: RunConfiguration
  let console: Console
  private let folder: RunFolder
  /// Ends after this many updates in all, as if interrupted; for staged runs and tests.
  private let stopAfter: Int?
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
    try recover()
    let checkpoints = folder.checkpoints()
    let isThere = try !checkpoints.isEmpty
    if !overwrites, configuration.resume == .auto {
      // What was killed before its first numbered checkpoint begins anew.
      return try checkpoints.numbered().isEmpty ? start(replacing: isThere) : resume()
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
    try recover()
    guard let checkpoint = try folder.checkpoints().newest() else {
      throw JigsawError(
        folder.path, "holds no checkpoint to go on from", remedy: "start with 'jigsaw train'")
    }
    try run(from: checkpoint)
  }

  /// - Parameter replacing: whether an earlier run goes, once everything has been checked that can be.
  private func run(from checkpoint: Checkpoint?, replacing: Bool = false) throws {
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
    let instance = configuration.parallel.domain * configuration.parallel.tensor
    let plan = try plan(dataset, replicas: max(1, world.size / instance), localRanks: resources.localRanks)
    try checkMesh(plan.model)
    let (trainStart, trainEnd) = try configuration.data.train.range("data.train")
    let seed = UInt64(configuration.seed)
    let auxiliary = try AuxiliaryFields(dataset, forcings: configuration.data.forcings)
    let given = try Ingredients.givenStatistics(configuration.data, dataset)
    if let checkpoint {
      try checkInputs(checkpoint, dataset, samples: plan.sampler.count)
      if let note = checkpoint.note { console.say("note: \(note)") }
    }

    var lock: OutputLock?
    defer { withExtendedLifetime(lock) {} }
    try world.together(onlyOn: 0) {
      try Files.createDirectory(folder.path)
      lock = try OutputLock(folder: folder.path)
    }
    let data = try DataFingerprint.shared(Ingredients.descriptions(configuration.data), on: world)
    let statistics =
      try given ?? Ingredients.ownStatistics(configuration, dataset, data, on: world, checkpoint?.manifest, console)
    let normalization = try Normalization(statistics, channels: dataset.channels, place: folder.statistics)
    let description = try Ingredients.description(
      configuration, dataset, tendencyScale: normalization.tendencyScale)
    let tiling = try description.tiling()
    let model = try description.makeModel()
    let base = Machine.residentMemory
    let products = try configuration.precision.products()
    if let warning = products.warning { console.say("warning: \(warning)") }
    let rank = try Ingredients.rank(
      configuration.parallel, model, batch: settings.batchSize, world, resources, products: products.backend)
    let (compute, mesh) = (rank.compute, rank.context.mesh)
    let reduction = GradientReduction(rank, splitsOptimizer: configuration.parallel.splitOptimizer)
    let optimizer = Optimizer(rank.parameters, compute, plan.optimizer, owned: reduction.owned)
    var manifest = CheckpointManifest(
      version: jigsawVersion, model: description, parameterCount: model.parameters.elementCount, grid: dataset.grid,
      stepHours: configuration.data.stepHours,
      channels: dataset.channels.map {
        CheckpointManifest.ChannelEntry(channel: $0, statistics: statistics.channels[$0.name]!)
      }, staticFields: configuration.data.staticFields, forcings: configuration.data.forcings,
      trainingStart: trainStart.description, trainingEnd: trainEnd.description, optimizer: plan.optimizer,
      progress: CheckpointManifest.Progress(
        update: 0, samples: 0, samplesPerEpoch: plan.sampler.count, seed: seed))
    manifest.precision = configuration.precision.rawValue
    manifest.imputed = dataset.imputationSignatures
    manifest.data = data

    let checkpoints = folder.checkpoints(keep: settings.checkpoint.keep)
    if let checkpoint {
      try checkStatistics(checkpoint, manifest)
      try checkpoint.load(.current, into: rank)
      try checkpoint.load(into: optimizer, rank)
      manifest.progress = checkpoint.manifest.progress
      // Without it the next validation makes a new one.
      if try checkpoints.best() == nil {
        (manifest.progress.bestValidationLoss, manifest.progress.bestUpdate) = (nil, nil)
      }
    } else {
      rank.initialize(seed: seed)
      optimizer.startAverage()
    }
    let began = Machine.unixSeconds
    // From here on the run's files are written to: all has been checked that can be.
    try world.together(onlyOn: 0) {
      if replacing { try folder.setAside() }
      try console.attachLog(folder.log)
      try Ingredients.save(statistics, to: folder.statistics)
      if checkpoint == nil {
        try Files.writeAtomically(configuration.yaml(comments: true), to: folder.configuration)
      }
      try Files.writeAtomically(
        try Provenance(threads: compute.team.count, products: compute.backend.name).json(
          started: Timestamp(seconds: Int64(began))),
        to: folder.provenance)
    }

    rank.checkpointsActivations = settings.checkpointActivations
    let runner = StepRunner(
      model: model, rank: rank,
      weights: try Ingredients.lossWeights(configuration, dataset, tiling, normalization),
      auxiliary: auxiliary, tiling: tiling, stepHours: configuration.data.stepHours,
      slots: settings.rollout.storedStates, imputedCount: dataset.missingCount)
    let flops = try model.forwardFLOPs
    let ownPeak = Ingredients.multiplyAddPeak(compute, console)
    let peak = try world.allReduce([ownPeak])[0]
    let prefetch =
      try settings.prefetch
      ?? Ingredients.prefetch(
        rank, tiling: tiling, fields: dataset.channels.count, batch: settings.batchSize, resources)
    let trainer = Trainer(
      runner: runner, optimizer: optimizer, reduction: reduction,
      reader: Ingredients.reader(dataset, normalization, tiling, rank, cacheBytes: cache.rank),
      trainSampler: plan.sampler,
      validationSampler: plan.validationSampler,
      options: Trainer.Options(
        totalUpdates: plan.totalUpdates, batchSize: settings.batchSize, accumulation: settings.accumulation, seed: seed,
        rollout: plan.rollout, schedule: plan.schedule,
        validateEvery: settings.validation.every, checkpointEvery: settings.checkpoint.every,
        validationSamples: settings.validation.samples,
        validationSteps: settings.validation.steps, prefetch: prefetch,
        rollsLongitudes: settings.rollLongitudes),
      forwardFLOPsPerSample: flops, progress: manifest.progress)

    introduce(model, dataset, rank, flops: flops, peak: peak, samples: plan.sampler.count, checkpoint)
    StopSignal.install()
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
    hooks.checkpoint = { progress, isBest in
      manifest.progress = progress
      if isBest {
        try checkpoints.writeBest(manifest, rank, optimizer: optimizer)
      } else {
        try checkpoints.write(manifest, rank, optimizer: optimizer)
        console.say("saved \(checkpoints.path)/\(CheckpointFolder.name(update: progress.update))")
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
