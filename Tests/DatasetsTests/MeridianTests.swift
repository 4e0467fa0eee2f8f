import Stores
import Testing

@testable import Datasets

/// Longitudes as grids store them: rounded, across 0° and the date line, with a meridian twice.
@Suite struct MeridianTests {
  private func rounded(_ value: Double, _ decimals: Double) -> Double { (value * decimals).rounded() / decimals }

  @Test func circlesAreClosedHoweverTheyAreRounded() throws {
    func even(_ count: Int, from first: Double = 0, _ made: (Double) -> Double) -> [Double] {
      (0..<count).map { made(first + 360 / Double(count) * Double($0)) }
    }
    let circles: [[Double]] = [
      even(3_600, from: -180) { Double(Float($0)) }, even(512) { Double(Float($0)) },
      even(1_080) { rounded($0, 1_000) }, even(1_080, from: -179.5) { rounded($0, 100) },
      even(320) { rounded($0, 10) }, even(320) { rounded($0, 100) }, even(1_440) { rounded($0, 100) },
      [0, 90, 180, -90], [90, 180, 270, 0],
    ]
    for longitudes in circles {
      let meridians = try #require(Meridians(longitudes))
      #expect(meridians.longitudes.count == longitudes.count && Meridians.closesCircle(meridians.longitudes))
      #expect(meridians.longitudes[0] > -0.1 && meridians.longitudes[0] < 1 && meridians.longitudes.last! < 360)
      #expect(zip(meridians.longitudes, meridians.longitudes.dropFirst()).allSatisfy { $0 < $1 })
      #expect(LatLonGrid(latitudes: [45, -45], longitudes: meridians.longitudes).isPeriodic)
    }
  }

  @Test func partsOfACircleAreNotClosed() throws {
    func steps(_ count: Int, _ width: Double, _ decimals: Double) -> [Double] {
      (0..<count).map { rounded(width * Double($0), decimals) }
    }
    let parts: [[Double]] = [steps(359, 1, 1), steps(1_430, 0.25, 100), [-20, -10, 0, 10], steps(319, 1.125, 10)]
    for longitudes in parts {
      let meridians = try #require(Meridians(longitudes))
      #expect(meridians.longitudes == longitudes && !Meridians.closesCircle(longitudes) && meridians.first == 0)
    }
  }

  @Test func areasMayCrossGreenwichAndTheDateLine() throws {
    #expect(try #require(Meridians([350, 355, 0, 5])).longitudes == [-10, -5, 0, 5])
    #expect(try #require(Meridians([170, 175, -180, -175])).longitudes == [170, 175, 180, 185])
    #expect(try #require(Meridians([170, 175, 180, 185])).longitudes == [170, 175, 180, 185])
    #expect(try #require(Meridians([-10, -5, 0, 5])).longitudes == [-10, -5, 0, 5])
    let others: [[Double]] = [
      [0, 20, 10], [270, 180, 60, 0], [0, 200, 100], [100, 200, 50], [350, 0, 355], [0, 0, 10], [0, 200, 365], [],
      [2_000, 2_010, 2_020],
    ]
    for longitudes in others {
      #expect(Meridians(longitudes) == nil, "\(longitudes)")
    }
  }

  @Test func aMeridianStoredTwiceIsDropped() throws {
    let plain = (0..<16).map { 22.5 * Double($0) }
    for longitudes in [plain + [360], plain + [0], (0...16).map { -180 + 22.5 * Double($0) }] {
      let meridians = try #require(Meridians(longitudes))
      #expect(meridians.longitudes == plain && meridians.notes.contains { $0.contains("stored twice") })
    }
    let rolled = try #require(Meridians((0...16).map { -180 + 22.5 * Double($0) }))
    #expect(rolled.first == 8)
  }

  /// Fields come out without the second copy, in the right columns.
  @Test func fieldsOfCyclicGridsHaveNoColumnTwice() throws {
    var store = MemoryStore(["latitude": 2, "longitude": 5])
    store.add("latitude", ["latitude"], [45, -45], ["units": "degrees_north"])
    store.add("longitude", ["longitude"], [-180, -90, 0, 90, 180], ["units": "degrees_east"])
    store.add("orog", ["latitude", "longitude"], [1, 2, 3, 4, 1, 5, 6, 7, 8, 5], ["units": "m"])
    let gridded = try GriddedStore(store)
    #expect(gridded.grid.longitudes == [0, 90, 180, 270] && gridded.grid.isPeriodic)
    var field = [Float](repeating: 0, count: 8)
    let binding = try #require(try gridded.bind("orog"))
    try field.withUnsafeMutableBufferPointer { field in
      try gridded.read(binding, times: 0..<1, level: nil) { _ in field.baseAddress! }
    }
    #expect(field == [3, 4, 1, 2, 7, 8, 5, 6])
  }

  @Test func columnsWestwardsAreTurned() throws {
    let circle = try #require(Meridians([270, 180, 90, 0]))
    #expect(circle.isWestward && circle.longitudes == [0, 90, 180, 270] && circle.first == 0)
    #expect(try #require(Meridians([0, 270, 180, 90])).first == 3)
    #expect(try #require(Meridians([180, 90, 0, -90])).longitudes == [0, 90, 180, 270])
    #expect(try #require(Meridians([10, 5, 0, 355])).longitudes == [-5, 0, 5, 10])
    #expect(try #require(Meridians([0, 90, 180, 270])).isWestward == false)
  }

  /// Fields of columns westwards, however they begin and in pieces, are those of the same columns eastwards.
  @Test(arguments: [[270.0, 180, 90, 0], [180, 90, 0, -90], [0, -90, -180, -270], [360, 270, 180, 90, 0]])
  func fieldsOfColumnsWestwardsAreTurned(longitudes: [Double]) throws {
    var store = MemoryStore(["latitude": 2, "longitude": longitudes.count])
    store.add("latitude", ["latitude"], [-45, 45], ["units": "degrees_north"])
    store.add("longitude", ["longitude"], longitudes, ["units": "degrees_east"])
    // Each value says its place.
    func value(_ latitude: Double, _ longitude: Double) -> Double {
      latitude * 10 + (longitude + 720).truncatingRemainder(dividingBy: 360)
    }
    let values = [-45.0, 45].flatMap { latitude in longitudes.map { value(latitude, $0) } }
    store.add("orog", ["latitude", "longitude"], values, ["units": "m"])
    store.add(
      "lsm", ["longitude", "latitude"], longitudes.flatMap { [value(-45, $0), value(45, $0)] }, ["units": "1"])
    let gridded = try GriddedStore(store)
    #expect(
      gridded.grid.longitudes == [0, 90, 180, 270] && gridded.normalizations.contains { $0.contains("westwards") })
    let expected = [45.0, -45].flatMap { latitude in gridded.grid.longitudes.map { Float(value(latitude, $0)) } }
    for name in ["orog", "lsm"] {
      let binding = try #require(try gridded.bind(name))
      var field = [Float](repeating: 0, count: 8)
      // As pieces of two columns and the rest.
      for columns in [0..<2, 2..<longitudes.count] {
        let box = GriddedStore.Box(levels: 0..<1, rows: 0..<2, columns: columns)
        _ = try field.withUnsafeMutableBufferPointer { field in
          try gridded.read(binding, times: 0..<1, box: box, levels: [0], ReadingScratch()) { _, _, part in
            (field.baseAddress! + part.rows.lowerBound * 4 + part.columns.lowerBound, 4)
          }
        }
      }
      #expect(field == expected, "\(name)")
    }
  }
}
