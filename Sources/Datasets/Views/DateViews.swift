import Basics
import Stores

/// Some dates of a view: `start`, `end`, `frequency`.
struct DateSubset: DerivedView {
  let base: any FieldView
  let dates: [Timestamp]
  let missing: Set<Int>
  let storedDates: DateRuns
  /// Ascending.
  private let indices: [Int]

  init(_ base: any FieldView, _ indices: [Int]) {
    self.base = base
    self.indices = indices
    let (all, absent) = (base.dates, base.missing)
    dates = indices.map { all[$0] }
    storedDates = base.storedDates.picked(indices)
    missing = Set(indices.indices.filter { absent.contains(indices[$0]) })
  }

  func storedRuns(of variable: Int) -> [Range<Int>] { base.storedRuns(of: variable) }

  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
    var inBase = wanted
    inBase.dates = wanted.dates.map { indices[$0] }
    try base.read(inBase, into: target)
  }
}

/// Dates that shall not be used: `set_missing_dates`.
struct MissingDates: DerivedView {
  let base: any FieldView
  let missing: Set<Int>

  init(_ base: any FieldView, _ more: Set<Int>) {
    self.base = base
    missing = base.missing.union(more)
  }
}

/// Views that follow each other in time: `concat`.
struct ConcatenatedView: FieldView {
  private let parts: [any FieldView]
  let dates: [Timestamp]
  /// Part and date in it, of each date.
  private let places: [(part: Int, date: Int)]
  let missing: Set<Int>
  let variables: [ViewVariable]

  /// - Throws: when variables, members or points differ, or the dates don't follow each other at one interval.
  init(_ parts: [any FieldView]) throws {
    for (previous, part) in zip(parts, parts.dropFirst()) {
      try checkSame(parts[0], part, "concat", .variables, .meaning, .members, .points, .frequency)
      try checkSame(previous, part, "concat", .meaning)
    }
    self.parts = parts
    variables = ViewVariable.common(of: parts)
    dates = parts.flatMap(\.dates)
    places = parts.enumerated().flatMap { number, part in part.dates.indices.map { (part: number, date: $0) } }
    var missing: Set<Int> = []
    var offset = 0
    for part in parts {
      missing.formUnion(part.missing.map { $0 + offset })
      offset += part.dates.count
    }
    self.missing = missing
    let step = dates.count > 1 ? dates[1].seconds - dates[0].seconds : 0
    for (earlier, later) in zip(parts, parts.dropFirst()) {
      guard let last = earlier.dates.last, let first = later.dates.first else {
        throw JigsawError("concat: \(later.location)", "can't be put in a row", found: "no dates in one of them")
      }
      if step > 0 && first.seconds - last.seconds == step { continue }
      throw JigsawError(
        "concat: \(later.location)", "doesn't follow \(earlier.location)",
        expected: "its first date at \(Timestamp(seconds: last.seconds + step).display)", found: first.display,
        remedy: "put the datasets in order, and cut overlaps with start and end")
    }
  }

  var location: String { parts.map(\.location).joined(separator: " + ") }
  var memberCount: Int { parts[0].memberCount }
  var memberNumbers: [Int]? { parts.lazy.compactMap(\.memberNumbers).first }
  var points: PointGrid { parts[0].points }
  var storedRuns: [Range<Int>] { parts[0].storedRuns }
  var storedDates: DateRuns { .row(parts.map(\.storedDates)) }
  var pointsOnTheWay: Int { parts.map(\.pointsOnTheWay).max() ?? 0 }
  var reads: ReadCounts { ReadCounts(sum: parts.map(\.reads)) }
  var readsAtOnce: Int { parts.map(\.readsAtOnce).max() ?? 1 }
  var libraryBytes: Int { parts.map(\.libraryBytes).max() ?? 0 }
  var notes: [String] { Set(parts.flatMap(\.notes)).sorted() }

  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
    for number in parts.indices {
      let own = wanted.dates.indices.filter { places[wanted.dates[$0]].part == number }
      if own.isEmpty { continue }
      var inPart = wanted
      inPart.dates = own.map { places[wanted.dates[$0]].date }
      try parts[number].read(inPart) { target(own[$0], $1) }
    }
  }
}

