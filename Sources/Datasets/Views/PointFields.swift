import Basics
import Stores

/// The fields of a NetCDF file, a GRIB file or a Zarr group whose points have a latitude and a longitude each: along one dimension
/// (reduced Gaussian grids, unstructured meshes, what Anemoi's inference writes) or two (rotated, projected and ocean grids).
/// Variables on levels become one each, as in `StoreFields`. Components of winds along the grid are rotated to east and north.
public final class PointFields: FieldView {
  public let dates: [Timestamp]
  public let variables: [ViewVariable]
  public let points: PointGrid
  public let storedRuns: [Range<Int>]
  public let storedDates: DateRuns
  public let pointsOnTheWay = 0
  public let memberCount: Int
  public let memberNumbers: [Int]?
  public let missing: Set<Int> = []
  let store: any ArrayStore
  private let fields: [Field]
  private let scratches = ScratchStack(limit: 4)

  /// One level of an array.
  struct Field {
    let array: ArrayInfo
    let level: Int?
    let conversion: UnitConversion
    /// The error that reading throws where the stored numbers can't be unpacked.
    let packing: Result<CFPacking, any Error>
    /// Dates that the array stores together; nil without times.
    let storedDates: DateRuns?
    /// For a component along the grid: the fields of both, and what rotates them.
    var rotated: Rotated?
    /// Why it can't be read.
    var refusal: JigsawError?
  }

  struct Rotated {
    let x, y: Int
    let isY: Bool
    let angles: RotationAngles
  }

  let axes: Axes

  struct Axes {
    let time, member: String?
    /// One dimension, or rows and columns.
    let points: [String]
    /// hPa, by dimension of pressure levels.
    let levels: [String: [Double]]

    func level(of array: ArrayInfo) -> String? { array.dimensionNames.first { levels[$0] != nil } }
  }

  /// Points in a row; all of them if they are along one dimension.
  private let width: Int
  /// Sentences on changes that were made in reading, for people.
  public let notes: [String]

  /// Grids of 3 km have so many.
  private static let pointLimit = 1 << 26

  /// Nil for fields on latitudes × longitudes.
  ///
  /// - Parameters:
  ///   - meanings: what the user says that arrays hold: our names by theirs.
  ///   - wanted: requested variables, which choose among several sets of coordinates.
  /// - Throws: when fields have no latitudes and longitudes; when times, levels or places can't be read.
  public init?(_ store: any ArrayStore, meanings: [String: String] = [:], wanted: Set<String> = []) throws {
    let found = try StoreAxes(store, wanted: wanted)
    guard case .points(let latitudeName, let longitudeName, let dimensions) = found.places else { return nil }
    self.store = store
    let sizes = try store.info(latitudeName).dimensions.suffix(dimensions.count).map(\.size)
    let (latitudes, longitudes) = try StoreAxes.degrees(
      store, latitude: latitudeName, longitude: longitudeName, atMost: PointFields.pointLimit
    ) { try PointFields.places($0, $1, along: dimensions.count, store.location) }
    try PointFields.requireOwnPlaces(latitudes, longitudes, "\(store.location): \(latitudeName) and \(longitudeName)")
    points = PointGrid(
      latitudes: latitudes, longitudes: longitudes,
      shape: sizes.count == 2 ? PointGrid.Shape(rows: sizes[0], columns: sizes[1]) : nil)
    let width = sizes.last ?? 0
    self.width = width
    var notes = store.notes
    let axes = Axes(
      time: found.time?.coordinate.dimension, member: found.member, points: dimensions,
      levels: try GriddedStore.readLevels(store, found.levels, &notes))
    self.axes = axes
    dates = try found.time.map { try StoreAxes.readTimes($0, store, &notes) } ?? []
    memberCount =
      axes.member.flatMap { name in
        store.arrays.values.lazy.flatMap(\.dimensions).first { $0.name == name }?.size
      } ?? 1
    memberNumbers = try GriddedStore.memberNumbers(store, axes.member)

    let (variables, fields) = try PointFields.variables(
      of: store, axes, times: dates, meanings, at: latitudeName, longitudeName,
      sizes: sizes)
    let isCurvilinear = dimensions.count == 2 && points.regular() == nil
    self.fields = try PointFields.rotated(
      fields, GridComponents(store: store, isCurvilinear: isCurvilinear, meanings: meanings), points,
      axes.points.count, &notes)
    // Anemoi's inference writes levels into names.
    self.variables = try LevelNames.applied(
      to: PointFields.completed(variables, self.fields, SharedMeaning(store, found, dates), store.problems))
    self.notes = notes
    storedDates = .coarsest([DateRuns(count: dates.count, together: 1)] + fields.compactMap(\.storedDates))
    let count = points.count
    let run = fields.first.flatMap { field in
      field.array.chunks.flatMap { chunks in
        field.array.dimensionNames.firstIndex(of: axes.points[0]).map { max(1, chunks[$0]) }
      }
    }
    let size = max(1, run.map { axes.points.count == 2 ? $0 * width : $0 } ?? count)
    storedRuns = stride(from: 0, to: count, by: size).map { $0..<min(count, $0 + size) }
  }

