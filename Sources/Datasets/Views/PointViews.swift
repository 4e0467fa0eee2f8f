import Basics
import Stores

/// Some points of a view: `area`, `thinning`, `trim_edge`.
struct PointSubset: DerivedView {
  let base: any FieldView
  /// Ascending.
  private let indices: [Int]
  let points: PointGrid
  let storedRuns: [Range<Int>]
  let pointsOnTheWay: Int

  /// - Parameter shape: rows and columns of what is left, where it has them.
  init(_ base: any FieldView, _ indices: [Int], shape: PointGrid.Shape? = nil) {
    self.base = base
    self.indices = indices
    let chosen = base.points[indices]
    points = PointGrid(
      latitudes: chosen.latitudes, longitudes: chosen.longitudes, shape: shape,
      isSinglePrecision: chosen.isSinglePrecision)
    // The runs as they are cut by the runs of the base.
    var runs: [Range<Int>] = []
    var start = 0
    for run in base.storedRuns {
      var end = start
      while end < indices.count, indices[end] < run.upperBound { end += 1 }
      if end > start { runs.append(start..<end) }
      start = end
    }
    storedRuns = runs
    let span = indices.isEmpty ? 0 : indices[indices.count - 1] + 1 - indices[0]
    pointsOnTheWay = base.pointsOnTheWay + (span == indices.count ? 0 : span)
  }

  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
    let points = wanted.points
    guard let first = points.first.map({ indices[$0] }), let last = points.last.map({ indices[$0] }) else { return }
    var inBase = wanted
    inBase.points = first..<last + 1
    let (width, lines) = (inBase.points.count, wanted.variables.count)
    if width == points.count { return try base.read(inBase, into: target) }
    try withTemporary(wanted.dates.count * lines * width) { values in
      try base.read(inBase) { values + ($0 * lines + $1) * width }
      for date in wanted.dates.indices {
        for line in 0..<lines {
          let (source, out) = (values + (date * lines + line) * width - first, target(date, line))
          for (place, point) in points.enumerated() { out[place] = source[indices[point]] }
        }
      }
    }
  }
}

/// The points of several views one after the other: `grids`, and `cutout` with the points that are left of each.
struct GridUnion: FieldView {
  private let parts: [any FieldView]
  let points: PointGrid
  /// Where the points of each part begin, and the end.
  private let starts: [Int]
  let missing: Set<Int>
  let variables: [ViewVariable]

  /// - Throws: when dates, variables or members differ.
  init(_ parts: [any FieldView], key: String) throws {
    for part in parts.dropFirst() { try checkSame(parts[0], part, key, .dates, .variables, .members) }
    self.parts = parts
    variables = ViewVariable.common(of: parts)
    points = PointGrid(
      latitudes: parts.flatMap(\.points.latitudes), longitudes: parts.flatMap(\.points.longitudes),
      isSinglePrecision: parts.allSatisfy(\.points.isSinglePrecision))
    starts = parts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.points.count) }
    missing = parts.reduce(into: []) { $0.formUnion($1.missing) }
  }

  var location: String { parts.map(\.location).joined(separator: " + ") }
  var dates: [Timestamp] { parts[0].dates }
  var memberCount: Int { parts[0].memberCount }
  var memberNumbers: [Int]? { parts.lazy.compactMap(\.memberNumbers).first }
  var gridSizes: [Int] { parts.map(\.points.count) }
  var storedRuns: [Range<Int>] {
    zip(parts, starts).flatMap { part, start in
      part.storedRuns.map { $0.lowerBound + start..<$0.upperBound + start }
    }
  }
  var storedDates: DateRuns { .coarsest(parts.map(\.storedDates)) }
  var pointsOnTheWay: Int { parts.map(\.pointsOnTheWay).max() ?? 0 }
  var reads: ReadCounts { ReadCounts(sum: parts.map(\.reads)) }
  var readsAtOnce: Int { parts.map(\.readsAtOnce).max() ?? 1 }
  var libraryBytes: Int { parts.map(\.libraryBytes).max() ?? 0 }
  var notes: [String] { Set(parts.flatMap(\.notes)).sorted() }

  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
    for (part, start) in zip(parts, starts) {
      let inside = wanted.points.clamped(to: start..<start + part.points.count)
      if inside.isEmpty { continue }
      var inPart = wanted
      inPart.points = inside.lowerBound - start..<inside.upperBound - start
      try part.read(inPart) { target($0, $1) + inside.lowerBound - wanted.points.lowerBound }
    }
  }
}

/// Some members of an ensemble: `member`, `number`.
struct MemberSubset: DerivedView {
  let base: any FieldView
  let members: [Int]
  var memberCount: Int { members.count }
  var memberNumbers: [Int]? { base.memberNumbers.map { numbers in members.map { numbers[$0] } } }

  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
    var inBase = wanted
    inBase.member = members[wanted.member]
    try base.read(inBase, into: target)
  }
}

/// The members of several views one after the other: `ensemble`.
struct EnsembleView: FieldView {
  private let parts: [any FieldView]
  private let places: [(part: Int, member: Int)]
  let missing: Set<Int>
  let variables: [ViewVariable]

  /// - Throws: when dates, variables or points differ.
  init(_ parts: [any FieldView]) throws {
    for part in parts.dropFirst() { try checkSame(parts[0], part, "ensemble", .dates, .variables, .points) }
    self.parts = parts
    variables = ViewVariable.common(of: parts)
    places = parts.enumerated().flatMap { number, part in (0..<part.memberCount).map { (part: number, member: $0) } }
    missing = parts.reduce(into: []) { $0.formUnion($1.missing) }
  }

  var location: String { parts.map(\.location).joined(separator: " + ") }
  var dates: [Timestamp] { parts[0].dates }
  var memberCount: Int { places.count }
  /// The member numbers of all parts; nil where a part has none or two members have the same.
  var memberNumbers: [Int]? {
    let numbers = parts.compactMap(\.memberNumbers)
    let all = numbers.flatMap { $0 }
    return numbers.count == parts.count && Set(all).count == all.count ? all : nil
  }
  var points: PointGrid { parts[0].points }
  var storedRuns: [Range<Int>] { parts[0].storedRuns }
  var storedDates: DateRuns { .coarsest(parts.map(\.storedDates)) }
  var pointsOnTheWay: Int { parts.map(\.pointsOnTheWay).max() ?? 0 }
  var reads: ReadCounts { ReadCounts(sum: parts.map(\.reads)) }
  var readsAtOnce: Int { parts.map(\.readsAtOnce).max() ?? 1 }
  var libraryBytes: Int { parts.map(\.libraryBytes).max() ?? 0 }
  var notes: [String] { Set(parts.flatMap(\.notes)).sorted() }

  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
    let place = places[wanted.member]
    var inPart = wanted
    inPart.member = place.member
    try parts[place.part].read(inPart, into: target)
  }
}

/// A box of latitudes and longitudes, its edges included.
struct Area {
  let north, west, south, east: Double

  func contains(latitude: Double, longitude: Double) -> Bool {
    guard latitude >= south, latitude <= north else { return false }
    return [0.0, 360, -360].contains { longitude >= west + $0 && longitude <= east + $0 }
  }
}
