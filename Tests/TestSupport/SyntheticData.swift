import Basics
import Stores

#if canImport(Glibc)
  import Glibc
#endif

/// Small datasets of smooth travelling waves, which a model can learn within seconds.
public struct SyntheticData {
  public var rows = 8
  public var columns = 16
  public var times = 60
  public var stepHours = 6
  public var levels: [Double] = [850, 500]
  /// Variables on levels, and at the surface.
  public var upper = ["z", "t"]
  public var surface = ["msl"]
  public var statics = ["orog"]
  public var start = Timestamp(year: 2001, month: 1, day: 1)
  public var chunking = Chunking.tenTimes
  /// In place of rows and columns any points, degrees north and east, along one dimension.
  public var points: [(latitude: Double, longitude: Double)]?
  /// Points without values, by variable or static field.
  public var missing: [String: Set<Int>] = [:]
  /// A variable that lacks another point, from a time on.
  public var missingLater: (variable: String, point: Int, time: Int)?

  private func isMissing(_ variable: String, _ point: Int, time: Int) -> Bool {
    missing[variable]?.contains(point) ?? false
      || missingLater.map { $0.variable == variable && $0.point == point && time >= $0.time } ?? false
  }

  /// How variables are stored, one time in a chunk unless said otherwise.
  public enum Chunking: String, Sendable, CaseIterable {
    /// Ten times, all levels, the whole grid.
    case tenTimes
    /// All levels, the whole grid; one level of it; tiles of 3 × 5 points.
    case wholeField, oneLevel, tiles
  }

  /// Points of a field, and its dimensions.
  private var count: Int { points?.count ?? rows * columns }
  private var dimensions: [ArrayInfo.Dimension] {
    points.map { [.init(name: "values", size: $0.count)] }
      ?? [.init(name: "latitude", size: rows), .init(name: "longitude", size: columns)]
  }
  private var places: [Range<Int>] { dimensions.map { 0..<$0.size } }

  /// Chunks of a variable with so many levels; nil: none.
  private func chunks(levels: Int?) -> [Int] {
    let all = dimensions.map(\.size)
    return switch chunking {
    case .tenTimes: [min(times, 10)] + (levels.map { [$0] } ?? []) + all
    case .wholeField: [1] + (levels.map { [$0] } ?? []) + all
    case .oneLevel: [1] + (levels == nil ? [] : [1]) + all
    case .tiles: [1] + (levels.map { [$0] } ?? []) + (points == nil ? [3, 5] : [15])
    }
  }

  public init() {}

  /// Writes a CF NetCDF file (or a Zarr folder when the name says so).
  public func write(_ path: String) throws {
    // Also of variables with a level in their names.
    func units(_ name: String) -> String {
      ["z": "m2 s-2", "t": "K", "msl": "Pa", "u": "m s-1", "v": "m s-1", "u10": "m s-1", "orog": "m"][
        String(name.prefix { $0 != "_" })] ?? "1"
    }
    func text(_ pairs: [String: String]) -> [String: AttributeValue] { pairs.mapValues { .text($0) } }
    var arrays = [
      ArrayDefinition(
        name: "time", type: .int32, dimensions: ["time"],
        attributes: text(["units": "hours since 2000-01-01", "standard_name": "time", "axis": "T"])),
      ArrayDefinition(
        name: "level", type: .float64, dimensions: ["level"],
        attributes: text(["units": "hPa", "standard_name": "air_pressure"])),
      ArrayDefinition(
        name: "latitude", type: .float64, dimensions: [dimensions[0].name],
        attributes: text(["units": "degrees_north", "standard_name": "latitude"])),
      ArrayDefinition(
        name: "longitude", type: .float64, dimensions: [dimensions[dimensions.count - 1].name],
        attributes: text(["units": "degrees_east", "standard_name": "longitude"])),
    ]
    for name in upper {
      arrays.append(
        ArrayDefinition(
          name: name, type: .float32, dimensions: ["time", "level"] + dimensions.map(\.name),
          chunks: chunks(levels: levels.count), attributes: text(["units": units(name)])))
    }
    for name in surface {
      arrays.append(
        ArrayDefinition(
          name: name, type: .float32, dimensions: ["time"] + dimensions.map(\.name),
          chunks: chunks(levels: nil), attributes: text(["units": units(name)])))
    }
    for name in statics {
      arrays.append(
        ArrayDefinition(
          name: name, type: .float32, dimensions: dimensions.map(\.name),
          attributes: text(["units": units(name)])))
    }
    let writer = try createStore(
      path,
      StoreDefinition(
        dimensions: [.init(name: "time", size: times), .init(name: "level", size: levels.count)] + dimensions,
        arrays: arrays, attributes: text(["Conventions": "CF-1.8"])))
    let origin = Timestamp(year: 2000, month: 1, day: 1)
    try writer.write("time", (0..<times).map { Double(start.hours(since: origin) + $0 * stepHours) })
    try writer.write("level", levels)
    try writer.write(
      "latitude", points?.map(\.latitude) ?? (0..<rows).map { 90 - 180 / Double(rows) * (Double($0) + 0.5) })
    try writer.write(
      "longitude", points?.map(\.longitude) ?? (0..<columns).map { 360 / Double(columns) * Double($0) })
    for (index, name) in (upper + surface).enumerated() {
      let levelCount = index < upper.count ? levels.count : 1
      let values = (0..<times).flatMap { time in
        (0..<levelCount).flatMap { level in
          field(variable: index, level: level, time: time).enumerated().map {
            isMissing(name, $0.offset, time: time) ? .nan : $0.element
          }
        }
      }
      let box =
        [0..<times] + (index < upper.count ? [0..<levelCount] : []) + places
      try values.withUnsafeBufferPointer { try writer.write(name, box, $0) }
    }
    for name in statics {
      let values = (0..<count).map { isMissing(name, $0, time: 0) ? Float.nan : Float($0 % 7) * 100 }
      try values.withUnsafeBufferPointer { try writer.write(name, places, $0) }
    }
    try writer.finish()
  }

  /// The row and the column of a point, also between such.
  private func position(_ point: Int) -> (row: Double, column: Double) {
    guard let place = points?[point] else { return (Double(point / columns), Double(point % columns)) }
    return ((90 - place.latitude) / 180 * Double(rows) - 0.5, place.longitude / 360 * Double(columns))
  }

  /// One field [rows, columns]. Pressure at sea level is such as can be.
  public func field(variable: Int, level: Int, time: Int) -> [Float] {
    let names = upper + surface
    let isPressure = names.indices.contains(variable) && names[variable] == "msl"
    let (base, unit) = isPressure ? (100_000.0, 100.0) : (Double(100 * (variable + 1)), 1)
    return (0..<count).map { i in
      let (row, column) = position(i)
      let phase = 2 * Double.pi * (column / Double(columns) * Double(1 + variable % 3) - Double(time) / 24)
      let envelope = sin(Double.pi * (row + 0.5) / Double(rows))
      return Float(base + unit * (Double(10 + level) * envelope * cos(phase + Double(variable)) + row))
    }
  }
}

/// A folder that goes away with the value's owner.
public final class TemporaryFolder: Sendable {
  public let path: String

  public init() throws {
    var template = Array("/tmp/jigsaw-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw JigsawError("/tmp", "can't create a temporary folder") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { try? Files.remove(path) }
}
