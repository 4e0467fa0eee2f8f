import Basics
import Communication
import Stores
import Synchronization
import TestSupport
import Testing

@testable import Datasets

@Suite struct ConversionTests {
  private struct Stop: Error {}

  /// A view whose reading stops at a date.
  private struct FailingView: DerivedView {
    let base: any FieldView
    let date: Int

    func read(_ wanted: WantedPart, into target: (_ date: Int, _ variable: Int) -> UnsafeMutablePointer<Float>) throws {
      if wanted.dates.contains(date) { throw Stop() }
      try base.read(wanted, into: target)
    }
  }

  private func view(dates: Int, from first: Int = 0) -> NumberedView {
    var view = NumberedView()
    view.dates = (first..<first + dates).map { Timestamp(seconds: Int64($0) * 21_600) }
    return view
  }

  private func convert(_ view: any FieldView, _ path: String, origin: String = "test", keepsOrder: Bool = false) throws
  {
    var options = Conversion.Options()
    options.layout = .anemoi
    options.bands = 3
    let input = try ConversionInput(view, origin: origin, keepsOrder: keepsOrder, from: nil, through: nil)
    try Conversion(input, to: path, options).run(on: SingleRank()) { _, _ in }
  }

  private func values(_ path: String) throws -> [[Float]] {
    let dataset = try AnemoiDataset(openStore(path))
    return try dataset.dates.indices.map { try dataset.read(date: $0) }
  }

  /// Variables are sorted as anemoi-datasets sorts them, or as a view has them.
  @Test func anOrderThatWasAskedForIsKept() throws {
    let folder = try TemporaryFolder()
    var view = view(dates: 4)
    view.variables.swapAt(0, 1)
    for keepsOrder in [false, true] {
      let path = "\(folder.path)/\(keepsOrder).zarr"
      try convert(view, path, keepsOrder: keepsOrder)
      let dataset = try AnemoiDataset(openStore(path))
      let names = view.variables.map(\.name)
      #expect(dataset.variables.map(\.name) == (keepsOrder ? names : names.sorted()))
      #expect(try dataset.read(date: 2).count == dataset.variables.count * dataset.points.count)
    }
  }

  @Test func anInterruptedConversionGoesOn() throws {
    let folder = try TemporaryFolder()
    let (whole, path) = (folder.path + "/whole.zarr", folder.path + "/a.zarr")
    try convert(view(dates: 40), whole)
    #expect(throws: Stop.self) { try convert(FailingView(base: view(dates: 40), date: 25), path) }
    #expect(!Files.exists(path) && Files.exists(path + ".parts"))
    try convert(view(dates: 40), path)
    #expect(try values(path) == values(whole))
    #expect(try Files.list(folder.path) == ["a.zarr", "whole.zarr"])
    let (a, b) = (try AnemoiDataset(openStore(path)), try AnemoiDataset(openStore(whole)))
    #expect(a.variables == b.variables)
  }

  /// What another conversion of the same shape left behind is not mixed with this one.
  @Test func whatAnotherConversionLeftGoes() throws {
    let folder = try TemporaryFolder()
    let (whole, path) = (folder.path + "/whole.zarr", folder.path + "/a.zarr")
    try convert(view(dates: 40), whole)
    #expect(throws: Stop.self) { try convert(FailingView(base: view(dates: 40, from: 100), date: 25), path) }
    try convert(view(dates: 40), path)
    #expect(try values(path) == values(whole))
    // Nor are results of blocks taken whose chunks are gone.
    try Files.remove(path)
    #expect(throws: Stop.self) { try convert(FailingView(base: view(dates: 40), date: 25), path) }
    let left = try Temporary.abandoned(of: path)
    #expect(left.count == 1)
    for folder in left { try Files.remove(folder) }
    try convert(view(dates: 40), path)
    #expect(try values(path) == values(whole))
    try Files.remove(path)
    #expect(throws: Stop.self) { try convert(FailingView(base: view(dates: 40), date: 25), path, origin: "other") }
    try convert(view(dates: 40), path)
    #expect(try values(path) == values(whole))
  }

