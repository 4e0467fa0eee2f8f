import Basics
import Datasets
import Verification

/// Scores of all systems, as `jigsaw evaluate` writes them.
public struct ScoreTable: Sendable {
  /// The value of each metric, in the channel's stored units; NaN where it is not defined, for example the correlation of a
  /// system without anomalies (climatology).
  public struct Scores: Sendable, Equatable {
    private let values: [String: Double]

    /// - Parameter values: by the names of metrics.
    public init(_ values: [String: Double]) { self.values = values }

    public subscript(_ metric: any Metric.Type) -> Double { values[metric.name] ?? .nan }
  }

  public let channels: [Channel]
  public let leadHours: [Int]
  /// The first is the whole globe or domain.
  public let regions: [String]
  public let systems: [System]
  /// Metrics that have values, in the order in which they are listed.
  public let metrics: [any Metric.Type]
  /// Initial times that scores are averaged over.
  public let forecastCount: Int
  private let values: [ScoreKey: Scores]

  public init(
    channels: [Channel], leadHours: [Int], regions: [String], systems: [System], metrics: [any Metric.Type],
    forecastCount: Int, values: [ScoreKey: Scores]
  ) {
    self.metrics = metrics
    self.channels = channels
    self.leadHours = leadHours
    self.regions = regions
    self.systems = systems
    self.forecastCount = forecastCount
    self.values = values
  }

  public subscript(system: System, channel: Channel, leadHours: Int, region: String) -> Scores? {
    values[ScoreKey(system: system, channel: channel.name, leadHours: leadHours, region: region)]
  }

  /// RMSE of the model relative to persistence; nil when one is missing or persistence makes no error.
  public func ratio(_ channel: Channel, _ leadHours: Int, _ region: String) -> Double? {
    guard let model = self[.model, channel, leadHours, region],
      let persistence = self[.persistence, channel, leadHours, region], persistence[RMSE.self] > 0
    else { return nil }
    return model[RMSE.self] / persistence[RMSE.self]
  }

  /// Mean over channels of the ratio to persistence.
  public func meanRatio(_ leadHours: Int, _ region: String) -> Double? {
    let ratios = channels.compactMap { ratio($0, leadHours, region) }
    return ratios.isEmpty ? nil : ratios.reduce(0, +) / Double(ratios.count)
  }

  public func isWorseThanClimatology(_ channel: Channel, _ leadHours: Int, _ region: String) -> Bool {
    guard let model = self[.model, channel, leadHours, region],
      let climatology = self[.climatology, channel, leadHours, region]
    else { return false }
    return model[RMSE.self] > climatology[RMSE.self]
  }

  /// The lead nearest to `hours`.
  public func lead(nearest hours: Int) -> Int? { leadHours.min { abs($0 - hours) < abs($1 - hours) } }
}

/// Mean power by zonal wavenumber of forecasts and truth, in squared stored units.
public struct SpectraTable: Sendable {
  public struct Key: Hashable, Sendable {
    public let channel: String
    public let leadHours: Int

    public init(channel: String, leadHours: Int) {
      self.channel = channel
      self.leadHours = leadHours
    }
  }

  public let channels: [Channel]
  public let leadHours: [Int]
  /// Power for wavenumbers 0, 1, 2, …
  public let model, truth: [Key: [Double]]

  public init(channels: [Channel], leadHours: [Int], model: [Key: [Double]], truth: [Key: [Double]]) {
    self.channels = channels
    self.leadHours = leadHours
    self.model = model
    self.truth = truth
  }
}
