import Basics
import Geometry
import Stores
import TestSupport
import Testing

@testable import Datasets

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct RegriddingTests {
  private func apply(_ regridding: Regridding, _ values: [Float]) -> [Float] {
    var out = [Float](repeating: 0, count: regridding.targetCount)
    out.withUnsafeMutableBufferPointer { out in
      values.withUnsafeBufferPointer {
        regridding.apply($0.baseAddress!, window: 0..<values.count, targets: 0..<out.count, into: out.baseAddress!)
      }
    }
    return out
  }

  @Test func gaussianGridsHaveTheirPublishedLatitudes() {
    // ECMWF's tables of N32, N80 and N320.
    #expect(abs(GaussianGrid.latitudes(32)[0] - 87.863799) < 1e-6)
    #expect(abs(GaussianGrid.latitudes(80)[0] - 89.141519) < 1e-6)
    #expect(abs(GaussianGrid.latitudes(320)[0] - 89.784877) < 1e-6)
    #expect(GaussianGrid.octahedral(96).count == 40_320 && GaussianGrid.octahedral(1_280).count == 6_599_680)
    #expect(GaussianGrid.regular(16).rows == 32 && GaussianGrid.regular(16).columns == 64)
  }

  /// Integrals and constants stay, between grids of all kinds.
  @Test func conservativeWeightsKeepIntegrals() throws {
    let grids = [
      PointGrid(LatLonGrid.global(rows: 13, columns: 24)), PointGrid(LatLonGrid.global(rows: 16, columns: 30)),
      GaussianGrid.octahedral(8), PointGrid(GaussianGrid.regular(6)),
    ]
    func areas(_ grid: PointGrid) throws -> [Double] {
      let rings = try #require(RingGrid(grid)).rings
      return rings.flatMap { ring in
        [Double](repeating: (ring.north - ring.south) / Double(ring.count), count: ring.count)
      }
    }
    for source in grids {
      let values = (0..<source.count).map { Float(($0 * 7_919) % 101) }
      let sum = zip(values, try areas(source)).reduce(0) { $0 + Double($1.0) * $1.1 }
      for target in grids {
        let regridding = try Regridding(from: source, to: target, .conservative, place: "test")
        let found = zip(apply(regridding, values), try areas(target)).reduce(0) { $0 + Double($1.0) * $1.1 }
        #expect(abs(found - sum) < 1e-5 * sum)
        #expect(apply(regridding, values.map { _ in 3 }).allSatisfy { abs($0 - 3) < 1e-6 })
      }
    }
  }

  @Test func nearestIsThatOfASearchThroughAll() throws {
    let source = GaussianGrid.octahedral(5)
    let target = PointGrid(LatLonGrid.global(rows: 9, columns: 14))
    let regridding = try Regridding(from: source, to: target, .nearest, place: "test")
    let all = zip(source.latitudes, source.longitudes).map { SpherePoint(latitude: $0, longitude: $1) }
    for point in 0..<target.count {
      let place = SpherePoint(latitude: target.latitudes[point], longitude: target.longitudes[point])
      let best = all.map { $0.squaredDistance(to: place) }.min()
      #expect(abs(all[Int(regridding.sources[point])].squaredDistance(to: place) - (best ?? 9)) < 1e-15)
    }
    let tree = PointTree(source)
    for point in stride(from: 0, to: source.count, by: 7) {
      let found = tree.nearest(to: all[point], count: 6).map(\.squaredDistance)
      #expect(found == all.map { $0.squaredDistance(to: all[point]) }.sorted().prefix(6).map { $0 })
    }
  }

  @Test func limitedAreasLeaveTheRestMissing() throws {
    let area = PointGrid(
      LatLonGrid(latitudes: [60, 55, 50], longitudes: [-10, -5, 0, 5]))
    let target = PointGrid(LatLonGrid.global(rows: 18, columns: 36))
    let regridding = try Regridding(from: area, to: target, .conservative, place: "test")
    let values = apply(regridding, [Float](repeating: 7, count: 12))
    let inside = values.filter { !$0.isNaN }
    #expect(!inside.isEmpty && inside.count < 20 && inside.allSatisfy { $0 == 7 })
  }

  /// A value reaches as far as its neighbours lie; elsewhere there is none.
  @Test func nearestPointsAreNear() throws {
    let area = PointGrid(
      LatLonGrid(latitudes: (0..<6).map { 60 - 5 * Double($0) }, longitudes: (0..<8).map { 5 * Double($0) }))
    let target = PointGrid(LatLonGrid.global(rows: 36, columns: 72))
    let values = (0..<area.count).map { Float($0) }
    func near(_ limit: Double?) throws -> [(distance: Double, value: Float)] {
      let found = apply(try Regridding(from: area, to: target, .nearest, within: limit, place: "test"), values)
      let sources = zip(area.latitudes, area.longitudes).map { SpherePoint(latitude: $0, longitude: $1) }
      return found.enumerated().map { point, value in
        let place = SpherePoint(latitude: target.latitudes[point], longitude: target.longitudes[point])
        return (sources.map { $0.squaredDistance(to: place) }.min().map { $0.squareRoot() } ?? 9, value)
      }
    }
    let spacing = 2 * sin(2.5 * .pi / 180)
    let unlimited = try near(nil)
    #expect(unlimited.allSatisfy { $0.distance > spacing || !$0.value.isNaN })
    #expect(unlimited.allSatisfy { $0.distance < 4 * spacing || $0.value.isNaN })
    let limited = try near(0.6 * spacing)
    #expect(limited.allSatisfy { ($0.distance <= 0.6 * spacing) == !$0.value.isNaN })
    // Every point of the globe lies near one of a global grid, also where its cells are flat or high.
    for source in [
      PointGrid(LatLonGrid.global(rows: 4, columns: 40)), PointGrid(LatLonGrid.global(rows: 40, columns: 10)),
      GaussianGrid.octahedral(4),
    ] {
      #expect(try Regridding(from: source, to: target, .nearest, place: "test").uncoveredCount == 0)
    }
  }

  @Test func pointsWithoutValuesAreNoted() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    func open(_ regrid: String) throws -> any FieldView {
      let request =
        #"{"dataset": {"dataset": "\#(folder.path)/data.nc", "area": [60, 30, 0, 120]}, "regrid": \#(regrid)}"#
      return try ViewRequest(JSONValue(parsing: Array(request.utf8), place: "test"), key: "open").open()
    }
    let view = try open(#"{"grid": [16, 32], "method": "nearest", "max_distance_km": 1000}"#)
    let missing = try view.read(date: 0).prefix(view.points.count).filter(\.isNaN).count
    #expect(missing > 256 && missing < 512)
    #expect(view.notes.contains { $0.hasPrefix("regrid: \(missing) of 512 points have no values") }, "\(view.notes)")
    let error = #expect(throws: JigsawError.self) { try open(#"{"grid": [16, 32], "max_distance_km": 500}"#) }
    #expect(error?.problem == "belongs to method: nearest")
  }

  @Test func cellsThatAreNotKnownAreRefused() {
    let scattered = PointGrid(latitudes: [10, 20, 15, 3], longitudes: [0, 50, 20, 100])
    // Its cells might go around the globe or be a degree wide.
    let column = PointGrid(LatLonGrid(latitudes: [60, 50, 40], longitudes: [10]))
    for points in [scattered, column] {
      let problem = #expect(throws: JigsawError.self) {
        _ = try Regridding(from: points, to: GaussianGrid.octahedral(4), .conservative, place: "regrid")
      }
      #expect(problem?.description.contains("take method: nearest") ?? false)
    }
  }

  @Test func storedWeightsAreForTheirGrids() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/weights.nc"
    let (source, target) = (GaussianGrid.octahedral(4), PointGrid(LatLonGrid.global(rows: 6, columns: 8)))
    let regridding = try Regridding(from: source, to: target, .conservative, place: "test")
    try RegriddingFile.write(regridding, from: source, to: target, method: "conservative", path: path)
    let (read, points) = try RegriddingFile.read(path, from: source, to: nil, method: "conservative")
    let another = #expect(throws: JigsawError.self) {
      _ = try RegriddingFile.read(path, from: source, to: nil, method: "nearest, max_distance_km 100")
    }
    #expect(another?.description.contains("has weights made in another way; expected nearest") == true)
    #expect(read == regridding && points.matches(target) && points.shape == target.shape)
    func problem(_ source: PointGrid, _ target: PointGrid?) -> String {
      #expect(throws: JigsawError.self) { _ = try RegriddingFile.read(path, from: source, to: target) }?.description
        ?? ""
    }
    #expect(problem(GaussianGrid.octahedral(5), nil).contains("weights for another grid than the data's"))
    // As many points in another order are other points.
    let turned = PointGrid(latitudes: source.latitudes.reversed(), longitudes: source.longitudes)
    #expect(problem(turned, nil).contains("in another order"))
    #expect(problem(source, PointGrid(LatLonGrid.global(rows: 8, columns: 6))).contains("another target grid"))
  }

  /// Weights as xESMF's `Regridder.to_netcdf` writes them: without coordinates, NaN where nothing reaches.
  private func writeAlone(_ regridding: Regridding, _ path: String) throws {
    var links: [(row: Double, column: Double, weight: Double)] = []
    for target in 0..<regridding.targetCount {
      let entries = regridding.starts[target]..<regridding.starts[target + 1]
      if entries.isEmpty { links.append((Double(target + 1), 1, .nan)) }
      for entry in entries {
        links.append((Double(target + 1), Double(regridding.sources[entry] + 1), Double(regridding.weights[entry])))
      }
    }
    let writer = try createStore(
      path,
      StoreDefinition(
        dimensions: [.init(name: "n_s", size: links.count)],
        arrays: [
          ArrayDefinition(name: "row", type: .int32, dimensions: ["n_s"]),
          ArrayDefinition(name: "col", type: .int32, dimensions: ["n_s"]),
          ArrayDefinition(name: "S", type: .float64, dimensions: ["n_s"]),
        ]))
    try writer.write("row", links.map(\.row))
    try writer.write("col", links.map(\.column))
    try writer.write("S", links.map(\.weight))
    try writer.finish()
  }

  @Test func weightsAloneNeedTheirTarget() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/xesmf.nc"
    let globe = PointGrid(LatLonGrid.global(rows: 19, columns: 36))
    let area = PointGrid(LatLonGrid(latitudes: [70, 60, 50, 40, 30, 20], longitudes: [-40, -30, -20, -10, 0, 10]))
    func problem(_ source: PointGrid, _ target: PointGrid?) -> String {
      #expect(throws: JigsawError.self) { _ = try RegriddingFile.read(path, from: source, to: target) }?.description
        ?? ""
    }
    for source in [globe, area, GaussianGrid.octahedral(8)] {
      for target in [PointGrid(LatLonGrid.global(rows: 12, columns: 18)), GaussianGrid.octahedral(16)] {
        for method in source == area ? [Regridding.Method.conservative] : Regridding.Method.allCases {
          let made = try Regridding(from: source, to: target, method, place: "test")
          try writeAlone(made, path)
          let (read, points) = try RegriddingFile.read(path, from: source, to: target)
          #expect(read == made && points == target)
        }
        #expect(problem(source, nil).contains("name it beside them: grid: [rows, columns], or like"))
        // The same points from south to north, on either side.
        let order = Array((0..<source.count).reversed())
        #expect(problem(source[order], target).contains("in another order"))
        #expect(problem(source, target[Array((0..<target.count).reversed())]).contains("in another order"))
        #expect(problem(source, PointGrid(LatLonGrid.global(rows: 3, columns: 4))).contains("leads nowhere"))
      }
    }
    let ours = folder.path + "/a.nc"
    try SyntheticData().write(ours)
    let other = #expect(throws: JigsawError.self) { _ = try RegriddingFile.read(ours, from: globe, to: globe) }
    #expect(other?.description.contains("holds no regridding weights") ?? false)
  }

  /// A base that is stored as a whole is one piece of work; its weights are applied on all threads.
  @Test func weightsAreAppliedOnAllThreads() throws {
    let (source, target) = (GaussianGrid.octahedral(32), PointGrid(LatLonGrid.global(rows: 160, columns: 320)))
    let regridding = try Regridding(from: source, to: target, .conservative, place: "test")
    var view = NumberedView(source)
    view.storedRuns = [0..<source.count]
    let alone = RegriddedView(view, regridding, to: target, WorkerPool(threads: 0))
    let together = RegriddedView(view, regridding, to: target, WorkerPool(threads: 3))
    #expect(together.storedRuns == [0..<target.count])
    #expect(alone.pieces(0..<target.count) == 1 && together.pieces(0..<target.count) == 4)
    #expect(try together.read(date: 2) == alone.read(date: 2))
  }

  @Test func pointsThatAreNoGridAreRefusedSoon() {
    let count = 1_000_000
    // Steps that never come back to the same coordinate.
    let scattered = PointGrid(
      latitudes: (0..<count).map { Double($0) * 1.7e-4 - 85 }, longitudes: (0..<count).map { Double($0) * 3.3e-4 })
    let clock = ContinuousClock()
    var found: (grid: LatLonGrid, order: [Int])?
    let time = clock.measure { found = scattered.regular() }
    #expect(found == nil && time < .seconds(60))
  }

  @Test func pointsAreRecognisedAsGrids() throws {
    // Limited area across the meridian: longitudes go on from the gap.
    let area = PointGrid(LatLonGrid(latitudes: [50, 40], longitudes: [-20, -10, 0, 10]))
    let wrapped = PointGrid(
      latitudes: area.latitudes, longitudes: area.longitudes.map { $0 < 0 ? $0 + 360 : $0 })
    for points in [area, wrapped] {
      let found = try #require(points.regular())
      #expect(found.grid.longitudes == [-20, -10, 0, 10] && found.grid.latitudes == [50, 40])
      #expect(found.order == Array(0..<8))
    }
    // Coordinates in single precision.
    let single = PointGrid(LatLonGrid.global(rows: 72, columns: 144))
    let rounded = PointGrid(
      latitudes: single.latitudes.map { Double(Float($0)) }, longitudes: single.longitudes.map { Double(Float($0)) })
    #expect(try #require(rounded.regular()).grid.isGlobal)
    // Latitudes whose last digits lie on both sides of a multiple of the tolerance.
    let jittered = PointGrid(
      latitudes: single.latitudes.enumerated().map { $1 + 5e-6 + ($0 % 2 == 0 ? 2e-7 : -2e-7) },
      longitudes: single.longitudes)
    #expect(try #require(jittered.regular()).order == Array(0..<jittered.count))
    #expect(GaussianGrid.octahedral(4).regular() == nil)
    #expect(PointGrid(latitudes: [1, 1, 2, 2], longitudes: [1, 1, 2, 2]).regular() == nil)
  }
}
