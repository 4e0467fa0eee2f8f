import Basics
import CKernels
import Stores

/// One store seen as fields on a regular latitude–longitude grid: finds coordinates by CF attributes or by name, brings
/// latitudes into north-to-south order and longitudes into ascending order from 0 (when they go around the globe).
public struct GriddedStore: Sendable {
  public let store: any ArrayStore
  public let grid: LatLonGrid
  /// Empty for a store of static fields only.
  public let times: [Timestamp]
  /// hPa, in stored order; empty when there are no levels.
  public let levelsHPa: [Double]
  /// What was changed on the way in, for `data inspect`.
  public let normalizations: [String]

  private let axes: Axes
  private let flipsLatitude: Bool
  private let storedRows: Int
  /// Stored column of the first column here.
  private let firstColumn: Int

  /// Names of the dimensions that play the four roles.
  struct Axes: Sendable {
    var time, level, member: String?
    var latitude, longitude: String
  }

  /// - Parameter rows: how many rows from the north to use; nil: all.
  public init(_ store: any ArrayStore, rows: Int? = nil) throws {
    self.store = store
    axes = try GriddedStore.findAxes(store)
    let latitudes = try GriddedStore.coordinate(store, axes.latitude).doubles
    var longitudes = try GriddedStore.coordinate(store, axes.longitude).doubles
    var notes: [String] = []

    guard latitudes.count > 1, GriddedStore.isMonotonic(latitudes), latitudes.allSatisfy({ abs($0) <= 90.001 }) else {
      throw JigsawError("\(store.location): \(axes.latitude)", "is not a list of ascending or descending latitudes")
    }
    flipsLatitude = latitudes[0] < latitudes[1]
    if flipsLatitude { notes.append("latitude flipped to north-to-south") }

    // Ascending from 0 when the circle is closed, else as stored.
    var first = 0
    let stored = longitudes
    guard GriddedStore.isMonotonic(longitudes) || longitudes.contains(where: { $0 < 0 }) || longitudes.count == 1 else {
      throw JigsawError("\(store.location): \(axes.longitude)", "is not a list of ascending longitudes")
    }
    let spacing = longitudes.count > 1 ? longitudes[1] - longitudes[0] : 360
    if spacing > 0, abs(spacing * Double(longitudes.count) - 360) < 0.01 * spacing {
      longitudes = longitudes.map { $0 < -1e-6 ? $0 + 360 : ($0 > 360 - 1e-6 ? $0 - 360 : $0) }
      first = longitudes.indices.min { longitudes[$0] < longitudes[$1] } ?? 0
      longitudes = Array(longitudes[first...] + longitudes[..<first])
      if first != 0 { notes.append("longitudes rolled from \(stored[0])° to start at \(longitudes[0])°") }
    }
    guard zip(longitudes, longitudes.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw JigsawError("\(store.location): \(axes.longitude)", "is not a list of ascending longitudes")
    }
    firstColumn = first
    storedRows = latitudes.count
    if let rows, rows > storedRows {
      throw JigsawError(
        "data.rows", "is more than \(store.location) has", expected: "at most \(storedRows)", found: "\(rows)")
    }
    let southwards = flipsLatitude ? latitudes.reversed() : latitudes
    grid = LatLonGrid(latitudes: Array(southwards.prefix(rows ?? storedRows)), longitudes: longitudes)
    if grid.rows < storedRows { notes.append("only the northern \(grid.rows) of \(storedRows) rows are used") }
    times = try axes.time.map { try GriddedStore.readTimes(store, $0) } ?? []
    levelsHPa = try axes.level.map { try GriddedStore.readLevels(store, $0, &notes) } ?? []
    normalizations = notes
  }

  // MARK: Binding

  /// A variable of ours found in this store.
  public struct Binding: Sendable {
    public let variable: Variable
    public let array: ArrayInfo
    public let conversion: UnitConversion
    public let storedUnits: String?
    let packing: CFPacking
    /// Dimension numbers.
    let time, level, member: Int?
    let latitude, longitude: Int

    public var isStatic: Bool { time == nil }
    public var hasLevels: Bool { level != nil }
  }

