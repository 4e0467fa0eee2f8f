import Basics
import Datasets

/// Damping coefficients of anomalies at each point and channel, from the training period.
struct DampedPersistence: Sendable {
  /// Slope of the regression of an anomaly on the one a step before, [channel, row, column].
  private let coefficients: [Float]
  private let stepHours: Int
  private let size: Int

  init(_ reader: ChannelReader, training: [Int], stepHours: Int, climatology: Climatology) throws {
    self.stepHours = stepHours
    size = reader.dataset.grid.count
    var products = [Double](repeating: 0, count: reader.count)
    var squares = products
    var previous: (time: Timestamp, anomaly: [Float])?
    var planes = [Float](repeating: 0, count: reader.count)
    for index in training {
      let time = reader.dataset.times[index]
      if let previous, time.hours(since: previous.time) < stepHours { continue }
      try reader.readChecked(time: index, into: &planes)
      let mean = climatology.field(time)
      let anomaly = zip(planes, mean).map { $0 - $1 }
      if let previous, time.hours(since: previous.time) == stepHours {
        for i in anomaly.indices {
          products[i] += Double(previous.anomaly[i] * anomaly[i])
          squares[i] += Double(previous.anomaly[i] * previous.anomaly[i])
        }
      }
      previous = (time, anomaly)
    }
    coefficients = zip(products, squares).map { $1 > 0 ? Float($0 / $1) : 0 }
  }

  /// climatology(valid) + r^n·(initial − climatology(initial)) of a channel; fields [row, column].
  func forecast(
    _ channel: Int, initial: ArraySlice<Float>, initialClimatology: ArraySlice<Float>,
    validClimatology: ArraySlice<Float>, leadHours: Int
  ) -> [Float] {
    let steps = leadHours / stepHours
    return zip(
      zip(initial, initialClimatology), zip(validClimatology, coefficients[channel * size..<(channel + 1) * size])
    )
    .map { initial, valid in
      var damping: Float = 1
      for _ in 0..<steps { damping *= valid.1 }
      return valid.0 + damping * (initial.0 - initial.1)
    }
  }
}
