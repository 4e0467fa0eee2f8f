import Datasets
import Testing

@testable import Verification

#if canImport(Glibc)
  import Glibc
#endif

/// Area means and the metrics made of them, for fields whose scores are known.
@Suite struct StatisticTests {
  static let grid = LatLonGrid(
    latitudes: (0..<18).map { 85 - 10 * Double($0) }, longitudes: (0..<36).map { 10 * Double($0) })

  static func field(_ value: (_ latitude: Double, _ longitude: Double) -> Double) -> [Float] {
    grid.latitudes.flatMap { latitude in grid.longitudes.map { Float(value(latitude, $0)) } }
  }

  /// The metrics of one forecast over the globe.
  static func scores(
    _ forecast: [Float], _ truth: [Float], _ climatology: [Float], isMissing: [Bool]? = nil, region: Int = 0
  ) -> [String: Double] {
    let fields = FieldGrid.raster(grid)
    let area = ScoredArea(Region.standard(for: fields), fields, isMissing: isMissing)
    let statistics = Metrics.statistics(of: Metrics.all)
    let means = area.means(forecast: forecast[...], truth: truth[...], climatology: climatology[...], of: statistics)
    let averages = StatisticMeans(forecasts: 1, statistics, means[region])
    return Dictionary(uniqueKeysWithValues: Metrics.all.map { ($0.name, $0.value(averages)) })
  }

  static func radians(_ degrees: Double) -> Double { degrees * .pi / 180 }

  @Test func aConstantErrorIsBiasAndRMSE() {
    let truth = Self.field { latitude, longitude in latitude + longitude / 8 }
    for error in [-2.5, 0, 3] {
      for region in 0..<4 {
        let found = Self.scores(truth.map { $0 + Float(error) }, truth, truth, region: region)
        #expect(abs(found["rmse"]! - abs(error)) < 1e-6 && abs(found["mae"]! - abs(error)) < 1e-6)
        #expect(abs(found["bias"]! - error) < 1e-6)
        // A constant anomaly has no activity: it is centred on the area mean.
        #expect(found["activity"]! < 1e-3)
      }
    }
  }

  /// Along a circle of latitude waves of amplitude a and b, φ apart: ACC is cos φ, activity a/√2, RMSE² (a² + b²)/2 − ab·cos φ.
  @Test func wavesHaveKnownScores() {
    let climatology = Self.field { latitude, _ in 280 - latitude / 4 }
    func wave(_ amplitude: Double, _ shift: Double) -> [Float] {
      zip(climatology, Self.field { _, longitude in amplitude * cos(3 * Self.radians(longitude) - shift) }).map(+)
    }
    for (a, b, shift) in [(2.0, 2.0, 0.0), (1, 4, 0.7), (3, 3, Double.pi / 2), (2, 5, Double.pi)] {
      let found = Self.scores(wave(a, shift), wave(b, 0), climatology)
      #expect(abs(found["acc"]! - cos(shift)) < 1e-5)
      #expect(abs(found["activity"]! - a / 2.0.squareRoot()) < 1e-4)
      let squared = (a * a + b * b) / 2 - a * b * cos(shift)
      #expect(abs(found["rmse"]! - squared.squareRoot()) < 1e-4)
      #expect(abs(found["bias"]!) < 1e-5)
    }
  }

  @Test func whatHasNoAnomalyHasNoCorrelation() {
    let truth = Self.field { latitude, _ in latitude }
    #expect(Self.scores(truth, truth, truth)["acc"]!.isNaN)
  }

  /// An error on one row weighs as much as the row's share of the sphere.
  @Test func rowsWeighByTheirArea() {
    let truth = Self.field { _, _ in 0 }
    for row in [0, 5, 9] {
      let latitude = Self.grid.latitudes[row]
      let forecast = Self.field { other, _ in other == latitude ? 1 : 0 }
      let area = (sin(Self.radians(latitude + 5)) - sin(Self.radians(latitude - 5))) / 2
      #expect(abs(Self.scores(forecast, truth, truth)["mae"]! - area) < 1e-12)
    }
  }

  /// Against sums point by point, in the same order: the same bits, also beside missing points.
  @Test(arguments: [nil, 1, 3])
  func rowsAreSummedInOrder(missingEvery: Int?) {
    let isMissing = missingEvery.map { every in
      (0..<Self.grid.count).map { $0 / 36 > 4 && $0 / 36 < 9 && ($0 * 7) % (every + 1) == 0 }
    }
    let fields = (0..<3).map { seed in
      Self.field { latitude, longitude in 250 + 30 * sin(latitude * Double(seed + 2)) + cos(longitude * 1.7) }
    }
    let whole = FieldGrid.raster(Self.grid)
    let regions = Region.standard(for: whole)
    let area = ScoredArea(regions, whole, isMissing: isMissing)
    let found = area.means(
      forecast: fields[0][...], truth: fields[1][...], climatology: fields[2][...],
      of: [AnomalyProduct.self, SquaredMeanAnomaly.self])
    for (place, region) in regions.enumerated() {
      var (share, product, anomaly) = (0.0, 0.0, 0.0)
      for (row, weight) in region.rowWeights.enumerated() {
        let valued = (0..<36).filter { isMissing?[row * 36 + $0] != true }.count
        share += weight * Double(valued) / 36
      }
      if isMissing == nil { share = 1 }
      for (row, weight) in region.rowWeights.enumerated() where weight > 0 {
        var (products, anomalies) = (0.0, 0.0)
        for i in row * 36..<(row + 1) * 36 where isMissing?[i] != true {
          let (f, t, c) = (Double(fields[0][i]), Double(fields[1][i]), Double(fields[2][i]))
          products += (f - c) * (t - c)
          anomalies += f - c
        }
        product += weight / 36 / share * products
        anomaly += weight / 36 / share * anomalies
      }
      #expect(found[place] == [product, anomaly * anomaly])
    }
  }

  @Test func everyMetricIsMadeOfItsStatistics() {
    let names = Metrics.all.map { $0.name }
    #expect(Set(names).count == names.count)
    for metric in Metrics.all {
      let means = StatisticMeans(forecasts: 1, metric.statistics, metric.statistics.map { _ in 1 })
      _ = metric.value(means)
      #expect(!metric.label.isEmpty && !metric.title.isEmpty && metric.note.hasSuffix("."))
    }
  }
}
