import Basics
import Datasets

/// Scores as tables and as a picture.
public struct Scorecard {
  let evaluation: Evaluation
  public let source: Source
  /// The first region: the globe, or the domain of a limited area.
  private let region: String

  /// The subject of scores, which every file of them names.
  public struct Source: Sendable {
    /// Forecast store, checkpoint and truth, in words.
    public let forecast, checkpoint, truth: String
    public let remarks: ScoreRemarks

    public init(forecast: String, checkpoint: String, truth: String, remarks: ScoreRemarks = .none) {
      self.remarks = remarks
      self.forecast = forecast
      self.checkpoint = checkpoint
      self.truth = truth
    }
  }

  public init(_ evaluation: Evaluation, of source: Source) {
    self.evaluation = evaluation
    self.source = source
    region = evaluation.regions[0]
  }

  /// In the first region.
  private func rmse(_ system: System, _ channel: Channel, _ lead: Int) -> Double? {
    evaluation[system, channel.name, lead, region].map(RMSE.value)
  }

  // MARK: CSV

  private static let sourceColumns =
    "forecast_store,checkpoint,truth_data,first_forecast,last_forecast,forecasts_on_training_dates,forecasts_left_out,remarks"

  private var sourceCells: String {
    let times = evaluation.initialTimes
    let remarks = source.remarks
    return [
      source.forecast, source.checkpoint, source.truth, times[0].description, times[times.count - 1].description,
      remarks.onTrainingDates.map(String.init) ?? "", String(remarks.leftOut.count),
      remarks.sentences.joined(separator: "; "),
    ].map(csvCell).joined(separator: ",")
  }

