import Basics
import Stores
import Testing

@testable import Datasets

/// Names of variables that standard names or coordinates contradict, where the variable has few standard names or none.
@Suite struct OtherQuantityTests {
  private func store(_ name: String, _ texts: [String: String]) -> MemoryStore {
    var store = PlainStore.made()
    store.remove("t2m")
    store.add(name, ["time", "latitude", "longitude"], [1], texts)
    return store
  }

  @Test(arguments: [
    ("cl", "%", "cloud_area_fraction_in_atmosphere_layer"), ("cl", "1", "area_fraction_of_something_else"),
    ("viwve", "kg m-1 s-1", "northward_water_vapor_transport"),
    ("viwve", "kg m-1 s-1", "northward_atmosphere_water_vapor_transport_across_unit_distance"),
    ("ivt", "kg m-1 s-1", "eastward_atmosphere_water_vapor_transport_across_unit_distance"),
    ("ssr", "J m-2", "surface_upwelling_shortwave_flux_in_air"),
    ("ssr", "J m-2", "surface_downwelling_shortwave_flux_in_air"),
    ("str", "J m-2", "surface_net_downward_shortwave_flux"),
    ("msnswrf", "W m-2", "surface_downwelling_shortwave_flux_in_air"),
    ("slhf", "J m-2", "surface_upward_sensible_heat_flux"), ("ewss", "N m-2 s", "surface_downward_northward_stress"),
    ("crwc", "kg kg-1", "mass_fraction_of_snow_in_air"), ("tcw", "kg m-2", "atmosphere_mass_content_of_water_vapor"),
    ("sdor", "m", "surface_altitude"), ("e", "m", "lwe_thickness_of_precipitation_amount"),
    ("tp", "m", "surface_snow_amount"),
  ]) func contradictingStandardNamesAreRefused(name: String, units: String, standard: String) throws {
    let store = store(name, ["units": units, "standard_name": standard])
    let variable = try #require(Lexicon.find(name))
    let found = PlainStore.problem { _ = try GriddedStore(store).bind(variable.name) }
    #expect(found.contains("but says that it is another quantity"), "\(found)")
    #expect(try GriddedStore(store).bind(variable.name, rename: [variable.name: name]) != nil)
  }

  /// As CF, the Climate Data Store and ecCodes have them, or where nothing is said.
  @Test(arguments: [
    ("cl", "1", "unknown"), ("cl", "1", ""), ("cl", "1", "lake_cover"), ("cl", "1", "lake_area_fraction"),
    ("cl", "1", "area_fraction"), ("dl", "m", "depth"),
    ("viwve", "kg m-1 s-1", "eastward_atmosphere_water_vapor_transport_across_unit_distance"),
    ("viwvn", "kg m-1 s-1", "northward_atmosphere_water_transport_across_unit_distance"),
    ("ssrd", "J m-2", "surface_downwelling_shortwave_flux_in_air"),
    ("ssr", "J m-2", "surface_net_downward_shortwave_flux"),
    ("str", "J m-2", "surface_net_upward_longwave_flux"), ("tsr", "J m-2", "toa_net_upward_shortwave_flux"),
    ("ttr", "J m-2", "toa_outgoing_longwave_flux"), ("sshf", "J m-2", "surface_upward_sensible_heat_flux"),
    ("slhf", "J m-2", "surface_upward_latent_heat_flux"), ("ewss", "N m-2 s", "surface_downward_eastward_stress"),
    ("e", "m", "lwe_thickness_of_water_evaporation_amount"), ("crwc", "kg kg-1", "mass_fraction_of_rain_in_air"),
    ("tp", "m", "precipitation_flux"), ("lai_lv", "m**2 m**-2", "leaf_area_index"), ("ro", "m", "runoff_amount"),
    ("asn", "1", "surface_albedo"),
  ]) func fittingStandardNamesAreTaken(name: String, units: String, standard: String) throws {
    let store = store(name, ["units": units, "standard_name": standard])
    #expect(try GriddedStore(store).bind(name)?.array.name == name)
  }

  /// A coordinate without dimension, as xarray leaves it, or one of one entry.
  @Test(arguments: ["quantile", "percentile", "percentile_over_time"], [false, true])
  func quantilesAreNotTheVariable(coordinate: String, isDimension: Bool) throws {
    var store = PlainStore.made()
    store.add(coordinate, isDimension ? [coordinate] : [], [0.9], [:])
    if isDimension { store.add("t2m", ["time", coordinate, "latitude", "longitude"], [280], ["units": "K"]) }
    let found = PlainStore.problem { _ = try GriddedStore(store).bind("t2m") }
    #expect(found.contains("t2m: is called t2m (2 m temperature), but says that it is another quantity"), "\(found)")
    #expect(found.contains("found \(coordinate) 0.9"), "\(found)")
    #expect(try GriddedStore(store).bind("t2m", rename: ["t2m": "t2m"]) != nil)
    let view = try StoreFields(GriddedStore(store))
    #expect(throws: JigsawError.self) { try view.read(date: 0) }
  }
}
