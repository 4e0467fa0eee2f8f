import Basics
import Datasets

/// Periods over which amounts, means and extremes of forecasts and of the truth are made: a day's rain is no forecast of six hours'.
enum VerifiedPeriods {
  /// Compares what stores say of them: messages of GRIB, bounds of times, names such as `tp6h`. Where the truth doesn't say its own, it
  /// is taken for the interval between its times.
  ///
  /// - Parameter leads: indices of those verified.
  /// - Returns: what was taken for granted, a sentence each.
  /// - Throws: when a forecast's period is another than the truth's.
  static func notes(_ forecasts: ForecastReader, _ truth: FieldDataset, leads: [Int]) throws -> [String] {
    let interval = zip(truth.times, truth.times.dropFirst()).map { $1.seconds - $0.seconds }.min()
    var notes: [String] = []
    for (index, channel) in truth.channels.enumerated() {
      let own = truth.periodSeconds(of: index)
      let found = forecasts.periodSeconds(of: channel)
      let known = leads.flatMap { lead in found.map { $0.count == 1 ? $0[0] : $0[lead] } }.filter { $0 != 0 }
      if known.isEmpty {
        // A run's own forecasts start from the data that it was trained on.
        if let own, forecasts.lineage == nil {
          notes.append(
            "\(channel.name): the forecast does not say over which period it is; taken for the truth's, \(hours(own))")
        }
        continue
      }
      guard let expected = own ?? interval else { continue }
      for lead in leads {
        for parts in found {
          let seconds = parts.count == 1 ? parts[0] : parts[lead]
          guard seconds != 0, seconds != expected else { continue }
          throw JigsawError(
            "\(forecasts.path): \(channel.name)", "is over another period than the truth",
            expected: own == nil
              ? "\(hours(expected)), the interval between the truth's times, which doesn't say its period"
              : hours(expected),
            found: "\(seconds < 0 ? "several periods" : hours(seconds)) at the lead of \(forecasts.leadHours[lead]) h",
            remedy:
              "make both the same before, for example with differences of successive leads, or leave the variable out of "
              + "data.variables")
        }
      }
      if own == nil {
        notes.append(
          "\(channel.name): the truth does not say over which period it is; taken for the interval between its times, "
            + hours(expected))
      }
    }
    return notes
  }

  private static func hours(_ seconds: Int64) -> String { "\(Channel.text(Double(seconds) / 3_600)) h" }
}
