import Basics
import Stores

extension Lexicon {
  /// Whether two CF standard names are those of one variable.
  static func areOfOneVariable(_ first: String, _ second: String) -> Bool {
    let names = Set((variables(standardName: first) ?? []).map(\.name))
    return (variables(standardName: second) ?? []).contains { names.contains($0.name) }
  }

  /// A difference of temperatures has no zero that would be moved (CF 1.11, 3.1.2); a mask of the sea is no mask of the land.
  private static func contradiction(of array: ArrayInfo, by variable: Variable) -> String? {
    if let metadata = array.attributes["units_metadata"]?.text, metadata.lowercased().contains("difference") {
      return "units_metadata '\(metadata)'"
    }
    guard variable.name == "lsm", let text = array.attributes["flag_meanings"]?.text,
      case .numbers(let values)? = array.attributes["flag_values"]
    else { return nil }
    let meanings = zip(text.lowercased().split(separator: " "), values)
    let isOther = meanings.contains { meaning, value in
      meaning.hasPrefix("land") && value != 1 || ["sea", "ocean", "water"].contains(String(meaning)) && value != 0
    }
    return isOther ? "flag_meanings '\(text)' for \(values.map { Channel.text($0) }.joined(separator: ", "))" : nil
  }

  /// The attribute of an array that makes it another quantity than the variable whose name it has; nil where nothing does.
  static func contradiction(of array: ArrayInfo, to variable: Variable, _ place: VerticalPlace) -> String? {
    // GRIB's numbers say what a field is; the standard names that ecCodes gives them are not always that.
    let fits = array.units.map { UnitConversion(from: $0, to: variable.units) != nil } ?? true
    if fits, array.attributes["GRIB_paramId"] == nil, let standard = array.attributes["standard_name"]?.text,
      isOfAnother(standard.lowercased(), array.units, than: variable)
    {
      return "standard_name '\(standard)'"
    }
    if let statistic = periodStatistic(of: array), isOther(statistic, than: variable) { return statistic.found }
    if let found = contradiction(of: array, by: variable) { return found }
    if case .height(let metres) = place, isOnLevels(variable.name) || !isNominal(metres, for: variable) {
      return "a height of \(Channel.text(metres)) m"
    }
    return nil
  }

  /// Heights near the ground are nominal: models have "2 m" at 1.5 m, "10 m" at their lowest level.
  private static func isNominal(_ metres: Double, for variable: Variable) -> Bool {
    switch LexiconTable.heights[variable.name] {
    case nil: true
    case 2?: metres >= 1 && metres < 10
    case 10?: metres >= 5 && metres <= 30
    case let own?: own == metres
    }
  }

  /// The names that ecCodes gives to variables whose standard names, as it gives them, are those of others here.
  private static let namesOfECMWF = ["stl1": "surface_temperature"]

  private static func isOfAnother(_ standard: String, _ units: String?, than variable: Variable) -> Bool {
    if namesOfECMWF[variable.name] == standard { return false }
    let shared = variable.sharedName.flatMap { Lexicon[$0] }
    let own = [variable, shared].compactMap { $0 }.flatMap {
      [$0.standardName].compactMap { $0 } + $0.otherStandardNames
    }
    if own.isEmpty || own.contains(standard) { return false }
    if let others = variables(standardName: standard) {
      // A flux and its sum share a name.
      let fitting = others.filter { other in units.map { UnitConversion(from: $0, to: other.units) != nil } ?? true }
      return !fitting.isEmpty && !others.contains(variable)
    }
    // "temperature" says less than "air_temperature", and nothing else.
    if own.contains(where: { $0.hasSuffix("_\(standard)") }) { return false }
    return !saysNothing.contains(standard) && !(sameStandardNames[variable.name] ?? []).contains(standard)
      && !names(of: variable).contains(plain(standard))
  }

  private static let saysNothing: Set<String> = ["", "unknown", "none", "n/a", "na", "-", "undefined", "not_defined"]

