/// A system that is verified: the model or a baseline.
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

/// Statistics by system, channel, lead, region and initial time: area means of single forecast fields, not yet averaged, so
/// that they can be grouped, resampled or merged.
public struct StatisticsTable: Sendable {
  public let systems: [System]
  public let channelCount, leadCount, regionCount, initialCount: Int
  public let statistics: [any Statistic.Type]
  /// [channel, lead, system, region, initial time, statistic].
  private var values: [Double]
  /// [channel, region]: whether the channel has values there at all.
  private var isPresent: [Bool]

  init(
    systems: [System], channels: Int, leads: Int, regions: Int, initials: Int, statistics: [any Statistic.Type]
  ) {
    self.systems = systems
    (channelCount, leadCount, regionCount, initialCount) = (channels, leads, regions, initials)
    self.statistics = statistics
    values = [Double](
      repeating: 0, count: channels * leads * systems.count * regions * initials * statistics.count)
    isPresent = [Bool](repeating: true, count: channels * regions)
  }

  /// A field's numbers for all systems, regions and initial times lie side by side.
  private var fieldSize: Int { systems.count * regionCount * initialCount * statistics.count }

  private func start(_ channel: Int, _ lead: Int, system: Int, region: Int, initial: Int) -> Int {
    let field = (channel * leadCount + lead) * fieldSize
    return field + ((system * regionCount + region) * initialCount + initial) * statistics.count
  }

  /// Notes that a channel has no values in a region.
  mutating func leaveOut(channel: Int, region: Int) { isPresent[channel * regionCount + region] = false }

  mutating func set(_ means: [Double], channel: Int, lead: Int, system: Int, region: Int, initial: Int) {
    precondition(means.count == statistics.count)
    let first = start(channel, lead, system: system, region: region, initial: initial)
    values.replaceSubrange(first..<first + means.count, with: means)
  }

  /// A statistic of one forecast; nil where the channel has no values in the region.
  /// - Parameters: places in `systems`, the evaluation's channels, leads, regions and initial times, and `statistics`.
  public func value(system: Int, channel: Int, lead: Int, region: Int, initial: Int, statistic: Int) -> Double? {
    guard isPresent[channel * regionCount + region] else { return nil }
    return values[start(channel, lead, system: system, region: region, initial: initial) + statistic]
  }

  /// Averages over initial times; nil where the channel has no values in the region.
  public func means(system: Int, channel: Int, lead: Int, region: Int) -> StatisticMeans? {
    guard isPresent[channel * regionCount + region], initialCount > 0 else { return nil }
    var sums = [Double](repeating: 0, count: statistics.count)
    for initial in 0..<initialCount {
      let first = start(channel, lead, system: system, region: region, initial: initial)
      for statistic in sums.indices { sums[statistic] += values[first + statistic] }
    }
    return StatisticMeans(forecasts: initialCount, statistics, sums.map { $0 / Double(initialCount) })
  }

  /// Replaces the numbers of every field, side by side as they lie, by what `body` makes of them: to add up what ranks have
  /// found, each for initial times of its own.
  mutating func mapFields(_ body: ([Double]) throws -> [Double]) rethrows {
    for field in 0..<channelCount * leadCount {
      let range = field * fieldSize..<(field + 1) * fieldSize
      values.replaceSubrange(range, with: try body(Array(values[range])))
    }
  }
}
