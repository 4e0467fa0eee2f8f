import Basics
import Datasets
import Stores

/// The declarations of a store of forecasts: dimensions, coordinates with their CF roles, fields. The initial time is the
/// `forecast_reference_time`, the lead the `forecast_period`; the standard name `time` is that of the time of validity alone.
struct ForecastSchema {
  let grid: FieldGrid
  let groups: [ForecastFieldGroup]
  let leadHours: [Int]
  /// Attributes of the store beside those that every forecast has.
  let attributes: [String: String]
  /// The units of variables that the lexicon lacks.
  let units: [String: String]

  /// hPa, of all variables that have levels, as they are stored.
  var levels: [Double] {
    let levels = groups.first { !$0.levelsHPa.isEmpty }?.levelsHPa ?? []
    return levelOrder.map { levels[$0] }
  }

  /// Which of a variable's channels is stored at each level. A coordinate rises or falls throughout: where the channels' levels do
  /// neither, they are stored by rising pressure.
  var levelOrder: [Int] {
    let levels = groups.first { !$0.levelsHPa.isEmpty }?.levelsHPa ?? []
    let steps = zip(levels, levels.dropFirst())
    if steps.allSatisfy({ $0 < $1 }) || steps.allSatisfy({ $0 > $1 }) { return Array(levels.indices) }
    return levels.indices.sorted { levels[$0] < levels[$1] }
  }

  // MARK: Layouts

  /// Any number of forecasts: fields [time (initial), prediction_timedelta, (level,) latitude, longitude], as WeatherBench 2 has
  /// them.
  ///
  /// - Parameter bands: of rows, in which fields are stored.
  func together(_ initialTimes: [Timestamp], bands: Int) -> StoreDefinition {
    let clock = ForecastSchema.clock(initialTimes)
    let dimensions = [
      ArrayInfo.Dimension(name: "time", size: initialTimes.count),
      ArrayInfo.Dimension(name: "prediction_timedelta", size: leadHours.count),
    ]
    let times = [
      array(
        "time", .int32, ["time"], "forecast_reference_time", "initial time of forecast",
        clock.attributes.merging(["axis": "T"]) { $1 }),
      array(
        "prediction_timedelta", .int32, ["prediction_timedelta"], "forecast_period", "lead time",
        ForecastSchema.leadAttributes),
      array(
        "valid_time", .int32, ["time", "prediction_timedelta"], "time", "time of validity", clock.attributes),
    ]
    return definition(dimensions, times, outer: [1, 1], coordinates: "valid_time", bands: bands)
  }

  /// One forecast: fields [time (of validity), (level,) latitude, longitude], the four dimensions that tools know.
  func single(_ initialTime: Timestamp) -> StoreDefinition {
    let clock = ForecastSchema.clock([initialTime])
    let times = [
      array("time", .int32, ["time"], "time", "time of validity", clock.attributes.merging(["axis": "T"]) { $1 }),
      array(
        "forecast_reference_time", .int32, [], "forecast_reference_time", "initial time of forecast", clock.attributes),
      array("forecast_period", .int32, ["time"], "forecast_period", "lead time", ForecastSchema.leadAttributes),
    ]
    return definition(
      [ArrayInfo.Dimension(name: "time", size: leadHours.count)], times, outer: [1],
      coordinates: "forecast_reference_time forecast_period", bands: 1)
  }

  // MARK: Values

  /// Writes all coordinates of `together`.
  func writeCoordinates(_ initialTimes: [Timestamp], to writer: any ArrayWriter) throws {
    let seconds = ForecastSchema.clock(initialTimes).seconds
    try writer.write("time", initialTimes.map { Double($0.seconds / seconds) })
    try writer.write("prediction_timedelta", leadHours.map(Double.init))
    try writer.write(
      "valid_time",
      initialTimes.flatMap { time in leadHours.map { Double(time.adding(hours: $0).seconds / seconds) } })
    try writePlaces(to: writer)
  }

  /// Writes all coordinates of `single`.
  func writeCoordinates(_ initialTime: Timestamp, to writer: any ArrayWriter) throws {
    let seconds = ForecastSchema.clock([initialTime]).seconds
    try writer.write("forecast_reference_time", [Double(initialTime.seconds / seconds)])
    try writer.write("forecast_period", leadHours.map(Double.init))
    try writer.write("time", leadHours.map { Double(initialTime.adding(hours: $0).seconds / seconds) })
    try writePlaces(to: writer)
  }

  private func writePlaces(to writer: any ArrayWriter) throws {
    if !levels.isEmpty { try writer.write("level", levels) }
    let (latitudes, longitudes) =
      grid.raster.map { ($0.latitudes, $0.longitudes) } ?? (grid.points.latitudes, grid.points.longitudes)
    try writer.write("latitude", latitudes)
    try writer.write("longitude", longitudes)
  }

  /// The place of some rows along the dimensions of the grid.
  func places(_ rows: Range<Int>) -> [Range<Int>] { grid.raster == nil ? [rows] : [rows, 0..<grid.columns] }

