import Basics
import Datasets
import Stores
import TestSupport
import Testing

/// Fields come out in our order and units, however a store holds them.
@Suite struct GriddedStoreTests {
  /// Store and which of z, t, msl, orog it has.
  static let stores: [(name: String, variables: [String])] = [
    ("plain.nc", ["z", "t", "msl", "orog"]), ("xarray.nc", ["z", "t", "msl", "orog"]),
    ("classic.nc", ["z", "t", "msl", "orog"]), ("offset64.nc", ["z", "t", "msl", "orog"]),
    ("packed.nc", ["z", "t", "msl", "orog"]), ("units.nc", ["z", "t", "msl"]), ("marks.nc", ["msl"]),
    ("unwritten.nc", ["msl"]), ("weatherbench.zarr", ["z", "t", "msl", "orog"]), ("packed.zarr", ["msl"]),
    ("dates.zarr", ["msl"]),
  ]

  @Test(arguments: stores.indices) func fieldsAreOursWhateverTheLayout(index: Int) throws {
    let (name, variables) = Self.stores[index]
    let store = try GriddedStore(openStore(Goldens.path(name)))
    let fields = try Goldens.fields()
    #expect(store.grid.latitudes.map(Float.init) == (try fields.floats("truth/latitude")))
    #expect(store.grid.longitudes.map(Float.init) == (try fields.floats("truth/longitude")))
    #expect(store.times == (0..<8).map { Timestamp(year: 2001, month: 1, day: 1).adding(hours: 6 * $0) })
    for variable in variables {
      let binding = try #require(try store.bind(variable), "\(variable)")
      let key = fields.entries["\(name)/\(variable)"] == nil ? "truth/\(variable)" : "\(name)/\(variable)"
      let expected = try fields.floats(key)
      let levels = binding.hasLevels ? [850.0, 500.0] : [0]
      #expect(binding.isStatic == (variable == "orog"))
      for (position, level) in levels.enumerated() {
        let index = binding.hasLevels ? try store.levelIndex(level, of: binding) : nil
        let times = binding.isStatic ? 1 : 8
        let found = try read(store, binding, times: 0..<times, level: index)
        for time in 0..<times {
          let start = ((time * levels.count) + position) * 48
          #expect(isSame(found[time], Array(expected[start..<start + 48])), "\(variable) \(level) \(time)")
        }
        if !binding.isStatic {
          #expect(isSame(try read(store, binding, times: 5..<7, level: index)[1], found[6]))
        }
      }
    }
  }

