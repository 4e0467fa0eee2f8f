import Basics
import Datasets
import Models

/// The checkpoint called `best`, and whether it is one of the run whose folder it lies in.
extension CheckpointFolder {
  /// The best checkpoint of the run. It is compared with the newest, where that can be read.
  /// - Throws: where it is one of another run, or one that the run has left behind.
  public func best() throws -> Checkpoint? {
    try settled {
      guard let best = try bestOfAny() else { return nil }
      if let newest = try? newest(), let mismatch = mismatch(best, newest) { throw mismatch }
      return best
    }
  }

  /// The checkpoint that is called best, whichever run it is of.
  public func bestOfAny() throws -> Checkpoint? {
    Checkpoint.isOne(bestPath) ? try Checkpoint(bestPath) : nil
  }

  /// The error where a best checkpoint is not the one that the newest of the run knows; nil where it is, or there is no newest.
  /// - Throws: where the newest can't be read.
  public func mismatch(of best: Checkpoint) throws -> JigsawError? {
    try newest().flatMap { mismatch(best, $0) }
  }

  private func mismatch(_ best: Checkpoint, _ newest: Checkpoint) -> JigsawError? {
    let place = newest.path.split(separator: "/").last ?? ""
    func error(_ problem: String, _ expected: String, _ found: String) -> JigsawError {
      JigsawError(
        best.path, problem, expected: "\(expected), as in \(place)", found: found,
        remedy: "put it elsewhere, or name it as it is with --checkpoint \(best.path)")
    }
    let (own, other) = (newest.manifest, best.manifest)
    if let difference = own.otherTraining(other) {
      return error("is of another run (\(difference.what))", difference.recorded, difference.now)
    }
    if let difference = own.otherBest(other) {
      return error("is not the best checkpoint of this run", difference.recorded, difference.now)
    }
    return nil
  }
}

extension CheckpointManifest {
  /// A property that all checkpoints of one training share, and that another's differs in.
  fileprivate func otherTraining(_ other: CheckpointManifest) -> Lineage.Difference? {
    // An imported model has not been trained here: seed, period and statistics begin with the first update.
    if progress.samples == 0 { return nil }
    let properties: [(String, (CheckpointManifest) -> String)] = [
      ("seed", { "\($0.progress.seed)" }),
      ("training period", { "\($0.trainingStart) to \($0.trainingEnd)" }),
      ("step", { "\($0.stepHours) h" }),
      ("fields", { $0.channels.map(\.channel.name).joined(separator: ", ") }),
      ("grid", { $0.grid.summary }),
      ("model", { $0.model.settings.title + $0.settingsText }),
      ("initial weights", { $0.initialWeights?.model.summary ?? "none" }),
    ]
    for (what, text) in properties where text(self) != text(other) {
      return Lineage.Difference(what, recorded: text(self), now: text(other))
    }
    for (own, found) in zip(channels, other.channels) where !own.statistics.isNear(found.statistics) {
      func text(_ row: ChannelStatistics) -> String {
        "mean \(significant(row.mean)), stdev \(significant(row.deviation))"
      }
      return Lineage.Difference(
        "statistics of \(own.channel.name)", recorded: text(own.statistics), now: text(found.statistics))
    }
    if let training, let found = other.training, training != found {
      return Lineage.Difference("settings or data at its start", recorded: training, now: found)
    }
    return nil
  }

  private var settingsText: String {
    model.settings.computedEntries.map { " \($0.key) \($0.value)" }.joined()
  }

  /// The best checkpoint that this one, written later, knows of, if it is another.
  fileprivate func otherBest(_ other: CheckpointManifest) -> Lineage.Difference? {
    // A best of a later update is not known yet.
    if other.progress.update > progress.update { return nil }
    if let known = best ?? (progress.bestUpdate == progress.update ? identity : nil) {
      // Without checksums identities can't be compared.
      let isSame = other.files == nil || files == nil ? known.update == other.progress.update : known == other.identity
      return isSame
        ? nil : Lineage.Difference("best", recorded: known.summary, now: other.identity.summary)
    }
    if training != nil { return Lineage.Difference("best", recorded: "none", now: other.identity.summary) }
    // Version 0.1 noted the update alone.
    guard let update = progress.bestUpdate, update != other.progress.update else { return nil }
    return Lineage.Difference("best", recorded: "update \(update)", now: other.identity.summary)
  }
}
