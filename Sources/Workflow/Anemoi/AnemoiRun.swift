import Basics
import Checkpoints
import Communication
import Configuration
import Datasets
import Distribution
import Execution
import Geometry
import Models
import Stores
import Tensors
import Training

/// A checkpoint of Anemoi as a run: what `forecast`, `evaluate`, `report` and `resume` take as their own.
struct AnemoiRun {
  private let checkpoint: AnemoiCheckpoint
  private let reader: AnemoiModelReader
  private let variables: AnemoiVariables
  private let description: ModelDescription
  private let grid: FieldGrid
  private let stepHours: Int
  private let folder: RunFolder
  /// Its data: a path that the user names, or what the checkpoint's metadata say; nil where they say nothing.
  private let source: SourceSection?
  private let periods: AnemoiPeriods
  /// Static fields of the data; nil where the data aren't there.
  private var staticSignatures: [StaticSignature]?

  /// - Parameters:
  ///   - output: the run folder.
  ///   - data: a store with its variables; nil: as the checkpoint tells.
  /// - Throws: naming what of the model no run can have.
  init(_ checkpoint: AnemoiCheckpoint, output: String, data: String?) throws {
    self.checkpoint = checkpoint
    folder = RunFolder(output)
    let places = try AnemoiRun.grid(checkpoint)
    reader = AnemoiModelReader(checkpoint, order: places.order)
    try AnemoiRun.checkSurroundings(
      checkpoint.metadata["config"] ?? .null, checkpoint.dataset,
      outputMask: checkpoint.supportingArrays()["output_mask"]?.bytes, checkpoint.path)
    variables = try AnemoiVariables(checkpoint, reader)
    stepHours = try AnemoiRun.stepHours(checkpoint)
    periods = try AnemoiPeriods(checkpoint, stepHours: stepHours)
    grid = places.grid
    source = data.map(AnemoiRun.source(path:)) ?? AnemoiRun.source(checkpoint)
    let (v, predicted) = (variables, variables.predicted)
    var fields = ModelFields(
      gridRows: grid.rows, gridColumns: grid.columns, variables: predicted.count,
      auxiliaries: v.statics.count + v.computed.count + v.read.count,
      tendencyScale: [Float](repeating: 1, count: predicted.count), points: grid.places)
    fields.inputSteps = Array(1 - checkpoint.inputSteps...0)
    fields.diagnostics = Set(v.diagnostics)
    fields.scaling = predicted.map {
      FieldScaling(name: $0.channel.name, offset: Float($0.scaling.offset), scale: Float($0.scaling.scale))
    }
    fields.graph = reader.graph
    let settings = try reader.description().settings(
      fields,
      ImportedOrders(
        inputs: v.inputOrder, outputs: v.outputOrder,
        graphFile: "\(folder.path)/\(places.order == nil ? "graph" : AnemoiRun.orderedGraph).safetensors"),
      place: checkpoint.path)
    description = ModelDescription(settings, fields)
    // Whatever can't be a run is found before anything is written.
    let model = try description.makeModel()
    try reader.requireShapes(model.parameters)
    try reader.load(ParameterStore(model.parameters, hasGradients: false))
    if let contradiction = manifest(model).contradiction {
      throw JigsawError(checkpoint.path, "has settings that no run can have (\(contradiction))")
    }
  }

  /// Requires that the data are on the model's points and have all that it reads and predicts, and records their static fields, with
  /// which those of later data are compared. For data that the user names: what a checkpoint names is not opened.
  /// - Returns: sentences on data that aren't there, and on periods that they don't have.
  mutating func compareData() throws -> [String] {
    guard let data = source?.path, data.contains("://") || Files.exists(data) else {
      return [
        "\(source?.path ?? "the store") is not there; its static fields are not recorded, and later ones not compared with them"
      ]
    }
    let dataset = try Assembly.dataset(
      for: try manifest(description.makeModel()), configuration.data, cacheBytes: 0, threads: ThreadTeam.availableCPUs)
    staticSignatures = try dataset.staticSignatures()
    let named = [("train", periods.training), ("validation", periods.validation), ("test", periods.test)]
    return named.compactMap { name, period in
      guard let period, dataset.indices(from: period.start, through: period.end).isEmpty else { return nil }
      return "the data hold no time of data.\(name), \(period.start.display) to \(period.end.display)"
    }
  }

