import Basics
import Datasets
import Stores

/// Forecasts of a store, or of several files with some initial times each: ours in any layout, and those of others, in NetCDF,
/// Zarr or GRIB.
public struct ForecastReader: Sendable {
  public let path: String
  public let grid: FieldGrid
  /// Ascending.
  public let initialTimes: [Timestamp]
  public let leadHours: [Int]
  public let channels: [Channel]
  /// The record of what the forecasts were made from, where they carry one.
  public let lineage: Lineage?
  /// Initial times that were wanted and of which no part has a forecast, by their records; ascending.
  public let leftOut: [Timestamp]
  private let parts: [ForecastFields]
  /// By initial time: the part that has it, and where.
  private let places: [(part: Int, initial: Int)]
  /// By part and channel, to the units in which fields are read.
  private var conversions: [[Channel: UnitConversion]]

  /// - Parameter path: of a store, of a folder of files, or a pattern of stores.
  /// - Throws: when they can't be read, or differ in grid, leads or model, or two hold the same initial time.
  public init(_ path: String) throws {
    self.path = path
    let paths = try ForecastReader.paths(path)
    var (parts, lineages): ([ForecastFields], [Lineage?]) = ([], [])
    for path in paths {
      let store = try openStore(path, gribTimes: .forecasts)
      parts.append(try ForecastFields(store))
      lineages.append(try ForecastReader.lineage(store, path))
    }
    self.parts = parts
    let first = parts[0]
    (grid, leadHours) = (first.grid, first.leadHours)
    for (path, part) in zip(paths, parts).dropFirst() {
      func differ(_ what: String, _ expected: String, _ found: String) -> JigsawError {
        JigsawError(
          path, "has other \(what) than \(paths[0])", expected: expected, found: found,
          remedy: "name forecasts that are alike, for example with a narrower pattern")
      }
      if !part.grid.matches(grid) {
        let (expected, found) = grid.summaries(against: part.grid)
        throw differ("points", expected, found)
      }
      if part.leadHours != leadHours {
        throw differ("leads", ForecastReader.text(leadHours), ForecastReader.text(part.leadHours))
      }
    }
    for (path, found) in zip(paths, lineages).dropFirst() {
      guard
        let difference = lineages[0].flatMap({ one in found.flatMap { one.difference(from: $0.computation) } })
      else { continue }
      let isOfModel = lineages[0]?.model == found?.model
      throw JigsawError(
        path,
        isOfModel
          ? "is computed otherwise than \(paths[0]) (\(difference.what))" : "is of another model than \(paths[0])",
        expected: difference.recorded, found: difference.now,
        remedy: "score the forecasts of each by themselves")
    }
    lineage = lineages.allSatisfy { $0 != nil } ? lineages[0] : nil
    channels = first.channels.filter { channel in parts.allSatisfy { $0.channels.contains(channel) } }
    let all = parts.indices.flatMap { part in
      parts[part].initialTimes.enumerated().map { (time: $1, part: part, initial: $0) }
    }.sorted { $0.time < $1.time }
    if let twice = zip(all, all.dropFirst()).first(where: { $0.time == $1.time }) {
      throw JigsawError(
        paths[twice.1.part], "has a forecast from \(twice.0.time.display), as has \(paths[twice.0.part])",
        remedy: "leave one of them out")
    }
    initialTimes = all.map(\.time)
    leftOut = Set(lineages.flatMap { $0?.leftOut ?? [] }).compactMap { Timestamp($0) }.filter { [initialTimes] time in
      !initialTimes.contains(time)
    }.sorted()
    places = all.map { ($0.part, $0.initial) }
    conversions = parts.map { _ in [:] }
  }

  /// The same forecasts, of variables that the lexicon lacks in the units of the truth; others are in ours anyway.
  /// - Throws: when a variable's units don't fit.
  public func inUnits(of truth: FieldDataset) throws -> ForecastReader {
    var converted = self
    converted.conversions = try parts.map { part in
      var conversions: [Channel: UnitConversion] = [:]
      for channel in truth.channels where Lexicon[channel.variable] == nil {
        guard let stored = part.storedUnits(of: channel) else { continue }
        let wanted = truth.units(of: channel)
        guard let conversion = UnitConversion(from: stored, to: wanted) else {
          throw JigsawError(
            "\(path): \(channel.name)", "has units that don't fit the truth's", expected: "'\(wanted)'",
            found: "'\(stored)'", remedy: "correct the units of one of them, or leave it out of data.variables")
        }
        conversions[channel] = conversion
      }
      return conversions
    }
    return converted
  }

