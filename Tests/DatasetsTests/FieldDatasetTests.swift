import Basics
import Datasets
import Stores
import TestSupport
import Testing

@Suite struct FieldDatasetTests {
  static let parts = [
    SourceDescription(path: Goldens.path("part?.nc")), SourceDescription(path: Goldens.path("static.nc")),
  ]

  private func read(_ dataset: FieldDataset, _ time: Int) throws -> [Float] {
    var planes = [Float](repeating: 0, count: dataset.channels.count * dataset.grid.count)
    try planes.withUnsafeMutableBufferPointer { try dataset.read(time: time, into: $0.baseAddress!) }
    return planes
  }

  /// The truth for a list of channels (variable, level index or nil) at a time.
  private func truth(_ channels: [(String, Int?)], _ time: Int) throws -> [Float] {
    let fields = try Goldens.fields()
    return try channels.flatMap { name, level -> [Float] in
      let all = try fields.floats("truth/\(name)")
      let start = (level.map { time * 2 + $0 } ?? time) * 48
      return Array(all[start..<start + 48])
    }
  }

  @Test(arguments: [0, 1 << 14, 1 << 30]) func severalFilesAreOneDataset(cacheBytes: Int) throws {
    let dataset = try FieldDataset(
      sources: Self.parts, variables: ["t", "msl", "z"], levelsHPa: [500, 850], staticVariables: ["orog"],
      cacheBytes: cacheBytes)
    #expect(dataset.channels.map(\.name) == ["t_500", "t_850", "msl", "z_500", "z_850"])
    #expect(dataset.times.count == 8 && dataset.index(of: dataset.times[5]) == 5)
    #expect(try dataset.readStatics() == truth([("orog", 0)], 0))
    // Twice, in no order: from disk, then from the cache.
    for time in [3, 0, 7, 2, 3, 5, 1, 4, 6, 0, 7, 3] {
      #expect(
        try read(dataset, time) == truth([("t", 1), ("t", 0), ("msl", nil), ("z", 1), ("z", 0)], time), "\(time)")
    }
  }

  @Test(arguments: ["weatherbench.zarr", "plain.nc", "classic.nc", "offset64.nc"], [0, 1 << 30])
  func layoutsGiveTheSame(name: String, cacheBytes: Int) throws {
    let dataset = try FieldDataset(
      sources: [SourceDescription(path: Goldens.path(name))], variables: ["z", "t", "msl"], levelsHPa: [850, 500],
      cacheBytes: cacheBytes)
    for time in [4, 1, 7, 0] {
      #expect(try read(dataset, time) == truth([("z", 0), ("z", 1), ("t", 0), ("t", 1), ("msl", nil)], time))
    }
  }

  @Test func readersOnManyThreadsSeeTheSame() async throws {
    let dataset = try FieldDataset(
      sources: Self.parts, variables: ["z", "msl"], levelsHPa: [850], cacheBytes: 1 << 14)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for worker in 0..<4 {
        group.addTask {
          try (0..<8).allSatisfy { step in
            let time = (step * 3 + worker) % 8
            return try self.read(dataset, time) == self.truth([("z", 0), ("msl", nil)], time)
          }
        }
      }
      for try await isSame in group { #expect(isSame) }
    }
  }

  /// Sources with different, gappy times: only common times count, and each field is of its time.
  @Test(arguments: [0, 1 << 30]) func timesOfSourcesAreAligned(cacheBytes: Int) throws {
    let folder = try TemporaryFolder()
    var upper = SyntheticData()
    upper.surface = []
    try upper.write("\(folder.path)/upper-1.nc")
    upper.start = upper.start.adding(hours: 6 * 70)  // a gap of ten steps
    try upper.write("\(folder.path)/upper-2.nc")
    var surface = SyntheticData()
    (surface.upper, surface.stepHours, surface.times) = ([], 12, 80)
    surface.start = surface.start.adding(hours: 24)
    try surface.write("\(folder.path)/surface.zarr")

    let dataset = try FieldDataset(
      sources: [
        SourceDescription(path: "\(folder.path)/upper-*.nc"), SourceDescription(path: "\(folder.path)/surface.zarr"),
      ], variables: ["z", "msl"], levelsHPa: [500], cacheBytes: cacheBytes)
    let first = SyntheticData().start
    let expected = (0..<130).filter { $0 < 60 || $0 >= 70 }.filter { $0 >= 4 && $0 % 2 == 0 }
    #expect(dataset.times == expected.map { first.adding(hours: 6 * $0) })
    for index in [0, 3, 27, 28, 29, 40, dataset.times.count - 1] {
      let step = expected[index]
      let planes = try read(dataset, index)
      #expect(Array(planes[..<128]) == upper.field(variable: 0, level: 1, time: step < 60 ? step : step - 70))
      #expect(Array(planes[128...]) == surface.field(variable: 0, level: 0, time: step / 2 - 2))
    }
    #expect(dataset.indices(from: first, through: first.adding(hours: 36)) == [0, 1])
  }

  @Test func whatIsChangedOrAssumedIsNoted() throws {
    func notes(_ name: String, _ variables: [String]) throws -> [String] {
      try FieldDataset(
        sources: [SourceDescription(path: Goldens.path(name))], variables: variables, levelsHPa: [500]
      ).normalizations
    }
    #expect(try notes("plain.nc", ["z", "msl"]) == [])
    #expect(try notes("units.nc", ["z", "msl"]) == ["msl converted from hPa to Pa", "z converted from gpm to m2 s-2"])
    #expect(try notes("dates.zarr", ["msl"]) == ["msl is assumed to be in Pa: the store gives no units"])
  }

  @Test func missingValuesAreLocated() throws {
    let dataset = try FieldDataset(
      sources: [SourceDescription(path: Goldens.path("packed.nc"))], variables: ["z", "msl"], levelsHPa: [850])
    var planes = [Float](repeating: 0, count: 96)
    let error = #expect(throws: JigsawError.self) {
      try planes.withUnsafeMutableBufferPointer { try dataset.readChecked(time: 3, into: $0.baseAddress!) }
    }
    #expect(error?.place == "\(Goldens.path("packed.nc")): msl")
    #expect(error?.problem == "has 1 missing values (NaN) in msl at 2001-01-01 18:00")
    try planes.withUnsafeMutableBufferPointer { try dataset.readChecked(time: 2, into: $0.baseAddress!) }
  }

  // MARK: What doesn't fit

  private func problem(
    _ paths: [String], variables: [String] = ["z"], levels: [Double] = [500], statics: [String] = [],
    names: [String: String] = [:]
  ) -> String {
    let error = #expect(throws: JigsawError.self) {
      try FieldDataset(
        sources: paths.map { SourceDescription(path: $0.isEmpty ? "" : Goldens.path($0), names: names) },
        variables: variables, levelsHPa: levels, staticVariables: statics)
    }
    return error?.description ?? ""
  }

  @Test func whatIsMissingIsNamed() {
    #expect(problem([]).hasPrefix("data.sources: is empty"))
    #expect(problem([""]).hasPrefix("data.sources[0].path: is empty"))
    #expect(problem(["none.nc"]).contains("none.nc: no such file or folder"))
    #expect(problem(["none-*.nc"]).contains("no file or folder matches"))
    #expect(
      problem(["plain.nc"], variables: ["q"]).contains("no variable 'q' in this data; expected an array called 'q'"))
    #expect(problem(["plain.nc"], levels: [500, 250]).contains("z: has no level 250 hPa; found 850, 500"))
    #expect(problem(["plain.nc"], levels: []).contains("data.levels: is empty, but z is stored on levels"))
    #expect(problem(["plain.nc"], statics: ["lsm"]).contains("no static field 'lsm'"))
    #expect(problem(["part?.nc", "static.nc"], variables: ["orog"]).contains("orog: has no times, but is among"))
    #expect(problem(["plain.nc"], statics: ["msl"]).contains("msl: varies in time, but is among data.static"))
    #expect(problem(["plain.nc"], names: ["z": "zz"]).contains("has no variable 'zz'"))
  }

  @Test func whatIsThereTwiceIsNamed() {
    #expect(problem(["plain.nc"], variables: ["z", "t", "z"]).hasPrefix("data.variables: names z twice"))
    #expect(problem(["plain.nc"], levels: [500, 850, 500]).hasPrefix("data.levels: names 500 twice"))
    #expect(problem(["plain.nc"], statics: ["orog", "orog"]).hasPrefix("data.static: names orog twice"))
  }

  @Test func filesThatDoNotFitTogetherAreNamed() throws {
    let folder = try TemporaryFolder()
    var data = SyntheticData()
    try data.write("\(folder.path)/a1.nc")
    data.start = data.start.adding(hours: 6 * 59)
    try data.write("\(folder.path)/a2.nc")
    func dataset(_ paths: [String], _ variables: [String] = ["z"], statics: [String] = []) -> String {
      let error = #expect(throws: JigsawError.self) {
        try FieldDataset(
          sources: paths.map { SourceDescription(path: "\(folder.path)/\($0)") }, variables: variables,
          levelsHPa: [500], staticVariables: statics)
      }
      return error?.description ?? ""
    }
    #expect(dataset(["a?.nc"]).contains("has the time 2001-01-15 18:00 that is also in \(folder.path)/a1.nc"))

    data.start = data.start.adding(hours: 6 * 100)
    data.upper = ["u"]
    try data.write("\(folder.path)/a2.nc")
    #expect(dataset(["a?.nc"]).contains("a2.nc: lacks the variable 'z' that other files of the source have"))
    #expect(dataset(["a1.nc", "a2.nc"], ["z", "u"]).contains("have no time in common"))

    data.columns = 32
    try data.write("\(folder.path)/b.nc")
    let grids = dataset(["a1.nc", "b.nc"])
    #expect(
      grids.contains("b.nc: has another grid than") && grids.contains("expected 8 × 16") && grids.contains("8 × 32"))

    // One file with levels, one without; a static field on levels.
    data = SyntheticData()
    data.start = data.start.adding(hours: 6 * 100)
    (data.upper, data.surface) = ([], ["z"])
    try data.write("\(folder.path)/a2.nc")
    #expect(dataset(["a?.nc"]).contains("a2.nc: z: has no levels, unlike in"))
    #expect(dataset(["a1.nc"], ["msl"], statics: ["z"]).contains("z: has levels"))
  }

  /// Archives deliver masks and orography with one time.
  @Test func aFieldWithASingleTimeServesAsStatic() throws {
    let folder = try TemporaryFolder()
    var data = SyntheticData()
    data.surface = []
    try data.write("\(folder.path)/data.nc")
    data.times = 1
    data.surface = ["msl"]
    data.upper = []
    data.statics = []
    try data.write("\(folder.path)/one.nc")
    let dataset = try FieldDataset(
      sources: ["data.nc", "one.nc"].map { SourceDescription(path: "\(folder.path)/\($0)") }, variables: ["z"],
      levelsHPa: [500], staticVariables: ["msl"])
    #expect(dataset.times.count == 60)
    #expect(try dataset.readStatics() == data.field(variable: 0, level: 0, time: 0))
  }
}
