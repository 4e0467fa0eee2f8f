import Stores

/// Ellipsoids of the Earth on which grids are projected, as far as grid mappings name them.
enum Ellipsoid {
  /// Inverse flattening by name, of letters and digits (CF 1.11, appendix F; EPSG).
  private static let inverseFlattenings: [String: Double] = [
    "wgs84": 298.257223563, "wgs1984": 298.257223563, "grs80": 298.257222101, "grs1980": 298.257222101,
    "wgs72": 298.26, "airy1830": 299.3249646, "bessel1841": 299.1528128, "clarke1866": 294.978698214,
    "clarke1880": 293.465, "international1924": 297, "hayford1909": 297, "krassowsky1940": 298.3,
    "krassovsky1940": 298.3, "nad83": 298.257222101, "etrs89": 298.257222101, "nad27": 294.978698214,
  ]

  /// The flattening that a CF grid mapping says; zero for spheres, and where it says none. Nil for ellipsoids that aren't known.
  static func flattening(cf attributes: [String: AttributeValue]) -> Double? {
    func number(_ key: String) -> Double? {
      if case .numbers(let values)? = attributes[key], let value = values.first, value.isFinite { value } else { nil }
    }
    if let inverse = number("inverse_flattening") { return inverse > 1 ? 1 / inverse : 0 }
    if let found = flattening(major: number("semi_major_axis"), minor: number("semi_minor_axis")) { return found }
    if number("earth_radius") != nil { return 0 }
    let names = ["reference_ellipsoid_name", "horizontal_datum_name", "geographic_crs_name"].compactMap {
      attributes[$0]?.text.map(Lexicon.plain)
    }.filter { !$0.isEmpty && $0 != "unknown" }
    if let inverse = names.lazy.compactMap({ inverseFlattenings[$0] }).first { return 1 / inverse }
    if let inverse = attributes["crs_wkt"]?.text.flatMap(inverseFlattening) { return inverse > 1 ? 1 / inverse : 0 }
    return names.allSatisfy { $0.contains("spher") } ? 0 : nil
  }

  /// The flattening of axes in one unit; nil where one of them isn't known.
  static func flattening(major: Double?, minor: Double?) -> Double? {
    guard let major, let minor, minor > 0, major > 0 else { return nil }
    return max(0, 1 - minor / major)
  }

  /// The third entry of the ellipsoid in well-known text: `ELLIPSOID["WGS 84",6378137,298.257223563,…]`.
  private static func inverseFlattening(wkt: String) -> Double? {
    let text = wkt.uppercased()
    guard let start = ["ELLIPSOID[", "SPHEROID["].lazy.compactMap({ text.firstRange(of: $0) }).first else { return nil }
    let entries = text[start.upperBound...].prefix { $0 != "]" }.split(separator: ",")
    guard entries.count > 2 else { return nil }
    return Double(entries[2].filter { !$0.isWhitespace })
  }
}
