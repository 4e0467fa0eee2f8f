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
    // Another quantity's units, or none of these names.
    #expect(try found("msl", one("air_pressure_at_sea_level", "K")) == nil)
    #expect(try found("msl", one("surface_temperature", "K")) == nil)
    let two = store { store in
      for name in ["x", "y"] { store.add(name, Self.surface, [1], ["standard_name": "surface_air_pressure"]) }
    }
    let error = #expect(throws: JigsawError.self) { try GriddedStore(two).bind("sp") }
    #expect(error?.description.contains("sp: is there under several names") == true)
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
    #expect(error?.description.contains("t2m: is there under several names") == true)
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
}
