import Basics
import Checkpoints
import Datasets
import Models
import Settings
import Tensors
import Training

/// Everything about a run, as one YAML file says it.
public struct RunConfiguration: Section {
  public var run = "runs/experiment"
  public var seed = 0
  public var threads = 0
  public var precision = Precision.fp32
  public var resume = Resume.never
  public var parallel = ParallelSection()
  public var data = DataSection()
  public var model: any ModelSettings = ModelFamilies.all[0].init()
  public var training = TrainingSection()
  public var forecast = ForecastSection()
  public var evaluation = EvaluationSection()

  /// The behaviour of 'jigsaw train' in a folder with checkpoints.
  public enum Resume: String, CaseIterable, Sendable { case never, auto }

  public init() {}

  public static let fields: [Field<RunConfiguration>] = [
    .text("run", \.run, "Folder that receives everything a run produces."),
    .integer(
      "seed", \.seed, 0...9_007_199_254_740_991,
      "Initial weights, sample order, dropout and drawn rollouts follow from it."),
    .integer(
      "threads", \.threads, 0...1_024, "Compute threads of each rank; 0: as many as CPUs it may use, shared fairly."),
    .choice(
      "precision", \.precision,
      "Operands of matrix products: fp32; bf16: rounded; bf16x3: in two bf16 parts, nearly as accurate as fp32. Faster "
        + "where the CPU has units for bf16 (docs/training.md)."),
    .choice(
      "resume", \.resume,
      "What 'jigsaw train' does with a folder that holds checkpoints; never: refuse; auto: resume from the newest."),
    .section("parallel", \.parallel, "How one model is shared by several ranks (docs/parallel.md)."),
    .section("data", \.data, "Where samples come from and what a sample is."),
    .model("model", \.model, "The model family and its settings."),
    .section("training", \.training, "How the model is trained (docs/training.md)."),
    .section("forecast", \.forecast, "Defaults of 'jigsaw forecast'."),
    .section("evaluation", \.evaluation, "What 'jigsaw evaluate' computes."),
  ]
}

/// The mesh of ranks: replica × domain × tensor, with as many replicas as the started ranks make.
public struct ParallelSection: Section {
  public var domain = 1
  public var tensor = 1
  public var splitOptimizer = false
  public var overlap = true

  public init() {}

  public static let fields: [Field<ParallelSection>] = [
    .integer("domain", \.domain, 1...1_000_000, "Ranks that share each state by tokens (parts of the globe)."),
    .integer("tensor", \.tensor, 1...1_000_000, "Ranks that share each state by channels and fields."),
    .flag(
      "splitOptimizer", \.splitOptimizer, "Each replica keeps a part of the optimiser's state (ZeRO stage 1)."),
    .flag("overlap", \.overlap, "Communicate while computing; false: one after the other, for comparison."),
  ]
}

public struct LossSection: Section {
  public var kind = LossKind.squared
  public var huberDelta = 1.0
  public var latitudeWeights = LossWeights.Latitude.area
  public var firstGridShare: Double?
  public var perTendency = false
  public var variableWeights: [String: Double] = [:]
  public var levelWeights: [String: Double] = [:]
  public var scalers = ScalersSection()

  public init() {}

  public static let fields: [Field<LossSection>] = [
    .choice(
      "kind", \.kind,
      "Loss of an error e times its weights of variable and level, in standard deviations: squared: e²; rootOfSquared: the root of "
        + "each sample's mean of e²; absolute: |e|; huber: ½e² up to huberDelta, then linear; logCosh: log cosh e."),
    .number("huberDelta", \.huberDelta, 1e-6...1_000_000, "Where huber becomes linear."),
    .choice(
      "latitudeWeights", \.latitudeWeights,
      "area: losses count by area; published: by area squared, as in the paper; none."),
    .number(
      "firstGridShare", \.firstGridShare, 0.001...0.999,
      "Share of the loss that the points of a cutout's first dataset get, for a stretched grid; null: as their areas are."
    ),
    .flag("perTendency", \.perTendency, "Measure errors in units of each channel's typical change over one step."),
    .numberMap(
      "variableWeights", \.variableWeights, "Weights by variable, which multiply the error; 1 where not given."),
    .numberMap("levelWeights", \.levelWeights, "Weights by level in hPa, multiplied; 1 where not given."),
    .section(
      "scalers", \.scalers,
      "Factors of the loss, not of the error, as anemoi-training names them (docs/graph-models.md)."),
  ]
}

public struct StageSection: Section {
  public var fraction = 0.0
  public var steps = 1

  public init() {}

  public static let fields: [Field<StageSection>] = [
    .number("fraction", \.fraction, 0...1, "Share of the training after which this stage begins."),
    .integer("steps", \.steps, 1...1_000, "Steps of rollout from there on (the most, when randomized)."),
  ]
}

public struct RolloutSection: Section {
  public var kind = RolloutPlan.Kind.autoregressive
  public var randomized = false
  public var stages: [StageSection] = []
  public var storedStates = 3

  public init() {}

