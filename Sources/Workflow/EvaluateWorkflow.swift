import Basics
import Communication
import Configuration
import Datasets
import Verification

/// `jigsaw evaluate`: from a forecast store and the truth to scores.
public struct EvaluateWorkflow {
  /// The scorecard for people, and the scores for programs.
  public struct Scores: Sendable {
    public let text, json: String
  }

  let configuration: RunConfiguration
  let folder: RunFolder
  let console: Console
  private let world: any Communicator

  public init(
    _ configuration: RunConfiguration, on world: any Communicator = SingleRank(), console: Console = Console()
  ) {
    self.configuration = configuration
    self.world = world
    self.console = world.rank == 0 ? console : .silent
    folder = RunFolder(configuration.run)
  }

  /// Verifies `forecast` (by default the run's own), writes scores, spectra and scorecard.
  @discardableResult
  public func run(forecast: String? = nil) throws -> Scores {
    let scored = try score(forecast)
    try save(scored)
    return Scores(text: scored.scorecard.markdown(), json: try scored.scorecard.report.json())
  }

  /// Scores that are not written yet.
  struct Scored {
    let inputs: ScoredInputs
    let reader: ForecastReader
    let evaluation: Evaluation
    let scorecard: Scorecard
    /// The folder that they are for.
    let target: String
  }

  /// The forecast that is meant: the one named, else the run's latest.
  private func path(_ forecast: String?) throws -> String {
    let stores = folder.existingForecasts
    guard let path = forecast ?? stores.first else {
      throw JigsawError(folder.path, "holds no forecast", remedy: "make one with 'jigsaw forecast \(folder.path)'")
    }
    if forecast == nil, stores.count > 1 {
      console.say("note: scoring \(path), the latest of \(stores.joined(separator: ", ")); --forecast names another")
    }
    return path
  }

  private func options(_ resources: RankResources, _ truth: FieldDataset) throws -> Evaluation.Options {
    let (start, end) = try configuration.data.train.range("data.train")
    var options = Evaluation.Options(
      trainingStart: start, trainingEnd: end, stepHours: configuration.data.stepHours)
    options.leadHours = configuration.evaluation.leadHours
    options.climatologyWindowDays = configuration.evaluation.climatologyWindowDays
    options.usesSpectra = configuration.evaluation.spectra
    options.usesDampedPersistence = configuration.evaluation.dampedPersistence
    options.threads = resources.threads
    options.climatologyBytes = (Machine.availableMemory ?? 4 << 30) / 4 / resources.localRanks
    if options.usesSpectra && truth.grid.raster == nil {
      console.say("note: no spectra: they are of circles of latitude, and the fields are on points")
    }
    return options
  }

  /// Verifies a forecast.
  func score(_ forecast: String?) throws -> Scored {
    try Agreement.check("evaluate", configuration, [("--forecast", forecast ?? "none")], on: world)
    let (path, data) = (try path(forecast), configuration.data)
    _ = try data.train.range("data.train")
    let run = try RunContext(world, threads: configuration.threads, console: console)
    let resources = run.resources
    let inputs = try ScoredInputs(forecast: path, truth: Assembly.descriptions(data), run)
    let truth = try Assembly.dataset(
      data, cacheBytes: Assembly.cacheBytes(data, configuration.parallel, resources).rank,
      threads: resources.threads)
    let options = try options(resources, truth)
    let began = monotonicSeconds()
    let reader = try inputs.reading { try ForecastReader(path) }
    for note in reader.notes(truth.channels) { console.say("note: \(path): \(note)") }
    try Agreement.check(
      [
        ("forecast", reader.lineage?.modelText ?? "of an unknown model"),
        ("forecast: initial times", reader.initialTimes.map(\.display).joined(separator: ", ")),
      ], on: run.world)
    let target = try folder.evaluation(of: path, against: data)
    let isOwn = try folder.evaluation(of: path) == folder.evaluation
    try checkLineage(reader, isOwn: isOwn, inputs, truth.selection)
    let evaluation = try inputs.reading {
      try Evaluation(reader, truth: truth, options: options, on: run.world) {
        console.progress("evaluate", done: $0, of: $1, since: began, detail: "forecasts")
      }
    }
    for text in evaluation.notes { console.say("note: \(text)") }
    for text in evaluation.implausible { console.say("warning: \(text)") }
    let remarks = try remarks(evaluation, reader, isOwn: isOwn)
    for text in remarks.sentences { console.say("warning: \(text)") }
    let scorecard = Scorecard(
      evaluation,
      of: Scorecard.Source(
        forecast: Files.absolute(path),
        checkpoint: reader.lineage?.modelTextWithOrigin ?? "unknown checkpoint",
        truth: truthText, remarks: remarks))
    return Scored(inputs: inputs, reader: reader, evaluation: evaluation, scorecard: scorecard, target: target)
  }

  /// Writes scores, on the first rank.
  /// - Throws: when what they are of was changed since scoring began.
  func save(_ scored: Scored) throws {
    try world.together(onlyOn: 0) {
      try scored.inputs.requireUnchanged()
      try write(scored)
    }
  }

  /// Writes all files of scores; the record of what they were made from comes last, so that it describes complete ones.
  private func write(_ scored: Scored) throws {
    let (target, scorecard) = (scored.target, scored.scorecard)
    if Files.isLink(target) {
      throw JigsawError(
        target, "is a link to another folder, in which scores would replace files", expected: "a folder of the run",
        remedy: "remove the link, or make it a folder")
    }
    let lock = try OutputLock(target)
    defer { withExtendedLifetime(lock) {} }
    try Files.createDirectory(target)
    let (scores, spectra) = (RunFolder.scores(target), RunFolder.spectra(target))
    let lineage = "\(target)/\(RunFolder.lineageName)"
    for path in [lineage, spectra] { try Files.remove(path) }
    let (table, picture) = ("\(target)/scorecard.md", "\(target)/scorecard.svg")
    try Temporary.removeAbandoned(of: lineage, scores, spectra, table, picture)
    try Files.writeAtomically(scorecard.csv(), to: scores)
    if !scored.evaluation.spectra.isEmpty { try Files.writeAtomically(scorecard.spectraCSV(), to: spectra) }
    try Files.writeAtomically(scorecard.markdown(), to: table)
    try Files.writeAtomically(scorecard.svg(), to: picture)
    let made = try self.lineage(of: scored)
    try Files.writeAtomically(try made.json(pretty: true) + "\n", to: lineage)
    console.say("wrote \(scores), scorecard.md and scorecard.svg")
  }
}
