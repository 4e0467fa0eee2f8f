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
  private let configuration: RunConfiguration
  private let console: Console
  private let folder: RunFolder
  /// Ends after this many updates in all, as if interrupted; for staged runs and tests.
  private let stopAfter: Int?
  private let world: any Communicator
  /// Folder for the ranks' traces, if they are wanted.
  private let traceFolder: String?

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
    let checkpoints = folder.checkpoints()
    let isThere = try !checkpoints.numbered().isEmpty || checkpoints.best() != nil
    if !overwrites, configuration.resume == .auto {
      // What was killed before its first numbered checkpoint begins anew.
      return try checkpoints.numbered().isEmpty ? run(from: nil, replacing: isThere) : resume()
    }
    if isThere && !overwrites {
      throw JigsawError(
        folder.path, "already holds a trained run",
        remedy:
          "go on with 'jigsaw resume \(folder.path)' or --set resume=auto, choose another folder with --set run=…, or pass --overwrite"
      )
    }
    try run(from: nil, replacing: isThere)
  }

  /// Goes on from the newest checkpoint, bit by bit as if never stopped.
  public func resume() throws {
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
    if let checkpoint { try checkInputs(checkpoint, dataset, samples: plan.sampler.count) }

    // From here on the run folder is written to.
    var lock: FolderLock?
    defer { withExtendedLifetime(lock) {} }
    try world.together(onlyOn: 0) {
      try Files.createDirectory(folder.path)
      lock = try FolderLock(folder.path)
      if replacing {
        for path in [folder.checkpoints().path, folder.tensorBoard, folder.log, folder.statistics] {
          try Files.remove(path)
        }
      }
      try console.attachLog(folder.log)
    }
    let statistics =
      try given
      ?? Ingredients.ownStatistics(configuration, dataset, on: world, isResuming: checkpoint != nil, console)
    try world.together(onlyOn: 0) { try Ingredients.save(statistics, to: folder.statistics) }
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

    let checkpoints = folder.checkpoints(keep: settings.checkpoint.keep)
    try world.together(onlyOn: 0) { try checkpoints.removeTemporaries() }
    if let checkpoint {
      try checkStatistics(checkpoint, manifest)
      try checkpoint.load(.current, into: rank)
      try checkpoint.load(into: optimizer, rank)
      manifest.progress = checkpoint.manifest.progress
    } else {
      rank.initialize(seed: seed)
      optimizer.startAverage()
    }
    let began = Machine.unixSeconds
    try world.together(onlyOn: 0) {
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
      slots: settings.rollout.storedStates)
    let flops = try model.forwardFLOPs
    let peak = try world.allReduce([Ingredients.multiplyAddPeak(compute, console)])[0]
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
    }
    hooks.shouldStop = { update in update == stopAfter || StopSignal.current != nil }
    let linkRate = try rank.context.measureLinkRate()
    // Products reach about three quarters of the peak.
    rank.context.pace = Pace(bytesPerSecond: linkRate, flopsPerSecond: 0.75 * peak / Double(world.size))
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

  /// What the ranks sent each other and how long they waited for it.
  private func summarize(_ rank: ModelRank, _ before: Traffic, linkRate: Double, seconds: Double) throws {
    if let traceFolder, let trace = world.manner.trace {
      try Files.createDirectory(traceFolder)
      try trace.write(to: "\(traceFolder)/rank-\(world.rank).json", rank: world.rank)
      console.say("wrote \(traceFolder)/rank-*.json, to be opened in ui.perfetto.dev")
    }
    guard world.size > 1 else { return }
    let traffic = rank.context.traffic
    let most = try world.allReduce(
      [Double(traffic.bytesSent - before.bytesSent), traffic.waitSeconds - before.waitSeconds], .maximum)
    // Alone it would take as long as the bytes do on the idle link.
    let alone = most[0] / linkRate
    console.say(
      "communication: at most \(fixed(most[0] / 1e6, 1)) MB sent per rank, alone \(fixed(alone, 2)) s at "
        + "\(fixed(linkRate / 1e9, 2)) GB/s; waited \(fixed(most[1], 2)) s of \(fixed(seconds, 2)) s: "
        + "\(fixed(100 * max(0, 1 - most[1] / alone), 0)) % hidden")
  }

  // MARK: Settings

  /// What follows from configuration and data without reading fields.
  struct Plan {
    let sampler: Sampler
    let validationSampler: Sampler?
    let totalUpdates: Int
    let rollout: RolloutPlan
    let schedule: LearningRateSchedule
    let optimizer: Optimizer.Options
    /// Of the right sizes; what depends on statistics is left at 1.
    let model: WeatherMixer
  }

  /// - Parameters:
  ///   - replicas: model instances that share each update's samples.
  ///   - localRanks: ranks that share this machine's memory.
  func plan(_ dataset: FieldDataset, replicas: Int = 1, localRanks: Int = 1) throws -> Plan {
    let (start, end) = try configuration.data.train.range("data.train")
    let rollout = rolloutPlan()
    let sampler = try Sampler(
      dataset, from: start, through: end, stepHours: configuration.data.stepHours, leadSteps: rollout.largestSteps,
      seed: UInt64(configuration.seed), isShuffled: true, place: "data.train")
    let totalUpdates = try totalUpdates(samples: sampler.count, replicas: replicas)
    if configuration.training.rollLongitudes && !dataset.grid.isPeriodic {
      throw JigsawError(
        "training.rollLongitudes", "needs longitudes that go around the globe", found: dataset.grid.summary,
        remedy: "set it to false")
    }
    _ = try Ingredients.levelWeights(configuration.training.loss, dataset)
    let ones = [Float](repeating: 1, count: dataset.channels.count)
    let model = try Ingredients.description(configuration, dataset, tendencyScale: ones).makeModel()
    try checkMemory(model, replicas: replicas, localRanks: localRanks)
    return Plan(
      sampler: sampler, validationSampler: try validationSampler(dataset), totalUpdates: totalUpdates, rollout: rollout,
      schedule: try schedule(samples: sampler.count, totalUpdates: totalUpdates, replicas: replicas),
      optimizer: try optimizerOptions(),
      model: model)
  }

  /// Parameters, gradients and the optimiser's two moments, and the moving average, must at least fit.
  private func checkMesh(_ model: WeatherMixer) throws {
    let parallel = configuration.parallel
    _ = try Mesh(
      ranks: world.size, domain: parallel.domain, tensor: parallel.tensor, tokens: model.sizes.tokens,
      fields: model.sizes.variables)
  }

  func checkMemory(_ model: WeatherMixer, replicas: Int, localRanks: Int) throws {
    let ofOptimizer = configuration.training.averageDecay > 0 ? 3.0 : 2.0
    let copies = 2 + ofOptimizer / Double(configuration.parallel.splitOptimizer ? replicas : 1)
    let ranks = configuration.parallel.domain * configuration.parallel.tensor
    let needed = copies * Double(model.parameters.elementCount * MemoryLayout<Float>.size * localRanks / ranks)
    if let available = Machine.availableMemory, needed > Double(available) {
      throw JigsawError(
        "model", "needs at least \(fixed(needed / 1e9, 1)) GB of memory for its parameters and their training",
        found: "\(fixed(Double(available) / 1e9, 1)) GB free",
        remedy: "make it smaller, or share it among more machines (parallel.domain, parallel.tensor)")
    }
  }

  private func rolloutPlan() -> RolloutPlan {
    let settings = configuration.training.rollout
    let stages =
      settings.stages.isEmpty
      ? [RolloutPlan.Stage(fraction: 0, steps: 1)]
      : settings.stages.map { RolloutPlan.Stage(fraction: $0.fraction, steps: $0.steps) }
        .sorted { $0.fraction < $1.fraction }
    return RolloutPlan(kind: settings.kind, stages: stages, isRandomized: settings.randomized)
  }

  private func validationSampler(_ dataset: FieldDataset) throws -> Sampler? {
    let period = configuration.data.validation
    if period.start == nil && period.end == nil { return nil }
    let (start, end) = try period.range("data.validation")
    return try Sampler(
      dataset, from: start, through: end, stepHours: configuration.data.stepHours,
      leadSteps: configuration.training.validation.steps, seed: 0,
      isShuffled: false, place: "data.validation")
  }

  private func totalUpdates(samples: Int, replicas: Int) throws -> Int {
    let settings = configuration.training
    switch (settings.updates, settings.epochs) {
    case (let updates?, nil): return updates
    case (nil, let epochs?):
      return max(
        1, Int((epochs * Double(samples) / Double(settings.batchSize * settings.accumulation * replicas)).rounded()))
    default:
      throw JigsawError(
        "training", "needs a length", expected: "either training.updates or training.epochs",
        found: settings.updates == nil ? "neither" : "both")
    }
  }

  private func schedule(samples: Int, totalUpdates: Int, replicas: Int) throws -> LearningRateSchedule {
    let settings = configuration.training
    if settings.warmUpUpdates != nil && settings.warmUpEpochs != nil {
      throw JigsawError("training", "has both warmUpUpdates and warmUpEpochs", remedy: "give one of them")
    }
    let perEpoch = Double(samples) / Double(settings.batchSize * settings.accumulation * replicas)
    let warmUp = settings.warmUpUpdates ?? settings.warmUpEpochs.map { Int(($0 * perEpoch).rounded()) } ?? 0
    return LearningRateSchedule(
      peak: settings.learningRate, final: settings.finalLearningRate, warmUpUpdates: min(warmUp, totalUpdates),
      totalUpdates: totalUpdates)
  }

  func optimizerOptions() throws -> Optimizer.Options {
    let settings = configuration.training
    var options = Optimizer.Options()
    options.beta1 = settings.beta1
    options.beta2 = settings.beta2
    options.weightDecay = settings.weightDecay
    options.decayKind = settings.decayKind
    options.clipNorm = settings.clipNorm
    options.averageDecay = settings.averageDecay
    for (name, rate) in settings.groupRates.sorted(by: { $0.key < $1.key }) {
      guard ParameterGroup(rawValue: name) != nil else {
        throw JigsawError(
          "training.groupRates.\(name)", "is not a group of parameters",
          expected: ParameterGroup.allCases.map(\.rawValue).joined(separator: ", "))
      }
      options.groupRates[name] = rate
    }
    return options
  }

  /// A checkpoint can only be gone on from with the same model on the same kind of data.
  private func checkInputs(_ checkpoint: Checkpoint, _ dataset: FieldDataset, samples: Int) throws {
    let found = checkpoint.manifest
    func list(_ names: [String]) -> String { names.isEmpty ? "none" : names.joined(separator: ", ") }
    let data = configuration.data
    try checkpoint.requireSame(
      "variables", list(dataset.channels.map(\.name)), list(found.channels.map(\.channel.name)))
    try checkpoint.requireSame("static fields", list(data.staticFields), list(found.staticFields))
    try checkpoint.requireSame(
      "forcings", list(data.forcings.map(\.rawValue)), list(found.forcings.map(\.rawValue)))
    try checkpoint.requireSame("step", "\(data.stepHours) h", "\(found.stepHours) h", article: "another")
    if !found.grid.matches(dataset.grid) {
      try checkpoint.requireSame("grid", dataset.grid.summary, found.grid.summary, article: "another")
    }
    let model = try Ingredients.description(configuration, dataset, tendencyScale: found.model.residualScale)
    let sizes = zip(TrainWorkflow.sizes(model), TrainWorkflow.sizes(found.model)).filter { $0 != $1 }
    try checkpoint.requireSame(
      "model", list(sizes.map(\.0)), list(sizes.map(\.1)), article: "another")
    try checkpoint.requireSame(
      "set of training samples", "\(samples) samples", "\(found.progress.samplesPerEpoch) samples", article: "another")
    try checkpoint.requireSame("seed", "\(configuration.seed)", "\(found.progress.seed)", article: "another")
  }

  private static func sizes(_ model: ModelDescription) -> [String] {
    [
      "patch \(model.patchRows) × \(model.patchColumns)", "channels \(model.channels)",
      "tokenWidth \(model.tokenWidth)", "channelWidth \(model.channelWidth)", "blocks \(model.blocks)",
      "output \(model.output.rawValue)", "dropout \(model.dropout)",
    ]
  }

  private func checkStatistics(_ checkpoint: Checkpoint, _ expected: CheckpointManifest) throws {
    for (own, found) in zip(expected.channels, checkpoint.manifest.channels)
    where !own.statistics.isNear(found.statistics) {
      func text(_ row: ChannelStatistics) -> String {
        "mean \(significant(row.mean)), stdev \(significant(row.deviation))"
      }
      try checkpoint.requireSame(
        "statistics of \(own.channel.name)", text(own.statistics), text(found.statistics))
    }
  }

  private func introduce(
    _ model: WeatherMixer, _ dataset: FieldDataset, _ rank: ModelRank, flops: Int, peak: Double, samples: Int,
    _ checkpoint: Checkpoint?
  ) {
    let sizes = model.sizes
    console.say(
      "model: WeatherMixer, \(fixed(Double(model.parameters.elementCount) / 1e6, 2)) M parameters, \(sizes.tokens) tokens "
        + "of \(sizes.pointsPerToken) points, D \(sizes.channels), \(sizes.blocks) blocks, "
        + "\(significant(Double(flops) / 1e9)) GFLOP forward")
    console.say(
      "data: \(dataset.channels.count) fields on \(dataset.grid.summary), \(samples) training samples; "
        + "\(dataset.staticChannels.count) static fields, \(configuration.data.forcings.count) forcings")
    for note in dataset.normalizations { console.say("data: \(note)") }
    let (compute, mesh) = (rank.compute, rank.context.mesh)
    if mesh.count > 1 {
      console.say(
        "ranks: \(mesh.count) (\(world.name)) as \(mesh) (replica × domain × tensor), rank 0 holds "
          + "\(fixed(Double(rank.parameters.length) / 1e6, 2)) M parameters")
    }
    console.say(
      "machine: \(compute.team.count) threads, \(Compute.kernelSet) kernels, \(compute.backend.name), peak "
        + "\(fixed(peak * 1e-12, 3)) TFLOP/s")
    if let checkpoint { console.say("resumed from \(checkpoint.path)") }
  }
}

extension Checkpoint {
  /// - Throws: when what a configuration says differs from what the checkpoint was made with.
  fileprivate func requireSame(
    _ what: String, _ expected: String, _ found: String, article: String = "other"
  ) throws {
    if expected == found { return }
    throw JigsawError(
      path, "was made with \(article) \(what)", expected: expected, found: found,
      remedy: "resume with the configuration of the run, or start a new run")
  }
}
