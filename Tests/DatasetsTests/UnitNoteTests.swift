import Basics
import Stores
import TestSupport
import Testing

@testable import Datasets

/// Sentences on units, whichever way the same fields are read.
@Suite struct UnitNoteTests {
  @Test(arguments: [(false, false), (false, true), (true, false), (true, true)])
  func assumedAndConvertedUnitsAreSaid(onPoints: Bool, asView: Bool) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.nc"
    var store = MemoryStore(["time": 4, "lat": 4, "lon": 8, "values": 5])
    store.add("time", ["time"], (0..<4).map { 6 * Double($0) }, ["units": "hours since 2000-01-01"])
    store.add("lat", onPoints ? ["values"] : ["lat"], [67, 22, -22, -67], ["units": "degrees_north"])
    store.add("lon", onPoints ? ["values"] : ["lon"], (0..<8).map { Double($0) * 45 }, ["units": "degrees_east"])
    let place = onPoints ? ["values"] : ["lat", "lon"]
    store.add("t2m", ["time"] + place, [280])
    store.add("tp", ["time"] + place, [1], ["units": "mm"])
    store.add("msl", ["time"] + place, [1e5], ["units": "Pa"])
    store.add("lsm", place, [0.5])
    try EditedStore(store).write(path)
    let source =
      asView
      ? SourceDescription(path: "", open: .object(["dataset": .string(path), "start": .string("2000-01-01")]))
      : SourceDescription(path: path)
    let dataset = try FieldDataset(
      sources: [source], variables: ["t2m", "tp", "msl"], levelsHPa: [], staticVariables: ["lsm"])
    #expect(
      dataset.normalizations.filter { $0.contains("units") || $0.contains("converted") } == [
        "lsm is assumed to be in 1: the store gives no units", "t2m is assumed to be in K: the store gives no units",
        "tp converted from mm to m",
      ])
  }
}
