import Basics
import Checkpoints
import Communication
import Configuration
import Datasets
import Distribution
import Execution
import Forecasting
import Models
import Stepping
import Tensors
import Training
import Verification

/// `jigsaw forecast`: from a checkpoint and initial states to a forecast store.
public struct ForecastWorkflow {
  public struct Request: Sendable {
    /// Initial times; both nil: the test period of the configuration.
    public var from, through: Timestamp?
    public var everyHours: Int?
    public var leadHours: Int?
    public var output: String?
    public var overwrites = false

    public init() {}
  }

  /// Which checkpoint of a run.
  public enum Choice: Equatable, Sendable {
    /// The best by validation if there is one, else the newest.
    case automatic
    case newest
    case best
    case path(String)

    /// The choice as a record of it says; a path below the run's folder from there on, so that the run can be moved.
    func text(in folder: RunFolder) -> String {
      switch self {
      case .automatic: "best, else newest"
      case .newest: "newest"
      case .best: "best"
      case .path(let path): folder.relative(path)
      }
    }
  }

  let configuration: RunConfiguration
  let folder: RunFolder
  let choice: Choice
  let console: Console
  let world: any Communicator

  public init(
    _ configuration: RunConfiguration, checkpoint: Choice, on world: any Communicator = SingleRank(),
    console: Console = Console()
  ) {
    self.configuration = configuration
    self.world = world
    self.console = world.rank == 0 ? console : .silent
    choice = checkpoint
    folder = RunFolder(configuration.run)
  }

  /// Returns the path of the store.
  @discardableResult
  public func run(_ request: Request) throws -> String {
    try Agreement.check("forecast", configuration, facts(request), on: world)
    return try withCheckpoint { try forecast(request, with: $0) }
  }

  private func forecast(_ request: Request, with checkpoint: Checkpoint) throws -> String {
    if let note = checkpoint.note { console.say("note: \(note)") }
    let manifest = checkpoint.manifest
    let output = try request.output.map(ForecastTarget.name) ?? folder.forecast(configuration.forecast)
    let lock = try lock(output, overwrites: request.overwrites)
    defer { withExtendedLifetime(lock) {} }
    let leadHours = try leadHours(request, manifest)
    let run = try RunContext(world, threads: configuration.threads, console: console)
    let resources = run.resources
    let cache = Assembly.cacheBytes(configuration.data, configuration.parallel, resources)
    let dataset = try Assembly.dataset(
      for: manifest, configuration.data, cacheBytes: cache.dataset, threads: resources.threads)
    for note in try Assembly.staticNotes(manifest, dataset) { console.say("note: \(note)") }
    let forcings = try Assembly.forcings(
      for: manifest, configuration.data, cacheBytes: cache.dataset, threads: resources.threads)
    let (initialTimes, leftOut) = try initialTimes(
      request, ForecastNeeds(manifest, dataset, forcings: forcings?.dataset, leadHours: leadHours))
    let stepper = try stepper(checkpoint, dataset, run)
    let (rank, tiling) = (stepper.rank, stepper.tiling)
    let steps = leadHours / manifest.stepHours
    let leads = (1...steps).map { $0 * manifest.stepHours }
    introduce(checkpoint, initialTimes, leads)
    let lineage = try lineage(manifest, dataset.selection, leftOut, run)
    let contents = try contents(manifest, dataset, initialTimes, leads, lineage)
    let target = try ForecastTarget(output, configuration.forecast, count: initialTimes.count)
    let bands = try target.bands(rank.context.mesh)
    let forecaster = Forecaster(
      stepper: stepper,
      reader: Assembly.reader(dataset, try manifest.normalization, tiling, rank, cacheBytes: cache.rank),
      forcings: forcings.map {
        Assembly.forcingReader(
          $0.dataset, $0.normalization, tiling, rank, auxiliaries: manifest.model.fields.auxiliaries,
          cacheBytes: cache.rank)
      }, units: contents.units(bands: bands), toFirst: target.hasOneWriterPerForecast,
      lowerBounds: lowerBounds(dataset.channels))
    let writer = try target.open(contents, bands: bands, lineage: lineage, on: run.world)
    do {
      let start = monotonicSeconds()
      try forecaster.run(initialTimes, keep: Array(1...steps), batchSize: configuration.forecast.batchSize) {
        unit, values, initial, lead in
        try writer?.write(unit, values, initial: initial, lead: lead)
      } progress: { done, total in
        console.progress("forecast", done: done, of: total, since: start, detail: "steps")
      }
      try run.world.barrier()
      try run.world.together(onlyOn: 0) { try writer?.finish() }
    } catch {
      writer?.abandon()
      throw error
    }
    console.say("wrote \(output)")
    try warnOfImplausible(forecaster.initialExtremes, dataset.channels)
    return output
  }

  private func introduce(_ checkpoint: Checkpoint, _ initialTimes: [Timestamp], _ leads: [Int]) {
    let manifest = checkpoint.manifest
    let (first, last) = (initialTimes[0].display, initialTimes[initialTimes.count - 1].display)
    console.say(
      "forecast: \(initialTimes.count) from \(first) to \(last), \(leads.count) steps of \(manifest.stepHours) h each, with "
        + "\(checkpoint.path) (update \(manifest.progress.update))")
    let seen = ScoreRemarks.count(initialTimes, leadHours: leads, in: manifest.trained)
    if seen > 0 {
      console.say(
        "warning: \(seen) of \(initialTimes.count) forecasts are over dates that the model was trained on "
          + "(\(manifest.trained.map(\.display).joined(separator: ", "))): scores of them are no measure of its skill")
    }
  }