  public static let fields: [Field<RolloutSection>] = [
    .choice(
      "kind", \.kind,
      "autoregressive: feed predictions back, loss on every step; latent: apply the processor k times, loss on the last."
    ),
    .flag("randomized", \.randomized, "Draw the number of steps anew for each update, from 1 to the stage's steps."),
    .sections("stages", \.stages, "When to look how far ahead; empty: always one step."),
    .integer(
      "storedStates", \.storedStates, 1...1_000, "States kept for back-propagation, whatever the number of steps."),
  ]
}

public struct ValidationSection: Section {
  public var every = 0
  public var samples = 32
  public var steps = 1

  public init() {}

  public static let fields: [Field<ValidationSection>] = [
    .integer("every", \.every, 0...1_000_000_000, "Updates between validations; 0: only at the end."),
    .integer("samples", \.samples, 1...1_000_000, "Samples used, spread evenly over the validation period."),
    .integer(
      "steps", \.steps, 1...1_000, "Steps that each is rolled out; the loss, and what is best, is the mean over them."),
  ]
}

public struct CheckpointSection: Section {
  public var every = 1000
  public var keep = 2

  public init() {}

  public static let fields: [Field<CheckpointSection>] = [
    .integer("every", \.every, 0...1_000_000_000, "Updates between checkpoints; 0: only at the end."),
    .integer("keep", \.keep, 1...1_000_000, "Checkpoints kept besides the best."),
  ]
}

public struct TrainingSection: Section {
  public var updates: Int?
  public var epochs: Double?
  public var batchSize = 16
  public var accumulation = 1
  public var learningRate = 1e-3
  public var finalLearningRate = 1e-5
  public var warmUpUpdates: Int?
  public var warmUpEpochs: Double?
  public var groupRates: [String: Double] = [:]
  public var beta1 = 0.9
  public var beta2 = 0.999
  public var weightDecay = 0.0
  public var decayKind = OptimizerOptions.DecayKind.decoupled
  public var clipNorm = 1.0
  public var clipValue: Double?
  public var averageDecay = 0.0
  public var loss = LossSection()
  public var rollout = RolloutSection()
  public var validation = ValidationSection()
  public var checkpoint = CheckpointSection()
  public var prefetch: Int?
  public var checkpointActivations = false
  public var initialWeights: String?
  public var rollLongitudes = false
  public var stallMinutes: Double?

  public init() {}

  public static let fields: [Field<TrainingSection>] = [
    .integer("updates", \.updates, 1...1_000_000_000, "Length of the training in optimiser updates; or give epochs."),
    .number("epochs", \.epochs, 0...1_000_000, "Length in passes through the training period; or give updates."),
    .integer("batchSize", \.batchSize, 1...100_000, "Samples that each model instance computes at once."),
    .integer("accumulation", \.accumulation, 1...256, "Batches whose gradients are added up for one update."),
    .number("learningRate", \.learningRate, 0...1, "Peak learning rate of Adam."),
    .number("finalLearningRate", \.finalLearningRate, 0...1, "Where the cosine schedule ends."),
    .integer("warmUpUpdates", \.warmUpUpdates, 0...1_000_000_000, "Updates of linear warm-up; or give warmUpEpochs."),
    .number("warmUpEpochs", \.warmUpEpochs, 0...1_000_000, "Epochs of linear warm-up; or give warmUpUpdates."),
    .numberMap(
      "groupRates", \.groupRates, "Learning rate of encoder, processor, decoder as multiples of the schedule's."),
    .number("beta1", \.beta1, 0...0.9999, "Adam: decay of the first moment."),
    .number("beta2", \.beta2, 0...0.999999, "Adam: decay of the second moment."),
    .number("weightDecay", \.weightDecay, 0...1, "Applied to weight matrices, not to biases and normalisation."),
    .choice("decayKind", \.decayKind, "coupled: added to the gradient (Adam); decoupled: apart from it (AdamW)."),
    .number("clipNorm", \.clipNorm, 0...1_000_000, "Largest global gradient norm; 0: no clipping."),
    .number(
      "clipValue", \.clipValue, 1e-12...1_000_000,
      "Largest magnitude of each element of a gradient, in place of clipNorm, which must be 0; null: none."),
    .number("averageDecay", \.averageDecay, 0...0.999999, "Moving average of the weights, used in forecasts; 0: none."),
    .text(
      "initialWeights", \.initialWeights,
      "A run folder or checkpoint whose weights a new training starts from, as far as they fit; null: random numbers."),
    .section("loss", \.loss, "Mean of w_lat² · loss(w_variable · w_level · error), errors in standard deviations."),
    .section("rollout", \.rollout, "Training on more than one step."),
    .section("validation", \.validation, "Watching errors on the validation period; the best weights are kept."),
    .section("checkpoint", \.checkpoint, "Saving the state of the training."),
    .flag(
      "rollLongitudes", \.rollLongitudes,
      "Roll each sample in longitude by a random multiple of a patch, statics included: more from little data."
    ),
    .flag(
      "checkpointActivations", \.checkpointActivations,
      "Keep only each block's input for backward and compute the block again: less memory, about a third more work."),
    .integer(
      "prefetch", \.prefetch, 1...1_000,
      "Batches of fields read ahead; null: as many as fit into an eighth of the free memory, 2 to 16."),
    .number(
      "stallMinutes", \.stallMinutes, 0.02...100_000,
      "A rank on which nothing proceeds for so long, whether it computes, reads or waits for others, says where it is and ends "
        + "the job; null: never."),
  ]
}
