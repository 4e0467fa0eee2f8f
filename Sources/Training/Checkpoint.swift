import Basics
import Communication
import Datasets
import Distribution
import Execution
import FoundationEssentials
import Models
import Stores
import Tensors

/// What a checkpoint says of itself: everything needed to run the model on data, and to go on training it.
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
    /// What the best loss was measured by, to be compared as a whole; null in checkpoints of version 0.1.
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
  /// Of version 0.1, whose manifests had no checksums.
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
  /// Period of the statistics (and of training).
  public let trainingStart, trainingEnd: String
  public let optimizer: Optimizer.Options
  public var progress: Progress
  /// Of the products it was last trained with, for the record; null in checkpoints of versions that had one precision.
  public var precision: String?
  /// By channel, what the model gets where the data have no values, and where that is (`ImputedField.signature`).
  public var imputed: [String: String]?
  /// Of the data it was trained on; null where that was not recorded.
  public var data: DataFingerprint?
  /// Of another training, with which this one began; null where it began with random numbers.
  public var initialWeights: InitialWeights.Origin?
  /// Of the manifest without these eight digits.
  var checksum: String?
  /// What is in the files beside the manifest, by name; null in checkpoints of version 0.1.
  public var files: [String: CheckpointFile]?

  public init(
    version: String, model: ModelDescription, parameterCount: Int, grid: FieldGrid, stepHours: Int,
    channels: [ChannelEntry], staticFields: [String], forcings: [Forcing], trainingStart: String, trainingEnd: String,
    optimizer: Optimizer.Options, progress: Progress
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

  /// What doesn't fit together, if anything: a damaged manifest must not be computed with.
  var contradiction: String? {
    if let key = model.contradiction { return key }
    let fields = model.fields
    guard grid.isPossible, fields.gridRows == grid.rows, fields.gridColumns == grid.columns else { return "grid" }
    guard channels.count == fields.variables, Set(channels.map(\.channel)).count == channels.count,
      channels.allSatisfy({ $0.statistics.isUsable })
    else { return "channels" }
    let read = readForcings ?? []
    guard staticFields.count + forcings.count + read.count == fields.auxiliaries else { return "staticFields" }
    guard Set(read.map(\.channel)).count == read.count, read.allSatisfy({ $0.statistics.isUsable }) else {
      return "readForcings"
    }
    guard (1...8_760).contains(stepHours) else { return "stepHours" }
    guard [progress.update, progress.samples, progress.samplesPerEpoch].allSatisfy({ (0...1 << 50).contains($0) })
    else { return "progress" }
    let names = (channels + read).map(\.channel.name) + staticFields
    guard names.allSatisfy({ SafeName.problem($0) == nil }) else { return "names" }
    return nil
  }

  public var normalization: Normalization { get throws { try normalization(of: channels) } }

  /// Of the read forcings; nil where there are none.
  public var forcingNormalization: Normalization? { get throws { try readForcings.map(normalization) } }

  private func normalization(of entries: [ChannelEntry]) throws -> Normalization {
    try Normalization(
      DatasetStatistics(
        start: trainingStart, end: trainingEnd, stepHours: stepHours, timeCount: 0,
        channels: Dictionary(uniqueKeysWithValues: entries.map { ($0.channel.name, $0.statistics) })),
      channels: entries.map(\.channel), place: "checkpoint")
  }
}

/// A checkpoint: a folder with a manifest and the numbers as safetensors. Ranks write and read it together, each its parts;
/// nothing in it depends on the mesh, so that training goes on with any number of ranks.
///
/// ```
/// update-0001000/
///   manifest.json            what the model is, reads and writes; where training stands
///   model.safetensors        the parameters by name
///   average.safetensors      their moving average, if there is one (what forecasts use)
///   optimizer.safetensors    moment1.NAME, moment2.NAME
///   points.safetensors       latitudes and longitudes, of points that are no raster
/// ```
public struct Checkpoint: Sendable {
  public let path: String
  public let manifest: CheckpointManifest

  static let manifestName = "manifest.json"
  static let modelName = "model.safetensors"
  static let averageName = "average.safetensors"
  static let optimizerName = "optimizer.safetensors"

