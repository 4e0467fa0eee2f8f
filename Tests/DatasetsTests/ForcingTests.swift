import Basics
import Datasets
import Stores
import TestSupport
import Testing

@Suite struct ForcingTests {
  private func plane(_ forcing: Forcing, _ grid: LatLonGrid, _ time: Timestamp) -> [Float] {
    var plane = [Float](repeating: .nan, count: grid.count)
    plane.withUnsafeMutableBufferPointer { forcing.fill($0.baseAddress!, grid: .raster(grid), time: time) }
    return plane
  }

  /// The formulas as in the golden script, written down apart from the program.
  @Test(arguments: Forcing.allCases) func formulasAreThoseOfTheReference(forcing: Forcing) throws {
    let fields = try Goldens.fields()
    let grid = LatLonGrid(
      latitudes: try fields.floats("truth/latitude").map(Double.init),
      longitudes: try fields.floats("truth/longitude").map(Double.init))
    let times = try #require(try Goldens.document()["forcingTimes"]?.strings?.compactMap { Timestamp($0) })
    let expected = try fields.floats("forcing/\(forcing.rawValue)")
    #expect(times.count == 6 && expected.count == 6 * 48)
    let found = times.flatMap { plane(forcing, grid, $0) }
    let worst = largestDifference(found, expected)
    #expect(worst < 2e-7, "\(forcing)")
  }

  /// At points that are those of a raster, in another order, forcings are bit for bit the same.
  @Test(arguments: Forcing.allCases) func pointsHaveTheForcingsOfTheirPlaces(forcing: Forcing) throws {
    let grid = LatLonGrid(latitudes: [72.5, 10, -33], longitudes: [0, 80.25, 200, 359])
    let time = Timestamp("2003-08-09T17:30")!
    let raster = plane(forcing, grid, time)
    let order = [7, 0, 11, 3, 4, 9, 1, 2, 10, 5, 6, 8]
    let points = FieldGrid.points(PointGrid(grid)[order])
    #expect(points.rows == 12 && points.columns == 1)
    var found = [Float](repeating: .nan, count: 12)
    found.withUnsafeMutableBufferPointer { forcing.fill($0.baseAddress!, grid: points, time: time) }
    #expect(found == order.map { raster[$0] })
    var some = [Float](repeating: .nan, count: 4)
    some.withUnsafeMutableBufferPointer { forcing.fill($0.baseAddress!, grid: points, rows: 5..<9, time: time) }
    #expect(some == order[5..<9].map { raster[$0] })
  }

  @Test func theSunIsWhereItShouldBe() {
    let equator = LatLonGrid(latitudes: [90, 66, 23.44, 0, -23.44, -66, -90], longitudes: [0, 90, 180, 270])
    func sun(_ text: String) -> [Float] { plane(.insolation, equator, Timestamp(text)!) }
    // Noon at 0° E on the equinox: near the zenith on the equator, midnight at 180°.
    let equinox = sun("2001-03-20T12:00")
    #expect(equinox[3 * 4] > 0.999 && equinox[3 * 4 + 2] == 0)
    #expect(equinox[0] < 0.02 && equinox[24] < 0.02)
    // Solstices: overhead at the tropics, polar day and polar night.
    let june = sun("2001-06-21T12:00")
    #expect(
      june[2 * 4] > 0.999 && june[..<4].allSatisfy { abs($0 - 0.397) < 0.005 } && june[24...].allSatisfy { $0 == 0 })
    let december = sun("2001-12-21T12:00")
    #expect(december[4 * 4] > 0.999 && december[..<4].allSatisfy { $0 == 0 })
    #expect(december[24...].allSatisfy { abs($0 - 0.397) < 0.005 })
    // Six hours later the sun stands over 90° W.
    let evening = sun("2001-03-20T18:00")
    #expect(evening[3 * 4 + 3] > 0.999 && evening[3 * 4 + 1] == 0)
    for text in ["2000-01-01", "2000-12-31T23:59", "1979-07-01T03", "2024-02-29T12"] {
      #expect(sun(text).allSatisfy { (0...1).contains($0) })
    }
  }

  @Test func clocksAreContinuousOverNewYearAndMidnight() {
    let grid = LatLonGrid(latitudes: [45, -45], longitudes: [0, 90, 180, 270])
    for forcing in Forcing.allCases {
      for text in ["2001-01-01T00:00", "2000-03-01T00:00", "2004-06-30T00:00"] {
        let after = Timestamp(text)!
        let before = Timestamp(seconds: after.seconds - 60)
        let step = largestDifference(plane(forcing, grid, before), plane(forcing, grid, after))
        #expect(step < 0.02, "\(forcing) \(text)")
      }
    }
    // Local noon.
    let noon = plane(.cosLocalTime, grid, Timestamp("2001-05-05T12:00")!)
    #expect(abs(noon[0] + 1) < 1e-6 && abs(noon[2] - 1) < 1e-6)
  }

  @Test func auxiliaryFieldsAreStaticsThenForcings() throws {
    let dataset = try FieldDataset(
      sources: [SourceDescription(path: Goldens.path("plain.nc"))], variables: ["msl"], levelsHPa: [],
      staticVariables: ["orog"])
    let raster = try #require(dataset.grid.raster)
    let fields = try AuxiliaryFields(dataset, forcings: [.insolation, .sinLatitude])
    let time = dataset.times[1]
    let planes = fields.planes(at: time)
    #expect(fields.count == 3 && planes.count == 3 * 48)
    #expect(Array(planes[48..<96]) == plane(.insolation, raster, time))
    #expect(Array(planes[96...]) == plane(.sinLatitude, raster, time))
    let orography = planes[..<48].map(Double.init)
    let mean = orography.reduce(0, +) / 48
    let variance = orography.reduce(0) { $0 + $1 * $1 } / 48
    #expect(abs(mean) < 1e-6 && abs(variance - 1) < 1e-5)
  }
}
