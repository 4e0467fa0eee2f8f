import Basics
import Checkpoints
import Datasets

/// The checkpoint that a forecast is made with.
extension ForecastWorkflow {
  /// Opened checkpoints before one is given up that its training replaces again and again.
  private static let tries = 5

  /// Runs `body` with the checkpoint, the same on all ranks, and again with a new one where a training that goes on has replaced it
  /// before its weights were read.
  func withCheckpoint<Result>(_ body: (Checkpoint) throws -> Result) throws -> Result {
    for left in (0..<ForecastWorkflow.tries).reversed() {
      let checkpoint = try openCheckpoint()
      do {
        try Agreement.check(
          [("checkpoint", "\(checkpoint.path), \(checkpoint.manifest.identity.summary)")], on: world)
      } catch let error as JigsawError {
        // Ranks look one after the other.
        if left == 0 { throw error }
        continue
      }
      do { return try body(checkpoint) } catch let replaced as ReplacedCheckpoint {
        if left == 0 { throw replaced.error }
        console.say("note: \(checkpoint.path) was replaced by its training meanwhile; opening it again")
      }
    }
    preconditionFailure("the last try returns or throws")
  }

  func openCheckpoint() throws -> Checkpoint {
    let checkpoints = folder.checkpoints()
    func missing() -> JigsawError { folder.noCheckpoint(or: ", or pass --checkpoint") }
    switch choice {
    case .path(let path): return try Checkpoint(path)
    case .newest:
      guard let checkpoint = try checkpoints.newest() else { throw missing() }
      return checkpoint
    case .best:
      guard let checkpoint = try checkpoints.best() else { throw missing() }
      return checkpoint
    case .automatic:
      guard let checkpoint = try checkpoints.preferred() else { throw missing() }
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

  /// How the checkpoint of a forecast differs from that of one that is made now in the same way; where none is left for that, how
  /// its training differs from the run's. Nil where they are the same, or where one of them isn't known.
  static func staleness(of forecast: Lineage, _ folder: RunFolder) throws -> Lineage.Difference? {
    let checkpoints = folder.checkpoints()
    let now: Checkpoint? =
      switch forecast.settings[Lineage.choice] {
      case Choice.newest.text(in: folder): try checkpoints.newest()
      case Choice.best.text(in: folder): try checkpoints.best()
      case let name? where name.contains("/"): try namedCheckpoint(name, folder)
      default: try checkpoints.preferred()
      }
    if let now { return forecast.difference(from: Lineage(model: now.manifest.identity)) }
    // A checkpoint elsewhere is not of the run's training, whatever that is.
    if forecast.settings[Lineage.choice]?.hasPrefix("/") == true { return nil }
    return try otherTraining(than: forecast, folder)
  }

  private static func otherTraining(than forecast: Lineage, _ folder: RunFolder) throws -> Lineage.Difference? {
    let checkpoints = folder.checkpoints()
    let recorded = forecast.model?.summary ?? "an unknown checkpoint"
    if try folder.isBeingReplaced {
      return Lineage.Difference(
        "checkpoint", recorded: recorded, now: "none yet of the training that replaces its model")
    }
    guard let own = try checkpoints.newest() ?? checkpoints.bestOfAny(), let training = own.manifest.training,
      let before = forecast.training, training != before
    else { return nil }
    return Lineage.Difference(
      "training", recorded: "\(recorded), of a training that began with other settings or data",
      now: own.manifest.identity.summary)
  }

  /// The checkpoint that a forecast was made with by its path, where it is there still.
  ///
  /// - Parameter name: as recorded: from the folder of the run on, or from the root on, as all paths were before the run was moved.
  private static func namedCheckpoint(_ name: String, _ folder: RunFolder) throws -> Checkpoint? {
    let own = name.hasPrefix("/") ? name : "\(folder.path)/\(name)"
    let moved = "\(folder.checkpoints().path)/\(name.split(separator: "/").last ?? "")"
    return try [own, moved].first { Files.exists("\($0)/manifest.json") }.map { try Checkpoint($0) }
  }

  /// A sentence where the checkpoint that a forecast was made with by its path is not there any more; nil where it is.
  static func absence(of forecast: Lineage, _ folder: RunFolder) throws -> String? {
    guard let name = forecast.settings[Lineage.choice], name.contains("/"), let model = forecast.model,
      try namedCheckpoint(name, folder) == nil
    else { return nil }
    return "is of \(model.summary), made with \(name), which is not there any more"
  }
}
