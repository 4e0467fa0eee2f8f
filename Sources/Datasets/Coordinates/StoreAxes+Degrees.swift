import Basics
import Stores

/// Latitudes and longitudes in degrees, from what units say.
extension StoreAxes {
  /// FP32 values at a bound round to a little more.
  private static let tolerance = 1e-3

  /// Values of two coordinates, in degrees.
  ///
  /// - Parameters:
  ///   - limit: values of one of them.
  ///   - shape: makes of the values as stored those that are meant.
  /// - Throws: when units are neither degrees nor radians; when there are none, and the values may be radians; naming the first
  ///   value that can't be a place.
  static func degrees(
    _ store: any ArrayStore, latitude: String, longitude: String, atMost limit: Int = GriddedStore.coordinateLimit,
    shape: (ArrayInfo, [Double]) throws -> [Double] = { $1 }
  ) throws -> (latitudes: [Double], longitudes: [Double]) {
    let infos = [try store.info(latitude), try store.info(longitude)]
    let values = try infos.map { try shape($0, GriddedStore.coordinate(store, $0.name, atMost: limit).doubles) }
    let factors = try infos.map { try degreesPerUnit($0, store) }
    if factors.contains(nil) { try refuseRadians(values, infos, store) }
    let degrees = zip(values, factors).map { values, factor in
      factor.map { factor in factor == 1 ? values : values.map { $0 * factor } } ?? values
    }
    for (index, most) in [90.0, 1_080].enumerated() {
      guard let wrong = degrees[index].first(where: { abs($0) > most + tolerance }) else { continue }
      throw JigsawError(
        "\(store.location): \(infos[index].name)", "has a coordinate that can't be",
        expected: "degrees from \(-most) to \(most)", found: "\(wrong)",
        remedy: "points without a place must be left out before")
    }
    return (degrees[0], degrees[1])
  }

  /// Degrees that count the other way, as UDUNITS knows them.
  private static let opposite: Set<String> = ["west", "w", "south", "s"]

  /// Nil where units say nothing.
  private static func degreesPerUnit(_ array: ArrayInfo, _ store: any ArrayStore) throws -> Double? {
    let units = array.units?.lowercased() ?? ""
    if units.hasPrefix("deg") || units.hasPrefix("°") {
      let direction = units.drop { $0 != "_" && $0 != " " }.dropFirst()
      return opposite.contains(String(direction)) ? -1 : 1
    }
    if units.hasPrefix("rad") { return 180 / .pi }
    if Unit(units)?.dimension == Unit.Dimension() { return nil }
    throw JigsawError(
      "\(store.location): \(array.name)", "has units that are no angle's", expected: "degrees or radians",
      found: "'\(units)'", remedy: "correct them")
  }

  /// - Throws: when all values would do as radians: as degrees they are a patch of the Atlantic.
  private static func refuseRadians(_ values: [[Double]], _ infos: [ArrayInfo], _ store: any ArrayStore) throws {
    func most(_ index: Int) -> Double { values[index].reduce(0) { max($0, abs($1)) } }
    guard values[0].count > 1, most(0) <= .pi / 2 + tolerance, most(1) <= 2 * .pi + tolerance else { return }
    let unsaid = infos.first { (try? degreesPerUnit($0, store)) == .some(nil) } ?? infos[0]
    throw JigsawError(
      "\(store.location): \(unsaid.name)", "has no units, and its values may be radians as well as degrees",
      expected: "units 'degrees_north' and 'degrees_east', or 'radian'",
      found: "latitudes within ±\(significant(most(0))), longitudes within ±\(significant(most(1)))",
      remedy: "give \(infos[0].name) and \(infos[1].name) their units")
  }
}
