import Basics
import Stores

/// A view as a dataset reads it: where its points are a regular grid, with rows from north to south and columns eastwards,
/// else its points as they are.
final class GriddedView: GridFields {
  let fieldGrid: FieldGrid
  let times: [Timestamp]
  let levelsHPa: [Double]
  let normalizations: [String]
  let view: any FieldView
  /// Index in the view of each time.
  private let dates: [Int]
  private let storedTimes: DateRuns
  /// The view's point of each of the grid's; nil when they are the same.
  private let order: [Int]?

  /// - Parameter rows: how many rows of a regular grid to use, from the north; nil: all.
  /// - Throws: when `rows` is given for points without rows, or the view has several ensemble members.
  init(_ view: any FieldView, rows: Int? = nil) throws {
    self.view = view
    guard view.memberCount == 1 else {
      throw JigsawError(
        view.location, "has \(view.memberCount) ensemble members", expected: "one",
        remedy: "choose one with open: {dataset: …, member: 0}")
    }
    let regular = view.points.regular()
    if let (whole, order) = regular {
      let part = try GriddedView.part(of: whole, rows: rows, view)
      fieldGrid = .raster(part)
      self.order = GriddedView.isPlain(order) ? nil : Array(order.prefix(part.count))
    } else {
      if rows != nil {
        throw JigsawError(
          "data.rows", "counts rows of a regular grid, but \(view.location) has none", found: view.points.summary,
          remedy: "remove data.rows; an area is chosen with open: {dataset: …, area: [north, west, south, east]}")
      }
      fieldGrid = .points(view.points)
      order = nil
    }
    let (all, missing) = (view.dates, view.missing)
    dates = all.indices.filter { !missing.contains($0) }
    times = dates.map { all[$0] }
    storedTimes = view.storedDates.picked(dates)
    levelsHPa = Set(view.variables.compactMap { $0.stemAndLevel.level }).sorted()
    var notes = view.notes
    if let note = regular.flatMap({ GriddedView.note(of: $0.order) }) { notes.append(note) }
    if !missing.isEmpty { notes.append("\(missing.count) missing dates are left out") }
    normalizations = notes
  }

  var location: String { view.location }

  var firstGrid: [Bool]? {
    guard let first = view.gridSizes.first, view.gridSizes.count > 1 else { return nil }
    return (0..<fieldGrid.count).map { (order?[$0] ?? $0) < first }
  }

  var names: [String] { view.variables.map(\.name) }
  var reads: ReadCounts { view.reads }
  var variables: [ViewVariable] { view.variables }

  /// The rows of a grid that are used.
  private static func part(of whole: LatLonGrid, rows: Int?, _ view: any FieldView) throws -> LatLonGrid {
    if let rows, rows > whole.rows {
      throw JigsawError(
        "data.rows", "is more than \(view.location) has", expected: "at most \(whole.rows)", found: "\(rows)")
    }
    return LatLonGrid(latitudes: Array(whole.latitudes.prefix(rows ?? whole.rows)), longitudes: whole.longitudes)
  }

  private static func isPlain(_ order: [Int]) -> Bool { order.enumerated().allSatisfy { $0 == $1 } }

  /// A sentence on how points are reordered that lie in some order of the grid's.
  static func note(of order: [Int]) -> String? {
    isPlain(order) ? nil : "points brought into order: rows from the north, longitudes eastwards"
  }

  // MARK: Variables

  private func slots(_ found: FoundVariable) -> [Double: Int] {
    guard case .variables(let slots) = found.handle else { preconditionFailure("a variable of a store") }
    return slots
  }

  func slot(_ levelHPa: Double?, of found: FoundVariable) throws -> Int {
    let slots = slots(found)
    guard let levelHPa else { return slots[0] ?? 0 }
    if let slot = slots.first(where: { abs($0.key - levelHPa) < 1e-3 })?.value { return slot }
    throw JigsawError(
      "\(location): \(found.variable.name)", "has no level \(Channel.text(levelHPa)) hPa",
      found: slots.keys.sorted().map { Channel.text($0) }.joined(separator: ", "),
      remedy: "choose data.levels among these")
  }

