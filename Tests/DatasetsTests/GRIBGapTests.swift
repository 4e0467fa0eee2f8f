import Basics
import Geometry
import Stores
import TestSupport
import Testing

@testable import Datasets

/// Variables of one GRIB file that are there at other times or levels than its other ones.
@Suite struct GRIBGapTests {
  private static let start = Timestamp(year: 2020, month: 1, day: 1)
  private static let regular = GRIBOutputGrid.regular(
    latitudes: [60, 50, 40, 30], longitudes: (0..<8).map { Double($0) * 45 })
  private static func reduced() throws -> GRIBOutputGrid {
    let points = GaussianGrid.octahedral(4)
    return try GRIBOutputGrid(latitudes: points.latitudes, longitudes: points.longitudes, place: "")
  }

  /// A message for each parameter, level and hour; all values of a message are the hour.
  private func write(
    _ path: String, _ grid: GRIBOutputGrid, _ fields: [(paramId: Int, levels: [Double?], hours: [Int])]
  ) throws {
    let writer = try GRIBWriter(path)
    for field in fields {
      for hour in field.hours {
        for level in field.levels {
          let definition = GRIBFieldDefinition(
            paramId: field.paramId, levelHPa: level, grid: grid, baseTime: Self.start.adding(hours: hour), leadHours: 0)
          try [Float](repeating: Float(280 + hour), count: grid.count).withUnsafeBufferPointer {
            try writer.write(definition, $0)
          }
        }
      }
    }
    try writer.finish()
  }

  private func times(_ hours: [Int]) -> [Timestamp] { hours.map { Self.start.adding(hours: $0) } }

  private func dataset(_ source: SourceDescription, _ variables: [String], _ levels: [Double] = []) throws
    -> FieldDataset
  {
    try FieldDataset(sources: [source], variables: variables, levelsHPa: levels)
  }

  private func view(_ path: String, _ options: [String: JSONValue] = [:]) -> SourceDescription {
    SourceDescription(path: "", open: .object(options.merging(["dataset": .string(path)]) { $1 }))
  }

