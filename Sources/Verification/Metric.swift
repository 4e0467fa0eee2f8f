/// A score: a function of averaged statistics. CSV, JSON and the report list every metric of `Metrics.all`.
public protocol Metric: Sendable {
  /// Its column in scores.csv, its key in JSON and in the report: lower case, the same for the same definition.
  static var name: String { get }
  /// For people: on a button, as the title of a chart, and what it means in a sentence or two.
  static var label: String { get }
  static var title: String { get }
  static var note: String { get }
  /// Whether it is in the field's unit; else it has none.
  static var hasFieldUnit: Bool { get }
  /// Whether a smaller value is better; false also where neither is.
  static var isSmallerBetter: Bool { get }
  /// A value to mark in charts, with what it means where that needs saying.
  static var mark: (value: Double, text: String?)? { get }
  /// Whether charts begin at 0.
  static var startsAtZero: Bool { get }
  /// Systems whose values say nothing, for example the activity of climatology, which is 0.
  static var meaninglessFor: Set<System> { get }
  /// The statistics that `value` is a function of.
  static var statistics: [any Statistic.Type] { get }
  /// The score; not finite where it is not defined.
  static func value(_ means: StatisticMeans) -> Double
}

extension Metric {
  public static var hasFieldUnit: Bool { true }
  public static var isSmallerBetter: Bool { false }
  public static var mark: (value: Double, text: String?)? { nil }
  public static var startsAtZero: Bool { true }
  public static var meaninglessFor: Set<System> { [] }
}

/// Averages of statistics over initial times, for one system, field, lead and region.
public struct StatisticMeans: Sendable {
  /// Initial times averaged over.
  public let forecasts: Int
  private let values: [ObjectIdentifier: Double]

  init(forecasts: Int, _ statistics: [any Statistic.Type], _ values: [Double]) {
    self.forecasts = forecasts
    self.values = Dictionary(uniqueKeysWithValues: zip(statistics.map { ObjectIdentifier($0) }, values))
  }

  public subscript(_ statistic: any Statistic.Type) -> Double {
    guard let value = values[ObjectIdentifier(statistic)] else {
      preconditionFailure("a metric uses \(statistic), which is not among its statistics")
    }
    return value
  }
}

/// The metrics that are evaluated, in the order in which they are listed.
public enum Metrics {
  public static let all: [any Metric.Type] = [RMSE.self, MAE.self, Bias.self, ACC.self, Activity.self]

  /// The statistics that metrics are made of, each once.
  static func statistics(of metrics: [any Metric.Type]) -> [any Statistic.Type] {
    var found: [any Statistic.Type] = []
    for statistic in metrics.flatMap({ $0.statistics })
    where !found.contains(where: { ObjectIdentifier($0) == ObjectIdentifier(statistic) }) {
      found.append(statistic)
    }
    return found
  }
}

// MARK: Metrics

/// Root of the mean over initial times of the area mean of error².
public enum RMSE: Metric {
  public static let name = "rmse"
  public static let label = "RMSE"
  public static let title = "Root-mean-square error"
  public static let note = "Area-weighted root-mean-square error; smaller is better."
  public static let isSmallerBetter = true
  public static var statistics: [any Statistic.Type] { [SquaredError.self] }
  public static func value(_ means: StatisticMeans) -> Double { means[SquaredError.self].squareRoot() }
}

/// Mean absolute error.
public enum MAE: Metric {
  public static let name = "mae"
  public static let label = "MAE"
  public static let title = "Mean absolute error"
  public static let note = "Area-weighted mean absolute error; smaller is better."
  public static let isSmallerBetter = true
  public static var statistics: [any Statistic.Type] { [AbsoluteError.self] }
  public static func value(_ means: StatisticMeans) -> Double { means[AbsoluteError.self] }
}

/// Mean of forecast − truth.
public enum Bias: Metric {
  public static let name = "bias"
  public static let label = "Bias"
  public static let title = "Mean error"
  public static let note = "Mean of forecast − truth; 0 is best."
  public static let mark: (value: Double, text: String?)? = (0, nil)
  public static var statistics: [any Statistic.Type] { [SignedError.self] }
  public static func value(_ means: StatisticMeans) -> Double { means[SignedError.self] }
}

/// Anomaly correlation: mean covariance over the root of the product of mean squares, not a mean of daily correlations.
public enum ACC: Metric {
  public static let name = "acc"
  public static let label = "ACC"
  public static let title = "Anomaly correlation"
  public static let note =
    "Correlation of forecast and true anomalies from climatology; 1 is perfect. Climatology itself has no anomalies."
  public static let hasFieldUnit = false
  public static let mark: (value: Double, text: String?)? = (0.6, "0.6: often taken as the limit of use")
  public static let startsAtZero = false
  public static var statistics: [any Statistic.Type] {
    [AnomalyProduct.self, SquaredForecastAnomaly.self, SquaredTruthAnomaly.self]
  }
  public static func value(_ means: StatisticMeans) -> Double {
    means[AnomalyProduct.self] / (means[SquaredForecastAnomaly.self] * means[SquaredTruthAnomaly.self]).squareRoot()
  }
}

/// Standard deviation in space of the forecast's anomaly, centred on its area mean.
public enum Activity: Metric {
  public static let name = "activity"
  public static let label = "Activity"
  public static let title = "Activity"
  public static let note =
    "Standard deviation in space of the forecast's anomaly. Persistence keeps that of the real atmosphere; below it, "
    + "forecasts are too smooth."
  public static let meaninglessFor: Set<System> = [.climatology]
  public static var statistics: [any Statistic.Type] { [SquaredForecastAnomaly.self, SquaredMeanAnomaly.self] }
  public static func value(_ means: StatisticMeans) -> Double {
    max(0, means[SquaredForecastAnomaly.self] - means[SquaredMeanAnomaly.self]).squareRoot()
  }
}
