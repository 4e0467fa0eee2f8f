import Basics
import Checkpoints
import Communication
import Configuration
import Datasets
import Distribution
import Execution
import Geometry
import Models
import Tensors
import Training

/// The plan of a training, which follows from configuration and data without reading fields.
extension TrainWorkflow {
  struct Plan {
    let sampler: Sampler
    let validationSampler: Sampler?
    let totalUpdates: Int
    let rollout: RolloutPlan
    let schedule: LearningRateSchedule
    let optimizer: OptimizerOptions
    /// That the model computes on, if it does on one.
    let graph: HeteroGraph?
    /// The model in its sizes; values that depend on statistics are left at 1.
    let model: any ForecastModel
  }

  /// - Parameters:
  ///   - replicas: model instances that share each update's samples.
  ///   - samplesPerUpdate: nil: as the configuration says.
  ///   - localRanks: ranks that share this machine's memory.
  ///   - checkpoint: that the training resumes from.
  func plan(
    _ dataset: FieldDataset, forcings: FieldDataset?, replicas: Int = 1, localRanks: Int = 1,
    samplesPerUpdate: Int? = nil, checkpoint: Checkpoint? = nil
  ) throws -> Plan {
    let (start, end) = try configuration.data.train.range("data.train")
    let rollout = rolloutPlan()
    let sampler = try Sampler(
      dataset, forcings: forcings, from: start, through: end, configuration.steps(last: rollout.largestSteps),
      seed: UInt64(configuration.seed), isShuffled: true, place: "data.train")
    let samplesPerUpdate =
      samplesPerUpdate ?? configuration.training.batchSize * configuration.training.accumulation * replicas
    let totalUpdates = try totalUpdates(samples: sampler.count, samplesPerUpdate: samplesPerUpdate)
    if configuration.training.rollLongitudes && !dataset.grid.isPeriodic {
      throw JigsawError(
        "training.rollLongitudes", "needs longitudes that go around the globe", found: dataset.grid.summary,
        remedy: "set it to false")
    }
    if configuration.training.rollLongitudes && dataset.boundary != nil {
      throw JigsawError(
        "training.rollLongitudes", "would roll the boundary, too", found: "data.boundary: cutout",
        remedy: "set one of them to false or none")
    }
    _ = try Assembly.firstGrid(configuration.training.loss, dataset)
    _ = try Assembly.levelWeights(configuration.training.loss, dataset)
    let ones = [Float](repeating: 1, count: dataset.channels.count)
    let description = try Assembly.withGraph(
      Assembly.description(configuration, dataset, forcings: forcings, tendencyScale: ones), from: checkpoint,
      threads: max(1, (configuration.threads > 0 ? configuration.threads : ThreadTeam.availableCPUs) / localRanks),
      console: console)
    let model = try description.makeModel()
    if rollout.kind == .latent && !(model is any LatentModel) {
      throw JigsawError(
        "training.rollout.kind", "is latent, which a \(configuration.model.title) can't be trained with",
        expected: "autoregressive", remedy: "set it to autoregressive")
    }
    try checkMemory(model, replicas: replicas, localRanks: localRanks)
    return Plan(
      sampler: sampler, validationSampler: try validationSampler(dataset, forcings), totalUpdates: totalUpdates,
      rollout: rollout,
      schedule: try schedule(samples: sampler.count, samplesPerUpdate: samplesPerUpdate),
      optimizer: try optimizerOptions(), graph: description.fields.graph, model: model)
  }

  /// A sentence for each setting that asks for more than there is, and is cut to that.
  func cutSettings(_ plan: Plan) -> [String] {
    let settings = configuration.training
    var sentences: [String] = []
    if let asked = settings.warmUpUpdates, asked > plan.totalUpdates {
      sentences.append(
        "training.warmUpUpdates is \(asked), and there are \(plan.totalUpdates) updates: the learning rate rises through all of "
          + "them, to its peak at the end")
    }
    let isAsked = settings.validation.samples != ValidationSection().samples
    if isAsked, let samples = plan.validationSampler?.count, settings.validation.samples > samples {
      sentences.append(
        "training.validation.samples is \(settings.validation.samples), and data.validation holds \(samples): all of them are "
          + "taken")
    }
    return sentences.map { "warning: \($0)" }
  }

  func checkMesh(_ model: any ForecastModel) throws {
    let parallel = configuration.parallel
    _ = try Mesh(
      ranks: world.size, domain: parallel.domain, tensor: parallel.tensor, tokens: model.form.tokens,
      fields: model.form.variables)
  }

  /// Parameters, gradients and the optimiser's two moments, and the moving average, must at least fit.
  func checkMemory(_ model: any ForecastModel, replicas: Int, localRanks: Int) throws {
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

  private func validationSampler(_ dataset: FieldDataset, _ forcings: FieldDataset?) throws -> Sampler? {
    let period = configuration.data.validation
    if period.start == nil && period.end == nil { return nil }
    let (start, end) = try period.range("data.validation")
    return try Sampler(
      dataset, forcings: forcings, from: start, through: end,
      configuration.steps(last: configuration.training.validation.steps), seed: 0, isShuffled: false,
      place: "data.validation")
  }

  private func totalUpdates(samples: Int, samplesPerUpdate: Int) throws -> Int {
    let settings = configuration.training
    switch (settings.updates, settings.epochs) {
    case (let updates?, nil): return updates
    case (nil, let epochs?):
      return max(1, Int((epochs * Double(samples) / Double(samplesPerUpdate)).rounded()))
    default:
      throw JigsawError(
        "training", "needs a length", expected: "either training.updates or training.epochs",
        found: settings.updates == nil ? "neither" : "both")
    }
  }

  func schedule(samples: Int, samplesPerUpdate: Int) throws -> LearningRateSchedule {
    let settings = configuration.training
    let totalUpdates = try totalUpdates(samples: samples, samplesPerUpdate: samplesPerUpdate)
    if settings.warmUpUpdates != nil && settings.warmUpEpochs != nil {
      throw JigsawError("training", "has both warmUpUpdates and warmUpEpochs", remedy: "give one of them")
    }
    let perEpoch = Double(samples) / Double(samplesPerUpdate)
    let warmUp = settings.warmUpUpdates ?? settings.warmUpEpochs.map { Int(($0 * perEpoch).rounded()) } ?? 0
    return LearningRateSchedule(
      peak: settings.learningRate, final: settings.finalLearningRate, warmUpUpdates: min(warmUp, totalUpdates),
      totalUpdates: totalUpdates)
  }

  func optimizerOptions() throws -> OptimizerOptions {
    let settings = configuration.training
    var options = OptimizerOptions()
    options.beta1 = settings.beta1
    options.beta2 = settings.beta2
    options.weightDecay = settings.weightDecay
    options.decayKind = settings.decayKind
    options.clipNorm = settings.clipNorm
    options.clipValue = settings.clipValue
    if settings.clipValue != nil && settings.clipNorm > 0 {
      throw JigsawError(
        "training", "has both clipNorm and clipValue", remedy: "set training.clipNorm=0 to clip by clipValue")
    }
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
}

extension RunConfiguration {
  /// The steps of a sample up to the last one.
  func steps(last: Int) throws -> Sampler.Steps {
    Sampler.Steps(hours: data.stepHours, first: try data.stepsOfInputs()[0], last: last)
  }
}
