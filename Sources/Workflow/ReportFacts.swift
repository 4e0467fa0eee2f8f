import Basics
import Checkpoints
import Configuration
import Datasets
import Models
import Reporting
import Training

/// The numbers and sentences about a run at the head and the foot of its report.
struct ReportFacts {
  let configuration: RunConfiguration
  let manifest: CheckpointManifest?

  /// Model, data, forecasts.
  func summary(_ contents: ReportContents) -> [String] {
    var parts: [String] = []
    if let manifest {
      parts.append(
        "\(manifest.model.settings.title) with \(ReportFacts.count(manifest.parameterCount)) parameters")
      parts.append("\(manifest.channels.count) fields on \(manifest.grid.size)")
      parts.append("steps of \(manifest.stepHours) h")
    } else {
      parts.append(configuration.data.variables.joined(separator: ", "))
      parts.append("steps of \(configuration.data.stepHours) h")
    }
    if let scores = contents.scores, let last = scores.leadHours.last {
      parts.append("\(scores.forecastCount) forecasts to \(last) h verified")
    }
    let test = configuration.data.test
    if let start = test.start, let end = test.end { parts.append("test period \(day(start)) … \(day(end))") }
    return parts
  }

  func keyFigures(_ contents: ReportContents) -> [ReportContents.KeyFigure] {
    var figures: [ReportContents.KeyFigure] = []
    if let scores = contents.scores, let region = scores.regions.first, let lead = scores.lead(nearest: 24),
      let ratio = scores.meanRatio(lead, region)
    {
      let better = scores.channels.filter { (scores.ratio($0, lead, region) ?? .infinity) < 1 }.count
      figures.append(
        .init(
          fixed(ratio, 2), "mean RMSE ratio", detail: "to persistence at \(lead) h, \(scores.channels.count) fields"))
      figures.append(
        .init("\(better) of \(scores.channels.count)", "fields beat persistence", detail: "at \(lead) h, \(region)"))
    }
    if let manifest {
      figures.append(
        .init(ReportFacts.count(manifest.parameterCount), "parameters", detail: manifest.model.settings.title)
      )
    }
    if let updates = contents.training?.updates, let last = updates.update.last {
      let speed = updates.samplesPerSecond.filter(\.isFinite).sorted()
      let seconds = contents.training?.seconds ?? 0
      figures.append(
        .init(
          ReportFacts.time(seconds), "training time",
          detail: "\(ReportFacts.grouped(last)) updates of \(samplesPerUpdate) samples"))
      if !speed.isEmpty {
        figures.append(.init(significant(speed[speed.count / 2], 3), "samples/s", detail: "in training, median"))
      }
    }
    return figures
  }

  /// A table of what was trained on what, where.
  func facts(_ contents: ReportContents, provenance: String) throws -> [ReportContents.Fact] {
    let data = configuration.data
    var facts: [ReportContents.Fact] = []
    if let manifest {
      let model = manifest.model
      facts.append(
        .init(
          "Model",
          "\(model.settings.title), \(model.settings.text)"))
      facts.append(.init("Grid", manifest.grid.summary))
      facts.append(
        .init(
          "Checkpoint",
          "update \(ReportFacts.grouped(manifest.progress.update)), \(ReportFacts.grouped(manifest.progress.samples)) samples"
        ))
    }
    facts.append(
      .init(
        "Fields",
        data.variables.joined(separator: ", ")
          + (data.levels.isEmpty ? "" : "; levels \(data.levels.map { Channel.text($0) }.joined(separator: ", ")) hPa"))
    )
    for (name, period) in [("Training", data.train), ("Validation", data.validation), ("Test", data.test)] {
      if let start = period.start, let end = period.end {
        facts.append(.init("\(name) period", "\(start.display) … \(end.display) UTC"))
      }
    }
    if Files.exists(provenance) {
      let json = try JSONValue(parsing: try Files.read(provenance), place: provenance)
      let known = [
        ("Processor", "processor"), ("Threads", "threads"), ("Matrix products", "products"), ("Started", "started"),
      ]
      for (name, key) in known {
        if let text = json[key]?.string { facts.append(.init(name, text)) }
      }
    }
    return facts
  }

  private var samplesPerUpdate: Int { configuration.training.batchSize * configuration.training.accumulation }

  private func day(_ time: Timestamp) -> String { String(time.display.prefix(10)) }

  /// "23,456".
  static func grouped(_ value: Int) -> String {
    var digits = String(value)
    var position = digits.count - 3
    while position > 0 {
      digits.insert(",", at: digits.index(digits.startIndex, offsetBy: position))
      position -= 3
    }
    return digits
  }

  /// "3.17 M", "812 k".
  static func count(_ value: Int) -> String {
    switch value {
    case 1_000_000_000...: "\(significant(Double(value) / 1e9, 3)) G"
    case 1_000_000...: "\(significant(Double(value) / 1e6, 3)) M"
    case 10_000...: "\(significant(Double(value) / 1e3, 3)) k"
    default: String(value)
    }
  }

  /// "28 s", "3.4 min", "2.1 h".
  static func time(_ seconds: Double) -> String {
    switch seconds {
    case ..<100: "\(fixed(seconds, 0)) s"
    case ..<6_000: "\(significant(seconds / 60, 2)) min"
    default: "\(significant(seconds / 3_600, 3)) h"
    }
  }
}
