import Datasets
import Testing

@testable import Verification

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct RegionTests {
  static func grid(_ latitudes: [Double]) -> LatLonGrid {
    LatLonGrid(latitudes: latitudes, longitudes: (0..<8).map { 45 * Double($0) })
  }

  /// Rows stand for the zones between the middles of neighbours; with rows at the poles the outer ones end there.
  @Test func rowsHaveTheAreasOfTheirZones() {
    for latitudes in [[75.0, 45, 15, -15, -45, -75], [90, 60, 30, 0, -30, -60, -90]] {
      let areas = Self.grid(latitudes).areaWeights
      let bounds = [90.0] + zip(latitudes, latitudes.dropFirst()).map { ($0 + $1) / 2 } + [-90]
      for (row, area) in areas.enumerated() {
        let zone = (sin(bounds[row] * .pi / 180) - sin(bounds[row + 1] * .pi / 180)) / 2
        #expect(abs(area - zone * Double(latitudes.count)) < 1e-12)
      }
      #expect(abs(areas.reduce(0, +) - Double(latitudes.count)) < 1e-12)
    }
  }

  @Test func rowsAtTwentyDegreesAreInTropicsAndExtratropics() throws {
    let latitudes = (0..<19).map { 90 - 10 * Double($0) }
    let regions = Region.standard(for: .raster(Self.grid(latitudes)))
    #expect(regions.map(\.name) == ["globe", "tropics", "extratropics-north", "extratropics-south"])
    let contains: [(Double) -> Bool] = [{ _ in true }, { abs($0) <= 20 }, { $0 >= 20 }, { $0 <= -20 }]
    for (region, contains) in zip(regions, contains) {
      #expect(abs(region.rowWeights.reduce(0, +) - 1) < 1e-12)
      for (latitude, weight) in zip(latitudes, region.rowWeights) {
        #expect((weight > 0) == contains(latitude), "\(region.name) at \(latitude)")
      }
    }
  }

  @Test func limitedAreasAreOneDomain() {
    #expect(Region.standard(for: .raster(Self.grid([60, 55, 50]))).map(\.name) == ["domain"])
    let globe = FieldGrid.raster(Self.grid([75, 45, 15, -15, -45, -75]))
    #expect(Region.standard(for: globe, isPartial: true).map(\.name) == ["domain"])
  }
}
