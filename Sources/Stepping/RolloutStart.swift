import Basics
import Datasets

/// The data that a rollout starts from.
public struct RolloutStart {
  /// One state for each step from the model's first input time to the start, oldest first.
  public let frames: [Frame]
  /// The read forcings at the time `step` steps after the start (before it where negative); nil where the model reads none.
  public let forcings: ((_ step: Int) throws -> Frame)?
  /// The true state `step` steps after the start, 1 or more, where the model has a boundary.
  public let truth: ((_ step: Int) throws -> Frame)?

  public init(
    _ frames: [Frame], forcings: ((_ step: Int) throws -> Frame)? = nil, truth: ((_ step: Int) throws -> Frame)? = nil
  ) {
    precondition(!frames.isEmpty)
    self.frames = frames
    self.forcings = forcings
    self.truth = truth
  }

  /// The state at the start.
  public var last: Frame { frames[frames.count - 1] }
}

extension Stepper {
  /// Reads the start of a rollout from the initial times with the given indices of the reader's dataset. All ranks that read
  /// together call it, as they do the reading of forcings.
  ///
  /// - Parameter forcings: reads those of the model; nil where it reads none.
  /// - Throws: where the data lack a time that the model reads, naming it.
  public func start(_ reader: FrameReader, _ indices: [Int], forcings: FrameReader? = nil) throws -> RolloutStart {
    let times = indices.map { reader.dataset.times[$0] }
    let frames = try (1 - historyCount...0).map { step in
      try reader.read(self.indices(reader.dataset, times, step: step))
    }
    let truth = { [self] step in try reader.read(self.indices(reader.dataset, times, step: step)) }
    guard let forcings else { return RolloutStart(frames, truth: truth) }
    // The input times of one step overlap with those of the next.
    var recent: [(step: Int, frame: Frame)] = []
    return RolloutStart(
      frames,
      forcings: { [self] step in
        if let known = recent.first(where: { $0.step == step }) { return known.frame }
        let frame = try forcings.read(self.indices(forcings.dataset, times, step: step))
        recent.removeAll { $0.step <= step - historyCount }
        recent.append((step, frame))
        return frame
      }, truth: truth)
  }

  /// - Throws: where the dataset lacks the time `step` steps after one of the initial times.
  private func indices(_ dataset: FieldDataset, _ times: [Timestamp], step: Int) throws -> [Int] {
    try times.map { initial in
      let time = initial.adding(hours: step * stepHours)
      guard let index = dataset.index(of: time) else {
        throw JigsawError(
          dataset.origin, "has no \(dataset.channels.map(\.name).joined(separator: ", ")) at \(time.display)",
          expected: "the fields that the model reads \(abs(step * stepHours)) h \(step > 0 ? "after" : "before") "
            + "the initial time \(initial.display)",
          remedy: "choose other initial times, or add the data of that time")
      }
      return index
    }
  }
}
