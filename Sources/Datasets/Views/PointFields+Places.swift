import Basics
import Stores

/// Where fields of points lie, and in which directions their components point.
extension PointFields {
  /// The first of some names that an array of the store has which does not lie on these points.
  func elsewhere(_ names: [String]) -> ElsewhereArray? {
    names.lazy.compactMap { self.store.arrays[$0] }.first {
      !Set(self.axes.points).isSubset(of: $0.dimensionNames)
    }.map {
      ElsewhereArray(location: location, array: $0.name, dimensions: $0.dimensionNames, places: axes.points)
    }
  }

  /// Why an array is not the variable whose name it has.
  static func contradiction(
    of array: ArrayInfo, to variable: Variable, among arrays: [ArrayInfo], _ place: Lexicon.VerticalPlace,
    _ store: any ArrayStore, _ time: (dimension: String?, times: [Timestamp])
  ) throws -> JigsawError? {
    if let found = Lexicon.contradiction(of: array, to: variable, place, in: store) {
      return Lexicon.contradicts(array, variable, found, store.location, at: place)
    }
    if let other = Lexicon.otherNumber(of: array, among: arrays, store.location) { return other }
    do {
      try MeanPeriod.requireSums(array, variable, time: time.dimension, times: time.times, in: store)
      return nil
    } catch let error as JigsawError { return error }
  }

  /// Why an array is not as long as the coordinates of its dimensions.
  static func misfit(_ array: ArrayInfo, _ lengths: [(String?, Int)], _ location: String) -> JigsawError? {
    for (name, length) in lengths {
      guard let dimension = array.dimensions.first(where: { $0.name == name }), dimension.size != length else {
        continue
      }
      return JigsawError(
        "\(location): \(array.name)", "has another length along '\(dimension.name)' than its coordinate",
        expected: "\(length)", found: "\(dimension.size)",
        remedy: "the store was not written completely; write it again")
    }
    return nil
  }

  /// Latitudes or longitudes of all points. Those that are stored again for each time must be the same at all.
  static func places(_ info: ArrayInfo, _ all: [Double], along dimensions: Int, _ location: String) throws
    -> [Double]
  {
    let count = info.shape.suffix(dimensions).reduce(1, *)
    for start in stride(from: count, to: all.count, by: max(1, count)) where all[start..<start + count] != all[..<count]
    {
      throw JigsawError(
        "\(location): \(info.name)", "changes in time", expected: "the same points at all times",
        remedy: "a grid that moves is not read; interpolate the data to one that doesn't")
    }
    return Array(all.prefix(count))
  }

  /// Neighbours at one place at which a store may hold fields: seams of ocean grids store columns twice.
  private static let mostAtOnePlace = 3

  /// - Throws: where many neighbours lie at one place, as 0° N 0° E of ocean models over land: they have none. Poles are one place.
  static func requireOwnPlaces(_ latitudes: [Double], _ longitudes: [Double], _ place: String) throws {
    var start = 0
    for point in latitudes.indices.dropFirst() {
      if latitudes[point] != latitudes[start] || longitudes[point] != longitudes[start] { start = point }
      if point - start < mostAtOnePlace || abs(latitudes[point]) > 89.99 { continue }
      throw JigsawError(
        place, "have the same values at many points in a row", expected: "a place for each point",
        found: "points \(start) to \(point) at \(significant(latitudes[point], 6))° N "
          + "\(significant(longitudes[point], 6))° E",
        remedy: "leave points without a place out of the store")
    }
  }

  /// The fields with what rotates components along the grid, or why those can't be read.
  static func rotated(
    _ fields: [Field], _ components: GridComponents, _ points: PointGrid, _ dimensions: Int, _ notes: inout [String]
  ) throws -> [Field] {
    var fields = fields
    var angles: [(rotation: GridComponents.Rotation, angles: RotationAngles)] = []
    for index in fields.indices {
      let array = fields[index].array
      switch components.reading(of: array) {
      case .asStored: continue
      case .refused(let error):
        fields[index].refusal = error
        if !notes.contains("\(error)") { notes.append("\(error)") }
      case .rotated(let x, let y, let isY, let rotation):
        func field(_ name: String) -> Int? {
          fields.firstIndex { $0.array.name == name && $0.level == fields[index].level }
        }
        guard let xField = field(x), let yField = field(y) else { continue }
        let known = angles.first { $0.rotation == rotation }?.angles
        let made = try known ?? RotationAngles(rotation, points, components.store, dimensions: dimensions)
        if known == nil { angles.append((rotation, made)) }
        fields[index].rotated = Rotated(x: xField, y: yField, isY: isY, angles: made)
        let note = "\(x) and \(y), along the grid's axes, are rotated to east and north"
        if !notes.contains(note) { notes.append(note) }
      }
    }
    return fields
  }
}
