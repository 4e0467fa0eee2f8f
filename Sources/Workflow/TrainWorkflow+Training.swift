import Basics
import Checkpoints
import Communication
import Configuration
import Datasets
import Distribution
import Execution
import Models
import Stepping
import Tensors
import Training

/// A training from its inputs to its last checkpoint.
extension TrainWorkflow {
  /// A training that is ready to run.
  private struct Session {
    let trained: TrainedModel
    let inputs: Inputs
    let trainer: Trainer
    let manifest: CheckpointManifest
    /// Peaks of this rank's units and of all ranks', FLOP/s.
    let ownPeak, peak: Double
    let unixSeconds: Double
  }

  /// - Parameter replacing: whether an earlier run goes, once everything has been checked that can be.
  func train(from checkpoint: Checkpoint?, replacing: Bool) throws {
    let trace = try makeTrace()
    let watch = try stallWatch(trace)
    defer { watch?.stop() }
    let run = try RunContext(
      world, threads: configuration.threads, overlaps: configuration.parallel.overlap, trace: trace, console: console)
    guard let inputs = try inputs(run, from: checkpoint) else { return }
    let lock = try lockFolder(run)
    defer { withExtendedLifetime(lock) {} }
    let statistics = try statistics(of: inputs, run, checkpoint)
    let trained = try makeModel(inputs, statistics, run)
    var manifest = try manifest(trained, inputs, statistics, checkpoint)
    // A checkpoint that its reader would refuse is not worth a training.
    if let key = manifest.contradiction {
      throw JigsawError(
        "data", "can't be trained on: checkpoints can't hold its \(key)", remedy: "report this, with the configuration")
    }
    let initialWeights = try fill(trained, &manifest, from: checkpoint, run)
    let began = Machine.unixSeconds
    try writeFiles(statistics.all, trained.rank.compute, began: began, replacing: replacing, run)
    if let doubt = statistics.doubt { console.say(doubt) }
    if let initialWeights { introduce(initialWeights, manifest) }
    if let checkpoint { try resumeProgress(&manifest, from: checkpoint, inputs) }
    trained.rank.checkpointsActivations = trained.fit.checkpointsActivations
    let runner = try makeRunner(trained, inputs, statistics)
    let flops = try trained.model.forwardFLOPs
    let ownPeak = Assembly.multiplyAddPeak(trained.rank.compute, processors: run.resources.processors, console)
    let peak = try run.world.allReduce([ownPeak])[0]
    let trainer = try makeTrainer(
      runner, trained, inputs, statistics, manifest.progress, forwardFLOPs: flops, run)
    introduce(trained, inputs, flops: flops, peak: peak, checkpoint, run)
    if let sentence = trained.fit.sentence { console.say(sentence) }
    let session = Session(
      trained: trained, inputs: inputs, trainer: trainer, manifest: manifest, ownPeak: ownPeak, peak: peak,
      unixSeconds: began)
    try execute(session, hasCheckpoint: checkpoint != nil, replacing: replacing, run)
  }

  /// From here on the run's files are written to: all has been checked that can be.
  private func writeFiles(
    _ statistics: DatasetStatistics, _ compute: Compute, began: Double, replacing: Bool, _ run: RunContext
  ) throws {
    try run.world.together(onlyOn: 0) {
      if replacing { try folder.setAside() }
      try console.attachLog(folder.log)
      try Assembly.save(statistics, to: folder.statistics)
      // Before the configuration: it tells that the one beside it is of a training.
      try Files.writeAtomically(
        try Provenance(threads: compute.team.count, products: compute.backend.name).json(
          started: Timestamp(seconds: Int64(began))),
        to: folder.provenance)
      // Settings given on resuming are those of the run from now on.
      try Files.writeAtomically(withoutUserInformation(configuration.yaml(comments: true)), to: folder.configuration)
    }
  }

  private func makeRunner(_ trained: TrainedModel, _ inputs: Inputs, _ statistics: Statistics) throws -> StepRunner {
    let (settings, dataset) = (configuration.training, inputs.dataset)
    return StepRunner(
      Stepper(
        model: trained.model, fields: trained.description.fields, rank: trained.rank, auxiliary: inputs.auxiliary,
        tiling: trained.tiling, stepHours: configuration.data.stepHours, boundary: dataset.boundary),
      weights: try Assembly.lossWeights(configuration, dataset, trained.tiling, statistics.normalization),
      kind: settings.loss.kind.pointwise(delta: settings.loss.huberDelta),
      slots: settings.rollout.storedStates, unpredictedCount: dataset.unpredictedCount)
  }