  @Test func changesAreNoted() throws {
    func notes(_ name: String) throws -> [String] { try GriddedStore(openStore(Goldens.path(name))).normalizations }
    #expect(try notes("plain.nc") == [])
    #expect(
      try notes("classic.nc") == [
        "latitude flipped to north-to-south", "longitudes rolled from -180.0° to start at 0.0°",
        "levels converted from Pa to hPa",
      ])
    #expect(try notes("weatherbench.zarr") == ["latitude flipped to north-to-south"])
    let units = try GriddedStore(openStore(Goldens.path("units.nc")))
    #expect(try units.bind("z")?.storedUnits == "gpm")
    #expect(try units.bind("z")?.conversion != UnitConversion.none)
    #expect(try units.bind("msl", rename: ["msl": "slp"])?.array.name == "slp")
    #expect(try units.bind("u10") == nil)
  }

  @Test func namesGivenByTheUserMustBeThere() throws {
    let store = try GriddedStore(openStore(Goldens.path("units.nc")))
    let error = #expect(throws: JigsawError.self) { try store.bind("msl", rename: ["msl": "pressure"]) }
    #expect(error?.description.contains("has no variable 'pressure'") == true)
    let field = #expect(throws: JigsawError.self) { try store.bind("msl", rename: ["msl": "lat_bnds"]) }
    #expect(field?.problem == "is not a field on the grid")
    let units = #expect(throws: JigsawError.self) { try store.bind("msl", rename: ["msl": "air"]) }
    #expect(units?.description.contains("expected 'Pa', found 'degC'") == true)
  }

  @Test func levelsInPascalHaveRoundNumbers() throws {
    let all = [1.0, 2, 3, 5, 7, 10, 20, 30, 50, 70] + stride(from: 100.0, through: 1_000, by: 25) + [0.1, 0.35]
    let store = try GriddedStore(StubStore(levels: all.map { $0 * 100 }, levelUnits: "Pa"))
    #expect(store.levelsHPa == all)
  }

  @Test(arguments: ["plain.nc", "classic.nc", "weatherbench.zarr"]) func rowsFromTheNorthAreEnough(name: String) throws
  {
    let store = try GriddedStore(openStore(Goldens.path(name)), rows: 4)
    #expect(
      store.grid.latitudes == [75, 45, 15, -15] && store.normalizations.contains { $0.contains("northern 4 of 6") })
    let binding = try #require(try store.bind("msl"))
    var field = [Float](repeating: 0, count: 32)
    try field.withUnsafeMutableBufferPointer { field in
      try store.read(binding, times: 2..<3, level: nil) { _ in field.baseAddress! }
    }
    #expect(field == Array(try Goldens.fields().floats("truth/msl")[96..<128]))
    let error = #expect(throws: JigsawError.self) { try GriddedStore(openStore(Goldens.path(name)), rows: 7) }
    #expect(error?.description.contains("expected at most 6, found 7") == true)
  }

  // MARK: Axes that can't be

  @Test func axesThatCannotBeAreRefused() throws {
    func problem(_ store: StubStore) -> String? {
      #expect(throws: JigsawError.self) { try GriddedStore(store) }?.description
    }
    #expect(problem(StubStore(latitudes: [10, 20, 15]))?.contains("latitude: is not a list of ascending") == true)
    #expect(problem(StubStore(latitudes: [10, .nan]))?.contains("not numbers") == true)
    #expect(problem(StubStore(latitudes: [80, 100]))?.contains("latitude") == true)
    #expect(problem(StubStore(latitudes: []))?.contains("latitude: is not a list of") == true)
    #expect(problem(StubStore(longitudes: [0, 20, 10]))?.contains("longitude: is not a list of ascending") == true)
    #expect(problem(StubStore(longitudes: [270, 200, 90, 0]))?.contains("evenly spaced westwards") == true)
    #expect(problem(StubStore(times: [0, 12, 6]))?.contains("not ascending; found 2000-01-01 06:00 after") == true)
    #expect(problem(StubStore(times: [0, 6, 6]))?.contains("not ascending") == true)
    #expect(problem(StubStore(times: [0, 9.96921e36]))?.contains("a time that can't be") == true)
    #expect(problem(StubStore(timeUnits: "fortnights since 2000-01-01"))?.contains("time units") == true)
    #expect(problem(StubStore(timeUnits: nil))?.contains("has no units") == true)
    #expect(problem(StubStore(calendar: "lunar"))?.contains("calendar that is not supported") == true)
  }

  @Test func limitedAreasStayAsStored() throws {
    let store = try GriddedStore(StubStore(latitudes: [30, 40, 50], longitudes: [-20, -10, 0, 10]))
    #expect(store.grid.longitudes == [-20, -10, 0, 10] && !store.grid.isPeriodic && !store.grid.isGlobal)
    #expect(store.grid.latitudes == [50, 40, 30])
    let global = try GriddedStore(StubStore(longitudes: [-180, -90, 0, 90]))
    #expect(global.grid.longitudes == [0, 90, 180, 270] && global.grid.isPeriodic)
    let rolled = try GriddedStore(StubStore(longitudes: [0, 90, 180, -90]))
    #expect(rolled.grid.longitudes == [0, 90, 180, 270])
  }

  /// A height of 2 m beside pressure levels, as in data of climate models.
  @Test func otherVerticalAxesAreIgnored() throws {
    for units in ["m", "1", "sigma_level"] { #expect(try GriddedStore(StubStore(levelUnits: units)).levelsHPa == []) }
    let stub = StubStore(extraAxis: "height")
    let store = try GriddedStore(stub)
    #expect(store.levelsHPa == [850, 500])
    #expect(try GriddedStore(StubStore(levels: nil, extraAxis: "height")).levelsHPa == [])
  }

  // MARK: Helpers

  private func read(
    _ store: GriddedStore, _ binding: GriddedStore.Binding, times: Range<Int>, level: Int?
  ) throws -> [[Float]] {
    var fields = [Float](repeating: 0, count: times.count * store.grid.count)
    try fields.withUnsafeMutableBufferPointer { fields in
      let base = fields.baseAddress!
      try store.read(binding, times: times, level: level) { base + $0 * store.grid.count }
    }
    return times.indices.map { Array(fields[($0 - times.lowerBound) * 48..<($0 - times.lowerBound + 1) * 48]) }
  }

  /// NaN equals NaN.
  private func isSame(_ a: [Float], _ b: [Float]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) }
  }
}

/// A store in memory that holds coordinates alone.
struct StubStore: ArrayStore {
  let reads = ReadCounter()
  let location = "stub"
  let format = "stub"
  let attributes: [String: AttributeValue] = [:]
  let arrays: [String: ArrayInfo]
  private let values: [String: [Double]]

  init(
    latitudes: [Double] = [45, -45], longitudes: [Double] = [0, 90, 180, 270], times: [Double] = [0, 6],
    timeUnits: String? = "hours since 2000-01-01", calendar: String? = nil, levels: [Double]? = [850, 500],
    levelUnits: String = "hPa", extraAxis: String? = nil
  ) {
    var values = ["latitude": latitudes, "longitude": longitudes, "time": times]
    values["level"] = levels
    if let extraAxis { values[extraAxis] = [2] }
    var arrays: [String: ArrayInfo] = [:]
    for (name, numbers) in values {
      var attributes: [String: AttributeValue] = [:]
      if name == "time" {
        attributes["units"] = timeUnits.map { .text($0) }
        attributes["calendar"] = calendar.map { .text($0) }
      }
      if name == "level" { attributes["units"] = .text(levelUnits) }
      if name == extraAxis { attributes = ["units": .text("m"), "axis": .text("Z")] }
      arrays[name] = ArrayInfo(
        name: name, type: .float64, dimensions: [.init(name: name, size: numbers.count)], chunks: nil, codec: "none",
        attributes: attributes)
    }
    self.values = values
    self.arrays = arrays
  }

  func read(_ name: String, _ box: [Range<Int>]) throws -> RawArray {
    RawArray(type: .float64, bytes: (values[name] ?? []).withUnsafeBytes { Array($0) })
  }
}
