import Basics
import Datasets
import Stores

/// Where forecasts go, each lead of each forecast as soon as it is there.
public protocol ForecastOutput {
  /// Writes one unit of one lead of one forecast: [fields, rows, longitude] in our units.
  func write(_ unit: FieldGather.Unit, _ values: UnsafeBufferPointer<Float>, initial: Int, lead: Int) throws
  /// Closes and gives it its final name.
  func finish() throws
  /// Removes what was written.
  func abandon()
}

/// Forecasts being written: dimensions time (initial), prediction_timedelta, level, latitude, longitude, as WeatherBench 2
/// has them, with CF metadata. Each lead of each forecast is written as soon as it is there. Several ranks can write into
/// one Zarr store, each its own chunks.
public final class ForecastWriter: ForecastOutput {
  private let writer: any ArrayWriter
  private let grid: LatLonGrid
  /// Channels of each variable, in order.
  private let groups: [(variable: String, channels: Range<Int>, hasLevels: Bool)]
  private let path: String

  /// The units in which fields are written: the variables, in bands of rows.
  public static func units(_ grid: LatLonGrid, _ channels: [Channel], bands: Int) -> [FieldGather.Unit] {
    let height = (grid.rows + bands - 1) / bands
    return groups(channels).flatMap { group in
      stride(from: 0, to: grid.rows, by: height).map {
        FieldGather.Unit(fields: group.channels, rows: $0..<min(grid.rows, $0 + height))
      }
    }
  }

  private static func groups(_ channels: [Channel]) -> [(variable: String, channels: Range<Int>, hasLevels: Bool)] {
    var groups: [(variable: String, channels: Range<Int>, hasLevels: Bool)] = []
    for (index, channel) in channels.enumerated() {
      if let last = groups.last, last.variable == channel.variable {
        groups[groups.count - 1].channels = last.channels.lowerBound..<index + 1
      } else {
        groups.append((channel.variable, index..<index + 1, channel.levelHPa != nil))
      }
    }
    return groups
  }

  /// - Parameters:
  ///   - source: for the file's `source` attribute.
  ///   - bands: of rows, in which fields are stored.
  ///   - lineage: what the forecasts are made from, for an attribute.
  ///   - joining: where another rank, which has created the store, writes it; nil: this one creates it.
  ///   - zarrFormat: 2 or 3, for a Zarr store.
  public init(
    _ path: String, grid: LatLonGrid, channels: [Channel], initialTimes: [Timestamp], leadHours: [Int], source: String,
    lineage: Lineage? = nil, bands: Int = 1, joining: String? = nil, zarrFormat: Int = 2
  ) throws {
    self.path = path
    self.grid = grid
    groups = ForecastWriter.groups(channels)
    let levels = groups.first(where: \.hasLevels).map { channels[$0.channels].compactMap(\.levelHPa) } ?? []
    var attributes = ["source": source]
    attributes[Lineage.attribute] = try lineage?.json()
    writer = try createStore(
      path,
      ForecastWriter.definition(
        grid, groups.map { ($0.variable, $0.hasLevels) }, initialTimes, leadHours, levels, attributes, bands),
      joins: joining != nil, temporary: joining, zarrFormat: zarrFormat)
    if joining != nil { return }
    let unit = ForecastWriter.clockUnit(initialTimes).seconds
    try writer.write("time", initialTimes.map { Double($0.seconds / unit) })
    try writer.write("prediction_timedelta", leadHours.map(Double.init))
    try writer.write(
      "valid_time",
      initialTimes.flatMap { time in leadHours.map { Double(time.adding(hours: $0).seconds / unit) } })
    if !levels.isEmpty { try writer.write("level", levels) }
    try writer.write("latitude", grid.latitudes)
    try writer.write("longitude", grid.longitudes)
  }

  public func write(
    _ unit: FieldGather.Unit, _ values: UnsafeBufferPointer<Float>, initial: Int, lead: Int
  ) throws {
    guard let group = groups.first(where: { $0.channels == unit.fields }) else {
      preconditionFailure("\(unit) is not a variable")
    }
    let levels = group.hasLevels ? [0..<group.channels.count] : []
    try writer.write(
      group.variable, [initial..<initial + 1, lead..<lead + 1] + levels + [unit.rows, 0..<grid.columns], values)
  }