/// In what views that are combined must agree.
enum Agreement { case dates, frequency, variables, meaning, members, points }

/// - Throws: naming the first respect in which two views differ.
func checkSame(_ first: any FieldView, _ other: any FieldView, _ key: String, _ respects: Agreement...) throws {
  func fail(_ what: String, _ expected: String, _ found: String, _ remedy: String) -> JigsawError {
    JigsawError(
      "\(key): \(other.location)", "has other \(what) than \(first.location)", expected: expected, found: found,
      remedy: remedy)
  }
  for respect in respects {
    switch respect {
    case .dates where first.dates != other.dates:
      func span(_ view: any FieldView) -> String {
        guard let start = view.dates.first, let end = view.dates.last else { return "none" }
        return "\(view.dates.count) from \(start.display) to \(end.display)"
      }
      throw fail(
        "dates", span(first), span(other),
        first.dates.count < 2 || other.dates.count < 2
          ? "name the static fields as a source of their own"
          : "add adjust: dates, or cut them with start, end and frequency")
    case .frequency
    where first.dates.count > 1 && other.dates.count > 1 && first.frequencyHours != other.frequencyHours:
      throw fail(
        "intervals between dates", hours(first), hours(other), "add adjust: frequency, or thin one with frequency")
    case .variables where first.variables.map(\.name) != other.variables.map(\.name):
      throw fail(
        "variables", first.variables.map(\.name).joined(separator: ", "),
        other.variables.map(\.name).joined(separator: ", "),
        "add adjust: variables, or choose with select, drop and reorder")
    case .variables:
      guard let (own, theirs) = zip(first.variables, other.variables).first(where: { haveOtherUnits($0, $1) }) else {
        continue
      }
      throw fail(
        "units of \(own.name)", own.units ?? "none", theirs.units ?? "none", "add rescale, or convert one of them")
    case .meaning: try checkMeaning(first, other, key)
    case .members where first.memberCount != other.memberCount:
      throw fail("members", "\(first.memberCount)", "\(other.memberCount)", "choose with member")
    case .members:
      guard first.memberCount > 1, let own = first.memberNumbers, let theirs = other.memberNumbers, own != theirs else {
        continue
      }
      throw fail("members", numbers(own), numbers(theirs), "choose with number")
    case .points where !first.points.matches(other.points):
      throw fail("points", first.points.summary, other.points.summary, "regrid one of them")
    default: continue
    }
  }
}

/// - Throws: where views of the same variables say that these are other quantities, over other periods, of other members, leads or
///   calendars.
private func checkMeaning(_ first: any FieldView, _ other: any FieldView, _ key: String) throws {
  for (own, theirs) in zip(first.variables, other.variables) {
    let place = "\(key): \(other.location): \(theirs.name)"
    if let meaning = own.meaning, let difference = theirs.meaning.flatMap({ meaning.difference(from: $0) }) {
      throw JigsawError(
        place, difference.problem(first.location), expected: difference.own, found: difference.other,
        remedy: difference.remedy)
    }
    if !own.periodSeconds.isEmpty, !theirs.periodSeconds.isEmpty, own.periodSeconds != theirs.periodSeconds {
      throw FieldPeriod.differs(place, than: first.location, own.periodSeconds, theirs.periodSeconds)
    }
  }
}

/// Compares variables of one name; where one doesn't say its unit, nothing is known.
private func haveOtherUnits(_ first: ViewVariable, _ other: ViewVariable) -> Bool {
  guard let own = first.units, let theirs = other.units, own != theirs else { return false }
  return UnitConversion(from: theirs, to: own) != UnitConversion.none
}

private func numbers(_ members: [Int]) -> String { "number " + members.map(String.init).joined(separator: ", ") }

private func hours(_ view: any FieldView) -> String {
  view.frequencyHours.map { "\(Int(exactly: $0).map(String.init) ?? String($0)) h" } ?? "none"
}