  /// Finds `name` by `rename` (the user's word), by our name, by known aliases. Nil when it isn't here.
  ///
  /// - Parameters:
  ///   - asStatic: takes a field with a single time, as archives deliver masks and orography, for a static one.
  ///   - keepsUnits: leaves values as they are where their units don't fit the variable.
  public func bind(
    _ name: String, rename: [String: String] = [:], asStatic: Bool = false, keepsUnits: Bool = false
  ) throws -> Binding? {
    let variable = Lexicon.variable(name)
    let candidates = rename[name].map { [$0] } ?? [name] + variable.aliases
    guard let array = candidates.lazy.compactMap({ store.arrays[$0] }).first else {
      if let wanted = rename[name] { _ = try store.info(wanted) }
      return nil
    }
    let place = "\(store.location): \(array.name)"
    let names = array.dimensionNames
    guard let latitude = names.firstIndex(of: axes.latitude), let longitude = names.firstIndex(of: axes.longitude)
    else {
      throw JigsawError(
        place, "is not a field on the grid", expected: "dimensions \(axes.latitude) and \(axes.longitude)",
        found: names.joined(separator: ", "))
    }
    var time = axes.time.flatMap { names.firstIndex(of: $0) }
    if asStatic, let dimension = time, array.shape[dimension] == 1 { time = nil }
    let level = axes.level.flatMap { names.firstIndex(of: $0) }
    let member = axes.member.flatMap { names.firstIndex(of: $0) }
    let known = [latitude, longitude, time, level, member].compactMap { $0 }
    for index in names.indices where !known.contains(index) && array.shape[index] != 1 {
      throw JigsawError(
        place, "has a dimension '\(names[index])' of \(array.shape[index]) that is not understood",
        expected: "time, level, latitude, longitude", remedy: "select one entry of it before")
    }
    let units = array.attributes["units"]?.text
    var conversion = UnitConversion.none
    if let units, Lexicon[name] != nil {
      let found = UnitConversion(from: units, to: variable.units)
      guard let found = found ?? (keepsUnits ? UnitConversion.none : nil) else {
        throw JigsawError(
          place, "has units that don't fit \(name) (\(variable.longName))", expected: "'\(variable.units)'",
          found: "'\(units)'", remedy: "correct the units, or name the right variable under data.sources.names")
      }
      conversion = found
    }
    return Binding(
      variable: variable, array: array, conversion: conversion, storedUnits: units,
      packing: CFPacking(array.attributes), time: time, level: level, member: member, latitude: latitude,
      longitude: longitude)
  }

  /// The stored index of a level.
  public func levelIndex(_ levelHPa: Double, of binding: Binding) throws -> Int {
    if let index = levelsHPa.firstIndex(where: { abs($0 - levelHPa) < 1e-3 }) { return index }
    throw JigsawError(
      "\(store.location): \(binding.array.name)", "has no level \(Channel.text(levelHPa)) hPa",
      found: levelsHPa.map { Channel.text($0) }.joined(separator: ", "), remedy: "choose data.levels among these")
  }

  /// How many consecutive times are stored together, and so are best read together.
  public func timesPerChunk(_ binding: Binding) -> Int {
    guard let time = binding.time else { return 1 }
    return max(1, binding.array.chunks?[time] ?? 1)
  }

  // MARK: Reading

  /// Stored positions of one array that are read at once: what a chunk holds of one time, or what is asked for.
  public struct Box: Sendable, Hashable {
    /// 0 ..< 1 without levels.
    public let levels: Range<Int>
    public let rows, columns: Range<Int>
  }

  /// The boxes in which an array's wanted levels are stored, without those that hold none of the grid. An array that is
  /// stored as a whole is read level by level, in `bands` bands of rows.
  public func boxes(_ binding: Binding, levels: Set<Int>, bands: Int = 1) -> [Box] {
    let (shape, chunks) = (binding.array.shape, binding.array.chunks)
    func cut(_ dimension: Int?, _ pieces: Int) -> [Range<Int>] {
      guard let dimension else { return [0..<1] }
      let extent = shape[dimension]
      let size = max(1, chunks?[dimension] ?? (extent + pieces - 1) / pieces)
      return stride(from: 0, to: extent, by: size).map { $0..<min(extent, $0 + size) }
    }
    var boxes: [Box] = []
    for levels in cut(binding.level, binding.level.map { shape[$0] } ?? 1).filter({
      $0.contains(where: levels.contains)
    }) {
      for rows in cut(binding.latitude, bands) {
        for columns in cut(binding.longitude, 1) {
          let box = Box(levels: levels, rows: rows, columns: columns)
          if !rectangles(box).isEmpty { boxes.append(box) }
        }
      }
    }
    return boxes
  }

