import Basics
import Stores

/// Which coordinate is one of pressure levels, and which are other vertical axes.
extension StoreAxes {
  static let pressureNames: Set<String> = ["level", "isobaricInhPa", "pressure_level", "plev"]

  /// Names of coefficients from which pressures of a model's levels follow.
  private static let coefficients: Set<String> = [
    "hyam", "hybm", "hyai", "hybi", "ak", "bk", "vct_a", "vct_b", "a_model", "b_model",
  ]

  /// Whether a coordinate counts or weighs levels of a model (hybrid, sigma, …), whatever its units are.
  static func isModelLevel(_ array: ArrayInfo, in store: any ArrayStore) -> Bool {
    isModelLevel(array)
      || store.arrays.values.contains {
        coefficients.contains($0.name.lowercased()) && $0.dimensionNames == array.dimensionNames
      }
  }

  private static func isModelLevel(_ array: ArrayInfo) -> Bool {
    let standard = array.attributes["standard_name"]?.text?.lowercased() ?? ""
    if standard.contains("sigma") || standard.contains("hybrid") || standard.contains("model_level")
      || standard.hasPrefix("atmosphere_") && standard.hasSuffix("coordinate") || standard.hasPrefix("ocean_")
    {
      return true
    }
    if array.attributes["formula_terms"] != nil || array.attributes["formula"] != nil { return true }
    // "Full" and "half" levels of GFDL and GFS, at reference pressures.
    if ["pfull", "phalf"].contains(array.name.lowercased()) || array.attributes["edges"]?.text == "phalf" {
      return true
    }
    let text =
      "\(array.name) \(array.attributes["long_name"]?.text ?? "") \(array.attributes["GRIB_typeOfLevel"]?.text ?? "")"
    let words = text.lowercased().replacing("_", with: " ")
    return words.split(separator: " ").last == "eta"
      || [
        "hybrid", "sigma", "model level", "model layer", "eta level", "eta coordinate", "level number",
        "full pressure level",
        "half pressure level", "a/p0",
      ]
      .contains { words.contains($0) }
  }

  static func isPressure(_ array: ArrayInfo) -> Bool { measuresPressure(array) && !saysOtherwise(array) }

  /// Whether an array says that it holds pressures, by its standard name or a name that nothing else has.
  private static func namesPressure(_ array: ArrayInfo) -> Bool {
    array.attributes["standard_name"]?.text?.lowercased() == "air_pressure"
      || pressureNames.contains(array.name) && array.name != "level"
  }

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
      || ["height", "depth", "altitude", "difference", "isentropic", "potential temperature"].contains(
        where: longName.contains)
  }

  /// Whether an array that measures pressure is an axis of pressure levels: by its name, or by its numbers, since those at the middle of
  /// a model's layers are not round.
  private static func isPlausible(_ array: ArrayInfo, _ store: any ArrayStore) -> Bool {
    let levelsHPa = pressures(array, store)
    if saysOtherwise(array) { return levelsHPa.map(arePressures) ?? false }
    return namesPressure(array) || array.units == nil || (levelsHPa.map(areRound) ?? false)
  }

  /// Numbers of an array with a unit of pressure, in hPa; nil where they can't be read.
  private static func pressures(_ array: ArrayInfo, _ store: any ArrayStore) -> [Double]? {
    guard let conversion = array.units.flatMap({ UnitConversion(from: $0, to: "hPa") }),
      let values = try? GriddedStore.coordinate(store, array.name).doubles
    else { return nil }
    return values.map { ($0 * conversion.factor * 1e6).rounded() / 1e6 }
  }

  /// From 100 hPa on multiples of 5 hPa, below numbers of two digits.
  private static func areRound(_ levelsHPa: [Double]) -> Bool {
    levelsHPa.allSatisfy { level in
      if level >= 100 { return level.truncatingRemainder(dividingBy: 5) == 0 }
      guard level > 0 else { return false }
      var digits = level
      while digits < 10 { digits *= 10 }
      return abs(digits - digits.rounded()) < 1e-6
    }
  }

  /// - Parameter used: dimensions of fields beside those of the grid.
  static func findLevels(_ store: any ArrayStore, used: Set<String>) -> [Coordinate] {
    let found = store.arrays.values.filter { array in
      array.dimensions.count == 1 && (array.dimensionNames == [array.name] || used.contains(array.dimensionNames[0]))
        && !(array.dimensionNames != [array.name] && array.attributes["standard_name"]?.text != "air_pressure")
        && !(store.arrays[array.dimensionNames[0]].map { isModelLevel($0, in: store) } ?? false)
        && measuresPressure(array) && isPlausible(array, store)
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
    if let coordinate, isModelLevel(coordinate, in: store) {
      return JigsawError(
        place, "is on model levels ('\(dimension.name)' of \(dimension.size)), which are no pressures",
        expected: "pressure levels",
        found: ["standard_name", "long_name"].compactMap { coordinate.attributes[$0]?.text }.first ?? dimension.name,
        remedy: "interpolate it to pressure levels before")
    }
    if let coordinate, measuresPressure(coordinate) {
      let values = (try? GriddedStore.coordinate(store, coordinate.name).doubles) ?? []
      return JigsawError(
        place, "is on levels ('\(dimension.name)' of \(dimension.size)) whose numbers are not those of pressure levels",
        expected: "pressure levels", found: values.prefix(3).map { Channel.text($0) }.joined(separator: ", "),
        remedy:
          "interpolate levels of a model to pressure levels before; give pressures the standard_name 'air_pressure'")
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