  /// Standard names that are not the variable's own, but as arrays with its name use them the same quantity.
  private static let sameStandardNames: [String: Set<String>] = {
    let (east, north): (Set<String>, Set<String>) = (
      ["x_wind", "grid_eastward_wind"], ["y_wind", "grid_northward_wind"]
    )
    return [
      "u": east, "u10": east, "u100": east, "v": north, "v10": north, "v100": north,
      "vo": ["atmosphere_upward_relative_vorticity"], "sp": ["air_pressure", "air_pressure_at_surface"],
      "msl": ["air_pressure_reduced_to_mean_sea_level"],
      "sst": ["sea_surface_foundation_temperature", "sea_surface_subskin_temperature", "sea_surface_skin_temperature"],
      "tcwv": ["lwe_thickness_of_atmosphere_mass_content_of_water_vapor"],
      "cape": ["atmosphere_convective_available_potential_energy_wrt_surface"],
      "cin": ["atmosphere_convective_inhibition_wrt_surface"],
      "tp": ["precipitation_amount"], "tp6h": ["precipitation_amount"], "tp12h": ["precipitation_amount"],
      "tp24h": ["precipitation_amount"], "cp": ["convective_precipitation_amount"],
      "lsp": ["stratiform_precipitation_amount", "large_scale_precipitation_amount"], "sf": ["snowfall_amount"],
      "avg_tprate": ["lwe_precipitation_rate"], "avg_cpr": ["lwe_convective_precipitation_rate"],
      "avg_tsrwe": ["lwe_snowfall_rate"], "ci": ["sea_ice_concentration"], "orog": ["altitude"],
    ]
  }()

  /// Letters and digits, in lower case.
  static func plain(_ text: String) -> String { text.lowercased().filter { $0.isLetter || $0.isNumber } }

  /// All names of the variable, which some write as a standard name: "2m_temperature".
  private static func names(of variable: Variable) -> [String] {
    ([variable.name, variable.longName] + variable.aliases).map(plain)
  }

  /// Another array of GRIB that holds the same variable under another parameter number, as centres change it: each has some of the
  /// dates.
  static func otherNumber(of array: ArrayInfo, among arrays: some Sequence<ArrayInfo>, _ location: String)
    -> JigsawError?
  {
    func numbers(_ array: ArrayInfo) -> (name: String, number: Double)? {
      guard let name = array.attributes["GRIB_shortName"]?.text, name != "unknown" else { return nil }
      return array.attributes["GRIB_paramId"]?.number.map { (name, $0) }
    }
    guard let own = numbers(array),
      let other = arrays.filter({ numbers($0).map { $0.name == own.name && $0.number != own.number } ?? false })
        .min(by: { $0.name < $1.name })
    else { return nil }
    func text(_ array: ArrayInfo) -> String {
      "\(Channel.text(numbers(array)?.number ?? 0)) (\(array.name), \(array.units ?? "no units"))"
    }
    return JigsawError(
      "\(location): \(array.name)", "is there under several parameter numbers, each for some of the dates or levels",
      expected: "one number", found: "\(text(array)) and \(text(other))",
      remedy:
        "split the file, for example with 'grib_copy \(location) [paramId].grib', and name the parts by one pattern, or take "
        + "one with data.sources.names")
  }

  /// The refusal of an array that contradicts the name it has.
  static func contradicts(
    _ array: ArrayInfo, _ variable: Variable, _ found: String, _ location: String, remedy: String? = nil
  ) -> JigsawError {
    JigsawError(
      "\(location): \(array.name)",
      "is called \(variable.name) (\(variable.longName)), but says that it is another quantity",
      expected: variable.standardName.map { "standard_name '\($0)'" }, found: found,
      remedy: remedy
        ?? "correct it, or say that it is meant with data.sources.names: {\(variable.name): \(array.name)}")
  }
}
