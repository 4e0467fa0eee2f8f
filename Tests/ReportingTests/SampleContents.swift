import Basics
import Datasets
import Reporting
import Verification

/// A small report with every part, made of formulas.
enum Sample {
  static let channels = [
    Channel(variable: "z", levelHPa: 500), Channel(variable: "t2m"), Channel(variable: "q", levelHPa: 850),
  ]
  static let leads = [6, 12, 18, 24]
  static let grid = LatLonGrid(
    latitudes: stride(from: 78.75, through: -78.75, by: -22.5).map { $0 },
    longitudes: stride(from: 0, to: 360, by: 45).map { $0 })

  static func contents(title: String = "sample", channels: [Channel] = channels) -> ReportContents {
    var contents = ReportContents(title: title, origin: "Made by a test.")
    contents.summary = ["a model", "some data"]
    contents.notice = "These data are simulated."
    contents.hints = [.init("Something is missing. Make it with", command: "jigsaw make it")]
    contents.keyFigures = [.init("0.80", "mean RMSE ratio", detail: "to persistence at 24 h")]
    contents.facts = [.init("Grid", "8 × 8")]
    contents.documents = [.init(title: "Configuration", text: "run: sample <here>")]
    contents.maps = maps(channels)
    contents.scores = scores(channels)
    contents.spectra = spectra(channels)
    contents.training = training(channels)
    return contents
  }

  static func field(_ seed: Int) -> [Float] {
    (0..<leads.count * 2 * grid.count).map { Float(($0 * 37 + seed * 11) % 101) * 0.37 - 12 }
  }

  static func maps(_ channels: [Channel]) -> MapContents {
    MapContents(
      grid: grid, isPeriodic: true, block: 1,
      initialTimes: [Timestamp(year: 2001, month: 1, day: 1), Timestamp(year: 2001, month: 1, day: 2)],
      leadHours: leads,
      fields: channels.map {
        MapContents.Field(ChannelDisplay($0), forecast: field(1), truth: field(2), leads: leads.count, initialTimes: 2)
      })
  }

  static func scores(_ channels: [Channel]) -> ScoreTable {
    var values: [ScoreKey: ScoreTable.Scores] = [:]
    for (factor, system) in [(1.0, System.model), (1.25, .persistence), (2, .climatology)] {
      for channel in channels {
        for lead in leads {
          let rmse = factor * Double(lead)
          values[ScoreKey(system: system, channel: channel.name, leadHours: lead, region: "globe")] = ScoreTable.Scores(
            [
              "rmse": rmse, "mae": rmse * 0.8, "bias": 0.1, "acc": system == .climatology ? .nan : 0.9, "activity": 3,
            ])
        }
      }
    }
    return ScoreTable(
      channels: channels, leadHours: leads, regions: ["globe"], systems: [.model, .persistence, .climatology],
      metrics: Metrics.all, forecastCount: 7, values: values)
  }

  static func spectra(_ channels: [Channel]) -> SpectraTable {
    var power: [SpectraTable.Key: [Double]] = [:]
    for channel in channels {
      for lead in leads {
        power[.init(channel: channel.name, leadHours: lead)] = (0...4).map { 1 / Double(1 + $0 * $0) }
      }
    }
    return SpectraTable(channels: channels, leadHours: leads, model: power, truth: power)
  }

  static func training(_ channels: [Channel]) -> TrainingCurves {
    var updates = TrainingCurves.Updates()
    for update in 1...50 {
      updates.update.append(update)
      updates.loss.append(1 / Double(update))
      updates.learningRate.append(1e-3)
      updates.gradientNorm.append(0.1)
      updates.samplesPerSecond.append(50)
      updates.seconds.append(0.5)
      updates.steps.append(update < 30 ? 1 : 2)
    }
    var validations = TrainingCurves.Validations()
    validations.update = [25, 50]
    validations.loss = [0.1, 0.05]
    validations.rmse = channels.map { ($0, [2, 1]) }
    return TrainingCurves(updates: updates, validations: validations)
  }
}

/// The JSON blocks of a page by id, parsed.
func jsonBlocks(_ html: String) throws -> [String: JSONValue] {
  let opening = "<script type=\"application/json\" id=\""
  var blocks: [String: JSONValue] = [:]
  var rest = html[...]
  while let start = rest.firstRange(of: opening) {
    rest = rest[start.upperBound...]
    guard let quote = rest.firstIndex(of: "\""), let begin = rest.firstIndex(of: ">"),
      let end = rest.firstRange(of: "</script>")
    else { break }
    let id = String(rest[..<quote])
    let text = rest[rest.index(after: begin)..<end.lowerBound]
    blocks[id] = try JSONValue(parsing: Array(text.utf8), place: id)
    rest = rest[end.upperBound...]
  }
  return blocks
}