  // MARK: Pieces

  /// Hours, unless that would cut times off. CF 1.8 knows no 64-bit integers.
  private static func clock(_ times: [Timestamp]) -> (seconds: Int64, attributes: [String: String]) {
    let isHourly = times.allSatisfy { $0.seconds % 3_600 == 0 }
    return (
      isHourly ? 3_600 : 1,
      ["units": "\(isHourly ? "hours" : "seconds") since 1970-01-01", "calendar": "proleptic_gregorian"]
    )
  }

  /// xarray reads what has this `dtype` as a time difference.
  private static let leadAttributes = ["units": "hours", "dtype": "timedelta64[ns]"]

  private func array(
    _ name: String, _ type: ScalarType, _ dimensions: [String], _ standardName: String, _ longName: String,
    _ more: [String: String]
  ) -> ArrayDefinition {
    let attributes = more.merging(["standard_name": standardName, "long_name": longName]) { $1 }
    return ArrayDefinition(
      name: name, type: type, dimensions: dimensions, attributes: attributes.mapValues { .text($0) })
  }

  /// Latitudes × longitudes of a raster; of other points one.
  private var spatialDimensions: [ArrayInfo.Dimension] {
    guard let raster = grid.raster else { return [ArrayInfo.Dimension(name: "point", size: grid.count)] }
    return [
      ArrayInfo.Dimension(name: "latitude", size: raster.rows),
      ArrayInfo.Dimension(name: "longitude", size: raster.columns),
    ]
  }

  private var spatialCoordinates: [ArrayDefinition] {
    [("latitude", "degrees_north", "Y"), ("longitude", "degrees_east", "X")].map { name, units, axis in
      grid.raster == nil
        ? array(name, .float64, ["point"], name, name, ["units": units])
        : array(name, .float64, [name], name, name, ["units": units, "axis": axis])
    }
  }

  /// - Parameters:
  ///   - times: the coordinates of time.
  ///   - outer: chunk extents of the dimensions of time.
  ///   - coordinates: of every field, beside those of its dimensions.
  private func definition(
    _ timeDimensions: [ArrayInfo.Dimension], _ times: [ArrayDefinition], outer: [Int], coordinates: String, bands: Int
  ) -> StoreDefinition {
    var (dimensions, arrays) = (timeDimensions, times)
    if !levels.isEmpty {
      dimensions.append(ArrayInfo.Dimension(name: "level", size: levels.count))
      let type: ScalarType = levels.allSatisfy { $0 == $0.rounded() } ? .int32 : .float64
      arrays.append(
        array("level", type, ["level"], "air_pressure", "pressure", ["units": "hPa", "positive": "down", "axis": "Z"]))
    }
    dimensions += spatialDimensions
    arrays += spatialCoordinates
    // Coordinates of points are those of no dimension.
    let coordinates = grid.raster == nil ? "\(coordinates) latitude longitude" : coordinates
    let spatialChunks = [(grid.rows + bands - 1) / bands] + (grid.raster == nil ? [] : [grid.columns])
    for group in groups {
      let variable = Lexicon.variable(group.variable)
      let unit = units[group.variable] ?? variable.units
      var text = ["long_name": variable.longName, "units": unit, "coordinates": coordinates]
      text["standard_name"] = variable.standardName
      let hasLevels = !group.levelsHPa.isEmpty
      arrays.append(
        ArrayDefinition(
          name: group.variable, type: .float32,
          dimensions: timeDimensions.map(\.name) + (hasLevels ? ["level"] : []) + spatialDimensions.map(\.name),
          chunks: outer + (hasLevels ? [levels.count] : []) + spatialChunks,
          attributes: text.mapValues { .text($0) }, fill: .nan))
    }
    let described = [
      "Conventions": "CF-1.8", "title": "Forecasts of an AI weather model", "history": "written by jigsaw forecast",
    ].merging(attributes) { $1 }
    return StoreDefinition(
      dimensions: dimensions, arrays: arrays, attributes: described.mapValues { .text($0) })
  }
}

/// One variable of a forecast: its channels lie side by side.
struct ForecastFieldGroup {
  let variable: String
  var channels: Range<Int>
  /// Empty without levels.
  var levelsHPa: [Double]

  /// The variables of channels, in order.
  static func groups(_ channels: [Channel]) -> [ForecastFieldGroup] {
    var groups: [ForecastFieldGroup] = []
    for (index, channel) in channels.enumerated() {
      let levels = channel.levelHPa.map { [$0] } ?? []
      if let last = groups.last, last.variable == channel.variable {
        groups[groups.count - 1].channels = last.channels.lowerBound..<index + 1
        groups[groups.count - 1].levelsHPa += levels
      } else {
        groups.append(ForecastFieldGroup(variable: channel.variable, channels: index..<index + 1, levelsHPa: levels))
      }
    }
    return groups
  }
}
