import Basics
import Stores
import TestSupport
import Testing

@testable import Datasets

/// Arrays that might be the same coordinate, or the same variable, and which of them counts.
@Suite struct RivalCoordinateTests {
  /// Geomagnetic latitudes and edges of cells have the unit of latitudes, too.
  @Test func theCoordinateOfTheDimensionCounts() throws {
    var store = PlainStore.made()
    store.add("alat", ["latitude"], [60, 20, -20, -60], PlainStore.north)
    store.add("a_edge", ["latitude"], [90, 45, 0, -45], PlainStore.north)
    #expect(try GriddedStore(store).grid.latitudes == PlainStore.latitudes)
    // Of points that a field names, or with a standard name.
    var points = MemoryStore(["cell": 4])
    points.add("lon", ["cell"], [0, 90, 180, 270], ["units": "degrees_east"])
    points.add("alat", ["cell"], [60, 20, -20, -60], PlainStore.north)
    points.add("zlat", ["cell"], PlainStore.latitudes, PlainStore.north)
    points.add("t2m", ["cell"], [280], ["units": "K"])
    #expect(
      PlainStore.problem { _ = try PointFields(points) }.contains(
        "has several latitudes and longitudes of the same points"))
    points.add("t2m", ["cell"], [280], ["units": "K", "coordinates": "lon zlat"])
    #expect(try PointFields(points)?.points.latitudes == PlainStore.latitudes)
    points.add("t2m", ["cell"], [280], ["units": "K"])
    points.add("zlat", ["cell"], PlainStore.latitudes, PlainStore.north.merging(["standard_name": "latitude"]) { $1 })
    #expect(try PointFields(points)?.points.latitudes == PlainStore.latitudes)
    points.add("zlat", ["cell"], PlainStore.latitudes, PlainStore.north)
    points.add("lat", ["cell"], [50, 10, -10, -50], PlainStore.north)
    #expect(try PointFields(points)?.points.latitudes == [50, 10, -10, -50])
  }

  /// CICE and POP have points of tracers and of velocities along the same dimensions; fields say on which they lie.
  @Test func fieldsOnOtherPointsAreRefused() throws {
    var store = MemoryStore(["nj": 2, "ni": 2])
    for (name, shift) in [("T", 0.0), ("U", 0.5)] {
      store.add("\(name)LAT", ["nj", "ni"], [10, 11, 20, 21].map { $0 + shift }, PlainStore.north)
      store.add("\(name)LON", ["nj", "ni"], [1, 12, 2, 13].map { $0 + shift }, ["units": "degrees_east"])
    }
    for (name, places) in [("sst", "TLON TLAT time"), ("t2m", "TLON TLAT"), ("salt", "ULON ULAT time")] {
      store.add(name, ["nj", "ni"], [280], ["units": "K", "coordinates": places])
    }
    let points = try #require(try PointFields(store))
    #expect(points.points.latitudes == [10, 11, 20, 21])
    func read(_ name: String) -> String {
      PlainStore.problem {
        let place = try #require(points.variables.firstIndex { $0.name == name })
        try withTemporary(4) { values in
          try points.read(WantedPart(dates: [0], variables: [place], member: 0, points: 0..<4)) { _, _ in values }
        }
      }
    }
    #expect(read("sst") == "none" && read("salt").contains("salt: lies on ULAT, and other fields on TLAT"))
  }

  /// Places of a satellite in time, with more fields than the grid has.
  @Test func tracksInTimeAreNoPlacesOfFields() throws {
    var store = PlainStore.made()
    store.add("sub_lat", ["time"], [10, 20], PlainStore.north)
    store.add("sub_lon", ["time"], [30, 40], ["units": "degrees_east"])
    for name in ["co2vmr", "ch4vmr", "ndcur"] { store.add(name, ["time"], [1]) }
    #expect(try GriddedStore(store).bind("t2m") != nil)
  }

  /// A store of forecasts with another time along the initial times.
  @Test func otherTimesAreNoInitialTimes() throws {
    var store = MemoryStore(["time": 2, "step": 2, "latitude": 4, "longitude": 8])
    store.add("time", ["time"], [0, 24], PlainStore.hours)
    store.add("available", ["time"], [6, 30], PlainStore.hours)
    store.add("step", ["step"], [6, 12], ["units": "hours"])
    store.add("latitude", ["latitude"], PlainStore.latitudes, PlainStore.north)
    store.add("longitude", ["longitude"], (0..<8).map { Double($0) * 45 }, ["units": "degrees_east"])
    store.add("t2m", ["time", "step", "latitude", "longitude"], [280], ["units": "K"])
    #expect(try ForecastAxes(store).initialTimes.first == Timestamp("2020-01-01"))
    // Without a coordinate of the dimension's own name.
    store.remove("time")
    store.add("start", ["time"], [0, 24], PlainStore.hours)
    #expect(
      PlainStore.problem { _ = try ForecastAxes(store) }.contains("available and start: are both times along 'time'"))
  }

  /// Whatever lies beside levels of a model, fields on them are on none of pressure.
  @Test func nominalPressuresOfModelLevelsAreNoLevels() throws {
    var store = PlainStore.made()
    store.resize("lev", 2)
    store.add("lev", ["lev"], [1, 2], ["standard_name": "atmosphere_hybrid_sigma_pressure_coordinate"])
    store.add("plev_nominal", ["lev"], [850, 500], ["units": "hPa", "standard_name": "air_pressure"])
    store.add("t", ["time", "lev", "latitude", "longitude"], [250], ["units": "K"])
    #expect(PlainStore.problem { _ = try GriddedStore(store).bind("t") }.contains("is on model levels"))
    // Of two pressures without a dimension neither counts.
    var other = PlainStore.made()
    for (name, hPa) in [("pressure", 850.0), ("p_ref", 1_000)] {
      other.add(name, [], [hPa], ["units": "hPa", "standard_name": "air_pressure"])
    }
    let both = ["units": "K", "coordinates": "pressure p_ref"]
    other.add("t", ["time", "latitude", "longitude"], [250], both)
    let field = try #require(try GriddedStore(other).find("t", rename: [:], asStatic: false))
    #expect(field.levelsHPa == [] && field.otherLevel?.found.contains("several pressures") == true)
  }

  @Test func timesThatDoNotSayWhichTheyAreAreRefused() throws {
    var store = PlainStore.made()
    store.add("t2m", ["record", "latitude", "longitude"], [280], ["units": "K"])
    store.add("analysis", ["record"], [0, 6], PlainStore.hours)
    store.add("verification", ["record"], [6, 12], PlainStore.hours)
    #expect(
      PlainStore.problem { _ = try GriddedStore(store) }.contains(
        "analysis and verification: are both times of 'record'"))
    store.add("verification", ["record"], [6, 12], PlainStore.hours.merging(["standard_name": "time"]) { $1 })
    #expect(try GriddedStore(store).times.first == Timestamp("2020-01-01T06"))
    // Known names of starts give way.
    store.remove("analysis")
    store.add("base_time", ["record"], [0, 6], PlainStore.hours)
    store.add("verification", ["record"], [6, 12], PlainStore.hours)
    #expect(try GriddedStore(store).times.first == Timestamp("2020-01-01T06"))
  }

  /// GFS from THREDDS has an axis for each set of levels.
  @Test func variablesHaveLevelsOfTheirOwnAxes() throws {
    var store = MemoryStore(["time": 2, "isobaric": 3, "isobaric1": 2, "latitude": 4, "longitude": 8])
    store.add("time", ["time"], [0, 6], PlainStore.hours)
    store.add("latitude", ["latitude"], PlainStore.latitudes, PlainStore.north)
    store.add("longitude", ["longitude"], (0..<8).map { Double($0) * 45 }, ["units": "degrees_east"])
    store.add("isobaric", ["isobaric"], [25_000, 50_000, 85_000], ["units": "Pa"])
    store.add("isobaric1", ["isobaric1"], [50_000, 85_000], ["units": "Pa"])
    func values(_ levels: [Double]) -> [Double] { levels.flatMap { [Double](repeating: $0, count: 32) } }
    store.add("t", ["time", "isobaric", "latitude", "longitude"], values([250, 500, 850]), ["units": "K"])
    store.add("q", ["time", "isobaric1", "latitude", "longitude"], values([500, 850]), ["units": "kg kg-1"])
    let gridded = try GriddedStore(store)
    #expect(gridded.levelsHPa == [250, 500, 850])
    for (name, levels) in [("t", [250.0, 500, 850]), ("q", [500, 850])] {
      let binding = try #require(try gridded.bind(name))
      #expect(binding.levelsHPa == levels)
      var field = [Float](repeating: 0, count: 32)
      let index = try gridded.levelIndex(850, of: binding)
      try field.withUnsafeMutableBufferPointer { field in
        try gridded.read(binding, times: 1..<2, level: index) { _ in field.baseAddress! }
      }
      #expect(field == [Float](repeating: 850, count: 32), "\(name)")
    }
    let humidity = try #require(try gridded.bind("q"))
    #expect(PlainStore.problem { _ = try gridded.levelIndex(250, of: humidity) }.contains("has no level 250"))
  }

  /// MERRA-2 has standard names of its own, GrADS calls every vertical axis an altitude: unit and numbers say enough.
  @Test(arguments: [
    ["units": "hPa", "standard_name": "PLE_level", "long_name": "vertical level"],
    ["units": "millibar", "long_name": "altitude"],
  ]) func axesOfPressureAreKnownByUnitAndNumbers(attributes: [String: String]) throws {
    for (levels, found) in [([1_000.0, 850, 500], [1_000.0, 850, 500]), ([992.5, 525.1, 3.6], [])] {
      var store = PlainStore.made()
      store.resize("lev", 3)
      store.add("lev", ["lev"], levels, attributes)
      store.add("t", ["time", "lev", "latitude", "longitude"], [250], ["units": "K"])
      #expect(try GriddedStore(store).levelsHPa == found)
    }
  }

  /// NCEP's R2 has the height of 2 m as a level.
  @Test func aLevelInMetresIsAHeight() throws {
    var store = PlainStore.made()
    store.resize("level", 1)
    store.add("level", ["level"], [2], ["units": "m"])
    store.add("air", ["time", "level", "latitude", "longitude"], [280], ["units": "K"])
    store.remove("t2m")
    let gridded = try GriddedStore(store)
    #expect(try gridded.levelsHPa == [] && gridded.bind("t2m", rename: ["t2m": "air"]) != nil)
    #expect(PlainStore.problem { _ = try gridded.bind("t") }.contains("a height of 2 m"))
  }

  /// NCL writes the lead of fields as an attribute of theirs.
  @Test func theLeadMayBeAnAttributeOfFields() throws {
    var store = MemoryStore(["initial_time0_hours": 2, "latitude": 4, "longitude": 8])
    store.add(
      "initial_time0_hours", ["initial_time0_hours"], [0, 6],
      PlainStore.hours.merging(["long_name": "initial time"]) { $1 })
    store.add("latitude", ["latitude"], PlainStore.latitudes, PlainStore.north)
    store.add("longitude", ["longitude"], (0..<8).map { Double($0) * 45 }, ["units": "degrees_east"])
    let dimensions = ["initial_time0_hours", "latitude", "longitude"]
    func add(_ name: String, _ lead: Double) {
      store.add(
        name, dimensions, [280],
        attributes: ["units": .text("K"), "forecast_time": .numbers([lead]), "forecast_time_units": .text("hours")])
    }
    add("t2m", 0)
    #expect(try GriddedStore(store).times.first == Timestamp("2020-01-01"))
    add("t2m", 6)
    #expect(try GriddedStore(store).times.first == Timestamp("2020-01-01T06"))
    add("d2m", 3)
    #expect(PlainStore.problem { _ = try GriddedStore(store) }.contains("nothing says when they are valid"))
  }

  @Test func levelsThatAreThereTwiceAreRefused() throws {
    var store = PlainStore.made()
    store.resize("level", 3)
    store.add("level", ["level"], [850, 500, 850], ["units": "hPa"])
    store.add("t", ["time", "level", "latitude", "longitude"], [250], ["units": "K"])
    #expect(PlainStore.problem { _ = try GriddedStore(store) }.contains("level: holds the level 850 hPa twice"))
  }

  @Test func areasWestOfGreenwichAreTheSameEitherWay() {
    let west = LatLonGrid(latitudes: [60, 50], longitudes: [-30, -20, -10])
    #expect(west.matches(LatLonGrid(latitudes: [60, 50], longitudes: [330, 340, 350])))
    #expect(LatLonGrid(latitudes: [60, 50], longitudes: [330, 340, 350]).matches(west))
    #expect(!west.matches(LatLonGrid(latitudes: [60, 50], longitudes: [329, 339, 349])))
    #expect(!west.matches(LatLonGrid(latitudes: [60, 50], longitudes: [-30, -20, 350])))
  }

  /// Ocean models have no places over land: fill values, or one place for all of them.
  @Test func pointsWithoutAPlaceAreRefused() throws {
    func problem(_ first: [Double], fill: Double = -999) -> String {
      var store = MemoryStore(["time": 1, "y": 2, "x": 6])
      store.add("time", ["time"], [0], PlainStore.hours)
      for (name, units) in [("lat", "degrees_north"), ("lon", "degrees_east")] {
        store.add(
          name, ["y", "x"], first + (first.count..<12).map { Double($0) },
          attributes: ["units": .text(units), "_FillValue": .numbers([fill])])
      }
      store.add("t2m", ["time", "y", "x"], [280], ["units": "K"])
      return PlainStore.problem { _ = try PointFields(store) }
    }
    let missing = problem([-999, -999])
    #expect(
      missing.contains("ds.stack(point=['y', 'x']).reset_index('point').dropna('point', subset=['lat'])"), "\(missing)")
    let zero = problem([0, 0, 0, 0])
    #expect(
      zero.contains("lat and lon: have the same values at many points in a row") && zero.contains("points 0 to 3"))
    // Columns that an ocean grid stores twice.
    #expect(problem([0, 0, 0]) == "none")
  }

  /// Two grids with equal bounds in two decimals are told apart by the first point that differs.
  @Test func gridsThatLookAlikeAreToldApart() {
    let (own, other) = (
      LatLonGrid(latitudes: [60, 50], longitudes: [0, 10, 20]),
      LatLonGrid(latitudes: [60, 50], longitudes: [0, 10.0015, 20])
    )
    let texts = FieldGrid.raster(own).summaries(against: .raster(other))
    #expect(texts.own == "2 × 3 (60 … 50° N, 0 … 20° E), point 1 at 60.00000° N 10.00000° E")
    #expect(texts.other == "2 × 3 (60 … 50° N, 0 … 20° E), point 1 at 60.00000° N 10.00150° E")
    let points = FieldGrid.points(PointGrid(other)).summaries(against: .points(PointGrid(own)))
    #expect(points.own.hasSuffix("point 1 at 60.00000° N 10.00150° E"), "\(points)")
  }

  /// Groups of a Zarr store with coordinates of their own: latitudes from the south, other dates.
  @Test func fieldsHaveTheCoordinatesOfTheirGroup() throws {
    let folder = try TemporaryFolder()
    func axis(_ name: String, _ values: [Double], _ units: String, along: String? = nil) -> EditedStore.Entry {
      .init(type: .float64, dimensions: [along ?? name], attributes: ["units": .text(units)], values: values)
    }
    var store = try EditedStore(Goldens.path("plain.nc"))
    (store.sizes, store.arrays) = ([("time", 1), ("latitude", 2), ("longitude", 4)], [:])
    for (group, south, hour) in [("a", false, 0.0), ("b", true, 6)] {
      store.arrays["\(group)/time"] = axis("time", [hour], "hours since 2020-01-01")
      store.arrays["\(group)/latitude"] = axis("latitude", south ? [-45, 45] : [45, -45], "degrees_north")
      store.arrays["\(group)/longitude"] = axis("longitude", [0, 90, 180, 270], "degrees_east")
      store.arrays["\(group)/\(group == "a" ? "t2m" : "d2m")"] = .init(
        type: .float32, dimensions: ["time", "latitude", "longitude"], attributes: ["units": .text("K")],
        values: (0..<8).map { 280 + Double($0) })
    }
    try store.write("\(folder.path)/p.zarr")
    let whole = try GriddedStore(openStore("\(folder.path)/p.zarr"))
    #expect(whole.store.arrays["b/d2m"]?.dimensionNames == ["b/time", "b/latitude", "b/longitude"])
    #expect(try whole.bind("t2m", rename: ["t2m": "a/t2m"]) != nil)
    let found = PlainStore.problem { _ = try whole.bind("d2m", rename: ["d2m": "b/d2m"]) }
    #expect(found.contains("name its group as a source of its own: \(folder.path)/p.zarr/b"), "\(found)")
    // Coordinates above, and of one group alone, are those of all below.
    for name in ["time", "latitude", "longitude"] {
      store.arrays[name] = store.arrays.removeValue(forKey: "a/\(name)")
      store.arrays["b/\(name)"] = nil
    }
    try store.write("\(folder.path)/q.zarr")
    #expect(try GriddedStore(openStore("\(folder.path)/q.zarr")).bind("d2m", rename: ["d2m": "b/d2m"]) != nil)
  }

  // MARK: Quantities

  /// A name that the lexicon knows does not outweigh another quantity's standard name, whether the lexicon knows that or not.
  @Test(arguments: [
    ("sd", "m", "surface_snow_thickness"), ("ci", "1", "convection_time_fraction"),
    ("msl", "Pa", "air_pressure_anomaly"), ("sst", "K", "sea_surface_temperature standard_error"),
    ("u10", "m s-1", "eastward_wind_shear"), ("u10", "m s-1", "sea_surface_wave_stokes_drift_eastward_velocity"),
    ("tcwv", "kg m-2", "atmosphere_mass_content_of_water"), ("orog", "m", "height_above_reference_ellipsoid"),
    ("swvl1", "m3 m-3", "volume_fraction_of_frozen_water_in_soil"), ("tp", "m", "rainfall_amount"),
    ("t2m", "K", "air_temperature_anomaly"),
  ]) func arraysOfAnotherQuantityAreRefused(_ name: String, _ units: String, _ standard: String) throws {
    var store = PlainStore.made()
    store.add(name, ["time", "latitude", "longitude"], [1], ["units": units, "standard_name": standard])
    let gridded = try GriddedStore(store)
    #expect(PlainStore.problem { _ = try gridded.bind(name) }.contains("but says that it is another quantity"))
    // Unless the user says that it is meant; and as a view it can't be read.
    #expect(try gridded.bind(name, rename: [name: name]) != nil)
    let view = try StoreFields(gridded)
    let place = try #require(view.variables.firstIndex { $0.name == name })
    #expect(
      PlainStore.problem {
        try withTemporary(32) { values in
          let wanted = WantedPart(dates: [0], variables: [place], member: 0, points: 0..<32)
          try view.read(wanted) { _, _ in values }
        }
      }.contains("another quantity"))
  }

  @Test(arguments: [
    ("tp", "m", "precipitation_amount"), ("sst", "K", "sea_surface_foundation_temperature"),
    ("u10", "m s-1", "x_wind"), ("t2m", "K", "unknown"), ("t2m", "K", "2m_temperature"),
    ("tcwv", "kg m-2", "lwe_thickness_of_atmosphere_mass_content_of_water_vapor"), ("t2m", "K", "Air_Temperature"),
    ("ssrd", "J m-2", "integral_of_surface_downwelling_shortwave_flux_in_air_wrt_time"),
  ]) func standardNamesOfTheSameAreNot(_ name: String, _ units: String, _ standard: String) throws {
    var store = PlainStore.made()
    store.add(name, ["time", "latitude", "longitude"], [1], ["units": units, "standard_name": standard])
    #expect(try GriddedStore(store).bind(name) != nil)
  }

  /// CF's evaporation is positive upwards, ECMWF's downwards.
  @Test func evaporationOfTheOtherSignIsNotTaken() throws {
    var store = PlainStore.made()
    let attributes = ["units": "m", "standard_name": "lwe_thickness_of_water_evaporation_amount"]
    store.add("evap", ["time", "latitude", "longitude"], [1e-3], attributes)
    #expect(try GriddedStore(store).bind("e") == nil)
  }

  /// Cloud cover had another number before ECMWF's change to GRIB 2; what one of them lacks would read as missing.
  @Test func variablesUnderTwoNumbersOfGRIBAreRefused() throws {
    func cloud(_ number: Double, _ units: String) -> [String: AttributeValue] {
      ["units": .text(units), "GRIB_shortName": .text("tcc"), "GRIB_paramId": .numbers([number])]
    }
    var store = PlainStore.made()
    let dimensions = ["time", "latitude", "longitude"]
    store.add("tcc", dimensions, [0.5], attributes: cloud(164, "1"))
    #expect(try GriddedStore(store).bind("tcc") != nil)
    store.add("tcc_entireAtmosphere", dimensions, [50], attributes: cloud(228_164, "%"))
    let gridded = try GriddedStore(store)
    let found = PlainStore.problem { _ = try gridded.bind("tcc") }
    #expect(found.contains("164 (tcc, 1) and 228164 (tcc_entireAtmosphere, %)"), "\(found)")
    #expect(try gridded.bind("tcc", rename: ["tcc": "tcc"]) != nil)
  }
}