  /// The parts of the grid that a box covers: two where the grid's first column lies within it.
  public func rectangles(_ box: Box) -> [Rectangle] {
    let southwards = flipsLatitude ? storedRows - box.rows.upperBound..<storedRows - box.rows.lowerBound : box.rows
    let rows = southwards.clamped(to: 0..<grid.rows)
    if rows.isEmpty { return [] }
    let before = box.columns.clamped(to: 0..<firstColumn)
    let from = box.columns.clamped(to: firstColumn..<grid.columns)
    return [
      from.lowerBound - firstColumn..<from.upperBound - firstColumn,
      before.lowerBound + grid.columns - firstColumn..<before.upperBound + grid.columns - firstColumn,
    ].filter { !$0.isEmpty }.map { Rectangle(rows: rows, columns: $0) }
  }

  /// Members of the ensemble that the store holds.
  public var memberCount: Int {
    axes.member.flatMap { name in
      store.arrays.values.lazy.flatMap(\.dimensions).first { $0.name == name }?.size
    } ?? 1
  }

  /// The grid's points, row after row.
  var points: PointGrid { PointGrid(grid) }

  /// Whether an array has values on the grid, and nothing but the known dimensions.
  func isField(_ array: ArrayInfo) -> Bool {
    let names = array.dimensionNames
    guard names.contains(axes.latitude), names.contains(axes.longitude) else { return false }
    let known = [axes.latitude, axes.longitude, axes.time, axes.level, axes.member]
    return array.dimensions.allSatisfy { known.contains($0.name) || $0.size == 1 }
  }

  /// What a box has of some rows of the grid; nil for nothing.
  func cut(_ box: Box, to rows: Range<Int>) -> Box? {
    let stored = flipsLatitude ? storedRows - rows.upperBound..<storedRows - rows.lowerBound : rows
    let inside = box.rows.clamped(to: stored)
    return inside.isEmpty ? nil : Box(levels: box.levels, rows: inside, columns: box.columns)
  }

  /// Reads a box of one array at consecutive times (ignored for static fields). `target` tells where the part of a time,
  /// level and rectangle goes, and how far its rows lie apart; our order and units, missing values NaN.
  ///
  /// - Parameter member: of the ensemble, if there is one.
  /// - Returns: by time, whether all of it is numbers.
  @discardableResult
  public func read(
    _ binding: Binding, times: Range<Int>, box: Box, levels: [Int], member: Int = 0, _ scratch: ReadingScratch,
    into target: (_ time: Int, _ level: Int, _ part: Rectangle) -> (UnsafeMutablePointer<Float>, stride: Int)
  ) throws -> [Bool] {
    var stored = ArrayPart(binding.array.shape.map { 0..<$0 })
    if let dimension = binding.time { stored.box[dimension] = times }
    if let dimension = binding.member { stored.box[dimension] = member..<member + 1 }
    if let dimension = binding.level {
      stored.box[dimension] = (levels.min() ?? 0)..<(levels.max() ?? 0) + 1
      stored.only = ArrayPart.Only(dimension: dimension, indices: Set(levels))
    }
    stored.box[binding.latitude] = box.rows
    stored.box[binding.longitude] = box.columns
    let rectangles = rectangles(box)
    var isComplete = [Bool](repeating: true, count: binding.time == nil ? 1 : times.count)
    try store.read(binding.array.name, stored, scratch) { piece in
      let pieceTimes = binding.time.map { piece.box[$0] } ?? 0..<1
      let pieceLevels = binding.level.map { piece.box[$0] } ?? 0..<1
      for (i, time) in pieceTimes.enumerated() {
        for (j, level) in pieceLevels.enumerated() where levels.contains(level) {
          let ahead =
            i * (binding.time.map { piece.strides[$0] } ?? 0) + j * (binding.level.map { piece.strides[$0] } ?? 0)
          let field = StoredField(piece, binding, piece.start + ahead * piece.type.byteCount)
          let plane = field.plane(binding, scratch)
          let index = binding.time == nil ? 0 : time - times.lowerBound
          for part in rectangles {
            let (out, stride) = target(index, level, part)
            if !copy(plane, field, part, to: out, stride) { isComplete[index] = false }
          }
        }
      }
    }
    return isComplete
  }

