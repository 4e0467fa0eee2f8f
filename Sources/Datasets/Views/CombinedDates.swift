import Basics

/// A view whose dates are made of several of another's: `interpolate_frequency` and `rolling_average`.
struct CombinedDates: DerivedView {
  /// How the fields of consecutive dates become one.
  private enum Rule: Sendable {
    /// Linear between two dates, in so many parts.
    case between(parts: Int)
    /// The mean of so many dates; missing values don't count.
    case mean(of: Int)

    /// The dates of the base that one is made of.
    func sources(_ date: Int) -> Range<Int> {
      switch self {
      case .between(let parts): date / parts..<date / parts + (date % parts == 0 ? 1 : 2)
      case .mean(let count): date..<date + count
      }
    }
  }

  let base: any FieldView
  let dates: [Timestamp]
  let missing: Set<Int> = []
  let storedDates: DateRuns
  let pointsOnTheWay: Int
  let variables: [ViewVariable]
  private let rule: Rule

  /// Dates between those that are there, linear in time.
  /// - Parameter seconds: between the new dates.
  /// - Throws: when these don't divide the interval, or dates are missing.
  init(_ base: any FieldView, everySeconds seconds: Int64, key: String) throws {
    let interval = try CombinedDates.interval(base, key: key)
    guard seconds < interval, interval % seconds == 0 else {
      throw JigsawError(
        key, "does not divide the interval between the dates", expected: "a part of \(interval) s",
        found: "\(seconds) s", remedy: "use frequency for fewer dates")
    }
    self.base = base
    let parts = Int(interval / seconds)
    let all = base.dates
    guard parts <= ViewOptions.dateLimit / all.count else {
      throw JigsawError(
        key, "makes more dates than can be held", expected: "at most \(ViewOptions.dateLimit)",
        found: "\(parts) for each of \(all.count)", remedy: "choose a longer interval, or a shorter period before")
    }
    dates =
      all.dropLast().flatMap { date in (0..<parts).map { Timestamp(seconds: date.seconds + Int64($0) * seconds) } }
      + all.suffix(1)
    let rule = Rule.between(parts: parts)
    self.rule = rule
    variables = ViewVariable.made(of: base, at: dates) { Array(rule.sources($0)) }
    storedDates = base.storedDates.spread(parts, count: dates.count)
    pointsOnTheWay = base.pointsOnTheWay + 2 * base.points.count
  }

  /// The mean over a window of dates around each.
  /// - Parameters:
  ///   - before, after: how many dates before and after belong to the window.
  /// - Throws: when the window is longer than the data, or dates are missing.
  init(_ base: any FieldView, before: Int, after: Int, key: String) throws {
    _ = try CombinedDates.interval(base, key: key)
    let all = base.dates
    guard before + after < all.count else {
      throw JigsawError(key, "is longer than the data", expected: "at most \(counted(all.count, "date"))")
    }
    self.base = base
    let places = Array(before..<all.count - after)
    dates = places.map { all[$0] }
    let rule = Rule.mean(of: before + after + 1)
    self.rule = rule
    variables = ViewVariable.made(of: base, at: dates) { Array(rule.sources($0)) }
    storedDates = base.storedDates.picked(places)
    pointsOnTheWay = base.pointsOnTheWay + (before + after + 1) * base.points.count
  }

  /// Seconds between the dates.
  private static func interval(_ base: any FieldView, key: String) throws -> Int64 {
    // anemoi-datasets 0.5.47 marks other dates as missing than those that it can't make.
    if let first = base.missing.min() {
      throw JigsawError(
        key, "needs every date, but \(base.missing.count) of \(base.location) are missing",
        found: "the first is \(base.dates[first].display)", remedy: "add fill_missing_dates, which goes before")
    }
    let dates = base.dates
    guard dates.count > 1 else {
      throw JigsawError(key, "needs at least two dates", found: "\(dates.count) in \(base.location)")
    }
    return try equalInterval(base, key: key)
  }

