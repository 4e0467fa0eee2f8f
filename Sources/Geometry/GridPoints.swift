/// Where the points of a grid are, in the order in which fields are stored: of a raster row after row.
public struct GridPoints: Sendable, Hashable {
  /// Degrees north and east, one of each per point.
  public let latitudes, longitudes: [Double]
  /// By point: whether it belongs to the first of several grids that were combined; nil where there is one.
  public var firstGrid: [Bool]?

  public init(latitudes: [Double], longitudes: [Double]) {
    precondition(latitudes.count == longitudes.count)
    self.latitudes = latitudes
    self.longitudes = longitudes
  }

  public var count: Int { latitudes.count }

  /// The same points for graphs, with the first of several grids as the mask that anemoi-graphs calls so.
  public var space: PointSpace {
    var space = PointSpace(latitudesDegrees: latitudes, longitudesDegrees: longitudes)
    space.masks[GridPoints.firstGridMask] = firstGrid
    return space
  }

  public static let firstGridMask = "cutout_mask"
}
