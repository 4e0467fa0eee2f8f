import Basics
import Stores

/// Some variables of a view, in any order and under any names: `select`, `drop`, `reorder`, `rename`.
struct VariableSubset: DerivedView {
  let base: any FieldView
  let indices: [Int]
  let variables: [ViewVariable]

  init(_ base: any FieldView, _ indices: [Int], names: [String: String] = [:]) {
    self.base = base
    self.indices = indices
    let chosen = indices.map { index in
      var variable = base.variables[index]
      guard let name = names[variable.name] else { return variable }
      variable.name = name
      // A level that was known by the name alone is known by the new one, if at all.
      if variable.parameter == nil { variable.levelHPa = nil }
      return variable
    }
    variables = names.isEmpty ? chosen : LevelNames.applied(to: chosen)
  }

  func storedRuns(of variable: Int) -> [Range<Int>] { base.storedRuns(of: indices[variable]) }

  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
    var inBase = wanted
    inBase.variables = wanted.variables.map { indices[$0] }
    try base.read(inBase, into: target)
  }
}

/// The variables of several views side by side: `join`. Of variables with one name the last counts.
struct JoinedView: FieldView {
  private let parts: [any FieldView]
  let variables: [ViewVariable]
  /// Part and variable in it, of each variable.
  private let places: [(part: Int, variable: Int)]
  let missing: Set<Int>

  /// - Throws: when dates, members or points differ.
  init(_ parts: [any FieldView]) throws {
    for part in parts.dropFirst() { try checkSame(parts[0], part, "join", .dates, .members, .points) }
    self.parts = parts
    var order: [String] = []
    var last: [String: (part: Int, variable: Int)] = [:]
    for (number, part) in parts.enumerated() {
      for (index, variable) in part.variables.enumerated() {
        // A later one takes the place of an earlier one, as in Anemoi.
        if last[variable.name] == nil { order.append(variable.name) }
        last[variable.name] = (number, index)
      }
    }
    places = order.compactMap { last[$0] }
    variables = LevelNames.applied(to: places.map { parts[$0.part].variables[$0.variable] })
    missing = parts.reduce(into: []) { $0.formUnion($1.missing) }
  }

  var location: String { parts.map(\.location).joined(separator: " + ") }
  var dates: [Timestamp] { parts[0].dates }
  var memberCount: Int { parts[0].memberCount }
  var memberNumbers: [Int]? { parts.lazy.compactMap(\.memberNumbers).first }
  var points: PointGrid { parts[0].points }
  /// The finest: any of them can be read alone.
  var storedRuns: [Range<Int>] { parts.map(\.storedRuns).max { $0.count < $1.count } ?? [] }
  func storedRuns(of variable: Int) -> [Range<Int>] {
    parts[places[variable].part].storedRuns(of: places[variable].variable)
  }
  var storedDates: DateRuns { .coarsest(parts.map(\.storedDates)) }
  var pointsOnTheWay: Int { parts.map(\.pointsOnTheWay).max() ?? 0 }
  var reads: ReadCounts { ReadCounts(sum: parts.map(\.reads)) }
  var readsAtOnce: Int { parts.map(\.readsAtOnce).max() ?? 1 }
  var libraryBytes: Int { parts.map(\.libraryBytes).max() ?? 0 }
  var notes: [String] { Set(parts.flatMap(\.notes)).sorted() }

  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
    // Each part once, since what it stores together is decoded together.
    for number in parts.indices {
      let own = wanted.variables.indices.filter { places[wanted.variables[$0]].part == number }
      if own.isEmpty { continue }
      var inPart = wanted
      inPart.variables = own.map { places[wanted.variables[$0]].variable }
      try parts[number].read(inPart) { target($0, own[$1]) }
    }
  }
}

/// Variables times a scale plus an offset: `rescale`.
struct RescaledView: DerivedView {
  let base: any FieldView
  let variables: [ViewVariable]
  private let scales, offsets: [Float]

  /// - Parameter rescale: by name; scales above 0.
  init(_ base: any FieldView, _ rescale: [String: (scale: Double, offset: Double)], units: [String: String]) {
    self.base = base
    scales = base.variables.map { Float(rescale[$0.name]?.scale ?? 1) }
    offsets = base.variables.map { Float(rescale[$0.name]?.offset ?? 0) }
    variables = base.variables.map { variable in
      guard let (scale, offset) = rescale[variable.name] else { return variable }
      var changed = variable
      changed.units = units[variable.name]
      changed.statistics = variable.statistics?.rescaled(scale, offset)
      changed.tendencies = variable.tendencies.mapValues { $0.rescaled(scale, 0) }
      return changed
    }
  }

  func storedRuns(of variable: Int) -> [Range<Int>] { base.storedRuns(of: variable) }

  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
    try base.read(wanted, into: target)
    for (line, variable) in wanted.variables.enumerated() where scales[variable] != 1 || offsets[variable] != 0 {
      for date in wanted.dates.indices {
        let values = target(date, line)
        for i in 0..<wanted.points.count { values[i] = values[i] * scales[variable] + offsets[variable] }
      }
    }
  }
}

extension FieldStatistics {
  func rescaled(_ scale: Double, _ offset: Double) -> FieldStatistics {
    FieldStatistics(
      mean: mean * scale + offset, deviation: deviation * scale, minimum: minimum * scale + offset,
      maximum: maximum * scale + offset)
  }
}

/// A view with the statistics of another one: `statistics`, `statistics_tendencies`.
struct RestatedView: DerivedView {
  let base: any FieldView
  let variables: [ViewVariable]

  /// - Parameters:
  ///   - values: whether statistics of the values are taken from the other view.
  ///   - tendencies: whether those of the change over a step are.
  /// - Throws: when the other one lacks a variable.
  init(_ base: any FieldView, _ other: any FieldView, values: Bool, tendencies: Bool, key: String) throws {
    self.base = base
    variables = try base.variables.map { variable in
      let source = other.variables[try other.index(of: variable.name, key: key)]
      var changed = variable
      if values { changed.statistics = source.statistics }
      if tendencies { changed.tendencies = source.tendencies }
      return changed
    }
  }
}

/// Memory for some numbers while `body` runs.
func withTemporary<R>(_ count: Int, _ body: (UnsafeMutablePointer<Float>) throws -> R) rethrows -> R {
  let memory = UnsafeMutablePointer<Float>.allocate(capacity: max(1, count))
  defer { memory.deallocate() }
  return try body(memory)
}
