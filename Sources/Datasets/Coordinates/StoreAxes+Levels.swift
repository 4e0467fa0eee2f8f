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

  static func isPressure(_ array: ArrayInfo) -> Bool { measuresPressure(array) && !saysOtherwise(array) }

  /// Whether an array has a unit of pressure, or none and a name of pressure levels, and is none of a model's levels.
  private static func measuresPressure(_ array: ArrayInfo) -> Bool {
    if array.attributes["standard_name"]?.text?.lowercased() == "air_pressure" { return true }
    if isModelLevel(array) { return false }
    guard let units = array.attributes["units"]?.text else { return pressureNames.contains(array.name) }
    return units != "1" && UnitConversion(from: units, to: "hPa") != nil
  }

  /// Whether words of an array speak of another thing: heights, depths, potential temperatures, differences of pressure. GrADS calls
  /// every vertical axis an altitude, and MERRA-2 has standard names of its own: then the numbers decide.
  private static func saysOtherwise(_ array: ArrayInfo) -> Bool {
    let standard = array.attributes["standard_name"]?.text?.lowercased() ?? ""
    if standard == "air_pressure" { return false }
    let longName = array.attributes["long_name"]?.text?.lowercased() ?? ""
    return !standard.isEmpty && !standard.contains("pressure")
      || ["height", "depth", "altitude", "difference"].contains(where: longName.contains)
  }

  /// Whether the numbers of an array with a unit of pressure are such as pressure levels have.
  private static func holdsPressures(_ array: ArrayInfo, _ store: any ArrayStore) -> Bool {
    guard let conversion = array.units.flatMap({ UnitConversion(from: $0, to: "hPa") }),
      let values = try? GriddedStore.coordinate(store, array.name).doubles
    else { return false }
    return arePressures(values.map { ($0 * conversion.factor * 1e6).rounded() / 1e6 })
  }

  /// - Parameter used: dimensions of fields beside those of the grid.
  static func findLevels(_ store: any ArrayStore, used: Set<String>) -> [Coordinate] {
    let found = store.arrays.values.filter { array in
      array.dimensions.count == 1 && (array.dimensionNames == [array.name] || used.contains(array.dimensionNames[0]))
        && !(array.dimensionNames != [array.name] && array.attributes["standard_name"]?.text != "air_pressure")
        && !(store.arrays[array.dimensionNames[0]].map(isModelLevel) ?? false)
        && measuresPressure(array) && (!saysOtherwise(array) || holdsPressures(array, store))
    }.sorted { $0.name < $1.name }
    func rank(_ array: ArrayInfo) -> Int {
      (used.contains(array.dimensionNames[0]) ? 0 : 4) + (pressureNames.contains(array.name) ? 0 : 2)
        + (array.dimensionNames == [array.name] ? 0 : 1)
    }
    let sorted = found.sorted { (rank($0), $0.name) < (rank($1), $1.name) }
    // GFS has an axis for each set of levels.
    var levels: [Coordinate] = []
    for array in sorted where levels.isEmpty || used.contains(array.dimensionNames[0]) {
      let dimension = array.dimensionNames[0]
      if levels.contains(where: { $0.dimension == dimension }) { continue }
      levels.append(Coordinate(variable: array.name, dimension: dimension))
    }
    return levels
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
    if dimension.name == "expver" {
      return JigsawError(
        place, "holds final and preliminary data apart ('expver' of \(dimension.size))",
        expected: "one value for each time",
        remedy: "merge them before, for example in xarray: ds.sel(expver=1).combine_first(ds.sel(expver=5))")
    }
    return JigsawError(
      place, "has a dimension '\(dimension.name)' of \(dimension.size) that is not understood",
      expected: "time, level, latitude, longitude", remedy: "select one entry of it before")
  }
}
