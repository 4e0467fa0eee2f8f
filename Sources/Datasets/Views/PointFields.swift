import Basics
import Stores

/// The fields of a NetCDF file, a GRIB file or a Zarr group whose points are a list, along one dimension: reduced Gaussian
/// grids, unstructured meshes, what Anemoi's inference writes. Variables on levels become one each, as in `StoreFields`.
public final class PointFields: FieldView {
  public let dates: [Timestamp]
  public let variables: [ViewVariable]
  public let points: PointGrid
  public let storedRuns: [Range<Int>]
  public let memberCount: Int
  public let missing: Set<Int> = []
  private let store: any ArrayStore
  private let fields: [Field]

  /// One level of an array.
  private struct Field {
    let array: ArrayInfo
    let level: Int?
    let conversion: UnitConversion
    let packing: CFPacking
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
      let hasLevels = axes.level.map { array.dimensionNames.contains($0) } ?? false
      for index in hasLevels ? levelsHPa.indices.map({ $0 }) : [nil] {
        let channel = Channel(variable: name, levelHPa: index.map { levelsHPa[$0] })
        var described = ViewVariable(name: channel.name, units: variable?.units ?? units)
        described.parameter = hasLevels ? name : nil
        described.levelHPa = channel.levelHPa
        described.isConstantInTime = axes.time.map { !array.dimensionNames.contains($0) } ?? true
        variables.append(described)
        fields.append(
          Field(
            array: array, level: index, conversion: conversion ?? .none, packing: CFPacking(array.attributes)))
      }
    }
    // Anemoi's inference writes levels into names.
    self.variables = LevelNames.applied(to: variables)
    self.fields = fields
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
    date: Int, variables: [Int], member: Int, points: Range<Int>, into out: UnsafeMutablePointer<Float>
  ) throws {
    // What lies in one array is read at once, from its lowest to its highest wanted level.
    for name in Set(variables.map { fields[$0].array.name }) {
      let wanted = variables.indices.filter { fields[variables[$0]].array.name == name }
      guard let field = wanted.first.map({ fields[variables[$0]] }) else { continue }
      let levels = wanted.compactMap { fields[variables[$0]].level }
      let span = (levels.min() ?? 0)..<(levels.max() ?? 0) + 1
      var levelStride = points.count
      let box = field.array.dimensions.map { dimension -> Range<Int> in
        switch dimension.name {
        case axes.points: return points
        case axes.time: return date..<date + 1
        case axes.member: return member..<member + 1
        case axes.level: return span
        default: return 0..<1
        }
      }
      let names = field.array.dimensionNames
      let levelDimension = axes.level.flatMap { names.firstIndex(of: $0) }
      let pointDimension = names.firstIndex(of: axes.points) ?? 0
      // Levels may run faster than points.
      let levelsAreInside = levelDimension.map { $0 > pointDimension } ?? false
      let pointStride = levelsAreInside ? span.count : 1
      if levelsAreInside { levelStride = 1 }
      let raw = try store.read(name, box)
      withTemporary(raw.count) { values in
        field.packing.unpack(raw, into: UnsafeMutableBufferPointer(start: values, count: raw.count))
        for line in wanted {
          let first = values + ((fields[variables[line]].level ?? span.lowerBound) - span.lowerBound) * levelStride
          let target = out + line * points.count
          for i in 0..<points.count {
            target[i] = Float(Double(first[i * pointStride]) * field.conversion.factor + field.conversion.offset)
          }
        }
      }
    }
  }
}
