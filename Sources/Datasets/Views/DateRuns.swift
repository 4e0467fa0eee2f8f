/// Dates in runs that are stored together, and so are best read together: all dates from the first on, none twice.
public struct DateRuns: Sendable, Equatable {
  /// The number of dates.
  public let count: Int
  /// The first date of each run but the first one; nil: each date is stored alone.
  private let starts: [Int]?

  /// - Parameter together: how many dates a chunk holds.
  public init(count: Int, together: Int) {
    self.count = count
    let size = min(together, count)
    starts = together > 1 ? size == 0 ? [] : Array(stride(from: size, to: count, by: size)) : nil
  }

  private init(count: Int, starts: [Int]) {
    self.count = count
    self.starts = starts
  }

  /// How many there are.
  var runCount: Int { count == 0 ? 0 : starts.map { $0.count + 1 } ?? count }

  /// The run that a date lies in.
  func run(of date: Int) -> Range<Int> {
    guard let starts else { return date..<date + 1 }
    let next = index(after: date, in: starts)
    return (next == 0 ? 0 : starts[next - 1])..<(next == starts.count ? count : starts[next])
  }

  /// The first of ascending numbers that is larger than a date.
  private func index(after date: Int, in starts: [Int]) -> Int {
    var range = 0..<starts.count
    while !range.isEmpty {
      let middle = range.lowerBound + range.count / 2
      range = starts[middle] > date ? range.lowerBound..<middle : middle + 1..<range.upperBound
    }
    return range.lowerBound
  }

  /// Places in an ascending list of dates, by the run in which these lie.
  func groups(_ dates: [Int]) -> [Range<Int>] {
    var groups: [Range<Int>] = []
    for place in dates.indices {
      if let last = groups.last, run(of: dates[last.lowerBound]).contains(dates[place]) {
        groups[groups.count - 1] = last.lowerBound..<place + 1
      } else {
        groups.append(place..<place + 1)
      }
    }
    return groups
  }

  /// The runs of some dates, ascending, which are counted anew.
  func picked(_ dates: [Int]) -> DateRuns {
    guard starts != nil else { return DateRuns(count: dates.count, together: 1) }
    return DateRuns(count: dates.count, starts: groups(dates).dropFirst().map(\.lowerBound))
  }

  /// The runs of dates with others between them: each begins where its first date does.
  /// - Parameter parts: how many dates come instead of each.
  func spread(_ parts: Int, count: Int) -> DateRuns {
    guard let starts else { return DateRuns(count: count, together: parts) }
    return DateRuns(count: count, starts: starts.map { $0 * parts }.filter { $0 < count })
  }

  /// The runs of dates among dates that are not stored: each run begins where its first date does.
  /// - Parameter places: of these dates, ascending.
  func among(_ places: [Int], count: Int) -> DateRuns {
    guard let starts else { return DateRuns(count: count, together: 1) }
    return DateRuns(count: count, starts: starts.map { places[$0] })
  }

  /// The runs of lists that follow each other.
  static func row(_ parts: [DateRuns]) -> DateRuns {
    if parts.allSatisfy({ $0.starts == nil }) { return DateRuns(count: parts.reduce(0) { $0 + $1.count }, together: 1) }
    var starts: [Int] = []
    var end = 0
    for part in parts where part.count > 0 {
      if end > 0 { starts.append(end) }
      starts += (part.starts ?? Array(1..<part.count)).map { $0 + end }
      end += part.count
    }
    return DateRuns(count: end, starts: starts)
  }

  /// The ones with the fewest runs among those of the same dates: who reads these reads the others' chunks, which are smaller,
  /// about once, too.
  static func coarsest(_ all: [DateRuns]) -> DateRuns {
    all.min { $0.runCount < $1.runCount } ?? DateRuns(count: 0, together: 1)
  }
}
