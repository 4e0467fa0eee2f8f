/// The table of the lexicon: our name, long name, unit, CF standard name, ECMWF's short name and paramId, the name in
/// WeatherBench 2's ERA5 stores (which is that of the Climate Data Store), and names of others.
///
/// Short names, units and paramIds are checked against ecCodes' tables (Tests/Goldens/make_lexicon_goldens.py).
enum LexiconTable {
  static let rows = onLevels + others

  /// Variables that can't be negative: humidity, clouds, precipitation, snow, water in the soil, solar and downward radiation,
  /// speeds, what covers part of an area.
  static let nonNegative: Set<String> = [
    "q", "r", "o3", "clwc", "ciwc", "crwc", "cswc", "cc", "ws", "si10", "i10fg", "blh", "cape", "tcw", "tcwv", "tclw",
    "tciw", "tco3", "ivt", "tcc", "lcc", "mcc", "hcc", "tp", "tp6h", "tp12h", "tp24h", "cp", "lsp", "sf", "ro", "sro",
    "ssro", "ssrd", "strd", "ssr", "tsr", "tisr", "tisr6h", "tisr12h", "tisr24h", "fdir", "avg_sdswrf", "avg_sdlwrf",
    "avg_snswrf", "avg_tnswrf", "avg_tdswrf", "swvl1", "swvl2", "swvl3", "swvl4", "sd", "rsn", "asn", "ci", "lai_lv",
    "lai_hv", "cvl", "cvh",
  ]

  /// Amounts, and the mean rates that add up to them.
  static let meanRates = [
    "tp": "avg_tprate", "tp6h": "avg_tprate", "tp12h": "avg_tprate", "tp24h": "avg_tprate", "cp": "avg_cpr",
    "sf": "avg_tsrwe",
  ]
  /// Hours over which these are added up; the others over any.
  static let sumHours = ["tp6h": 6, "tp12h": 12, "tp24h": 24]

  /// Amounts over a period that ends at their time, of one sign.
  static let amounts: Set<String> = [
    "tp", "cp", "lsp", "sf", "ro", "sro", "ssro", "ssrd", "strd", "ssr", "tsr", "ttr", "tisr", "fdir",
  ]

  /// On pressure levels.
  static let onLevels: [Variable] = [
    row("z", "geopotential", "m2 s-2", "geopotential", ("z", 129), "geopotential", ["gh", "hgt", "zg"]),
    row("t", "temperature", "K", "air_temperature", ("t", 130), "temperature", ["air", "tmp", "ta"]),
    row("u", "eastward wind", "m s-1", "eastward_wind", ("u", 131), "u_component_of_wind", ["uwnd", "ugrd", "ua"]),
    row("v", "northward wind", "m s-1", "northward_wind", ("v", 132), "v_component_of_wind", ["vwnd", "vgrd", "va"]),
    row(
      "w", "vertical velocity", "Pa s-1", "lagrangian_tendency_of_air_pressure", ("w", 135), "vertical_velocity",
      ["omega", "vvel", "wap"]),
    row(
      "q", "specific humidity", "kg kg-1", "specific_humidity", ("q", 133), "specific_humidity",
      ["shum", "spfh", "hus"]),
    row("r", "relative humidity", "%", "relative_humidity", ("r", 157), "relative_humidity", ["rhum", "rh", "hur"]),
    row("vo", "relative vorticity", "s-1", "atmosphere_relative_vorticity", ("vo", 138), "vorticity", ["relv"]),
    row("d", "divergence", "s-1", "divergence_of_wind", ("d", 155), "divergence"),
    row("pv", "potential vorticity", "K m2 kg-1 s-1", "ertel_potential_vorticity", ("pv", 60), "potential_vorticity"),
    row(
      "o3", "ozone mass mixing ratio", "kg kg-1", "mass_fraction_of_ozone_in_air", ("o3", 203),
      "ozone_mass_mixing_ratio", ["o3mr"]),
    row(
      "clwc", "cloud liquid water content", "kg kg-1", "mass_fraction_of_cloud_liquid_water_in_air", ("clwc", 246),
      "specific_cloud_liquid_water_content", ["clwmr"]),
    row(
      "ciwc", "cloud ice water content", "kg kg-1", "mass_fraction_of_cloud_ice_in_air", ("ciwc", 247),
      "specific_cloud_ice_water_content", ["icmr"]),
    row(
      "crwc", "rain water content", "kg kg-1", "mass_fraction_of_rain_in_air", ("crwc", 75),
      "specific_rain_water_content", ["rwmr"]),
    row(
      "cswc", "snow water content", "kg kg-1", "mass_fraction_of_snow_in_air", ("cswc", 76),
      "specific_snow_water_content", ["snmr"]),
    row(
      "cc", "fraction of cloud cover", "1", "cloud_area_fraction_in_atmosphere_layer", ("cc", 248),
      "fraction_of_cloud_cover"),
    row("ws", "wind speed", "m s-1", "wind_speed", ("ws", 10), "wind_speed"),
  ]

