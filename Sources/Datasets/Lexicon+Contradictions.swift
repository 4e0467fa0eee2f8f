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

  /// The coordinate of one entry by which an array is a quantile of a variable, and its value.
  private static func quantile(_ array: ArrayInfo, of variable: Variable, in store: any ArrayStore) -> String? {
    let named = [store.attributes, array.attributes].reduce(into: Set(array.dimensionNames)) {
      $0.formUnion(StoreAxes.words($1["coordinates"]))
    }
    if Lexicon[variable.name] == nil { return nil }
    let found = store.arrays.values.filter { coordinate in
      let name = coordinate.name.lowercased()
      return coordinate.count == 1 && (coordinate.shape.isEmpty || named.contains(coordinate.name))
        && (["quantile", "quantiles", "percentile", "percentiles"].contains(name) || name.hasPrefix("percentile_over_"))
    }.min { $0.name < $1.name }
    return found.map { coordinate in
      let value = try? GriddedStore.coordinate(store, coordinate.name, atMost: 1).doubles.first
      return "\(coordinate.name)\(value.map { " \(Channel.text($0))" } ?? "")"
    }
  }

  /// Names of heights in metres, and of masses per area, of arrays whose variables have other units.
  private static let namesOfUnits: [String: (names: Set<String>, found: String)] = {
    let mass: (Set<String>, String) = (["apcp", "snw"], "the name of a mass per area and no units")
    let height: (Set<String>, String) = (
      ["zg", "hgt", "gh", "geopotentialheight"], "the name of a height and no units"
    )
    return ["z": height, "tp": mass, "sd": mass]
  }()

  /// The name by which an array without units has others than the variable.
  private static func impliedUnit(of array: ArrayInfo, than variable: Variable) -> String? {
    guard array.units == nil, let (names, found) = namesOfUnits[variable.name] else { return nil }
    let own = [array.name, array.attributes["standard_name"]?.text ?? "", array.attributes["long_name"]?.text ?? ""]
    return own.map(plain).contains(where: names.contains) ? found : nil
  }

  /// The attribute or coordinate of an array that makes it another quantity than the variable whose name it has; nil where nothing
  /// does.
  static func contradiction(
    of array: ArrayInfo, to variable: Variable, _ place: VerticalPlace, in store: any ArrayStore
  ) -> String? {
    // GRIB's numbers say what a field is; the standard names that ecCodes gives them are not always that.
    let fits = array.units.map { UnitConversion(from: $0, to: variable.units) != nil } ?? true
    if fits, array.attributes["GRIB_paramId"] == nil, let standard = array.attributes["standard_name"]?.text,
      isOfAnother(standard.lowercased(), than: variable)
    {
      return "standard_name '\(standard)'"
    }
    if let found = impliedUnit(of: array, than: variable) { return found }
    if Lexicon[variable.name] != nil, let type = array.attributes["GRIB_dataType"]?.text,
      GRIBDataType.withoutValues.contains(type)
    {
      return "GRIB_dataType '\(type)'"
    }
    // A variable that is not known is whatever the array says.
    if Lexicon[variable.name] != nil, let statistic = periodStatistic(of: array), isOther(statistic, than: variable) {
      return statistic.found
    }
    if let found = contradiction(of: array, by: variable) ?? quantile(array, of: variable, in: store) { return found }
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

  private static func isOfAnother(_ said: String, than variable: Variable) -> Bool {
    guard Lexicon[variable.name] != nil, namesOfECMWF[variable.name] != said, !saysNothing.contains(said) else {
      return false
    }
    // CF's former name of a sum: "integral_of_surface_downwelling_shortwave_flux_in_air_wrt_time".
    let isFormer = said.hasPrefix("integral_of_") && said.hasSuffix("_wrt_time")
    let standard =
      isFormer ? "integral_wrt_time_of_\(said.dropFirst("integral_of_".count).dropLast("_wrt_time".count))" : said
    let shared = variable.sharedName.flatMap { Lexicon[$0] }
    let own =
      [variable, shared].compactMap { $0 }.flatMap {
        [$0.standardName].compactMap { $0 } + $0.otherStandardNames
      } + (sameStandardNames[variable.name] ?? [])
    // "temperature" says less than "air_temperature", and nothing else.
    if own.contains(where: { $0 == standard || $0.hasSuffix("_\(standard)") })
      || names(of: variable).contains(plain(standard))
    {
      return false
    }
    guard let others = variables(standardName: standard) else {
      return own.isEmpty ? speaksOfAnother(standard, than: variable) : true
    }
    // The name of a mean rate is that of what it adds up to, too.
    return !others.contains { $0.name == LexiconTable.meanRates[variable.name] }
  }

  /// Words that the names of very different variables share.
  private static let commonWords: Set<String> = [
    "of", "in", "the", "at", "to", "and", "on", "due", "air", "atmosphere", "surface", "total", "column", "mean", "net",
    "low", "high", "layer", "level", "area", "fraction", "cover", "type", "mass", "content", "amount", "flux", "rate",
    "thickness", "depth", "height", "angle", "index", "water", "integral", "wrt", "time",
  ]
  private static let directions: Set<String> = [
    "eastward", "northward", "upward", "downward", "upwelling", "downwelling", "outgoing", "incoming",
  ]

  /// Whether a standard name that isn't known speaks of another quantity than a variable that has none: it names something, or a
  /// direction, and none of the words for the variable does.
  private static func speaksOfAnother(_ standard: String, than variable: Variable) -> Bool {
    func words(_ text: String) -> Set<String> {
      Set(text.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init))
    }
    let said = words(standard).subtracting(commonWords)
    let own = ([variable.name, variable.longName] + variable.aliases).reduce(into: Set()) { $0.formUnion(words($1)) }
    return !said.intersection(directions).isSubset(of: own) || !said.isEmpty && said.isDisjoint(with: own)
  }

  private static let saysNothing: Set<String> = ["", "unknown", "none", "n/a", "na", "-", "undefined", "not_defined"]

  /// Standard names that are not the variable's own, but as arrays with its name use them the same quantity.
  private static let sameStandardNames: [String: Set<String>] = {
    let (east, north): (Set<String>, Set<String>) = (
      ["x_wind", "grid_eastward_wind"], ["y_wind", "grid_northward_wind"]
    )
    let (sensible, latent): (Set<String>, Set<String>) = (
      ["surface_upward_sensible_heat_flux", "surface_downward_sensible_heat_flux"],
      ["surface_upward_latent_heat_flux", "surface_downward_latent_heat_flux"]
    )
    let sun: Set<String> = ["toa_incoming_shortwave_flux", "integral_wrt_time_of_toa_incoming_shortwave_flux"]
    return [
      "tcw": ["atmosphere_mass_content_of_water", "atmosphere_water_content"],
      "viwve": ["eastward_atmosphere_water_transport_across_unit_distance"],
      "viwvn": ["northward_atmosphere_water_transport_across_unit_distance"],
      "ro": ["lwe_thickness_of_runoff_amount"], "sro": ["lwe_thickness_of_surface_runoff_amount"],
      "ssro": ["lwe_thickness_of_subsurface_runoff_amount"],
      "e": ["lwe_thickness_of_water_evaporation_amount", "water_evaporation_amount"],
      "ssrd": ["surface_downwelling_shortwave_flux_in_air"], "strd": ["surface_downwelling_longwave_flux_in_air"],
      "ssr": ["surface_net_downward_shortwave_flux"],
      "str": ["surface_net_downward_longwave_flux", "surface_net_upward_longwave_flux"],
      "tsr": [
        "toa_net_downward_shortwave_flux", "toa_net_upward_shortwave_flux",
        "integral_wrt_time_of_toa_net_downward_shortwave_flux",
      ],
      "ttr": [
        "toa_outgoing_longwave_flux", "toa_net_upward_longwave_flux",
        "integral_wrt_time_of_toa_outgoing_longwave_flux",
      ],
      "tisr": sun, "tisr6h": sun, "tisr12h": sun, "tisr24h": sun,
      "fdir": ["surface_direct_downwelling_shortwave_flux_in_air"],
      "sshf": sensible.union(sensible.map { "integral_wrt_time_of_\($0)" }),
      "slhf": latent.union(latent.map { "integral_wrt_time_of_\($0)" }), "avg_ishf": sensible, "avg_slhtf": latent,
      "ewss": ["surface_downward_eastward_stress"], "nsss": ["surface_downward_northward_stress"],
      "avg_snlwrf": ["surface_net_upward_longwave_flux"], "avg_tnswrf": ["toa_net_upward_shortwave_flux"],
      "avg_tnlwrf": ["toa_outgoing_longwave_flux", "toa_net_upward_longwave_flux"],
      "cvl": ["vegetation_area_fraction"], "cvh": ["vegetation_area_fraction"],
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
    _ array: ArrayInfo, _ variable: Variable, _ found: String, _ location: String, at place: VerticalPlace = .unsaid,
    remedy: String? = nil
  ) -> JigsawError {
    JigsawError(
      "\(location): \(array.name)",
      "is called \(variable.name) (\(variable.longName)), but says that it is another quantity",
      expected: variable.standardName.map { "standard_name '\($0)'" }, found: found,
      remedy: remedy ?? "correct it, or \(naming(array, variable, place))")
  }

  /// How to name an array that contradicts the name it has. A field at a height is no pressure level of a variable.
  private static func naming(_ array: ArrayInfo, _ variable: Variable, _ place: VerticalPlace) -> String {
    let key = "data.sources.names"
    guard case .height = place, isOnLevels(variable.name) else {
      return "say that it is meant with \(key): {\(variable.name): \(array.name)}"
    }
    return find(meaningOf: array, place).map { "say what it is with \(key): {\($0.name): \(array.name)}" }
      ?? "give it a name of its own with \(key): {NAME: \(array.name)}"
  }
}
