import Basics
import Datasets
import Geometry
import Testing

@testable import Reporting

/// Maps of points that are no raster: each pixel shows the nearest point, as far as one is near.
@Suite struct MapCellsTests {
  private static func distance(_ a: (Double, Double), _ b: (Double, Double)) -> Double {
    SpherePoint(latitude: a.0, longitude: a.1).squaredDistance(to: SpherePoint(latitude: b.0, longitude: b.1))
  }

  private static func lattice(
    _ rows: Int, _ columns: Int, south: Double, west: Double, spacing: Double
  ) -> [(Double, Double)] {
    var places: [(Double, Double)] = []
    for row in 0..<rows {
      for column in 0..<columns { places.append((south + spacing * Double(row), west + spacing * Double(column))) }
    }
    return places
  }

  @Test func aGlobeIsCoveredByTheNearestPoints() {
    let (latitudes, longitudes) = GaussianGrid.octahedralPoints(6)
    let points = PointGrid(latitudes: latitudes, longitudes: longitudes)
    let (raster, isPeriodic, cells) = MapCells.raster(of: points)
    #expect(isPeriodic && cells.areAll && cells.points.count == points.count)
    #expect(raster.rows <= MapPlan.largestRows && raster.columns <= MapPlan.largestColumns)
    #expect(!cells.pointOfPixel.contains(-1) && cells.pointOfPixel.count == raster.count)
    for pixel in stride(from: 0, to: raster.count, by: 211) {
      let place = (raster.latitudes[pixel / raster.columns], raster.longitudes[pixel % raster.columns])
      let shown = Int(cells.pointOfPixel[pixel])
      let found = Self.distance(place, (cells.points.latitudes[shown], cells.points.longitudes[shown]))
      let least = zip(latitudes, longitudes).map { Self.distance(place, $0) }.min() ?? 9
      #expect(abs(found - least) < 1e-12)
    }
    // Values are those of the shown points, in their order.
    let field = (0..<points.count).map { Float($0) }
    let display = ChannelDisplay(Channel(variable: "u10"))
    let shown = cells.values(field, display)
    let first = points.latitudes.indices.first {
      latitudes[$0] == cells.points.latitudes[100] && longitudes[$0] == cells.points.longitudes[100]
    }
    #expect(shown[100] == first.map { Float($0) * Float(display.factor) + Float(display.offset) })
  }

  /// Over the date line, with nothing beyond the edge but a margin.
  @Test func aLimitedAreaIsDrawnAlone() {
    let places = Self.lattice(10, 12, south: 60, west: 177, spacing: 0.5)
    let points = PointGrid(
      latitudes: places.map(\.0), longitudes: places.map { $0.1 > 180 ? $0.1 - 360 : $0.1 })
    let (raster, isPeriodic, cells) = MapCells.raster(of: points)
    #expect(!isPeriodic && cells.areAll)
    let (west, east) = (raster.longitudes[0], raster.longitudes[raster.columns - 1])
    #expect(east - west > 5.5 && east - west < 8)
    #expect(raster.latitudes[0] > 64.5 && raster.latitudes[0] < 66)
    let isDrawn = cells.pointOfPixel.map { $0 >= 0 }
    #expect(isDrawn[raster.count / 2 + raster.columns / 2])
    for (pixel, drawn) in isDrawn.enumerated() {
      let place = (raster.latitudes[pixel / raster.columns], raster.longitudes[pixel % raster.columns])
      let near = places.map { Self.distance(place, $0) }.min() ?? 9
      // Half a degree is 0.0087.
      if drawn { #expect(near.squareRoot() < 0.0087) }
    }
  }

  /// With more points than pixels, a pixel shows its nearest point: a fine area within a coarse globe.
  @Test func pointsFinerThanPixelsAreThinned() {
    let (latitudes, longitudes) = GaussianGrid.octahedralPoints(6)
    let fine = Self.lattice(15, 20, south: 45, west: 8, spacing: 0.05)
    let points = PointGrid(
      latitudes: latitudes + fine.map { $0.0 }, longitudes: longitudes + fine.map { $0.1 })
    let cells = MapCells.raster(of: points).cells
    #expect(!cells.areAll && cells.points.count > latitudes.count && cells.points.count < latitudes.count + 100)
    let plan = MapPlan(points: 60_000, channels: 8, initialTimes: 10, leads: 40)
    #expect(2 * 8 * plan.initialTimes.count * plan.leads.count * 60_000 <= MapPlan.byteBudget)
    #expect(plan.block == 1)
  }
}
