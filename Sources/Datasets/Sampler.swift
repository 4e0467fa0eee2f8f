import Basics
import Tensors

/// The order in which samples are visited: a permutation per epoch, from the seed and the epoch alone.
///
/// A sample is an initial time whose state, the states that the model reads before it, and those up to `leadSteps` steps
/// later all lie in the period.
public struct Sampler: Sendable, Equatable {
  /// Indices of the initial times in the dataset.
  public let starts: [Int]
  public let seed: UInt64
  public let isShuffled: Bool

  /// The steps of a sample, seen from its initial time.
  public struct Steps: Sendable, Equatable {
    /// Hours that one step covers.
    public var hours: Int
    /// The earliest state that is read, 0 or less, and the latest one, at least 1.
    public var first, last: Int

    public init(hours: Int, first: Int = 0, last: Int) {
      self.hours = hours
      self.first = min(0, first)
      self.last = max(1, last)
    }
  }

  /// - Parameter forcings: data that are read at every time of a sample but the last one.
  public init(
    _ dataset: FieldDataset, forcings: FieldDataset? = nil, from start: Timestamp, through end: Timestamp,
    _ steps: Steps, seed: UInt64, isShuffled: Bool, place: String
  ) throws {
    let indices = dataset.indices(from: start, through: end)
    starts = indices.filter { index in
      (steps.first...steps.last).allSatisfy { step in
        let time = dataset.times[index].adding(hours: step * steps.hours)
        let hasForcings = step == steps.last || forcings.map { $0.index(of: time) != nil } ?? true
        return time >= start && time <= end && dataset.index(of: time) != nil && hasForcings
      }
    }
    self.seed = seed
    self.isShuffled = isShuffled
    if starts.isEmpty {
      let problem =
        "holds no sample of \(steps.last - steps.first) steps of \(steps.hours) h between \(start.display) and \(end.display)"
      if indices.count > 1 {
        let spacing = dataset.times[indices[1]].hours(since: dataset.times[indices[0]])
        throw JigsawError(
          place, problem, found: "\(indices.count) times, the first two \(spacing) h apart",
          remedy: "set data.stepHours to a multiple of that, or choose a longer period")
      }
      let span =
        dataset.times.isEmpty
        ? "no times" : "times from \(dataset.times[0].display) to \(dataset.times[dataset.times.count - 1].display)"
      throw JigsawError(place, problem, found: span, remedy: "choose a period within the data")
    }
  }

  public var count: Int { starts.count }

  /// Dataset indices of samples, counted since the first epoch.
  public func samples(_ positions: Range<Int>) -> [Int] {
    var order: (epoch: Int, indices: [Int])?
    return positions.map { position in
      let (epoch, index) = position.quotientAndRemainder(dividingBy: count)
      guard isShuffled else { return starts[index] }
      if order?.epoch != epoch { order = (epoch, permutation(epoch: epoch)) }
      return starts[order!.indices[index]]
    }
  }

  /// Fisher–Yates with counter-based numbers.
  func permutation(epoch: Int) -> [Int] {
    let stream = RandomStream(seed: seed, name: "sampler", step: UInt64(epoch))
    var order = Array(0..<count)
    for i in stride(from: count - 1, to: 0, by: -1) { order.swapAt(i, stream.integer(below: i + 1, index: i)) }
    return order
  }
}
