import Basics
import Checkpoints
import Configuration
import Datasets
import Reporting
import Training
import Verification

/// `jigsaw report`: everything a run folder holds, on one HTML page. What is not there yet is left out, and the page says
/// which command makes it.
public struct ReportWorkflow {
  private let configuration: RunConfiguration
  private let folder: RunFolder
  private let console: Console

  public init(_ configuration: RunConfiguration, console: Console = Console()) {
    self.configuration = configuration
    self.console = console
    folder = RunFolder(configuration.run)
  }

  /// Writes the report of the run and returns its path.
  /// - Parameters:
  ///   - forecast: the store that maps are made of; by default the run's own, if there is one.
  ///   - output: by default report.html in the run folder.
  @discardableResult
  public func run(forecast: String? = nil, output: String? = nil) throws -> String {
    let path = output ?? folder.report
    try Replaceable.requirePage(path)
    let lock = try OutputLock(path)
    defer { withExtendedLifetime(lock) {} }
    try Temporary.removeAbandoned(of: path)
    let contents = try contents(forecast: forecast)
    try Files.writeAtomically(try ReportPage(contents).html(), to: path)
    for hint in contents.hints { console.say("report: \(hint.text)\(hint.command.map { " \($0)" } ?? "")") }
    console.say("wrote \(path) (\(InspectWorkflow.size(Files.size(path) ?? 0)))")
    return path
  }

  func contents(forecast: String? = nil) throws -> ReportContents {
    let now = Timestamp(seconds: Int64(Machine.unixSeconds))
    var contents = ReportContents(
      title: folder.path.split(separator: "/").last.map(String.init) ?? folder.path,
      origin: "Made by jigsaw \(jigsawVersion) on \(now.display) UTC.")
    contents.notice = configuration.data.notice
    let tables = ReportTables(channels: channels)
    let manifest = try checkpoint(&contents)?.manifest

    contents.training = try tables.training(metrics: folder.metrics, validation: folder.validation)
    if contents.training == nil {
      contents.hints.append(
        .init("Nothing is trained yet. Train with", command: "jigsaw train \(folder.configuration)"))
    }
    let store = forecast ?? folder.existingForecasts.first
    var units = ReportUnits()
    for entry in manifest?.channels ?? [] { units.add(entry.channel, entry.units, of: "checkpoint") }
    let isStale = try addMaps(of: store, isNamed: forecast != nil, to: &contents, &units)
    try addScores(of: store, isStale: isStale, tables, to: &contents, &units)
    contents.units = units.units
    contents.hints += units.hints

    let facts = ReportFacts(configuration: configuration, manifest: manifest)
    contents.summary = facts.summary(contents)
    contents.keyFigures = facts.keyFigures(contents)
    contents.facts = try facts.facts(contents, provenance: folder.provenance) + contents.facts
    contents.documents = [.init(title: "Configuration (config.yaml)", text: try Files.readText(folder.configuration))]
    if Files.exists(folder.provenance) {
      contents.documents.append(
        .init(title: "Provenance (provenance.json)", text: try Files.readText(folder.provenance)))
    }
    return contents
  }

  /// The run's best checkpoint, else its newest; where one of another run is in its place, the newest.
  private func checkpoint(_ contents: inout ReportContents) throws -> Checkpoint? {
    let checkpoints = folder.checkpoints()
    guard let best = try checkpoints.bestOfAny() else { return try checkpoints.newest() }
    do {
      guard let mismatch = try checkpoints.mismatch(of: best) else { return best }
      contents.hints.append(.init("\(mismatch)"))
      return try checkpoints.newest()
    } catch {
      contents.hints.append(.init("Whether \(best.path) is the run's best is not known: \(error)"))
      return best
    }
  }

  /// Maps of a forecast, unless the run's own is of another checkpoint than the run has now.
  /// - Returns: whether it is.
  private func addMaps(of store: String?, isNamed: Bool, to contents: inout ReportContents, _ units: inout ReportUnits)
    throws -> Bool
  {
    guard let store else {
      contents.hints.append(
        .init("No forecast yet, so no maps. Make one with", command: "jigsaw forecast \(folder.path)"))
      return false
    }
    let reader = try ForecastReader(store)
    if !isNamed, let difference = reader.lineage.flatMap({ try? ForecastWorkflow.staleness(of: $0, folder) }) {
      contents.hints.append(
        .init(
          "\(store) is not of the run's checkpoint (\(difference.sentence)), so no maps and scores. Forecast again with",
          command: "jigsaw forecast \(folder.path) --overwrite"))
      return true
    }
    let (truth, problem) = truthDataset(store)
    if let problem { contents.hints.append(.init("Maps are without truth: \(problem)")) }
    contents.maps = try ReportMaps(
      truth.map { try reader.inUnits(of: $0) } ?? reader, truth: truth, withGaps: Set(configuration.data.impute.keys),
      hasBoundary: configuration.data.boundary != .none, console: console
    ).contents()
    for channel in contents.maps?.fields.map(\.display.channel) ?? [] {
      units.add(
        channel, truth?.units(of: channel) ?? reader.storedUnits(of: channel), of: truth == nil ? "forecast" : "data")
    }
    if let model = reader.lineage?.modelTextWithOrigin {
      contents.facts.append(.init("Forecast", "\(store), \(model)"))
    }
    return false
  }

