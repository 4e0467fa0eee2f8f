import Basics
import Stores

/// One store seen as fields on a regular latitude–longitude grid: finds coordinates by CF attributes or by name, brings
/// latitudes into north-to-south order and columns into eastward order, from 0 when they go around the globe.
public struct GriddedStore: Sendable {
  public let store: any ArrayStore
  public let grid: LatLonGrid
  /// Empty for a store of static fields only.
  public let times: [Timestamp]
  /// hPa, in stored order, of a coordinate with or without a dimension; empty when there are no levels.
  public let levelsHPa: [Double]
  /// Sentences on changes that are made in reading, for `data inspect`.
  public let normalizations: [String]

  let axes: Axes
  let scalarLevels: ScalarLevels
  let meaning: SharedMeaning
  let flipsLatitude: Bool
  /// Whether columns are stored from east to west.
  let isWestward: Bool
  let storedRows, storedColumns: Int
  /// Stored column of the first column here, counted eastwards.
  let firstColumn: Int

  /// Names of the dimensions that play the roles.
  struct Axes: Sendable {
    var time, member: String?
    var latitude, longitude: String
    /// hPa, by dimension of pressure levels.
    var levels: [String: [Double]]

    /// The dimension of levels of an array.
    func level(of array: ArrayInfo) -> String? { array.dimensionNames.first { levels[$0] != nil } }
  }

  /// - Parameters:
  ///   - rows: how many rows from the north to use; nil: all.
  ///   - wanted: requested variables, which choose among several sets of coordinates.
  public init(_ store: any ArrayStore, rows: Int? = nil, wanted: Set<String> = []) throws {
    self.store = store
    let found = try StoreAxes(store, wanted: wanted)
    guard case .grid(let latitude, let longitude) = found.places else {
      throw JigsawError(
        store.location, "is not on a regular grid", expected: "latitudes × longitudes",
        found: "points along \(found.places.dimensions.joined(separator: ", "))")
    }
    scalarLevels = try ScalarLevels(store)
    let (latitudes, longitudes) = try StoreAxes.degrees(
      store, latitude: latitude.variable, longitude: longitude.variable)
    var notes = store.notes

    guard let first = latitudes.first, let last = latitudes.last, GriddedStore.isMonotonic(latitudes) else {
      throw JigsawError("\(store.location): \(latitude.variable)", "is not a list of ascending or descending latitudes")
    }
    flipsLatitude = first < last
    if flipsLatitude { notes.append("latitude flipped to north-to-south") }

    // Ascending from 0 when the circle is closed, else from the west.
    storedColumns = longitudes.count
    guard let meridians = Meridians(longitudes) else {
      throw JigsawError(
        "\(store.location): \(longitude.variable)", "is not a list of ascending longitudes",
        expected: "columns eastwards, or evenly spaced westwards, once around the globe at most",
        remedy: "sort them before, for example in xarray: ds.sortby('\(longitude.variable)')")
    }
    notes += meridians.notes
    isWestward = meridians.isWestward
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
    meaning = try SharedMeaning(store, found, times)
    let levels = try GriddedStore.readLevels(store, found.levels, &notes)
    axes = Axes(
      time: found.time?.coordinate.dimension, member: found.member, latitude: latitude.dimension,
      longitude: longitude.dimension, levels: levels)
    var known: Set<Double> = []
    levelsHPa =
      found.levels.isEmpty
      ? scalarLevels.pressuresHPa.sorted()
      : found.levels.flatMap { levels[$0.dimension] ?? [] }.filter { known.insert($0).inserted }
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
    let columns = eastwards(box.columns)
    let before = columns.clamped(to: 0..<firstColumn)
    let from = columns.clamped(to: firstColumn..<grid.columns)
    return [
      from.lowerBound - firstColumn..<from.upperBound - firstColumn,
      before.lowerBound + grid.columns - firstColumn..<before.upperBound + grid.columns - firstColumn,
    ].filter { !$0.isEmpty }.map { Rectangle(rows: rows, columns: $0) }
  }

  /// Stored columns counted eastwards, and the other way round.
  func eastwards(_ columns: Range<Int>) -> Range<Int> {
    isWestward ? storedColumns - columns.upperBound..<storedColumns - columns.lowerBound : columns
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
    let known = [axes.latitude, axes.longitude, axes.time, axes.level(of: array), axes.member]
    return array.dimensions.allSatisfy { known.contains($0.name) || $0.size == 1 }
  }

  /// The part of a box in some rows of the grid; nil for none.
  func cut(_ box: Box, to rows: Range<Int>) -> Box? {
    let stored = flipsLatitude ? storedRows - rows.upperBound..<storedRows - rows.lowerBound : rows
    let inside = box.rows.clamped(to: stored)
    return inside.isEmpty ? nil : Box(levels: box.levels, rows: inside, columns: box.columns)
  }
}
