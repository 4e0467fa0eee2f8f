import Basics
import Datasets

/// Sentences on dates that are left out or lack values.
enum DateSentences {
  /// "5 dates that msl lacks are left out: 2001-01-01 00:00, …"; nothing for none.
  static func sentence(_ dates: [Timestamp], _ what: String) -> [String] {
    if dates.isEmpty { return [] }
    let shown = dates.prefix(10).map(\.display).joined(separator: ", ")
    return ["\(counted(dates.count, "date")) \(what): \(shown)\(dates.count > 10 ? ", …" : "")"]
  }

  /// Dates that some variables have and others lack, a sentence for each set of these.
  static func leftOut(_ partial: [(lacking: [String], times: [Timestamp])]) -> [String] {
    partial.flatMap { lacking, times in
      sentence(
        times,
        "that \(lacking.joined(separator: ", ")) lack\(lacking.count == 1 ? "s" : "") \(times.count == 1 ? "is" : "are") left out"
      )
    }
  }
}
