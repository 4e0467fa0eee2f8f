import Basics

/// A grid on which GRIB can hold fields.
public enum GRIBOutputGrid: Sendable, Equatable {
  /// Degrees north, from north to south, and east, eastwards.
  case regular(latitudes: [Double], longitudes: [Double])
  /// Rings of evenly spaced points, each eastwards from 0° E, at the 2N latitudes of a Gaussian grid from north to south.
  case reducedGaussian(latitudes: [Double], pointsPerRing: [Int])

  public var count: Int {
    switch self {
    case .regular(let latitudes, let longitudes): latitudes.count * longitudes.count
    case .reducedGaussian(_, let pointsPerRing): pointsPerRing.reduce(0, +)
    }
  }

  /// The reduced Gaussian grid of some points, one latitude and longitude each, as far as they are rings; that the rings lie
  /// at a Gaussian grid's latitudes is known when a message is written.
  /// - Throws: when they are not, naming the formats that can hold any points.
  public init(latitudes: [Double], longitudes: [Double], place: String) throws {
    var rings: [Range<Int>] = []
    for point in latitudes.indices {
      if let last = rings.last, latitudes[last.lowerBound] == latitudes[point] {
        rings[rings.count - 1] = last.lowerBound..<point + 1
      } else {
        rings.append(point..<point + 1)
      }
    }
    let north = rings.map { latitudes[$0.lowerBound] }
    let areRings = rings.allSatisfy { ring in
      ring.allSatisfy { point in
        let wanted = 360 * Double(point - ring.lowerBound) / Double(ring.count)
        return abs(longitudes[point] - wanted) < GRIBOutputGrid.tolerance
      }
    }
    guard areRings, north.count > 1, north.count % 2 == 0, zip(north, north.dropFirst()).allSatisfy({ $0 > $1 }) else {
      throw GRIBOutputGrid.refusal(place)
    }
    self = .reducedGaussian(latitudes: north, pointsPerRing: rings.map(\.count))
  }

  private static func refusal(_ place: String) -> JigsawError {
    JigsawError(
      place, "can't be written as GRIB: its points are neither a raster nor a reduced Gaussian grid",
      remedy: "forecast to Zarr or NetCDF, which hold any points")
  }

  /// Degrees: coordinates in single precision, or rounded to thousandths as in edition 1.
  private static let tolerance = 1e-3

  // MARK: Keys

  func describe(in message: GRIBMessage, _ place: String) throws {
    switch self {
    case .regular(let latitudes, let longitudes):
      try GRIBOutputGrid.describe(latitudes, longitudes, in: message, place)
    case .reducedGaussian(let latitudes, let pointsPerRing):
      guard try GRIBOutputGrid.isGaussian(latitudes, message, place) else { throw GRIBOutputGrid.refusal(place) }
      try message.set("gridType", "reduced_gg", place)
      try message.set("N", latitudes.count / 2, place)
      try message.set("Nj", latitudes.count, place)
      try message.setMissing("Ni", place)
      try message.set("pl", pointsPerRing, place)
      let most = Double(pointsPerRing.max() ?? 1)
      for (key, value) in [
        ("latitudeOfFirstGridPointInDegrees", latitudes[0]),
        ("latitudeOfLastGridPointInDegrees", latitudes[latitudes.count - 1]),
        ("longitudeOfFirstGridPointInDegrees", 0), ("longitudeOfLastGridPointInDegrees", 360 - 360 / most),
      ] { try message.set(key, value, place) }
    }
  }

  private static func describe(
    _ latitudes: [Double], _ longitudes: [Double], in message: GRIBMessage, _ place: String
  ) throws {
    let (rows, columns) = (latitudes.count, longitudes.count)
    guard rows > 1, columns > 1, isEven(longitudes) else {
      throw JigsawError(
        place, "can't be written as GRIB: its longitudes are not evenly spaced", remedy: "forecast to Zarr or NetCDF")
    }
    let isGaussian = try !isEven(latitudes) && isGaussian(latitudes, message, place)
    guard isGaussian || isEven(latitudes) else {
      throw JigsawError(
        place, "can't be written as GRIB: its latitudes are neither evenly spaced nor Gaussian",
        remedy: "forecast to Zarr or NetCDF")
    }
    if isGaussian {
      try message.set("gridType", "regular_gg", place)
      try message.set("N", rows / 2, place)
    }
    try message.set("Ni", columns, place)
    try message.set("Nj", rows, place)
    for (key, value) in [
      ("latitudeOfFirstGridPointInDegrees", latitudes[0]), ("latitudeOfLastGridPointInDegrees", latitudes[rows - 1]),
      ("longitudeOfFirstGridPointInDegrees", longitudes[0]),
      ("longitudeOfLastGridPointInDegrees", longitudes[columns - 1]),
      ("iDirectionIncrementInDegrees", (longitudes[columns - 1] - longitudes[0]) / Double(columns - 1)),
    ] {
      // Longitudes are stored from 0 to 360.
      try message.set(key, key.hasPrefix("longitude") && value < 0 ? value + 360 : value, place)
    }
    if !isGaussian {
      try message.set("jDirectionIncrementInDegrees", (latitudes[0] - latitudes[rows - 1]) / Double(rows - 1), place)
    }
  }

  /// Within what GRIB resolves, a millionth of a degree, or single precision.
  private static func isEven(_ values: [Double]) -> Bool {
    let step = (values[values.count - 1] - values[0]) / Double(values.count - 1)
    return values.enumerated().allSatisfy { abs($1 - values[0] - Double($0) * step) < 1e-4 }
  }

  private static func isGaussian(_ latitudes: [Double], _ message: GRIBMessage, _ place: String) throws -> Bool {
    guard latitudes.count % 2 == 0 else { return false }
    let gaussian = try message.gaussianLatitudes(latitudes.count / 2, place)
    return zip(latitudes, gaussian).allSatisfy { abs($0 - $1) < tolerance }
  }
}
