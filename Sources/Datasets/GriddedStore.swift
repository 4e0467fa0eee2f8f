import Basics
import Stores

/// One store seen as fields on a regular latitude–longitude grid: finds coordinates by CF attributes or by name, brings
/// latitudes into north-to-south order and longitudes into ascending order from 0 (when they go around the globe).
public struct GriddedStore: Sendable {
  public let store: any ArrayStore
  public let grid: LatLonGrid
  /// Empty for a store of static fields only.
  public let times: [Timestamp]
  /// hPa, in stored order, of a coordinate with or without a dimension; empty when there are no levels.
  public let levelsHPa: [Double]
  /// What was changed on the way in, for `data inspect`.
  public let normalizations: [String]

  let axes: Axes
  let scalarLevels: ScalarLevels
  let flipsLatitude: Bool
  let storedRows: Int
  /// Stored column of the first column here.
  let firstColumn: Int

  /// Names of the dimensions that play the four roles.
  struct Axes: Sendable {
    var time, level, member: String?
    var latitude, longitude: String
  }

  /// - Parameter rows: how many rows from the north to use; nil: all.
  public init(_ store: any ArrayStore, rows: Int? = nil) throws {
    self.store = store
    let found = try StoreAxes(store)
    guard case .grid(let latitude, let longitude) = found.places else {
      throw JigsawError(
        store.location, "is not on a regular grid", expected: "latitudes × longitudes",
        found: "points along \(found.places.dimensions.joined(separator: ", "))")
    }
    scalarLevels = try ScalarLevels(store)
    axes = Axes(
      time: found.time?.coordinate.dimension, level: found.level?.dimension, member: found.member,
      latitude: latitude.dimension, longitude: longitude.dimension)
    let latitudes = try GriddedStore.degrees(store, latitude.variable, most: 90)
    var notes = store.notes

    guard latitudes.count > 1, GriddedStore.isMonotonic(latitudes), latitudes.allSatisfy({ abs($0) <= 90.001 }) else {
      throw JigsawError("\(store.location): \(latitude.variable)", "is not a list of ascending or descending latitudes")
    }
    flipsLatitude = latitudes[0] < latitudes[1]
    if flipsLatitude { notes.append("latitude flipped to north-to-south") }

    // Ascending from 0 when the circle is closed, else from the west.
    guard let meridians = Meridians(try GriddedStore.degrees(store, longitude.variable, most: 1_080)) else {
      throw JigsawError("\(store.location): \(longitude.variable)", "is not a list of ascending longitudes")
    }
    notes += meridians.notes
    firstColumn = meridians.first
    storedRows = latitudes.count
    if let rows, rows > storedRows {
      throw JigsawError(
        "data.rows", "is more than \(store.location) has", expected: "at most \(storedRows)", found: "\(rows)")
    }
    let southwards = flipsLatitude ? latitudes.reversed() : latitudes
    grid = LatLonGrid(latitudes: Array(southwards.prefix(rows ?? storedRows)), longitudes: meridians.longitudes)
    if grid.rows < storedRows { notes.append("only the northern \(grid.rows) of \(storedRows) rows are used") }
    times = try found.time.map { try StoreAxes.readTimes($0, store, &notes) } ?? []
    levelsHPa =
      try found.level.map { try GriddedStore.readLevels(store, $0.variable, &notes) }
      ?? scalarLevels.pressuresHPa.sorted()
    normalizations = notes
  }

  // MARK: Stored pieces

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
}
