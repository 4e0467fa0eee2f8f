import Basics
import Checkpoints
import Datasets
import Stepping
import Tensors

/// The samples that the updates of a training consist of.
///
/// Samples are counted over all instances: those of one micro-batch follow each other, replica by replica. So it is the
/// total batch that decides what is trained on, however it is shared out.
struct TrainingSamples {
  let sampler: Sampler
  let options: Trainer.Options
  /// Times of the dataset that the sampler counts, and the grid columns of that dataset.
  let dataset: FieldDataset
  /// 0, or the columns of a tile: samples are rolled in longitude by a random multiple of it.
  let rollColumns: Int
  let replica, replicas: Int
}

/// The frames of one dataset that one model instance trains on, micro-batch by micro-batch.
struct TrainingSequence: FrameSequence {
  enum Contents {
    /// The states from the model's first input time to the start, oldest first, then the targets, the farthest first, as the
    /// backward sweep needs them.
    case states
    /// Read forcings at every time at which a step reads them, oldest first.
    case forcings
  }

  private let samples: TrainingSamples
  private let contents: Contents
  private let dataset: FieldDataset
  private let stepHours, historyCount: Int
  private var update: Int
  /// Samples before this update.
  private var sampleCount: Int
  private var queue: ArraySlice<FrameRequest> = []

  /// - Parameters:
  ///   - dataset: to read from.
  ///   - stepper: that reads the frames.
  ///   - progress: where the training stands.
  init(
    _ contents: Contents, of samples: TrainingSamples, from dataset: FieldDataset, for stepper: Stepper,
    since progress: CheckpointManifest.Progress
  ) {
    self.contents = contents
    self.samples = samples
    self.dataset = dataset
    stepHours = stepper.stepHours
    historyCount = stepper.historyCount
    update = progress.update
    sampleCount = progress.samples
  }

  mutating func next() -> FrameRequest? {
    if queue.isEmpty {
      let options = samples.options
      if update >= options.totalUpdates { return nil }
      let steps = options.rollout.steps(update: update, of: options.totalUpdates, seed: options.seed)
      var frames: [FrameRequest] = []
      for micro in 0..<options.accumulation {
        let first = sampleCount + (micro * samples.replicas + samples.replica) * options.batchSize
        let starts = samples.sampler.samples(first..<first + options.batchSize)
        let shifts = columnShifts(first..<first + options.batchSize)
        for offset in offsets(steps: steps) {
          frames.append(
            FrameRequest(indices: starts.map { index(after: $0, steps: offset) }, columnShifts: shifts))
        }
      }
      queue = frames[...]
      update += 1
      sampleCount += options.accumulation * samples.replicas * options.batchSize
    }
    return queue.removeFirst()
  }

  /// Steps after the start of a rollout of so many steps.
  private func offsets(steps: Int) -> [Int] {
    let history = Array(1 - historyCount...0)
    let isLatent = samples.options.rollout.kind == .latent
    return switch contents {
    case .states: history + (isLatent ? [steps] : (1...steps).reversed())
    case .forcings: history + (isLatent ? [] : Array(1..<steps))
    }
  }

  private func columnShifts(_ range: Range<Int>) -> [Int] {
    guard samples.rollColumns > 0 else { return Array(repeating: 0, count: range.count) }
    let stream = RandomStream(seed: samples.options.seed, name: "roll")
    return range.map {
      stream.integer(below: samples.dataset.grid.columns / samples.rollColumns, index: $0) * samples.rollColumns
    }
  }

  private func index(after start: Int, steps: Int) -> Int {
    guard let index = dataset.index(of: samples.dataset.times[start].adding(hours: steps * stepHours)) else {
      preconditionFailure("the sampler chose a start without its frames")
    }
    return index
  }
}
