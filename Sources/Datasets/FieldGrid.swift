import Basics
import Geometry

/// The points of fields, and how they lie in memory [rows, columns]. A raster has its rows from north to south. Any other
/// points are rows of one column each, so that whatever is cut along rows is cut at any point.
public enum FieldGrid: Sendable, Hashable {
  case raster(LatLonGrid)
  case points(PointGrid)

  public var rows: Int {
    switch self {
    case .raster(let grid): grid.rows
    case .points(let points): points.count
    }
  }

  public var columns: Int {
    switch self {
    case .raster(let grid): grid.columns
    case .points: 1
    }
  }

  public var count: Int { rows * columns }

  /// Nil for points that are none.
  public var raster: LatLonGrid? { if case .raster(let grid) = self { grid } else { nil } }

  /// Every point with its coordinates, row after row.
  public var points: PointGrid {
    switch self {
    case .raster(let grid): PointGrid(grid)
    case .points(let points): points
    }
  }

  /// The same for models.
  public var places: GridPoints {
    let points = points
    return GridPoints(latitudes: points.latitudes, longitudes: points.longitudes)
  }

  /// Degrees north, one per row.
  public var rowLatitudes: [Double] {
    switch self {
    case .raster(let grid): grid.latitudes
    case .points(let points): points.latitudes
    }
  }

  /// Whether rows go all the way around the globe.
  public var isPeriodic: Bool { raster?.isPeriodic ?? false }

  /// Whether it covers the globe.
  public var isGlobal: Bool {
    switch self {
    case .raster(let grid): grid.isGlobal
    case .points(let points): points.areas.isGlobal
    }
  }

  /// The area that each point of a row stands for, mean over points 1: of rows between their bounds, of points their cells.
  public var areaWeights: [Double] {
    switch self {
    case .raster(let grid): grid.areaWeights
    case .points(let points): points.areas.weights
    }
  }

  /// Weights of rows by the cosine of latitude, mean over points 1 (docs/model.md); of points the areas of their cells.
  public var cosineWeights: [Double] {
    switch self {
    case .raster(let grid): grid.cosineWeights
    case .points(let points): points.areas.weights
    }
  }

  /// Whether another grid has the same points in the same order, within `tolerance` degrees. A raster and points that are
  /// none are never the same.
  public func matches(_ other: FieldGrid, tolerance: Double = 1e-3) -> Bool {
    switch (self, other) {
    case (.raster(let own), .raster(let other)): own.matches(other, tolerance: tolerance)
    case (.points(let own), .points(let other)): own.matches(other, tolerance: tolerance)
    default: false
    }
  }

  /// For people: "32 × 64 (87.19 … -87.19° N, 0 … 354.38° E)" or "40320 points (89.78 … -89.78° N)".
  public var summary: String {
    switch self {
    case .raster(let grid): grid.summary
    case .points(let points): points.summary
    }
  }

  /// Summaries of this grid and another one that differ: where sizes and bounds are the same, with the first point that is not.
  public func summaries(against other: FieldGrid) -> (own: String, other: String) {
    if summary != other.summary { return (summary, other.summary) }
    let (own, theirs) = (points, other.points)
    guard let point = own.firstDifference(from: theirs) else { return (summary, other.summary) }
    func text(_ grid: PointGrid) -> String {
      "\(summary), point \(point) at \(fixed(grid.latitudes[point], 5))° N \(fixed(grid.longitudes[point], 5))° E"
    }
    return (text(own), text(theirs))
  }
}
