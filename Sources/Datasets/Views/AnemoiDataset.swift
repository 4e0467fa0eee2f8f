import Basics
import Stores

/// A dataset as anemoi-datasets writes it: a Zarr group of format 2 or 3 with `data` [dates, variables, ensembles, values],
/// coordinates, statistics, and what they mean in its attributes.
public final class AnemoiDataset: FieldView {
  public let store: any ArrayStore
  public let dates: [Timestamp]
  public let variables: [ViewVariable]
  public let points: PointGrid
  public let missing: Set<Int>
  public let memberCount: Int
  public let storedRuns: [Range<Int>]
  public let storedDates: DateRuns
  public let pointsOnTheWay = 0
  private let data: ArrayInfo
  private let scratches = ScratchStack(limit: 4)

  /// Whether a store is such a dataset.
  public static func isOne(_ store: any ArrayStore) -> Bool {
    guard let data = store.arrays["data"], data.shape.count == 4 else { return false }
    return ["dates", "latitudes", "longitudes"].allSatisfy { store.arrays[$0]?.shape.count == 1 }
      && store.attributes["variables"]?.asJSON.strings != nil
  }

  /// - Throws: when arrays and attributes don't fit together.
  public init(_ store: any ArrayStore) throws {
    self.store = store
    let place = store.location
    let data = try store.info("data")
    guard data.shape.count == 4 else {
      throw JigsawError(
        "\(place): data", "is not that of an Anemoi dataset", expected: "[dates, variables, ensembles, values]",
        found: "\(data.shape)")
    }
    self.data = data
    memberCount = data.shape[2]
    let names = store.attributes["variables"]?.asJSON.strings ?? []
    func check(_ what: String, _ count: Int, _ dimension: Int) throws {
      guard count != data.shape[dimension] else { return }
      throw JigsawError(
        "\(place): \(what)", "doesn't fit data \(data.shape)", expected: "\(data.shape[dimension])", found: "\(count)",
        remedy: "the dataset was not completed; create it again")
    }
    try check("variables", names.count, 1)
    var known: Set<String> = []
    if let twice = names.first(where: { !known.insert($0).inserted }) {
      throw JigsawError("\(place): variables", "names \(twice) twice")
    }
    let latitudes = try AnemoiDataset.coordinate(store, "latitudes")
    let longitudes = try AnemoiDataset.coordinate(store, "longitudes")
    try check("latitudes", latitudes.count, 3)
    try check("longitudes", longitudes.count, 3)
    var shape: PointGrid.Shape?
    if let extents = store.attributes["field_shape"]?.asJSON.integers, extents.count == 2,
      extents.allSatisfy({ $0 > 0 }),
      extents[0].multipliedReportingOverflow(by: extents[1]) == (latitudes.count, false)
    {
      shape = PointGrid.Shape(rows: extents[0], columns: extents[1])
    }
    let isSingle = ["latitudes", "longitudes"].allSatisfy { store.arrays[$0]?.type == .float32 }
    points = PointGrid(latitudes: latitudes, longitudes: longitudes, shape: shape, isSinglePrecision: isSingle)
    dates = try AnemoiDataset.readDates(store)
    try check("dates", dates.count, 0)
    missing = try AnemoiDataset.readMissing(store, dates)
    let size = max(1, data.chunks?[3] ?? data.shape[3])
    storedRuns = stride(from: 0, to: data.shape[3], by: size).map { $0..<min(data.shape[3], $0 + size) }
    storedDates = DateRuns(count: data.shape[0], together: data.chunks?[0] ?? 1)
    variables = try AnemoiDataset.describe(names, store)
  }

  public var location: String { store.location }
  public var reads: ReadCounts { store.reads.counts(location: store.location) }
  public var readsAtOnce: Int { store.readsAtOnce }

  public func read(
    _ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>
  ) throws {
    guard let first = wanted.variables.min(), let last = wanted.variables.max(), !wanted.points.isEmpty else { return }
    let lines = Dictionary(uniqueKeysWithValues: wanted.variables.enumerated().map { ($1, $0) })
    let points = wanted.points
    for group in storedDates.groups(wanted.dates) {
      let places = Dictionary(uniqueKeysWithValues: group.map { (wanted.dates[$0], $0) })
      let part = ArrayPart(
        [
          wanted.dates[group.lowerBound]..<wanted.dates[group.upperBound - 1] + 1, first..<last + 1,
          wanted.member..<wanted.member + 1, points,
        ], only: ArrayPart.Only(dimension: 1, indices: Set(wanted.variables)))
      try scratches.with { scratch in
        try store.read("data", part, scratch) { piece in
          for (i, date) in piece.box[0].enumerated() {
            guard let place = places[date] else { continue }
            for (j, variable) in piece.box[1].enumerated() {
              guard let line = lines[variable] else { continue }
              CFPacking.plain.unpack(
                piece.start + (i * piece.strides[0] + j * piece.strides[1]) * piece.type.byteCount, piece.type,
                rows: (1, 0), columns: (piece.box[3].count, piece.strides[3]),
                into: target(place, line) + piece.box[3].lowerBound - points.lowerBound)
            }
          }
        }
      }
    }
  }

