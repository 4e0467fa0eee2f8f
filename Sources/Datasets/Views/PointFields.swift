import Basics
import Stores

/// The fields of a NetCDF file, a GRIB file or a Zarr group whose points are a list, along one dimension: reduced Gaussian
/// grids, unstructured meshes, what Anemoi's inference writes. Variables on levels become one each, as in `StoreFields`.
public final class PointFields: FieldView {
  public let dates: [Timestamp]
  public let variables: [ViewVariable]
  public let points: PointGrid
  public let storedRuns: [Range<Int>]
  public let storedDates: DateRuns
  public let pointsOnTheWay = 0
  public let memberCount: Int
  public let missing: Set<Int> = []
  private let store: any ArrayStore
  private let fields: [Field]
  private let scratches = ScratchStack(limit: 4)

  /// One level of an array.
  private struct Field {
    let array: ArrayInfo
    let level: Int?
    let conversion: UnitConversion
    let packing: CFPacking
    /// Of the array; nil without times.
    let storedDates: DateRuns?
  }

  private let axes: Axes

  private struct Axes {
    let time, level, member: String?
    let points: String
  }

  /// Grids of 3 km have so many.
  private static let pointLimit = 1 << 26

  /// Nil when latitude and longitude are not along one common dimension.
  public init?(_ store: any ArrayStore) throws {
    func coordinate(_ names: [String], _ standardName: String) -> ArrayInfo? {
      let vectors = store.arrays.values.filter { $0.dimensions.count == 1 }.sorted { $0.name < $1.name }
      return vectors.first { $0.attributes["standard_name"]?.text == standardName }
        ?? names.lazy.compactMap { name in vectors.first { $0.name == name } }.first
    }
    guard let latitude = coordinate(["latitude", "lat", "latitudes"], "latitude"),
      let longitude = coordinate(["longitude", "lon", "longitudes"], "longitude"),
      latitude.dimensions == longitude.dimensions, let dimension = latitude.dimensions.first
    else { return nil }
    self.store = store
    func degrees(_ array: ArrayInfo) throws -> [Double] {
      let values = try GriddedStore.coordinate(store, array.name, atMost: PointFields.pointLimit).doubles
      let isRadians = array.attributes["units"]?.text?.hasPrefix("rad") ?? false
      return isRadians ? values.map { $0 * 180 / .pi } : values
    }
    points = PointGrid(latitudes: try degrees(latitude), longitudes: try degrees(longitude))
    let names = store.arrays.keys
    let time = ["time", "valid_time"].first { name in
      names.contains(name) && store.arrays[name]?.dimensionNames == [name]
    }
    let level = ["level", "isobaricInhPa", "pressure_level", "plev"].first { name in
      names.contains(name) && store.arrays[name]?.dimensionNames == [name]
    }
    let axes = Axes(time: time, level: level, member: GriddedStore.memberAxis(store), points: dimension.name)
    self.axes = axes
    dates = try time.map { try GriddedStore.readTimes(store, $0) } ?? []
    var notes: [String] = []
    let levelsHPa = try level.map { try GriddedStore.readLevels(store, $0, &notes) } ?? []
    memberCount =
      axes.member.flatMap { name in
        store.arrays.values.lazy.flatMap(\.dimensions).first { $0.name == name }?.size
      } ?? 1

    var variables: [ViewVariable] = []
    var fields: [Field] = []
    for array in store.arrays.values.sorted(by: { $0.name < $1.name }) {
      let known = [axes.time, axes.level, axes.member, axes.points]
      guard array.dimensionNames.contains(axes.points), array.name != latitude.name, array.name != longitude.name,
        array.dimensions.allSatisfy({ known.contains($0.name) || $0.size == 1 })
      else { continue }
      let units = array.attributes["units"]?.text
      let variable = Lexicon.find(array.name, units: units)
      let name = variable?.name ?? array.name
      let conversion = variable.flatMap { known in units.flatMap { UnitConversion(from: $0, to: known.units) } }
      let time = axes.time.flatMap { array.dimensionNames.firstIndex(of: $0) }
      let storedDates = time.map { [dates] in DateRuns(count: dates.count, together: array.chunks?[$0] ?? 1) }
      let hasLevels = axes.level.map { array.dimensionNames.contains($0) } ?? false
      for index in hasLevels ? levelsHPa.indices.map({ $0 }) : [nil] {
        let channel = Channel(variable: name, levelHPa: index.map { levelsHPa[$0] })
        var described = ViewVariable(name: channel.name, units: variable?.units ?? units)
        described.parameter = hasLevels ? name : nil
        described.levelHPa = channel.levelHPa
        described.isConstantInTime = time == nil
        described.storedUnits = conversion.flatMap { $0 == .none ? nil : units }
        variables.append(described)
        fields.append(
          Field(
            array: array, level: index, conversion: conversion ?? .none, packing: CFPacking(array.attributes),
            storedDates: storedDates))
      }
    }
    // Anemoi's inference writes levels into names.
    self.variables = LevelNames.applied(to: variables)
    self.fields = fields
    storedDates = .coarsest([DateRuns(count: dates.count, together: 1)] + fields.compactMap(\.storedDates))
    let count = points.count
    let run = fields.first.flatMap { field in
      field.array.chunks.flatMap { chunks in
        field.array.dimensionNames.firstIndex(of: axes.points).map { max(1, chunks[$0]) }
      }
    }
    let size = run ?? max(1, count)
    storedRuns = stride(from: 0, to: count, by: size).map { $0..<min(count, $0 + size) }
  }

