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
    try Agreement.check("evaluate", configuration, [("--forecast", forecast ?? "none")], on: world)
    let stores = folder.existingForecasts
    guard let path = forecast ?? stores.first else {
      throw JigsawError(folder.path, "holds no forecast", remedy: "make one with 'jigsaw forecast \(folder.path)'")
    }
    if forecast == nil, stores.count > 1 {
      console.say("note: scoring \(path), the latest of \(stores.joined(separator: ", ")); --forecast names another")
    }
    let data = configuration.data
    let (start, end) = try data.train.range("data.train")
    let run = try RunContext(world, threads: configuration.threads, console: console)
    let resources = run.resources
    let truth = try Assembly.dataset(
      data, cacheBytes: Assembly.cacheBytes(data, configuration.parallel, resources).rank,
      threads: resources.threads)
    var options = Evaluation.Options(trainingStart: start, trainingEnd: end, stepHours: data.stepHours)
    options.leadHours = configuration.evaluation.leadHours
    options.climatologyWindowDays = configuration.evaluation.climatologyWindowDays
    options.usesSpectra = configuration.evaluation.spectra
    options.usesDampedPersistence = configuration.evaluation.dampedPersistence
    options.threads = resources.threads
    options.climatologyBytes = (Machine.availableMemory ?? 4 << 30) / 4 / resources.localRanks
    if options.usesSpectra && truth.grid.raster == nil {
      console.say("note: no spectra: they are of circles of latitude, and the fields are on points")
    }
    let began = monotonicSeconds()
    let reader = try ForecastReader(path)
    for note in reader.notes(truth.channels) { console.say("note: \(path): \(note)") }
    try Agreement.check(
      [
        ("forecast", reader.lineage?.modelText ?? "of an unknown model"),
        ("forecast: initial times", reader.initialTimes.map(\.display).joined(separator: ", ")),
      ], on: run.world)
    _ = try Agreement.data(Assembly.descriptions(data), looks: resources.isFirstOfMachine, on: run.world)
    let target = try folder.evaluation(of: path, against: data)
    let isOwn = try folder.evaluation(of: path) == folder.evaluation
    try checkLineage(reader, isOwn: isOwn, againstOwn: target == folder.evaluation, truth.selection)
    let evaluation = try Evaluation(reader, truth: truth, options: options, on: run.world) {
      console.progress("evaluate", done: $0, of: $1, since: began, detail: "forecasts")
    }
    for text in evaluation.notes { console.say("note: \(text)") }
    for text in evaluation.implausible { console.say("warning: \(text)") }
    let remarks = try remarks(evaluation, reader, isOwn: isOwn)
    for text in remarks.sentences { console.say("warning: \(text)") }
    let scorecard = Scorecard(
      evaluation,
      of: Scorecard.Source(
        forecast: Files.absolute(path), checkpoint: reader.lineage?.modelText ?? "unknown checkpoint",
        truth: truthText, remarks: remarks))
    try run.world.together(onlyOn: 0) { try write(scorecard, evaluation, reader, to: target) }
    return Scores(text: scorecard.markdown(), json: try scorecard.report.json())
  }

  /// Writes all files of scores; the record of what they were made from comes last, so that it describes complete ones.
  private func write(_ scorecard: Scorecard, _ evaluation: Evaluation, _ reader: ForecastReader, to target: String)
    throws
  {
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
    if !evaluation.spectra.isEmpty { try Files.writeAtomically(scorecard.spectraCSV(), to: spectra) }
    try Files.writeAtomically(scorecard.markdown(), to: table)
    try Files.writeAtomically(scorecard.svg(), to: picture)
    let made = try self.lineage(of: evaluation, reader, scorecard.source.remarks)
    try Files.writeAtomically(try made.json(pretty: true) + "\n", to: lineage)
    console.say("wrote \(scores), scorecard.md and scorecard.svg")
  }
}