  private static let others: [Variable] = [
    // At the surface and near it.
    row(
      "msl", "mean sea level pressure", "Pa", "air_pressure_at_mean_sea_level", ("msl", 151), "mean_sea_level_pressure",
      ["slp", "prmsl", "mslet", "mslp", "psl"]),
    row(
      "sp", "surface pressure", "Pa", "surface_air_pressure", ("sp", 134), "surface_pressure",
      ["pres", "pressfc", "ps"]),
    row("t2m", "2 m temperature", "K", "air_temperature", ("2t", 167), "2m_temperature", ["tmp2m", "tas"]),
    row("d2m", "2 m dew point", "K", "dew_point_temperature", ("2d", 168), "2m_dewpoint_temperature", ["dpt2m"]),
    row("sh2", "2 m specific humidity", "kg kg-1", "specific_humidity", ("2sh", 174096), nil, ["huss"]),
    row("r2", "2 m relative humidity", "%", "relative_humidity", ("2r", 260242), nil, ["hurs"]),
    row(
      "u10", "10 m eastward wind", "m s-1", "eastward_wind", ("10u", 165), "10m_u_component_of_wind",
      ["ugrd10m", "uas"]),
    row(
      "v10", "10 m northward wind", "m s-1", "northward_wind", ("10v", 166), "10m_v_component_of_wind",
      ["vgrd10m", "vas"]),
    row("si10", "10 m wind speed", "m s-1", "wind_speed", ("10si", 207), "10m_wind_speed", ["sfcWind"]),
    row("i10fg", "10 m wind gust", "m s-1", "wind_speed_of_gust", ("i10fg", 228029), "instantaneous_10m_wind_gust"),
    row("u100", "100 m eastward wind", "m s-1", "eastward_wind", ("100u", 228246), "100m_u_component_of_wind"),
    row("v100", "100 m northward wind", "m s-1", "northward_wind", ("100v", 228247), "100m_v_component_of_wind"),
    row(
      "mx2t", "2 m maximum temperature", "K", "air_temperature", ("mx2t", 201),
      "maximum_2m_temperature_since_previous_post_processing", ["tmax", "tasmax"]),
    row(
      "mn2t", "2 m minimum temperature", "K", "air_temperature", ("mn2t", 202),
      "minimum_2m_temperature_since_previous_post_processing", ["tmin", "tasmin"]),
    row(
      "mx2t6", "2 m maximum temperature of 6 h", "K", "air_temperature", ("mx2t6", 121),
      "maximum_2m_temperature_in_the_last_6_hours"),
    row(
      "mn2t6", "2 m minimum temperature of 6 h", "K", "air_temperature", ("mn2t6", 122),
      "minimum_2m_temperature_in_the_last_6_hours"),
    row(
      "sst", "sea surface temperature", "K", "sea_surface_temperature", ("sst", 34), "sea_surface_temperature", ["tos"]),
    row("skt", "skin temperature", "K", "surface_temperature", ("skt", 235), "skin_temperature", ["ts"]),
    row(
      "blh", "boundary layer height", "m", "atmosphere_boundary_layer_thickness", ("blh", 159), "boundary_layer_height",
      ["hpbl"]),
    row(
      "cape", "convective available potential energy", "J kg-1", "atmosphere_convective_available_potential_energy",
      ("cape", 59), "convective_available_potential_energy"),
    row(
      "cin", "convective inhibition", "J kg-1", "atmosphere_convective_inhibition", ("cin", 228001),
      "convective_inhibition"),
    // Variables of the whole column.
    row("tcw", "total column water", "kg m-2", nil, ("tcw", 136), "total_column_water"),
    row(
      "tcwv", "total column water vapour", "kg m-2", "atmosphere_mass_content_of_water_vapor", ("tcwv", 137),
      "total_column_water_vapour", ["pwat", "total_column_vapor", "prw"]),
    row(
      "tclw", "total column cloud liquid water", "kg m-2", "atmosphere_mass_content_of_cloud_liquid_water",
      ("tclw", 78), "total_column_cloud_liquid_water"),
    row(
      "tciw", "total column cloud ice", "kg m-2", "atmosphere_mass_content_of_cloud_ice", ("tciw", 79),
      "total_column_cloud_ice_water", ["clivi"]),
    row(
      "tco3", "total column ozone", "kg m-2", "atmosphere_mass_content_of_ozone", ("tco3", 206), "total_column_ozone"),
    row(
      "viwve", "eastward water vapour transport", "kg m-1 s-1",
      "eastward_atmosphere_water_vapor_transport_across_unit_distance", ("viwve", 162071),
      "vertical_integral_of_eastward_water_vapour_flux"),
    row(
      "viwvn", "northward water vapour transport", "kg m-1 s-1",
      "northward_atmosphere_water_vapor_transport_across_unit_distance", ("viwvn", 162072),
      "vertical_integral_of_northward_water_vapour_flux"),
    row("ivt", "integrated vapour transport", "kg m-1 s-1", nil, nil, "integrated_vapor_transport"),
    row("tcc", "total cloud cover", "1", "cloud_area_fraction", ("tcc", 164), "total_cloud_cover", ["clt", "tcdc"]),
    row("lcc", "low cloud cover", "1", "low_type_cloud_area_fraction", ("lcc", 186), "low_cloud_cover", ["lcdc"]),
    row(
      "mcc", "medium cloud cover", "1", "medium_type_cloud_area_fraction", ("mcc", 187), "medium_cloud_cover", ["mcdc"]),
    row("hcc", "high cloud cover", "1", "high_type_cloud_area_fraction", ("hcc", 188), "high_cloud_cover", ["hcdc"]),
    // Precipitation and water at the surface, accumulated: metres of water.
    row(
      "tp", "total precipitation", "m", "lwe_thickness_of_precipitation_amount", ("tp", 228), "total_precipitation",
      ["apcp"]),
    row(
      "tp6h", "total precipitation of 6 h", "m", "lwe_thickness_of_precipitation_amount", nil, "total_precipitation_6hr"
    ),
    row(
      "tp12h", "total precipitation of 12 h", "m", "lwe_thickness_of_precipitation_amount", nil,
      "total_precipitation_12hr"),
    row(
      "tp24h", "total precipitation of 24 h", "m", "lwe_thickness_of_precipitation_amount", nil,
      "total_precipitation_24hr"),
    row(
      "cp", "convective precipitation", "m", "lwe_thickness_of_convective_precipitation_amount", ("cp", 143),
      "convective_precipitation", ["acpcp"]),
    row(
      "lsp", "large-scale precipitation", "m", "lwe_thickness_of_stratiform_precipitation_amount", ("lsp", 142),
      "large_scale_precipitation", ["ncpcp"]),
    row("sf", "snowfall", "m", "lwe_thickness_of_snowfall_amount", ("sf", 144), "snowfall"),
    row("ro", "runoff", "m", nil, ("ro", 205), "runoff", ["watr"]),
    row("sro", "surface runoff", "m", nil, ("sro", 8), "surface_runoff"),
    row("ssro", "sub-surface runoff", "m", nil, ("ssro", 9), "sub_surface_runoff"),
    row("e", "evaporation", "m", nil, ("e", 182), "evaporation"),
    // Radiation and fluxes: accumulated, then means.
    row(
      "ssrd", "surface solar radiation downwards", "J m-2",
      "integral_wrt_time_of_surface_downwelling_shortwave_flux_in_air", ("ssrd", 169),
      "surface_solar_radiation_downwards"),
    row(
      "strd", "surface thermal radiation downwards", "J m-2",
      "integral_wrt_time_of_surface_downwelling_longwave_flux_in_air", ("strd", 175),
      "surface_thermal_radiation_downwards"),
    row(
      "ssr", "surface net solar radiation", "J m-2", "integral_wrt_time_of_surface_net_downward_shortwave_flux",
      ("ssr", 176), "surface_net_solar_radiation"),
    row(
      "str", "surface net thermal radiation", "J m-2", "integral_wrt_time_of_surface_net_downward_longwave_flux",
      ("str", 177), "surface_net_thermal_radiation"),
    row("tsr", "top net solar radiation", "J m-2", nil, ("tsr", 178), "top_net_solar_radiation"),
    row("ttr", "top net thermal radiation", "J m-2", nil, ("ttr", 179), "top_net_thermal_radiation"),
    row("tisr", "incoming solar radiation at the top", "J m-2", nil, ("tisr", 212), "toa_incident_solar_radiation"),
    row("tisr6h", "incoming solar radiation at the top of 6 h", "J m-2", nil, nil, "toa_incident_solar_radiation_6hr"),
    row(
      "tisr12h", "incoming solar radiation at the top of 12 h", "J m-2", nil, nil, "toa_incident_solar_radiation_12hr"),
    row(
      "tisr24h", "incoming solar radiation at the top of 24 h", "J m-2", nil, nil, "toa_incident_solar_radiation_24hr"),
    row(
      "fdir", "direct solar radiation at the surface", "J m-2",
      "integral_wrt_time_of_surface_direct_downwelling_shortwave_flux_in_air", ("fdir", 228021),
      "total_sky_direct_solar_radiation_at_surface"),
    row("sshf", "sensible heat flux, accumulated", "J m-2", nil, ("sshf", 146), "surface_sensible_heat_flux"),
    row("slhf", "latent heat flux, accumulated", "J m-2", nil, ("slhf", 147), "surface_latent_heat_flux"),
    row(
      "ewss", "eastward surface stress, accumulated", "N s m-2",
      "integral_wrt_time_of_surface_downward_eastward_stress", ("ewss", 180), "eastward_turbulent_surface_stress"
    ),
    row(
      "nsss", "northward surface stress, accumulated", "N s m-2",
      "integral_wrt_time_of_surface_downward_northward_stress", ("nsss", 181),
      "northward_turbulent_surface_stress"),
    row(
      "avg_ishf", "mean sensible heat flux", "W m-2", nil, ("avg_ishf", 235033), "mean_surface_sensible_heat_flux",
      ["msshf"]),
    row(
      "avg_slhtf", "mean latent heat flux", "W m-2", nil, ("avg_slhtf", 235034), "mean_surface_latent_heat_flux",
      ["mslhf"]),
    row(
      "avg_sdswrf", "mean solar radiation downwards at the surface", "W m-2", nil, ("avg_sdswrf", 235035),
      "mean_surface_downward_short_wave_radiation_flux", ["msdwswrf", "rsds"]),
    row(
      "avg_sdlwrf", "mean thermal radiation downwards at the surface", "W m-2", nil, ("avg_sdlwrf", 235036),
      "mean_surface_downward_long_wave_radiation_flux", ["msdwlwrf", "rlds"]),
    row(
      "avg_snswrf", "mean net solar radiation at the surface", "W m-2", "surface_net_downward_shortwave_flux",
      ("avg_snswrf", 235037),
      "mean_surface_net_short_wave_radiation_flux", ["msnswrf"]),
    row(
      "avg_snlwrf", "mean net thermal radiation at the surface", "W m-2", "surface_net_downward_longwave_flux",
      ("avg_snlwrf", 235038),
      "mean_surface_net_long_wave_radiation_flux", ["msnlwrf"]),
    row(
      "avg_tnswrf", "mean net solar radiation at the top", "W m-2", "toa_net_downward_shortwave_flux",
      ("avg_tnswrf", 235039),
      "mean_top_net_short_wave_radiation_flux", ["mtnswrf"]),
    row(
      "avg_tnlwrf", "mean net thermal radiation at the top", "W m-2", nil, ("avg_tnlwrf", 235040),
      "mean_top_net_long_wave_radiation_flux", ["mtnlwrf"]),
    row(
      "avg_tdswrf", "mean solar radiation downwards at the top", "W m-2", nil, ("avg_tdswrf", 235053),
      "mean_top_downward_short_wave_radiation_flux", ["mtdwswrf", "rsdt"]),
    row(
      "avg_tprate", "mean total precipitation rate", "kg m-2 s-1", "precipitation_flux", ("avg_tprate", 235055),
      "mean_total_precipitation_rate", ["mtpr", "pr"]),
    row(
      "avg_cpr", "mean convective precipitation rate", "kg m-2 s-1", "convective_precipitation_flux",
      ("avg_cpr", 235030), "mean_convective_precipitation_rate", ["mcpr", "prc"]),
    row(
      "avg_tsrwe", "mean snowfall rate", "kg m-2 s-1", "snowfall_flux", ("avg_tsrwe", 235031), "mean_snowfall_rate",
      ["msr", "prsn"]),
    // Soil, snow and ice.
    row("stl1", "soil temperature, layer 1", "K", "soil_temperature", ("stl1", 139), "soil_temperature_level_1"),
    row("stl2", "soil temperature, layer 2", "K", "soil_temperature", ("stl2", 170), "soil_temperature_level_2"),
    row("stl3", "soil temperature, layer 3", "K", "soil_temperature", ("stl3", 183), "soil_temperature_level_3"),
    row("stl4", "soil temperature, layer 4", "K", "soil_temperature", ("stl4", 236), "soil_temperature_level_4"),
    row(
      "swvl1", "soil moisture, layer 1", "m3 m-3", "volume_fraction_of_condensed_water_in_soil", ("swvl1", 39),
      "volumetric_soil_water_layer_1"),
    row(
      "swvl2", "soil moisture, layer 2", "m3 m-3", "volume_fraction_of_condensed_water_in_soil", ("swvl2", 40),
      "volumetric_soil_water_layer_2"),
    row(
      "swvl3", "soil moisture, layer 3", "m3 m-3", "volume_fraction_of_condensed_water_in_soil", ("swvl3", 41),
      "volumetric_soil_water_layer_3"),
    row(
      "swvl4", "soil moisture, layer 4", "m3 m-3", "volume_fraction_of_condensed_water_in_soil", ("swvl4", 42),
      "volumetric_soil_water_layer_4"),
    row(
      "sd", "snow depth, water equivalent", "m", "lwe_thickness_of_surface_snow_amount", ("sd", 141), "snow_depth",
      ["sdwe", "weasd", "snw"]),
    row("rsn", "snow density", "kg m-3", "snow_density", ("rsn", 33), "snow_density"),
    row("asn", "snow albedo", "1", nil, ("asn", 32), "snow_albedo"),
    row("tsn", "snow temperature", "K", "temperature_in_surface_snow", ("tsn", 238), "temperature_of_snow_layer"),
    row("ci", "sea ice cover", "1", "sea_ice_area_fraction", ("ci", 31), "sea_ice_cover", ["siconc", "icec", "sic"]),
    // Constant in time, or nearly so.
    row(
      "lsm", "land-sea mask", "1", "land_binary_mask", ("lsm", 172), "land_sea_mask",
      ["land_area_fraction", "land", "sftlf"]),
    row(
      "orog", "surface altitude", "m", "surface_altitude", ("orog", 228002), nil,
      ["orography", "surface_altitude", "hgtsfc"]),
    row(
      "zs", "surface geopotential", "m2 s-2", "surface_geopotential", ("z", 129), "geopotential_at_surface",
      ["z_surface"]),
    row("slt", "soil type", "1", "soil_type", ("slt", 43), "soil_type"),
    row("sdor", "standard deviation of subgrid orography", "m", nil, ("sdor", 160), "standard_deviation_of_orography"),
    row("isor", "anisotropy of subgrid orography", "1", nil, ("isor", 161), "anisotropy_of_sub_gridscale_orography"),
    row("anor", "angle of subgrid orography", "rad", nil, ("anor", 162), "angle_of_sub_gridscale_orography"),
    row("slor", "slope of subgrid orography", "1", nil, ("slor", 163), "slope_of_sub_gridscale_orography"),
    row(
      "sdfor", "standard deviation of filtered subgrid orography", "m", nil, ("sdfor", 74),
      "standard_deviation_of_filtered_subgrid_orography"),
    row("cvl", "low vegetation cover", "1", nil, ("cvl", 27), "low_vegetation_cover"),
    row("cvh", "high vegetation cover", "1", nil, ("cvh", 28), "high_vegetation_cover"),
    row("tvl", "type of low vegetation", "1", nil, ("tvl", 29), "type_of_low_vegetation"),
    row("tvh", "type of high vegetation", "1", nil, ("tvh", 30), "type_of_high_vegetation"),
    row("lai_lv", "leaf area index, low vegetation", "1", nil, ("lai_lv", 66), "leaf_area_index_low_vegetation"),
    row("lai_hv", "leaf area index, high vegetation", "1", nil, ("lai_hv", 67), "leaf_area_index_high_vegetation"),
    row("cl", "lake cover", "1", nil, ("cl", 26), "lake_cover"),
    row("dl", "lake depth", "m", nil, ("dl", 228007), "lake_depth"),
  ]

