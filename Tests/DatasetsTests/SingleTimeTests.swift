import Basics
import Stores
import TestSupport
import Testing

@testable import Datasets

/// Files of one time each, which is a coordinate without a dimension, and times of climatologies.
@Suite struct SingleTimeTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// The times of a file of 8 as files of one time each, as xarray's `isel(time=0)` leaves them; returns the whole one's path.
  private func split(named name: String = "time", levels: [Double] = [850, 500]) throws -> String {
    var data = SyntheticData()
    (data.times, data.levels, data.upper) = (8, levels, levels.isEmpty ? [] : ["z"])
    try data.write("\(folder.path)/whole.nc")
    let whole = try EditedStore("\(folder.path)/whole.nc")
    for time in 0..<8 {
      var one = whole
      one.keep(time..<time + 1)
      for array in one.arrays.keys where one.arrays[array]?.dimensions.first == "time" {
        one.arrays[array]?.dimensions.removeFirst()
      }
      one.arrays[name] = one.arrays.removeValue(forKey: "time")
      try one.write("\(folder.path)/one\(time).nc")
    }
    return "\(folder.path)/whole.nc"
  }

  private func dataset(_ path: String) throws -> FieldDataset {
    try FieldDataset(
      sources: [SourceDescription(path: path)], variables: ["z", "msl"], levelsHPa: [500, 850],
      staticVariables: ["orog"])
  }

  @Test(arguments: ["time", "valid_time"]) func filesOfOneTimeFollowEachOther(name: String) throws {
    let whole = try dataset(split(named: name))
    let joined = try dataset("\(folder.path)/one*.nc")
    #expect(joined.times == whole.times && joined.times.count == 8)
    #expect(try joined.readStatics() == whole.readStatics())
    let count = whole.channels.count * whole.grid.count
    for time in whole.times.indices {
      var (expected, found) = ([Float](repeating: 0, count: count), [Float](repeating: 1, count: count))
      try expected.withUnsafeMutableBufferPointer { try whole.readChecked(time: time, into: #require($0.baseAddress)) }
      try found.withUnsafeMutableBufferPointer { try joined.readChecked(time: time, into: #require($0.baseAddress)) }
      #expect(found == expected)
    }
    let contents = SourceContents(try OpenedSources([SourceDescription(path: "\(folder.path)/one3.nc")]))
    let msl = try #require(contents.fields.first { $0.name == "msl" })
    #expect(!msl.isStatic && msl.times == [whole.times[3]])
  }

  /// A static field keeps the time that it was taken from.
  @Test func staticFieldsMayHaveOne() throws {
    var whole = try EditedStore(split())
    let orography = whole.arrays.removeValue(forKey: "orog")
    try whole.write("\(folder.path)/others.nc")
    var alone = try EditedStore("\(folder.path)/one2.nc")
    for name in ["z", "msl", "level"] { alone.arrays[name] = nil }
    try alone.write("\(folder.path)/alone.nc")
    let found = try FieldDataset(
      sources: ["others", "alone"].map { SourceDescription(path: "\(folder.path)/\($0).nc") }, variables: ["msl"],
      levelsHPa: [], staticVariables: ["orog"])
    #expect(try found.readStatics().map(Double.init) == orography?.values && found.times.count == 8)
  }

  /// Times of which nothing says that they are those of validity make no series, and neither do two.
  @Test func otherTimesAreNone() throws {
    func made(_ coordinates: [String: [String: String]]) throws -> SingleTimeStore? {
      var store = MemoryStore(["latitude": 4, "longitude": 8])
      store.add("latitude", ["latitude"], PlainStore.latitudes, PlainStore.north)
      store.add("longitude", ["longitude"], (0..<8).map { Double($0) * 45 }, ["units": "degrees_east"])
      store.add("t2m", ["latitude", "longitude"], [280], ["units": "K"])
      for (name, texts) in coordinates { store.add(name, [], [6], texts) }
      return try SingleTimeStore(store)
    }
    #expect(try made(["time": PlainStore.hours])?.arrays["t2m"]?.dimensionNames == ["time", "latitude", "longitude"])
    #expect(try made([:]) == nil && made(["time": [:]]) == nil)
    #expect(try made(["time": PlainStore.hours.merging(["standard_name": "forecast_reference_time"]) { $1 }]) == nil)
    #expect(try made(["first": PlainStore.hours, "second": PlainStore.hours]) == nil)
    #expect(try SingleTimeStore(PlainStore.made()) == nil)
  }

  /// CF 1.11, 7.4: values are statistics over several years.
  @Test func climatologiesAreRefused() {
    var store = PlainStore.made()
    store.set("time", "climatology", "climatology_bounds")
    let found = PlainStore.problem { _ = try GriddedStore(store) }
    #expect(found.contains("memory: time: holds times of a climatology"), "\(found)")
    #expect(found.contains("found climatology 'climatology_bounds'"), "\(found)")
  }
}
