import Basics
import Communication
import Datasets

/// Scores of a forecast store against the truth, with baselines beside.
public struct Evaluation: Sendable {
  /// Statistics of every system, channel, lead, region and initial time.
  public private(set) var table: StatisticsTable
  /// Mean power by wavenumber of the model's and the true fields: [channel][lead] → S_k.
  public private(set) var spectra: [SpectrumKey: [Double]] = [:]
  public let channels: [Channel]
  /// By channel: that in which it was verified.
  public let units: [String]
  /// Sentences on properties of forecasts and truth that were taken for granted.
  public let notes: [String]
  public let leadHours: [Int]
  public let regions: [String]
  public let initialTimes: [Timestamp]
  /// Initial times of forecasts that are left out, since the truth lacks a time of theirs.
  public let unverified: [Timestamp]
  public let metrics: [any Metric.Type]
  /// Smallest and largest true value of each channel at the times verified; imputed ones left out.
  public private(set) var truthExtremes: [(low: Double, high: Double)]
  /// The same of the forecasts.
  public private(set) var forecastExtremes: [(low: Double, high: Double)]
  /// Training days behind the climatology of the dates verified.
  public private(set) var climatologyDays: ClimatologyDays

  public struct SpectrumKey: Hashable, Sendable {
    public let channel: String
    public let leadHours: Int
    public let isTruth: Bool
    public init(channel: String, leadHours: Int, isTruth: Bool) {
      self.channel = channel
      self.leadHours = leadHours
      self.isTruth = isTruth
    }
  }

  public struct Options: Sendable {
    /// Leads to verify; empty: all.
    public var leadHours: [Int] = []
    public var trainingStart, trainingEnd: Timestamp
    public var stepHours: Int
    public var climatologyWindowDays = 61
    public var usesSpectra = true
    /// Also verifies AR(1)-damped persistence.
    public var usesDampedPersistence = false
    /// Threads that score; those that read are the dataset's.
    public var threads = 1
    /// Memory for the climatology: for less than all of it, channels and initial times are done in groups.
    public var climatologyBytes = 1 << 30
    /// The scores made of the statistics.
    public var metrics: [any Metric.Type] = Metrics.all

    public init(trainingStart: Timestamp, trainingEnd: Timestamp, stepHours: Int) {
      self.trainingStart = trainingStart
      self.trainingEnd = trainingEnd
      self.stepHours = stepHours
    }
  }

  /// Verifies all forecasts whose valid times the truth has. Ranks share them out and have the same scores in the end.
  /// - Parameter progress: called with (done, all) in fields of all leads of a forecast, over groups of channels.
  /// - Throws: when the forecasts don't fit the truth, or can't be read.
  public init(
    _ forecasts: ForecastReader, truth: FieldDataset, options: Options, on world: any Communicator = SingleRank(),
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    let plan = try EvaluationPlan(forecasts, truth: truth, options: options, on: world)
    let forecasts = try forecasts.inUnits(of: truth)
    notes = try VerifiedPeriods.notes(forecasts, truth, leads: plan.leads)
    try AmountsSinceStart.refuse(
      forecasts, truth, initial: plan.usable[0],
      leads: plan.leads.sorted { forecasts.leadHours[$0] < forecasts.leadHours[$1] })
    channels = truth.channels
    units = truth.channels.map(truth.units)
    leadHours = plan.leadHours
    regions = plan.regions.map(\.name)
    initialTimes = plan.usable.map { forecasts.initialTimes[$0] }
    let used = Set(plan.usable)
    unverified = forecasts.initialTimes.indices.filter { !used.contains($0) }.map { forecasts.initialTimes[$0] }
    metrics = options.metrics
    truthExtremes = truth.channels.map { _ in (.infinity, -.infinity) }
    forecastExtremes = truthExtremes
    climatologyDays = ClimatologyDays()
    table = StatisticsTable(
      systems: plan.systems, channels: channels.count, leads: leadHours.count, regions: regions.count,
      initials: initialTimes.count, statistics: Metrics.statistics(of: options.metrics))
    let areas = channels.indices.map {
      ScoredArea(plan.regions, truth.grid, isMissing: truth.unpredicted($0))
    }
    for (channel, area) in areas.enumerated() {
      for (region, share) in area.valuedShares.enumerated() where share == 0 {
        table.leaveOut(channel: channel, region: region)
      }
    }
    let pass = VerificationPass(forecasts, truth, options, plan, areas, statistics: table.statistics)
    let all = plan.groups.count * plan.blocks.reduce(0) { $0 + $1.count }
    var (done, days) = (0, ClimatologyDays())
    for group in plan.groups {
      let reader = truth.reader(of: group)
      for block in plan.blocks {
        try pass.run(reader, block, days: &days) { initial, lead, found in
          collect(found, initial: initial, lead: lead)
        } initialDone: {
          done += 1
          // In forecasts, as if all their channels were done one after the other.
          progress(done, all)
        }
      }
    }
    climatologyDays = days
    try merge(
      spectrumLength: pass.spectrum?.count, whole: channels.indices.filter { areas[$0].isMissing == nil }, world)
  }

