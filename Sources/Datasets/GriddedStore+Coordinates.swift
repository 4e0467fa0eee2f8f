import Basics
import Stores

/// How a store's axes are found and read.
extension GriddedStore {
  /// The dimension of an ensemble, by CF's name or those that cfgrib, Anemoi and others use.
  static func memberAxis(_ store: any ArrayStore) -> String? {
    let names = ["number", "realization", "member", "ensemble", "ensemble_member"]
    let coordinates = store.arrays.values.filter {
      $0.dimensionNames == [$0.name] && $0.attributes["standard_name"]?.text == "realization"
    }
    if let coordinate = coordinates.min(by: { $0.name < $1.name }) { return coordinate.name }
    let dimensions = Set(store.arrays.values.flatMap(\.dimensionNames))
    return names.first { dimensions.contains($0) }
  }

  /// The members' own numbers along the dimension of an ensemble, or of the one that a coordinate without dimension names; nil where
  /// nothing says them, or not in whole numbers.
  static func memberNumbers(_ store: any ArrayStore, _ axis: String?) throws -> [Int]? {
    guard let coordinate = axis.map({ store.arrays[$0] }) ?? scalarMember(store),
      axis == nil || coordinate.dimensionNames == [axis], !coordinate.isText
    else { return nil }
    let numbers = try store.readCoordinate(coordinate.name, atMost: coordinateLimit).doubles.map { Int(exactly: $0) }
    let whole = numbers.compactMap { $0 }
    return whole.count == numbers.count && Set(whole).count == whole.count ? whole : nil
  }

  /// The coordinate without dimension that names the member of all fields: the one that CF calls so, else by its name where nothing
  /// says that it counts something else.
  private static func scalarMember(_ store: any ArrayStore) -> ArrayInfo? {
    let scalars = store.arrays.values.filter(\.shape.isEmpty).sorted { $0.name < $1.name }
    if let said = scalars.first(where: { $0.attributes["standard_name"]?.text == "realization" }) { return said }
    let words = ["number", "realization", "member"]
    let named = scalars.filter { array in
      ["standard_name", "long_name"].allSatisfy { key in
        let text = array.attributes[key]?.text?.lowercased() ?? ""
        return text.isEmpty || text == "number" || text.contains("ensemble") || text.contains("realization")
          || text.contains("member")
      }
    }
    return words.lazy.compactMap { name in named.first { $0.name == name } }.first
  }

  /// No axis has more points; a longer one comes from damaged metadata.
  static let coordinateLimit = 1 << 22

  static func coordinate(_ store: any ArrayStore, _ name: String, atMost limit: Int = coordinateLimit) throws
    -> RawArray
  {
    let raw = try store.readCoordinate(name, atMost: limit)
    if raw.doubles.contains(where: { !$0.isFinite }) {
      throw JigsawError("\(store.location): \(name)", "has coordinates that are not numbers")
    }
    return raw
  }

  static func isMonotonic(_ values: [Double]) -> Bool {
    let steps = zip(values, values.dropFirst()).map { $1 - $0 }
    return steps.allSatisfy { $0 > 0 } || steps.allSatisfy { $0 < 0 }
  }

  static func readTimes(_ store: any ArrayStore, _ name: String) throws -> [Timestamp] {
    let place = "\(store.location): \(name)"
    let info = try store.info(name)
    guard let units = info.attributes["units"]?.text else {
      throw JigsawError(place, "has no units", expected: "for example 'hours since 2000-01-01'")
    }
    let cf = try CFTime(units: units, calendar: info.attributes["calendar"]?.text, place: place)
    let raw = try coordinate(store, name)
    let times =
      try raw.type == .int64 || raw.type == .uint64
      ? raw.integers.map { try cf.timestamp($0) } : raw.doubles.map { try cf.timestamp($0) }
    return try requireAscending(times, store, name)
  }

  static func requireAscending(_ times: [Timestamp], _ store: any ArrayStore, _ name: String) throws -> [Timestamp] {
    guard let (earlier, later) = zip(times, times.dropFirst()).first(where: { $0 >= $1 }) else { return times }
    throw JigsawError(
      "\(store.location): \(name)", "is not ascending", found: "\(later.display) after \(earlier.display)",
      remedy: "sort the store by time")
  }

  /// hPa, by dimension.
  static func readLevels(
    _ store: any ArrayStore, _ coordinates: [StoreAxes.Coordinate], _ notes: inout [String]
  ) throws -> [String: [Double]] {
    var levels: [String: [Double]] = [:]
    for coordinate in coordinates {
      levels[coordinate.dimension] = try readLevels(store, coordinate.variable, &notes)
    }
    return levels
  }

  private static func readLevels(_ store: any ArrayStore, _ name: String, _ notes: inout [String]) throws -> [Double] {
    let given = try store.info(name).attributes["units"]?.text
    let units = given ?? "hPa"
    guard let conversion = UnitConversion(from: units, to: "hPa") else {
      throw JigsawError(
        "\(store.location): \(name)", "has units that don't fit pressure levels", expected: "hPa or Pa",
        found: "'\(units)'")
    }
    if conversion != .none { notes.append("levels converted from \(units) to hPa") }
    // Rounded, so that 1e-2 times Pa gives hPa as people write them.
    let levels = try coordinate(store, name).doubles.map { ($0 * conversion.factor * 1e6).rounded() / 1e6 }
    if given == nil, !StoreAxes.arePressures(levels) {
      throw JigsawError(
        "\(store.location): \(name)", "has no units, and its numbers are none of pressure levels in hPa",
        found: levels.prefix(10).map { Channel.text($0) }.joined(separator: ", "),
        remedy: "give it units; model levels must be interpolated to pressure levels before")
    }
    var known: Set<Double> = []
    if let twice = levels.first(where: { !known.insert($0).inserted }) {
      throw JigsawError(
        "\(store.location): \(name)", "holds the level \(Channel.text(twice)) hPa twice",
        remedy: "leave one of them out before")
    }
    return levels
  }
}

extension ArrayStore {
  /// Times of a store for which it has no field of an array, or lacks a member of it.
  ///
  /// - Parameters:
  ///   - dimension: that of times.
  ///   - level: the dimension of levels, and the index of the wanted one; nil without any.
  func times(
    _ times: [Timestamp], without array: ArrayInfo, along dimension: String?, level: (dimension: String?, index: Int?)
  ) -> Set<Timestamp> {
    func place(_ dimension: String?) -> Int? { dimension.flatMap { array.dimensionNames.firstIndex(of: $0) } }
    var box = array.shape.map { 0..<$0 }
    guard let time = place(dimension), box[time] == times.indices, hasGaps(array.name, box) else { return [] }
    if let dimension = place(level.dimension), let index = level.index { box[dimension] = index..<index + 1 }
    var absent: Set<Timestamp> = []
    for index in times.indices {
      box[time] = index..<index + 1
      if hasGaps(array.name, box) { absent.insert(times[index]) }
    }
    return absent
  }
}
