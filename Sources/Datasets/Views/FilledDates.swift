import Basics

/// A view in which missing dates have values: `fill_missing_dates`. Statistics stay those of the dates that are there, as in
/// Anemoi.
struct FilledDates: DerivedView {
  enum Method: Sendable {
    /// The nearest date that has data, the later one of two that are as near.
    case closest
    /// Linear in time between the dates before and after.
    case interpolate
    case nan
    /// One number per variable.
    case values([Float])
  }

  /// The content of a missing date: that of another date, a mean of two, or given values.
  private enum Filling: Sendable {
    case date(Int)
    case between(Int, Int, later: Double)
    case values([Float])

    /// The dates that it is made of.
    var dates: [Int] {
      switch self {
      case .date(let date): [date]
      case .between(let before, let after, _): [before, after]
      case .values: []
      }
    }
  }

  let base: any FieldView
  /// Dates that can't be filled: those before the first or after the last with data, with `closest` and `interpolate`.
  let missing: Set<Int>
  let variables: [ViewVariable]
  private let fillings: [Int: Filling]
  let pointsOnTheWay: Int

  init(_ base: any FieldView, _ method: Method) {
    self.base = base
    let absent = base.missing
    let there = base.dates.indices.filter { !absent.contains($0) }
    var fillings: [Int: Filling] = [:]
    for date in absent {
      // Dates before and after, by bisection: `there` is ascending.
      let next = FilledDates.place(after: date, in: there)
      let (before, after) = (next > 0 ? there[next - 1] : nil, next < there.count ? there[next] : nil)
      switch method {
      case .nan: fillings[date] = .values([Float](repeating: .nan, count: base.variables.count))
      case .values(let values): fillings[date] = .values(values)
      case .closest:
        guard let before, let after else { continue }
        fillings[date] = .date(date - before < after - date ? before : after)
      case .interpolate:
        guard let before, let after else { continue }
        fillings[date] = .between(before, after, later: Double(date - before) / Double(after - before))
      }
    }
    self.fillings = fillings
    variables = ViewVariable.made(of: base, at: base.dates) { date in fillings[date]?.dates ?? [date] }
    missing = absent.filter { fillings[$0] == nil }
    pointsOnTheWay = base.pointsOnTheWay + base.points.count
  }

  private static func place(after date: Int, in dates: [Int]) -> Int {
    var range = 0..<dates.count
    while !range.isEmpty {
      let middle = range.lowerBound + range.count / 2
      range = dates[middle] > date ? range.lowerBound..<middle : middle + 1..<range.upperBound
    }
    return range.lowerBound
  }

  func storedRuns(of variable: Int) -> [Range<Int>] { base.storedRuns(of: variable) }

  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
    let plain = wanted.dates.indices.filter { fillings[wanted.dates[$0]] == nil }
    if !plain.isEmpty {
      var inBase = wanted
      inBase.dates = plain.map { wanted.dates[$0] }
      try base.read(inBase) { target(plain[$0], $1) }
    }
    for (place, date) in wanted.dates.enumerated() {
      guard let filling = fillings[date] else { continue }
      try fill(filling, wanted) { target(place, $0) }
    }
  }

  private func fill(
    _ filling: Filling, _ wanted: WantedPart, into target: (_ variable: Int) -> UnsafeMutablePointer<Float>
  ) throws {
    let count = wanted.points.count
    var inBase = wanted
    switch filling {
    case .values(let values):
      for (line, variable) in wanted.variables.enumerated() {
        target(line).update(repeating: values[variable], count: count)
      }
    case .date(let date):
      inBase.dates = [date]
      try base.read(inBase) { target($1) }
    case .between(let before, let after, let share):
      // Rounded as Anemoi does: the weights, the products and the sum in 32 bits.
      let (first, second) = (Float(1 - share), Float(share))
      inBase.dates = [before, after]
      try withTemporary(wanted.variables.count * count) { values in
        try base.read(inBase) { $0 == 0 ? target($1) : values + $1 * count }
        for line in wanted.variables.indices {
          let (out, later) = (target(line), values + line * count)
          for i in 0..<count { out[i] = out[i] * first + later[i] * second }
        }
      }
    }
  }
}
