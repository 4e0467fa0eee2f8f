import Basics
import Stores
import TestSupport
import Testing

@testable import Datasets

/// Variables as CMIP names them, and such as are known by their CF standard names alone.
@Suite struct StandardNameTests {
  private func store(_ change: (inout MemoryStore) -> Void) -> MemoryStore {
    var store = MemoryStore(["time": 2, "plev": 2, "lat": 4, "lon": 8])
    store.add("time", ["time"], [0, 6], ["units": "hours since 2000-01-01", "standard_name": "time"])
    store.add("plev", ["plev"], [85_000, 50_000], ["units": "Pa", "standard_name": "air_pressure"])
    store.add("lat", ["lat"], [67.5, 22.5, -22.5, -67.5], ["units": "degrees_north"])
    store.add("lon", ["lon"], (0..<8).map { Double($0) * 45 }, ["units": "degrees_east"])
    change(&store)
    return store
  }

  private static let surface = ["time", "lat", "lon"]
  private static let upper = ["time", "plev", "lat", "lon"]

  /// The array that a variable of ours is found in, and what of its first value becomes ours.
  private func found(_ name: String, _ store: MemoryStore) throws -> (name: String, value: Double)? {
    try GriddedStore(store).bind(name).map { binding in
      let value = try store.read(binding.array.name).doubles[0]
      return (binding.array.name, value * binding.conversion.factor + binding.conversion.offset)
    }
  }

  @Test(arguments: [
    ("msl", "psl", "Pa", 101_325.0, 101_325.0), ("z", "zg", "m", 1_000, 9_806.65), ("sh2", "huss", "1", 0.01, 0.01),
    ("r2", "hurs", "%", 80, 80), ("lsm", "sftlf", "%", 40, 0.4), ("t2m", "tas", "K", 280, 280),
    ("sst", "tos", "degC", 10, 283.15), ("avg_tprate", "pr", "kg m-2 s-1", 1e-4, 1e-4),
    ("avg_tprate", "pr", "mm/day", 8.64, 1e-4), ("w", "wap", "Pa s-1", 0.5, 0.5), ("q", "hus", "1", 0.01, 0.01),
    ("u10", "uas", "m s-1", 7, 7), ("orog", "orog", "m", 300, 300), ("tcc", "clt", "%", 50, 0.5),
    ("sd", "snw", "kg m-2", 100, 0.1),
  ]) func namesOfCMIP(_ ours: String, _ theirs: String, _ units: String, _ stored: Double, _ value: Double) throws {
    let dimensions = Lexicon.isOnLevels(ours) ? Self.upper : Self.surface
    let store = store { $0.add(theirs, dimensions, [stored], ["units": units]) }
    let found = try #require(try found(ours, store))
    #expect(found.name == theirs && abs(found.value - value) <= 1e-12 * abs(value), "\(found)")
  }

  /// A dimension's coordinate says what is stored along it: of more or fewer entries nothing is known.
  @Test(arguments: ["time", "lat", "lon"]) func lengthsMustBeThoseOfCoordinates(dimension: String) throws {
    var store = store { $0.add("t2m", Self.surface, [280], ["units": "K"]) }
    #expect(try GriddedStore(store).bind("t2m") != nil)
    for length in [1, 100] {
      store.resize(dimension, length)
      store.add("t2m", Self.surface, [280], ["units": "K"])
      let error = #expect(throws: JigsawError.self) { try GriddedStore(store).bind("t2m") }
      #expect(error?.problem == "has another length along '\(dimension)' than its coordinate")
    }
  }

  /// A flux is no amount; heights are none of temperatures.
  @Test func unitsThatDoNotFitAreRefused() throws {
    for (ours, theirs, units) in [
      ("tp", "pr", "kg m-2 s-1"), ("msl", "psl", "K"), ("sh2", "huss", "K"), ("lsm", "sftlf", "m"), ("z", "zg", "K"),
      ("avg_tprate", "pr", "mm"),
    ] {
      let store = store { $0.add(theirs, Self.surface, [1], ["units": units]) }
      let error = #expect(throws: JigsawError.self) { try GriddedStore(store).bind(ours, rename: [ours: theirs]) }
      #expect(error?.description.contains("memory: \(theirs): has units that don't fit \(ours)") == true, "\(theirs)")
    }
    #expect(try found("tp", store { $0.add("pr", Self.surface, [1], ["units": "kg m-2 s-1"]) }) == nil)
  }

