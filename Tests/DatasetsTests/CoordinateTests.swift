import Basics
import Stores
import Testing

@testable import Datasets

/// Coordinates are recognised by the meaning of their attributes.
@Suite struct CoordinateTests {
  private let latitude = ["units": "degrees_north"]
  private let longitude = ["units": "degrees_east"]
  private let hours = ["units": "hours since 2020-01-01"]

  /// t2m [time, latitude, longitude] at 2 times on 2 × 4 points.
  private func plain() -> MemoryStore {
    var store = MemoryStore(["time": 2, "latitude": 2, "longitude": 4, "step": 1, "lev": 2, "level": 2])
    store.add("time", ["time"], [0, 6], hours)
    store.add("latitude", ["latitude"], [45, -45], latitude)
    store.add("longitude", ["longitude"], [0, 90, 180, 270], longitude)
    store.add("t2m", ["time", "latitude", "longitude"], [280], ["units": "K"])
    return store
  }

  private func problem(_ store: MemoryStore) -> String {
    do {
      if let points = try PointFields(store) {
        _ = try points.read(date: 0)
        return "points"
      }
      let gridded = try GriddedStore(store)
      for name in ["t2m", "t"] { _ = try gridded.bind(name) }
      return "grid"
    } catch { return "\(error)" }
  }

  // MARK: Rotated and projected grids