  /// The unit that the first store says.
  public func storedUnits(of channel: Channel) -> String? { parts.first?.storedUnits(of: channel) }

  /// By store, over which periods a channel is an amount, a mean or an extreme: one number, or one for each lead (0 where nothing is
  /// known, below 0 where starts differ). Stores that don't say are left out.
  public func periodSeconds(of channel: Channel) -> [[Int64]] {
    parts.map { $0.periodSeconds(of: channel) }.filter { !$0.isEmpty }
  }

  private static func text(_ hours: [Int]) -> String { hours.map(String.init).joined(separator: ", ") }

  /// The stores that a path stands for; a folder of NetCDF or GRIB files is no Zarr store.
  private static func paths(_ path: String) throws -> [String] {
    let found = try expand(path)
    guard found == [path], !path.contains("://"), Files.isDirectory(path) else { return found }
    let names = try Files.list(path)
    if names.contains(where: { ["zarr.json", ".zgroup", ".zmetadata"].contains($0) }) { return found }
    let files = names.filter { $0.ends(in: StoreEndings.netCDF + StoreEndings.grib) && !Temporary.isOne($0) }
    return files.isEmpty ? found : files.map { "\(path)/\($0)" }
  }

  private static func lineage(_ store: any ArrayStore, _ path: String) throws -> Lineage? {
    if let text = store.attributes[Lineage.attribute].flatMap({ $0.text ?? (try? $0.json?.text(pretty: false)) }) {
      return Lineage(json: text.utf8)
    }
    return path.contains("://") ? nil : try Lineage.beside(path)
  }

  /// How the values of channels were understood, a sentence each.
  public func notes(_ channels: [Channel]) -> [String] {
    let channels = channels.filter(self.channels.contains)
    return Set(parts.flatMap { $0.notes(channels) }).sorted()
  }

  /// - Throws: why a channel can't be read, if it can't.
  public func require(_ channel: Channel) throws {
    if channels.contains(channel) { return }
    throw parts.lazy.compactMap { $0.refusals[channel] }.first
      ?? JigsawError(
        path, "has no \(channel.name)", found: channels.map(\.name).joined(separator: ", "),
        remedy: "take it out of data.variables or forecast it")
  }

  /// Fields at one lead of one forecast: [channel, row, column].
  ///
  /// - Parameters:
  ///   - isMissing: by channel, points that need have no value; nil: none.
  ///   - workers: threads that read and decode.
  /// - Throws: when points have none that need have one.
  public func read(
    _ wanted: [Channel], initial: Int, lead: Int, isMissing: [[Bool]?], workers: WorkerPool, into planes: inout [Float]
  ) throws {
    for channel in wanted { try require(channel) }
    let (part, place) = places[initial]
    try parts[part].read(wanted, initial: place, lead: lead, workers: workers, into: &planes)
    for (index, channel) in wanted.enumerated() {
      if let conversion = conversions[part][channel], conversion != .none {
        for point in index * grid.count..<(index + 1) * grid.count {
          planes[point] = Float(Double(planes[point]) * conversion.factor + conversion.offset)
        }
      }
      let values = planes[index * grid.count..<(index + 1) * grid.count]
      let lacks = values.enumerated().contains { !$1.isFinite && !(isMissing[index]?[$0] ?? false) }
      if lacks { throw lacking(channel, initial, lead, isWhole: !values.contains { $0.isFinite }) }
    }
  }

  /// A field that isn't there at all, or lacks some values.
  private func lacking(_ channel: Channel, _ initial: Int, _ lead: Int, isWhole: Bool) -> JigsawError {
    let when = "\(initialTimes[initial].display) +\(leadHours[lead]) h"
    if isWhole {
      return JigsawError(
        "\(path): \(channel.name)", "has no field at \(when)",
        expected: "a field at each lead from each initial time, as other variables or times have",
        remedy: "add it, or leave \(channel.variable) out of data.variables or the forecast out of the files")
    }
    return JigsawError(
      "\(path): \(channel.name)", "has missing values at \(when)",
      expected: "a number at every point, other than those where data.impute lets the truth have none",
      remedy: "forecast again")
  }

  /// One field [rows, columns], read on the calling thread.
  public func read(_ channel: Channel, initial: Int, lead: Int, isMissing: [Bool]? = nil) throws -> [Float] {
    var field = [Float](repeating: 0, count: grid.count)
    try read(
      [channel], initial: initial, lead: lead, isMissing: [isMissing], workers: WorkerPool(threads: 0), into: &field)
    return field
  }
}
