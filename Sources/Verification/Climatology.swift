import Basics
import Datasets

/// The mean state for a day of the year and hour of the day over the training period, smoothed over neighbouring days with
/// triangular weights around the year. Only the days asked for are computed and held.
public struct Climatology: Sendable {
  struct Key: Hashable, Sendable {
    let dayOfYear, hour: Int
    init(_ time: Timestamp) {
      dayOfYear = time.dayOfLeapYear
      hour = time.components.hour
    }
  }

  /// [channel, row, column] for each key.
  private let fields: [Key: [Float]]

  /// - Parameters:
  ///   - times: for which the climatology will be asked.
  ///   - windowDays: full width of the smoothing.
  ///   - progress: told (done, all) training times.
  public init(
    _ dataset: FieldDataset, from start: Timestamp, through end: Timestamp, for times: [Timestamp], windowDays: Int,
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    let training = dataset.indices(from: start, through: end)
    let keys = Set(times.map(Key.init))
    let size = dataset.channels.count * dataset.grid.count
    // The half-width of each day's window; wider where the training period has no such days.
    let trainingKeys = Set(training.map { Key(dataset.times[$0]) })
    var halfWidths: [Key: Int] = [:]
    for key in keys {
      let nearest = trainingKeys.filter { $0.hour == key.hour }.map { Climatology.distance($0, key) }.min()
      guard let nearest else {
        throw JigsawError(
          "data.train", "has no time at \(key.hour) UTC to make a climatology of",
          remedy: "choose initial times and leads whose hours the training data have")
      }
      halfWidths[key] = max(windowDays / 2, nearest)
    }
    var sums = halfWidths.mapValues { _ in [Double](repeating: 0, count: size) }
    var weights: [Key: Double] = [:]
    var planes = [Float](repeating: 0, count: size)
    for (done, index) in training.enumerated() {
      let time = Key(dataset.times[index])
      let near = halfWidths.filter { $0.key.hour == time.hour && Climatology.distance($0.key, time) <= $0.value }
      if !near.isEmpty {
        try planes.withUnsafeMutableBufferPointer { try dataset.readChecked(time: index, into: $0.baseAddress!) }
        for (key, halfWidth) in near {
          let weight = 1 - Double(Climatology.distance(key, time)) / Double(halfWidth + 1)
          weights[key, default: 0] += weight
          sums[key]!.withUnsafeMutableBufferPointer { sum in
            planes.withUnsafeBufferPointer { planes in
              for i in 0..<size { sum[i] += weight * Double(planes[i]) }
            }
          }
        }
      }
      progress(done + 1, training.count)
    }
    fields = Dictionary(
      uniqueKeysWithValues: sums.map { key, sum in (key, sum.map { Float($0 / weights[key]!) }) })
  }

  /// Days between two days of the year, the short way around.
  static func distance(_ a: Key, _ b: Key) -> Int {
    let days = abs(a.dayOfYear - b.dayOfYear)
    return min(days, 366 - days)
  }

  /// [channel, row, column] at a time that was asked for at the start.
  public func field(_ time: Timestamp) -> [Float] {
    guard let field = fields[Key(time)] else { preconditionFailure("no climatology was prepared for \(time)") }
    return field
  }
}

/// AR(1) coefficients of anomalies at each point and channel, from the training period.
public struct DampedPersistence: Sendable {
  /// Correlation of anomalies one step apart, [channel, row, column].
  private let coefficients: [Float]
  private let stepHours: Int

  public init(
    _ dataset: FieldDataset, from start: Timestamp, through end: Timestamp, stepHours: Int, climatology: Climatology
  ) throws {
    self.stepHours = stepHours
    let size = dataset.channels.count * dataset.grid.count
    var products = [Double](repeating: 0, count: size)
    var squares = [Double](repeating: 0, count: size)
    var previous: (time: Timestamp, anomaly: [Float])?
    var planes = [Float](repeating: 0, count: size)
    for index in dataset.indices(from: start, through: end) {
      let time = dataset.times[index]
      if let previous, time.hours(since: previous.time) < stepHours { continue }
      try planes.withUnsafeMutableBufferPointer { try dataset.readChecked(time: index, into: $0.baseAddress!) }
      let mean = climatology.field(time)
      let anomaly = zip(planes, mean).map { $0 - $1 }
      if let previous, time.hours(since: previous.time) == stepHours {
        for i in 0..<size {
          products[i] += Double(previous.anomaly[i] * anomaly[i])
          squares[i] += Double(previous.anomaly[i] * previous.anomaly[i])
        }
      }
      previous = (time, anomaly)
    }
    coefficients = zip(products, squares).map { $1 > 0 ? Float($0 / $1) : 0 }
  }

  /// climatology(valid) + r^n·(initial − climatology(initial)).
  public func forecast(
    initial: [Float], initialClimatology: [Float], validClimatology: [Float], leadHours: Int
  ) -> [Float] {
    let steps = leadHours / stepHours
    return coefficients.indices.map { i in
      var damping: Float = 1
      for _ in 0..<steps { damping *= coefficients[i] }
      return validClimatology[i] + damping * (initial[i] - initialClimatology[i])
    }
  }
}