  /// Writes the run into a folder that is to get the name of `output` later.
  func write(to temporary: String) throws {
    let folder = RunFolder(temporary)
    let model = try description.makeModel()
    let rank = try Assembly.rank(
      ParallelSection(), model, batch: 1, products: Precision.fp32.products().backend, trains: true,
      RunContext(SingleRank(), threads: 0, console: .silent))
    try reader.load(rank.parameters)
    let optimizer = Optimizer(rank.parameters, rank.compute, OptimizerOptions())
    let path = "\(folder.checkpoints().path)/\(CheckpointFolder.name(update: 0))"
    try Files.createDirectory(folder.checkpoints().path)
    try Checkpoint.write(manifest(model), rank, optimizer: optimizer.state, to: path)
    if reader.graph != checkpoint.graph {
      try GraphFile.write(reader.graph, to: "\(folder.path)/\(AnemoiRun.orderedGraph).safetensors")
    }
    try Assembly.save(statistics, to: folder.statistics)
    try Files.writeAtomically(configuration.yaml(comments: true), to: folder.configuration)
  }

  /// The graph with the points of a raster in the order of rows, where the checkpoint has them in another.
  private static let orderedGraph = "graph-by-rows"

  // MARK: What is known of it

  private static func source(path: String) -> SourceSection {
    var source = SourceSection()
    source.path = path
    return source
  }

  /// The data of a checkpoint's training: a store, or the arguments of `open_dataset`; nil where its metadata name none.
  private static func source(_ checkpoint: AnemoiCheckpoint) -> SourceSection? {
    let loader = checkpoint.metadata["config"]?["dataloader"]?["training"]
    let opened =
      checkpoint.metadata["dataset"]?[checkpoint.dataset]?["arguments"]?["args"]?.array?.first
      ?? loader?["datasets"]?[checkpoint.dataset]?["dataset_config"] ?? loader?["dataset"] ?? .null
    if let path = opened.string { return source(path: path) }
    // The step is the run's.
    if let path = opened["dataset"]?.string, Set((opened.object ?? [:]).keys).isSubset(of: ["dataset", "frequency"]) {
      return source(path: path)
    }
    guard opened.object != nil else { return nil }
    var source = SourceSection()
    source.open = opened
    return source
  }

  /// A sentence where nothing says what its data are; nil where something does.
  var dataNote: String? {
    if source != nil { return nil }
    return
      "\(checkpoint.path) doesn't say what it was trained on; name data in data.sources of config.yaml, or with --data"
  }

  private func entries(_ variables: [AnemoiVariables.Variable]) -> [CheckpointManifest.ChannelEntry] {
    variables.map {
      CheckpointManifest.ChannelEntry(
        channel: $0.channel, units: $0.units, statistics: AnemoiRun.statistics($0.scaling))
    }
  }

  /// Its file tells neither extremes nor changes: changes are taken to be as large as the field's unit.
  private static func statistics(_ scaling: AffineScaling) -> ChannelStatistics {
    ChannelStatistics(
      mean: scaling.offset, deviation: scaling.scale, minimum: scaling.offset, maximum: scaling.offset,
      tendencyMean: 0, tendencyDeviation: scaling.scale)
  }

  private var statistics: DatasetStatistics {
    DatasetStatistics(
      start: periods.training.start.description, end: periods.training.end.description, stepHours: stepHours,
      timeCount: 0,
      channels: Dictionary(
        entries(variables.predicted + variables.read).map { ($0.channel.name, $0.statistics) }
      ) { first, _ in first })
  }

  private func manifest(_ model: any ForecastModel) -> CheckpointManifest {
    var manifest = CheckpointManifest(
      version: jigsawVersion, model: description, parameterCount: model.parameters.elementCount, grid: grid,
      stepHours: stepHours, channels: entries(variables.predicted),
      staticFields: variables.statics.map(\.channel.name), forcings: variables.computed.map(\.forcing),
      trainingStart: periods.training.start.description, trainingEnd: periods.training.end.description,
      optimizer: OptimizerOptions(),
      progress: CheckpointManifest.Progress(update: 0, samples: 0, samplesPerEpoch: 0, seed: 0))
    let run = checkpoint.metadata["run_id"]?.string ?? checkpoint.metadata["uuid"]?.string
    manifest.imported =
      "\(checkpoint.path.split(separator: "/").last ?? "a checkpoint") of anemoi-training\(run.map { ", run \($0)" } ?? "")"
    manifest.auxiliaryScaling = (variables.statics + variables.computed.map(\.variable)).map(\.scaling)
    manifest.readForcings = variables.read.isEmpty ? nil : entries(variables.read)
    manifest.staticSignatures = staticSignatures
    return manifest
  }

