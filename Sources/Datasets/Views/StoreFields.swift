import Basics
import Stores

/// The fields of a NetCDF file, a GRIB file or a Zarr group as a view: variables that are stored on levels become one each,
/// named `z_500`. Units are ours, where the store's fit; what has others keeps them, and is refused when it is wanted.
final class StoreFields: FieldView {
  let dates: [Timestamp]
  let variables: [ViewVariable]
  let points: PointGrid
  let storedRuns: [Range<Int>]
  let storedDates: DateRuns
  let pointsOnTheWay = 0
  let memberCount: Int
  let memberNumbers: [Int]?
  let missing: Set<Int> = []
  private let gridded: GriddedStore
  private let fields: [(binding: GriddedStore.Binding, level: Int?)]
  private let scratches = ScratchStack(limit: 4)

  /// - Throws: when the store has no fields on one grid.
  init(_ gridded: GriddedStore) throws {
    self.gridded = gridded
    var variables: [ViewVariable] = []
    var fields: [(binding: GriddedStore.Binding, level: Int?)] = []
    let arrays = gridded.store.arrays.values.filter(gridded.isField).sorted { $0.name < $1.name }
    let known = Lexicon.names(of: arrays, place: gridded.place)
    let periods = FieldPeriod.seconds(
      of: arrays, named: zip(arrays, known).map { $1?.name ?? $0.name }, time: gridded.axes.time, in: gridded.store)
    for (array, (known, period)) in zip(arrays, zip(known, periods)) {
      let units = array.units
      let name = known?.name ?? array.name
      guard var binding = try gridded.bind(name, rename: [name: array.name], keepsUnits: true) else { continue }
      if let known {
        binding.refusal =
          binding.refusal
          ?? Lexicon.contradiction(of: array, to: known, gridded.place(of: array), in: gridded.store).map {
            Lexicon.contradicts(array, known, $0, gridded.store.location, at: gridded.place(of: array))
          } ?? Lexicon.otherNumber(of: array, among: arrays, gridded.store.location)
      }
      for level in binding.hasLevels ? binding.levelsHPa.indices.map({ $0 }) : [nil] {
        let channel = Channel(variable: name, levelHPa: level.map { binding.levelsHPa[$0] })
        var variable = ViewVariable(
          name: channel.name, units: known?.units ?? units)
        variable.parameter = binding.hasLevels || LevelNames.isElsewhere(array) ? name : nil
        variable.levelHPa = channel.levelHPa
        variable.isConstantInTime = binding.isStatic
        variable.periodSeconds = period
        variable.absentTimes = gridded.store.times(
          gridded.times, without: array, along: gridded.axes.time, level: (gridded.axes.level(of: array), level))
        variable.meaning = FieldMeaning(array, gridded.meaning, over: period)
        variable.problem = (binding.refusal ?? gridded.store.problems[array.name]).map { "\($0)" }
        variable.storedName = array.name
        variable.storedUnits = binding.conversion == .none ? nil : units
        variable.hasAssumedUnits = known != nil && units == nil
        variables.append(variable)
        fields.append((binding, binding.level == nil ? nil : level))
      }
    }
    // Archives of fields, one by one, write levels into names.
    self.variables = LevelNames.applied(to: variables)
    self.fields = fields
    dates = gridded.times
    memberCount = gridded.memberCount
    memberNumbers = try GriddedStore.memberNumbers(gridded.store, gridded.axes.member)
    points = gridded.points
    storedDates = .coarsest(
      [DateRuns(count: dates.count, together: 1)] + fields.map { gridded.storedTimes($0.binding) })
    // Rows are read in the pieces in which they are stored.
    let (rows, width) = (gridded.grid.rows, gridded.grid.columns)
    let boxes = fields.first.map { gridded.boxes($0.binding, levels: [$0.level ?? 0]) } ?? []
    let edges = Set(boxes.flatMap { gridded.rectangles($0).flatMap { [$0.rows.lowerBound, $0.rows.upperBound] } })
    let sorted = edges.union([0, rows]).sorted()
    storedRuns = zip(sorted, sorted.dropFirst()).map { $0 * width..<$1 * width }
  }