  /// Other CF standard names under which the same is stored, in units that convert: older ones, of heights for
  /// geopotential, of fractions for masks, of means for fluxes.
  private static let otherStandardNames: [String: [String]] = [
    "z": ["geopotential_height"], "msl": ["air_pressure_at_sea_level"], "lsm": ["land_area_fraction"],
    "w": ["vertical_air_velocity_expressed_as_tendency_of_pressure"],
    "ro": ["runoff_amount"], "sro": ["surface_runoff_amount"], "ssro": ["subsurface_runoff_amount"],
    "tcwv": ["atmosphere_water_vapor_content"], "sd": ["surface_snow_amount"],
    "avg_sdswrf": ["surface_downwelling_shortwave_flux_in_air"],
    "avg_sdlwrf": ["surface_downwelling_longwave_flux_in_air"], "avg_tdswrf": ["toa_incoming_shortwave_flux"],
  ]

  /// Metres above the ground of variables that share their standard name with others.
  static let heights: [String: Double] = [
    "t2m": 2, "d2m": 2, "sh2": 2, "r2": 2, "u10": 10, "v10": 10, "si10": 10, "u100": 100, "v100": 100,
  ]

  private static func row(
    _ name: String, _ longName: String, _ units: String, _ standardName: String?,
    _ ecmwf: (shortName: String, paramId: Int)?, _ weatherBench: String?, _ others: [String] = []
  ) -> Variable {
    Variable(
      name: name, longName: longName, units: units, standardName: standardName,
      ecmwf: ecmwf.map { Variable.ECMWF(shortName: $0.shortName, paramId: $0.paramId) }, weatherBench: weatherBench,
      others: others, otherStandardNames: otherStandardNames[name] ?? [])
  }
}