  private var configuration: RunConfiguration {
    var configuration = RunConfiguration()
    configuration.run = folder.path
    configuration.model = description.settings
    func names(_ variables: [AnemoiVariables.Variable]) -> [String] {
      variables.reduce(into: []) { if !$0.contains($1.channel.variable) { $0.append($1.channel.variable) } }
    }
    configuration.data.sources = [source].compactMap(\.self)
    configuration.data.variables = names(variables.predicted)
    configuration.data.levels = variables.levels
    configuration.data.diagnostic = names(variables.diagnostics.map { variables.predicted[$0] })
    configuration.data.staticFields = variables.statics.map(\.channel.name)
    configuration.data.forcings = variables.computed.map(\.forcing.rawValue) + names(variables.read)
    configuration.data.stepHours = stepHours
    configuration.data.inputSteps = description.fields.inputSteps.map { $0 * stepHours }
    (configuration.data.train.start, configuration.data.train.end) = periods.training
    if let period = periods.validation {
      (configuration.data.validation.start, configuration.data.validation.end) = period
    }
    if let period = periods.test { (configuration.data.test.start, configuration.data.test.end) = period }
    configuration.data.statistics = folder.statistics
    // For further training: a thousandth of the original's, at a small rate.
    configuration.training.updates = 1_000
    configuration.training.batchSize = 1
    configuration.training.learningRate = 1e-5
    configuration.training.finalLearningRate = 1e-7
    return configuration
  }

  /// Processing around an original's network that no run does.
  /// - Throws: naming it.
  static func checkSurroundings(
    _ configuration: JSONValue, _ dataset: String, outputMask: [UInt8]?, _ path: String
  ) throws {
    let data = configuration["data"]
    let processors = data?["datasets"]?[dataset]?["processors"] ?? data?["processors"]
    for (name, processor) in (processors?.object ?? [:]).sorted(by: { $0.key < $1.key }) where name != "normalizer" {
      let settings = processor["config"]?.object ?? [:]
      if settings.allSatisfy({ $0.key == "default" && $0.value.string == "none" }) && !settings.isEmpty { continue }
      throw JigsawError(
        path, "prepares its variables with '\(name)', which no run does", expected: "a normalizer alone",
        found: processor["_target_"]?.string ?? name)
    }
    let mask = configuration["model"]?["output_mask"]
    let target = (mask?["datasets"]?[dataset] ?? mask)?["_target_"]?.string
    guard target?.hasSuffix("NoOutputMask") ?? true, outputMask?.allSatisfy({ $0 != 0 }) ?? true else {
      throw JigsawError(
        path, "takes true values outside of an area, which no run does", expected: "predictions at all points",
        found: target ?? "an output mask")
    }
  }

  /// Hours of `6h`, `1D`; input states must lie one step apart.
  private static func stepHours(_ checkpoint: AnemoiCheckpoint) throws -> Int {
    let text = checkpoint.timestep ?? ""
    let units = ["h": 1, "H": 1, "d": 24, "D": 24]
    guard let unit = text.last.flatMap({ units[String($0)] }), let count = Int(text.dropLast()),
      (1...8_760).contains(count)
    else {
      throw JigsawError(checkpoint.path, "has a time step that no run has", expected: "whole hours", found: text)
    }
    let times = checkpoint.metadata["metadata_inference"]?[checkpoint.dataset]?["timesteps"]?[
      "input_relative_date_indices"]?
      .integers
    if let times, times != Array(0..<checkpoint.inputSteps) {
      throw JigsawError(
        checkpoint.path, "reads states that don't lie one step apart", expected: "\(Array(0..<checkpoint.inputSteps))",
        found: "\(times)")
    }
    return count * unit
  }

  /// A raster where the points are one, as data on them have it: rows from north to south.
  ///
  /// - Returns: also which point of the checkpoint each one is; nil where they are in its order.
  private static func grid(_ checkpoint: AnemoiCheckpoint) throws -> (grid: FieldGrid, order: [Int]?) {
    let arrays = try checkpoint.supportingArrays()
    func degrees(_ name: String) throws -> [Double] {
      guard let tensor = arrays[name], ["F32", "F64"].contains(tensor.type) else {
        throw JigsawError(checkpoint.path, "lacks the coordinates of its data", expected: name)
      }
      return tensor.bytes.withUnsafeBytes { bytes in
        tensor.type == "F32"
          ? (0..<bytes.count / 4).map { Double(bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)) }
          : (0..<bytes.count / 8).map { bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) }
      }
    }
    let (latitudes, longitudes) = (try degrees("latitudes"), try degrees("longitudes"))
    guard latitudes.count == longitudes.count else {
      throw JigsawError(checkpoint.path, "has more latitudes than longitudes, or fewer")
    }
    let found = grid(latitudes: latitudes, longitudes: longitudes)
    guard latitudes.count == checkpoint.graph.spaces["data"]?.count else {
      throw JigsawError(
        checkpoint.path, "has coordinates of other points than its graph",
        expected: "\(checkpoint.graph.spaces["data"]?.count ?? 0)", found: "\(latitudes.count)")
    }
    return found
  }

  /// A raster where points are one, in degrees.
  static func grid(latitudes: [Double], longitudes: [Double]) -> (grid: FieldGrid, order: [Int]?) {
    let points = PointGrid(latitudes: latitudes, longitudes: longitudes)
    guard let found = points.regular() else { return (.points(points), nil) }
    return (.raster(found.grid), found.order == Array(found.order.indices) ? nil : found.order)
  }
}
