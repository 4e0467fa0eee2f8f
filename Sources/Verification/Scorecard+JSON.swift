import Basics
import Datasets

extension Scorecard {
  /// The scores for programs.
  public struct Report: JSONReport {
    public let format = "jigsaw-scores-1"
    public let version = jigsawVersion
    /// Forecast store, checkpoint and truth, in words.
    public let forecast, checkpoint, truth: String
    public let firstForecast, lastForecast: String
    /// Nil where the periods aren't known.
    public let forecastsOnTrainingDates, forecastsOnValidationDates: Int?
    /// Initial times that were wanted and are not scored.
    public let leftOut: [String]
    /// Sentences that readers of the scores must know.
    public let remarks: [String]
    public let scores: [Score]
  }

  /// The metrics of a system, a channel, a lead and a region, under their names.
  public struct Score: Encodable, Sendable {
    public let system, channel, units: String
    public let leadHours: Int
    public let region: String
    public let forecasts: Int
    /// Nil where a metric is not defined, for example the correlation of what has no anomaly.
    public let values: [(metric: String, value: Double?)]

    private struct Key: CodingKey {
      let stringValue: String
      var intValue: Int? { nil }

      init(_ text: String) { stringValue = text }
      init?(stringValue: String) { self.init(stringValue) }
      init?(intValue: Int) { nil }
    }

    public func encode(to encoder: any Encoder) throws {
      var object = encoder.container(keyedBy: Key.self)
      for (name, text) in [("system", system), ("channel", channel), ("units", units), ("region", region)] {
        try object.encode(text, forKey: Key(name))
      }
      try object.encode(leadHours, forKey: Key("leadHours"))
      try object.encode(forecasts, forKey: Key("forecasts"))
      for (name, value) in values { try object.encodeIfPresent(value, forKey: Key(name)) }
    }
  }

  public var report: Report {
    let times = evaluation.initialTimes
    return Report(
      forecast: source.forecast, checkpoint: source.checkpoint, truth: source.truth,
      firstForecast: times[0].description, lastForecast: times[times.count - 1].description,
      forecastsOnTrainingDates: source.remarks.onTrainingDates,
      forecastsOnValidationDates: source.remarks.onValidationDates,
      leftOut: source.remarks.leftOut.map(\.description), remarks: source.remarks.sentences, scores: scores)
  }

  /// In the order of the table.
  var scores: [Score] {
    evaluation.systems.flatMap { system in
      zip(evaluation.channels, evaluation.units).flatMap { channel, units in
        evaluation.leadHours.flatMap { lead in
          evaluation.regions.compactMap { region in
            evaluation[system, channel.name, lead, region].map { means in
              Score(
                system: system.rawValue, channel: channel.name, units: units,
                leadHours: lead, region: region, forecasts: means.forecasts,
                values: evaluation.metrics.map { metric in
                  let value = metric.value(means)
                  return (metric.name, value.isFinite ? value : nil)
                })
            }
          }
        }
      }
    }
  }
}
