import Basics
import Stores
import TestSupport
import Testing

@testable import Datasets

/// Members, lead times and calendars of files that follow each other in time.
@Suite struct SeriesMeaningTests {
  /// Writes files of 4 times each, one after the other, with fields on a raster or on points.
  private func write(_ folder: String, files: Int, onPoints: Bool, _ change: (inout MemoryStore, Int) -> Void) throws {
    for number in 0..<files {
      var store = MemoryStore(["time": 4, "lat": 4, "lon": 8, "values": 5])
      store.add("time", ["time"], (0..<4).map { Double(24 * number + 6 * $0) }, ["units": "hours since 2000-01-01"])
      store.add("lat", onPoints ? ["values"] : ["lat"], [67, 22, -22, -67], ["units": "degrees_north"])
      store.add("lon", onPoints ? ["values"] : ["lon"], (0..<8).map { Double($0) * 45 }, ["units": "degrees_east"])
      store.add("dust", onPoints ? ["time", "values"] : ["time", "lat", "lon"], [1], ["units": "kg"])
      change(&store, number)
      try EditedStore(store).write("\(folder)/\(number).nc")
    }
  }

  /// Why the files are not joined: as a pattern, and as views one after the other.
  private func refusals(files: Int = 2, onPoints: Bool, _ change: (inout MemoryStore, Int) -> Void) throws
    -> [JigsawError?]
  {
    let folder = try TemporaryFolder()
    try write(folder.path, files: files, onPoints: onPoints, change)
    let pattern = SourceDescription(path: "\(folder.path)/*.nc")
    let row = SourceDescription(path: "", open: .array((0..<files).map { .string("\(folder.path)/\($0).nc") }))
    return try [pattern, row].map { source in
      do {
        _ = try FieldDataset(sources: [source], variables: ["dust"], levelsHPa: [])
        return nil
      } catch let error as JigsawError { return error }
    }
  }

  /// A variable that files call by different names is one field of the source, and listed once.
  @Test func otherNamesInOtherFilesAreOneField() throws {
    let folder = try TemporaryFolder()
    try write(folder.path, files: 2, onPoints: false) { store, number in
      store.add(["prmsl", "msl"][number], ["time", "lat", "lon"], [1e5], ["units": "Pa"])
    }
    let contents = SourceContents(try OpenedSources([SourceDescription(path: "\(folder.path)/*.nc")]))
    #expect(contents.fields.map(\.name) == ["msl", "dust"])
    #expect(contents.fields[0].storedNames == ["prmsl", "msl"] && contents.fields[0].times.count == 8)
  }

  @Test(arguments: [false, true]) func membersLeadsAndCalendarsMustAgree(onPoints: Bool) throws {
    let cases: [(problem: String, found: [String], change: (inout MemoryStore, Int) -> Void)] = [
      (
        "is another member of an ensemble", ["member 0", "member 1"],
        { $0.add("number", [], [Double($1)]) }
      ),
      (
        "is another member of an ensemble", ["member 3", "member 4"],
        { $0.add("run", [], [Double(3 + $1)], ["standard_name": "realization"]) }
      ),
      (
        // GRIB's messages say it one by one.
        "is another member of an ensemble", ["member 1", "member 2"],
        {
          $0.add(
            "dust", onPoints ? ["time", "values"] : ["time", "lat", "lon"], [1],
            attributes: ["units": .text("kg"), "GRIB_number": .numbers([Double(1 + $1)])])
        }
      ),
      (
        "has another lead time", ["6 h", "12 h"],
        { $0.add("forecast_period", [], [Double(6 + 6 * $1)], ["standard_name": "forecast_period", "units": "hours"]) }
      ),
      (
        "has times of another calendar", ["standard", "noleap"],
        { $0.set("time", "calendar", $1 == 0 ? "gregorian" : "365_day") }
      ),
      (
        // CF's default is the standard calendar.
        "has times of another calendar", ["standard", "360_day"],
        { if $1 == 1 { $0.set("time", "calendar", "360_day") } }
      ),
    ]
    for one in cases {
      for error in try refusals(onPoints: onPoints, one.change) {
        let text = error?.description ?? "nothing"
        #expect(text.contains("1.nc: dust") && text.contains(one.problem) && text.contains("0.nc"), "\(text)")
        #expect([error?.expected, error?.found] == one.found)
      }
    }
  }