  // MARK: Reading

  func storedTimes(_ found: FoundVariable) -> DateRuns { storedTimes }

  func absentTimes(_ found: FoundVariable, slot: Int) -> Set<Timestamp> { variables[slot].absentTimes }

  func bytesOnTheWay(_ fields: [WantedField]) -> Int {
    fields.count * (view.pointsOnTheWay + (order == nil ? 0 : view.points.count)) * MemoryLayout<Float>.size
  }

  func readingMemory(_ fields: [WantedField], times: Range<Int>) -> ReadingMemory {
    var memory = ReadingMemory()
    memory.ofLibraries = view.libraryBytes
    let together = times.isEmpty ? 1 : storedTimes.run(of: times.lowerBound).count
    let longest = fields.flatMap { view.storedRuns(of: $0.slot) }.map(\.count).max() ?? 0
    // Views decode all that is stored together with what is wanted.
    memory.perThread = together * view.variables.count * longest * MemoryLayout<Float>.size
    if let first = times.first, let last = times.last {
      memory.keptByLibraries = view.bytesKept(
        afterReading: fields.map(\.slot), dates: dates[first]..<dates[last] + 1)
    }
    return memory
  }

  func chunks(_ fields: [WantedField], bands: Int) -> [GridChunk] {
    // Joined datasets may be stored in different runs of points.
    var ofRuns: [(runs: [Range<Int>], fields: [WantedField])] = []
    for field in fields {
      let runs = view.storedRuns(of: field.slot)
      if let index = ofRuns.firstIndex(where: { $0.runs == runs }) {
        ofRuns[index].fields.append(field)
      } else {
        ofRuns.append((runs, [field]))
      }
    }
    return ofRuns.flatMap { chunks($0.fields, storedRuns: $0.runs, bands: bands) }
  }

  private func chunks(_ fields: [WantedField], storedRuns: [Range<Int>], bands: Int) -> [GridChunk] {
    // Runs of points are stored together in the view's order; in another order bands of rows serve.
    var runs = storedRuns.map { $0.clamped(to: 0..<fieldGrid.count) }.filter { !$0.isEmpty }
    if order != nil || runs.count < bands {
      let pieces = min(fieldGrid.rows, max(bands, order == nil ? 1 : runs.count))
      runs = (0..<pieces).map {
        fieldGrid.rows * $0 / pieces * fieldGrid.columns..<fieldGrid.rows * ($0 + 1) / pieces * fieldGrid.columns
      }
    }
    let wanted = fields.map { (channel: $0.channel, slot: $0.slot) }
    let conversions = fields.map(\.found.conversion)
    return runs.map { GridChunk(place: .points($0, conversions), fields: wanted, parts: rectangles($0)) }
  }

  /// A run of the grid's points as rectangles: the rest of a row, whole rows, the beginning of another.
  private func rectangles(_ run: Range<Int>) -> [Rectangle] {
    let width = fieldGrid.columns
    let (first, last) = (run.lowerBound / width, (run.upperBound - 1) / width)
    let (from, to) = (run.lowerBound - first * width, run.upperBound - last * width)
    if first == last { return [Rectangle(rows: first..<first + 1, columns: from..<to)] }
    let whole = (from == 0 ? first : first + 1)..<(to == width ? last + 1 : last)
    var parts: [Rectangle] = []
    if from > 0 { parts.append(Rectangle(rows: first..<first + 1, columns: from..<width)) }
    if !whole.isEmpty { parts.append(Rectangle(rows: whole, columns: 0..<width)) }
    if to < width { parts.append(Rectangle(rows: last..<last + 1, columns: 0..<to)) }
    return parts
  }

  var readsAtOnce: Int { view.readsAtOnce }

