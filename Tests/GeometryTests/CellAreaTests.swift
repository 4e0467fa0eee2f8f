import Geometry
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// Areas of the cells of points, closed and open ones.
@Suite struct CellAreaTests {
  private static func areas(_ points: [(Double, Double)], threads: Int = 2) -> CellAreas {
    CellAreas(GridPoints(latitudes: points.map(\.0), longitudes: points.map(\.1)), threads: threads)
  }

  private static func octahedral(_ n: Int) -> [(Double, Double)] {
    let points = GaussianGrid.octahedralPoints(n)
    return Array(zip(points.latitudes, points.longitudes))
  }

  private static func raster(
    _ rows: Int, _ columns: Int, north: Double, west: Double, spacing: Double
  ) -> [(Double, Double)] {
    var points: [(Double, Double)] = []
    for row in 0..<rows {
      for column in 0..<columns { points.append((north - spacing * Double(row), west + spacing * Double(column))) }
    }
    return points
  }

  /// Rings of a reduced Gaussian grid have the weights of Gaussian quadrature, about.
  @Test(arguments: [4, 16]) func cellsOfAReducedGaussianGridFillTheGlobe(n: Int) {
    let points = Self.octahedral(n)
    let found = Self.areas(points)
    #expect(found.isGlobal && found.weights.count == points.count)
    #expect(abs(found.weights.reduce(0, +) / Double(points.count) - 1) < 1e-12)
    // As far as half-way between two rings.
    let rings = Set(points.map { abs($0.0) }).sorted()
    let edge: Double = (rings[n / 2 - 1] + rings[n / 2]) / 2
    let within = zip(points, found.weights).filter { abs($0.0.0) < edge }.map(\.1)
    #expect(abs(within.reduce(0, +) / Double(points.count) - sin(edge * .pi / 180)) < 0.002)
    // All points of a ring have cells of one size.
    for latitude in Set(points.map(\.0)) {
      let ring = zip(points, found.weights).filter { $0.0.0 == latitude }.map(\.1)
      #expect((ring.max() ?? 0) - (ring.min() ?? 0) < 0.4 * (ring.max() ?? 0))
    }
    #expect(Self.areas(points, threads: 1).weights == found.weights)
  }

  /// An area's outer points have the cells of those within it, not the rest of the globe.
  @Test(arguments: [1.0, 0.02]) func theEdgeOfALimitedAreaHasNoMoreThanItsShare(spacing: Double) {
    let points = Self.raster(12, 15, north: 50 + 11 * spacing, west: 8, spacing: spacing)
    let found = Self.areas(points)
    #expect(!found.isGlobal)
    let middle: Double = cos((50 + 5.5 * spacing) * .pi / 180)
    for (point, weight) in zip(points, found.weights) {
      let cosine: Double = cos(point.0 * .pi / 180) / middle
      #expect(abs(weight / cosine - 1) < 0.06, "\(point)")
    }
  }

  /// A band of latitudes doesn't count for the poles that it lacks.
  @Test func aBandIsNoGlobe() {
    let points = Self.octahedral(24).filter { abs($0.0) < 50 }
    let found = Self.areas(points)
    #expect(!found.isGlobal)
    #expect((found.weights.max() ?? 9) < 1.3 && (found.weights.min() ?? 0) > 0.6)
  }

  /// Where a fine area lies within a coarse globe all cells are closed, and as large as they are.
  @Test func aCutoutIsAGlobeOfTwoSpacings() {
    let inner = Self.raster(20, 20, north: 46.9, west: 10, spacing: 0.1)
    var outer = Self.octahedral(24)
    outer.removeAll { (44.5...47.5).contains($0.0) && (9.5...12.5).contains($0.1) }
    let found = Self.areas(inner + outer)
    #expect(found.isGlobal)
    let middle = found.weights[10 * 20 + 10]
    let far = found.weights[inner.count + outer.count / 2]
    #expect(far > 100 * middle)
  }

  /// Points at one place share its cell: the rows at the poles of a raster that is stored as points.
  @Test func pointsAtOnePlaceShareItsCell() {
    let points = Self.raster(13, 24, north: 90, west: 0, spacing: 15)
    let found = Self.areas(points)
    #expect(found.isGlobal && found.weights.allSatisfy { $0 > 0 })
    let pole = found.weights[..<24].reduce(0, +) / Double(points.count)
    // A cap of half a spacing.
    #expect(abs(pole - (1 - cos(7.5 * .pi / 180)) / 2) < 2e-4)
    #expect(Self.areas([(10, 20)]).weights == [1])
    #expect(Self.areas([(10, 20), (10, 20)]).weights == [1, 1])
    #expect(Self.areas([(90, 0), (-90, 0)]).weights == [1, 1])
  }
}
