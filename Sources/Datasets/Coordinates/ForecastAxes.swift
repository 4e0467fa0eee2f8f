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
    func best(_ arrays: [ArrayInfo]) throws -> ArrayInfo? { try ForecastAxes.best(arrays, used, store) }
    let lead = try best(vectors.filter(StoreAxes.namesLead))
    var start = try best(vectors.filter(StoreAxes.isReference))
    // Beside leads of their own dimension, times that don't say otherwise are those of the start.
    if start == nil, let lead, !store.arrays.values.contains(where: { StoreAxes.isReference($0) }) {
      start = try best(
        vectors.filter {
          StoreAxes.isTime($0) && $0.name != "valid_time" && ($0.dimensions != lead.dimensions || $0.dimensions.isEmpty)
            && !(lead.dimensions.isEmpty && StoreAxes.isValidity($0))
        })
    }
    let valid = try best(vectors.filter { array in StoreAxes.isTime(array) && array.name != start?.name })
    func along(_ array: ArrayInfo, _ seconds: [Int64]) -> Along {
      Along(
        name: array.name, dimension: array.dimensionNames.first.flatMap { used.contains($0) ? $0 : nil },
        seconds: seconds)
    }
    let leads = try lead.map { along($0, try ForecastAxes.spans($0, store)) }
    let starts = try start.map { along($0, try ForecastAxes.times($0, store)) }
    let valids = try valid.map { along($0, try ForecastAxes.times($0, store)) }
    for along in [starts, leads, valids].compactMap({ $0 }) { try ForecastAxes.requireValues(along, store) }
    guard
      let pair = try ForecastAxes.pair(starts, leads, valids, store)
        ?? ForecastAxes.pair(starts, leads, ofTablesAlong: used, store)
    else {
      throw JigsawError(
        store.location, "does not say when its forecasts start and how far they reach",
        expected:
          "two of forecast_reference_time, forecast_period (step, lead_time, prediction_timedelta) and valid time",
        found: vectors.isEmpty ? "none" : vectors.map(\.name).joined(separator: ", "),
        remedy: "add them as coordinates, or use a store written by 'jigsaw forecast'")
    }
    try self.init(pair.starts, pair.leads, store)
    try requireAgreement(store, start: start?.name)
  }

  /// The coordinate among arrays that may be one: along a dimension of fields before others, of the dimension's own name, with a
  /// standard name.
  /// - Throws: when none of these tells two along one dimension apart.
  private static func best(_ arrays: [ArrayInfo], _ used: Set<String>, _ store: any ArrayStore) throws -> ArrayInfo? {
    func rank(_ array: ArrayInfo) -> Int {
      let isAlong = array.dimensionNames.first.map(used.contains) ?? false
      let isNamed = array.attributes["standard_name"]?.text?.isEmpty == false || StoreAxes.isReference(array)
      return (isAlong ? 0 : 4)
        + (array.dimensionNames == [array.name] ? 0 : isNamed || StoreAxes.isValidity(array) ? 1 : 2)
    }
    let sorted = arrays.sorted { (rank($0), $0.name) < (rank($1), $1.name) }
    if let first = sorted.first, let second = sorted.dropFirst().first, rank(first) == rank(second),
      rank(first) % 4 != 0,
      first.dimensions == second.dimensions, !first.dimensions.isEmpty
    {
      throw JigsawError(
        "\(store.location): \(first.name) and \(second.name)", "are both times along '\(first.dimensionNames[0])'",
        expected: "one that says what it is by standard_name", remedy: "add it, or leave one of them out")
    }
    return sorted.first
  }

  /// Seconds that coordinates in days or in single precision lose.
  private static let toleranceSeconds: Int64 = 60

  /// - Throws: where times of validity are not those of the start plus the lead.
  private func requireAgreement(_ store: any ArrayStore, start: String?) throws {
    let ours = [initialDimension, leadDimension].compactMap { $0 }
    for array in store.arrays.values.sorted(by: { $0.name < $1.name })
    where array.name != start && StoreAxes.isTime(array) && StoreAxes.isValidity(array)
      && Set(array.dimensionNames).isSubset(of: ours) && array.count > 0
    {
      let valid = try ForecastAxes.times(array, store)
      for (index, found) in valid.enumerated() {
        var (rest, place) = (index, ["": 0])
        for dimension in array.dimensions.reversed() {
          place[dimension.name] = rest % dimension.size
          rest /= dimension.size
        }
        // Where it doesn't vary along a dimension, all along that must agree.
        func all(_ dimension: String?, _ count: Int) -> [Int] {
          dimension.flatMap { place[$0] }.map { [$0] } ?? Array(0..<count)
        }
        for initial in all(initialDimension, initialTimes.count) {
          for lead in all(leadDimension, leadHours.count) {
            let expected = initialTimes[initial].seconds + Int64(leadHours[lead]) * 3_600
            guard abs(expected - found) > ForecastAxes.toleranceSeconds else { continue }
            throw JigsawError(
              "\(store.location): \(array.name)", "contradicts the start and the lead of a forecast",
              expected:
                "\(Timestamp(seconds: expected).display) (\(initialTimes[initial].display) +\(leadHours[lead]) h)",
              found: Timestamp(seconds: found).display, remedy: "correct it, or leave it out")
          }
        }
      }
    }
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

  /// Starts and leads from one of them and times of validity along both dimensions; nil where there are none such. Whether the rest of
  /// the times agrees is still to be checked.
  private static func pair(
    _ starts: Along?, _ leads: Along?, ofTablesAlong used: Set<String>, _ store: any ArrayStore
  ) throws -> (starts: Along, leads: Along)? {
    guard let known = starts ?? leads, let dimension = known.dimension,
      let table = store.arrays.values.filter({
        StoreAxes.isTime($0) && StoreAxes.isValidity($0) && $0.dimensions.count == 2
          && $0.dimensionNames.contains(dimension) && used.isSuperset(of: $0.dimensionNames) && $0.count > 0
      }).min(by: { $0.name < $1.name }),
      let own = table.dimensionNames.firstIndex(of: dimension),
      table.dimensions[own].size == known.seconds.count
    else { return nil }
    let valid = try times(table, store)
    let (other, stride) = (table.dimensions[1 - own], own == 0 ? 1 : table.dimensions[1].size)
    let difference = Along(
      name: "\(table.name) less \(known.name)", dimension: other.name,
      seconds: (0..<other.size).map { valid[$0 * stride] - known.seconds[0] })
    return starts == nil ? (difference, known) : (known, difference)
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
    guard let units = array.units, let perUnit = CFTime.seconds(unitOfLead: units) else {
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