  func storedRuns(of variable: Int) -> [Range<Int>] { base.storedRuns(of: variable) }

  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
    // Each source once.
    var inBase = wanted
    inBase.dates = []
    for date in wanted.dates { inBase.dates += rule.sources(date).filter { $0 > inBase.dates.last ?? -1 } }
    let places = Dictionary(uniqueKeysWithValues: inBase.dates.enumerated().map { ($1, $0) })
    let (count, lines) = (wanted.points.count, wanted.variables.count)
    try withTemporary(inBase.dates.count * lines * count) { values in
      try base.read(inBase) { values + ($0 * lines + $1) * count }
      for (place, date) in wanted.dates.enumerated() {
        for line in 0..<lines {
          let fields = rule.sources(date).compactMap { places[$0] }.map {
            UnsafePointer(values + ($0 * lines + line) * count)
          }
          combine(fields, date, count, into: target(place, line))
        }
      }
    }
  }

  private func combine(
    _ fields: [UnsafePointer<Float>], _ date: Int, _ count: Int, into out: UnsafeMutablePointer<Float>
  ) {
    switch rule {
    case .between where fields.count == 1: out.update(from: fields[0], count: count)
    case .between(let parts):
      // Rounded as Anemoi does: once.
      let share = Double(date % parts) * (1 / Double(parts))
      for i in 0..<count { out[i] = Float(Double(fields[0][i]) * (1 - share) + Double(fields[1][i]) * share) }
    case .mean:
      for i in 0..<count {
        var (sum, there) = (Float(0), 0)
        for field in fields where !field[i].isNaN {
          sum += field[i]
          there += 1
        }
        out[i] = there == 0 ? .nan : sum / Float(there)
      }
    }
  }
}

/// - Returns: seconds between the dates of a view, which has two at least.
/// - Throws: when they differ.
func equalInterval(_ view: any FieldView, key: String) throws -> Int64 {
  let dates = view.dates
  let interval = dates[1].seconds - dates[0].seconds
  if let gap = dates.indices.dropFirst().first(where: { dates[$0].seconds - dates[$0 - 1].seconds != interval }) {
    throw JigsawError(
      key, "needs dates at one interval",
      found: "\(dates[gap].display) after \(dates[gap - 1].display) in \(view.location)",
      remedy: "choose a period without gaps with start and end")
  }
  return interval
}

/// A view at other dates, some of which are there in name only: `extend_start`, `extend_end`, `fill_missing_gaps`.
struct SpreadDates: DerivedView {
  let base: any FieldView
  let dates: [Timestamp]
  let missing: Set<Int>
  let storedDates: DateRuns
  /// The place of the first date of the base; nil: none of it.
  private let first: Int?

  /// The dates of a view, with missing ones before and after.
  init(_ base: any FieldView, from start: Timestamp?, through end: Timestamp?, every seconds: Int64) {
    self.base = base
    let all = base.dates
    func row(_ from: Int64, _ through: Int64) -> [Timestamp] {
      stride(from: from, through: through, by: Int64.Stride(seconds)).map { Timestamp(seconds: $0) }
    }
    guard let own = all.first?.seconds, let last = all.last?.seconds else {
      (dates, missing, storedDates, first) = ([], [], base.storedDates, 0)
      return
    }
    let before = start.map { row($0.seconds, own - 1) } ?? []
    let after = end.map { row(last + seconds, $0.seconds) } ?? []
    dates = before + all + after
    first = before.count
    missing = Set(base.missing.map { $0 + before.count }).union(dates.indices).subtracting(
      Set(before.count..<before.count + all.count).subtracting(base.missing.map { $0 + before.count }))
    storedDates = .row([
      DateRuns(count: before.count, together: 1), base.storedDates, DateRuns(count: after.count, together: 1),
    ])
  }

  /// Dates that are all missing, of fields like those of a view.
  init(gapLike base: any FieldView, dates: [Timestamp]) {
    self.base = base
    self.dates = dates
    missing = Set(dates.indices)
    storedDates = DateRuns(count: dates.count, together: 1)
    first = nil
  }

  func storedRuns(of variable: Int) -> [Range<Int>] { base.storedRuns(of: variable) }

  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
    let inside = first.map { $0..<$0 + base.dates.count } ?? 0..<0
    let there = wanted.dates.indices.filter { inside.contains(wanted.dates[$0]) }
    for place in wanted.dates.indices where !inside.contains(wanted.dates[place]) {
      for line in wanted.variables.indices { target(place, line).update(repeating: .nan, count: wanted.points.count) }
    }
    if there.isEmpty { return }
    var inBase = wanted
    inBase.dates = there.map { wanted.dates[$0] - inside.lowerBound }
    try base.read(inBase) { target(there[$0], $1) }
  }
}
