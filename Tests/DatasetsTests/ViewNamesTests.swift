import Basics
import Stores
import Tensors
import TestSupport
import Testing

@testable import Datasets

/// Which field of a view is meant: by names, units, levels in names, and what counts as static.
@Suite struct ViewNamesTests {
  private func write(_ path: String, _ change: (inout EditedStore) -> Void) throws {
    var data = SyntheticData()
    data.times = 3
    try data.write(path)
    var store = try EditedStore(path)
    change(&store)
    try store.write(path)
  }

  private func dataset(
    _ path: String, _ variables: [String], names: [String: String] = [:], statics: [String] = []
  ) throws -> FieldDataset {
    try FieldDataset(
      sources: [SourceDescription(path: "", open: .string(path), names: names)], variables: variables,
      levelsHPa: [500], staticVariables: statics)
  }

  @Test func unitsMatterOnlyOfWhatIsWanted() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/a.nc"
    try write(path) {
      $0.arrays["msl"]?.attributes["units"] = .text("K")
      $0.arrays["t"]?.attributes["units"] = .text("furlong")
    }
    #expect(try dataset(path, ["z"], statics: ["orog"]).channels.map(\.name) == ["z_500"])
    for name in ["msl", "t"] {
      let problem = #expect(throws: JigsawError.self) { _ = try dataset(path, [name]) }
      #expect(problem?.description.contains("units that don't fit \(name)") ?? false)
    }
    let units = try openView(path).variables.map { "\($0.name) \($0.units ?? "")" }
    #expect(units == ["msl K", "orog m", "t_850 furlong", "t_500 furlong", "z_850 m2 s-2", "z_500 m2 s-2"])
  }

  @Test func namesThatAreNotThereAreNamed() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/a.nc"
    try write(path) {
      $0.arrays["pressure"] = $0.arrays["msl"]
      $0.arrays["msl"] = nil
    }
    #expect(try dataset(path, ["msl", "z"], names: ["msl": "pressure", "z": "z"]).channels.count == 2)
    let problem = #expect(throws: JigsawError.self) { _ = try dataset(path, ["msl"], names: ["msl": "presure"]) }
    #expect(
      problem?.description.contains(
        "names.msl: there is no variable 'presure'; found orog, pressure, t_850, t_500, z_850, z_500; "
          + "did you mean 'pressure'?") ?? false, "\(problem?.description ?? "")")
  }

  @Test func aSingleTimeIsStatic() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/one.nc"
    var data = SyntheticData()
    data.times = 1
    data.surface = ["msl", "lsm", "z0"]
    try data.write(path)
    let found = try dataset(path, [], names: ["mask": "z0"], statics: ["lsm", "orog", "mask"])
    let values = try found.readStatics()
    #expect(Array(values[..<128]) == data.field(variable: 3, level: 0, time: 0))
    #expect(Array(values[256...]) == data.field(variable: 4, level: 0, time: 0))
    // Several times are not.
    data.times = 2
    try data.write(path)
    let problem = #expect(throws: JigsawError.self) { _ = try dataset(path, [], statics: ["lsm"]) }
    #expect(problem?.description.contains("varies in time, but is among data.static") ?? false)
  }

  /// A file with an array for each level, on a regular grid.
  @Test(arguments: ["nc", "zarr"]) func levelsInNamesOfAnyStore(kind: String) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/named.\(kind)"
    var data = SyntheticData()
    (data.times, data.upper, data.surface) = (3, [], ["t_850", "t_500", "msl", "swvl_1"])
    try data.write(path)
    let found = try dataset(path, ["t", "msl", "swvl_1"])
    #expect(found.channels.map(\.name) == ["t_500", "msl", "swvl_1"])
    #expect(try Array(found.checkedPlanes(time: 2).values[..<128]) == data.field(variable: 1, level: 0, time: 2))
    func write(_ units: [String: String]) throws {
      var store = try EditedStore(path)
      for (name, unit) in units { store.arrays[name]?.attributes["units"] = .text(unit) }
      try Files.remove(path)
      try store.write(path)
    }
    try write(["t_850": "degC", "t_500": "degC"])
    let values = try dataset(path, ["t"]).checkedPlanes(time: 0).values
    #expect(zip(values, data.field(variable: 1, level: 0, time: 0)).allSatisfy { abs($0 - $1 - 273.15) < 1e-3 })
    try write(["t_850": "K"])
    let problem = #expect(throws: JigsawError.self) { _ = try dataset(path, ["t"]) }
    #expect(problem?.description.contains("has other units than") ?? false, "\(problem?.description ?? "")")
  }

  /// What `data inspect` says of a dataset.
  @Test func howFieldsAreReadIsTold() {
    let points = PointGrid(LatLonGrid.global(rows: 4, columns: 8))
    // The southernmost row first.
    var view = NumberedView(PointGrid(latitudes: points.latitudes.reversed(), longitudes: points.longitudes))
    view.variables = LevelNames.applied(to: [
      ViewVariable(name: "2t", units: "degC"), ViewVariable(name: "z", units: "m2 s-2"),
      ViewVariable(name: "z_500", units: "m"), ViewVariable(name: "msl", units: "K"), ViewVariable(name: "phi"),
      ViewVariable(name: "sp"),
    ])
    view.variables[1].isConstantInTime = true
    let reading = ViewReading(view)
    #expect(reading.fields.map { $0?.name } == ["t2m", "zs", "z_500", "msl", nil, "sp"])
    #expect(reading.fields.map { $0?.hasWrongUnits } == [false, false, false, true, nil, false])
    #expect(
      reading.fields.map { $0?.conversion } == [
        ViewReading.Conversion(from: "degC", to: "K"), nil, ViewReading.Conversion(from: "m", to: "m2 s-2"), nil, nil,
        nil,
      ])
    #expect(reading.notes == ["points brought into order: rows from the north, longitudes eastwards"])
    #expect(ViewReading(NumberedView()).notes == [])
  }

  @Test func levelsInNames() {
    func levels(_ names: String...) -> [String] {
      LevelNames.applied(to: names.map { ViewVariable(name: $0) }).map {
        "\($0.stemAndLevel.stem) \($0.stemAndLevel.level.map { Channel.text($0) } ?? "–")"
      }
    }
    // What the lexicon has on levels, by any of its names.
    #expect(levels("z_500", "temperature_850", "q_0.5") == ["z 500", "temperature 850", "q 0.5"])
    // Numbers that are none, or no pressure; variables of the surface.
    #expect(
      levels("z_inf", "z_0", "z_-5", "z_1e3", "z_05", "t_1200", "sp_500", "2t_1000")
        == ["z_inf –", "z_0 –", "z_-5 –", "z_1e3 –", "z_05 –", "t_1200 –", "sp_500 –", "2t_1000 –"])
    // Unknown names.
    #expect(levels("dust_850", "dust_500") == ["dust 850", "dust 500"])
    #expect(levels("dust_850", "surface_01", "surface_02") == ["dust_850 –", "surface_01 –", "surface_02 –"])
    #expect(levels("swvl_1", "swvl_2", "swvl_3") == ["swvl_1 –", "swvl_2 –", "swvl_3 –"])
    #expect(levels("area_100", "area_110") == ["area_100 –", "area_110 –"])
  }

  @Test func metadataOfLevelsGoFirst() {
    var stored = ViewVariable(name: "geopotential", units: nil)
    stored.parameter = "z"
    stored.levelHPa = 500
    #expect(stored.stemAndLevel == ("z", 500))
    var soil = ViewVariable(name: "t_10")
    soil.parameter = "t"
    #expect(LevelNames.applied(to: [soil])[0].stemAndLevel == ("t_10", nil))
    // Renamed: a level that only the name gave goes with it, and comes with another.
    var view = NumberedView()
    view.variables = LevelNames.applied(to: ["t_850", "phi"].map { ViewVariable(name: $0) })
    let renamed = VariableSubset(view, [0, 1], names: ["t_850": "warmth", "phi": "z_500"])
    #expect(
      renamed.variables.map { Channel(variable: $0.stemAndLevel.stem, levelHPa: $0.stemAndLevel.level).name }
        == ["warmth", "z_500"])
    #expect(renamed.variables.map(\.levelHPa) == [nil, 500])
  }

  /// Levels that are arrays of their own, of points as of rasters; names are also those of the store's arrays.
  @Test func levelsOfPointsAreNamed() throws {
    var store = MemoryStore(["time": 1, "cell": 4])
    store.add("time", ["time"], [0], ["units": "hours since 2020-01-01"])
    store.add("lat", ["cell"], [1, 5, 3, 2], ["units": "degrees_north"])
    store.add("lon", ["cell"], [1, 2, 3, 7], ["units": "degrees_east"])
    for (name, value) in [("warm", 280.0), ("cold", 250)] {
      store.add(name, ["time", "cell"], [value], ["units": "K"])
    }
    store.add("tas", ["time", "cell"], [270], ["units": "K"])
    let view = try GriddedView(try #require(try PointFields(store)))
    let names = ["t_850": "warm", "t_500": "cold"]
    let found = try #require(try view.find("t", rename: names, asStatic: false))
    #expect(found.levelsHPa == [500, 850])
    let fields = try [850.0, 500].map { level -> Float in
      let slot = try view.slot(level, of: found)
      var values = [Float](repeating: 0, count: 4)
      try values.withUnsafeMutableBufferPointer { out in
        try view.view.read(date: 0, variables: [slot], member: 0, points: 0..<4, into: out.baseAddress!)
      }
      return values[0]
    }
    #expect(fields == [280, 250])
    #expect(throws: JigsawError.self) {
      try view.find("t", rename: names.merging(["t": "warm"]) { $1 }, asStatic: false)
    }
    #expect(try view.find("t2m", rename: ["t2m": "tas"], asStatic: false)?.variable.name == "t2m")
  }

  @Test func namesOfUnrequestedVariablesAreRefused() throws {
    func problem(_ names: [String: String]) -> String {
      #expect(throws: JigsawError.self) {
        try SourceDescription(path: "a.nc", names: names).requireNames(among: ["t2m", "t"], key: "data.sources[0]")
      }?.description ?? ""
    }
    #expect(
      problem(["2t": "d2m"]).contains(
        "data.sources[0].names.2t: renames a variable that the configuration does not request"))
    #expect(problem(["2t": "d2m"]).contains("2t is called t2m here"))
    #expect(problem(["t2n": "T2"]).contains("did you mean 't2m'?"))
    #expect(problem(["t2m_850": "T2"]).contains("does not request"))
    try SourceDescription(path: "a.nc", names: ["t2m": "T2", "t_850": "ta850"]).requireNames(
      among: ["t2m", "t"], key: "data.sources[0]")
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/a.nc")
    let error = #expect(throws: JigsawError.self) { try dataset("\(folder.path)/a.nc", ["2t"]) }
    #expect(error?.remedy == "'2t' is called t2m here")
  }
}
