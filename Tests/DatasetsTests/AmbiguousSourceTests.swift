import Basics
import Communication
import Stores
import TestSupport
import Testing

@testable import Datasets

/// Data whose configuration leaves open what is meant, and gaps that are stored anew.
@Suite struct AmbiguousSourceTests {
  private func problem(_ paths: [String], _ variables: [String], levels: [Double] = []) -> String {
    do {
      _ = try FieldDataset(
        sources: paths.map { SourceDescription(path: $0) }, variables: variables, levelsHPa: levels)
      return "none"
    } catch {
      return "\(error)"
    }
  }

  @Test func aVariableOfTwoSourcesIsRefused() throws {
    let folder = try TemporaryFolder()
    var data = SyntheticData()
    (data.upper, data.levels, data.statics) = ([], [], [])
    for (name, variables) in [("a", ["msl"]), ("b", ["msl", "u"])] {
      data.surface = variables
      try data.write("\(folder.path)/\(name).nc")
    }
    let (a, b) = ("\(folder.path)/a.nc", "\(folder.path)/b.nc")
    let found = problem([a, b], ["msl", "u"])
    #expect(found.contains("data.variables: msl: is in several sources"), "\(found)")
    #expect(found.contains("\(a) (msl) and \(b) (msl)"))
    #expect(problem([a], ["msl"]) == "none" && problem([b], ["msl", "u"]) == "none")
  }

  @Test func aStaticFieldOfTwoSourcesIsRefused() throws {
    let folder = try TemporaryFolder()
    for name in ["a", "b"] { try SyntheticData().write("\(folder.path)/\(name).nc") }
    let sources = ["a", "b"].map { SourceDescription(path: "\(folder.path)/\($0).nc") }
    let error = #expect(throws: JigsawError.self) {
      try FieldDataset(sources: sources, variables: [], levelsHPa: [], staticVariables: ["orog"])
    }
    #expect(error?.description.contains("data.static: orog: is in several sources") == true)
  }

  /// As ERA5 is delivered: geopotential on levels in one file, and that of the surface, of the same name and with times, in another
  /// beside the surface's variables; or through views.
  @Test(arguments: [false, true]) func whatLiesElsewhereIsNoCandidate(isView: Bool) throws {
    let folder = try TemporaryFolder()
    var data = SyntheticData()
    (data.upper, data.surface, data.statics, data.times) = (["z", "msl"], [], [], 8)
    try data.write("\(folder.path)/levels.nc")
    (data.upper, data.levels, data.surface) = ([], [], ["z", "msl"])
    try data.write("\(folder.path)/written.nc")
    var surface = try EditedStore("\(folder.path)/written.nc")
    let ground = (0..<128).map { Double($0 % 7) * 100 }
    surface.arrays["z"]?.values = (0..<8).flatMap { _ in ground }
    try surface.write("\(folder.path)/surface.nc")
    func open(_ names: [String]) throws -> FieldDataset {
      try FieldDataset(
        sources: names.map { name in
          let path = "\(folder.path)/\(name).nc"
          return isView
            ? SourceDescription(path: "", open: .object(["dataset": .string(path)])) : SourceDescription(path: path)
        }, variables: ["z", "msl"], levelsHPa: [850, 500], staticVariables: ["zs"])
    }
    let upper = try FieldDataset(
      sources: [SourceDescription(path: "\(folder.path)/levels.nc")], variables: ["z"], levelsHPa: [850, 500])
    for names in [["levels", "surface"], ["surface", "levels"]] {
      let found = try open(names)
      #expect(found.channels.map(\.name) == ["z_850", "z_500", "msl"] && found.times.count == 8)
      #expect(try found.readStatics().map(Double.init) == ground)
      var (both, alone) = ([Float](repeating: 0, count: 3 * 128), [Float](repeating: 0, count: 2 * 128))
      try both.withUnsafeMutableBufferPointer { try found.readChecked(time: 3, into: #require($0.baseAddress)) }
      try alone.withUnsafeMutableBufferPointer { try upper.readChecked(time: 3, into: #require($0.baseAddress)) }
      #expect(both.prefix(256) == alone[...])
    }
  }

  @Test func levelsOfAFieldWithoutAnyAreRefused() throws {
    let folder = try TemporaryFolder()
    var data = SyntheticData()
    (data.upper, data.levels, data.statics, data.surface) = ([], [], [], ["t", "msl"])
    try data.write("\(folder.path)/t.nc")
    let found = problem(["\(folder.path)/t.nc"], ["t"], levels: [300])
    #expect(found.contains("t.nc: t: has no levels, but data.levels asks for some of t"), "\(found)")
    #expect(problem(["\(folder.path)/t.nc"], ["t", "msl"]) == "none")
  }

  @Test func gapsStayGapsWhenStoredAnew() throws {
    let folder = try TemporaryFolder()
    var data = SyntheticData()
    data.times = 8
    try data.write("\(folder.path)/first.nc")
    data.start = data.start.adding(hours: 12 * 6)
    try data.write("\(folder.path)/second.nc")
    func dataset(_ path: String) throws -> FieldDataset {
      try FieldDataset(
        sources: [SourceDescription(path: path)], variables: ["z", "msl"], levelsHPa: [850],
        staticVariables: ["orog"])
    }
    let source = try dataset("\(folder.path)/*.nc")
    let path = "\(folder.path)/anew.zarr"
    var options = Conversion.Options()
    options.layout = .fields
    try Conversion(ConversionInput(source, from: nil, through: nil), to: path, options).run(on: SingleRank()) { _, _ in
    }
    let stored = try dataset(path)
    #expect(stored.times == source.times && stored.times.count == 16)
    let size = source.channels.count * source.grid.count
    for time in source.times.indices {
      var (expected, found) = ([Float](repeating: 0, count: size), [Float](repeating: 1, count: size))
      try expected.withUnsafeMutableBufferPointer { try source.readChecked(time: time, into: $0.baseAddress!) }
      try found.withUnsafeMutableBufferPointer { try stored.readChecked(time: time, into: $0.baseAddress!) }
      #expect(found == expected)
    }
  }
}
