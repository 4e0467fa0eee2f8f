import Basics
import Checkpoints
import Configuration
import Datasets
import Settings
import Training

/// Samples of one update, and how they are shared out.
struct Batches: Equatable {
  /// Samples of one micro-batch of one model instance; micro-batches of an update.
  let batchSize, accumulation: Int
  let replicas: Int

  var samplesPerUpdate: Int { batchSize * accumulation * replicas }
}

/// A resumed training keeps settings of the one before, and reports changes.
extension TrainWorkflow {
  /// The configuration of the training until now: the one that the run folder holds, if any, with the settings of the training as the
  /// checkpoint records them, since the file may have been edited.
  func storedConfiguration(_ checkpoint: Checkpoint) throws -> RunConfiguration? {
    guard Files.exists(folder.configuration) else { return nil }
    var stored = try RunConfiguration.load(folder.configuration)
    let manifest = checkpoint.manifest
    if let text = manifest.trainingSettings, let trained = try? RunConfiguration.parse(text, file: checkpoint.path) {
      stored.training = trained.training
    } else if manifest.progress.samples > 0 {
      console.say(
        "note: \(checkpoint.path) does not record the settings of its training; they are taken to be those of "
          + folder.configuration)
    }
    return stored
  }

  /// The settings of this training as a checkpoint records them.
  var trainingSettings: String {
    let lines = sectionLines(configuration.training, comments: false)
    return (["training:"] + lines.map { "  \($0)" }).joined(separator: "\n") + "\n"
  }

  /// Every update of a run takes the same number of samples, so that schedule, sample order and end stay the same: with
  /// another number of replicas each takes more or fewer micro-batches, or smaller ones.
  /// - Throws: when the samples of an update can't be shared among so many, or the settings given ask for another number.
  func batches(replicas: Int, after checkpoint: Checkpoint?, _ stored: RunConfiguration?) throws -> Batches {
    let settings = configuration.training
    let asked = Batches(batchSize: settings.batchSize, accumulation: settings.accumulation, replicas: replicas)
    guard let kept = checkpoint?.manifest.progress.samplesPerUpdate, kept != asked.samplesPerUpdate else {
      return asked
    }
    let before = stored?.training
    if let before, before.batchSize != settings.batchSize || before.accumulation != settings.accumulation {
      throw JigsawError(
        "training.batchSize", "changes the samples of an update, so that schedule and sample order would be others",
        expected: "\(kept) in all (batchSize · accumulation · replicas)", found: "\(asked.samplesPerUpdate)",
        remedy: "leave batchSize and accumulation as they were, or start a new run")
    }
    guard kept % replicas == 0 else {
      throw JigsawError(
        "parallel", "the \(kept) samples of an update can't be shared among \(replicas) replicas", found: "a remainder",
        remedy: "use a number of replicas that divides \(kept)")
    }
    let each = kept / replicas
    guard let size = (1...min(each, settings.batchSize)).last(where: { each % $0 == 0 }) else {
      preconditionFailure("1 divides every number")
    }
    let batches = Batches(batchSize: size, accumulation: each / size, replicas: replicas)
    console.say(
      "\(kept) samples per update as before: replicas \(replicas), batchSize \(size), accumulation \(batches.accumulation)"
    )
    return batches
  }

  /// - Throws: when what was asked for lies behind the checkpoint.
  /// - Returns: whether the update to stop at is reached.
  func isAtStop(_ checkpoint: Checkpoint, totalUpdates: Int) throws -> Bool {
    let update = checkpoint.manifest.progress.update
    if let stopAfter, stopAfter < update {
      throw JigsawError(
        "--stop-after \(stopAfter)", "lies behind the run, there is nothing to do",
        expected: "more than \(update) updates",
        found: checkpoint.path)
    }
    if totalUpdates < update {
      throw JigsawError(
        "training.updates", "lies behind the run, there is nothing to do", expected: "at least \(update) updates",
        found: "\(totalUpdates)",
        remedy: "to use an earlier state, name its checkpoint in 'jigsaw forecast --checkpoint'")
    }
    guard stopAfter == update else { return false }
    console.say("nothing to do: update \(update) is reached, where --stop-after ends")
    return true
  }

  /// Settings that say where and how often to start, not what is trained.
  private static let unspoken: Set<String> = ["run", "resume"]

  /// Reports what differs from before: settings, and the learning rate that follows from them.
  func sayChanges(since stored: RunConfiguration?, _ plan: Plan, _ batches: Batches, at update: Int) throws {
    guard let stored else { return }
    let before = Dictionary(stored.settings.map { ($0.key, $0.value) }) { first, _ in first }
    let now = configuration.settings
    for (key, value) in now where before[key] != value && !TrainWorkflow.unspoken.contains(key) {
      console.say("setting changed: \(key) \(before[key] ?? "nothing") → \(value) (kept in \(folder.configuration))")
    }
    let names = Set(now.map(\.key))
    for (key, value) in stored.settings where !names.contains(key) {
      console.say("setting changed: \(key) \(value) → nothing (kept in \(folder.configuration))")
    }
    let schedule = try TrainWorkflow(stored, console: .silent).schedule(
      samples: plan.sampler.count, samplesPerUpdate: batches.samplesPerUpdate)
    guard schedule != plan.schedule, update > 0, update < plan.totalUpdates else { return }
    console.say(
      "learning rate: \(significant(schedule.rate(update - 1))) at update \(update), "
        + "\(significant(plan.schedule.rate(update))) from update \(update + 1) on, "
        + "\(significant(plan.schedule.rate(plan.totalUpdates - 1))) at the end (update \(plan.totalUpdates))")
  }

  /// The properties of the data that all ranks must have found alike.
  func facts(_ dataset: FieldDataset) -> [Agreement.Fact] {
    let times = dataset.times.reduce(UInt64(dataset.times.count)) {
      ($0 ^ UInt64(bitPattern: $1.seconds)) &* 0x100_0000_01B3
    }
    return [
      ("data: stores", dataset.origin), ("data: fields", dataset.channels.map(\.name).joined(separator: ", ")),
      ("data: static fields", dataset.staticChannels.map(\.name).joined(separator: ", ")),
      ("data: grid", dataset.grid.summary),
      (
        "data: times",
        "\(dataset.times.count) from \(dataset.times.first?.display ?? "none") to "
          + "\(dataset.times.last?.display ?? "none") (\(String(times, radix: 16)))"
      ),
    ]
  }

  func facts(_ statistics: DatasetStatistics) -> [Agreement.Fact] {
    statistics.channels.sorted { $0.key < $1.key }.map {
      ("statistics of \($0.key)", "mean \($0.value.mean), stdev \($0.value.deviation)")
    }
  }
}
