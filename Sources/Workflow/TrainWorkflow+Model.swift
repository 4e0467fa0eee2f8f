import Basics
import Checkpoints
import Configuration
import Datasets
import Distribution
import Execution
import Models
import Stepping
import Tensors
import Training

/// The model of a training with its optimiser, new or as a checkpoint has them.
extension TrainWorkflow {
  /// This rank's share of a model that is trained.
  struct TrainedModel {
    let model: any ForecastModel
    let fit: MemoryFit
    var description: ModelDescription { fit.description }
    let tiling: Tiling
    let rank: ModelRank
    let reduction: GradientReduction
    let optimizer: Optimizer
    /// Resident memory of the process before the model was made, bytes.
    let bytesBefore: Int
  }

  /// Makes the model with its first weights zero.
  func makeModel(_ inputs: Inputs, _ statistics: Statistics, _ run: RunContext) throws -> TrainedModel {
    let (parallel, batches) = (configuration.parallel, inputs.batches)
    var description = try Assembly.description(
      configuration, inputs.dataset, forcings: inputs.forcings,
      tendencyScale: statistics.normalization.tendencyScale)
    description.fields.graph = inputs.plan.graph
    description.fields.scaling = Assembly.scaling(inputs.dataset.channels, statistics.normalization)
    let fit = try MemoryFit(
      description, configuration,
      Mesh(replica: batches.replicas, domain: parallel.domain, tensor: parallel.tensor), batch: batches.batchSize,
      threads: run.resources.threads)
    // Ranks with other threads or kernels may have chosen otherwise.
    try Agreement.check([("model.memoryGiB", fit.sentence ?? "none")], on: run.world)
    let tiling = try fit.description.tiling()
    let model = try fit.description.makeModel()
    let bytesBefore = Machine.residentMemory
    let products = try configuration.precision.products()
    if let warning = products.warning { console.say("warning: \(warning)") }
    let rank = try Assembly.rank(
      parallel, model, batch: batches.batchSize, products: products.backend, trains: true, run)
    let reduction = GradientReduction(rank, splitsOptimizer: parallel.splitOptimizer)
    return TrainedModel(
      model: model, fit: fit, tiling: tiling, rank: rank, reduction: reduction,
      optimizer: Optimizer(rank.parameters, rank.compute, inputs.plan.optimizer, shard: reduction.shard),
      bytesBefore: bytesBefore)
  }

  private func entries(_ dataset: FieldDataset, _ statistics: DatasetStatistics) -> [CheckpointManifest.ChannelEntry] {
    dataset.channels.map {
      CheckpointManifest.ChannelEntry(
        channel: $0, units: dataset.units(of: $0), statistics: statistics.channels[$0.name]!)
    }
  }

  /// The manifest of the training's checkpoints, before its first update.
  func manifest(
    _ trained: TrainedModel, _ inputs: Inputs, _ statistics: Statistics, _ checkpoint: Checkpoint?
  ) throws -> CheckpointManifest {
    let (dataset, forcings) = (inputs.dataset, inputs.forcings)
    let (trainStart, trainEnd) = try configuration.data.train.range("data.train")
    var manifest = CheckpointManifest(
      version: jigsawVersion, model: trained.description,
      parameterCount: trained.model.parameters.elementCount, grid: dataset.grid,
      stepHours: configuration.data.stepHours,
      channels: entries(dataset, statistics.all), staticFields: configuration.data.staticFields,
      forcings: configuration.data.computedForcings,
      trainingStart: trainStart.description, trainingEnd: trainEnd.description, optimizer: inputs.plan.optimizer,
      progress: CheckpointManifest.Progress(
        update: 0, samples: 0, samplesPerEpoch: inputs.plan.sampler.count, seed: UInt64(configuration.seed)))
    manifest.trainingSettings = trainingSettings
    manifest.precision = configuration.precision.rawValue
    manifest.imputed = Assembly.imputationSignatures(dataset, forcings)
    manifest.boundary = dataset.boundarySignature
    manifest.readForcings = forcings.map { entries($0, statistics.all) }
    manifest.data = statistics.data
    manifest.auxiliaryScaling = inputs.auxiliary.scaling
    manifest.staticSignatures = try dataset.staticSignatures()
    manifest.imported = checkpoint?.manifest.imported
    if let start = configuration.data.validation.start, let end = configuration.data.validation.end {
      manifest.validated = Lineage.Period(start.description, end.description)
    }
    return manifest
  }

  /// Fills weights, moments and average: from the checkpoint, or anew.
  ///
  /// - Returns: what a new training takes of another's weights; nil: nothing.
  func fill(
    _ trained: TrainedModel, _ manifest: inout CheckpointManifest, from checkpoint: Checkpoint?, _ run: RunContext
  ) throws -> InitialWeights? {
    if let checkpoint {
      let isNew = checkpoint.manifest.progress.samples == 0
      manifest.initialWeights = checkpoint.manifest.initialWeights
      manifest.trainedBefore = isNew ? checkpoint.manifest.trained : checkpoint.manifest.trainedBefore
      manifest.training = isNew ? manifest.data.map { digest($0, nil) } : checkpoint.manifest.training
      try checkStatistics(checkpoint, manifest)
      try checkpoint.load(.current, into: trained.rank)
      try checkpoint.load(into: trained.optimizer.state, trained.rank)
      return nil
    }
    manifest.progress.bestMeasure = TrainWorkflow.measure(configuration)
    trained.rank.initialize(seed: UInt64(configuration.seed))
    let weights = try takeInitialWeights(into: trained.rank, manifest, run)
    manifest.initialWeights = weights?.origin
    manifest.trainedBefore = weights?.trained
    manifest.training = manifest.data.map { digest($0, weights) }
    trained.optimizer.startAverage()
    return weights
  }

  /// Takes the progress of the run that is resumed, and reports what has changed since.
  func resumeProgress(_ manifest: inout CheckpointManifest, from checkpoint: Checkpoint, _ inputs: Inputs) throws {
    let fresh = manifest.progress
    try takeProgress(of: checkpoint, inputs.stored, into: &manifest)
    if manifest.progress.samples == 0 {
      (manifest.progress.samplesPerEpoch, manifest.progress.seed) = (fresh.samplesPerEpoch, fresh.seed)
    }
    try sayChanges(since: inputs.stored, inputs.plan, inputs.batches, at: manifest.progress.update)
  }
}