  /// A conversion that is stopped when it has just replaced an older store leaves that one under the name of its own.
  @Test func aStoreThatWasReplacedIsNoInterruptedConversion() throws {
    let folder = try TemporaryFolder()
    let (path, source, old) = ("\(folder.path)/b.zarr", "\(folder.path)/a.nc", "\(folder.path)/old.zarr")
    let mark = Mutex("")
    func convert(_ kelvin: Double) throws {
      var store = MemoryStore(["time": 3, "lat": 4, "lon": 8])
      store.add("time", ["time"], [0, 6, 12], ["units": "hours since 2000-01-01"])
      store.add("lat", ["lat"], [40, 30, 20, 10], ["units": "degrees_north"])
      store.add("lon", ["lon"], (0..<8).map { Double($0) * 10 }, ["units": "degrees_east"])
      store.add("t2m", ["time", "lat", "lon"], [kelvin], ["units": "K"])
      if Files.exists(source) { try Files.remove(source) }
      try EditedStore(store).write(source)
      let data = try FieldDataset(sources: [SourceDescription(path: source)], variables: ["t2m"], levelsHPa: [])
      try Conversion(ConversionInput(data, from: nil, through: nil), to: path, Conversion.Options())
        .run(on: SingleRank()) { _, _ in mark.withLock { $0 = (try? Files.readText("\(path).conversion")) ?? $0 } }
    }
    try convert(280)
    try Files.rename(path, to: old)
    try convert(290)
    let text = mark.withLock { $0 }
    try Files.rename(old, to: String(#require(text.split(separator: "\n").last { $0.hasSuffix(".tmp") })))
    try Files.writeAtomically(text, to: "\(path).conversion")
    try convert(290)
    #expect(try openStore(path).read("t2m").doubles.allSatisfy { $0 == 290 })
    #expect(try Files.list(folder.path) == ["a.nc", "b.zarr"])
  }

  /// A part of one row, one column or one point.
  @Test(arguments: [(1, 8), (4, 1), (1, 1)], [ConversionLayout.fields, .anemoi])
  func oneRowOrColumnIsReadBack(size: (rows: Int, columns: Int), layout: ConversionLayout) throws {
    let folder = try TemporaryFolder()
    var store = MemoryStore(["time": 3, "lat": size.rows, "lon": size.columns])
    store.add("time", ["time"], [0, 6, 12], ["units": "hours since 2000-01-01"])
    store.add("lat", ["lat"], [40, 30, 20, 10], ["units": "degrees_north"])
    store.add("lon", ["lon"], (0..<8).map { Double($0) * 10 }, ["units": "degrees_east"])
    store.add("t2m", ["time", "lat", "lon"], (0..<96).map { 280 + Double($0) }, ["units": "K"])
    try EditedStore(store).write("\(folder.path)/a.nc")
    func dataset(_ path: String) throws -> FieldDataset {
      try FieldDataset(sources: [SourceDescription(path: path)], variables: ["t2m"], levelsHPa: [])
    }
    func fields(_ dataset: FieldDataset) throws -> [[Float]] {
      try dataset.times.indices.map { time in
        var values = [Float](repeating: 0, count: dataset.grid.count)
        try values.withUnsafeMutableBufferPointer { try dataset.readChecked(time: time, into: $0.baseAddress!) }
        return values
      }
    }
    let original = try dataset("\(folder.path)/a.nc")
    var options = Conversion.Options()
    options.layout = layout
    try Conversion(ConversionInput(original, from: nil, through: nil), to: "\(folder.path)/b.zarr", options)
      .run(on: SingleRank()) { _, _ in }
    let copy = try dataset("\(folder.path)/b.zarr")
    #expect(copy.times == original.times && copy.grid.points.matches(original.grid.points))
    #expect(try fields(copy) == fields(original))
  }

  @Test func whatCantBeConvertedIsNamed() throws {
    func problem(_ view: any FieldView) -> String {
      #expect(throws: JigsawError.self) {
        _ = try ConversionInput(view, origin: "test", from: nil, through: nil)
      }?.description ?? ""
    }
    var odd = view(dates: 3)
    odd.dates[2] = Timestamp(seconds: 50_000)
    #expect(problem(odd).contains("not at one interval"))
    odd.dates = [Timestamp(seconds: 0), Timestamp(seconds: 1), Timestamp(seconds: 2_000_000_000)]
    #expect(problem(odd).contains("not at one interval"))
    odd.dates = []
    #expect(problem(odd).contains("no dates to convert"))
    var several = view(dates: 3)
    several.memberCount = 2
    #expect(problem(several).contains("2 ensemble members"))
  }

  // MARK: Names

  private func named(_ names: [String], constant: Set<String> = []) -> NumberedView {
    var view = NumberedView()
    view.variables = LevelNames.applied(
      to: names.map { name in
        var variable = ViewVariable(name: name)
        variable.isConstantInTime = constant.contains(name)
        return variable
      })
    return view
  }

  /// `z` is the surface's geopotential among constant fields, and that of levels where it has them.
  @Test func namesOfTheSurfaceAndOfLevels() throws {
    let regular = try GriddedView(named(["z", "z_850", "z_500"], constant: ["z"]))
    let upper = try #require(try regular.find("z", rename: [:], asStatic: false))
    #expect(upper.hasLevels)
    #expect(try regular.slot(500, of: upper) == 2)
    let surface = try #require(try regular.find("zs", rename: [:], asStatic: true))
    #expect(surface.isStatic && !surface.hasLevels)
    #expect(try regular.slot(nil, of: surface) == 0)
    // Stored at several times it is to be compared; on levels it is another variable.
    #expect(try GriddedView(named(["z"])).find("zs", rename: [:], asStatic: true)?.storedTimeCount == 8)
    #expect(try GriddedView(named(["z_850", "z_500"])).find("zs", rename: [:], asStatic: true) == nil)
  }

  @Test func staticFieldsOfStoresWithoutTimes() throws {
    var view = named(["lsm"], constant: ["lsm"])
    view.dates = []
    let regular = try GriddedView(view)
    let found = try #require(try regular.find("lsm", rename: [:], asStatic: true))
    var plane = [Float](repeating: -1, count: 32)
    try plane.withUnsafeMutableBufferPointer { try regular.readStatic(found, time: 0, into: $0.baseAddress!) }
    #expect(plane == (0..<32).map(Float.init))
    view.dates = [Timestamp(seconds: 0)]
    view.missing = [0]
    let missing = try GriddedView(view)
    let problem = #expect(throws: JigsawError.self) {
      var plane = [Float](repeating: 0, count: 32)
      try plane.withUnsafeMutableBufferPointer { try missing.readStatic(found, time: 0, into: $0.baseAddress!) }
    }
    #expect(problem?.description.contains("all dates are missing") ?? false)
  }

  @Test func gapsAndOrderOfDates() throws {
    // 00, 06, 18, 24, …: 12-hourly dates are those of the clock.
    var view = NumberedView()
    view.dates.remove(at: 2)
    let thinned = try ViewOptions(["frequency": .string("12h")], key: "open", workers: WorkerPool(threads: 0)).apply(
      to: view)
    #expect(thinned.dates.map(\.display) == ["1970-01-01 00:00", "1970-01-02 00:00", "1970-01-02 12:00"])
    var single = NumberedView()
    single.dates = [Timestamp(seconds: 0)]
    let problem = #expect(throws: JigsawError.self) { _ = try ConcatenatedView([single, single]) }
    #expect(problem?.description.contains("doesn't follow") ?? false)
  }

  @Test func oneFieldUnderTwoNamesIsRefused() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/a.nc"
    try ConstantData.write(path) { Float($0) }
    let problem = #expect(throws: JigsawError.self) {
      _ = try FieldDataset(
        sources: [SourceDescription(path: path, names: ["slp": "msl"])], variables: ["msl", "slp"], levelsHPa: [])
    }
    #expect(problem?.description.contains("names one stored field twice") ?? false)
  }
}