  /// Rows and columns of one time and level in a piece of what is stored.
  private struct StoredField {
    let type: ScalarType
    let start: UnsafeRawPointer
    let rows, columns: Range<Int>
    let rowStride, columnStride: Int

    init(_ piece: StoredPiece, _ binding: Binding, _ start: UnsafeRawPointer) {
      type = piece.type
      self.start = start
      (rows, columns) = (piece.box[binding.latitude], piece.box[binding.longitude])
      (rowStride, columnStride) = (piece.strides[binding.latitude], piece.strides[binding.longitude])
    }

    /// The values in our units, as they lie in the store or in scratch memory.
    func plane(_ binding: Binding, _ scratch: ReadingScratch) -> Plane {
      let conversion = binding.conversion
      if type == .float32 && binding.packing.isPlain && conversion == .none {
        return Plane(
          start: start.assumingMemoryBound(to: Float.self), rowStride: rowStride, columnStride: columnStride)
      }
      let count = rows.count * columns.count
      let out = scratch.numbers.reserve(max(1, count) * MemoryLayout<Float>.size).assumingMemoryBound(to: Float.self)
      // In the order in which they lie.
      let isTransposed = columnStride > rowStride
      let (across, along) = ((rows.count, rowStride), (columns.count, columnStride))
      binding.packing.unpack(
        start, type, rows: isTransposed ? along : across, columns: isTransposed ? across : along, into: out)
      if conversion != .none {
        for i in 0..<count { out[i] = Float(Double(out[i]) * conversion.factor + conversion.offset) }
      }
      return Plane(
        start: out, rowStride: isTransposed ? 1 : columns.count, columnStride: isTransposed ? rows.count : 1)
    }
  }

  private struct Plane {
    let start: UnsafePointer<Float>
    let rowStride, columnStride: Int
  }

  /// Copies what a stored field has of a part of the grid.
  /// - Returns: whether all of it is numbers.
  private func copy(
    _ plane: Plane, _ field: StoredField, _ part: Rectangle, to out: UnsafeMutablePointer<Float>, _ stride: Int
  ) -> Bool {
    let first = flipsLatitude ? storedRows - part.rows.upperBound : part.rows.lowerBound
    let rows = field.rows.clamped(to: first..<first + part.rows.count)
    let left = (part.columns.lowerBound + firstColumn) % grid.columns
    let columns = field.columns.clamped(to: left..<left + part.columns.count)
    if rows.isEmpty || columns.isEmpty { return true }
    let source =
      plane.start + (rows.lowerBound - field.rows.lowerBound) * plane.rowStride
      + (columns.lowerBound - field.columns.lowerBound) * plane.columnStride
    let line = flipsLatitude ? first + part.rows.count - 1 - rows.lowerBound : rows.lowerBound - first
    return jk_current().pointee.copy_plane(
      source, plane.rowStride, plane.columnStride, out + line * stride + columns.lowerBound - left,
      flipsLatitude ? -stride : stride, 1, rows.count, columns.count)
  }

  /// Reads whole fields of one array at consecutive times (ignored for static fields) and one level (ignored without
  /// levels): `out(i)` is where the field of the i-th time goes, [rows, columns].
  public func read(
    _ binding: Binding, times: Range<Int>, level: Int?, into out: (Int) -> UnsafeMutablePointer<Float>
  ) throws {
    let shape = binding.array.shape
    precondition((binding.level == nil) == (level == nil), "a level is needed for \(binding.array.name)")
    let box = Box(
      levels: (level ?? 0)..<(level ?? 0) + 1, rows: 0..<shape[binding.latitude], columns: 0..<shape[binding.longitude])
    try read(binding, times: times, box: box, levels: [level ?? 0], ReadingScratch()) { time, _, part in
      (out(time) + part.rows.lowerBound * grid.columns + part.columns.lowerBound, grid.columns)
    }
  }
}