  public var location: String { store.location }
  public var reads: (chunks: Int, bytes: Int) { (store.reads.chunks, store.reads.bytes) }
  public var readsAtOnce: Int { store.readsAtOnce }

  public func read(
    _ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>
  ) throws {
    if wanted.points.isEmpty || wanted.dates.isEmpty { return }
    // What lies in one array is read at once, from its lowest to its highest wanted level.
    let ofArrays = Dictionary(grouping: wanted.variables.indices) { fields[wanted.variables[$0]].array.name }
    for (_, places) in ofArrays.sorted(by: { $0.key < $1.key }) {
      guard let storedDates = fields[wanted.variables[places[0]]].storedDates else {
        try read(wanted, places, dates: 0..<1, into: target)
        for place in places {
          for date in wanted.dates.indices.dropFirst() {
            target(date, place).update(from: target(0, place), count: wanted.points.count)
          }
        }
        continue
      }
      for group in storedDates.groups(wanted.dates) { try read(wanted, places, dates: group, into: target) }
    }
  }

  /// Reads variables of one array at dates that are stored together.
  ///
  /// - Parameters:
  ///   - places: of the variables among those that are wanted.
  ///   - dates: places in the list of those that are wanted.
  private func read(
    _ wanted: WantedPart, _ places: [Int], dates: Range<Int>,
    into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>
  ) throws {
    let field = fields[wanted.variables[places[0]]]
    let names = field.array.dimensionNames
    func dimension(_ axis: String?) -> Int? { axis.flatMap { names.firstIndex(of: $0) } }
    let (time, level) = (dimension(axes.time), dimension(axes.level))
    guard let point = dimension(axes.points) else { preconditionFailure("a field without points") }
    let ofLevels = Dictionary(uniqueKeysWithValues: places.map { (fields[wanted.variables[$0]].level ?? 0, $0) })
    let ofDates = Dictionary(uniqueKeysWithValues: dates.map { (time == nil ? 0 : wanted.dates[$0], $0) })
    func hull(_ indices: some Collection<Int>) -> Range<Int> { (indices.min() ?? 0)..<(indices.max() ?? 0) + 1 }
    var part = ArrayPart(names.map { _ in 0..<1 })
    part.box[point] = wanted.points
    if let time { part.box[time] = hull(ofDates.keys) }
    if let member = dimension(axes.member) { part.box[member] = wanted.member..<wanted.member + 1 }
    if let level {
      part.box[level] = hull(ofLevels.keys)
      part.only = ArrayPart.Only(dimension: level, indices: Set(ofLevels.keys))
    }
    try scratches.with { scratch in
      try store.read(field.array.name, part, scratch) { piece in
        for (i, date) in (time.map { piece.box[$0] } ?? 0..<1).enumerated() {
          for (j, index) in (level.map { piece.box[$0] } ?? 0..<1).enumerated() {
            guard let place = ofDates[date], let variable = ofLevels[index] else { continue }
            let ahead = i * (time.map { piece.strides[$0] } ?? 0) + j * (level.map { piece.strides[$0] } ?? 0)
            let count = piece.box[point].count
            let out = target(place, variable) + piece.box[point].lowerBound - wanted.points.lowerBound
            field.packing.unpack(
              piece.start + ahead * piece.type.byteCount, piece.type, rows: (1, 0),
              columns: (count, piece.strides[point]), into: out)
            if field.conversion == .none { continue }
            for i in 0..<count { out[i] = Float(Double(out[i]) * field.conversion.factor + field.conversion.offset) }
          }
        }
      }
    }
  }
}