  private func makeTrainer(
    _ runner: StepRunner, _ trained: TrainedModel, _ inputs: Inputs, _ statistics: Statistics,
    _ progress: CheckpointManifest.Progress, forwardFLOPs: Int, _ run: RunContext
  ) throws -> Trainer {
    let (settings, plan, dataset, rank) = (configuration.training, inputs.plan, inputs.dataset, trained.rank)
    let prefetch =
      try settings.prefetch
      ?? Assembly.prefetch(
        rank, tiling: trained.tiling, fields: dataset.channels.count, batch: inputs.batches.batchSize, run)
    var options = Trainer.Options(
      totalUpdates: plan.totalUpdates, batchSize: inputs.batches.batchSize,
      accumulation: inputs.batches.accumulation, seed: UInt64(configuration.seed), rollout: plan.rollout,
      schedule: plan.schedule,
      validation: Trainer.Options.Validation(
        every: settings.validation.every, samples: settings.validation.samples, steps: settings.validation.steps))
    options.checkpointEvery = settings.checkpoint.every
    options.prefetch = prefetch
    options.rollsLongitudes = settings.rollLongitudes
    return Trainer(
      runner: runner, optimizer: trained.optimizer, reduction: trained.reduction,
      samples: Trainer.Samples(
        Assembly.reader(dataset, statistics.normalization, trained.tiling, rank, cacheBytes: inputs.cache.rank),
        forcings: try inputs.forcings.map {
          Assembly.forcingReader(
            $0, try Normalization(statistics.all, channels: $0.channels, place: folder.statistics), trained.tiling,
            rank, auxiliaries: trained.description.fields.auxiliaries, cacheBytes: inputs.cache.rank)
        }, training: plan.sampler, validation: plan.validationSampler),
      options: options, forwardFLOPsPerSample: forwardFLOPs, progress: progress)
  }

  /// Runs the training loop, and says what it took.
  private func execute(_ session: Session, hasCheckpoint: Bool, replacing: Bool, _ run: RunContext) throws {
    let (plan, rank) = (session.inputs.plan, session.trained.rank)
    let firstUpdate = session.manifest.progress.update
    if firstUpdate >= plan.totalUpdates {
      console.say(
        "nothing to do: update \(firstUpdate) of \(plan.totalUpdates) is reached; raise training.updates or epochs to train further"
      )
    }
    var hooks = Trainer.Hooks()
    var display: TrainingDisplay?
    try run.world.together(onlyOn: 0) {
      display = try TrainingDisplay(
        folder, console, channels: session.inputs.dataset.channels,
        TrainingDisplay.Updates(
          first: firstUpdate, total: plan.totalUpdates, rollout: plan.rollout, seed: UInt64(configuration.seed)),
        peakFLOPPerSecond: session.peak, unixSeconds: session.unixSeconds)
    }
    if let display {
      hooks.updated = display.updated
      hooks.validated = display.validated
    }
    hooks.checkpoint = saving(session, hasCheckpoint: hasCheckpoint, replacing: replacing, run)
    hooks.shouldStop = { update in update == stopAfter || StopSignal.current != nil }
    let linkRate = try rank.context.estimateLink(peak: session.ownPeak)
    let traffic = rank.context.traffic
    let started = monotonicSeconds()
    try session.trainer.run(hooks)
    let signal = try run.world.allReduce([Double(StopSignal.current ?? 0)], .maximum)[0]
    if signal > 0 {
      console.say("stopped by signal \(Int(signal)); continue with 'jigsaw resume \(folder.path)'")
    }
    try summarize(rank, traffic, linkRate: linkRate, seconds: monotonicSeconds() - started, run)
    try summarizeMemory(session.trained, run)
  }

  /// Writes the checkpoints that the training loop asks for.
  private func saving(
    _ session: Session, hasCheckpoint: Bool, replacing: Bool, _ run: RunContext
  ) -> (CheckpointManifest.Progress, Bool) throws -> Void {
    let checkpoints = folder.checkpoints(keep: configuration.training.checkpoint.keep)
    let (rank, optimizer) = (session.trained.rank, session.trained.optimizer)
    var (manifest, hasCheckpoint) = (session.manifest, hasCheckpoint)
    return { [folder, console] progress, isBest in
      let saving = run.trace?.begin(.phases, "saving a checkpoint")
      defer { if let saving { run.trace?.end(saving) } }
      manifest.progress = progress
      // A run that has a best checkpoint has one to resume from, too.
      if !isBest || !hasCheckpoint {
        hasCheckpoint = true
        try checkpoints.write(manifest, rank, optimizer: optimizer.state)
        console.say("saved \(checkpoints.path)/\(CheckpointFolder.name(update: progress.update))")
      }
      if isBest {
        manifest.best = nil
        manifest.best = try checkpoints.writeBest(manifest, rank, optimizer: optimizer.state)
      }
      if replacing { try run.world.together(onlyOn: 0) { try folder.removeAside() } }
    }
  }
}
