import Basics
import Stores
import TestSupport
import Testing

@testable import Datasets

/// Static fields of several files, and such as are stored with times.
@Suite struct StaticFieldTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func path(_ name: String) -> String { "\(folder.path)/\(name).nc" }

  private func write(_ name: String, days: Int = 0, _ change: (inout EditedStore) -> Void = { _ in }) throws {
    var data = SyntheticData()
    (data.upper, data.levels, data.times) = ([], [], 8)
    data.start = data.start.adding(hours: 24 * days)
    try data.write(path(name))
    var store = try EditedStore(path(name))
    change(&store)
    try Files.remove(path(name))
    try store.write(path(name))
  }

  private func dataset(_ pattern: String, statics: [String] = ["orog"]) throws -> FieldDataset {
    try FieldDataset(
      sources: [SourceDescription(path: path(pattern))], variables: ["msl"], levelsHPa: [], staticVariables: statics)
  }

  @Test func filesOfAPatternMustAgree() throws {
    try write("a0")
    try write("a1", days: 2)
    let same = try dataset("a*")
    #expect(same.normalizations.contains("orog: the same in 2 of 2 files"))
    // A step of 16-bit packing is no difference.
    try write("a1", days: 2) { $0.arrays["orog"]?.values[5] += 0.01 }
    #expect(try dataset("a*").readStatics() == same.readStatics())
    try write("a1", days: 2) { $0.arrays["orog"]?.values[5] += 1 }
    let error = #expect(throws: JigsawError.self) { try dataset("a*") }
    #expect(
      error?.description.contains("a1.nc: orog: is another static field than that of \(path("a0"))") == true,
      "\(error?.description ?? "")")
    try write("a1", days: 2) { $0.arrays["orog"]?.values[5] = .nan }
    #expect(throws: JigsawError.self) { try dataset("a*") }
  }

  /// As ERA5's `z` and `lsm` are delivered.
  private func addTimes(_ store: inout EditedStore, _ name: String, as new: String) {
    guard var array = store.arrays.removeValue(forKey: name) else { return }
    array.dimensions = ["time"] + array.dimensions
    array.values = (0..<8).flatMap { _ in array.values }
    store.arrays[new] = array
  }

  @Test func theFirstTimeIsTakenIfAllAreTheSame() throws {
    try write("plain")
    try write("times") { addTimes(&$0, "orog", as: "orog") }
    let found = try dataset("times")
    #expect(try found.readStatics() == dataset("plain").readStatics())
    #expect(found.normalizations.contains("orog: its first time is taken, the same at 8 of 8 times"))
    try write("times") {
      addTimes(&$0, "orog", as: "orog")
      $0.arrays["orog"]?.values[7 * 128 + 3] += 5
    }
    let error = #expect(throws: JigsawError.self) { try dataset("times") }
    #expect(error?.description.contains("times.nc: orog: varies in time, but is among data.static") == true)
    #expect(error?.description.contains("2001-01-01 00:00 and 2001-01-02 18:00") == true)
  }

  /// ECMWF calls the geopotential of the surface z, too.
  @Test(arguments: [true, false]) func geopotentialOfTheSurfaceWithTimes(isView: Bool) throws {
    try write("z") {
      addTimes(&$0, "orog", as: "z")
      $0.arrays["z"]?.attributes["units"] = .text("m2 s-2")
    }
    let source =
      isView
      ? SourceDescription(path: "", open: .object(["dataset": .string(path("z"))])) : SourceDescription(path: path("z"))
    let found = try FieldDataset(
      sources: [source], variables: ["msl"], levelsHPa: [], staticVariables: ["zs"])
    #expect(try found.readStatics()[..<7] == [0, 100, 200, 300, 400, 500, 600])
  }

  @Test func oneVariableUnderTwoNamesIsRefused() throws {
    try write("two") { store in
      store.arrays["prmsl"] = store.arrays["msl"]
      store.arrays["prmsl"]?.values[0] = 7
    }
    for open in [nil, JSONValue.object(["dataset": .string(path("two"))])] {
      func opened(_ names: [String: String]) throws -> FieldDataset {
        try FieldDataset(
          sources: [SourceDescription(path: open == nil ? path("two") : "", open: open, names: names)],
          variables: ["msl"], levelsHPa: [])
      }
      let error = #expect(throws: JigsawError.self) { try opened([:]) }
      #expect(error?.description.contains("msl: is there under several names") == true, "\(error?.description ?? "")")
      #expect(error?.description.contains("found msl and prmsl") == true, "\(error?.description ?? "")")
      var values = [Float](repeating: 0, count: 128)
      try values.withUnsafeMutableBufferPointer { buffer in
        try opened(["msl": "prmsl"]).readChecked(time: 0, into: #require(buffer.baseAddress))
      }
      #expect(values[0] == 7)
    }
  }
}
