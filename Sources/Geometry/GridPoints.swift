/// Where the points of a grid are, in the order in which fields are stored: of a raster row after row.
public struct GridPoints: Sendable, Hashable {
  /// Degrees north and east, one of each per point.
  public let latitudes, longitudes: [Double]

  public init(latitudes: [Double], longitudes: [Double]) {
    precondition(latitudes.count == longitudes.count)
    self.latitudes = latitudes
    self.longitudes = longitudes
  }

  public var count: Int { latitudes.count }

  /// The same points for graphs.
  public var space: PointSpace { PointSpace(latitudesDegrees: latitudes, longitudesDegrees: longitudes) }
}
