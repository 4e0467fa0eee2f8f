import Basics
import Stores

/// Which coordinate is one of pressure levels, and which are other vertical axes.
extension StoreAxes {
  static let pressureNames: Set<String> = ["level", "isobaricInhPa", "pressure_level", "plev"]

  /// Whether a coordinate counts or weighs levels of a model (hybrid, sigma, …), whatever its units are.
  static func isModelLevel(_ array: ArrayInfo) -> Bool {
    let standard = array.attributes["standard_name"]?.text?.lowercased() ?? ""
    if standard.contains("sigma") || standard.contains("hybrid") || standard.contains("model_level")
      || standard.hasPrefix("atmosphere_") && standard.hasSuffix("coordinate") || standard.hasPrefix("ocean_")
    {
      return true
    }
    if array.attributes["formula_terms"] != nil || array.attributes["formula"] != nil { return true }
    let text =
      "\(array.name) \(array.attributes["long_name"]?.text ?? "") \(array.attributes["GRIB_typeOfLevel"]?.text ?? "")"
    let words = text.lowercased().replacing("_", with: " ")
    return ["hybrid", "sigma", "model level", "model layer", "eta level", "eta coordinate", "level number"].contains {
      words.contains($0)
    }
  }

  static func isPressure(_ array: ArrayInfo) -> Bool {
    let standard = array.attributes["standard_name"]?.text?.lowercased() ?? ""
    if standard == "air_pressure" { return true }
    // Heights, depths, potential temperatures and the like say so.
    if isModelLevel(array) || !standard.isEmpty && !standard.contains("pressure") { return false }
    let longName = array.attributes["long_name"]?.text?.lowercased() ?? ""
    if ["height", "depth", "altitude"].contains(where: longName.contains) { return false }
    guard let units = array.attributes["units"]?.text else { return pressureNames.contains(array.name) }
    return pressureNames.contains(array.name) || units != "1" && UnitConversion(from: units, to: "hPa") != nil
  }

  static func findLevel(_ store: any ArrayStore, used: Set<String>) -> Coordinate? {
    let found = store.arrays.values.filter { array in
      array.dimensions.count == 1 && (array.dimensionNames == [array.name] || used.contains(array.dimensionNames[0]))
        && !(array.dimensionNames != [array.name] && array.attributes["standard_name"]?.text != "air_pressure")
        && isPressure(array)
    }.sorted { $0.name < $1.name }
    func rank(_ array: ArrayInfo) -> Int {
      (used.contains(array.dimensionNames[0]) ? 0 : 4) + (pressureNames.contains(array.name) ? 0 : 2)
        + (array.dimensionNames == [array.name] ? 0 : 1)
    }
    return found.min { (rank($0), $0.name) < (rank($1), $1.name) }.map {
      Coordinate(variable: $0.name, dimension: $0.dimensionNames[0])
    }
  }

  /// Numbers that name pressures without a unit must be such as pressure levels have.
  static func arePressures(_ levelsHPa: [Double]) -> Bool {
    guard let highest = levelsHPa.max(), highest <= 1_100, highest >= 50 || levelsHPa.count == 1 else { return false }
    return levelsHPa.allSatisfy { level in
      level >= 100
        ? level.truncatingRemainder(dividingBy: 25) == 0
        : level >= 10 ? level.truncatingRemainder(dividingBy: 5) == 0 : level > 0
    }
  }

  /// Why a field with this dimension is not read.
  static func misfit(_ dimension: ArrayInfo.Dimension, in store: any ArrayStore, _ place: String) -> JigsawError {
    let coordinate = store.arrays[dimension.name]
    if let coordinate, isModelLevel(coordinate) {
      return JigsawError(
        place, "is on model levels ('\(dimension.name)' of \(dimension.size)), which are no pressures",
        expected: "pressure levels",
        found: ["standard_name", "long_name"].compactMap { coordinate.attributes[$0]?.text }.first ?? dimension.name,
        remedy: "interpolate it to pressure levels before")
    }
    if coordinate.map(isLead) ?? false {
      return JigsawError(
        place, "has several lead times ('\(dimension.name)' of \(dimension.size))", expected: "one",
        remedy: "select one entry of it before")
    }
    return JigsawError(
      place, "has a dimension '\(dimension.name)' of \(dimension.size) that is not understood",
      expected: "time, level, latitude, longitude", remedy: "select one entry of it before")
  }
}