  /// The variables of a store on these axes, each level one, with how they are read.
  ///
  /// - Parameter sizes: of the dimensions of points.
  private static func variables(
    of store: any ArrayStore, _ axes: Axes, times: [Timestamp], _ meanings: [String: String],
    at latitudeName: String, _ longitudeName: String, sizes: [Int]
  ) throws -> ([ViewVariable], [Field]) {
    let scalarLevels = try ScalarLevels(store)
    var (variables, fields): ([ViewVariable], [Field]) = ([], [])
    let known = [axes.time, axes.member] + axes.points
    let arrays = StoreAxes.fields(store).filter { array in
      Set(axes.points).isSubset(of: array.dimensionNames)
        && array.dimensions.allSatisfy { known.contains($0.name) || $0.name == axes.level(of: array) || $0.size == 1 }
    }
    let names = Lexicon.names(of: arrays) { scalarLevels.place(of: $0, dimension: axes.level(of: $0)) }
    let periods = FieldPeriod.seconds(
      of: arrays, named: zip(arrays, names).map { meanings[$0.name] ?? $1?.name ?? $0.name }, time: axes.time, in: store
    )
    for ((array, variable), period) in zip(zip(arrays, names), periods) {
      let units = array.units
      let name = variable?.name ?? array.name
      let conversion = variable.flatMap { known in units.flatMap { UnitConversion(from: $0, to: known.units) } }
      let time = axes.time.flatMap { array.dimensionNames.firstIndex(of: $0) }
      let levelDimension = axes.level(of: array)
      let levelsHPa = levelDimension.flatMap { axes.levels[$0] } ?? []
      let scalar =
        levelDimension != nil ? nil : try scalarLevels.pressure(of: array, name, isStatic: time == nil, in: store)
      for index in levelDimension != nil ? levelsHPa.indices.map({ $0 }) : [nil] {
        let channel = Channel(variable: name, levelHPa: index.map { levelsHPa[$0] } ?? scalar)
        var described = ViewVariable(name: channel.name, units: variable?.units ?? units)
        described.parameter = channel.levelHPa != nil || LevelNames.isElsewhere(array) ? name : nil
        described.levelHPa = channel.levelHPa
        (described.isConstantInTime, described.periodSeconds) = (time == nil, period)
        described.absentTimes = store.times(times, without: array, along: axes.time, level: (levelDimension, index))
        described.storedName = array.name
        described.storedUnits = conversion.flatMap { $0 == .none ? nil : units }
        described.hasAssumedUnits = variable != nil && units == nil
        variables.append(described)
        var field = Field(
          array: array, level: index, conversion: conversion ?? .none,
          packing: Result { try store.packing(of: array) },
          storedDates: time.map { DateRuns(count: times.count, together: array.chunks?[$0] ?? 1) })
        if let variable, meanings[array.name] == nil {
          field.refusal = try PointFields.contradiction(
            of: array, to: variable, among: arrays, scalarLevels.place(of: array, dimension: levelDimension), store,
            (axes.time, times))
        }
        do { try StoreAxes.requirePlaces(array, latitudeName, longitudeName, store) } catch let error as JigsawError {
          field.refusal = error
        }
        field.refusal =
          PointFields.misfit(
            array,
            zip(axes.points, sizes).map { (Optional($0), $1) } + [
              (axes.time, times.count), (levelDimension, levelsHPa.count),
            ],
            store.location)
          ?? field.refusal
        fields.append(field)
      }
    }
    return (variables, fields)
  }

  /// Variables with what the store says that they are. Components of rotated vectors are there when both stored ones are.
  private static func completed(
    _ variables: [ViewVariable], _ fields: [Field], _ shared: SharedMeaning, _ problems: [String: JigsawError]
  ) -> [ViewVariable] {
    zip(variables, fields).map { variable, field in
      var completed = variable
      completed.problem = (field.refusal ?? problems[field.array.name]).map { "\($0)" }
      completed.meaning = FieldMeaning(field.array, shared, over: variable.periodSeconds)
      if let rotated = field.rotated {
        completed.absentTimes = variables[rotated.x].absentTimes.union(variables[rotated.y].absentTimes)
      }
      return completed
    }
  }