  /// Rates over 6 h, as CMIP has them.
  private func rates(
    cells: String? = "area: time: mean", ends: [Double] = [0, 6], starts: [Double] = [-6, 0],
    units: String = "kg m-2 s-1"
  ) -> MemoryStore {
    var store = MemoryStore(["time": 2, "bnds": 2, "lat": 4, "lon": 8])
    store.add(
      "time", ["time"], [0, 6],
      [
        "units": "hours since 2000-01-01", "standard_name": "time", "bounds": "time_bnds",
        "calendar": "proleptic_gregorian",
      ])
    store.add("time_bnds", ["time", "bnds"], zip(starts, ends).flatMap { [$0, $1] })
    store.add("lat", ["lat"], [67.5, 22.5, -22.5, -67.5], ["units": "degrees_north"])
    store.add("lon", ["lon"], (0..<8).map { Double($0) * 45 }, ["units": "degrees_east"])
    let said = cells.map { ["cell_methods": $0] } ?? [:]
    store.add("pr", Self.surface, [1e-3], ["units": units, "standard_name": "precipitation_flux"].merging(said) { $1 })
    return store
  }

  /// 10⁻³ kg m⁻² s⁻¹ over 6 h are 21.6 mm.
  @Test func ratesAddUpWherePeriodsAreCertain() throws {
    for name in ["tp", "tp6h"] {
      let found = try #require(try found(name, rates()))
      #expect(found.name == "pr" && abs(found.value - 0.0216) < 1e-15)
    }
    #expect(try abs((found("tp", rates(units: "mm/day"))?.value ?? 0) - 1e-3 / 4 / 1_000) < 1e-15)
    #expect(try found("avg_tprate", rates())?.value == 1e-3)
    #expect(try found("tp", rates(cells: "time: mean (interval: 1 hour)"))?.name == "pr")
    // Means over another period than the sum's; precipitation is no snowfall.
    #expect(try found("tp24h", rates()) == nil && found("sf", rates()) == nil)
    let gridded = try GriddedStore(rates())
    let field = try #require(try gridded.find("tp", rename: [:], asStatic: false))
    #expect(field.isSum && field.remarks == ["means over 6 h of pr are added up over these"])
  }

  /// Amounts whose bounds begin at their times would be read before they have fallen.
  @Test func amountsOfOtherPeriodsAreRefused() throws {
    func store(_ name: String, starts: [Double], ends: [Double]) -> MemoryStore {
      var store = rates(cells: nil, ends: ends, starts: starts)
      store.remove("pr")
      store.add(name, Self.surface, [1e-3], ["units": "m", "cell_methods": "time: sum"])
      return store
    }
    #expect(try found("tp", store("tp", starts: [-6, 0], ends: [0, 6]))?.name == "tp")
    #expect(try found("tp6h", store("tp6h", starts: [-6, 0], ends: [0, 6]))?.name == "tp6h")
    for (name, starts, ends) in [
      ("tp", [0.0, 6], [6.0, 12]), ("tp", [-3, 3], [3, 9]), ("tp6h", [-24, -18], [0, 6]),
    ] {
      let error = #expect(throws: JigsawError.self) { try found(name, store(name, starts: starts, ends: ends)) }
      #expect(error?.problem.hasPrefix("are amounts over other periods than \(name)") == true)
    }
  }

  struct Doubtful: Sendable {
    let doubt: String
    var cells: String? = "time: mean"
    var ends: [Double] = [0, 6]
    var starts: [Double] = [-6, 0]
  }

  private static let doubtful = [
    Doubtful(doubt: "no cell_methods", cells: nil),
    Doubtful(doubt: "cell_methods 'time: point'", cells: "time: point"),
    Doubtful(doubt: "cell_methods 'time: mean where land'", cells: "time: mean where land"),
    Doubtful(doubt: "cell_methods 'area: mean'", cells: "area: mean"),
    Doubtful(doubt: "bounds of 'time' of several lengths", starts: [-3, 0]),
    Doubtful(doubt: "bounds of 'time' of several lengths", starts: [0, 6]),
    Doubtful(doubt: "times that are not the ends of their bounds", ends: [3, 9], starts: [-3, 3]),
  ]

