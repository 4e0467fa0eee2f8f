/// What is verified: the model or a baseline.
public enum System: String, Sendable, Hashable, CaseIterable, Codable {
  case model
  /// The initial state, unchanged.
  case persistence
  /// The mean of the training years for day and hour.
  case climatology
  /// Climatology plus the initial anomaly, damped by its AR(1) coefficient at each point.
  case dampedPersistence = "damped-persistence"
}

/// Which score: what, of whom, when, where.
public struct ScoreKey: Sendable, Hashable {
  public let system: System
  public let channel: String
  public let leadHours: Int
  public let region: String

  public init(system: System, channel: String, leadHours: Int, region: String) {
    self.system = system
    self.channel = channel
    self.leadHours = leadHours
    self.region = region
  }
}

/// Area means of one forecast field against the truth, which can be averaged over dates, chunks and ranks before scores
/// are made of them (as in WeatherBench-X).
public struct ScoreStatistics: Sendable, Equatable {
  /// Forecasts that went in.
  public private(set) var count = 0
  /// Sums over these of area means: error², |error|, error, f'·t', f'², t'², f' with anomalies from the climatology, and
  /// (area mean of f')².
  private var sums = [Double](repeating: 0, count: 7)

  public init() {}

  /// - Parameters: fields [rows, columns]; weights of rows with sum 1; points that don't count, nil: none. The weights of the
  ///   others are then scaled to a sum of 1; if there are none, so is the count.
  public init(
    forecast: UnsafePointer<Float>, truth: UnsafePointer<Float>, climatology: UnsafePointer<Float>?,
    rowWeights: [Double], columns: Int, isMissing: [Bool]? = nil
  ) {
    let (hasGaps, gaps) = (isMissing != nil, isMissing ?? [])
    var anomalyMean = 0.0
    var valued = 1.0
    if let isMissing {
      valued = rowWeights.enumerated().reduce(0) { sum, row in
        let there = (row.offset * columns..<(row.offset + 1) * columns).reduce(0) { $0 + (isMissing[$1] ? 0 : 1) }
        return sum + row.element * Double(there) / Double(columns)
      }
      if valued == 0 { return }
    }
    count = 1
    for (row, weight) in rowWeights.enumerated() where weight > 0 {
      var (squares, absolute, error, product, forecastSquares, truthSquares, anomaly) = (
        0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
      )
      for i in row * columns..<(row + 1) * columns {
        if hasGaps && gaps[i] { continue }
        let f = Double(forecast[i])
        let t = Double(truth[i])
        squares += (f - t) * (f - t)
        absolute += abs(f - t)
        error += f - t
        if let climatology {
          let c = Double(climatology[i])
          product += (f - c) * (t - c)
          forecastSquares += (f - c) * (f - c)
          truthSquares += (t - c) * (t - c)
          anomaly += f - c
        }
      }
      let w = weight / Double(columns) / valued
      sums[0] += w * squares
      sums[1] += w * absolute
      sums[2] += w * error
      sums[3] += w * product
      sums[4] += w * forecastSquares
      sums[5] += w * truthSquares
      anomalyMean += w * anomaly
    }
    sums[6] = anomalyMean * anomalyMean
  }

  /// All of it as numbers that add up over ranks, and back.
  static let numberCount = 8
  var numbers: [Double] { [Double(count)] + sums }

  init(numbers: some Collection<Double>) {
    let numbers = Array(numbers)
    precondition(numbers.count == ScoreStatistics.numberCount)
    count = Int(numbers[0])
    sums = Array(numbers.dropFirst())
  }

  public mutating func merge(_ other: ScoreStatistics) {
    count += other.count
    for i in sums.indices { sums[i] += other.sums[i] }
  }

  private func mean(_ i: Int) -> Double { sums[i] / Double(count) }

  /// Root of the mean over dates of the area-weighted mean squared error.
  public var rmse: Double { mean(0).squareRoot() }
  public var mae: Double { mean(1) }
  public var bias: Double { mean(2) }
  /// Anomaly correlation, mean covariance over the root of the mean variances (not a mean of daily correlations).
  public var acc: Double { mean(3) / (mean(4) * mean(5)).squareRoot() }
  /// Standard deviation in space of the forecast's anomaly.
  public var activity: Double { max(0, mean(4) - mean(6)).squareRoot() }
}