  /// One row per system, channel, lead and region, with a column for each metric; empty where it is not defined.
  public func csv() -> String {
    let names = evaluation.metrics.map { $0.name }.joined(separator: ",")
    var lines = ["system,channel,units,lead_hours,region,forecasts,\(names),\(Scorecard.sourceColumns)"]
    let end = sourceCells
    for s in scores {
      lines.append(
        "\(s.system),\(csvCell(s.channel)),\(csvCell(s.units)),\(s.leadHours),\(csvCell(s.region)),\(s.forecasts),"
          + s.values.map { $0.value.map { String($0) } ?? "" }.joined(separator: ",") + ",\(end)")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// One row per channel, lead and wavenumber.
  public func spectraCSV() -> String {
    var lines = ["channel,lead_hours,wavenumber,model,truth,\(Scorecard.sourceColumns)"]
    let end = sourceCells
    for channel in evaluation.channels {
      for lead in evaluation.leadHours {
        guard let model = evaluation.spectra[.init(channel: channel.name, leadHours: lead, isTruth: false)],
          let truth = evaluation.spectra[.init(channel: channel.name, leadHours: lead, isTruth: true)]
        else { continue }
        for k in model.indices { lines.append("\(csvCell(channel.name)),\(lead),\(k),\(model[k]),\(truth[k]),\(end)") }
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  // MARK: Markdown

  /// RMSE of the model with its ratio to persistence, climatology beside; a selection of leads.
  public func markdown() -> String {
    let leads = selectedLeads(6)
    let first = evaluation.initialTimes[0].display
    let last = evaluation.initialTimes[evaluation.initialTimes.count - 1].display
    var lines = [
      "Area-weighted RMSE (\(markdownText(region))), \(evaluation.initialTimes.count) forecasts from \(first) to \(last).",
      "In brackets: relative to persistence; below 1 is better than no forecast. `*`: worse than climatology.",
      climatology,
      "Forecast \(markdownText(source.forecast)), \(markdownText(source.checkpoint)); truth \(markdownText(source.truth)).",
    ]
    lines += source.remarks.sentences.map { "Note: \(markdownText($0))." }
    lines += [
      "",
      "| field | unit |" + leads.map { " +\($0) h |" }.joined() + " climatology |",
      "|---|---|" + leads.map { _ in "---:|" }.joined() + "---:|",
    ]
    for (channel, units) in zip(evaluation.channels, evaluation.units) {
      var row = "| \(markdownText(channel.name)) | \(markdownText(units)) |"
      for lead in leads {
        guard let model = rmse(.model, channel, lead), let persistence = rmse(.persistence, channel, lead),
          let climatology = rmse(.climatology, channel, lead)
        else { continue }
        row += " \(short(model)) (\(ratio(model / persistence)))\(model > climatology ? "*" : "") |"
      }
      lines.append(row + " \(short(rmse(.climatology, channel, leads[leads.count - 1]) ?? .nan)) |")
    }
    var mean = "| mean ratio | |"
    for lead in leads { mean += " \(ratio(meanRatio(lead))) |" }
    lines.append(mean + " |")
    return lines.joined(separator: "\n") + "\n"
  }

  /// The days of training that the climatology rests on, in words.
  private var climatology: String {
    let days = evaluation.climatologyDays
    let behind = days.fewest == days.most ? "\(days.most)" : "\(days.fewest) to \(days.most)"
    return "Climatology: \(behind) training days in the window around each date verified, of \(days.ofTraining)."
      + (days.isPartial ? " Where they don't fill it, the mean of the training period makes up the rest." : "")
  }

  /// Mean over channels of RMSE relative to persistence.
  public func meanRatio(_ lead: Int) -> Double {
    let ratios = evaluation.channels.compactMap { channel -> Double? in
      guard let model = rmse(.model, channel, lead), let persistence = rmse(.persistence, channel, lead) else {
        return nil
      }
      return model / persistence
    }
    return ratios.reduce(0, +) / Double(ratios.count)
  }

  /// At most `count` leads: the first, whole days where possible, the last.
  private func selectedLeads(_ count: Int) -> [Int] {
    let leads = evaluation.leadHours
    if leads.count <= count { return leads }
    let days = leads.filter { $0 % 24 == 0 && $0 != leads[leads.count - 1] }
    let step = max(1, (days.count + count - 3) / (count - 2))
    let middle = days.enumerated().filter { $0.offset % step == 0 }.map(\.element)
    return Array(Set([leads[0]] + middle.prefix(count - 2) + [leads[leads.count - 1]])).sorted()
  }

  // MARK: Picture

  /// RMSE relative to persistence, channels against leads: blue is better, red is worse.
  public func svg() -> String {
    let leads = evaluation.leadHours.count > 20 ? selectedLeads(12) : evaluation.leadHours
    let (left, top, width, height) = (90, 64, 46, 22)
    let columns = leads.count
    let rows = evaluation.channels.count
    let totalWidth = left + columns * width + 20
    let totalHeight = top + rows * height + 44
    var parts = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(totalWidth) \(totalHeight)\" "
        + "width=\"\(totalWidth)\" height=\"\(totalHeight)\" font-family=\"system-ui, sans-serif\" font-size=\"11\">",
      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>",
      "<text x=\"12\" y=\"20\" font-size=\"14\" font-weight=\"600\" fill=\"#1b2733\">RMSE relative to persistence "
        + "(\(markupText(region)))</text>",
      "<text x=\"12\" y=\"36\" fill=\"#5b6b7b\">\(evaluation.initialTimes.count) forecasts from "
        + "\(evaluation.initialTimes[0].display); dot: worse than climatology</text>",
    ]
    for (column, lead) in leads.enumerated() {
      parts.append(
        "<text x=\"\(left + column * width + width / 2)\" y=\"\(top - 6)\" text-anchor=\"middle\" fill=\"#5b6b7b\">"
          + "+\(lead) h</text>")
    }
    for (row, channel) in evaluation.channels.enumerated() {
      let y = top + row * height
      parts.append(
        "<text x=\"\(left - 8)\" y=\"\(y + 15)\" text-anchor=\"end\" fill=\"#1b2733\">"
          + "\(markupText(channel.name))</text>")
      for (column, lead) in leads.enumerated() {
        guard let model = rmse(.model, channel, lead), let persistence = rmse(.persistence, channel, lead),
          let climatology = rmse(.climatology, channel, lead)
        else { continue }
        let value = model / persistence
        let x = left + column * width
        parts.append(
          "<rect x=\"\(x)\" y=\"\(y)\" width=\"\(width - 2)\" height=\"\(height - 2)\" rx=\"2\" fill=\"\(color(value))\"/>"
            + "<text x=\"\(x + width / 2 - 1)\" y=\"\(y + 14)\" text-anchor=\"middle\" "
            + "fill=\"\(value < 0.55 || value > 1.45 ? "#ffffff" : "#1b2733")\">\(ratio(value))</text>")
        if model > climatology {
          parts.append("<circle cx=\"\(x + width - 7)\" cy=\"\(y + 5)\" r=\"2\" fill=\"#1b2733\"/>")
        }
      }
    }
    parts.append(
      "<text x=\"12\" y=\"\(totalHeight - 26)\" font-size=\"9\" fill=\"#5b6b7b\">\(markupText(source.forecast)), "
        + "\(markupText(source.checkpoint))</text><text x=\"12\" y=\"\(totalHeight - 12)\" font-size=\"9\" fill=\"#5b6b7b\">"
        + "truth \(markupText(source.truth)); to \(evaluation.initialTimes[evaluation.initialTimes.count - 1].display)"
        + "\(source.remarks.brief.map { "; \($0)" } ?? "")</text>"
    )
    return parts.joined(separator: "\n") + "\n</svg>\n"
  }

  /// White at 1, blue to 0.3, red to 1.7.
  private func color(_ ratio: Double) -> String {
    let t = max(-1, min(1, (ratio - 1) / 0.7))
    let end = t < 0 ? (r: 33.0, g: 102.0, b: 172.0) : (r: 178.0, g: 24.0, b: 43.0)
    func mix(_ channel: Double) -> Int { Int((247 + (channel - 247) * abs(t)).rounded()) }
    return "rgb(\(mix(end.r)),\(mix(end.g)),\(mix(end.b)))"
  }

  private func ratio(_ value: Double) -> String { value.isFinite ? fixed(value, 2) : "–" }
  private func short(_ value: Double) -> String { significant(value, 3) }
}
