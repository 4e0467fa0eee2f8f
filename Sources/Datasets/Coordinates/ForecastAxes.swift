import Basics
import Stores

/// Initial times and leads of a store of forecasts, by what coordinates mean (CF: forecast_reference_time, forecast_period, and
/// time for that of validity), else by the names that cfgrib, WeatherBench and others use. Two of the three tell the third.
struct ForecastAxes {
  /// Dimensions of fields; nil where there is but one of it.
  let initialDimension, leadDimension: String?
  let initialTimes: [Timestamp]
  let leadHours: [Int]

  /// Seconds along a dimension, or one number for all.
  private struct Along {
    let name: String
    let dimension: String?
    let seconds: [Int64]

    var isConstant: Bool { seconds.allSatisfy { $0 == seconds[0] } }
    func at(_ index: Int) -> Int64 { seconds.count == 1 ? seconds[0] : seconds[index] }
  }

  /// - Throws: when nothing says when forecasts start or how far they reach, or when they don't fill a table of initial times
  ///   and leads.
  init(_ store: any ArrayStore) throws {
    let spatial = Set(try StoreAxes.findPlaces(store).dimensions)
    let used = Set(StoreAxes.fields(store).map(\.dimensionNames).filter { spatial.isSubset(of: $0) }.joined())
      .subtracting(spatial)
    let vectors = store.arrays.values.filter { array in
      array.dimensions.isEmpty
        || array.dimensions.count == 1 && (used.contains(array.dimensionNames[0]) || array.count == 1)
    }.sorted { $0.name < $1.name }
    func best(_ arrays: [ArrayInfo]) -> ArrayInfo? {
      arrays.first { $0.dimensionNames.first.map(used.contains) ?? false } ?? arrays.first
    }
    let lead = best(vectors.filter(StoreAxes.namesLead))
    var start = best(vectors.filter(StoreAxes.isReference))
    // Beside leads of their own dimension, times that don't say otherwise are those of the start.
    if start == nil, let lead, !store.arrays.values.contains(where: { StoreAxes.isReference($0) }) {
      start = best(
        vectors.filter {
          StoreAxes.isTime($0) && $0.name != "valid_time" && ($0.dimensions != lead.dimensions || $0.dimensions.isEmpty)
            && !(lead.dimensions.isEmpty && StoreAxes.isValidity($0))
        })
    }
    let valid = best(vectors.filter { array in StoreAxes.isTime(array) && array.name != start?.name })
    func along(_ array: ArrayInfo, _ seconds: [Int64]) -> Along {
      Along(
        name: array.name, dimension: array.dimensionNames.first.flatMap { used.contains($0) ? $0 : nil },
        seconds: seconds)
    }
    let leads = try lead.map { along($0, try ForecastAxes.spans($0, store)) }
    let starts = try start.map { along($0, try ForecastAxes.times($0, store)) }
    let valids = try valid.map { along($0, try ForecastAxes.times($0, store)) }
    for along in [starts, leads, valids].compactMap({ $0 }) { try ForecastAxes.requireValues(along, store) }
    guard let pair = try ForecastAxes.pair(starts, leads, valids, store) else {
      throw JigsawError(
        store.location, "does not say when its forecasts start and how far they reach",
        expected:
          "two of forecast_reference_time, forecast_period (step, lead_time, prediction_timedelta) and valid time",
        found: vectors.isEmpty ? "none" : vectors.map(\.name).joined(separator: ", "),
        remedy: "add them as coordinates, or use a store written by 'jigsaw forecast'")
    }
    try self.init(pair.starts, pair.leads, store)
  }

  /// Starts and leads from two of the three; nil when there are fewer. Not inlined: Swift 6.3's optimiser gives up on it within
  /// the initialiser ("found ownership error").
  @inline(never)
  private static func pair(_ starts: Along?, _ leads: Along?, _ valids: Along?, _ store: any ArrayStore) throws
    -> (starts: Along, leads: Along)?
  {
    if let starts, let leads { return (starts, leads) }
    guard let valids else { return nil }
    if let starts { return (starts, try difference(valids, starts, "lead", store)) }
    if let leads { return (try difference(valids, leads, "start", store), leads) }
    return nil
  }

