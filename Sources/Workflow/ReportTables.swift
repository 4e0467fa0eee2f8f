import Basics
import Datasets
import Reporting
import Verification

/// The CSV files of a run as the values a report is made of.
struct ReportTables {
  /// Channels that names in the files may stand for; other names are taken as variables without a level.
  let channels: [Channel]

  private func channel(_ name: Substring) -> Channel {
    channels.first { $0.name == name } ?? Channel(variable: String(name))
  }

  /// metrics.csv and, if it exists, validation.csv; nil before the first update.
  func training(metrics: String, validation: String) throws -> TrainingCurves? {
    guard Files.exists(metrics) else { return nil }
    let table = try CSVTable(metrics)
    if table.rows.isEmpty { return nil }
    var updates = TrainingCurves.Updates()
    updates.update = try table.integers("update")
    updates.loss = try table.numbers("loss")
    updates.learningRate = try table.numbers("learning_rate")
    updates.gradientNorm = try table.numbers("gradient_norm")
    updates.samplesPerSecond = try table.numbers("samples_per_second")
    updates.seconds = try table.numbers("seconds")
    updates.steps = try table.integers("rollout_steps")
    var validations = TrainingCurves.Validations()
    if Files.exists(validation) {
      let table = try CSVTable(validation)
      validations.update = try table.integers("update")
      validations.loss = try table.numbers("loss")
      validations.rmse = try table.columns.filter { $0.hasPrefix("rmse_") && !table.rows.isEmpty }.map {
        (channel($0.dropFirst(5)), try table.numbers($0))
      }
    }
    return TrainingCurves(updates: updates, validations: validations)
  }

  /// scores.csv.
  func scores(_ path: String) throws -> ScoreTable {
    let table = try CSVTable(path)
    let names = try table.texts("channel")
    let leads = try table.integers("lead_hours")
    let regions = try table.texts("region")
    let counts = try table.integers("forecasts")
    let systems = try table.texts("system").enumerated().map { row, text in
      guard let system = System(rawValue: String(text)) else {
        throw JigsawError(
          "\(path):\(row + 2): system", "is not known",
          expected: System.allCases.map(\.rawValue).joined(separator: ", "),
          found: "'\(text)'", remedy: "evaluate again")
      }
      return system
    }
    // Scores of an earlier version may lack metrics that came later, but not the RMSE.
    let metrics = Metrics.all.filter { $0 == RMSE.self || table.columns.contains($0.name) }
    let columns = try metrics.map { try table.numbers($0.name) }
    var values: [ScoreKey: ScoreTable.Scores] = [:]
    for row in table.rows.indices {
      let key = ScoreKey(
        system: systems[row], channel: String(names[row]), leadHours: leads[row], region: String(regions[row]))
      values[key] = ScoreTable.Scores(
        Dictionary(uniqueKeysWithValues: zip(metrics, columns).map { ($0.name, $1[row]) }))
    }
    let (channels, leadHours, regionNames) = (ordered(names).map(channel), Set(leads).sorted(), ordered(regions))
    // The page has a number for each channel, region and lead.
    let cells = channels.count * leadHours.count * regionNames.count
    guard cells <= max(100_000, 10 * table.rows.count) else {
      throw JigsawError(
        path, "has no scores for most of its channels, regions and leads",
        expected: "a row for each, as 'jigsaw evaluate' writes them",
        found: "\(channels.count) channels, \(regionNames.count) regions and \(leadHours.count) leads in "
          + "\(table.rows.count) rows",
        remedy: "evaluate again")
    }
    return ScoreTable(
      channels: channels, leadHours: leadHours, regions: regionNames.map(String.init),
      systems: System.allCases.filter(systems.contains), metrics: metrics, forecastCount: counts.max() ?? 0,
      values: values)
  }

  /// The units in scores.csv, each channel's once.
  func units(_ path: String) throws -> [(channel: Channel, units: String)] {
    let table = try CSVTable(path)
    guard table.columns.contains("units") else { return [] }
    var seen: Set<Substring> = []
    return zip(try table.texts("channel"), try table.texts("units")).filter { seen.insert($0.0).inserted }
      .map { (channel($0), String($1)) }
  }

  /// spectra.csv, whose rows come with rising wavenumbers.
  func spectra(_ path: String) throws -> SpectraTable {
    let table = try CSVTable(path)
    let names = try table.texts("channel")
    let leads = try table.integers("lead_hours")
    let (modelPower, truthPower) = (try table.numbers("model"), try table.numbers("truth"))
    var model: [SpectraTable.Key: [Double]] = [:]
    var truth: [SpectraTable.Key: [Double]] = [:]
    for row in table.rows.indices {
      let key = SpectraTable.Key(channel: String(names[row]), leadHours: leads[row])
      model[key, default: []].append(modelPower[row])
      truth[key, default: []].append(truthPower[row])
    }
    return SpectraTable(
      channels: ordered(names).map(channel), leadHours: Set(leads).sorted(), model: model, truth: truth)
  }

  /// Each text once, in the order of first appearance.
  private func ordered(_ texts: [Substring]) -> [Substring] {
    var seen: Set<Substring> = []
    return texts.filter { seen.insert($0).inserted }
  }
}