  func read(
    _ chunk: GridChunk, times: Range<Int>, _ scratch: ReadingScratch,
    into target: (_ time: Int, _ slot: Int, _ part: Rectangle) -> (UnsafeMutablePointer<Float>, stride: Int)
  ) throws -> [Bool] {
    guard case .points(let run, let conversions) = chunk.place else { preconditionFailure("a chunk of a store") }
    let slots = chunk.fields.map(\.slot)
    let wanted = WantedPart(dates: Array(dates[times]), variables: slots, member: 0, points: run)
    let targets = (0..<times.count).flatMap { time in
      slots.map { slot in chunk.parts.map { target(time, slot, $0) } }
    }
    // Where the parts of a field lie side by side, it is read to its place.
    let places = targets.compactMap { GriddedView.line($0, chunk.parts) }
    if places.count == targets.count { return try read(wanted, conversions, into: places) }
    return try withTemporary(targets.count * run.count) { values in
      let fields = targets.indices.map { values + $0 * run.count }
      let isComplete = try read(wanted, conversions, into: fields)
      for (field, targets) in zip(fields, targets) {
        var source = field
        for (part, (out, stride)) in zip(chunk.parts, targets) {
          for row in 0..<part.rows.count {
            (out + row * stride).update(from: source, count: part.columns.count)
            source += part.columns.count
          }
        }
      }
      return isComplete
    }
  }

  /// Where the first of some parts begins, if they lie side by side there.
  private static func line(
    _ targets: [(start: UnsafeMutablePointer<Float>, stride: Int)], _ parts: [Rectangle]
  ) -> UnsafeMutablePointer<Float>? {
    guard let first = targets.first?.start else { return nil }
    var next = first
    for (part, (start, stride)) in zip(parts, targets) {
      guard start == next, part.rows.count == 1 || stride == part.columns.count else { return nil }
      next += part.count
    }
    return first
  }

  func statistics(_ field: WantedField, stepHours: Int) -> (values: FieldStatistics, change: FieldStatistics)? {
    guard let values = variables[field.slot].statistics, let change = variables[field.slot].tendencies[stepHours] else {
      return nil
    }
    let conversion = field.found.conversion
    return (values.rescaled(conversion.factor, conversion.offset), change.rescaled(conversion.factor, 0))
  }

  func readStatic(_ found: FoundVariable, time: Int, into out: UnsafeMutablePointer<Float>) throws {
    guard let variable = slots(found).min(by: { $0.key < $1.key })?.value else {
      preconditionFailure("a variable without a slot")
    }
    // Fields without dates are the same at all times.
    guard let date = dates.isEmpty ? (view.dates.isEmpty ? 0 : nil) : dates[time] else {
      throw JigsawError("\(location): \(found.storedName)", "can't be read: all dates are missing")
    }
    let wanted = WantedPart(dates: [date], variables: [variable], member: 0, points: 0..<fieldGrid.count)
    _ = try read(wanted, [found.conversion], into: [out])
  }

  /// Reads fields at a run of the grid's points, in our units, to places in the order of their dates, then of the variables.
  /// - Returns: by date, whether all of it is numbers.
  private func read(
    _ wanted: WantedPart, _ conversions: [UnitConversion], into fields: [UnsafeMutablePointer<Float>]
  ) throws -> [Bool] {
    let (run, lines) = (wanted.points, wanted.variables.count)
    if let order {
      let points = order[run]
      guard let first = points.min(), let last = points.max() else { return wanted.dates.map { _ in true } }
      var window = wanted
      window.points = first..<last + 1
      let width = window.points.count
      try withTemporary(fields.count * width) { values in
        try view.read(window) { values + ($0 * lines + $1) * width }
        for (index, field) in fields.enumerated() {
          for (place, point) in points.enumerated() { field[place] = values[index * width + point - first] }
        }
      }
    } else {
      try view.read(wanted) { fields[$0 * lines + $1] }
    }
    return wanted.dates.indices.map { date in
      var isComplete = true
      for (line, conversion) in conversions.enumerated() {
        let values = UnsafeMutableBufferPointer(start: fields[date * lines + line], count: run.count)
        if conversion != .none {
          for i in values.indices { values[i] = Float(Double(values[i]) * conversion.factor + conversion.offset) }
        }
        if !values.allSatisfy(\.isFinite) { isComplete = false }
      }
      return isComplete
    }
  }
}