  /// Opens a checkpoint folder and reads its manifest.
  public init(_ path: String) throws {
    self.path = path
    let file = "\(path)/\(Checkpoint.manifestName)"
    guard Files.isDirectory(path), Files.exists(file) else {
      throw JigsawError(
        path, "is not a checkpoint", expected: "a folder with \(Checkpoint.manifestName)",
        remedy: "name a folder such as RUN/checkpoints/update-0001000")
    }
    let bytes = try Files.read(file)
    // The format first: another one may differ in everything else.
    if let format = try? JSONDecoder().decode(Format.self, from: Data(bytes)),
      format.format != CheckpointManifest.currentFormat,
      format.format != CheckpointManifest.formatWithoutChecksums
    {
      throw JigsawError(
        file, "has another format", expected: CheckpointManifest.currentFormat, found: format.format,
        remedy: "load it with the version of jigsaw that wrote it\(format.version.map { " (\($0))" } ?? "")")
    }
    var manifest: CheckpointManifest
    do {
      manifest = try JSONDecoder().decode(CheckpointManifest.self, from: Data(bytes))
    } catch let unknown as UnknownModelFamily {
      throw JigsawError(
        file, "is of a model family that this version doesn't have",
        expected: ModelFamilies.names.joined(separator: ", "), found: unknown.name,
        remedy: "load it with the version of jigsaw that wrote it")
    } catch {
      throw JigsawError(
        file, "can't be read as the manifest of a checkpoint",
        remedy: "it is damaged or from another version; use another")
    }
    if manifest.format == CheckpointManifest.currentFormat { try manifest.requireChecksum(of: bytes, file) }
    if let key = manifest.contradiction {
      throw JigsawError(file, "contradicts itself (\(key))", remedy: "it is damaged; use another checkpoint")
    }
    try manifest.readPoints(from: path)
    self.manifest = manifest
  }

  private struct Format: Decodable {
    let format: String
    let version: String?
  }

  /// Writes a checkpoint under a temporary name, syncs it, and renames it to `path`. All ranks call it together.
  ///
  /// - Parameter withMoments: whether training can go on from it; a checkpoint for forecasts needs only the weights.
  /// - Throws: on every rank, if any of them can't write its part.
  public static func write(
    _ manifest: CheckpointManifest, _ rank: ModelRank, optimizer: Optimizer, withMoments: Bool = true, to path: String
  ) throws {
    let world = rank.context.world
    // One name for all ranks.
    let temporary = try world.broadcast(world.rank == 0 ? Temporary.name(for: path) : "", from: 0)
    let owned = optimizer.owned
    func piece(_ memory: Tensor, _ prefix: String = "") -> ParameterFile.Piece {
      ParameterFile.Piece(prefix: prefix, memory: memory, owned: owned)
    }
    var files = [
      ParameterFile(
        path: "\(temporary)/\(modelName)",
        pieces: [ParameterFile.Piece(prefix: "", memory: rank.parameters.values, owned: nil)])
    ]
    if let average = optimizer.average {
      files.append(ParameterFile(path: "\(temporary)/\(averageName)", pieces: [piece(average)]))
    }
    if withMoments {
      files.append(
        ParameterFile(
          path: "\(temporary)/\(optimizerName)",
          pieces: [piece(optimizer.moment1, "moment1."), piece(optimizer.moment2, "moment2.")]))
    }
    do {
      var created: [(headerChecksum: UInt32, length: Int)] = []
      try world.together(onlyOn: 0) {
        try Files.createNewDirectory(temporary, shownAs: path)
        for file in files {
          created.append(
            try file.create(rank.parameters.table, metadata: ["format": "pt", "jigsaw": manifest.version]))
        }
      }
      var own: [[UInt32]] = []
      try world.together { for file in files { own.append(try file.write(rank)) } }
      let remainders = try own.map { try CheckpointFile.whole($0, on: world) }
      try world.together(onlyOn: 0) {
        var manifest = manifest
        manifest.format = CheckpointManifest.currentFormat
        let points = try manifest.grid.write(to: temporary, metadata: ["jigsaw": manifest.version])
        manifest.files = points.map { [CheckpointGrid.fileName: $0] } ?? [:]
        for (index, file) in files.enumerated() {
          let name = String(file.path.split(separator: "/").last ?? "")
          manifest.files?[name] = CheckpointFile(
            length: created[index].length, headerChecksum: created[index].headerChecksum,
            tensors: zip(file.names(rank.parameters.table), remainders[index]).map { ($0.name, $0.byteCount, $1) })
        }
        try Files.writeAtomically(try manifest.document(), to: "\(temporary)/\(manifestName)")
        try Files.syncDirectory(temporary)
        try Files.replace(path, by: temporary)
      }
    } catch {
      if world.rank == 0 { try? Files.remove(temporary) }
      throw error
    }
  }

