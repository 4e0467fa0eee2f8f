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