  private mutating func collect(_ found: VerificationPass.Found, initial: Int, lead: Int) {
    let channel = found.channel
    for (system, regions) in found.means.enumerated() {
      for (region, means) in regions.enumerated() {
        table.set(means, channel: channel, lead: lead, system: system, region: region, initial: initial)
      }
    }
    func widen(_ extremes: inout (low: Double, high: Double), _ found: (low: Double, high: Double)) {
      extremes = (min(extremes.low, found.low), max(extremes.high, found.high))
    }
    widen(&truthExtremes[channel], found.truthExtremes)
    widen(&forecastExtremes[channel], found.forecastExtremes)
    for (power, isTruth) in [(found.power, false), (found.truthPower, true)] {
      guard let power else { continue }
      let key = SpectrumKey(channel: channels[channel].name, leadHours: leadHours[lead], isTruth: isTruth)
      let sum = spectra[key] ?? [Double](repeating: 0, count: power.count)
      spectra[key] = zip(sum, power).map { $0 + $1 / Double(initialTimes.count) }
    }
  }

  /// Puts together what the ranks have found.
  /// - Parameter whole: channels without gaps, which have spectra.
  private mutating func merge(spectrumLength: Int?, whole: [Int], _ world: any Communicator) throws {
    if world.size == 1 { return }
    let lows = try world.allReduce((truthExtremes + forecastExtremes).map(\.low), .minimum)
    let highs = try world.allReduce((truthExtremes + forecastExtremes).map(\.high), .maximum)
    let extremes = zip(lows, highs).map { (low: $0, high: $1) }
    truthExtremes = Array(extremes[..<channels.count])
    forecastExtremes = Array(extremes[channels.count...])
    try climatologyDays.merge(on: world)
    // Every number is one rank's and zero on the others.
    try table.mapFields { try world.allReduce($0) }
    guard let spectrumLength else { return }
    for channel in whole {
      for lead in leadHours {
        for isTruth in [false, true] {
          let key = SpectrumKey(channel: channels[channel].name, leadHours: lead, isTruth: isTruth)
          spectra[key] = try world.allReduce(spectra[key] ?? [Double](repeating: 0, count: spectrumLength))
        }
      }
    }
  }

  /// Channels whose values can't be, a sentence each: scores of them are worth nothing.
  public var implausible: [String] {
    func find(_ extremes: [(low: Double, high: Double)], _ sentence: (String, String) -> String) -> [String] {
      zip(channels, extremes).compactMap { channel, extremes in
        Lexicon[channel.variable]?.implausible(from: extremes.low, to: extremes.high).map {
          sentence(channel.name, $0)
        }
      }
    }
    return find(truthExtremes) { "the truth of \($0) goes \($1); 'jigsaw data check' says where" }
      + find(forecastExtremes) {
        "the forecast of \($0) goes \($1); a model may do so, or its units are others than those read"
      }
  }

  /// Systems that were verified, in a fixed order.
  public var systems: [System] { table.systems }

  /// The averages of one key over initial times; nil where the channel has no values in the region.
  public subscript(system: System, channel: String, leadHours: Int, region: String) -> StatisticMeans? {
    guard let system = table.systems.firstIndex(of: system),
      let channel = channels.firstIndex(where: { $0.name == channel }),
      let lead = self.leadHours.firstIndex(of: leadHours), let region = regions.firstIndex(of: region)
    else { return nil }
    return table.means(system: system, channel: channel, lead: lead, region: region)
  }
}
