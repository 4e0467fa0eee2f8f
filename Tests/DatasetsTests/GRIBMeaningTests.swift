import Basics
import Stores
import TestSupport
import Testing

@testable import Datasets

/// What GRIB's numbers and levels say of an array beside its name.
@Suite struct GRIBMeaningTests {
  private func store(
    _ arrays: [(name: String, paramId: Double, type: String, level: Double, texts: [String: String])],
    onPoints: Bool = false
  ) -> MemoryStore {
    var store = MemoryStore(["time": 2, "lat": 4, "lon": 8, "values": 5])
    store.add("time", ["time"], [0, 6], ["units": "hours since 2000-01-01", "standard_name": "time"])
    store.add("lat", onPoints ? ["values"] : ["lat"], [67.5, 22.5, -22.5, -67.5], ["units": "degrees_north"])
    store.add("lon", onPoints ? ["values"] : ["lon"], (0..<8).map { Double($0) * 45 }, ["units": "degrees_east"])
    for array in arrays {
      var attributes = array.texts.mapValues { AttributeValue.text($0) }
      attributes["GRIB_paramId"] = .numbers([array.paramId])
      attributes["GRIB_typeOfLevel"] = .text(array.type)
      attributes["GRIB_level"] = .numbers([array.level])
      store.add(array.name, onPoints ? ["time", "values"] : ["time", "lat", "lon"], [5], attributes: attributes)
    }
    return store
  }

  /// Releases of ecCodes differ in short names: the number of a parameter stays.
  @Test(arguments: [
    ("u100", "u100_new", 228_246.0, "m s**-1", "u100_new"), ("v100", "v100_new", 228_247, "m s**-1", "v100_new"),
    ("tcc", "tcc_new", 164, "(0 - 1)", "tcc_new"), ("tcc", "tcc_avg", 164, "(0 - 1)", "tcc"),
    ("tcc", "tcc_new", 164, "K", "tcc_new"), ("t", "t_new", 130, "K", "t_new"),
  ]) func parametersAreFoundByNumber(
    _ ours: String, _ stored: String, _ number: Double, _ units: String, _ shortName: String
  ) throws {
    let store = store([(stored, number, "surface", 0, ["units": units, "GRIB_shortName": shortName])])
    // An array with a suffix is processed in another way, units of another quantity and a level that isn't a pressure are another's.
    let isFound = stored == shortName && units != "K"
    #expect(try GriddedStore(store).bind(ours)?.array.name == (isFound ? stored : nil))
    #expect(try StoreFields(GriddedStore(store)).variables.map(\.name) == [isFound ? ours : stored])
  }

  /// A maximum over hours with a number that the lexicon has for the instant.
  @Test func extremesOverAPeriodAreOtherQuantities() throws {
    for (step, isFound) in [("instant", true), ("avg", true), ("max", false), ("min", false)] {
      let texts = ["units": "m s**-1", "GRIB_shortName": "u100_new", "GRIB_stepType": step]
      let store = store([("u100_new", 228_246, "surface", 0, texts)])
      #expect(try GriddedStore(store).bind("u100")?.array.name == (isFound ? "u100_new" : nil), "\(step)")
    }
  }

  /// A wind at 100 m, which older tables know as wind at some height.
  @Test func heightsCountWhereNamesSayNothing() throws {
    for (height, expected) in [(100.0, "u100"), (10, "u10"), (80, "u_heightAboveGround_80")] {
      let name = "u_heightAboveGround_\(Int(height))"
      let store = store([
        (
          name, 131, "heightAboveGround", height,
          ["units": "m s**-1", "standard_name": "eastward_wind", "GRIB_shortName": "u"]
        )
      ])
      #expect(try StoreFields(GriddedStore(store)).variables.map(\.name) == [expected])
      #expect(try GriddedStore(store).bind("u") == nil)
    }
  }

  /// ecCodes gives the depth of snow the standard name of the depth of its water.
  @Test func depthOfSnowIsNotThatOfItsWater() throws {
    for (name, number, isFound) in [("sde", 3_066.0, false), ("lwe", 9_999, true)] {
      let texts = ["units": "m", "standard_name": "lwe_thickness_of_surface_snow_amount", "GRIB_shortName": name]
      let found = try GriddedStore(store([(name, number, "surface", 0, texts)])).bind("sd")
      #expect((found != nil) == isFound, "\(name)")
    }
  }

  /// A temperature at 80 m is not offered as that of the upper air.
  @Test func whatIsElsewhereIsNotSuggested() throws {
    let folder = try TemporaryFolder()
    for (name, type, suggestion) in [
      ("temp", "unknown", "t"), ("t_heightAboveGround_80", "heightAboveGround", nil as String?),
    ] {
      let store = store([(name, 999_999, type, 80, ["units": "K", "long_name": "Temperature"])])
      let path = "\(folder.path)/\(name).nc"
      try EditedStore(store).write(path)
      let contents = SourceContents(try OpenedSources([SourceDescription(path: path)]))
      #expect(contents.fields.map(\.suggestion?.name) == [suggestion])
    }
  }

  /// Short names come from tables: one that is a letter off another is another parameter's.
  @Test func shortNamesAreNotMistyped() throws {
    let folder = try TemporaryFolder()
    for (shortName, suggestion) in [("istl1", nil as String?), (nil, "stl1")] {
      var texts = ["units": "K", "long_name": "Temperature of a layer of ice"]
      texts["GRIB_shortName"] = shortName
      let path = "\(folder.path)/\(suggestion ?? "none").nc"
      try EditedStore(store([("istl1", 999_999, "unknown", 0, texts)])).write(path)
      let contents = SourceContents(try OpenedSources([SourceDescription(path: path)]))
      #expect(contents.fields.map(\.suggestion?.name) == [suggestion])
    }
  }

  /// Heights of 50 and 100 m are no pressures of 50 and 100 hPa.
  @Test(arguments: [false, true]) func heightsInNamesAreNoPressures(onPoints: Bool) throws {
    let store = store(
      [50.0, 100].map { level in
        ("dust_heightAboveGround_\(Int(level))", 999_999, "heightAboveGround", level, ["units": "kg"])
      }, onPoints: onPoints)
    let view: any FieldView = try PointFields(store) ?? StoreFields(GriddedStore(store))
    #expect(view.variables.count == 2 && view.variables.allSatisfy { $0.stemAndLevel.level == nil })
  }
}