  // MARK: Metadata

  /// Points of a dataset: some ten times those of a globe at 9 km. Dates as well.
  private static let pointLimit = 1 << 26

  private static func coordinate(_ store: any ArrayStore, _ name: String) throws -> [Double] {
    let values = try store.readSmall(name, atMost: pointLimit).doubles
    guard values.allSatisfy({ $0.isFinite && abs($0) <= 720 }) else {
      throw JigsawError("\(store.location): \(name)", "has values that are no degrees", remedy: "create it again")
    }
    return values
  }

  private static func readDates(_ store: any ArrayStore) throws -> [Timestamp] {
    let place = "\(store.location): dates"
    let info = try store.info("dates")
    guard let units = info.attributes["units"]?.text else {
      throw JigsawError(place, "are not dates", expected: "datetime64", found: info.type.rawValue)
    }
    let clock = try CFTime(units: units, calendar: nil, place: place)
    let dates = try store.readSmall("dates", atMost: pointLimit).integers.map { try clock.timestamp($0) }
    if let (earlier, later) = zip(dates, dates.dropFirst()).first(where: { $0 >= $1 }) {
      throw JigsawError(place, "are not ascending", found: "\(later.display) after \(earlier.display)")
    }
    return dates
  }

  /// Rows of dates for which there was nothing to store.
  private static func readMissing(_ store: any ArrayStore, _ dates: [Timestamp]) throws -> Set<Int> {
    guard let given = store.attributes["missing_dates"]?.asJSON, given != .null else { return [] }
    let place = "\(store.location): missing_dates"
    guard let texts = given.strings else {
      throw JigsawError(place, "is no list of dates", found: given.line, remedy: "correct the attribute")
    }
    let index = Dictionary(uniqueKeysWithValues: dates.enumerated().map { ($1, $0) })
    return Set(
      try texts.compactMap { text in
        guard let date = Timestamp(text) else {
          throw JigsawError(place, "has a date that can't be read", found: "'\(text)'")
        }
        // The list may be one of a longer period.
        guard let first = dates.first, let last = dates.last, date >= first, date <= last else { return nil }
        guard let row = index[date] else {
          throw JigsawError(
            place, "names a date that the dataset has no row for", found: date.display, remedy: "correct the attribute")
        }
        return row
      })
  }

  private static func describe(_ names: [String], _ store: any ArrayStore) throws -> [ViewVariable] {
    let statistics = try statistics(store, "", names.count)
    var tendencies: [(hours: Int, values: [FieldStatistics])] = []
    for array in store.arrays.keys.sorted() {
      guard array.hasPrefix("statistics_tendencies_"), array.hasSuffix("_mean") else { continue }
      let interval = String(array.dropFirst("statistics_tendencies_".count).dropLast("_mean".count))
      guard let seconds = Frequency.seconds(interval), seconds % 3_600 == 0 else { continue }
      if let values = try self.statistics(store, "statistics_tendencies_\(interval)_", names.count) {
        tendencies.append((Int(seconds / 3_600), values))
      }
    }
    let constants = Set(store.attributes["constant_fields"]?.asJSON.strings ?? [])
    let metadata = store.attributes["variables_metadata"]?.asJSON
    let variables = names.enumerated().map { index, name in
      let entry = metadata?[name]
      let mars = entry?["mars"]
      var variable = ViewVariable(name: name, units: (entry?["units"] ?? mars?["units"])?.string)
      variable.parameter = mars?["param"]?.string
      if mars?["levtype"]?.string == "pl" {
        variable.levelHPa = mars?["levelist"]?.double ?? mars?["levelist"]?.string.flatMap(Double.init)
      }
      variable.isConstantInTime = constants.contains(name) || entry?["constant_in_time"] == .bool(true)
      variable.isComputedForcing = entry?["computed_forcing"] == .bool(true)
      variable.statistics = statistics?[index]
      for (hours, values) in tendencies { variable.tendencies[hours] = values[index] }
      return variable
    }
    return LevelNames.applied(to: variables)
  }

  /// Nil when the store has none under this prefix.
  private static func statistics(_ store: any ArrayStore, _ prefix: String, _ count: Int) throws -> [FieldStatistics]? {
    var columns: [[Double]] = []
    for name in ["mean", "stdev", "minimum", "maximum"] {
      guard let info = store.arrays[prefix + name] else { return nil }
      guard info.shape == [count] else {
        throw JigsawError(
          "\(store.location): \(prefix)\(name)", "doesn't fit the variables", expected: "[\(count)]",
          found: "\(info.shape)")
      }
      columns.append(try store.readSmall(prefix + name, atMost: pointLimit).doubles)
    }
    return (0..<count).map {
      FieldStatistics(mean: columns[0][$0], deviation: columns[1][$0], minimum: columns[2][$0], maximum: columns[3][$0])
    }
  }
}
