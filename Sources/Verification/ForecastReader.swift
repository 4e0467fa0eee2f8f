import Basics
import Datasets
import Stores

/// A forecast store as `ForecastWriter` makes it: [time, prediction_timedelta, (level), latitude, longitude].
public struct ForecastReader: Sendable {
  public let path: String
  public let grid: LatLonGrid
  public let initialTimes: [Timestamp]
  public let leadHours: [Int]
  public let channels: [Channel]
  private let store: any ArrayStore
  private let levelIndex: [Int?]

  public init(_ path: String) throws {
    self.path = path
    store = try openStore(path)
    for name in ["time", "prediction_timedelta", "latitude", "longitude"] {
      _ = try store.info(name)
    }
    let latitudes = try store.read("latitude").doubles
    guard latitudes.count > 1, latitudes[0] > latitudes[1] else {
      throw JigsawError(
        "\(path): latitude", "is not north to south", remedy: "use a store written by 'jigsaw forecast'")
    }
    grid = LatLonGrid(latitudes: latitudes, longitudes: try store.read("longitude").doubles)
    let info = try store.info("time")
    let clock = try CFTime(
      units: info.attributes["units"]?.text ?? "", calendar: info.attributes["calendar"]?.text, place: "\(path): time")
    initialTimes = try store.read("time").integers.map(clock.timestamp)
    leadHours = try store.read("prediction_timedelta").integers.map { Int($0) }
    let levels = store.arrays["level"] == nil ? [] : try store.read("level").doubles
    var channels: [Channel] = []
    var levelIndex: [Int?] = []
    for array in store.arrays.values.sorted(by: { $0.name < $1.name }) {
      let names = array.dimensionNames
      if names == ["time", "prediction_timedelta", "latitude", "longitude"] {
        channels.append(Channel(variable: array.name))
        levelIndex.append(nil)
      } else if names == ["time", "prediction_timedelta", "level", "latitude", "longitude"] {
        for (index, level) in levels.enumerated() {
          channels.append(Channel(variable: array.name, levelHPa: level))
          levelIndex.append(index)
        }
      }
    }
    if channels.isEmpty {
      throw JigsawError(
        path, "holds no forecasts", expected: "variables [time, prediction_timedelta, (level,) latitude, longitude]",
        found: store.arrays.keys.sorted().joined(separator: ", "), remedy: "use a store written by 'jigsaw forecast'")
    }
    self.channels = channels
    self.levelIndex = levelIndex
  }

  /// One field [rows, columns].
  public func read(_ channel: Channel, initial: Int, lead: Int) throws -> [Float] {
    guard let index = channels.firstIndex(of: channel) else {
      throw JigsawError(path, "has no \(channel.name)", found: channels.map(\.name).joined(separator: ", "))
    }
    let level = levelIndex[index].map { [$0..<$0 + 1] } ?? []
    let raw = try store.read(
      channel.variable, [initial..<initial + 1, lead..<lead + 1] + level + [0..<grid.rows, 0..<grid.columns])
    var field = [Float](repeating: 0, count: raw.count)
    let packing = CFPacking(store.arrays[channel.variable]?.attributes ?? [:])
    field.withUnsafeMutableBufferPointer { packing.unpack(raw, into: $0) }
    if field.contains(where: { !$0.isFinite }) {
      throw JigsawError(
        "\(path): \(channel.variable)",
        "has missing values at \(initialTimes[initial].display) +\(leadHours[lead]) h", remedy: "forecast again")
    }
    return field
  }
}