  /// What is the same in other words, or not said, contradicts nothing.
  @Test(arguments: [false, true]) func whatIsTheSameIsJoined(onPoints: Bool) throws {
    let cases: [(inout MemoryStore, Int) -> Void] = [
      { if $1 == 1 { $0.add("number", [], [7]) } },
      { $0.add("step", [], [$1 == 0 ? 6 : 360], ["units": $1 == 0 ? "hours" : "minutes"]) },
      { $0.set("time", "calendar", $1 == 0 ? "proleptic_gregorian" : "standard") },
      { _, _ in },
    ]
    for change in cases { #expect(try refusals(onPoints: onPoints, change) == [nil, nil]) }
  }

  /// Leaves one time in a file, 6 h after that of the file before, with the lead at which it is forecast.
  private func keepOne(_ store: inout MemoryStore, _ number: Int, leadHours: Int, onPoints: Bool) {
    store.resize("time", 1)
    store.add("time", ["time"], [Double(6 * number)], ["units": "hours since 2000-01-01", "standard_name": "time"])
    store.add("dust", onPoints ? ["time", "values"] : ["time", "lat", "lon"], [1], ["units": "kg"])
    store.add("step", [], [Double(leadHours)], ["units": "hours", "standard_name": "forecast_period"])
  }

  @Test(arguments: [false, true]) func leadsGrowAlongOneForecast(onPoints: Bool) throws {
    // By times and leads of single fields.
    #expect(
      try refusals(files: 3, onPoints: onPoints) { keepOne(&$0, $1, leadHours: 6 + 6 * $1, onPoints: onPoints) }
        == [nil, nil])
    // By the start that is said, as climate models do.
    #expect(
      try refusals(onPoints: onPoints) { store, number in
        store.add("forecast_period", [], [Double(24 * number)], ["standard_name": "forecast_period", "units": "hours"])
        store.add(
          "forecast_reference_time", [], [-12],
          ["standard_name": "forecast_reference_time", "units": "hours since 2000-01-01"])
      } == [nil, nil])
    // The third field has the lead of the first, and belongs to another forecast than the second.
    let mixed = try refusals(files: 3, onPoints: onPoints) {
      keepOne(&$0, $1, leadHours: [6, 12, 6][$1], onPoints: onPoints)
    }
    for error in mixed {
      let text = error?.description ?? "nothing"
      #expect(text.contains("2.nc: dust") && text.contains("has another lead time") && text.contains("1.nc"), "\(text)")
    }
  }

  /// Amounts over 6 h from forecasts of an analysis, as ERA5 has them, whose leads follow a cycle.
  @Test(arguments: [false, true]) func amountsOverOnePeriodFollowEachOther(onPoints: Bool) throws {
    func change(_ hours: Double) -> (inout MemoryStore, Int) -> Void {
      { store, number in
        store.resize("bounds", 2)
        store.set("time", "bounds", "time_bounds")
        let ends = (0..<4).map { Double(24 * number + 6 * $0) }
        store.add("time_bounds", ["time", "bounds"], ends.flatMap { [$0 - (number == 0 ? 6 : hours), $0] })
        store.set("dust", "cell_methods", "time: sum")
        store.add("forecast_period", [], [Double(6 + 6 * number)], ["units": "hours"])
      }
    }
    #expect(try refusals(onPoints: onPoints, change(6)) == [nil, nil])
    for error in try refusals(onPoints: onPoints, change(12)) { #expect(error != nil) }
  }

  /// A lead that says nothing is no lead, as long as times of validity don't need it.
  @Test(arguments: [false, true]) func leadsThatCanNotBeReadSayNothing(onPoints: Bool) throws {
    let cases: [(inout MemoryStore, Int) -> Void] = [
      { $0.add("forecast_period", [], [6], $1 == 1 ? ["units": "hours"] : ["standard_name": "forecast_period"]) },
      {
        $0.set("time", "standard_name", "time")
        $0.add("step", [], [$1 == 1 ? 6 : .nan], ["standard_name": "forecast_period", "units": "hours"])
      },
    ]
    for change in cases { #expect(try refusals(onPoints: onPoints, change) == [nil, nil]) }
    for error in try refusals(onPoints: onPoints, { store, _ in store.add("step", [], [.nan], ["units": "hours"]) }) {
      #expect(error?.description.contains("0.nc: step") == true)
    }
  }

  @Test(arguments: [false, true]) func standardNamesOfOneVariableAreEqual(onPoints: Bool) throws {
    func names(_ first: String, _ second: String) throws -> [JigsawError?] {
      try refusals(onPoints: onPoints) { $0.set("dust", "standard_name", $1 == 0 ? first : second) }
    }
    let pressure = "air_pressure_at_mean_sea_level"
    #expect(try names("air_pressure_at_sea_level", pressure) == [nil, nil])
    #expect(try names(pressure, "air_pressure_at_sea_level") == [nil, nil])
    #expect(
      try names("atmosphere_water_vapor_content", "atmosphere_mass_content_of_water_vapor") == [nil, nil])
    for error in try names(pressure, "surface_air_pressure") {
      #expect(error?.description.contains("is another quantity") == true)
    }
  }

  @Test(arguments: [
    ("time: point", "area: mean time: point", true), ("time: mean", "area: time: mean", true),
    ("time: mean", "time: mean area: mean where land", true), ("time: point", "time: instantaneous", true),
    ("area: mean", "time: mean", true), ("time: mean", "area: mean time: point", false),
    ("time: mean", "area: maximum time: mean", false), ("time: lat: lon: mean", "lat: lon: mean time: sum", false),
  ]) func cellMethodsAreComparedInTime(_ first: String, _ second: String, _ areEqual: Bool) throws {
    let errors = try refusals(onPoints: false) { $0.set("dust", "cell_methods", $1 == 0 ? first : second) }
    for error in errors {
      #expect((error == nil) == areEqual, "\(first), \(second): \(error?.description ?? "nothing")")
    }
  }

  @Test func scalarsOfTheMember() throws {
    func number(_ add: (inout MemoryStore) -> Void) throws -> [Int]? {
      var store = MemoryStore([:])
      add(&store)
      return try GriddedStore.memberNumbers(store, nil)
    }
    // The order of arrays in a dictionary is chance, for each name anew.
    for name in (0..<20).map({ "run\($0)" }) {
      let found = try number {
        $0.add("number", [], [0])
        $0.add("realization", [], [5])
        $0.add(name, [], [3], ["standard_name": "realization"])
      }
      #expect(found == [3])
    }
    #expect(
      try number {
        $0.add("realization", [], [5])
        $0.add("number", [], [0])
      } == [0])
    #expect(try number { $0.add("member", [], [2]) } == [2])
    #expect(try number { $0.add("number", [], [2], ["long_name": "Ensemble member numerical id"]) } == [2])
    #expect(try number { $0.add("number", [], [2], ["long_name": "number of orbits"]) } == nil)
    #expect(try number { $0.add("number", [], [2], ["standard_name": "number_of_observations"]) } == nil)
  }
}
