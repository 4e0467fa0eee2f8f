import Basics
import Datasets

/// Amounts (precipitation, radiation, runoff) that a forecast gives since its start, where the truth has those of a period: scores
/// would compare a week's rain with six hours'. Stores don't say which they are, but the one grows with the lead everywhere.
struct AmountsSinceStart {
  /// Share of the changed points that may change the other way, through packing, and that of a truth that surely does not grow.
  private static let tolerance = 0.01
  private static let clearShare = 0.1
  /// The fewest leads that tell: in fewer a growing amount may be the morning's.
  private static let fewestLeads = 3

  /// - Parameters:
  ///   - initial: the forecast that is looked at.
  ///   - leads: indices of those verified, ascending in time.
  /// - Throws: where a channel's forecast only ever grows, or only ever falls, from lead to lead, and its truth does not.
  static func refuse(_ forecasts: ForecastReader, _ truth: FieldDataset, initial: Int, leads: [Int]) throws {
    let channels = truth.channels.indices.filter { Lexicon.isAmount(truth.channels[$0].variable) }
    guard !channels.isEmpty, leads.count >= fewestLeads else { return }
    let names = truth.channels.map(\.name)
    var before: (forecast: [Int: [Float]], truth: [Float])?
    var changes: [Int: (forecast: Changes, truth: Changes)] = [:]
    var planes = [Float](repeating: 0, count: truth.channels.count * truth.grid.count)
    for lead in leads {
      let valid = forecasts.initialTimes[initial].adding(hours: forecasts.leadHours[lead])
      guard let time = truth.index(of: valid) else { continue }
      try planes.withUnsafeMutableBufferPointer { try truth.readChecked(time: time, into: $0.baseAddress!) }
      var fields: [Int: [Float]] = [:]
      for channel in channels {
        let field = try forecasts.read(
          truth.channels[channel], initial: initial, lead: lead, isMissing: truth.unpredicted(channel))
        fields[channel] = field
        guard let before, let last = before.forecast[channel] else { continue }
        let range = channel * truth.grid.count..<(channel + 1) * truth.grid.count
        changes[channel, default: (Changes(), Changes())].forecast.add(field[...], last[...])
        changes[channel, default: (Changes(), Changes())].truth.add(planes[range], before.truth[range])
      }
      before = (fields, planes)
    }
    for channel in channels {
      guard let (ofForecast, ofTruth) = changes[channel], ofForecast.otherShare <= tolerance,
        ofTruth.otherShare >= clearShare
      else { continue }
      let (first, last) = (forecasts.leadHours[leads[0]], forecasts.leadHours[leads[leads.count - 1]])
      throw JigsawError(
        "\(forecasts.path): \(names[channel])",
        "is the amount since the start of the forecast, as it seems: it hardly ever \(ofForecast.rises > ofForecast.falls ? "falls" : "rises") from lead "
          + "to lead, and the truth does",
        expected: "the amount over the same period as the truth's, at every lead",
        found: "leads from \(first) to \(last) h of the forecast from \(forecasts.initialTimes[initial].display)",
        remedy: "take differences of successive leads before, or leave the variable out of data.variables")
    }
  }

  /// Points whose values rise and fall from one field to the next.
  private struct Changes {
    private(set) var (rises, falls) = (0, 0)

    mutating func add(_ field: ArraySlice<Float>, _ before: ArraySlice<Float>) {
      for (now, then) in zip(field, before) where now != then && now.isFinite && then.isFinite {
        if now > then { rises += 1 } else { falls += 1 }
      }
    }

    /// The rarer changes in relation to the others; 1 where nothing changes.
    var otherShare: Double {
      rises + falls == 0 ? 1 : Double(min(rises, falls)) / Double(max(rises, falls))
    }
  }
}
