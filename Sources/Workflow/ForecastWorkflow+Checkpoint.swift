import Basics
import Checkpoints
import Datasets

/// The checkpoint that a forecast is made with.
extension ForecastWorkflow {
  /// The setting under which a forecast records the choice of its checkpoint: best, newest, automatic or a path.
  static let choiceKey = "checkpoint asked for"

  func openCheckpoint() throws -> Checkpoint {
    let checkpoints = folder.checkpoints()
    let missing = JigsawError(
      folder.path, "holds no checkpoint", remedy: "train first with 'jigsaw train', or pass --checkpoint")
    switch choice {
    case .path(let path): return try Checkpoint(path)
    case .newest:
      guard let checkpoint = try checkpoints.newest() else { throw missing }
      return checkpoint
    case .best:
      guard let checkpoint = try checkpoints.best() else { throw missing }
      return checkpoint
    case .automatic:
      guard let checkpoint = try checkpoints.preferred() else { throw missing }
      try sayOthers(than: checkpoint, in: checkpoints)
      return checkpoint
    }
  }

  /// Notes on the best checkpoint where it is not there, can't be compared, or may not be the best.
  private func sayOthers(than checkpoint: Checkpoint, in checkpoints: CheckpointFolder) throws {
    let (path, progress) = (checkpoints.path, checkpoint.manifest.progress)
    if try checkpoints.bestOfAny() == nil {
      let isThere = Files.exists("\(path)/best")
      guard isThere || progress.bestUpdate != nil else { return }
      let update = progress.bestUpdate.map { " (of update \($0))" } ?? ""
      console.say(
        "note: \(path)/best\(update) \(isThere ? "has no manifest.json, so it is no complete checkpoint" : "is missing"); "
          + "taking the newest checkpoint, \(checkpoint.path)")
      return
    }
    let newest: Checkpoint?
    do { newest = try checkpoints.newest() } catch {
      return console.say("note: whether \(checkpoint.path) is the run's best is not known: \(error)")
    }
    let (own, last) = (progress.update, newest?.manifest.progress ?? progress)
    if last.update > own, last.validatedUpdate ?? own <= own {
      console.say(
        "note: the best checkpoint (update \(own)) was never compared with later ones, up to update \(last.update), since "
          + "none was validated; --checkpoint newest uses the latest")
    }
  }

  /// How the checkpoint of a forecast differs from that of one that is made now in the same way; nil where it is the same, or
  /// where one of them isn't known.
  static func staleness(of forecast: Lineage, _ folder: RunFolder) throws -> Lineage.Difference? {
    let checkpoints = folder.checkpoints()
    let now: Checkpoint? =
      switch forecast.settings[choiceKey] {
      case Choice.newest.text: try checkpoints.newest()
      case Choice.best.text: try checkpoints.best()
      case let path? where path.hasPrefix("/"): Files.exists("\(path)/manifest.json") ? try Checkpoint(path) : nil
      default: try checkpoints.preferred()
      }
    return now.flatMap { forecast.difference(from: Lineage(model: $0.manifest.identity)) }
  }
}
