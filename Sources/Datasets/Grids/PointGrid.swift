import Geometry
import Synchronization
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// Any points on the globe, in the order in which fields are stored.
public struct PointGrid: Sendable, Hashable {
  /// Degrees north and east, one of each per point.
  public let latitudes, longitudes: [Double]
  /// Rows and columns, when a field is stored row after row.
  public let shape: Shape?
  /// Whether the coordinates are stored in single precision, so that others compute with them in it.
  public let isSinglePrecision: Bool
  private let cells = Cells()

  /// Computed once, for all copies.
  private final class Cells: Sendable {
    let areas = Mutex<CellAreas?>(nil)
  }

  /// The areas that points stand for.
  public var areas: CellAreas {
    cells.areas.withLock { areas in
      if let areas { return areas }
      let made = CellAreas(
        GridPoints(latitudes: latitudes, longitudes: longitudes), threads: ThreadTeam.availableCPUs)
      areas = made
      return made
    }
  }

  public struct Shape: Sendable, Hashable {
    public let rows, columns: Int

    public init(rows: Int, columns: Int) {
      self.rows = rows
      self.columns = columns
    }
  }

  public init(latitudes: [Double], longitudes: [Double], shape: Shape? = nil, isSinglePrecision: Bool = false) {
    self.isSinglePrecision = isSinglePrecision
    precondition(latitudes.count == longitudes.count)
    self.latitudes = latitudes
    self.longitudes = longitudes
    self.shape = shape.flatMap { $0.rows * $0.columns == latitudes.count ? $0 : nil }
  }

  /// The points of a regular grid, row after row.
  public init(_ grid: LatLonGrid) {
    self.init(
      latitudes: grid.latitudes.flatMap { [Double](repeating: $0, count: grid.columns) },
      longitudes: grid.latitudes.flatMap { _ in grid.longitudes },
      shape: Shape(rows: grid.rows, columns: grid.columns))
  }

  public var count: Int { latitudes.count }

  /// Where the points are counts, not how exactly that is stored.
  public static func == (a: PointGrid, b: PointGrid) -> Bool {
    (a.latitudes, a.longitudes, a.shape) == (b.latitudes, b.longitudes, b.shape)
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(latitudes)
    hasher.combine(longitudes)
    hasher.combine(shape)
  }

  public subscript(indices: [Int]) -> PointGrid {
    PointGrid(
      latitudes: indices.map { latitudes[$0] }, longitudes: indices.map { longitudes[$0] },
      isSinglePrecision: isSinglePrecision)
  }

  /// Whether another grid has the same points in the same order, within `tolerance` degrees.
  public func matches(_ other: PointGrid, tolerance: Double = 1e-3) -> Bool {
    count == other.count && firstDifference(from: other, tolerance: tolerance) == nil
  }

  /// The first point that lies elsewhere in another grid of as many points; nil where none does.
  func firstDifference(from other: PointGrid, tolerance: Double = 1e-3) -> Int? {
    zip(latitudes.indices, other.latitudes.indices).first { own, their in
      !(abs(latitudes[own] - other.latitudes[their]) < tolerance
        && abs(remainder(longitudes[own] - other.longitudes[their], 360)) < tolerance)
    }?.0
  }

  /// For people: "40320 points".
  public var summary: String {
    guard let north = latitudes.max(), let south = latitudes.min() else { return "no points" }
    let rows = shape.map { "\($0.rows) × \($0.columns) = " } ?? ""
    return "\(rows)\(count) points (\(degrees(north)) … \(degrees(south))° N)"
  }

  /// For people: where a point is.
  func place(_ point: Int) -> String { "\(degrees(latitudes[point]))° N \(degrees(longitudes[point]))° E" }

  private func degrees(_ value: Double) -> String {
    let rounded = (value * 100).rounded() / 100
    return Int(exactly: rounded).map(String.init) ?? String(rounded)
  }

  // MARK: Regular grids

  /// The points as a regular grid: for each of its points, row after row, the index of the point here. Nil when they are
  /// not all crossings of some latitudes with some longitudes.
  ///
  /// Latitudes go north to south, longitudes eastwards: from 0 when they close the circle, else from behind the widest gap.
  public func regular() -> (grid: LatLonGrid, order: [Int])? {
    guard count > 1 else { return nil }
    var (rows, columns) = (Coordinates(), Coordinates())
    for point in 0..<count {
      rows.add(latitudes[point])
      columns.add(PointGrid.wrapped(longitudes[point]))
      // Too many of them, with a coordinate at the edge of a bin counted twice.
      if rows.binCount * columns.binCount > 4 * count { return nil }
    }
    let (northwards, eastwards) = (rows.distinct(), columns.distinct())
    guard northwards.values.count * eastwards.values.count == count else { return nil }
    var start = 0
    var circle = eastwards.values
    let gaps = circle.indices.map { index in
      index + 1 < circle.count ? circle[index + 1] - circle[index] : circle[0] + 360 - circle[index]
    }
    let widest = gaps.max() ?? 360
    if widest > 1.5 * (gaps.min() ?? 360), let last = gaps.lastIndex(of: widest) {
      start = (last + 1) % circle.count
      circle = circle[start...].map { start == 0 ? $0 : $0 - 360 } + circle[..<start]
    }
    var order = [Int](repeating: -1, count: count)
    for point in 0..<count {
      let row = northwards.values.count - 1 - northwards.index[point]
      let column = (eastwards.index[point] + circle.count - start) % circle.count
      let place = row * circle.count + column
      guard order[place] < 0 else { return nil }
      order[place] = point
    }
    return (LatLonGrid(latitudes: northwards.values.reversed(), longitudes: circle), order)
  }

  /// 0 ..< 360; what is next to 360 is 0.
  private static func wrapped(_ longitude: Double) -> Double {
    let rest = longitude - 360 * (longitude / 360).rounded(.down)
    return rest > 360 - tolerance ? 0 : rest
  }

  /// Degrees within which two numbers are the same coordinate: a metre.
  private static let tolerance = 1e-5

  /// One coordinate of some points, sorted into bins as narrow as the tolerance. Stored in single precision, one latitude may
  /// differ in its last digits and so lie in two bins next to each other.
  private struct Coordinates {
    private var bins: [Double: Int] = [:]
    /// The least value of each bin.
    private var least: [Double] = []
    /// The bin of each point.
    private var bin: [Int] = []
    private var last: (key: Double, bin: Int)?

    var binCount: Int { least.count }

    mutating func add(_ number: Double) {
      let key = (number / tolerance).rounded()
      if let last, last.key == key {
        bin.append(last.bin)
      } else if let known = bins[key] {
        bin.append(known)
      } else {
        bins[key] = least.count
        bin.append(least.count)
        least.append(number)
      }
      let place = bin[bin.count - 1]
      least[place] = min(least[place], number)
      last = (key, place)
    }

    /// The different values, ascending, and which of them each point has.
    func distinct() -> (values: [Double], index: [Int]) {
      var values: [Double] = []
      var valueOfBin = [Int](repeating: 0, count: least.count)
      for place in least.indices.sorted(by: { least[$0] < least[$1] }) {
        if values.last.map({ least[place] - $0 > tolerance }) ?? true { values.append(least[place]) }
        valueOfBin[place] = values.count - 1
      }
      return (values, bin.map { valueOfBin[$0] })
    }
  }
}

extension PointTree {
  init(_ grid: PointGrid) {
    self.init(zip(grid.latitudes, grid.longitudes).map { SpherePoint(latitude: $0, longitude: $1) })
  }
}
