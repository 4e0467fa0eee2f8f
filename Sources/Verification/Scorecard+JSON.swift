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
    public let scores: [Score]
  }

  /// Of a system, a channel, a lead and a region.
  public struct Score: Codable, Sendable {
    public let system, channel, units: String
    public let leadHours: Int
    public let region: String
    public let forecasts: Int
    public let rmse, mae, bias: Double
    /// Nil where there is no anomaly to correlate.
    public let acc: Double?
    public let activity: Double
  }

  public var report: Report {
    let times = evaluation.initialTimes
    return Report(
      forecast: source.forecast, checkpoint: source.checkpoint, truth: source.truth,
      firstForecast: times[0].description, lastForecast: times[times.count - 1].description, scores: scores)
  }

  /// In the order of the table.
  var scores: [Score] {
    evaluation.systems.flatMap { system in
      evaluation.channels.flatMap { channel in
        evaluation.leadHours.flatMap { lead in
          evaluation.regions.compactMap { region in
            evaluation[system, channel.name, lead, region].map { s in
              Score(
                system: system.rawValue, channel: channel.name, units: Lexicon.variable(channel.variable).units,
                leadHours: lead, region: region, forecasts: s.count, rmse: s.rmse, mae: s.mae, bias: s.bias,
                acc: s.acc.isFinite ? s.acc : nil, activity: s.activity)
            }
          }
        }
      }
    }
  }
}
