import Basics

#if canImport(Glibc)
  import Glibc
#endif

/// Fields that are known for any time and place, given to the model besides the state. Names and formulas as in Anemoi.
public enum Forcing: String, Sendable, CaseIterable, Codable, Hashable {
  case cosLatitude = "cos_latitude"
  case sinLatitude = "sin_latitude"
  case cosLongitude = "cos_longitude"
  case sinLongitude = "sin_longitude"
  /// Position in the year, period 365.25 days.
  case cosJulianDay = "cos_julian_day"
  case sinJulianDay = "sin_julian_day"
  /// Local solar time, period 24 hours.
  case cosLocalTime = "cos_local_time"
  case sinLocalTime = "sin_local_time"
  /// Cosine of the solar zenith angle, zero at night.
  case insolation

  /// Fills a plane [rows, columns] with the given rows of the grid, all by default.
  public func fill(
    _ plane: UnsafeMutablePointer<Float>, grid: FieldGrid, rows wanted: Range<Int>? = nil, time: Timestamp
  ) {
    let radians = Double.pi / 180
    let wanted = wanted ?? 0..<grid.rows
    let latitudes = grid.rowLatitudes
    func rows(_ value: (Double) -> Double) {
      for (line, row) in wanted.enumerated() {
        let v = Float(value(latitudes[row] * radians))
        for column in 0..<grid.columns { plane[line * grid.columns + column] = v }
      }
    }
    let (longitudes, ofRow, ofColumn) = grid.longitudes(rows: wanted)
    func columns(_ value: (Double) -> Double) {
      let values = longitudes.map { Float(value($0)) }
      for line in 0..<wanted.count {
        for column in 0..<grid.columns {
          plane[line * grid.columns + column] = values[line * ofRow + column * ofColumn]
        }
      }
    }
    let sun = SolarPosition(time)
    switch self {
    case .cosLatitude: rows { cos($0) }
    case .sinLatitude: rows { sin($0) }
    case .cosLongitude: columns { cos($0 * radians) }
    case .sinLongitude: columns { sin($0 * radians) }
    case .cosJulianDay: rows { _ in cos(sun.yearAngle) }
    case .sinJulianDay: rows { _ in sin(sun.yearAngle) }
    case .cosLocalTime: columns { cos(sun.localTimeAngle(longitude: $0)) }
    case .sinLocalTime: columns { sin(sun.localTimeAngle(longitude: $0)) }
    case .insolation:
      let hourCosines = longitudes.map { cos(sun.hourAngle(longitude: $0)) }
      for (line, row) in wanted.enumerated() {
        let latitude = latitudes[row] * radians
        let a = sin(sun.declination) * sin(latitude)
        let b = cos(sun.declination) * cos(latitude)
        for column in 0..<grid.columns {
          plane[line * grid.columns + column] = Float(max(0, a + b * hourCosines[line * ofRow + column * ofColumn]))
        }
      }
    }
  }
}

extension FieldGrid {
  /// The longitudes of some rows' points, and by how many of them the next row and the next column lie further.
  fileprivate func longitudes(rows: Range<Int>) -> (degrees: [Double], ofRow: Int, ofColumn: Int) {
    switch self {
    case .raster(let grid): (grid.longitudes, 0, 1)
    case .points(let points): (Array(points.longitudes[rows]), 1, 0)
    }
  }
}

/// Where the sun stands (Spencer 1971, as in earthkit-meteo's cos_solar_zenith_angle).
struct SolarPosition {
  /// Radians.
  let yearAngle, declination: Double
  /// Degrees.
  private let timeCorrection: Double
  private let hours: Double

