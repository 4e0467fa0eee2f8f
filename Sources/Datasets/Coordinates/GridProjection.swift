import Basics
import Stores

#if canImport(Glibc)
  import Glibc
#endif

/// How the y axis of a rotated or projected grid lies to the north: what rotates components along the grid into eastward and
/// northward ones.
enum GridProjection: Sendable, Equatable {
  /// Degrees north and east of the grid's north pole.
  case rotatedPole(latitude: Double, longitude: Double)
  /// Lambert's conic and the polar stereographic projection: meridians turn by `cone` times their distance from the central one.
  case conic(cone: Double, centralMeridian: Double)
  /// Meridians are the grid's y lines.
  case upright

  /// The array that a field names as its grid mapping ("crs", "crs: x y").
  static func mapping(of field: ArrayInfo, in store: any ArrayStore) -> ArrayInfo? {
    guard let text = field.attributes["grid_mapping"]?.text, let word = text.split(separator: " ").first else {
      return nil
    }
    return store.arrays[word.hasSuffix(":") ? String(word.dropLast()) : String(word)]
  }

  /// Nil for projections whose directions are not computed.
  init?(cf attributes: [String: AttributeValue]) {
    func number(_ key: String) -> Double? {
      if case .numbers(let values)? = attributes[key], let value = values.first, value.isFinite { value } else { nil }
    }
    switch attributes["grid_mapping_name"]?.text {
    case "latitude_longitude", "mercator", "lambert_cylindrical_equal_area": self = .upright
    case "rotated_latitude_longitude":
      guard let latitude = number("grid_north_pole_latitude"), let longitude = number("grid_north_pole_longitude")
      else {
        return nil
      }
      self = .rotatedPole(latitude: latitude, longitude: longitude)
    case "lambert_conformal_conic":
      guard let meridian = number("longitude_of_central_meridian"),
        case .numbers(let parallels)? = attributes["standard_parallel"], let first = parallels.first
      else { return nil }
      let second = parallels.count > 1 ? parallels[1] : first
      // The cone through one parallel is the same on any ellipsoid.
      guard let flattening = Ellipsoid.flattening(cf: attributes) ?? (second == first ? 0 : nil) else { return nil }
      self = .conic(cone: GridProjection.cone(first, second, flattening: flattening), centralMeridian: meridian)
    case "polar_stereographic":
      guard let pole = number("latitude_of_projection_origin"),
        let meridian = number("straight_vertical_longitude_from_pole") ?? number("longitude_of_projection_origin")
      else { return nil }
      self = .conic(cone: pole > 0 ? 1 : -1, centralMeridian: meridian)
    default: return nil
    }
  }

  /// From what ecCodes says of a message's grid, as arrays of `GRIBStore` and cfgrib's have it. Nil as above.
  init?(grib attributes: [String: AttributeValue]) {
    func number(_ key: String) -> Double? { attributes["GRIB_" + key]?.number }
    switch attributes["GRIB_gridType"]?.text {
    case "regular_ll", "regular_gg", "reduced_ll", "reduced_gg", "mercator": self = .upright
    case "rotated_ll", "rotated_gg":
      guard let latitude = number("latitudeOfSouthernPoleInDegrees"),
        let longitude = number("longitudeOfSouthernPoleInDegrees")
      else { return nil }
      self = .rotatedPole(latitude: -latitude, longitude: longitude + 180)
    case "lambert":
      guard let meridian = number("LoVInDegrees"), let first = number("Latin1InDegrees") else { return nil }
      let flattening = Ellipsoid.flattening(
        major: number("earthMajorAxisInMetres"), minor: number("earthMinorAxisInMetres"))
      self = .conic(
        cone: GridProjection.cone(first, number("Latin2InDegrees") ?? first, flattening: flattening ?? 0),
        centralMeridian: meridian)
    case "polar_stereographic":
      guard let meridian = number("orientationOfTheGridInDegrees") else { return nil }
      // The flag's first bit is that of the south pole; without it the latitude of true scale tells.
      let isSouth = number("projectionCentreFlag").map { $0 >= 128 } ?? ((number("LaDInDegrees") ?? 60) < 0)
      self = .conic(cone: isSouth ? -1 : 1, centralMeridian: meridian)
    default: return nil
    }
  }

  /// The constant of a conformal cone through two parallels (Snyder 1987, eqs. 14-14, 14-15, 15-8).
  static func cone(_ first: Double, _ second: Double, flattening f: Double) -> Double {
    let e = (f * (2 - f)).squareRoot()
    let (a, b) = (first * .pi / 180, second * .pi / 180)
    if abs(a - b) < 1e-9 { return sin(a) }
    func m(_ latitude: Double) -> Double { cos(latitude) / (1 - e * e * sin(latitude) * sin(latitude)).squareRoot() }
    func t(_ latitude: Double) -> Double {
      tan(.pi / 4 - latitude / 2) / pow((1 - e * sin(latitude)) / (1 + e * sin(latitude)), e / 2)
    }
    return (log(m(a)) - log(m(b))) / (log(t(a)) - log(t(b)))
  }

  /// Radians from north, clockwise, to the grid's y axis at a point.
  func bearing(latitude: Double, longitude: Double) -> Double {
    let radians = Double.pi / 180
    switch self {
    case .upright: return 0
    case .conic(let cone, let meridian): return cone * remainder(longitude - meridian, 360) * radians
    case .rotatedPole(let poleLatitude, let poleLongitude):
      // Towards the grid's pole, along the great circle.
      let (away, phi, pole) = ((poleLongitude - longitude) * radians, latitude * radians, poleLatitude * radians)
      return atan2(sin(away) * cos(pole), cos(phi) * sin(pole) - sin(phi) * cos(pole) * cos(away))
    }
  }
}
