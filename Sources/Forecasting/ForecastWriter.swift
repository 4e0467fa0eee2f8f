import Basics
import Datasets
import Stores

/// The contents of forecasts, whatever the layout of the store.
public struct ForecastContents {
  let grid: FieldGrid
  let channels: [Channel]
  let initialTimes: [Timestamp]
  let leadHours: [Int]
  let attributes: [String: String]
  private let units: [String: String]

  /// - Parameters:
  ///   - units: of variables that the lexicon lacks.
  ///   - source: for the `source` attribute.
  ///   - lineage: what the forecasts are made from, for an attribute.
  public init(
    grid: FieldGrid, channels: [Channel], initialTimes: [Timestamp], leadHours: [Int], source: String,
    units: [String: String] = [:], lineage: Lineage? = nil
  ) throws {
    self.grid = grid
    self.channels = channels
    self.initialTimes = initialTimes
    self.leadHours = leadHours
    self.units = units
    var attributes = ["source": source]
    attributes[Lineage.attribute] = try lineage?.json()
    self.attributes = attributes
  }

  var schema: ForecastSchema {
    ForecastSchema(
      grid: grid, groups: ForecastFieldGroup.groups(channels), leadHours: leadHours, attributes: attributes,
      units: units)
  }

  /// Bytes of chunks that the NetCDF library keeps while all of it is written, or once all of it was read.
  /// - Parameter files: files of one forecast each that are open at a time; nil: all are in one file.
  public func bytesKeptByNetCDF(files: Int?) -> Int {
    guard let files, let first = initialTimes.first else {
      return NetCDFWriter.bytesKept(schema.together(initialTimes, bands: 1))
    }
    return files * NetCDFWriter.bytesKept(schema.single(first))
  }

  /// The units in which fields are written: the variables, in bands of rows.
  public func units(bands: Int) -> [FieldGather.Unit] {
    let height = (grid.rows + bands - 1) / bands
    return schema.groups.flatMap { group in
      stride(from: 0, to: grid.rows, by: height).map {
        FieldGather.Unit(fields: group.channels, rows: $0..<min(grid.rows, $0 + height))
      }
    }
  }
}

/// All forecasts in one store: dimensions time (initial), prediction_timedelta, level, latitude, longitude, as WeatherBench 2
/// has them, or point in place of the last two, with CF metadata. Each lead of each forecast is written as soon as it is computed. Several ranks can write into
/// one Zarr store, each its own chunks.
public final class ForecastWriter: ForecastOutput {
  private let writer: any ArrayWriter
  private let schema: ForecastSchema

  /// - Parameters:
  ///   - bands: of rows, in which fields are stored.
  ///   - joining: where another rank, which has created the store, writes it; nil: this one creates it.
  ///   - zarrFormat: 2 or 3, for a Zarr store.
  public init(_ path: String, _ contents: ForecastContents, bands: Int = 1, joining: String? = nil, zarrFormat: Int = 2)
    throws
  {
    schema = contents.schema
    writer = try createStore(
      path, schema.together(contents.initialTimes, bands: bands), joins: joining != nil, temporary: joining,
      zarrFormat: zarrFormat)
    if joining == nil { try schema.writeCoordinates(contents.initialTimes, to: writer) }
  }

  public func write(
    _ unit: FieldGather.Unit, _ values: UnsafeBufferPointer<Float>, initial: Int, lead: Int
  ) throws {
    try schema.write(unit, values, at: [initial..<initial + 1, lead..<lead + 1], to: writer)
  }

  public var temporary: String { writer.temporary }
  public func finish() throws { try writer.finish() }
  public func abandon() { writer.abandon() }
}

extension ForecastSchema {
  /// - Parameter outer: the place along the dimensions of time.
  func write(
    _ unit: FieldGather.Unit, _ values: UnsafeBufferPointer<Float>, at outer: [Range<Int>], to writer: any ArrayWriter
  ) throws {
    guard let group = groups.first(where: { $0.channels == unit.fields }) else {
      preconditionFailure("\(unit) is not a variable")
    }
    let levels = group.levelsHPa.isEmpty ? [] : [0..<group.channels.count]
    let (place, order) = (outer + levels + places(unit.rows), levelOrder)
    guard !levels.isEmpty, order != Array(order.indices) else {
      return try writer.write(group.variable, place, values)
    }
    let size = values.count / order.count
    let sorted = order.flatMap { values[$0 * size..<($0 + 1) * size] }
    try sorted.withUnsafeBufferPointer { try writer.write(group.variable, place, $0) }
  }
}