  @Test(arguments: doubtful) func otherRatesDoNotAddUp(_ one: Doubtful) throws {
    let store = rates(cells: one.cells, ends: one.ends, starts: one.starts)
    #expect(try found("tp", store) == nil)
    let error = #expect(throws: JigsawError.self) { try GriddedStore(store).bind("tp", rename: ["tp": "pr"]) }
    #expect(error?.problem.contains("has units that don't fit tp") == true)
    #expect(error?.found == "'kg m-2 s-1' with \(one.doubt)")
  }

  @Test func unknownNamesAreFoundByStandardName() throws {
    func one(_ standard: String, _ units: String, _ dimensions: [String] = Self.surface, _ more: [String: String] = [:])
      -> MemoryStore
    {
      store { store in
        store.add("x", dimensions, [1], ["standard_name": standard, "units": units].merging(more) { $1 })
        store.add("height", [], [2], ["standard_name": "height", "units": "m"])
      }
    }
    #expect(try found("msl", one("air_pressure_at_sea_level", "hPa"))?.value == 100)
    #expect(try found("z", one("geopotential_height", "m", Self.upper))?.value == 9.80665)
    #expect(try found("t", one("air_temperature", "K", Self.upper))?.name == "x")
    #expect(try found("lsm", one("land_area_fraction", "%"))?.value == 0.01)
    #expect(try found("avg_tprate", one("precipitation_flux", "kg m-2 s-1"))?.name == "x")
    // Several variables have this name: the height tells them apart.
    let named = ["coordinates": "height"]
    #expect(try found("t2m", one("air_temperature", "K", Self.surface, named))?.name == "x")
    #expect(try found("t2m", one("air_temperature", "K")) == nil)
    #expect(try found("t", one("air_temperature", "K", Self.surface, named)) == nil)
    #expect(
      try found(
        "t2m", one("air_temperature", "K", Self.surface, named.merging(["cell_methods": "time: maximum"]) { $1 }))
        == nil)
    for more in [["GRIB_stepType": "max"], ["long_name": "maximum temperature"], ["cell_methods": "time:minimum"]] {
      #expect(
        try found("t2m", one("air_temperature", "K", Self.surface, named.merging(more) { $1 })) == nil, "\(more)")
    }
    // Another quantity's units, or none of these names.
    #expect(try found("msl", one("air_pressure_at_sea_level", "K")) == nil)
    #expect(try found("msl", one("surface_temperature", "K")) == nil)
    let two = store { store in
      for name in ["x", "y"] { store.add(name, Self.surface, [1], ["standard_name": "surface_air_pressure"]) }
    }
    let error = #expect(throws: JigsawError.self) { try GriddedStore(two).bind("sp") }
    #expect(error?.description.contains("sp: is present under several names") == true)
    #expect(error?.description.contains("x and y") == true)
  }

  /// Also in views, whose variables have our names.
  @Test func viewsKnowStandardNames() throws {
    let view = try StoreFields(
      GriddedStore(
        store { store in
          store.add("x", Self.surface, [1], ["standard_name": "air_pressure_at_sea_level", "units": "hPa"])
          store.add("zg", Self.upper, [1], ["units": "m"])
          for name in ["tas", "t2m"] { store.add(name, Self.surface, [1], ["units": "K"]) }
        }))
    #expect(view.variables.map(\.name) == ["t2m", "tas", "msl", "z_850", "z_500"])
    #expect(view.variables[2].units == "Pa" && view.variables[2].storedUnits == "hPa")
    let error = #expect(throws: JigsawError.self) {
      try GriddedView(view).find("t2m", rename: [:], asStatic: false)
    }
    #expect(error?.description.contains("t2m: is present under several names") == true)
  }

  /// What is stored anew keeps them.
  @Test func unitsOfUnknownVariablesAreKept() throws {
    let folder = try TemporaryFolder()
    var data = SyntheticData()
    (data.upper, data.levels, data.statics, data.surface, data.times) = ([], [], [], ["dust"], 8)
    try data.write("\(folder.path)/a.nc")
    var store = try EditedStore("\(folder.path)/a.nc")
    store.arrays["dust"]?.attributes["units"] = .text("ug m-3")
    try Files.remove("\(folder.path)/a.nc")
    try store.write("\(folder.path)/a.nc")
    let dataset = try FieldDataset(
      sources: [SourceDescription(path: "\(folder.path)/a.nc")], variables: ["dust"], levelsHPa: [])
    #expect(dataset.units(of: Channel(variable: "dust")) == "ug m-3")
    let input = try ConversionInput(dataset, from: nil, through: nil)
    #expect(input.fields.map(\.units) == ["ug m-3"])
  }

  /// Files of one pattern make a series of one quantity.
  @Test(arguments: [
    ("dust", "standard_name", "sea_surface_wave_significant_height", "sea_surface_swell_wave_significant_height"),
    ("dust", "cell_methods", "time: mean", "time: sum"), ("t", "GRIB_level", "80", "100"),
  ])
  func filesOfOneSeriesMeanTheSame(name: String, key: String, first: String, second: String) throws {
    let folder = try TemporaryFolder()
    var data = SyntheticData()
    (data.upper, data.levels, data.statics, data.surface, data.times) = ([], [], [], [name], 8)
    for (file, value) in [("a", first), ("b", second), ("c", "none")] {
      try data.write("\(folder.path)/\(file).nc")
      var store = try EditedStore("\(folder.path)/\(file).nc")
      store.arrays[name]?.attributes["standard_name"] = nil
      if let level = Double(value) {
        store.arrays[name]?.attributes["GRIB_typeOfLevel"] = .text("heightAboveGround")
        store.arrays[name]?.attributes[key] = .numbers([level])
      } else if value != "none" {
        store.arrays[name]?.attributes[key] = .text(value)
      }
      try Files.remove("\(folder.path)/\(file).nc")
      try store.write("\(folder.path)/\(file).nc")
      data.start = data.start.adding(hours: 48)
    }
    func open(_ pattern: String) throws {
      _ = try FieldDataset(
        sources: [SourceDescription(path: "\(folder.path)/\(pattern).nc")], variables: [name], levelsHPa: [])
    }
    let error = #expect(throws: JigsawError.self) { try open("*") }
    #expect(
      error?.description.contains("b.nc: \(name): is another quantity than in \(folder.path)/a.nc, by its \(key)")
        == true,
      "\(String(describing: error))")
    // A file that doesn't say it contradicts nothing.
    try open("[bc]")
  }

  /// Nothing is known to convert them to.
  @Test func unitsOfUnknownVariablesMustAgree() throws {
    let folder = try TemporaryFolder()
    var data = SyntheticData()
    (data.upper, data.levels, data.statics, data.surface, data.times) = ([], [], [], ["dust"], 8)
    for (name, units) in [("a", "g kg-1"), ("b", "kg kg-1")] {
      try data.write("\(folder.path)/\(name).nc")
      var store = try EditedStore("\(folder.path)/\(name).nc")
      store.arrays["dust"]?.attributes["units"] = .text(units)
      try Files.remove("\(folder.path)/\(name).nc")
      try store.write("\(folder.path)/\(name).nc")
      data.start = data.start.adding(hours: 48)
    }
    let error = #expect(throws: JigsawError.self) {
      try FieldDataset(
        sources: [SourceDescription(path: "\(folder.path)/*.nc")], variables: ["dust"], levelsHPa: [])
    }
    #expect(error?.description.contains("b.nc: dust: has other units than in \(folder.path)/a.nc") == true)
  }

  /// A name that is known does not make one quantity of another.
  @Test(arguments: [
    ("u10", "uas", "m s-1", ["standard_name": "northward_wind"]),
    ("t2m", "tas", "K", ["standard_name": "dew_point_temperature"]),
    ("t2m", "tas", "K", ["standard_name": "sea_water_temperature"]),
    ("t2m", "t2m", "K", ["standard_name": "air_potential_temperature"]),
    ("tp", "tp", "m", ["standard_name": "lwe_thickness_of_snowfall_amount"]),
    ("t2m", "tas", "K", ["standard_name": "air_temperature", "cell_methods": "area: mean time: maximum"]),
    ("t2m", "tas", "K", ["cell_methods": "realization: standard_deviation"]),
    ("t2m", "tas", "K", ["cell_methods": "time_counter: maximum"]),
    ("t2m", "tas", "K", ["cell_methods": "area: maximum"]),
    ("t2m", "tas", "K", ["cell_methods": "time : Max (interval: 1 hr)"]),
    ("t2m", "tas", "K", ["cell_methods": "time: median"]), ("t2m", "tas", "K", ["cell_methods": "time:maximum"]),
    ("t2m", "t2m", "K", ["GRIB_stepType": "max"]), ("sp", "sp", "Pa", ["GRIB_stepType": "min"]),
    ("t2m", "t2m", "K", ["long_name": "Daily Maximum Near-Surface Air Temperature"]),
    ("t2m", "t2m", "K", ["long_name": "minimum temperature"]), ("mx2t", "tasmax", "K", ["GRIB_stepType": "min"]),
    ("i10fg", "i10fg", "m s-1", ["GRIB_stepType": "max"]),
    ("t2m", "tas", "K", ["cell_methods": "time: mean within days time: mean over years"]),
    ("t2m", "tas", "degC", ["units_metadata": "temperature: difference"]),
    ("u10", "u10", "m s-1", ["GRIB_dataType": "es"]), ("t2m", "tas", "K", ["GRIB_dataType": "4i"]),
    ("t2m", "tas", "K", ["coordinates": "height"]), ("u10", "uas", "m s-1", ["coordinates": "height"]),
  ]) func attributesThatContradictTheNameAreRefused(
    _ ours: String, _ theirs: String, _ units: String, _ attributes: [String: String]
  ) throws {
    let store = store {
      $0.add("height", [], [100], ["units": "m", "standard_name": "height"])
      $0.add(theirs, Self.surface, [1], attributes.merging(["units": units]) { $1 })
    }
    let error = #expect(throws: JigsawError.self) { try GriddedStore(store).bind(ours) }
    #expect(error?.description.contains("but says that it is another quantity") == true, "\(String(describing: error))")
    // Whoever names it means it.
    #expect(try GriddedStore(store).bind(ours, rename: [ours: theirs]) != nil)
  }

  /// MEPS has a height of 0 m beside variables that have none.
  @Test func variablesWithoutAHeightAreFoundBesideOne() throws {
    for (standard, units, name) in [
      ("air_pressure_at_sea_level", "Pa", "msl"), ("surface_geopotential", "m2 s-2", "zs"),
    ] {
      let store = store {
        $0.add("height0", [], [0], ["units": "m", "standard_name": "height"])
        $0.add(standard, Self.surface, [1], ["units": units, "standard_name": standard, "coordinates": "height0"])
      }
      #expect(try GriddedStore(store).bind(name) != nil, "\(name)")
    }
  }

  /// Means of ERA5's months are still values of the variable.
  @Test(arguments: ["avgad", "avgfc", "avgd", "avgas"]) func meansOfPeriodsAreTaken(step: String) throws {
    let store = store { $0.add("t2m", Self.surface, [1], ["units": "K", "GRIB_stepType": step]) }
    #expect(try GriddedStore(store).bind("t2m") != nil)
  }

  /// Heights are a tenth of geopotentials, and amounts of water a thousand times depths of it.
  @Test(arguments: [
    ("z", "zg", "zg"), ("z", "hgt", "hgt"), ("z", "z", "geopotential height"), ("tp", "apcp", "apcp"),
    ("sd", "snw", "snw"),
  ])
  func namesOfOtherUnitsWithoutUnitsAreRefused(ours: String, theirs: String, longName: String) throws {
    func made(_ units: [String: String]) -> MemoryStore {
      store { $0.add(theirs, Self.surface, [1], units.merging(["long_name": longName]) { $1 }) }
    }
    let error = #expect(throws: JigsawError.self) { try GriddedStore(made([:])).bind(ours) }
    #expect(error?.description.contains("and no units") == true, "\(String(describing: error))")
    #expect(try GriddedStore(made(["units": ours == "z" ? "m" : "kg m-2"])).bind(ours) != nil)
  }

  /// Extremes that are not known are what they say; those that are known, of variables with names of their own.
  @Test func extremesWithoutARowAreTaken() throws {
    for (name, method) in [("mx2t3", "maximum"), ("mn2t24", "minimum"), ("mxtpr3", "maximum")] {
      for attributes in [
        ["long_name": "\(method) since"], ["cell_methods": "time: \(method)"], ["GRIB_stepType": "max"],
      ] {
        let store = store { $0.add(name, Self.surface, [1], attributes.merging(["units": "K"]) { $1 }) }
        #expect(try GriddedStore(store).bind(name) != nil, "\(name) \(attributes)")
      }
    }
  }

  /// A field at a height is no level of pressure: it is named as what it is.
  @Test(arguments: [("ta", 2.0, "names: {t2m: ta}"), ("ua", 10, "names: {u10: ua}"), ("ta", 50, "names: {NAME: ta}")])
  func fieldsAtAHeightAreNamedByIt(name: String, metres: Double, advice: String) throws {
    let standard = name == "ta" ? "air_temperature" : "eastward_wind"
    let store = store {
      $0.add("height", [], [metres], ["units": "m", "standard_name": "height"])
      $0.add(
        name, Self.surface, [1],
        ["units": name == "ta" ? "K" : "m s-1", "standard_name": standard, "coordinates": "height"])
    }
    let error = #expect(throws: JigsawError.self) { try GriddedStore(store).bind(name == "ta" ? "t" : "u") }
    #expect(error?.description.contains(advice) == true, "\(String(describing: error))")
  }

  /// A mask whose flags say that 1 is the sea is no land-sea mask.
  @Test func flagsOfMasksAreUnderstood() throws {
    for (meanings, isTaken) in [("land sea", false), ("sea land", true), ("water land lake", true)] {
      let store = store {
        $0.add(
          "lsm", ["lat", "lon"], [0, 1],
          attributes: [
            "units": .text("1"), "flag_meanings": .text(meanings),
            "flag_values": .numbers(meanings.contains("lake") ? [0, 1, 2] : [0, 1]),
          ])
      }
      let found = Result { try GriddedStore(store).bind("lsm") }
      #expect((try? found.get()) != nil ? isTaken : !isTaken, "\(meanings): \(found)")
    }
  }

  /// A height may be a dimension of one entry.
  @Test func heightsOfADimensionCount() throws {
    for (height, isTaken) in [(10.0, true), (100, false)] {
      let store = store {
        $0.add("height", ["height"], [height], ["units": "m", "standard_name": "height"])
        $0.add("u10", ["time", "height", "lat", "lon"], [1], ["units": "m s-1"])
      }
      let name = try? GriddedStore(store).bind("u10")?.array.name
      #expect((name == "u10") == isTaken, "\(height)")
    }
  }

  @Test func attributesThatFitTheNameAreTaken() throws {
    for (ours, theirs, units, attributes) in [
      ("t2m", "tas", "K", ["standard_name": "air_temperature", "coordinates": "height"]),
      ("t2m", "t2m", "K", ["standard_name": "unknown"]), ("zs", "zs", "m2 s-2", ["standard_name": "geopotential"]),
      ("t2m", "t2m", "K", ["cell_methods": "time: mean"]),
      (
        "t2m", "t2m", "K",
        ["cell_methods": "area: time: mean (interval: 1 hour comment: maximum of none) height: point"]
      ),
      (
        "t2m", "t2m", "K",
        ["cell_methods": "area: mean where land over sea", "units_metadata": "temperature: on_scale"]
      ),
      ("t2m", "t2m", "K", ["standard_name": "temperature"]),
      ("i10fg", "i10fg", "m s-1", ["standard_name": "wind_speed_of_gust", "cell_methods": "time: maximum"]),
      ("msl", "msl", "Pa", ["standard_name": "air_pressure_at_sea_level"]),
    ] as [(String, String, String, [String: String])] {
      let store = store {
        $0.add("height", [], [2], ["units": "m", "standard_name": "height"])
        $0.add(theirs, Self.surface, [1], attributes.merging(["units": units]) { $1 })
      }
      #expect(try GriddedStore(store).bind(ours)?.array.name == theirs, "\(ours): \(attributes)")
    }
  }
}