  /// Which weights to load.
  public enum Weights {
    /// As trained.
    case current
    /// The moving average where there is one, else as trained: what forecasts use.
    case averaged
  }

  /// Fills this rank's parts of the parameters of a model built from this checkpoint's description.
  ///
  /// - Parameter only: names of the parameters to fill; nil: all.
  public func load(_ weights: Weights, into rank: ModelRank, only: Set<String>? = nil) throws {
    try read(
      file(weights), [ParameterFile.Piece(prefix: "", memory: rank.parameters.values, owned: nil)], rank, only: only)
  }

  func file(_ weights: Weights) -> String {
    weights == .averaged && hasAverage ? Checkpoint.averageName : Checkpoint.modelName
  }

  /// By the manifest, not by the files: one that is missing must not go unnoticed.
  private var hasAverage: Bool { manifest.optimizer.averageDecay > 0 }

  /// Whether training can go on from it.
  /// - Throws: when a file or a parameter that there should be is missing or has another shape.
  public func checkComplete(_ table: ParameterTable) throws -> Bool {
    let moments = "\(path)/\(Checkpoint.optimizerName)"
    let isResumable = Files.exists(moments)
    var files = [("\(path)/\(Checkpoint.modelName)", "")]
    if hasAverage { files.append(("\(path)/\(Checkpoint.averageName)", "")) }
    if isResumable { files += [(moments, "moment1."), (moments, "moment2.")] }
    for (file, prefix) in files {
      let opened = try Safetensors.File(file)
      for spec in table.specs { _ = try opened.entry(prefix + spec.name, shape: spec.shape) }
    }
    return isResumable
  }

  /// Fills the optimiser's moments and average, as far as this rank owns them.
  public func load(into optimizer: Optimizer, _ rank: ModelRank) throws {
    func piece(_ memory: Tensor, _ prefix: String = "") -> ParameterFile.Piece {
      ParameterFile.Piece(prefix: prefix, memory: memory, owned: optimizer.owned)
    }
    let moments = [piece(optimizer.moment1, "moment1."), piece(optimizer.moment2, "moment2.")]
    try read(Checkpoint.optimizerName, moments, rank)
    if let average = optimizer.average {
      let name = hasAverage ? Checkpoint.averageName : Checkpoint.modelName
      try read(name, [piece(average)], rank)
    }
  }

  /// Reads a file, each rank its parts, and compares the checksums of the whole tensors with those of the manifest.
  /// - Throws: on every rank, naming the file and the tensor that is not what was written.
  private func read(
    _ name: String, _ pieces: [ParameterFile.Piece], _ rank: ModelRank, only: Set<String>? = nil
  ) throws {
    let file = ParameterFile(path: "\(path)/\(name)", pieces: pieces, only: only)
    let world = rank.context.world
    var own: [UInt32] = []
    try world.together {
      if let record = try record(name) { try record.requireHeader(of: Safetensors.File(file.path)) }
      own = try file.read(rank)
    }
    let whole = try CheckpointFile.whole(own, on: world)
    guard let record = try record(name) else { return }
    for ((tensor, byteCount), remainder) in zip(file.names(rank.parameters.table), whole) {
      try record.require(
        tensor, CRC32C.checksum(remainder: remainder, byteCount: byteCount), byteCount, place: file.path)
    }
  }

  /// What the manifest says of a file; nil in checkpoints of version 0.1.
  private func record(_ name: String) throws -> CheckpointFile? {
    try manifest.record(name, in: path)
  }
}
