import Basics
import Configuration
import Datasets

/// Warns of doubtful periods of a configuration: scores on dates that were trained on look like skill, and a period
/// beyond the data is shorter than it looks.
enum Periods {
  static func named(_ data: DataSection) -> [(name: String, period: PeriodSection)] {
    [("train", data.train), ("validation", data.validation), ("test", data.test)].filter {
      $0.1.start != nil || $0.1.end != nil
    }
  }

  /// One sentence for each pair of periods that share dates, and for each that reaches beyond the data or has gaps.
  static func warnings(_ data: DataSection, _ dataset: FieldDataset) throws -> [String] {
    let periods = try named(data).map { ($0.name, try $0.period.range("data.\($0.name)")) }
    var warnings: [String] = []
    for (index, (name, range)) in periods.enumerated() {
      for (other, otherRange) in periods[(index + 1)...] {
        let (start, end) = (max(range.0, otherRange.0), min(range.1, otherRange.1))
        if start > end { continue }
        warnings.append("warning: data.\(name) and data.\(other) overlap: \(start.display) … \(end.display) is in both")
      }
    }
    guard let first = dataset.times.first, let last = dataset.times.last else { return warnings }
    for (name, (start, end)) in periods where start < first || end > last {
      warnings.append(
        "warning: data.\(name) reaches beyond the data: \(start.display) … \(end.display) was asked for, the data go from "
          + "\(first.display) to \(last.display)")
    }
    for (name, range) in periods {
      if let gaps = gaps(dataset, range) { warnings.append("warning: data.\(name) \(gaps)") }
    }
    return warnings
  }

  /// Gaps that are named.
  private static let limit = 5

  /// The times that a period lacks between some that it has, in words; nil where it lacks none.
  private static func gaps(_ dataset: FieldDataset, _ range: (start: Timestamp, end: Timestamp)) -> String? {
    let times = dataset.indices(from: range.start, through: range.end).map { dataset.times[$0] }
    let steps = zip(times, times.dropFirst())
    guard let interval = steps.map({ $1.seconds - $0.seconds }).min() else { return nil }
    let gaps = steps.filter { $1.seconds - $0.seconds >= 2 * interval }
    if gaps.isEmpty { return nil }
    let missing = gaps.reduce(0) { $0 + Int(($1.1.seconds - $1.0.seconds) / interval) - 1 }
    let places = gaps.prefix(limit).map { "between \($0.display) and \($1.display)" }.joined(separator: ", ")
    let more = gaps.count > limit ? " and in \(gaps.count - limit) more gaps" : ""
    return "lacks \(counted(missing, "time")) \(places)\(more): nothing that would reach into a gap is used"
  }
}