  /// Takes the output for this process, on the first rank, and clears away what one that was interrupted left.
  /// - Throws: where something is in the way of the output.
  private func lock(_ output: String, overwrites: Bool) throws -> OutputLock? {
    try Replaceable.require(
      output, inputs: Assembly.descriptions(configuration.data).flatMap(\.paths), run: folder.path)
    var lock: OutputLock?
    try world.together(onlyOn: 0) {
      lock = try OutputLock(output)
      try Files.recover(output)
      try Lineage.recoverBeside(output)
      try Temporary.removeAbandoned(of: output, Lineage.sidecar(output))
    }
    if Files.exists(output) && !overwrites {
      throw JigsawError(output, "already exists", remedy: "pass --overwrite or another --output")
    }
    return lock
  }

  /// Names channels whose initial values can't be: forecasts from them are worth nothing.
  private func warnOfImplausible(_ extremes: [(low: Double, high: Double)], _ channels: [Channel]) throws {
    let lows = try world.allReduce(extremes.map(\.low), .minimum)
    let highs = try world.allReduce(extremes.map(\.high), .maximum)
    for (index, channel) in channels.enumerated() {
      guard let text = Lexicon[channel.variable]?.implausible(from: lows[index], to: highs[index]) else { continue }
      console.say("warning: the initial \(channel.name) goes \(text); 'jigsaw data check' says where")
    }
  }

  private func leadHours(_ request: Request, _ manifest: CheckpointManifest) throws -> Int {
    let leadHours = request.leadHours ?? configuration.forecast.leadHours
    guard leadHours % manifest.stepHours == 0 else {
      throw JigsawError(
        "forecast.leadHours", "is not a whole number of steps", expected: "a multiple of \(manifest.stepHours)",
        found: "\(leadHours)")
    }
    return leadHours
  }

  /// The model with its weights on this rank, without memory for gradients.
  func stepper(_ checkpoint: Checkpoint, _ dataset: FieldDataset, _ run: RunContext) throws -> Stepper {
    let manifest = checkpoint.manifest
    let normalization = try manifest.normalization
    var opened: ModelDescription?
    try checkpoint.unlessReplaced(on: run.world) { opened = try checkpoint.description() }
    let description = opened ?? manifest.model
    let model = try description.makeModel()
    let tiling = try description.tiling()
    let products = try configuration.precision.products()
    if let warning = products.warning { console.say("warning: \(warning)") }
    let rank = try Assembly.rank(
      configuration.parallel, model, batch: configuration.forecast.batchSize, products: products.backend,
      trains: false, run)
    try checkpoint.unlessReplaced(on: run.world) { try checkpoint.load(.averaged, into: rank) }
    let lowerBounds = lowerBounds(dataset.channels)
    return Stepper(
      model: model, fields: manifest.model.fields, rank: rank,
      auxiliary: try AuxiliaryFields(dataset, forcings: manifest.forcings, scaling: manifest.auxiliaryScaling),
      tiling: tiling, stepHours: manifest.stepHours, boundary: dataset.boundary,
      lowerBounds: lowerBounds.enumerated().map { channel, bound in
        bound.map { ($0 - normalization.mean[channel]) / normalization.deviation[channel] } ?? -.infinity
      })
  }

  private func lineage(
    _ manifest: CheckpointManifest, _ selection: String, _ leftOut: [Timestamp], _ run: RunContext
  ) throws -> Lineage {
    var lineage = Lineage(
      data: try Agreement.data(
        Assembly.descriptions(configuration.data), looks: run.resources.isFirstOfMachine, on: run.world),
      model: manifest.identity,
      settings: [
        Lineage.choice: choice.text(in: folder), Lineage.bounds: configuration.forecast.bounds.rawValue,
        Lineage.selection: Lineage.text(selection: selection),
        Lineage.precision: try configuration.precision.products().precision.rawValue,
      ])
    lineage.training = manifest.training
    lineage.trained = manifest.trained
    lineage.validated = choice == .newest ? nil : manifest.validated.map { [$0] }
    lineage.leftOut = leftOut.isEmpty ? nil : leftOut.map(\.description)
    return lineage
  }

  private func contents(
    _ manifest: CheckpointManifest, _ dataset: FieldDataset, _ initialTimes: [Timestamp], _ leads: [Int],
    _ lineage: Lineage
  ) throws -> ForecastContents {
    try ForecastContents(
      grid: dataset.grid, channels: dataset.channels, initialTimes: initialTimes, leadHours: leads,
      source:
        "Jigsaw \(jigsawVersion), \(manifest.model.settings.title) with \(manifest.parameterCount) parameters, "
        + "update \(manifest.progress.update)",
      units: Dictionary(
        manifest.channels.filter { Lexicon[$0.variable] == nil }.map { ($0.variable, $0.units) },
        uniquingKeysWith: { first, _ in first }), lineage: lineage)
  }

  /// By channel, in our units; empty for none.
  private func lowerBounds(_ channels: [Channel]) -> [Float?] {
    switch configuration.forecast.bounds {
    case .none: []
    case .physical: channels.map { Lexicon.lowerBound($0.variable).map { Float($0) } }
    }
  }

  private func facts(_ request: Request) -> [Agreement.Fact] {
    [
      ("--from", request.from?.display ?? "none"), ("--to", request.through?.display ?? "none"),
      ("--every", request.everyHours.map(String.init) ?? "none"),
      ("--lead", request.leadHours.map(String.init) ?? "none"), ("--output", request.output ?? "none"),
      ("--overwrite", request.overwrites ? "yes" : "no"), ("--checkpoint", "\(choice)"),
    ]
  }
}
