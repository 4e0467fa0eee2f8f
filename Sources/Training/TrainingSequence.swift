import Basics
import Datasets
import Tensors

/// The frames of a training run: for each micro-batch of each update the initial states, then the targets, the farthest
/// first, as the backward sweep needs them.
struct TrainingSequence: FrameSequence {
  let sampler: Sampler
  let dataset: FieldDataset
  let stepHours: Int
  let batchSize, accumulation: Int
  let rollout: RolloutPlan
  let seed: UInt64
  let totalUpdates: Int
  /// 0, or the columns of a tile: samples are turned around the globe by a random multiple of it.
  let rollColumns: Int
  private var update: Int
  private var queue: ArraySlice<FrameRequest> = []

  init(
    sampler: Sampler, dataset: FieldDataset, stepHours: Int, batchSize: Int, accumulation: Int, rollout: RolloutPlan,
    seed: UInt64, totalUpdates: Int, rollColumns: Int, firstUpdate: Int
  ) {
    self.sampler = sampler
    self.dataset = dataset
    self.stepHours = stepHours
    self.batchSize = batchSize
    self.accumulation = accumulation
    self.rollout = rollout
    self.seed = seed
    self.totalUpdates = totalUpdates
    self.rollColumns = rollColumns
    update = firstUpdate
  }

  mutating func next() -> FrameRequest? {
    if queue.isEmpty {
      if update >= totalUpdates { return nil }
      let steps = rollout.steps(update: update, of: totalUpdates, seed: seed)
      var frames: [FrameRequest] = []
      for micro in 0..<accumulation {
        let batch = update * accumulation + micro
        let starts = sampler.batch(batch, size: batchSize)
        let shifts = columnShifts(batch: batch)
        frames.append(FrameRequest(indices: starts, columnShifts: shifts))
        let leads = rollout.kind == .latent ? [steps] : Array((1...steps).reversed())
        for lead in leads {
          frames.append(
            FrameRequest(indices: starts.map { index(after: $0, steps: lead) }, columnShifts: shifts))
        }
      }
      queue = frames[...]
      update += 1
    }
    return queue.removeFirst()
  }

  private func columnShifts(batch: Int) -> [Int] {
    guard rollColumns > 0 else { return Array(repeating: 0, count: batchSize) }
    let stream = RandomStream(seed: seed, name: "roll", step: UInt64(batch))
    return (0..<batchSize).map { stream.integer(below: dataset.grid.columns / rollColumns, index: $0) * rollColumns }
  }

  private func index(after start: Int, steps: Int) -> Int {
    guard let index = dataset.index(of: dataset.times[start].adding(hours: steps * stepHours)) else {
      preconditionFailure("the sampler chose a start without its target")
    }
    return index
  }
}
