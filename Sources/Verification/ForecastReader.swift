import Basics
import Datasets
import Stores

/// A forecast store as `ForecastWriter` makes it, [time, prediction_timedelta, (level), latitude, longitude], or GRIB.
public struct ForecastReader: Sendable {
  public let path: String
  public let grid: LatLonGrid
  public let initialTimes: [Timestamp]
  public let leadHours: [Int]
  public let channels: [Channel]
  /// What the forecasts were made from, where the store says so.
  public let lineage: Lineage?
  private let store: any ArrayStore
  /// By channel: the array, its level, what makes its units ours.
  private let sources: [Source]

  private struct Source: Sendable {
    let array: String
    let level: Int?
    let conversion: UnitConversion
  }

  /// No axis has more points.
  private static let coordinateLimit = 1 << 22

  public init(_ path: String) throws {
    self.path = path
    let store = try openStore(path, gribTimes: .forecasts)
    self.store = store
    lineage = try ForecastReader.lineage(store, path)
    for name in ["time", "prediction_timedelta", "latitude", "longitude"] {
      _ = try store.info(name)
    }
    func coordinate(_ name: String) throws -> RawArray {
      try store.readCoordinate(name, atMost: ForecastReader.coordinateLimit)
    }
    let latitudes = try coordinate("latitude").doubles
    guard latitudes.count > 1, latitudes[0] > latitudes[1] else {
      throw JigsawError(
        "\(path): latitude", "is not north to south", remedy: "use a store written by 'jigsaw forecast'")
    }
    grid = LatLonGrid(latitudes: latitudes, longitudes: try coordinate("longitude").doubles)
    let info = try store.info("time")
    let clock = try CFTime(
      units: info.attributes["units"]?.text ?? "", calendar: info.attributes["calendar"]?.text, place: "\(path): time")
    initialTimes = try coordinate("time").integers.map(clock.timestamp)
    leadHours = try ForecastReader.leadHours(
      coordinate("prediction_timedelta").doubles, store.info("prediction_timedelta"), path)
    let levels = store.arrays["level"] == nil ? [] : try coordinate("level").doubles
    var channels: [Channel] = []
    var sources: [Source] = []
    for array in store.arrays.values.sorted(by: { $0.name < $1.name }) {
      let names = array.dimensionNames
      let hasLevels = names == ["time", "prediction_timedelta", "level", "latitude", "longitude"]
      guard hasLevels || names == ["time", "prediction_timedelta", "latitude", "longitude"] else { continue }
      // In GRIB, variables are called as ECMWF calls them.
      let variable = Lexicon.find(array.name) ?? Lexicon.variable(array.name)
      let conversion = try ForecastReader.conversion(array, to: variable, path)
      for (index, level) in hasLevels ? levels.enumerated().map({ ($0, $1 as Double?) }) : [(0, nil)] {
        channels.append(Channel(variable: variable.name, levelHPa: level))
        sources.append(Source(array: array.name, level: hasLevels ? index : nil, conversion: conversion))
      }
    }
    if channels.isEmpty {
      throw JigsawError(
        path, "holds no forecasts", expected: "variables [time, prediction_timedelta, (level,) latitude, longitude]",
        found: store.arrays.keys.sorted().joined(separator: ", "), remedy: "use a store written by 'jigsaw forecast'")
    }
    self.channels = channels
    self.sources = sources
  }

  /// Lead times in hours, whatever unit they are stored in.
  private static func leadHours(_ values: [Double], _ info: ArrayInfo, _ path: String) throws -> [Int] {
    let place = "\(path): \(info.name)"
    guard let units = info.units, let seconds = CFTime.seconds(unit: units) else {
      throw JigsawError(
        place, "has units that are no span of time", expected: "hours, days, minutes, seconds or the like",
        found: info.units.map { "'\($0)'" } ?? "none", remedy: "write them with their unit")
    }
    return try values.map { value in
      let hours = value * seconds / 3_600
      guard hours.isFinite, abs(hours - hours.rounded()) < 1e-6, (0...1_000_000).contains(hours) else {
        throw JigsawError(
          place, "has a lead that can't be verified", expected: "whole hours", found: "\(significant(value)) \(units)",
          remedy: "keep leads of whole hours")
      }
      return Int(saturating: hours.rounded())
    }
  }

  private static func lineage(_ store: any ArrayStore, _ path: String) throws -> Lineage? {
    if let text = store.attributes[Lineage.attribute].flatMap({ $0.text ?? (try? $0.json?.text(pretty: false)) }) {
      return Lineage(json: text.utf8)
    }
    // A file beside tells of the very file that it was written for.
    guard !path.contains("://"), let found = try Lineage.read(Lineage.sidecar(path)), let written = found.forecast,
      try written.content.isSame(as: DataFingerprint(paths: [path]))
    else { return nil }
    return found
  }

  private static func conversion(_ array: ArrayInfo, to variable: Variable, _ path: String) throws -> UnitConversion {
    guard let units = array.units, Lexicon[variable.name] != nil else { return .none }
    guard let conversion = UnitConversion(from: units, to: variable.units) else {
      throw JigsawError(
        "\(path): \(array.name)", "has units that don't fit \(variable.longName)", expected: "'\(variable.units)'",
        found: "'\(units)'")
    }
    return conversion
  }

  /// One field [rows, columns].
  /// - Parameter isMissing: points that need have no value; nil: none.
  /// - Throws: when others have none.
  public func read(_ channel: Channel, initial: Int, lead: Int, isMissing: [Bool]? = nil) throws -> [Float] {
    guard let index = channels.firstIndex(of: channel) else {
      throw JigsawError(path, "has no \(channel.name)", found: channels.map(\.name).joined(separator: ", "))
    }
    let source = sources[index]
    let level = source.level.map { [$0..<$0 + 1] } ?? []
    let raw = try store.read(
      source.array, [initial..<initial + 1, lead..<lead + 1] + level + [0..<grid.rows, 0..<grid.columns])
    var field = [Float](repeating: 0, count: raw.count)
    let packing = try store.packing(of: store.info(source.array))
    field.withUnsafeMutableBufferPointer { packing.unpack(raw, into: $0) }
    if source.conversion != .none {
      for i in field.indices {
        field[i] = Float(Double(field[i]) * source.conversion.factor + source.conversion.offset)
      }
    }
    if field.indices.contains(where: { !field[$0].isFinite && !(isMissing?[$0] ?? false) }) {
      throw JigsawError(
        "\(path): \(channel.variable)",
        "has missing values at \(initialTimes[initial].display) +\(leadHours[lead]) h",
        expected: "a number at every point, other than those where data.impute lets the truth have none",
        remedy: "forecast again")
    }
    return field
  }
}