  /// Scores and spectra, unless they are of another forecast than the one shown.
  private func addScores(
    of store: String?, isStale: Bool, _ tables: ReportTables, to contents: inout ReportContents,
    _ units: inout ReportUnits
  )
    throws
  {
    let folder = try store.map { try self.folder.evaluation(of: $0) } ?? self.folder.evaluation
    let scores = RunFolder.scores(folder)
    guard Files.exists(scores) else {
      if isStale { return }
      contents.hints.append(
        .init(
          "No scores yet. \(store == nil ? "After the forecast, make" : "Make") them with",
          command: "jigsaw evaluate \(self.folder.path)"))
      return
    }
    if isStale { return }
    let made = try Lineage.read("\(folder)/\(RunFolder.lineageName)")
    if store == nil, let difference = made.flatMap({ try? ForecastWorkflow.staleness(of: $0, self.folder) }) {
      contents.hints.append(
        .init("\(scores) is not of the run's checkpoint (\(difference.sentence)), so no scores."))
      return
    }
    if let made, let store {
      let now = Lineage.Forecast(path: Files.absolute(store), content: try DataFingerprint(paths: [store]))
      if let difference = made.difference(from: Lineage(forecast: now)) {
        contents.hints.append(
          .init(
            "\(scores) is older than what it is of (\(difference.sentence)), so no scores. Make them anew with",
            command: "jigsaw evaluate \(self.folder.path)"))
        return
      }
    }
    if let made, let truth = fingerprintOfData(), let difference = made.difference(from: Lineage(data: truth)) {
      contents.hints.append(
        .init(
          "\(scores) is of other data than those there now (\(difference.sentence)), so no scores. Make them anew with",
          command: "jigsaw evaluate \(self.folder.path)"))
      return
    }
    if made == nil { contents.hints.append(.init("\(scores) does not say which forecast it is of.")) }
    contents.scores = try tables.scores(scores)
    if let made { try addRemarks(of: made, to: &contents) }
    for (channel, text) in try tables.units(scores) { units.add(channel, text, of: "scores") }
    if let made, let forecast = made.forecast {
      let model = made.modelTextWithOrigin.map { ", \($0)" } ?? ""
      contents.facts.append(
        .init(
          "Scores",
          "of \(forecast.path)\(model), against \(made.settings["truth"] ?? "the truth"), \(made.settings["period"] ?? "")"
        ))
    }
    let spectra = RunFolder.spectra(folder)
    if Files.exists(spectra) { contents.spectra = try tables.spectra(spectra) }
  }

  /// Adds the remarks on the scores that are shown.
  private func addRemarks(of made: Lineage, to contents: inout ReportContents) throws {
    var remarks = made.remarks ?? []
    if let difference = made.difference(from: Lineage(settings: try EvaluateWorkflow.baseline(configuration))) {
      remarks.append(
        "\(difference.what): the scores were made with \(difference.recorded), the run has \(difference.now)")
    }
    if remarks.isEmpty { return }
    let text = remarks.map { "\($0)." }.joined(separator: " ")
    contents.notice = ([contents.notice].compactMap { $0 } + ["Scores: \(text)"]).joined(separator: " ")
  }

  /// The fingerprint of the run's data; nil where they can't be read, which the maps' hint says.
  private func fingerprintOfData() -> DataFingerprint? {
    do { return try DataFingerprint(Assembly.descriptions(configuration.data)) } catch { return nil }
  }

  /// All that names in the run's files can stand for.
  private var channels: [Channel] {
    configuration.data.variables.flatMap { variable in
      [Channel(variable: variable)] + configuration.data.levels.map { Channel(variable: variable, levelHPa: $0) }
    }
  }

  /// The run's data if they are there and fit the forecast, else why not: a report of what was forecast is still useful
  /// where the data have gone.
  private func truthDataset(_ store: String) -> (FieldDataset?, problem: String?) {
    do {
      let truth = try Assembly.dataset(configuration.data)
      let forecasts = try ForecastReader(store)
      guard truth.grid.matches(forecasts.grid) else { return (nil, "the data are on another grid than the forecast.") }
      _ = try forecasts.inUnits(of: truth)
      return (truth, nil)
    } catch {
      return (nil, "\(error)")
    }
  }
}
