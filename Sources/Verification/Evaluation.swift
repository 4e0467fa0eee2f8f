import Basics
import Communication
import Datasets

/// Scores of a forecast store against the truth, with baselines beside.
public struct Evaluation: Sendable {
  /// Statistics of every system, channel, lead and region, averaged over initial times.
  public private(set) var statistics: [ScoreKey: ScoreStatistics] = [:]
  /// Mean power by wavenumber of the model's and the true fields: [channel][lead] → S_k.
  public private(set) var spectra: [SpectrumKey: [Double]] = [:]
  public let channels: [Channel]
  public let leadHours: [Int]
  public let regions: [String]
  public let initialTimes: [Timestamp]
  /// Smallest and largest true value of each channel at the times verified; imputed ones left out.
  public private(set) var truthExtremes: [(low: Double, high: Double)]

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

    public init(trainingStart: Timestamp, trainingEnd: Timestamp, stepHours: Int) {
      self.trainingStart = trainingStart
      self.trainingEnd = trainingEnd
      self.stepHours = stepHours
    }
  }

  /// Verifies all forecasts whose valid times the truth has. Ranks share them out and have the same scores in the end.
  public init(
    _ forecasts: ForecastReader, truth: FieldDataset, options: Options, on world: any Communicator = SingleRank(),
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    guard forecasts.grid.matches(truth.grid) else {
      throw JigsawError(
        forecasts.path, "has another grid than the truth", expected: truth.grid.summary, found: forecasts.grid.summary,
        remedy: "verify against data on the grid of the forecast")
    }
    channels = truth.channels
    truthExtremes = truth.channels.map { _ in (.infinity, -.infinity) }
    for channel in channels { try forecasts.require(channel) }
    let leads = forecasts.leadHours.indices.filter {
      options.leadHours.isEmpty || options.leadHours.contains(forecasts.leadHours[$0])
    }
    guard Set(options.leadHours).isSubset(of: forecasts.leadHours), !leads.isEmpty else {
      let missing = options.leadHours.filter { !forecasts.leadHours.contains($0) }
      throw JigsawError(
        "evaluation.leadHours",
        leads.isEmpty ? "names no lead of the forecast" : "names leads that the forecast doesn't have",
        expected: forecasts.leadHours.map(String.init).joined(separator: ", "),
        found: missing.map(String.init).joined(separator: ", "),
        remedy: "leave them out, or forecast further with 'jigsaw forecast --lead'")
    }
    leadHours = leads.map { forecasts.leadHours[$0] }
    let standard = Region.standard(for: truth.grid, isPartial: truth.boundary != nil)
    regions = standard.map(\.name)

    // Forecasts with truth at all leads: every score is over the same dates.
    let usable = forecasts.initialTimes.indices.filter { initial in
      let time = forecasts.initialTimes[initial]
      return truth.index(of: time) != nil
        && leads.allSatisfy {
          truth.index(of: time.adding(hours: forecasts.leadHours[$0])) != nil
        }
    }
    guard !usable.isEmpty else {
      throw JigsawError(
        forecasts.path, "has no forecast whose valid times are all in the truth",
        found: "truth to \(truth.times.last?.display ?? "none")",
        remedy: "shorten evaluation.leadHours or add data for the valid times")
    }
    initialTimes = usable.map { forecasts.initialTimes[$0] }
    // Neighbours in time to one rank: they share days of the climatology.
    let own = Array(usable[usable.count * world.rank / world.size..<usable.count * (world.rank + 1) / world.size])

    var climatologyTimes = own.map { forecasts.initialTimes[$0] }.flatMap { time in
      [time] + leadHours.map { time.adding(hours: $0) }
    }
    if options.usesDampedPersistence {
      climatologyTimes += truth.indices(from: options.trainingStart, through: options.trainingEnd).map {
        truth.times[$0]
      }
    }
    let climatology = try Climatology(
      truth, from: options.trainingStart, through: options.trainingEnd, for: climatologyTimes,
      windowDays: options.climatologyWindowDays)
    let damped =
      options.usesDampedPersistence
      ? try DampedPersistence(
        truth, from: options.trainingStart, through: options.trainingEnd, stepHours: options.stepHours,
        climatology: climatology) : nil

    let size = truth.grid.count
    let unpredicted = channels.indices.map(truth.unpredicted)
    let spectrum = options.usesSpectra ? truth.grid.raster.flatMap(ZonalSpectrum.init) : nil
    var initialPlanes = [Float](repeating: 0, count: channels.count * size)
    var truthPlanes = initialPlanes
    for (done, initial) in own.enumerated() {
      let time = forecasts.initialTimes[initial]
      try initialPlanes.withUnsafeMutableBufferPointer {
        try truth.readChecked(time: truth.index(of: time)!, into: $0.baseAddress!)
      }
      let initialMean = climatology.field(time)
      for (position, lead) in leads.enumerated() {
        let valid = time.adding(hours: leadHours[position])
        try truthPlanes.withUnsafeMutableBufferPointer {
          try truth.readChecked(time: truth.index(of: valid)!, into: $0.baseAddress!)
        }
        let mean = climatology.field(valid)
        let dampedPlanes = damped?.forecast(
          initial: initialPlanes, initialClimatology: initialMean, validClimatology: mean,
          leadHours: leadHours[position])
        for (index, channel) in channels.enumerated() {
          let range = index * size..<(index + 1) * size
          let isMissing = unpredicted[index]
          let forecast = try forecasts.read(channel, initial: initial, lead: lead, isMissing: isMissing)
          let truthField = Array(truthPlanes[range])
          for (point, value) in truthField.enumerated() where isMissing?[point] != true {
            truthExtremes[index].low = min(truthExtremes[index].low, Double(value))
            truthExtremes[index].high = max(truthExtremes[index].high, Double(value))
          }
          let meanField = Array(mean[range])
          var systems: [(System, [Float])] = [
            (.model, forecast), (.persistence, Array(initialPlanes[range])), (.climatology, meanField),
          ]
          if let dampedPlanes { systems.append((.dampedPersistence, Array(dampedPlanes[range]))) }
          for (system, field) in systems {
            for region in standard {
              let key = ScoreKey(
                system: system, channel: channel.name, leadHours: leadHours[position], region: region.name)
              let found = ScoreStatistics(
                forecast: field, truth: truthField, climatology: meanField, rowWeights: region.rowWeights,
                columns: truth.grid.columns, isMissing: isMissing)
              // A region may have no values at all.
              if found.count > 0 { statistics[key, default: ScoreStatistics()].merge(found) }
            }
          }
          // Of fields with gaps there is none.
          if let spectrum, isMissing == nil {
            add(spectrum.power(forecast), channel, leadHours[position], isTruth: false, of: usable.count)
            add(spectrum.power(truthField), channel, leadHours[position], isTruth: true, of: usable.count)
          }
        }
      }
      progress(done + 1, own.count)
    }
    let whole = Set(
      channels.indices.filter { unpredicted[$0] == nil }.map { channels[$0] })
    try merge(standard, options, spectrumLength: spectrum?.count, of: whole, on: world)
  }

  /// Adds up what the ranks have found.
  private mutating func merge(
    _ standard: [Region], _ options: Options, spectrumLength: Int?, of spectrumChannels: Set<Channel>,
    on world: any Communicator
  ) throws {
    if world.size == 1 { return }
    let lows = try world.allReduce(truthExtremes.map(\.low), .minimum)
    let highs = try world.allReduce(truthExtremes.map(\.high), .maximum)
    truthExtremes = zip(lows, highs).map { ($0, $1) }
    let known = System.allCases.filter { $0 != .dampedPersistence || options.usesDampedPersistence }
    for channel in channels {
      for lead in leadHours {
        let keys = known.flatMap { system in
          standard.map {
            ScoreKey(system: system, channel: channel.name, leadHours: lead, region: $0.name)
          }
        }
        var numbers = try world.allReduce(keys.flatMap { (statistics[$0] ?? ScoreStatistics()).numbers })[...]
        for key in keys {
          let sum = ScoreStatistics(numbers: numbers.prefix(ScoreStatistics.numberCount))
          statistics[key] = sum.count > 0 ? sum : nil
          numbers = numbers.dropFirst(ScoreStatistics.numberCount)
        }
        guard let spectrumLength, spectrumChannels.contains(channel) else { continue }
        for isTruth in [false, true] {
          let key = SpectrumKey(channel: channel.name, leadHours: lead, isTruth: isTruth)
          spectra[key] = try world.allReduce(spectra[key] ?? [Double](repeating: 0, count: spectrumLength))
        }
      }
    }
  }

  private mutating func add(_ power: [Double], _ channel: Channel, _ lead: Int, isTruth: Bool, of count: Int) {
    let key = SpectrumKey(channel: channel.name, leadHours: lead, isTruth: isTruth)
    let sum = spectra[key] ?? [Double](repeating: 0, count: power.count)
    spectra[key] = zip(sum, power).map { $0 + $1 / Double(count) }
  }

  /// Channels whose true values can't be, a sentence each: scores against them are worth nothing.
  public var implausibleTruth: [String] {
    zip(channels, truthExtremes).compactMap { channel, extremes in
      Lexicon[channel.variable]?.implausible(from: extremes.low, to: extremes.high).map {
        "the truth of \(channel.name) goes \($0); 'jigsaw data check' says where"
      }
    }
  }

  /// Systems that were verified, in a fixed order.
  public var systems: [System] {
    let present = Set(statistics.keys.map(\.system))
    return System.allCases.filter { present.contains($0) }
  }

  /// The scores of one key.
  public subscript(system: System, channel: String, leadHours: Int, region: String) -> ScoreStatistics? {
    statistics[ScoreKey(system: system, channel: channel, leadHours: leadHours, region: region)]
  }
}
