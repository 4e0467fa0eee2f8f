import Basics
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

  /// What 'jigsaw train' does in a folder with checkpoints.
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
      "What 'jigsaw train' does with a folder that holds checkpoints; never: refuse; auto: go on from the newest."),
    .section("parallel", \.parallel, "How one model is shared by several ranks (docs/parallel.md)."),
    .section("data", \.data, "Where samples come from and what a sample is."),
    .model("model", \.model, "The model family and its settings."),
    .section("training", \.training, "How the model is trained (docs/training.md)."),
    .section("forecast", \.forecast, "What 'jigsaw forecast' does unless told otherwise."),
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

/// A span of time, both ends included.
public struct PeriodSection: Section {
  public var start: Timestamp?
  public var end: Timestamp?

  public init() {}

  public static let fields: [Field<PeriodSection>] = [
    .date("start", \.start, "First time, UTC, for example 2001-01-01 or 2001-01-01T06:00."),
    .date("end", \.end, "Last time, included."),
  ]

  /// Both ends, or an error that names the missing one.
  public func range(_ key: String) throws -> (start: Timestamp, end: Timestamp) {
    guard let start, let end else {
      throw JigsawError(key, "needs a start and an end", remedy: "set \(key).start and \(key).end")
    }
    guard start <= end else {
      throw JigsawError(key, "ends before it starts", found: "\(start.display) … \(end.display)")
    }
    return (start, end)
  }
}

public struct SourceSection: Section {
  public var path: String?
  public var open: JSONValue?
  public var names: [String: String] = [:]

  public init() {}

  public static let fields: [Field<SourceSection>] = [
    .text(
      "path", \.path,
      "A NetCDF file, a Zarr folder, an Anemoi dataset, or a pattern such as data/era5-*.nc (files in order of time)."),
    .nested(
      "open", \.open,
      "In place of path: datasets opened, cut and combined as by Anemoi's open_dataset, with its names (docs/data.md), "
        + "for example {dataset: a.zarr, area: [70, -20, 30, 40]}."),
    .textMap(
      "names", \.names, "Our name: the name in this store, where it isn't a common one, for example {msl: slp}."),
  ]
}

public struct DataSection: Section {
  public var sources: [SourceSection] = []
  public var variables: [String] = []
  public var levels: [Double] = []
  public var rows: Int?
  public var staticFields: [String] = []
  public var impute: [String: Imputation] = [:]
  public var forcings: [String] = []
  public var diagnostic: [String] = []
  public var boundary = Boundary.none
  public var stepHours = 6
  public var inputSteps = [0]
  public var train = PeriodSection()
  public var validation = PeriodSection()
  public var test = PeriodSection()
  public var statistics: String?
  public var cacheGiB: Double?
  public var notice: String?

  public init() {}

  public static let fields: [Field<DataSection>] = [
    .sections("sources", \.sources, "Stores of fields on one regular latitude-longitude grid; several add variables."),
    .texts(
      "variables", \.variables, "Predicted variables (z, t, u, v, q, msl, t2m, u10, v10, …), in the model's order."),
    .numbers("levels", \.levels, minimum: 0, "Pressure levels in hPa for those variables that have levels."),
    .integer(
      "rows", \.rows, 2...100_000, "Use only so many grid rows from the north, for example 720 of 721; null: all."),
    .texts("static", \.staticFields, "Input fields without time, for example [lsm, orog]."),
    .imputations(
      "impute", \.impute,
      "Variables that never have values at some points, and what the model gets there: {sst: mean, swh: 0, ci: nearest}. "
        + "These points are no part of loss, scores and statistics; forecasts have none there."),
    .texts(
      "forcings", \.forcings,
      "Input fields that are not predicted. Computed: cos_julian_day, sin_julian_day, cos_local_time, sin_local_time, "
        + "insolation, cos_latitude, sin_latitude, cos_longitude, sin_longitude; any other name is a variable of the sources, "
        + "read at every input time, also in forecasts, for example sst."),
    .texts(
      "diagnostic", \.diagnostic,
      "Those of the variables that are predicted but never given to the model, for example [tp]."),
    .choice(
      "boundary", \.boundary,
      "Points that are read but not predicted: none; cutout: all but those of a cutout's first dataset. At every step they "
        + "have the values of the data, in forecasts too."),
    .integer("stepHours", \.stepHours, 1...8_760, "Hours that one step of the model covers."),
    .integers(
      "inputSteps", \.inputSteps, in: -8_760...0,
      "Hours of the states that the model reads, before the start of a step, which is 0: multiples of stepHours, for example [-6, 0]."
    ),
    .section("train", \.train, "Period to train on; statistics and climatology come from it too."),
    .section("validation", \.validation, "Period watched during training; leave empty for none."),
    .section("test", \.test, "Period that forecasts start from by default."),
    .text(
      "statistics", \.statistics,
      "File with statistics from 'jigsaw data stats'; 'dataset': those that Anemoi datasets bring; null: computed when "
        + "training starts."),
    .number(
      "cacheGiB", \.cacheGiB, 0...1_000_000,
      "Memory of each rank for decoded fields, so that each is read from disk once; null: a quarter of the free memory, shared."
    ),
    .text(
      "notice", \.notice,
      "What readers of a report must know of these data, for example \"simulated, not observed\"; null: nothing."),
  ]
}

extension DataSection {
  /// The forcings that are computed.
  public var computedForcings: [Forcing] { forcings.compactMap(Forcing.init(rawValue:)) }

  /// The forcings that are read from the sources.
  public var readForcings: [String] { forcings.filter { Forcing(rawValue: $0) == nil } }

  /// Input times in steps before the start, ascending to 0.
  /// - Throws: when they are not multiples of a step, or don't end with 0.
  public func stepsOfInputs() throws -> [Int] {
    let isAscending = zip(inputSteps, inputSteps.dropFirst()).allSatisfy { $0 < $1 }
    guard inputSteps.last == 0, isAscending, inputSteps.allSatisfy({ $0 % stepHours == 0 }) else {
      throw JigsawError(
        "data.inputSteps", "are no hours that the model can step on from",
        expected: "ascending multiples of data.stepHours (\(stepHours)) that end with 0",
        found: "[\(inputSteps.map(String.init).joined(separator: ", "))]",
        remedy: "set it to [0], or for example to [-\(stepHours), 0]")
    }
    return inputSteps.map { $0 / stepHours }
  }
}

public struct LossSection: Section {
  public var kind = LossKind.squared
  public var huberDelta = 1.0
  public var latitudeWeights = LossWeights.Latitude.area
  public var firstGridShare: Double?
  public var perTendency = false
  public var variableWeights: [String: Double] = [:]
  public var levelWeights: [String: Double] = [:]

  public init() {}

  public static let fields: [Field<LossSection>] = [
    .choice(
      "kind", \.kind,
      "Loss of an error e times its weights of variable and level, in standard deviations: squared: e²; absolute: |e|; huber: ½e² up "
        + "to huberDelta, then linear; logCosh: log cosh e."),
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
  public var decayKind = Optimizer.DecayKind.decoupled
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
      "clipValue", \.clipValue, 0...1_000_000,
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
      "Turn each sample around the globe's axis by a random multiple of a patch, statics included: more from little data."
    ),
    .flag(
      "checkpointActivations", \.checkpointActivations,
      "Keep only each block's input for backward and compute the block again: less memory, about a third more work."),
    .integer(
      "prefetch", \.prefetch, 1...1_000,
      "Batches of fields read ahead; null: as many as fit into an eighth of the free memory, 2 to 16."),
  ]
}
