/// The values of forecast, truth and climatology at one grid point.
public struct PointValues {
  public let forecast, truth, climatology: Double

  @inlinable
  public init(forecast: Double, truth: Double, climatology: Double) {
    self.forecast = forecast
    self.truth = truth
    self.climatology = climatology
  }

  /// Forecast − truth.
  @inlinable public var error: Double { forecast - truth }
  @inlinable public var forecastAnomaly: Double { forecast - climatology }
  @inlinable public var truthAnomaly: Double { truth - climatology }
}

/// A quantity of grid points whose mean over the area of a region is averaged over initial times. Metrics are functions of
/// such averages, so that scores can be merged over initial times, stores and ranks.
///
/// A statistic is one type: what it is at a point, and, if its area mean is not averaged as it is, what is made of that.
public protocol Statistic: Sendable {
  /// At a point with a value, in powers of the field's unit.
  static func value(_ point: PointValues) -> Double
  /// The quantity that is averaged over initial times, from the area mean of one forecast field. By default the area mean itself.
  static func ofAreaMean(_ mean: Double) -> Double
  /// Sums along rows of a block, one for each; not to be implemented elsewhere.
  static func addRows(of block: RowBlock, into sums: UnsafeMutablePointer<Double>)
}

extension Statistic {
  public static func ofAreaMean(_ mean: Double) -> Double { mean }

  /// Every row is summed from its first point to its last; four rows at a time, so that additions need not wait for one
  /// another.
  public static func addRows(of block: RowBlock, into sums: UnsafeMutablePointer<Double>) {
    var row = 0
    while row < block.rows {
      if row + 4 <= block.rows && block.areWhole(row..<row + 4) {
        var (a, b, c, d) = (0.0, 0.0, 0.0, 0.0)
        let start = row * block.columns
        for column in start..<start + block.columns {
          a += value(block.point(column))
          b += value(block.point(column + block.columns))
          c += value(block.point(column + 2 * block.columns))
          d += value(block.point(column + 3 * block.columns))
        }
        (sums[row], sums[row + 1], sums[row + 2], sums[row + 3]) = (a, b, c, d)
        row += 4
      } else {
        var sum = 0.0
        let start = row * block.columns
        for column in start..<start + block.valued(row) { sum += value(block.point(column)) }
        sums[row] = sum
        row += 1
      }
    }
  }
}

/// Some rows of a forecast, the truth and the climatology. The points of a row that have values come first in it.
public struct RowBlock {
  let rows, columns: Int
  /// [row, column].
  private let forecast, truth, climatology: UnsafePointer<Double>
  /// By row: points that have values; nil: all have.
  private let counts: [Int]?

  init(
    rows: Int, columns: Int, forecast: UnsafePointer<Double>, truth: UnsafePointer<Double>,
    climatology: UnsafePointer<Double>, counts: [Int]?
  ) {
    self.rows = rows
    self.columns = columns
    self.forecast = forecast
    self.truth = truth
    self.climatology = climatology
    self.counts = counts
  }

  func valued(_ row: Int) -> Int { counts?[row] ?? columns }
  func areWhole(_ range: Range<Int>) -> Bool { range.allSatisfy { valued($0) == columns } }

  @inline(__always)
  func point(_ index: Int) -> PointValues {
    PointValues(forecast: forecast[index], truth: truth[index], climatology: climatology[index])
  }
}

// MARK: Statistics

/// (forecast − truth)².
public enum SquaredError: Statistic {
  public static func value(_ point: PointValues) -> Double { point.error * point.error }
}

/// |forecast − truth|.
public enum AbsoluteError: Statistic {
  public static func value(_ point: PointValues) -> Double { abs(point.error) }
}

/// Forecast − truth.
public enum SignedError: Statistic {
  public static func value(_ point: PointValues) -> Double { point.error }
}

/// f'·t' with the anomalies of forecast and truth from the climatology.
public enum AnomalyProduct: Statistic {
  public static func value(_ point: PointValues) -> Double { point.forecastAnomaly * point.truthAnomaly }
}

/// f'².
public enum SquaredForecastAnomaly: Statistic {
  public static func value(_ point: PointValues) -> Double { point.forecastAnomaly * point.forecastAnomaly }
}

/// t'².
public enum SquaredTruthAnomaly: Statistic {
  public static func value(_ point: PointValues) -> Double { point.truthAnomaly * point.truthAnomaly }
}

/// The square of the area mean of f', averaged over initial times.
public enum SquaredMeanAnomaly: Statistic {
  public static func value(_ point: PointValues) -> Double { point.forecastAnomaly }
  public static func ofAreaMean(_ mean: Double) -> Double { mean * mean }
}
