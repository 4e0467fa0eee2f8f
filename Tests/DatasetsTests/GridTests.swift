import Basics
import Datasets
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct GridTests {
  private func centers(_ rows: Int, _ columns: Int) -> LatLonGrid {
    LatLonGrid(
      latitudes: (0..<rows).map { 90 - 180 / Double(rows) * (Double($0) + 0.5) },
      longitudes: (0..<columns).map { 360 / Double(columns) * Double($0) })
  }

  /// Cells of equal extent in latitude have areas in proportion to sin φ_n − sin φ_s = 2 cos φ sin(Δ/2).
  @Test(arguments: [2, 8, 32, 121]) func areaWeightsHaveTheirClosedForm(rows: Int) {
    let grid = centers(rows, 4)
    let half = Double.pi / Double(rows) / 2
    for (latitude, weight) in zip(grid.latitudes, grid.areaWeights) {
      let phi = latitude * .pi / 180
      let area = (sin(phi + half) - sin(phi - half)) / 2 * Double(rows)
      #expect(abs(weight - area) < 1e-12)
    }
    let cosines = grid.latitudes.map { cos($0 * .pi / 180) }
    let mean = cosines.reduce(0, +) / Double(rows)
    for (cosine, weight) in zip(cosines, grid.cosineWeights) { #expect(abs(weight - cosine / mean) < 1e-12) }
    #expect(abs(grid.areaWeights.reduce(0, +) - Double(rows)) < 1e-9)
    #expect(abs(grid.cosineWeights.reduce(0, +) - Double(rows)) < 1e-9)
  }

  /// Rows on the poles stand for half a cell; uneven rows for what lies between the middles.
  @Test func polesAndUnevenRowsAreCapped() {
    let poles = LatLonGrid(latitudes: [90, 45, 0, -45, -90], longitudes: [0, 180]).areaWeights
    let cap = 1 - sin(67.5 * .pi / 180)
    #expect(abs(poles[0] / poles[2] - cap / (2 * sin(22.5 * .pi / 180))) < 1e-12)
    #expect(poles[0] == poles[4] && poles[1] == poles[3])
    let uneven = LatLonGrid(latitudes: [60, 40, 10], longitudes: [0, 10]).areaWeights
    let bounds = [70.0, 50, 25, -5].map { sin($0 * .pi / 180) }
    #expect(abs(uneven[0] / uneven[2] - (bounds[0] - bounds[1]) / (bounds[2] - bounds[3])) < 1e-12)
    #expect(LatLonGrid(latitudes: [90, -90], longitudes: [0, 180]).cosineWeights.allSatisfy { $0 >= 0 })
    #expect(LatLonGrid(latitudes: [5], longitudes: [0]).areaWeights == [1])
  }

  @Test func extentsAreRecognised() {
    #expect(centers(8, 16).isGlobal && centers(8, 16).isPeriodic)
    #expect(LatLonGrid(latitudes: [90, 0, -90], longitudes: [0, 120, 240]).isGlobal)
    #expect(!LatLonGrid(latitudes: [80, 40, 0], longitudes: [0, 120, 240]).isGlobal)
    #expect(!LatLonGrid(latitudes: [60, 0, -60], longitudes: [0, 10, 20]).isPeriodic)
    #expect(centers(32, 64).summary == "32 × 64 (87.19 … -87.19° N, 0 … 354.38° E)")
    let grid = centers(8, 16)
    #expect(grid.matches(centers(8, 16)) && !grid.matches(centers(8, 32)) && !grid.matches(centers(16, 16)))
    let shifted = LatLonGrid(latitudes: grid.latitudes, longitudes: grid.longitudes.map { $0 + 0.01 })
    #expect(!grid.matches(shifted) && grid.matches(shifted, tolerance: 0.1))
  }
}
