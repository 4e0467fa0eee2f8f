import Basics
import Datasets
import Models
import Tensors

/// The manifest of a checkpoint: everything needed to run the model on data, and to resume its training.
public struct CheckpointManifest: Sendable, Codable, Equatable {
  /// One channel of the model with its unit and what it is normalised with.
  public struct ChannelEntry: Sendable, Codable, Equatable {
    public let variable: String
    public let levelHPa: Double?
    public let units: String
    public let statistics: ChannelStatistics

    public var channel: Channel { Channel(variable: variable, levelHPa: levelHPa) }

    public init(channel: Channel, units: String, statistics: ChannelStatistics) {
      variable = channel.variable
      levelHPa = channel.levelHPa
      self.units = units
      self.statistics = statistics
    }
  }

  /// Where training stands. All random numbers are functions of the seed and these counts.
  public struct Progress: Sendable, Codable, Equatable {
    public var update: Int
    /// Visited so far; with `samplesPerEpoch` this is the sampler's epoch and place in it.
    public var samples: Int
    public var samplesPerEpoch: Int
    public var seed: UInt64
    /// The counter-based generator that all random numbers come from.
    public var generator = "philox-4x32-10"
    public var bestValidationLoss: Double?
    public var bestUpdate: Int?
    /// The measure of the best loss, to be compared as a whole; null in checkpoints of version 0.1.
    public var bestMeasure: String?
    /// Update of the last validation.
    public var validatedUpdate: Int?

    /// Samples of every update so far; nil before the first, and where their number has changed.
    public var samplesPerUpdate: Int? {
      update > 0 && samples > 0 && samples % update == 0 ? samples / update : nil
    }

    public init(update: Int, samples: Int, samplesPerEpoch: Int, seed: UInt64) {
      self.update = update
      self.samples = samples
      self.samplesPerEpoch = samplesPerEpoch
      self.seed = seed
    }
  }

  public static let currentFormat = "jigsaw-checkpoint-2"
  /// The format of version 0.1, whose manifests had no checksums.
  public static let formatWithoutChecksums = "jigsaw-checkpoint-1"

  public var format = CheckpointManifest.currentFormat
  /// Version of the program that wrote it.
  public let version: String
  public internal(set) var model: ModelDescription
  public let parameterCount: Int
  public internal(set) var grid: CheckpointGrid
  public let stepHours: Int
  /// Predicted variables, in the order of the model.
  public let channels: [ChannelEntry]
  /// Static fields, then forcings, in the order of the model.
  public let staticFields: [String]
  public let forcings: [Forcing]
  /// Forcings that are read, behind the computed ones; null where there are none.
  public var readForcings: [ChannelEntry]?
  /// How static fields, then computed forcings are normalised; null in checkpoints of versions that did not record it: static
  /// fields by their own mean and deviation over the grid, forcings not at all.
  public var auxiliaryScaling: [AffineScaling]?
  /// The static fields' signatures; null in checkpoints of versions that did not record it, and of others' models.
  public var staticSignatures: [StaticSignature]?
  /// Period of the statistics (and of training).
  public let trainingStart, trainingEnd: String
  public let optimizer: OptimizerOptions
  public var progress: Progress
  /// Precision of the matrix products of the last training, for the record; null in checkpoints of versions that had one precision.
  public var precision: String?
  /// By channel, what the model gets where the data have no values, and where that is (`ImputedField.signature`).
  public var imputed: [String: String]?
  /// Points that are read but not predicted (`FieldDataset.boundarySignature`); null for none.
  public var boundary: String?
  /// Fingerprint of the data it was trained on; null where that was not recorded.
  public var data: DataFingerprint?
  /// The checkpoint of another training whose weights this one began with; null where it began with random numbers.
  public var initialWeights: InitialWeights.Origin?
  /// A digest of the data and settings that its training began with, the same in all checkpoints of a run; null in checkpoints of
  /// versions that did not record it.
  public var training: String?
  /// The section `training` of the configuration that it was last trained with, as YAML; null in checkpoints of versions that did not
  /// record it.
  public var trainingSettings: String?
  /// The best checkpoint that was beside it when it was written; null for none, and in the best ones.
  public var best: Lineage.Model?
  /// Periods that its weights were trained on before, elsewhere; null for none, and where that was not recorded.
  public var trainedBefore: [Lineage.Period]?
  /// The period by which its best checkpoint is chosen; null for none, and where that was not recorded.
  public var validated: Lineage.Period?
  /// Where a model that others trained comes from, in words; null where it was trained here from the start.
  public var imported: String?
  /// Checksum of the manifest without these eight digits.
  var checksum: String?
  /// Records of the files beside the manifest, by name; null in checkpoints of version 0.1.
  public var files: [String: CheckpointFile]?