  init(_ time: Timestamp) {
    let c = time.components
    let start = Timestamp(year: c.year, month: 1, day: 1)
    let days = Double(time.seconds - start.seconds) / 86_400
    let angle = days / 365.25 * 2 * .pi
    yearAngle = angle
    let degrees =
      0.396372 - 22.91327 * cos(angle) + 4.025430 * sin(angle) - 0.387205 * cos(2 * angle) + 0.051967 * sin(2 * angle)
      - 0.154527 * cos(3 * angle) + 0.084798 * sin(3 * angle)
    declination = degrees * .pi / 180
    timeCorrection =
      0.004297 + 0.107029 * cos(angle) - 1.837877 * sin(angle) - 0.837378 * cos(2 * angle) - 2.340475 * sin(2 * angle)
    hours = Double(c.hour) + Double(c.minute) / 60 + Double(c.second) / 3_600
  }

  func localTimeAngle(longitude: Double) -> Double {
    let local = (hours + longitude / 15).truncatingRemainder(dividingBy: 24)
    return local / 24 * 2 * .pi
  }

  func hourAngle(longitude: Double) -> Double { ((hours - 12) * 15 + longitude + timeCorrection) * .pi / 180 }
}

/// Static fields and forcings of a model, in the training layout.
public struct AuxiliaryFields: Sendable {
  public let grid: FieldGrid
  public let forcings: [Forcing]
  /// Scalings of static fields, then of forcings.
  public let scaling: [AffineScaling]
  /// [static field, row, column], normalised.
  private let statics: [Float]
  private let staticCount: Int

  /// - Parameter statics: already normalised, [static field, row, column].
  public init(grid: FieldGrid, statics: [Float], forcings: [Forcing]) {
    self.grid = grid
    self.forcings = forcings
    self.statics = statics
    staticCount = statics.count / grid.count
    scaling = [AffineScaling](repeating: .identity, count: staticCount + forcings.count)
  }

  /// - Parameter scaling: of static fields, then forcings; nil: static fields are z-scored over the grid (a constant one becomes
  ///   zero), forcings taken as they are.
  public init(_ dataset: FieldDataset, forcings: [Forcing], scaling: [AffineScaling]? = nil) throws {
    precondition(scaling.map { $0.count == dataset.staticChannels.count + forcings.count } ?? true)
    let (count, points) = (dataset.staticChannels.count, dataset.grid.count)
    var fields = try dataset.readStatics()
    let scaling =
      scaling
      ?? (0..<count).map { index in
        let moments = fields.withUnsafeBufferPointer {
          Moments(UnsafeBufferPointer(rebasing: $0[index * points..<(index + 1) * points]))
        }
        return AffineScaling(offset: moments.mean, scale: moments.deviation > 0 ? moments.deviation : 1)
      } + forcings.map { _ in .identity }
    for (index, scaling) in scaling.prefix(count).enumerated() {
      for i in index * points..<(index + 1) * points {
        fields[i] = Float((Double(fields[i]) - scaling.offset) / scaling.scale)
      }
    }
    grid = dataset.grid
    self.forcings = forcings
    self.scaling = scaling
    staticCount = count
    statics = fields
  }

  public var count: Int { staticCount + forcings.count }

  /// The planes for one time, [field, row, column]: static fields, then forcings. By default all fields and rows.
  public func planes(at time: Timestamp, fields: Range<Int>? = nil, rows: Range<Int>? = nil) -> [Float] {
    let (fields, rows) = (fields ?? 0..<count, rows ?? 0..<grid.rows)
    let size = rows.count * grid.columns
    var planes = [Float](repeating: 0, count: fields.count * size)
    planes.withUnsafeMutableBufferPointer { planes in
      guard let base = planes.baseAddress else { return }
      for (position, field) in fields.enumerated() {
        let plane = base + position * size
        if field < staticCount {
          statics.withUnsafeBufferPointer {
            plane.update(from: $0.baseAddress! + field * grid.count + rows.lowerBound * grid.columns, count: size)
          }
        } else {
          let forcing = field - staticCount
          forcings[forcing].fill(plane, grid: grid, rows: rows, time: time)
          if scaling[field] == .identity { continue }
          let (offset, scale) = (Float(scaling[field].offset), Float(scaling[field].scale))
          for i in 0..<size { plane[i] = (plane[i] - offset) / scale }
        }
      }
    }
    return planes
  }
}
