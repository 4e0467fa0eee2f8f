import Basics
import Datasets
import Stores

/// Forecasts being written as GRIB 2: one message for each field, in the order in which they come. One rank writes.
public final class GRIBForecastWriter: ForecastOutput {
  private let writer: GRIBWriter
  private let grid: GRIBOutputGrid
  private let channels: [Channel]
  private let paramIds: [Int]
  private let initialTimes: [Timestamp]
  private let leadHours: [Int]
  private let path: String
  private let lineage: Lineage?

  /// - Parameter lineage: what the forecasts are made from; GRIB has no place for it, so that it goes into a file beside.
  /// - Throws: naming the variable or saying why the points are none that GRIB can hold, before anything is computed.
  public init(_ path: String, _ contents: ForecastContents, lineage: Lineage? = nil) throws {
    self.path = path
    self.lineage = lineage
    grid =
      switch contents.grid {
      case .raster(let grid): .regular(latitudes: grid.latitudes, longitudes: grid.longitudes)
      case .points(let points):
        try GRIBOutputGrid(latitudes: points.latitudes, longitudes: points.longitudes, place: path)
      }
    channels = contents.channels
    initialTimes = contents.initialTimes
    leadHours = contents.leadHours
    paramIds = try channels.map { channel in
      guard let number = Lexicon[channel.variable]?.ecmwf?.paramId else {
        throw JigsawError(
          path, "can't hold \(channel.variable): it has no number in ECMWF's tables",
          remedy: "forecast to Zarr or NetCDF, or without this variable")
      }
      return number
    }
    writer = try GRIBWriter(path)
    do {
      for index in channels.indices { try writer.check(definition(index, initial: 0, lead: 0)) }
    } catch {
      writer.abandon()
      throw error
    }
  }

  private func definition(_ channel: Int, initial: Int, lead: Int) -> GRIBFieldDefinition {
    GRIBFieldDefinition(
      paramId: paramIds[channel], levelHPa: channels[channel].levelHPa, grid: grid,
      baseTime: initialTimes[initial], leadHours: leadHours[lead])
  }

  public func write(
    _ unit: FieldGather.Unit, _ values: UnsafeBufferPointer<Float>, initial: Int, lead: Int
  ) throws {
    precondition(values.count == unit.fields.count * grid.count, "a GRIB message holds a whole field")
    for (index, channel) in unit.fields.enumerated() {
      try writer.write(
        definition(channel, initial: initial, lead: lead),
        UnsafeBufferPointer(rebasing: values[index * grid.count..<(index + 1) * grid.count]))
    }
  }

  public func finish() throws {
    guard var lineage else { return try writer.finish() }
    try writer.complete()
    let content = try DataFingerprint(paths: [temporary])
    lineage.forecast = Lineage.Forecast(path: Files.absolute(path), content: content)
    // Whenever this is stopped, the file that is there has its record beside: the earlier one's goes last.
    let record = try lineage.writeTemporarilyBeside(path)
    do { try writer.publish() } catch {
      try? Files.remove(record)
      throw error
    }
    try Files.rename(record, to: Lineage.sidecar(path))
  }

  public var temporary: String { writer.temporary }
  public func abandon() { writer.abandon() }
}