  /// Where it is written until it is complete: for ranks that join.
  public var temporary: String { writer.temporary }
  public func finish() throws { try writer.finish() }
  public func abandon() { writer.abandon() }

  /// Hours, unless that would cut times off.
  private static func clockUnit(_ times: [Timestamp]) -> (name: String, seconds: Int64) {
    times.allSatisfy { $0.seconds % 3_600 == 0 } ? ("hours", 3_600) : ("seconds", 1)
  }

  private static func definition(
    _ grid: LatLonGrid, _ variables: [(name: String, hasLevels: Bool)], _ initialTimes: [Timestamp], _ leadHours: [Int],
    _ levels: [Double], _ described: [String: String], _ bands: Int
  ) -> StoreDefinition {
    func text(_ pairs: [String: String]) -> [String: AttributeValue] { pairs.mapValues { .text($0) } }
    // Names and attributes of the three times as cfgrib gives them. CF 1.8 knows no 64-bit integers.
    let clock = ["units": "\(clockUnit(initialTimes).name) since 1970-01-01", "calendar": "proleptic_gregorian"]
    var dimensions = [
      ArrayInfo.Dimension(name: "time", size: initialTimes.count),
      ArrayInfo.Dimension(name: "prediction_timedelta", size: leadHours.count),
    ]
    var arrays = [
      ArrayDefinition(
        name: "time", type: .int32, dimensions: ["time"],
        attributes: text(
          clock.merging([
            "standard_name": "time", "long_name": "initial time of forecast", "axis": "T",
          ]) { $1 })),
      ArrayDefinition(
        name: "prediction_timedelta", type: .int32, dimensions: ["prediction_timedelta"],
        attributes: text([
          "standard_name": "forecast_period", "long_name": "lead time", "units": "hours",
          // xarray reads this as a time difference.
          "dtype": "timedelta64[ns]",
        ])),
      ArrayDefinition(
        name: "valid_time", type: .int32, dimensions: ["time", "prediction_timedelta"],
        attributes: text(clock.merging(["standard_name": "time", "long_name": "time of validity"]) { $1 })),
    ]
    if !levels.isEmpty {
      dimensions.append(ArrayInfo.Dimension(name: "level", size: levels.count))
      arrays.append(
        ArrayDefinition(
          name: "level", type: levels.allSatisfy { $0 == $0.rounded() } ? .int32 : .float64, dimensions: ["level"],
          attributes: text([
            "standard_name": "air_pressure", "long_name": "pressure", "units": "hPa", "positive": "down", "axis": "Z",
          ])))
    }
    dimensions.append(ArrayInfo.Dimension(name: "latitude", size: grid.rows))
    dimensions.append(ArrayInfo.Dimension(name: "longitude", size: grid.columns))
    arrays.append(
      ArrayDefinition(
        name: "latitude", type: .float64, dimensions: ["latitude"],
        attributes: text(["standard_name": "latitude", "long_name": "latitude", "units": "degrees_north", "axis": "Y"]))
    )
    arrays.append(
      ArrayDefinition(
        name: "longitude", type: .float64, dimensions: ["longitude"],
        attributes: text([
          "standard_name": "longitude", "long_name": "longitude", "units": "degrees_east", "axis": "X",
        ])))
    for (name, hasLevels) in variables {
      let variable = Lexicon.variable(name)
      var attributes = ["long_name": variable.longName, "units": variable.units, "coordinates": "valid_time"]
      attributes["standard_name"] = variable.standardName
      arrays.append(
        ArrayDefinition(
          name: name, type: .float32,
          dimensions: ["time", "prediction_timedelta"] + (hasLevels ? ["level"] : []) + ["latitude", "longitude"],
          chunks: [1, 1] + (hasLevels ? [levels.count] : []) + [(grid.rows + bands - 1) / bands, grid.columns],
          attributes: text(attributes), fill: .nan))
    }
    return StoreDefinition(
      dimensions: dimensions, arrays: arrays,
      attributes: text(
        [
          "Conventions": "CF-1.8", "title": "Forecasts of an AI weather model",
          "history": "written by jigsaw forecast",
        ].merging(described) { $1 }))
  }
}
