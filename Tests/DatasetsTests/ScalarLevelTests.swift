import Basics
import Stores
import TestSupport
import Testing

@testable import Datasets

/// Fields whose level is a coordinate without a dimension, one to a file or several.
@Suite struct ScalarLevelTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func path(_ name: String) -> String { "\(folder.path)/\(name).nc" }

  /// What xarray's sel(level=850) leaves.
  private func write(
    _ name: String, of variables: [String] = ["t", "msl"], coordinate: String = "level", _ value: Double?,
    _ attributes: [String: String] = ["units": "hPa", "standard_name": "air_pressure"], isNamed: Bool = true
  ) throws {
    var data = SyntheticData()
    (data.upper, data.levels, data.statics, data.surface, data.times) = ([], [], [], variables, 8)
    try data.write(path(name))
    guard let value else { return }
    var store = try EditedStore(path(name))
    store.arrays[coordinate] = .init(
      type: .float64, dimensions: [], chunks: nil, attributes: attributes.mapValues { .text($0) }, values: [value])
    for variable in variables {
      if isNamed { store.arrays[variable]?.attributes["coordinates"] = .text(coordinate) }
      // So that levels differ.
      if let values = store.arrays[variable]?.values { store.arrays[variable]?.values = values.map { $0 + value } }
    }
    try Files.remove(path(name))
    try store.write(path(name))
  }

  private func dataset(_ paths: [String], _ variables: [String] = ["t"], levels: [Double]) throws -> FieldDataset {
    try FieldDataset(
      sources: paths.map { SourceDescription(path: $0) }, variables: variables, levelsHPa: levels)
  }

  private func problem(_ paths: [String], _ variables: [String] = ["t"], levels: [Double]) -> String {
    do {
      _ = try dataset(paths, variables, levels: levels)
      return "none"
    } catch {
      return "\(error)"
    }
  }

  private func values(_ dataset: FieldDataset, time: Int) throws -> [Float] {
    var values = [Float](repeating: 0, count: dataset.channels.count * dataset.grid.count)
    try values.withUnsafeMutableBufferPointer { try dataset.readChecked(time: time, into: #require($0.baseAddress)) }
    return values
  }

  @Test func theLevelIsChecked() throws {
    try write("t", 850)
    #expect(try dataset([path("t")], ["t", "msl"], levels: [850]).channels.map(\.name) == ["t_850", "msl"])
    #expect(problem([path("t")], levels: [300]).contains("t: has no level 300 hPa; found 850"))
    #expect(problem([path("t")], levels: []).contains("data.levels: is empty, but t is stored on levels; found 850"))
  }

  /// Files of a pattern, and sources of their own, with a level each; in the order in which they are asked for.
  @Test(arguments: [true, false]) func levelsOfSeveralFilesAreJoined(isPattern: Bool) throws {
    for level in [850.0, 500] { try write("t\(Int(level))", of: ["t"], level) }
    let paths = isPattern ? ["\(folder.path)/t*.nc"] : [path("t850"), path("t500")]
    let joined = try dataset(paths, levels: [500, 850])
    #expect(joined.channels.map(\.name) == ["t_500", "t_850"] && joined.times.count == 8)
    let alone = try [500.0, 850].map { try dataset([path("t\(Int($0))")], levels: [$0]) }
    for time in [0, 7] {
      #expect(try values(joined, time: time) == alone.flatMap { try values($0, time: time) })
    }
    #expect(problem(paths, levels: [500, 300]).contains("t: has no level 300 hPa; found"))
  }

  /// A field of the surface in each file is taken once where it is the same, and refused where it differs.
  @Test func whatIsTheSameInFilesOfALevelEachIsTakenOnce() throws {
    for level in [850.0, 500] { try write("t\(Int(level))", level) }
    let surface = try EditedStore(path("t850")).arrays["msl"]?.values
    func rewrite(_ change: (inout EditedStore) -> Void) throws {
      var other = try EditedStore(path("t500"))
      other.arrays["msl"]?.values = try #require(surface)
      change(&other)
      try Files.remove(path("t500"))
      try other.write(path("t500"))
    }
    let pattern = ["\(folder.path)/t*.nc"]
    #expect(
      problem(pattern, ["t", "msl"], levels: [850, 500]).contains(
        "msl: is another field than that of files of another level"))
    try rewrite { _ in }
    let joined = try dataset(pattern, ["t", "msl"], levels: [850, 500])
    #expect(joined.channels.map(\.name) == ["t_850", "t_500", "msl"] && joined.times.count == 8)
    let alone = try dataset([path("t850")], ["msl"], levels: [])
    #expect(try values(joined, time: 5).suffix(128).elementsEqual(values(alone, time: 5)))
    #expect(
      joined.normalizations.contains("msl: taken once, the same in files of other levels at 8 of 8 times"),
      "\(joined.normalizations)")
    try rewrite { $0.arrays["msl"]?.values[7 * 128 + 3] += 500 }
    let found = problem(pattern, ["t", "msl"], levels: [850, 500])
    #expect(found.contains("msl: is another field than that of files of another level"), "\(found)")
    #expect(found.contains(" at 2001-01-02 18:00, found others"), "\(found)")
  }

  @Test func levelsOfAViewAreJoined() throws {
    for level in [850.0, 500] { try write("t\(Int(level))", of: ["t"], level) }
    let request = JSONValue.object([
      "join": .array(["t850", "t500"].map { .object(["dataset": .string(path($0))]) })
    ])
    let view = try FieldDataset(
      sources: [SourceDescription(path: "", open: request)], variables: ["t"], levelsHPa: [500, 850])
    let plain = try dataset(["\(folder.path)/t*.nc"], levels: [500, 850])
    #expect(try values(view, time: 3) == values(plain, time: 3))
  }

  /// One file with the levels as arrays of their own, `ta850` and `ta500`.
  /// - Parameter says: whether attributes tell what they are.
  private func writeLevelArrays(_ name: String, says: Bool = true, levels: [Double] = [850, 500]) throws {
    for level in [850.0, 500] { try write("one\(Int(level))", of: ["t"], level) }
    var store = try EditedStore(path("one850"))
    store.arrays["level"] = nil
    for (number, level) in [850, 500].enumerated() {
      var array = try #require(try EditedStore(path("one\(level)")).arrays["t"])
      array.attributes["coordinates"] = says ? .text("p\(level)") : nil
      array.attributes["standard_name"] = says ? .text("air_temperature") : nil
      store.arrays["ta\(level)"] = array
      if says {
        store.arrays["p\(level)"] = .init(
          type: .float64, dimensions: [], chunks: nil,
          attributes: ["units": .text("hPa"), "standard_name": .text("air_pressure")], values: [levels[number]])
      }
    }
    store.arrays["t"] = nil
    try store.write(path(name))
  }

  private func alone(_ level: Int, time: Int) throws -> [Float] {
    try values(dataset([path("one\(level)")], levels: [Double(level)]), time: time)
  }

  @Test func levelsInArraysOfTheirOwnAreJoined() throws {
    try writeLevelArrays("ta")
    let joined = try dataset([path("ta")], levels: [500, 850])
    #expect(joined.channels.map(\.name) == ["t_500", "t_850"])
    for time in [0, 7] {
      #expect(try values(joined, time: time) == alone(500, time: time) + alone(850, time: time))
    }
    #expect(try values(dataset([path("ta")], levels: [850]), time: 2) == alone(850, time: 2))
    #expect(joined.place(of: 1, time: 0).hasSuffix("ta.nc: ta850"))
    #expect(joined.origins.map(\.storedName) == ["ta500, ta850"])
    #expect(problem([path("ta")], levels: [300]).contains("has no level 300 hPa"))
    let opened = try OpenedSources([SourceDescription(path: path("ta"))])
    let field = try #require(SourceContents(opened).fields.first { $0.name == "t" })
    #expect(field.levelsHPa == [850, 500] && field.problem == nil && field.storedNames == ["ta500", "ta850"])
    #expect(!SourceContents(opened).fields.contains { $0.name.hasPrefix("ta") })
    // As a view.
    let open = SourceDescription(path: "", open: .object(["dataset": .string(path("ta"))]))
    let view = try FieldDataset(sources: [open], variables: ["t"], levelsHPa: [850, 500])
    #expect(try values(view, time: 3) == alone(850, time: 3) + alone(500, time: 3))
    // Two of one level.
    try writeLevelArrays("twice", levels: [850, 850])
    #expect(problem([path("twice")], levels: [850]).contains("t: is present under several names"))
  }

  @Test func levelsInArraysOfTheirOwnAreNamed() throws {
    func read(_ name: String, _ names: [String: String], levels: [Double]) throws -> FieldDataset {
      try FieldDataset(
        sources: [SourceDescription(path: path(name), names: names)], variables: ["t"], levelsHPa: levels)
    }
    try writeLevelArrays("plain", says: false)
    #expect(problem([path("plain")], levels: [850]).contains("no variable 't' in this data"))
    let named = ["t_850": "ta850", "t_500": "ta500"]
    #expect(
      try values(read("plain", named, levels: [500, 850]), time: 1) == alone(500, time: 1) + alone(850, time: 1))
    // What they say of themselves must be the same.
    try writeLevelArrays("ta")
    #expect(try values(read("ta", named, levels: [850]), time: 1) == alone(850, time: 1))
    let error = #expect(throws: JigsawError.self) { try read("ta", ["t_850": "ta500"], levels: [850]) }
    #expect(error?.description.contains("ta500: is not what data.sources.names says it is") == true)
    #expect(error?.expected == "t at 850 hPa" && error?.found == "500 hPa")
    let both = #expect(throws: JigsawError.self) { try read("ta", named.merging(["t": "ta850"]) { $1 }, levels: [850]) }
    #expect(both?.description.contains("gives t and levels of it") == true)
    #expect(throws: JigsawError.self) { try read("plain", ["t_850": "absent"], levels: [850]) }
  }

  /// z at 500 hPa and an array called z_500 would share statistics.
  @Test func twoFieldsOfOneNameAreRefused() throws {
    var data = SyntheticData()
    data.times = 8
    try data.write(path("whole"))
    var store = try EditedStore(path("whole"))
    store.arrays["t_500"] = store.arrays["msl"]
    store.arrays["t_500"]?.attributes = ["units": .text("K")]
    try store.write(path("both"))
    let found = problem([path("both")], ["t", "t_500"], levels: [500])
    #expect(found.contains("gives two fields the name t_500"), "\(found)")
  }

  /// Files of a pattern that hold one level each, which `names` alone tells, in two pieces of time each.
  @Test func namedLevelsOfSeveralFilesAreJoined() throws {
    try writeLevelArrays("plain", says: false)
    let whole = try EditedStore(path("plain"))
    for level in ["ta850", "ta500"] {
      for (piece, times) in [0..<3, 3..<8].enumerated() {
        var store = whole
        for other in ["ta850", "ta500"] where other != level { store.arrays[other] = nil }
        store.keep(times)
        try store.write(path("piece-\(level)-\(piece)"))
      }
    }
    let names = ["t_850": "ta850", "t_500": "ta500"]
    let source = SourceDescription(path: "\(folder.path)/piece-*.nc", names: names)
    let joined = try FieldDataset(sources: [source], variables: ["t"], levelsHPa: [500, 850])
    #expect(joined.times.count == 8)
    for time in [0, 2, 3, 7] {
      #expect(try values(joined, time: time) == alone(500, time: time) + alone(850, time: time))
    }
  }

  /// No advice that would be refused: on levels of a model an array is no variable of pressure levels.
  @Test func namesAreSuggestedWhereTheyWork() throws {
    try write("model", of: ["temp"], coordinate: "hybrid", 137, ["standard_name": "atmosphere_hybrid_sigma_pressure"])
    try write("plain", of: ["temp"], nil)
    func suggestion(_ name: String) throws -> String? {
      var store = try EditedStore(path(name))
      store.arrays["temp"]?.attributes["long_name"] = .text("temperature")
      store.arrays["temp"]?.attributes["units"] = .text("K")
      try Files.remove(path(name))
      try store.write(path(name))
      let contents = SourceContents(try OpenedSources([SourceDescription(path: path(name))]))
      return try #require(contents.fields.first { $0.storedName == "temp" }).suggestion?.name
    }
    #expect(try suggestion("plain") == "t" && suggestion("model") == nil)
  }

  @Test func oneLevelOfTwoSourcesIsRefused() throws {
    try write("a", of: ["t"], 850)
    try write("b", of: ["t"], 850)
    #expect(problem([path("a"), path("b")], levels: [850]).contains("data.variables: t: is in several sources"))
    // Of a pattern they follow each other in time.
    #expect(problem(["\(folder.path)/*.nc"], levels: [850]).contains("that is also in"))
  }

  /// Without units a number must be such as pressure levels have; what nothing says is a pressure is refused.
  @Test func levelsWithoutUnitsAreCheckedOrRefused() throws {
    try write("plain", 850, [:], isNamed: false)
    #expect(try dataset([path("plain")], levels: [850]).channels.map(\.name) == ["t_850"])
    #expect(problem([path("plain")], levels: [300]).contains("t: has no level 300 hPa; found 850"))
    try write("index", 17, [:])
    #expect(
      problem([path("index")], levels: [850]).contains("t: lies on the single level of 'level', which nothing says"))
    try write("other", coordinate: "lev", 850, ["axis": "Z"])
    #expect(problem([path("other")], levels: [850]).contains("t: lies on the single level of 'lev', which nothing"))
    try write("model", coordinate: "hybrid", 137, ["standard_name": "atmosphere_hybrid_sigma_pressure_coordinate"])
    #expect(problem([path("model")], levels: [850]).contains("t: is on model levels"))
    #expect(problem([path("model")], levels: []).contains("t: is on model levels"))
    #expect(try dataset([path("model")], ["msl"], levels: [850]).channels.map(\.name) == ["msl"])
  }

  @Test func levelsOfUnknownVariablesAreChecked() throws {
    try write("dust", of: ["dust"], 850)
    #expect(try dataset([path("dust")], ["dust"], levels: [850]).channels.map(\.name) == ["dust_850"])
    #expect(problem([path("dust")], ["dust"], levels: [300]).contains("dust: has no level 300 hPa; found 850"))
    #expect(try dataset([path("dust")], ["dust"], levels: []).channels.map(\.name) == ["dust"])
    try write("index", of: ["dust"], 17, [:])
    #expect(problem([path("index")], ["dust"], levels: [850]).contains("dust: lies on the single level of 'level'"))
  }
}
