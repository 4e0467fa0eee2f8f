import Basics
import Checkpoints
import Configuration
import Datasets
import Distribution
import Execution
import Training

/// Beginning with another run's weights.
extension TrainWorkflow {
  /// Fills what fits of the weights that the configuration names; nil where it names none.
  func takeInitialWeights(
    into rank: ModelRank, _ manifest: CheckpointManifest, _ run: RunContext
  ) throws -> InitialWeights? {
    guard let path = configuration.training.initialWeights else { return nil }
    let checkpoint = try TrainWorkflow.checkpoint(at: path)
    try Agreement.check(
      [("training.initialWeights", "\(checkpoint.path), \(checkpoint.manifest.identity.summary)")], on: run.world)
    let weights = try InitialWeights(checkpoint, for: rank.parameters.table, manifest)
    try weights.load(into: rank)
    return weights
  }

  /// How static fields and computed forcings are normalised: as by the run that is resumed, or whose weights a new one of the
  /// same fields begins with; nil: as the data say.
  func auxiliaryScaling(after checkpoint: Checkpoint?) throws -> [AffineScaling]? {
    if let checkpoint { return checkpoint.manifest.auxiliaryScaling }
    guard let path = configuration.training.initialWeights else { return nil }
    let manifest = try TrainWorkflow.checkpoint(at: path).manifest
    let isSame =
      manifest.staticFields == configuration.data.staticFields
      && manifest.forcings == configuration.data.computedForcings
    return isSame ? manifest.auxiliaryScaling : nil
  }

  func introduce(_ weights: InitialWeights, _ manifest: CheckpointManifest) {
    for line in weights.lines { console.say(line) }
    if let step = weights.otherStep(manifest) { console.say("note: initial weights: \(step)") }
    let renormalised = weights.renormalised(manifest)
    if !renormalised.isEmpty {
      console.say(
        "note: normalised otherwise than where the weights come from: \(renormalised.joined(separator: ", ")); "
          + "data.statistics can name that run's statistics.json")
    }
  }

  /// A checkpoint, or the best, else the newest, of a run.
  private static func checkpoint(at path: String) throws -> Checkpoint {
    if Files.exists("\(path)/manifest.json") { return try Checkpoint(path) }
    if let found = try RunFolder(path).checkpoints().preferred() { return found }
    throw JigsawError(
      "training.initialWeights", "names no run with checkpoints, and no checkpoint", found: path,
      remedy: "name a run folder, or a folder such as RUN/checkpoints/update-0001000")
  }

  /// A resumed run has weights of its own.
  func checkInitialWeights(since stored: RunConfiguration?) throws {
    let (before, now) = (stored?.training.initialWeights, configuration.training.initialWeights)
    guard stored != nil, now != nil, before != now else { return }
    throw JigsawError(
      "training.initialWeights", "is for a new run, and this one resumes with its own weights",
      expected: before ?? "null", found: now ?? "null",
      remedy: "start a new run with it in another folder (--set run=…)")
  }
}