  public var location: String { store.location }
  public var reads: ReadCounts { store.reads.counts(location: store.location) }
  public var readsAtOnce: Int { store.readsAtOnce }
  public var libraryBytes: Int { store.libraryBytes }

  public func bytesKept(afterReading variables: [Int], dates: Range<Int>) -> Int {
    let arrays = Dictionary(variables.map { (fields[$0].array.name, fields[$0].array) }) { first, _ in first }
    return arrays.values.reduce(0) { sum, array in
      var box = array.shape.map { 0..<$0 }
      if let time = axes.time, let dimension = array.dimensionNames.firstIndex(of: time) { box[dimension] = dates }
      return sum + store.bytesKept(afterReading: array.name, box)
    }
  }

  public func read(
    _ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>
  ) throws {
    for variable in wanted.variables { if let refusal = fields[variable].refusal { throw refusal } }
    let rotated = wanted.variables.indices.filter { fields[wanted.variables[$0]].rotated != nil }
    if rotated.isEmpty { return try readStored(wanted, into: target) }
    let plain = wanted.variables.indices.filter { fields[wanted.variables[$0]].rotated == nil }
    var part = wanted
    part.variables = plain.map { wanted.variables[$0] }
    try readStored(part) { target($0, plain[$1]) }
    // Both components, each once.
    part.variables = Set(
      rotated.flatMap { place in fields[wanted.variables[place]].rotated.map { [$0.x, $0.y] } ?? [] }
    ).sorted()
    let (lines, count) = (part.variables, wanted.points.count)
    try withTemporary(wanted.dates.count * lines.count * count) { values in
      func plane(_ date: Int, _ field: Int) -> UnsafeMutablePointer<Float> {
        values + (date * lines.count + (lines.firstIndex(of: field) ?? 0)) * count
      }
      try readStored(part) { plane($0, lines[$1]) }
      for place in rotated {
        guard let pair = fields[wanted.variables[place]].rotated else { continue }
        for date in wanted.dates.indices {
          pair.angles.rotate(
            x: plane(date, pair.x), y: plane(date, pair.y), isY: pair.isY, wanted.points, into: target(date, place))
        }
      }
    }
  }

  /// Reads fields as they are stored, in our units.
  private func readStored(
    _ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>
  ) throws {
    if wanted.points.isEmpty || wanted.dates.isEmpty { return }
    // Levels in one array are read at once, from its lowest to its highest wanted level.
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
    let packing = try field.packing.get()
    let names = field.array.dimensionNames
    func dimension(_ axis: String?) -> Int? { axis.flatMap { names.firstIndex(of: $0) } }
    let (time, level) = (dimension(axes.time), dimension(axes.level(of: field.array)))
    guard let column = dimension(axes.points.last) else { preconditionFailure("a field without points") }
    let row = axes.points.count == 2 ? dimension(axes.points[0]) : nil
    let ofLevels = Dictionary(uniqueKeysWithValues: places.map { (fields[wanted.variables[$0]].level ?? 0, $0) })
    let ofDates = Dictionary(uniqueKeysWithValues: dates.map { (time == nil ? 0 : wanted.dates[$0], $0) })
    func hull(_ indices: some Collection<Int>) -> Range<Int> { (indices.min() ?? 0)..<(indices.max() ?? 0) + 1 }
    var part = ArrayPart(names.map { _ in 0..<1 })
    part.box[column] = wanted.points
    if let row {
      part.box[row] = wanted.points.lowerBound / width..<(wanted.points.upperBound + width - 1) / width
      part.box[column] = 0..<width
    }
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
            for line in row.map({ piece.box[$0] }) ?? 0..<1 {
              // Points of this line that the piece holds and that are wanted.
              let held = piece.box[column].lowerBound + line * width..<piece.box[column].upperBound + line * width
              let run = held.clamped(to: wanted.points)
              if run.isEmpty { continue }
              let start =
                ahead + (row.map { (line - piece.box[$0].lowerBound) * piece.strides[$0] } ?? 0)
                + (run.lowerBound - held.lowerBound) * piece.strides[column]
              let out = target(place, variable) + run.lowerBound - wanted.points.lowerBound
              packing.unpack(
                piece.start + start * piece.type.byteCount, piece.type, rows: (1, 0),
                columns: (run.count, piece.strides[column]), into: out)
              if field.conversion == .none { continue }
              for i in 0..<run.count {
                out[i] = Float(Double(out[i]) * field.conversion.factor + field.conversion.offset)
              }
            }
          }
        }
      }
    }
  }
}
