import Basics
import Datasets

/// Properties of the forecasts behind scores without which these mislead: dates that the model has seen, and forecasts that are not
/// among them.
public struct ScoreRemarks: Sendable {
  /// Forecasts that are verified on dates of the periods that their model was trained on; nil where these aren't known.
  public let onTrainingDates: Int?
  /// The same of the period by which the best checkpoint was chosen.
  public let onValidationDates: Int?
  /// Initial times that were wanted and are not scored, ascending.
  public let leftOut: [Timestamp]
  /// All of it in words.
  public let sentences: [String]

  /// Scores of forecasts of which nothing needs to be said.
  public static let none = ScoreRemarks()

  private init() { (onTrainingDates, onValidationDates, leftOut, sentences) = (nil, nil, [], []) }

  /// Runs of times that a sentence names.
  private static let limit = 10

  /// - Parameters:
  ///   - trained: periods that the model was trained on; nil where they aren't known.
  ///   - validated: by which its checkpoint was chosen.
  ///   - climatology: the period of which the climatology is made.
  ///   - unmade: initial times that were wanted, and of which there is no forecast.
  public init(
    _ evaluation: Evaluation, trained: [Lineage.Period]?, validated: [Lineage.Period]?, climatology: Lineage.Period,
    unmade: [Timestamp]
  ) {
    let (initialTimes, leads) = (evaluation.initialTimes, evaluation.leadHours)
    func count(_ periods: [Lineage.Period]) -> Int {
      ScoreRemarks.count(initialTimes, leadHours: leads, in: periods)
    }
    var sentences: [String] = []
    func note(_ periods: [Lineage.Period], _ meaning: String, _ consequence: String) -> Int {
      let found = count(periods)
      if found > 0 {
        let text = periods.filter { count([$0]) > 0 }.map(\.display).joined(separator: ", ")
        sentences.append(
          "\(found) of \(initialTimes.count) forecasts are verified on dates \(meaning) (\(text)): \(consequence)")
      }
      return found
    }
    onTrainingDates = trained.map {
      note($0, "that the model was trained on", "their scores are no measure of its skill")
    }
    onValidationDates = validated.map {
      note($0, "by which the best checkpoint was chosen", "their scores flatter it")
    }
    _ = note([climatology], "of which the climatology is made", "it fits them better than it would others")
    let unverified = evaluation.unverified
    if !unmade.isEmpty {
      sentences.append(
        "\(unmade.count) initial \(unmade.count == 1 ? "time has" : "times have") no forecast, since the data lack what it "
          + "needs: \(Timestamp.text(unmade, limit: ScoreRemarks.limit))")
    }
    if !unverified.isEmpty {
      sentences.append(
        "\(unverified.count) of \(unverified.count + initialTimes.count) forecasts are left out, since the truth lacks times of "
          + "theirs: \(Timestamp.text(unverified, limit: ScoreRemarks.limit))")
    }
    leftOut = (unmade + unverified).sorted()
    self.sentences = sentences
  }

  /// Forecasts that are valid, at a lead, within one of some periods.
  public static func count(_ initialTimes: [Timestamp], leadHours: [Int], in periods: [Lineage.Period]) -> Int {
    let ranges = periods.compactMap(\.range)
    return initialTimes.count { initial in
      leadHours.contains { lead in ranges.contains { $0.contains(initial.adding(hours: lead)) } }
    }
  }

  /// A few words for a picture; nil where there is nothing to say.
  var brief: String? {
    var parts: [String] = []
    if let onTrainingDates, onTrainingDates > 0 { parts.append("\(onTrainingDates) forecasts on training dates") }
    if !leftOut.isEmpty { parts.append("\(leftOut.count) left out") }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }
}
