import Basics
import Checkpoints
import Configuration
import Datasets

/// The checkpoints that a training knows as its own, and the best of them.
extension TrainWorkflow {
  /// Settings that change nothing in what a training of the same length learns: names, or what names begin with.
  private static let withoutEffect = [
    "data.sources", "data.cacheGiB", "data.statistics", "data.notice", "data.test.", "training.updates",
    "training.epochs", "training.batchSize", "training.accumulation", "training.checkpoint.", "training.prefetch",
    "training.stallMinutes", "training.checkpointActivations", "training.initialWeights", "model.memoryGiB",
    "model.mapperChunks", "model.processorChunks",
  ]

  /// A digest of the data and settings that a training begins with, by which checkpoints of another one are known.
  func digest(_ data: DataFingerprint, _ weights: InitialWeights?) -> String {
    var digest = Digest()
    digest.add(data.content)
    digest.add(weights?.origin.model.summary ?? "")
    for (key, value) in configuration.settings where key == "seed" || key == "precision" || isOfTraining(key) {
      digest.add("\(key) \(value)")
    }
    return digest.text
  }

  private func isOfTraining(_ key: String) -> Bool {
    ["data.", "model.", "training."].contains(where: key.hasPrefix)
      && !TrainWorkflow.withoutEffect.contains(where: key.hasPrefix)
  }

  /// The measure of a validation loss; losses of other measures can't be compared.
  static func measure(_ configuration: RunConfiguration) -> String {
    configuration.settings.filter { key, _ in
      key.hasPrefix("training.loss.") || key.hasPrefix("data.validation.")
        || ["training.validation.samples", "training.validation.steps"].contains(key)
    }.map { "\($0.key) \($0.value)" }.joined(separator: ";")
  }

  /// Takes the progress of a checkpoint: with the best so far, where that still can be compared.
  func takeProgress(of checkpoint: Checkpoint, _ stored: RunConfiguration?, into manifest: inout CheckpointManifest)
    throws
  {
    let (checkpoints, found) = (folder.checkpoints(), checkpoint.manifest.progress)
    let measure = TrainWorkflow.measure(configuration)
    var (progress, best) = (found, try checkpoints.bestOfAny())
    var reason = best == nil ? "the best checkpoint is not there any more" : nil
    if let mismatch = try best.flatMap(checkpoints.mismatch) {
      console.say("note: \(mismatch)")
      (best, reason) = (nil, "the checkpoint called best is not this run's")
    }
    manifest.best = best?.manifest.identity
    // A training that was stopped after it had a new best checkpoint, and before it saved another one.
    if let later = best?.manifest.progress, later.update > found.update {
      (progress.bestValidationLoss, progress.bestUpdate) = (later.bestValidationLoss, later.bestUpdate)
      progress.bestMeasure = later.bestMeasure
    }
    let before = progress.bestMeasure ?? stored.map(TrainWorkflow.measure)
    progress.bestMeasure = measure
    defer { manifest.progress = progress }
    guard progress.bestValidationLoss != nil else { return }
    let (then, now) = (Lineage(data: (best ?? checkpoint).manifest.data), Lineage(data: manifest.data))
    if reason == nil, then.difference(from: now) != nil {
      console.say(
        "the data are others than those by which the best checkpoint was chosen: the next validation makes a new one; until then "
          + "'best' is the one of update \(progress.bestUpdate ?? 0)")
    } else if let before, before != measure, reason == nil {
      let old = Set(before.split(separator: ";"))
      let changed = measure.split(separator: ";").filter { !old.contains($0) }.joined(separator: ", ")
      console.say(
        "the validation loss is another than before (now \(changed)): the next validation makes a new best checkpoint; "
          + "until then 'best' is the one of update \(progress.bestUpdate ?? 0)")
    } else if let reason {
      console.say("\(reason): the next validation makes a new one")
    } else {
      return
    }
    (progress.bestValidationLoss, progress.bestUpdate) = (nil, nil)
  }
}