  private init(_ starts: Along, _ leads: Along, _ store: any ArrayStore) throws {
    var (starts, leads) = (starts, leads)
    if let shared = starts.dimension, shared == leads.dimension {
      if starts.isConstant {
        starts = Along(name: starts.name, dimension: nil, seconds: [starts.seconds[0]])
      } else if leads.isConstant {
        leads = Along(name: leads.name, dimension: nil, seconds: [leads.seconds[0]])
      } else {
        throw JigsawError(
          store.location, "has several initial times and several leads along '\(shared)'",
          expected: "a dimension for each of them",
          remedy: "arrange it by initial time and lead, or split it into files")
      }
    }
    for along in [starts, leads] where Set(along.seconds).count < along.seconds.count {
      throw JigsawError(
        "\(store.location): \(along.name)", "holds the same value twice", remedy: "leave one of them out")
    }
    (initialDimension, leadDimension) = (starts.dimension, leads.dimension)
    initialTimes = starts.seconds.map(Timestamp.init(seconds:))
    leadHours = try leads.seconds.map { seconds in
      guard seconds % 3_600 == 0, (0...1_000_000).contains(seconds / 3_600) else {
        throw JigsawError(
          "\(store.location): \(leads.name)", "has a lead that can't be verified", expected: "whole hours",
          found: "\(significant(Double(seconds) / 3_600)) h", remedy: "keep leads of whole hours")
      }
      return Int(seconds / 3_600)
    }
  }

  /// Valid times less the starts or the leads.
  private static func difference(_ valid: Along, _ known: Along, _ name: String, _ store: any ArrayStore) throws
    -> Along
  {
    guard known.dimension == nil || known.dimension == valid.dimension else {
      throw JigsawError(
        store.location, "has '\(valid.name)' and '\(known.name)' along different dimensions",
        expected: "a coordinate of each \(name)", remedy: "add it, or use a store written by 'jigsaw forecast'")
    }
    return Along(
      name: "\(valid.name) less \(known.name)", dimension: valid.dimension,
      seconds: valid.seconds.indices.map { valid.seconds[$0] - known.at($0) })
  }

  private static func requireValues(_ along: Along?, _ store: any ArrayStore) throws {
    if let along, along.seconds.isEmpty {
      throw JigsawError("\(store.location): \(along.name)", "is empty", expected: "at least one value")
    }
  }

  private static func times(_ array: ArrayInfo, _ store: any ArrayStore) throws -> [Int64] {
    let place = "\(store.location): \(array.name)"
    let clock = try CFTime(
      units: array.attributes["units"]?.text ?? "", calendar: array.attributes["calendar"]?.text, place: place)
    let raw = try GriddedStore.coordinate(store, array.name)
    let isWide = raw.type == .int64 || raw.type == .uint64
    return try isWide
      ? raw.integers.map { try clock.timestamp($0).seconds } : raw.doubles.map { try clock.timestamp($0).seconds }
  }

  /// Lead times in seconds, whatever unit they are stored in.
  private static func spans(_ array: ArrayInfo, _ store: any ArrayStore) throws -> [Int64] {
    let place = "\(store.location): \(array.name)"
    guard let units = array.units, let perUnit = CFTime.seconds(unit: units) else {
      throw JigsawError(
        place, "has units that are no span of time", expected: "hours, days, minutes, seconds or the like",
        found: array.units.map { "'\($0)'" } ?? "none", remedy: "write them with their unit")
    }
    return try GriddedStore.coordinate(store, array.name).doubles.map { value in
      let seconds = value * perUnit
      // A thousandth of a second is what FP32 leaves of a lead of some days.
      guard seconds.magnitude < 1e10, abs(seconds - seconds.rounded()) < 4e-3 else {
        throw JigsawError(
          place, "has a lead that can't be verified", expected: "whole hours", found: "\(significant(value)) \(units)",
          remedy: "keep leads of whole hours")
      }
      return Int64(saturating: seconds.rounded())
    }
  }
}
