import Basics
import Communication
import Datasets

/// The mean state for a day of the year and hour of the day over the training period, smoothed over neighbouring days with
/// triangular weights around the year. Only the days asked for are computed and held.
///
/// Where the training period does not fill the window of a day once, the mean of the whole period at that hour makes up the
/// rest, so that a few days at the edge of a window are no climatology of their own. With a whole year of training nothing
/// is made up.
struct Climatology: Sendable {
  struct Key: Hashable, Sendable {
    let dayOfYear, hour: Int

    init(dayOfYear: Int, hour: Int) {
      self.dayOfYear = dayOfYear
      self.hour = hour
    }

    init(_ time: Timestamp) { self.init(dayOfYear: time.dayOfLeapYear, hour: time.components.hour) }

    static func hours(_ keys: some Sequence<Key>) -> Set<Int> { Set(keys.map(\.hour)) }
  }

  /// The day of a leap year that other years lack.
  private static let leapDay = 60
  /// Memory for one field of a day while it is computed.
  static let bytesPerElement = MemoryLayout<Double>.size

  /// [channel, row, column] for each key.
  private let fields: [Key: [Float]]
  let days: ClimatologyDays

  /// - Parameters:
  ///   - reader: of the channels that it is made for.
  ///   - training: indices of the dataset's times in the training period.
  ///   - times: for which the climatology will be asked.
  ///   - windowDays: full width of the smoothing.
  ///   - workers: threads that add up.
  /// - Throws: when the training period has no time at a requested hour of the day.
  init(
    _ reader: ChannelReader, training: [Int], for times: [Timestamp], windowDays: Int,
    workers: WorkerPool = WorkerPool(threads: 0)
  ) throws {
    let keys = Set(times.map(Key.init))
    let halfWidth = windowDays / 2
    let trainingKeys = training.map { Key(reader.dataset.times[$0]) }
    for key in keys where !trainingKeys.contains(where: { $0.hour == key.hour }) {
      throw JigsawError(
        "data.train", "has no time at \(key.hour) UTC to make a climatology of",
        remedy: "choose initial times and leads whose hours the training data have")
    }
    let coverage = Climatology.coverage(keys, trainingKeys, halfWidth: halfWidth)
    let shrunkHours = Key.hours(coverage.filter { $0.value.share < 1 }.keys)
    days = ClimatologyDays(coverage.values.map(\.days), isPartial: !shrunkHours.isEmpty, training: trainingKeys)
    let means = Dictionary(uniqueKeysWithValues: shrunkHours.map { ($0, ClimatologySum(count: reader.count)) })
    var sums = coverage.filter { $0.value.share > 0 }.mapValues { _ in ClimatologySum(count: reader.count) }
    let ofHour = Dictionary(grouping: keys, by: \.hour)
    let adding = ClimatologyAdding(reader, workers)
    for (index, time) in zip(training, trainingKeys) {
      var terms = (ofHour[time.hour] ?? []).compactMap { key in
        let weight = Climatology.weight(key, time, halfWidth)
        return weight > 0 ? sums[key].map { (sum: $0, weight: weight) } : nil
      }
      if let mean = means[time.hour] { terms.append((mean, 1)) }
      if !terms.isEmpty { try adding.add(index, to: terms) }
    }
    adding.finish()
    let ofPeriod = means.mapValues { sum in (0..<sum.count).map { Float(sum.values[$0] / sum.weight) } }
    var fields: [Key: [Float]] = [:]
    for key in keys {
      let (window, share) = (sums.removeValue(forKey: key), coverage[key]?.share ?? 0)
      fields[key] = window.map { Climatology.field($0, means[key.hour], share: share) } ?? ofPeriod[key.hour]
    }
    self.fields = fields
  }

  /// The mean of the window, or a share of it with that of the period for the rest.
  private static func field(_ window: ClimatologySum, _ period: ClimatologySum?, share: Double) -> [Float] {
    if share >= 1 { return (0..<window.count).map { Float(window.values[$0] / window.weight) } }
    guard let period else { preconditionFailure("no mean of the training period for a window that it doesn't fill") }
    let (ofWindow, ofPeriod) = (share / window.weight, (1 - share) / period.weight)
    return (0..<period.count).map { Float(window.values[$0] * ofWindow + period.values[$0] * ofPeriod) }
  }

  /// How far the training period fills the window of each key, 1 at most, and how many of its days are in it. Leap days are
  /// not missed.
  static func coverage(_ keys: Set<Key>, _ training: [Key], halfWidth: Int) -> [Key: (share: Double, days: Int)] {
    let counts = training.reduce(into: [Key: Int]()) { $0[$1, default: 0] += 1 }
    return Dictionary(
      uniqueKeysWithValues: keys.map { key in
        // Day after day, so that the last bits are always the same.
        var (weight, whole, days) = (0.0, 0.0, 0)
        for day in 1...366 {
          let other = Key(dayOfYear: day, hour: key.hour)
          let own = Climatology.weight(key, other, halfWidth)
          if own <= 0 { continue }
          let count = counts[other] ?? 0
          weight += Double(count) * own
          days += count
          if day != leapDay { whole += own }
        }
        let share = whole > 0 ? weight / whole : days > 0 ? 1 : 0
        return (key, (share > 1 - 1e-9 ? 1 : share, days))
      })
  }

  /// 0 or less outside the window.
  private static func weight(_ key: Key, _ other: Key, _ halfWidth: Int) -> Double {
    1 - Double(distance(key, other)) / Double(halfWidth + 1)
  }

  /// Days between two days of the year, the short way around.
  static func distance(_ a: Key, _ b: Key) -> Int {
    let days = abs(a.dayOfYear - b.dayOfYear)
    return min(days, 366 - days)
  }

  /// [channel, row, column] at a time that was asked for at the start.
  func field(_ time: Timestamp) -> [Float] {
    guard let field = fields[Key(time)] else { preconditionFailure("no climatology was prepared for \(time)") }
    return field
  }
}

/// How many training days the climatology of the dates verified rests on.
public struct ClimatologyDays: Sendable, Equatable {
  /// In the window of a date and hour, the fewest and the most; all that the training period has at one hour.
  public private(set) var fewest = Int.max
  public private(set) var most = 0
  public private(set) var ofTraining = 0
  /// Whether the training period fills some window in part only, so that its mean makes up the rest.
  public private(set) var isPartial = false

  init() {}

  init(_ days: [Int], isPartial: Bool, training: [Climatology.Key]) {
    self.isPartial = isPartial
    fewest = days.min() ?? Int.max
    most = days.max() ?? 0
    ofTraining = Climatology.Key.hours(training).map { hour in training.filter { $0.hour == hour }.count }.max() ?? 0
  }

  mutating func merge(_ other: ClimatologyDays) {
    fewest = min(fewest, other.fewest)
    most = max(most, other.most)
    ofTraining = max(ofTraining, other.ofTraining)
    isPartial = isPartial || other.isPartial
  }

  mutating func merge(on world: any Communicator) throws {
    let largest = Double(1 << 52)
    fewest = Int(saturating: try world.allReduce([min(largest, Double(fewest))], .minimum)[0])
    let highs = try world.allReduce([Double(most), Double(ofTraining), isPartial ? 1 : 0], .maximum)
    (most, ofTraining, isPartial) = (Int(saturating: highs[0]), Int(saturating: highs[1]), highs[2] > 0)
  }
}
