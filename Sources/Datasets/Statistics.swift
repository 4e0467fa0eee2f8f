import Basics
import Communication

/// The numbers that one channel is normalised with.
public struct ChannelStatistics: Sendable, Equatable, Codable {
  public let mean, deviation, minimum, maximum: Double
  /// Mean and deviation of the change over one step.
  public let tendencyMean, tendencyDeviation: Double

  public init(
    mean: Double, deviation: Double, minimum: Double, maximum: Double, tendencyMean: Double, tendencyDeviation: Double
  ) {
    self.mean = mean
    self.deviation = deviation
    self.minimum = minimum
    self.maximum = maximum
    self.tendencyMean = tendencyMean
    self.tendencyDeviation = tendencyDeviation
  }

  /// Whether fields can be normalised with these numbers.
  public var isUsable: Bool {
    [mean, deviation, tendencyMean, tendencyDeviation].allSatisfy(\.isFinite) && deviation > 0
      && tendencyDeviation >= 0
  }

  /// The same within what is lost by computing anew on another machine.
  public func isNear(_ other: ChannelStatistics) -> Bool {
    abs(mean - other.mean) <= 1e-6 * deviation && abs(deviation - other.deviation) <= 1e-6 * deviation
  }
}

/// Statistics of all channels over a period, in one pass through the data.
public struct DatasetStatistics: Sendable, Equatable, Codable {
  public let start, end: String
  public let stepHours: Int
  /// Times that went in.
  public let timeCount: Int
  public let channels: [String: ChannelStatistics]
  /// The dataset's `origin`; nil when not known.
  public let origin: String?
  /// The fingerprint of the data that they were computed from, and what was chosen of these (`FieldDataset.selection`); nil in files of
  /// versions that did not record it.
  public let data: DataFingerprint?
  public let selection: String?

  public init(
    start: String, end: String, stepHours: Int, timeCount: Int, channels: [String: ChannelStatistics],
    origin: String? = nil, data: DataFingerprint? = nil, selection: String? = nil
  ) {
    self.origin = origin
    self.data = data
    self.selection = selection
    self.start = start
    self.end = end
    self.stepHours = stepHours
    self.timeCount = timeCount
    self.channels = channels
  }

  /// Reads every time in a period once, on all ranks of the communicator together. The result is the same on any number of
  /// them.
  ///
  /// - Parameters:
  ///   - data: the dataset's fingerprint, which the result and what is kept in `parts` carry.
  ///   - parts: a folder that keeps what was computed, for another attempt after an interruption; it is removed at the end.
  ///   - windowBytes: memory for the times that are stored together, beside the dataset's for what it keeps;
  ///     nil: a little.
  ///   - progress: called with (done, all); ends the work by throwing. Blocks of dates that are done are kept in `parts`.
  public static func compute(
    _ dataset: FieldDataset, from start: Timestamp, through end: Timestamp, stepHours: Int,
    on world: any Communicator = SingleRank(), data: DataFingerprint? = nil, parts: String? = nil,
    windowBytes: Int? = nil,
    progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> DatasetStatistics {
    let indices = dataset.indices(from: start, through: end)
    guard indices.count > 1 else {
      throw JigsawError(
        "data.train", "holds \(counted(indices.count, "time")) of this data", expected: "at least 2",
        found: dataset.times.isEmpty
          ? "no times at all"
          : "data from \(dataset.times[0].display) to \(dataset.times[dataset.times.count - 1].display)",
        remedy: "choose a period within the data")
    }
    let channels = dataset.channels.count
    let pass = DatePass(
      dates: indices.map { dataset.times[$0] }, variables: channels, points: dataset.grid.count,
      stepSeconds: Int64(stepHours) * 3_600, countedDates: indices.count,
      key: ([data?.key ?? dataset.origin, dataset.selection, "every \(stepHours) h"] + dataset.channels.map(\.name))
        .joined(separator: "\n")
    ) { dataset.startsChunk(indices[$0], after: indices[$0 - 1]) }
    let totals = try dataset.inOrder(windowBytes: windowBytes) { window in
      try pass.run(on: world, parts: parts, progress: progress) { date, _, planes in
        try dataset.read(indices[date], isChecked: true, window: window, into: planes)
        dataset.removeImputed(planes)
      }
    }
    let (values, tendencies) = (totals.values, totals.tendencies)
    var result: [String: ChannelStatistics] = [:]
    for (channel, moments) in values.enumerated() {
      let name = dataset.channels[channel].name
      guard moments.deviation > 0 else {
        throw JigsawError(
          dataset.place(of: channel, time: indices[0]), "is constant over \(start.display) … \(end.display) (\(name))",
          expected: "a field that varies", remedy: "move it to data.static or leave it out")
      }
      guard tendencies[channel].count > 0 else {
        throw JigsawError(
          "data.stepHours", "no two times lie \(stepHours) h apart in the training period",
          found: "times every \(dataset.times[indices[1]].hours(since: dataset.times[indices[0]])) h",
          remedy: "set data.stepHours to a multiple of that")
      }
      guard tendencies[channel].deviation > 0 else {
        throw JigsawError(
          dataset.place(of: channel, time: indices[0]),
          "doesn't change in \(stepHours) h anywhere between \(start.display) and \(end.display) (\(name))",
          expected: "a field that varies in time", remedy: "move it to data.static or leave it out")
      }
      result[name] = ChannelStatistics(
        mean: moments.mean, deviation: moments.deviation, minimum: moments.minimum, maximum: moments.maximum,
        tendencyMean: tendencies[channel].mean, tendencyDeviation: tendencies[channel].deviation)
    }
    return DatasetStatistics(
      start: start.description, end: end.description, stepHours: stepHours, timeCount: indices.count, channels: result,
      origin: dataset.origin, data: data, selection: dataset.selection)
  }

  /// The data and settings that they were made from.
  public var lineage: Lineage {
    var settings = ["period": "\(start) to \(end)", "step": "\(stepHours) h"]
    settings[Lineage.selection] = selection
    return Lineage(data: data, settings: settings)
  }
}

/// z-scores of a list of channels: normalised = (value − mean)/deviation.
public struct Normalization: Sendable, Equatable {
  public let mean: [Float]
  public let deviation: [Float]
  /// Deviation of the change over one step, in normalised units.
  public let tendencyScale: [Float]

  public init(_ statistics: DatasetStatistics, channels: [Channel], place: String) throws {
    var rows: [ChannelStatistics] = []
    for channel in channels {
      guard let row = statistics.channels[channel.name] else {
        throw JigsawError(
          place, "has no statistics for \(channel.name)",
          found: statistics.channels.keys.sorted().joined(separator: ", "),
          remedy: "compute them anew with 'jigsaw data stats'")
      }
      rows.append(row)
    }
    mean = rows.map { Float($0.mean) }
    deviation = rows.map { Float($0.deviation) }
    tendencyScale = rows.map { Float($0.tendencyDeviation / $0.deviation) }
  }

  public var inverseDeviation: [Float] { deviation.map { 1 / $0 } }
}
