import Basics

/// A physical variable as everything here calls it.
public struct Variable: Sendable, Hashable {
  /// Our name, which is ECMWF's short name where that is a word of letters.
  public let name: String
  public let longName: String
  /// UDUNITS form, for example "m2 s-2".
  public let units: String
  /// CF standard name, if there is one.
  public let standardName: String?
  /// Other names that stores use: ECMWF, WeatherBench 2, Anemoi, NCEP.
  public let aliases: [String]
}

/// The variables that are known by name.
public enum Lexicon {
  public static let variables: [Variable] = [
    // On pressure levels.
    v("z", "geopotential", "m2 s-2", "geopotential", ["geopotential", "gh", "hgt"]),
    v("t", "temperature", "K", "air_temperature", ["temperature", "air"]),
    v("u", "eastward wind", "m s-1", "eastward_wind", ["u_component_of_wind", "uwnd"]),
    v("v", "northward wind", "m s-1", "northward_wind", ["v_component_of_wind", "vwnd"]),
    v("w", "vertical velocity", "Pa s-1", "lagrangian_tendency_of_air_pressure", ["vertical_velocity", "omega"]),
    v("q", "specific humidity", "kg kg-1", "specific_humidity", ["specific_humidity", "shum"]),
    v("r", "relative humidity", "%", "relative_humidity", ["relative_humidity", "rhum"]),
    // At the surface.
    v(
      "msl", "mean sea level pressure", "Pa", "air_pressure_at_mean_sea_level",
      ["mean_sea_level_pressure", "slp", "prmsl"]),
    v("sp", "surface pressure", "Pa", "surface_air_pressure", ["surface_pressure", "pres"]),
    v("t2m", "2 m temperature", "K", "air_temperature", ["2t", "2m_temperature"]),
    v("d2m", "2 m dew point", "K", "dew_point_temperature", ["2d", "2m_dewpoint_temperature"]),
    v("u10", "10 m eastward wind", "m s-1", "eastward_wind", ["10u", "10m_u_component_of_wind"]),
    v("v10", "10 m northward wind", "m s-1", "northward_wind", ["10v", "10m_v_component_of_wind"]),
    v("sst", "sea surface temperature", "K", "sea_surface_temperature", ["sea_surface_temperature"]),
    v("skt", "skin temperature", "K", "surface_temperature", ["skin_temperature"]),
    v("tcw", "total column water", "kg m-2", nil, ["total_column_water"]),
    v(
      "tcwv", "total column water vapour", "kg m-2", "atmosphere_mass_content_of_water_vapor",
      ["total_column_water_vapour"]),
    v(
      "tp", "total precipitation", "m", "lwe_thickness_of_precipitation_amount",
      ["total_precipitation", "total_precipitation_6hr"]),
    // Constant in time.
    v("lsm", "land-sea mask", "1", "land_binary_mask", ["land_sea_mask", "land_area_fraction"]),
    v("orog", "surface altitude", "m", "surface_altitude", ["orography", "surface_altitude"]),
    v("zs", "surface geopotential", "m2 s-2", "surface_geopotential", ["geopotential_at_surface", "z_surface"]),
    v("slt", "soil type", "1", "soil_type", ["soil_type"]),
  ]

  private static func v(
    _ name: String, _ longName: String, _ units: String, _ standardName: String?, _ aliases: [String]
  ) -> Variable {
    Variable(name: name, longName: longName, units: units, standardName: standardName, aliases: aliases)
  }

  private static let byName = Dictionary(uniqueKeysWithValues: variables.map { ($0.name, $0) })

  public static subscript(name: String) -> Variable? { byName[name] }

  /// The variable called `name`, or one without metadata for a name that is not known.
  public static func variable(_ name: String) -> Variable {
    byName[name] ?? Variable(name: name, longName: name, units: "1", standardName: nil, aliases: [])
  }
}

/// One field of a sample: a variable, on a pressure level if it has levels.
public struct Channel: Sendable, Hashable, Codable, CustomStringConvertible {
  public let variable: String
  /// hPa; nil at the surface.
  public let levelHPa: Double?

  public init(variable: String, levelHPa: Double? = nil) {
    self.variable = variable
    self.levelHPa = levelHPa
  }

  /// `z_500`, `t2m`: level and variable stay apart, since `u10` is the wind at 10 m and `u_10` that at 10 hPa.
  public var name: String { levelHPa.map { "\(variable)_\(Channel.text($0))" } ?? variable }
  public var description: String { name }

  /// "500", "0.5".
  public static func text(_ levelHPa: Double) -> String {
    Int(exactly: levelHPa).map(String.init) ?? String(levelHPa)
  }
}