  private func rotated(_ y: [String: String], _ x: [String: String], hasPlaces: Bool = true) -> MemoryStore {
    var store = MemoryStore(["time": 2, "rlat": 2, "rlon": 3])
    store.add("time", ["time"], [0, 6], hours)
    store.add("rlat", ["rlat"], [-10, 10], y)
    store.add("rlon", ["rlon"], [-5, 0, 5], x)
    store.add("t2m", ["time", "rlat", "rlon"], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], ["units": "K"])
    if hasPlaces {
      store.add("lat", ["rlat", "rlon"], [40, 41, 42, 60, 61, 62], latitude)
      store.add("lon", ["rlat", "rlon"], [1, 12, 23, 2, 13, 24], longitude)
    }
    return store
  }

  @Test(arguments: [
    ["standard_name": "grid_latitude", "units": "degrees", "axis": "Y"],
    ["standard_name": "projection_y_coordinate", "units": "km", "axis": "Y"],
    ["standard_name": "projection_y_coordinate", "units": "degrees_north", "axis": "Y"],
    ["long_name": "latitude in rotated pole grid", "units": "degrees_north", "axis": "Y"],
    ["units": "degrees", "axis": "Y"],
  ]) func axesOfRotatedAndProjectedGridsAreNoLatitudes(y: [String: String]) throws {
    let x = y.mapValues {
      $0.replacing("latitude", with: "longitude").replacing("_y_", with: "_x_").replacing("north", with: "east")
        .replacing("Y", with: "X")
    }
    #expect(problem(rotated(y, x, hasPlaces: false)).contains("without latitude and longitude of its points"))
    let points = try #require(try PointFields(rotated(y, x)))
    #expect(points.points.latitudes == [40, 41, 42, 60, 61, 62] && points.points.longitudes[4] == 13)
    #expect(try points.read(date: 1) == [7, 8, 9, 10, 11, 12])
    // A part that begins and ends within rows.
    var part = [Float](repeating: 0, count: 3)
    try part.withUnsafeMutableBufferPointer {
      try points.read(date: 0, variables: [0], member: 0, points: 2..<5, into: $0.baseAddress!)
    }
    #expect(part == [3, 4, 5])
  }

  @Test func gridMappingsThatContradictAreRefused() {
    var store = plain()
    store.add("crs", [], [0], ["grid_mapping_name": "rotated_latitude_longitude"])
    store.add(
      "t2m", ["time", "latitude", "longitude"], [280], ["units": "K", "grid_mapping": "crs: latitude longitude"])
    #expect(problem(store).contains("axes are not latitudes and longitudes"))
    store.add("crs", [], [0], ["grid_mapping_name": "latitude_longitude"])
    #expect(problem(store) == "grid")
  }

  @Test func onlyTheAxisLetterMakesNoLatitude() {
    var store = MemoryStore(["y": 2, "x": 3])
    store.add("y", ["y"], [10, 20], ["axis": "Y", "units": "km"])
    store.add("x", ["x"], [10, 20, 30], ["axis": "X", "units": "km"])
    store.add("t2m", ["y", "x"], [1])
    #expect(problem(store).contains("has no coordinate variables for latitude and longitude"))
  }

  @Test func coordinatesMayHaveOtherNamesThanTheirDimensions() throws {
    var store = MemoryStore(["time": 2, "y": 2, "x": 4])
    store.add("time", ["time"], [0, 6], hours)
    store.add("latitude", ["y"], [-45, 45], latitude)
    store.add("longitude", ["x"], [0, 90, 180, 270], longitude)
    store.add("t2m", ["time", "y", "x"], [280], ["units": "K"])
    let gridded = try GriddedStore(store)
    #expect(try gridded.grid.latitudes == [45, -45] && gridded.bind("t2m")?.isStatic == false)
  }

  /// WRF repeats its places for each time, and has others at the edges of cells.
  @Test func placesMayBeRepeatedInTime() throws {
    var store = MemoryStore(["Time": 2, "south_north": 2, "west_east": 3, "west_east_stag": 4])
    store.add("XTIME", ["Time"], [0, 360], ["units": "minutes since 2000-01-24 12:00:00"])
    store.add("XLAT", ["Time", "south_north", "west_east"], [1, 2, 3, 4, 5, 6], ["units": "degree_north"])
    store.add("XLONG", ["Time", "south_north", "west_east"], [11, 22, 33, 14, 25, 36], ["units": "degree_east"])
    store.add("XLAT_U", ["Time", "south_north", "west_east_stag"], [1], ["units": "degree_north"])
    store.add("XLONG_U", ["Time", "south_north", "west_east_stag"], [1], ["units": "degree_east"])
    store.add("T2", ["Time", "south_north", "west_east"], [280], ["units": "K"])
    let points = try #require(try PointFields(store))
    #expect(points.points.latitudes == [1, 2, 3, 4, 5, 6] && points.dates[1] == Timestamp("2000-01-24T18"))
    store.add("XLAT", ["Time", "south_north", "west_east"], Array(1...12).map(Double.init), ["units": "degree_north"])
    #expect(problem(store).contains("XLAT: changes in time"))
  }

  /// WRF's wrfout of some versions, and MPAS, have times as text alone.
  @Test func timesMayBeText() throws {
    var store = MemoryStore(["Time": 2, "DateStrLen": 19, "south_north": 2, "west_east": 3])
    store.add("Times", ["Time", "DateStrLen"], texts: ["2000-01-24_12:00:00", "2000-01-24_18:00:00"])
    store.add("XLAT", ["Time", "south_north", "west_east"], [1, 2, 3, 4, 5, 6], ["units": "degree_north"])
    store.add("XLONG", ["Time", "south_north", "west_east"], [11, 22, 33, 14, 25, 36], ["units": "degree_east"])
    store.add("T2", ["Time", "south_north", "west_east"], Array(1...12).map(Double.init), ["units": "K"])
    let points = try #require(try PointFields(store))
    #expect(points.dates == [Timestamp("2000-01-24T12"), Timestamp("2000-01-24T18")])
    #expect(try points.read(date: 1) == [7, 8, 9, 10, 11, 12])
    // Numbers with units come first.
    store.add("XTIME", ["Time"], [0, 360], ["units": "minutes since 2000-01-25 12:00:00"])
    #expect(try PointFields(store)?.dates.first == Timestamp("2000-01-25T12"))
    store.remove("XTIME")
    for (texts, found) in [
      (["2000-01-24_12:00:00", "yesterday at noon.."], "can't be read"),
      (["2000-01-24_12:00:00", "2000-01-24_06:00:00"], "is not ascending"),
    ] {
      store.add("Times", ["Time", "DateStrLen"], texts: texts)
      #expect(problem(store).contains("Times: ") && problem(store).contains(found))
    }
  }

  // MARK: Angles

  /// Points all over the globe and a grid, in radians and without a unit.
  @Test func radiansAreReadOrAskedFor() throws {
    let (rows, columns) = ([Double.pi / 4, 0, -Double.pi / 4], [0, Double.pi / 2, Double.pi, 3 * Double.pi / 2])
    func grid(_ units: [String: String]) throws -> GriddedStore {
      var store = MemoryStore(["latitude": 3, "longitude": 4])
      store.add("latitude", ["latitude"], rows, units)
      store.add("longitude", ["longitude"], columns, units)
      store.add("orog", ["latitude", "longitude"], [1], ["units": "m"])
      return try GriddedStore(store)
    }
    func points(_ units: [String: String], _ names: [String] = ["lat", "lon"]) throws -> PointGrid? {
      var store = MemoryStore(["cell": 4])
      store.add(names[0], ["cell"], [-Double.pi / 4, 0, Double.pi / 4, 0], units)
      store.add(names[1], ["cell"], columns, units)
      store.add("orog", ["cell"], [1], ["units": "m"])
      return try PointFields(store)?.points
    }
    for units in ["radian", "radians", "rad"] {
      let degrees = try grid(["units": units]).grid
      #expect(degrees.matches(LatLonGrid(latitudes: [45, 0, -45], longitudes: [0, 90, 180, 270])), "\(units)")
      for names in [["lat", "lon"], ["latCell", "lonCell"]] {
        let found = try #require(try points(["units": units], names))
        #expect(abs(found.latitudes[2] - 45) < 1e-9 && abs(found.longitudes[3] - 270) < 1e-9)
      }
    }
    for units in [[:], ["units": ""]] {
      let error = #expect(throws: JigsawError.self) { try points(units) }
      #expect(error?.description.contains("lat: has no units, and its values may be radians") == true)
    }
    let error = #expect(throws: JigsawError.self) { try grid([:]) }
    #expect(error?.description.contains("latitude: has no units, and its values may be radians") == true)
    let metres = #expect(throws: JigsawError.self) {
      var store = MemoryStore(["cell": 4])
      store.add("y", ["cell"], [1, 2, 3, 4], ["units": "m", "standard_name": "latitude"])
      store.add("x", ["cell"], [1, 2, 3, 4], ["units": "degrees east"])
      store.add("orog", ["cell"], [1], ["units": "m"])
      _ = try PointFields(store)
    }
    #expect(metres?.description.contains("units that are no angle's") == true)
  }

  @Test func arraysOfAnotherLengthThanTheirCoordinatesAreRefused() throws {
    var store = MemoryStore(["time": 2, "level": 2, "cell": 4])
    store.add("time", ["time"], [0, 6], hours)
    store.add("level", ["level"], [850, 500], ["units": "hPa"])
    store.add("lat", ["cell"], [40, 10, -10, -40], latitude)
    store.add("lon", ["cell"], [0, 90, 180, 270], longitude)
    for (dimension, size) in [("time", 3), ("level", 1), ("cell", 5)] {
      var longer = store
      longer.resize(dimension, size)
      longer.add("t", ["time", "level", "cell"], [250], ["units": "K"])
      #expect(problem(longer).contains("t: has another length along '\(dimension)' than its coordinate"))
    }
    store.add("t", ["time", "level", "cell"], [250], ["units": "K"])
    #expect(problem(store) == "points")
  }

  @Test func fieldsOnFacesOfAMeshAreMeant() throws {
    var store = MemoryStore(["time": 2, "face": 3, "edge": 5, "node": 4, "three": 3])
    store.add(
      "mesh", [], [0],
      ["cf_role": "mesh_topology", "face_coordinates": "x_face y_face", "face_node_connectivity": "links"])
    store.add("links", ["face", "three"], [0, 1, 2], ["start_index": "0"])
    for (place, count) in [("edge", 5), ("face", 3), ("node", 4)] {
      let degrees = (0..<count).map { Double($0 * 7 + count) }
      store.add("y_\(place)", [place], degrees, ["standard_name": "latitude", "units": "degrees_north"])
      store.add("x_\(place)", [place], degrees, ["standard_name": "longitude", "units": "degrees_east"])
    }
    store.add("time", ["time"], [0, 6], hours)
    store.add("t2m", ["time", "face"], [1, 2, 3], ["units": "K"])
    store.add("flux", ["time", "edge"], [1], ["units": "1"])
    store.add("other_flux", ["time", "edge"], [1], ["units": "1"])
    let points = try #require(try PointFields(store))
    #expect(points.points.latitudes == [3, 10, 17] && points.variables.map(\.name) == ["t2m"])
    #expect(try points.read(date: 0) == [1, 2, 3])
  }

  @Test func boundsAreNoPlaces() throws {
    var store = plain()
    store.add("lat_bnds", ["latitude", "nv"], [90, 0], latitude)
    store.add("latitude", ["latitude"], [45, -45], ["units": "degrees_north", "bounds": "lat_bnds"])
    #expect(problem(store) == "grid")
    // Along the dimension of points nothing else tells edges from places.
    var points = MemoryStore(["cell": 4])
    points.add("xc", ["cell"], [0, 90, 180, 270], longitude)
    points.add("ya", ["cell"], [60, 20, -20, -60], latitude)
    points.add("yc", ["cell"], [50, 10, -10, -50], latitude.merging(["bounds": "ya"]) { $1 })
    points.add("t2m", ["cell"], [280], ["units": "K"])
    #expect(try PointFields(points)?.points.latitudes == [50, 10, -10, -50])
  }

  // MARK: Times

  @Test func timesOfReferenceGiveWayToThoseOfValidity() throws {
    var store = plain()
    store.add("time", ["time"], [0, 6], hours.merging(["standard_name": "forecast_reference_time"]) { $1 })
    #expect(problem(store).contains("nothing says when they are valid"))
    store.add("step", [], [6], ["standard_name": "forecast_period", "units": "hours"])
    #expect(try GriddedStore(store).times == [Timestamp("2020-01-01T06"), Timestamp("2020-01-01T12")])
    store.add("valid_time", ["time"], [9, 15], hours)
    #expect(try GriddedStore(store).times.first == Timestamp("2020-01-01T09"))
    // Without standard names, valid_time is the validity.
    store.add("time", ["time"], [0, 6], hours)
    store.remove("step")
    #expect(try GriddedStore(store).times.first == Timestamp("2020-01-01T09"))
    store.remove("valid_time")
    store.add("time", ["time"], [0, 6], hours.merging(["long_name": "initial time of forecast"]) { $1 })
    #expect(problem(store).contains("nothing says when they are valid"))
  }

  @Test(arguments: ["step", "lead_time", "prediction_timedelta"]) func oneLeadTimeIsAdded(name: String) throws {
    var store = MemoryStore(["time": 2, "latitude": 2, "longitude": 4, name: 1])
    store.add("time", ["time"], [0, 24], hours)
    store.add("latitude", ["latitude"], [45, -45], latitude)
    store.add("longitude", ["longitude"], [0, 90, 180, 270], longitude)
    store.add(name, [name], [360], ["units": "minutes"])
    store.add("t2m", ["time", name, "latitude", "longitude"], [280], ["units": "K"])
    #expect(try GriddedStore(store).times.first == Timestamp("2020-01-01T06"))
    var longer = MemoryStore(["time": 2, "latitude": 2, "longitude": 4, name: 3])
    let axes: [(String, [Double], [String: String])] = [("time", [0, 24], hours), ("latitude", [45, -45], latitude)]
    for (axis, values, units) in axes {
      longer.add(axis, [axis], values, units)
    }
    longer.add("longitude", ["longitude"], [0, 90, 180, 270], longitude)
    longer.add(name, [name], [0, 6, 12], ["units": "hours"])
    longer.add("t2m", ["time", name, "latitude", "longitude"], [280], ["units": "K"])
    #expect(problem(longer).contains("several lead times") && problem(longer).contains("\(name) of 3"))
  }

  /// Lead times may have units in words and other names; one without units is refused, unless it is zero.
  @Test func leadTimesAreKnownByWordsAndNames() throws {
    func made(_ name: String, _ lead: Double, _ attributes: [String: String], isScalar: Bool) -> MemoryStore {
      var store = plain()
      store.resize(name, 1)
      store.add(name, isScalar ? [] : [name], [lead], attributes)
      store.add(
        "t2m", isScalar ? ["time", "latitude", "longitude"] : ["time", name, "latitude", "longitude"], [280],
        ["units": "K"])
      return store
    }
    for isScalar in [true, false] {
      for (name, attributes) in [
        ("step", ["units": "hours since forecast start"]), ("fhour", ["units": "hours"]), ("tau", ["units": "h"]),
        ("forecast_time", ["units": "hours"]), ("hour", ["units": "hours", "long_name": "forecast lead time"]),
      ] {
        let store = made(name, 24, attributes, isScalar: isScalar)
        #expect(try GriddedStore(store).times.first == Timestamp("2020-01-02"), "\(name) \(isScalar)")
      }
      for name in ["lead", "forecast_hour", "step"] {
        let unsaid = problem(made(name, 24, [:], isScalar: isScalar))
        #expect(unsaid.contains("memory: \(name): has units that are no lead time's"), "\(unsaid)")
        #expect(try GriddedStore(made(name, 0, [:], isScalar: isScalar)).times.first == Timestamp("2020-01-01"))
      }
      // Times with the name of a lead.
      let dates = made("forecast_time", 24, hours, isScalar: isScalar)
      #expect(try GriddedStore(dates).times.first == Timestamp("2020-01-01"))
    }
  }

  @Test func timesOfValidityMustAgree() throws {
    var store = plain()
    store.add("time", ["time"], [0, 6], hours.merging(["standard_name": "time"]) { $1 })
    store.add("valid_time", ["time"], [0, 6], hours)
    #expect(try GriddedStore(store).times.first == Timestamp("2020-01-01"))
    store.add("valid_time", ["time"], [24, 30], hours)
    let found = problem(store)
    #expect(found.contains("time and valid_time: both claim to be the times of validity"), "\(found)")
    #expect(found.contains("2020-01-01 00:00 and 2020-01-02 00:00"), "\(found)")
  }

  /// What climate models write: validity, and the lead time beside it.
  @Test func aLeadTimeBesideTimesOfValidityIsNotAdded() throws {
    var store = plain()
    store.add("time", ["time"], [0, 6], hours.merging(["standard_name": "time"]) { $1 })
    store.add("forecast_period", [], [12], ["units": "hours", "standard_name": "forecast_period"])
    store.add("forecast_reference_time", [], [0], hours)
    #expect(try GriddedStore(store).times.first == Timestamp("2020-01-01"))
  }

  // MARK: Levels

  @Test(arguments: [
    ["units": "hPa", "standard_name": "atmosphere_hybrid_sigma_pressure_coordinate"],
    ["units": "hPa", "long_name": "hybrid level at midpoints (1000*(A+B))"], ["long_name": "model_level_number"],
    ["units": "hPa", "formula_terms": "a: hyam b: hybm ps: PS"], ["units": "1", "standard_name": "model_level_number"],
    ["units": "mb", "long_name": "sigma at layer midpoints"], ["standard_name": "atmosphere_sigma_coordinate"],
    ["units": "hPa", "long_name": "eta"], ["units": "mb", "long_name": "vertical coordinate (A/p0+B)*1000"],
    ["units": "mb", "long_name": "ref full pressure level", "edges": "phalf"],
  ]) func levelsOfModelsAreNoPressures(attributes: [String: String]) {
    for name in ["lev", "level"] {
      for count in [1, 2] {
        var store = MemoryStore(["time": 2, "latitude": 2, "longitude": 4, name: count])
        store.add("time", ["time"], [0, 6], hours)
        store.add("latitude", ["latitude"], [45, -45], latitude)
        store.add("longitude", ["longitude"], [0, 90, 180, 270], longitude)
        store.add(name, [name], [500, 850], attributes)
        store.add("t", ["time", name, "latitude", "longitude"], [250], ["units": "K"])
        #expect(problem(store).contains("which are no pressures"), "\(name) \(attributes)")
      }
    }
  }

  /// Levels of potential temperature have the name of pressure levels, and no unit that tells.
  @Test(arguments: ["isentropic level", "potential temperature"]) func isentropicLevelsAreNoPressures(longName: String)
  {
    var store = plain()
    store.resize("level", 2)
    store.add("level", ["level"], [300, 350], ["long_name": longName])
    store.add("t", ["time", "level", "latitude", "longitude"], [250], ["units": "K"])
    #expect((try? GriddedStore(store).levelsHPa) ?? [] == [])
  }

  /// CESM has the coefficients of its levels beside `lev`, GFS calls them `pfull`; of LMDZ's `presnivs` the numbers alone tell.
  @Test func levelsOfModelsAreKnownByWhatLiesBesideThem() throws {
    func made(_ name: String, _ values: [Double], _ units: String, beside: String? = nil) -> MemoryStore {
      var store = plain()
      store.resize(name, 2)
      store.add(name, [name], values, ["units": units])
      if let beside { store.add(beside, [name], [0.1, 0.2]) }
      store.add("t", ["time", name, "latitude", "longitude"], [250], ["units": "K"])
      return store
    }
    #expect(problem(made("lev", [850, 500], "hPa", beside: "hyam")).contains("which are no pressures"))
    #expect(problem(made("pfull", [850, 500], "mb")).contains("which are no pressures"))
    let odd = problem(made("presnivs", [85_012.3, 50_001.7], "Pa"))
    #expect(odd.contains("numbers are not those of pressure levels") && odd.contains("found 85012.3"), "\(odd)")
    #expect(problem(made("presnivs", [850.1, 500.2], "Pa")).contains("numbers are not those of pressure levels"))
    for (values, units) in [([850.0, 500], "hPa"), ([7_000, 1_500], "Pa"), ([3, 0.4], "hPa")] {
      #expect(try GriddedStore(made("presnivs", values, units)).bind("t")?.hasLevels == true)
    }
    #expect(try GriddedStore(made("plev", [851.5, 500.3], "hPa")).bind("t")?.hasLevels == true)
  }

  /// As UDUNITS knows them: the other way round.
  @Test func degreesWestAndSouthAreTurned() throws {
    var store = plain()
    store.add("latitude", ["latitude"], [45, -45], ["units": "degrees_south", "standard_name": "latitude"])
    store.add("longitude", ["longitude"], [270, 180, 90, 0], ["units": "degrees_west", "standard_name": "longitude"])
    let values = (0..<16).map { Double($0) }
    store.add("t2m", ["time", "latitude", "longitude"], values, ["units": "K"])
    let grid = try GriddedStore(store).grid
    #expect(grid.latitudes == [45, -45] && grid.longitudes == [0, 90, 180, 270])
  }

  @Test func numbersWithoutUnitsAreLevelsOnlyIfTheyMayBePressures() throws {
    func levels(_ numbers: [Double], _ attributes: [String: String] = [:]) throws -> [Double] {
      var store = MemoryStore(["level": numbers.count, "latitude": 2, "longitude": 4])
      store.add("latitude", ["latitude"], [45, -45], latitude)
      store.add("longitude", ["longitude"], [0, 90, 180, 270], longitude)
      store.add("level", ["level"], numbers, attributes)
      store.add("t", ["level", "latitude", "longitude"], [250], ["units": "K"])
      return try GriddedStore(store).levelsHPa
    }
    let era5: [Double] = [1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 125, 150, 175, 200, 225, 250, 500, 850, 1_000]
    #expect(try levels(era5) == era5)
    let others: [[Double]] = [(1...137).map { Double($0) }, [137, 100], [1, 2, 3], [85_000, 50_000], [0.995, 0.5]]
    for numbers in others {
      #expect(throws: JigsawError.self, "\(numbers)") { try levels(numbers) }
    }
    for units in ["mb", "millibar", "millibars", "mbar", "hPa", "hectopascals"] {
      #expect(try levels([850, 500], ["units": units]) == [850, 500])
    }
    #expect(try levels([85_000, 50_000], ["units": "Pa", "standard_name": "air_pressure"]) == [850, 500])
  }

  @Test func theAxisOfPressureMayHaveAnyName() throws {
    for name in ["lev", "isobaric", "pres"] {
      var store = MemoryStore(["latitude": 2, "longitude": 4, name: 2])
      store.add("latitude", ["latitude"], [45, -45], latitude)
      store.add("longitude", ["longitude"], [0, 90, 180, 270], longitude)
      store.add(name, [name], [850, 500], ["units": "mb"])
      store.add("t", [name, "latitude", "longitude"], [250], ["units": "K"])
      #expect(try GriddedStore(store).bind("t")?.hasLevels == true)
    }
  }

  /// Times of validity beside start and lead are not passed over.
  @Test func validityThatContradictsStartAndLeadIsRefused() throws {
    var store = MemoryStore(["time": 2, "step": 3, "latitude": 2, "longitude": 4])
    store.add("time", ["time"], [0, 24], hours.merging(["standard_name": "forecast_reference_time"]) { $1 })
    store.add("step", ["step"], [6, 12, 18], ["standard_name": "forecast_period", "units": "hours"])
    store.add("latitude", ["latitude"], [45, -45], latitude)
    store.add("longitude", ["longitude"], [0, 90, 180, 270], longitude)
    store.add("t2m", ["time", "step", "latitude", "longitude"], [280], ["units": "K"])
    store.add("valid_time", ["time", "step"], [6, 12, 18, 30, 36, 42], hours)
    #expect(try ForecastAxes(store).leadHours == [6, 12, 18])
    store.add("valid_time", ["time", "step"], [6, 12, 18, 30, 36, 48], hours)
    let error = #expect(throws: JigsawError.self) { try ForecastAxes(store) }
    #expect(error?.description.contains("memory: valid_time: contradicts the start and the lead") == true)
    #expect(error?.description.contains("+18 h") == true && error?.description.contains("2020-01-03 00:00") == true)
    store.add("valid_time", ["step"], [6, 12, 18], hours)
    #expect(throws: JigsawError.self) { try ForecastAxes(store) }
  }
}