  public init(
    version: String, model: ModelDescription, parameterCount: Int, grid: FieldGrid, stepHours: Int,
    channels: [ChannelEntry], staticFields: [String], forcings: [Forcing], trainingStart: String, trainingEnd: String,
    optimizer: OptimizerOptions, progress: Progress
  ) {
    self.version = version
    self.model = model
    self.parameterCount = parameterCount
    self.grid = CheckpointGrid(grid)
    self.stepHours = stepHours
    self.channels = channels
    self.staticFields = staticFields
    self.forcings = forcings
    self.trainingStart = trainingStart
    self.trainingEnd = trainingEnd
    self.optimizer = optimizer
    self.progress = progress
  }

  /// The first contradiction among the entries, if any: a damaged manifest must not be computed with.
  public var contradiction: String? {
    if let key = model.contradiction { return key }
    let fields = model.fields
    guard grid.isPossible, fields.gridRows == grid.rows, fields.gridColumns == grid.columns else { return "grid" }
    // Statistics are found by name, and two channels can have the same: t_500 without a level, and t at 500 hPa.
    func isUsable(_ entries: [ChannelEntry]) -> Bool {
      Set(entries.map(\.channel.name)).count == entries.count && entries.allSatisfy { $0.statistics.isUsable }
    }
    guard channels.count == fields.variables, isUsable(channels) else { return "channels" }
    let read = readForcings ?? []
    guard staticFields.count + forcings.count + read.count == fields.auxiliaries else { return "staticFields" }
    guard isUsable(read) else { return "readForcings" }
    if let auxiliaryScaling {
      guard auxiliaryScaling.count == staticFields.count + forcings.count, auxiliaryScaling.allSatisfy(\.isUsable)
      else {
        return "auxiliaryScaling"
      }
    }
    guard (1...8_760).contains(stepHours) else { return "stepHours" }
    guard [progress.update, progress.samples, progress.samplesPerEpoch].allSatisfy({ (0...1 << 50).contains($0) })
    else { return "progress" }
    let names = (channels + read).map(\.channel.name) + staticFields
    guard names.allSatisfy({ SafeName.problem($0) == nil }) else { return "names" }
    return nil
  }

  /// All periods that its weights were trained on.
  public var trained: [Lineage.Period] {
    let own = Lineage.Period(trainingStart, trainingEnd)
    let isTrained = progress.samples > 0 || imported != nil && trainingStart != trainingEnd
    return (trainedBefore ?? []).filter { $0 != own } + (isTrained ? [own] : [])
  }

  public var normalization: Normalization { get throws { try normalization(of: channels) } }

  /// Normalisation of the read forcings; nil where there are none.
  public var forcingNormalization: Normalization? { get throws { try readForcings.map(normalization) } }

  private func normalization(of entries: [ChannelEntry]) throws -> Normalization {
    try Normalization(
      DatasetStatistics(
        start: trainingStart, end: trainingEnd, stepHours: stepHours, timeCount: 0,
        channels: Dictionary(uniqueKeysWithValues: entries.map { ($0.channel.name, $0.statistics) })),
      channels: entries.map(\.channel), place: "checkpoint")
  }
}
