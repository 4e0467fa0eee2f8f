import Basics
import Datasets
import Tensors

/// The frames that one model instance trains on: for each micro-batch of each update the initial states, then the targets,
/// the farthest first, as the backward sweep needs them.
///
/// Samples are counted over all instances: those of one micro-batch follow each other, replica by replica. So it is the
/// total batch that decides what is trained on, however it is shared out.
struct TrainingSequence: FrameSequence {
  let sampler: Sampler
  let dataset: FieldDataset
  let stepHours: Int
  let batchSize, accumulation: Int
  let rollout: RolloutPlan
  let seed: UInt64
  let totalUpdates: Int
  let replica, replicas: Int
  /// 0, or the columns of a tile: samples are turned around the globe by a random multiple of it.
  let rollColumns: Int
  private var update: Int
  /// Samples before this update.
  private var samples: Int
  private var queue: ArraySlice<FrameRequest> = []

  init(
    sampler: Sampler, dataset: FieldDataset, stepHours: Int, batchSize: Int, accumulation: Int, rollout: RolloutPlan,
    seed: UInt64, totalUpdates: Int, replica: Int, replicas: Int, rollColumns: Int, firstUpdate: Int, firstSample: Int
  ) {
    self.sampler = sampler
    self.dataset = dataset
    self.stepHours = stepHours
    self.batchSize = batchSize
    self.accumulation = accumulation
    self.rollout = rollout
    self.seed = seed
    self.totalUpdates = totalUpdates
    self.replica = replica
    self.replicas = replicas
    self.rollColumns = rollColumns
    update = firstUpdate
    samples = firstSample
  }

  mutating func next() -> FrameRequest? {
    if queue.isEmpty {
      if update >= totalUpdates { return nil }
      let steps = rollout.steps(update: update, of: totalUpdates, seed: seed)
      var frames: [FrameRequest] = []
      for micro in 0..<accumulation {
        let first = samples + (micro * replicas + replica) * batchSize
        let starts = sampler.samples(first..<first + batchSize)
        let shifts = columnShifts(first..<first + batchSize)
        frames.append(FrameRequest(indices: starts, columnShifts: shifts))
        let leads = rollout.kind == .latent ? [steps] : Array((1...steps).reversed())
        for lead in leads {
          frames.append(
            FrameRequest(indices: starts.map { index(after: $0, steps: lead) }, columnShifts: shifts))
        }
      }
      queue = frames[...]
      update += 1
      samples += accumulation * replicas * batchSize
    }
    return queue.removeFirst()
  }

  private func columnShifts(_ samples: Range<Int>) -> [Int] {
    guard rollColumns > 0 else { return Array(repeating: 0, count: batchSize) }
    let stream = RandomStream(seed: seed, name: "roll")
    return samples.map { stream.integer(below: dataset.grid.columns / rollColumns, index: $0) * rollColumns }
  }

  private func index(after start: Int, steps: Int) -> Int {
    guard let index = dataset.index(of: dataset.times[start].adding(hours: steps * stepHours)) else {
      preconditionFailure("the sampler chose a start without its target")
    }
    return index
  }
}