  /// 2 m temperature each hour, mean sea level pressure every six, on a raster and on points, as a source and as a view.
  @Test(arguments: [false, true]) func timesThatAVariableLacksAreLeftOutByName(isReduced: Bool) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.grib"
    try write(
      path, isReduced ? Self.reduced() : Self.regular, [(167, [nil], Array(0...12)), (151, [nil], [0, 6, 12])])
    for source in [SourceDescription(path: path), view(path)] {
      let both = try dataset(source, ["t2m", "msl"])
      #expect(both.times == times([0, 6, 12]))
      let leftOut = both.leftOutTimes
      #expect(leftOut.map(\.lacking) == [["msl"]])
      #expect(leftOut.map(\.times) == [times([1, 2, 3, 4, 5, 7, 8, 9, 10, 11])])
      #expect(try dataset(source, ["t2m"]).times == times(Array(0...12)))
      #expect(try dataset(source, ["t2m"]).leftOutTimes.isEmpty)
    }
    // All of a view is stored with its dates; those without values of a variable are known.
    let input = try ConversionInput(openView(path), origin: "", from: nil, through: nil)
    #expect(input.dates.count == 13 && input.missing.isEmpty)
    #expect(input.partialDates.map(\.lacking) == [["msl"]] && input.partialDates.first?.dates.count == 10)
    // The contents of a file name the times of each variable.
    let contents = SourceContents(try OpenedSources([SourceDescription(path: path)]))
    #expect(contents.fields.first { $0.name == "msl" }?.times == times([0, 6, 12]))
    #expect(contents.fields.first { $0.name == "t2m" }?.times.count == 13)
  }

  /// Nothing is made between, before or after fields that are not there.
  @Test func viewsMadeOfDatesKnowWhichOnesLackAVariable() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.grib"
    try write(path, Self.regular, [(167, [nil], [0, 1, 2, 3, 5]), (151, [nil], [0, 1, 3, 5])])
    func found(_ options: [String: JSONValue]) throws -> [Timestamp] {
      try dataset(view(path, options), ["t2m", "msl"]).times
    }
    #expect(try found([:]) == times([0, 1, 3, 5]))
    #expect(try found(["end": .string("2020-01-01T03"), "interpolate_frequency": .string("30m")]).count == 4)
    #expect(
      try found([
        "end": .string("2020-01-01T03"), "rolling_average": .array([.integer(-1), .integer(0), .string("freq")]),
      ])
        == times([1]))
    // 04:00 is made of 03:00 and 05:00, of which nothing is missing.
    #expect(try found(["fill_missing_dates": .string("interpolate")]) == times([0, 1, 3, 4, 5]))
    // One time of a variable that changes is no field of all times.
    try write("\(folder.path)/b.grib", Self.regular, [(167, [nil], [6, 7]), (151, [nil], [7])])
    let row = SourceDescription(
      path: "",
      open: .object([
        "concat": .array([.string(path), .string("\(folder.path)/b.grib")]), "start": .string("2020-01-01T05"),
      ]))
    #expect(try dataset(row, ["t2m", "msl"]).times == times([5, 7]))
    let pattern = try dataset(SourceDescription(path: "\(folder.path)/*.grib"), ["t2m", "msl"])
    #expect(pattern.times == times([0, 1, 3, 5, 7]) && pattern.leftOutTimes.map(\.lacking) == [["msl"]])
  }

  /// A variable has the levels of its messages; one level may lack times.
  @Test func levelsAreThoseOfAVariable() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.grib"
    try write(
      path, Self.regular,
      [(130, [850, 500], [0, 6, 12]), (131, [1_000], [0, 6, 12]), (133, [500], [0, 6, 12]), (133, [850], [6])])
    let store = try openStore(path)
    #expect(try store.info("t").dimensionNames == ["time", "level", "latitude", "longitude"])
    #expect(try store.info("u").dimensionNames == ["time", "level_2", "latitude", "longitude"])
    #expect(try store.read("level_2").doubles == [1_000] && store.read("level").doubles == [500, 850])
    for source in [SourceDescription(path: path), view(path)] {
      let error = #expect(throws: JigsawError.self) { try dataset(source, ["t", "u"], [500]) }
      #expect(error?.description.contains("has no level 500 hPa") == true, "\(String(describing: error))")
      #expect(try dataset(source, ["q"], [500]).times == times([0, 6, 12]))
      let both = try dataset(source, ["t", "q"], [850, 500])
      #expect(both.times == times([6]) && both.leftOutTimes.map(\.lacking) == [["q_850"]])
    }
  }

  /// A field that exists once is meant for all times where it describes the surface, as orography does: not pressure of the sea level by
  /// another number (260 074), nor snow depth (3 066).
  @Test func oneTimeOfWhatChangesIsOneTime() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.grib"
    try write(
      path, Self.regular,
      [
        (167, [nil], [0, 6, 12]), (34, [nil], [6]), (130, [500], [6]), (228_002, [nil], [0]), (172, [nil], [0]),
        (260_074, [nil], [6]), (3_066, [nil], [6]),
      ])
    let view = try openView(path)
    #expect(Set(view.variables.filter(\.isConstantInTime).map(\.name)) == ["orog", "lsm"])
    for name in ["sst", "t_500", "msl", "sde"] {
      #expect(view.variables.first { $0.name == name }?.absentTimes == Set(times([0, 12])))
    }
    let both = try dataset(SourceDescription(path: path), ["t2m", "sst"])
    #expect(both.times == times([6]) && both.leftOutTimes.map(\.lacking) == [["sst"]])
    // As a static field it is that of the time at which it is there.
    for source in [SourceDescription(path: path), self.view(path)] {
      let fixed = try FieldDataset(sources: [source], variables: ["t2m"], levelsHPa: [], staticVariables: ["sst"])
      #expect(try fixed.readStatics().allSatisfy { abs($0 - 286) < 0.01 })
    }
  }

  @Test func variablesWithoutACommonTimeAreNamed() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.grib"
    try write(path, Self.regular, [(167, [nil], [0, 6]), (151, [nil], [3, 9])])
    let error = #expect(throws: JigsawError.self) {
      try dataset(SourceDescription(path: path), ["t2m", "msl"])
    }
    #expect(
      error?.found
        == "msl: 2020-01-01 03:00 … 2020-01-01 09:00 and t2m: 2020-01-01 00:00 … 2020-01-01 06:00")
  }
}
