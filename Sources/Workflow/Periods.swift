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

  /// One sentence for each pair of periods that share dates, and for each that reaches beyond the data.
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
    return warnings
  }
}