  var location: String { gridded.store.location }
  var reads: ReadCounts { gridded.reads }
  var readsAtOnce: Int { gridded.store.readsAtOnce }
  var libraryBytes: Int { gridded.store.libraryBytes }

  func bytesKept(afterReading variables: [Int], dates: Range<Int>) -> Int {
    let bindings = Dictionary(variables.map { (fields[$0].binding.array.name, fields[$0].binding) }) { first, _ in first
    }
    return bindings.values.reduce(0) { $0 + gridded.bytesKept($1, times: dates) }
  }

  func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
    if wanted.points.isEmpty || wanted.dates.isEmpty { return }
    let ofArrays = Dictionary(grouping: wanted.variables.indices) { fields[wanted.variables[$0]].binding.array.name }
    for (_, places) in ofArrays.sorted(by: { $0.key < $1.key }) {
      let binding = fields[wanted.variables[places[0]]].binding
      let levels = Dictionary(uniqueKeysWithValues: places.map { (fields[wanted.variables[$0]].level ?? 0, $0) })
      for group in binding.isStatic ? [0..<1] : gridded.storedTimes(binding).groups(wanted.dates) {
        try read(wanted, binding, levels, dates: group, into: target)
      }
      if !binding.isStatic { continue }
      for place in places {
        for date in wanted.dates.indices.dropFirst() {
          target(date, place).update(from: target(0, place), count: wanted.points.count)
        }
      }
    }
  }

  /// Reads levels of an array at dates that are stored together.
  ///
  /// - Parameters:
  ///   - places: of the levels' variables among those that are wanted.
  ///   - dates: places in the list of those that are wanted.
  private func read(
    _ wanted: WantedPart, _ binding: GriddedStore.Binding, _ places: [Int: Int], dates: Range<Int>,
    into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>
  ) throws {
    let (points, width) = (wanted.points, gridded.grid.columns)
    let rows = points.lowerBound / width..<(points.upperBound + width - 1) / width
    let isRows = rows.count * width == points.count
    let (levels, planeCount) = (places.keys.sorted(), rows.count * width)
    let times = wanted.dates[dates.lowerBound]..<wanted.dates[dates.upperBound - 1] + 1
    let datePlaces = Dictionary(uniqueKeysWithValues: dates.map { (wanted.dates[$0] - times.lowerBound, $0) })
    // A row that is wanted in part is read as a whole.
    try withTemporary(isRows ? 0 : dates.count * levels.count * planeCount) { planes in
      func plane(_ date: Int, _ level: Int) -> UnsafeMutablePointer<Float> {
        if isRows { return target(date, places[level] ?? 0) }
        let line = (date - dates.lowerBound) * levels.count + (levels.firstIndex(of: level) ?? 0)
        return planes + line * planeCount
      }
      for box in gridded.boxes(binding, levels: Set(levels)) {
        guard let part = gridded.cut(box, to: rows) else { continue }
        _ = try scratches.with { scratch in
          try gridded.read(
            binding, times: times, only: binding.isStatic ? nil : Set(wanted.dates[dates]), box: part,
            levels: levels.filter { box.levels.contains($0) }, member: wanted.member, scratch
          ) { time, level, rectangle in
            let corner = (rectangle.rows.lowerBound - rows.lowerBound) * width + rectangle.columns.lowerBound
            return (plane(datePlaces[time] ?? dates.lowerBound, level) + corner, width)
          }
        }
      }
      if isRows { return }
      for date in dates {
        for (level, place) in places {
          target(date, place).update(
            from: plane(date, level) + points.lowerBound - rows.lowerBound * width, count: points.count)
        }
      }
    }
  }
}

/// Opens what is at a path as a view: an Anemoi dataset, or the fields of another store, on a regular grid or on any points.
/// - Parameter wanted: requested variables, which choose among several sets of coordinates.
func openView(_ path: String, wanted: Set<String> = []) throws -> any FieldView {
  let store = try openStore(path)
  if AnemoiDataset.isOne(store) { return try AnemoiDataset(store) }
  if let points = try PointFields(store, wanted: wanted) { return points }
  return try StoreFields(GriddedStore(store, wanted: wanted))
}
