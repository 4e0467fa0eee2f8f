import Basics
import Stores
import TestSupport
import Testing

@testable import Datasets

#if canImport(Glibc)
  import Glibc
#endif

/// Static fields of several files, and such as are stored with times.
@Suite struct StaticFieldTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func path(_ name: String) -> String { "\(folder.path)/\(name).nc" }

  private func write(_ name: String, days: Int = 0, count: Int = 8, _ change: (inout EditedStore) -> Void = { _ in })
    throws
  {
    var data = SyntheticData()
    (data.upper, data.levels, data.times) = ([], [], count)
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
  private func addTimes(_ store: inout EditedStore, _ name: String, as new: String, count: Int = 8) {
    guard var array = store.arrays.removeValue(forKey: name) else { return }
    array.dimensions = ["time"] + array.dimensions
    array.values = (0..<count).flatMap { _ in array.values }
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
    // Each time counts where they are few.
    for time in 1..<24 {
      try write("times", count: 24) {
        addTimes(&$0, "orog", as: "orog", count: 24)
        $0.arrays["orog"]?.values[time * 128 + 3] += 5
      }
      #expect(throws: JigsawError.self, "\(time)") { try dataset("times") }
    }
  }

  /// A field without times is the static one, whatever another file has of its name.
  @Test func fieldsWithoutTimesComeFirst() throws {
    try write("b0") {
      addTimes(&$0, "orog", as: "orog")
      $0.arrays["orog"]?.values[7 * 128 + 3] += 5
    }
    try write("b1", days: 2)
    #expect(try dataset("b*").readStatics() == dataset("b1").readStatics())
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
      #expect(error?.description.contains("msl: is present under several names") == true, "\(error?.description ?? "")")
      #expect(error?.description.contains("found msl and prmsl") == true, "\(error?.description ?? "")")
      var values = [Float](repeating: 0, count: 128)
      try values.withUnsafeMutableBufferPointer { buffer in
        try opened(["msl": "prmsl"]).readChecked(time: 0, into: #require(buffer.baseAddress))
      }
      #expect(values[0] == 7)
    }
  }

  /// Static fields are judged as variables are: what can't be, marks of missing values, one value everywhere.
  @Test func valuesThatCannotBeAreNamed() throws {
    func doubts(_ name: String, _ change: (inout [Double]) -> Void) throws -> (problems: [String], notes: [String]) {
      try write("b") { store in
        guard var entry = store.arrays.removeValue(forKey: "orog") else { return }
        change(&entry.values)
        entry.attributes = [:]
        store.arrays[name] = entry
      }
      return try dataset("b", statics: [name]).staticDoubts()
    }
    #expect(try doubts("orog") { _ in } == ([], []))
    for (name, value) in [("orog", 1e20), ("orog", 100_000), ("lsm", 1_000), ("other", 1e20), ("other", -9_999)] {
      let found = try doubts(name) { values in
        values = values.indices.map { Double($0 % 7) / 10 }
        values[3] = value
      }
      #expect(found.problems.count == 1 && found.problems[0].contains("b.nc: \(name)"), "\(name) \(value)")
    }
    let flat = try doubts("orog") { $0 = $0.map { _ in 5 } }
    #expect(
      flat.problems == [] && flat.notes.count == 1 && flat.notes[0].contains("is 5")
        && flat.notes[0].hasSuffix(" everywhere"))
  }

  /// What a forecast compares with the training: packing is no difference, a correction is said, another field is refused.
  @Test func signaturesTellFieldsApart() {
    let values = (0..<800).map { Float(1_000 * sin(Double($0) / 40) + 300 * cos(Double($0) / 3)) }
    func signature(_ values: [Float]) -> StaticSignature {
      values.withUnsafeBufferPointer { StaticSignature(name: "orog", units: "m", $0) }
    }
    let trained = signature(values)
    #expect(signature(values.map { ($0 * 20).rounded() / 20 }).difference(from: trained) == nil)
    var corrected = values
    corrected[300] += 50
    guard case .note(let largest)? = signature(corrected).difference(from: trained) else {
      Issue.record("a correction is not seen")
      return
    }
    #expect(largest > 10 && largest < 50)
    // Two points of one run, exchanged.
    var exchanged = values
    exchanged.swapAt(300, 301)
    #expect(signature(exchanged).difference(from: trained) != nil)
    guard case .another? = signature(values.reversed()).difference(from: trained) else {
      Issue.record("turned rows are not seen")
      return
    }
  }
}
