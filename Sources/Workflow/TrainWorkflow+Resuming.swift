import Basics
import Checkpoints
import Configuration
import Datasets
import Models
import Training

/// Checks what must be the same for a run to resume from a checkpoint.
extension TrainWorkflow {
  /// Training resumes from a checkpoint only with the same model on the same kind of data.
  func checkInputs(_ checkpoint: Checkpoint, _ dataset: FieldDataset, forcings: FieldDataset?, samples: Int) throws {
    let found = checkpoint.manifest
    func list(_ names: [String]) -> String { names.isEmpty ? "none" : names.joined(separator: ", ") }
    let data = configuration.data
    try checkpoint.requireSame(
      "variables", list(dataset.channels.map(\.name)), list(found.channels.map(\.channel.name)))
    try checkpoint.requireSame("static fields", list(data.staticFields), list(found.staticFields))
    try checkpoint.requireSame(
      "forcings", list(data.computedForcings.map(\.rawValue) + (forcings?.channels ?? []).map(\.name)),
      list(found.forcings.map(\.rawValue) + (found.readForcings ?? []).map(\.channel.name)))
    func lines(_ signatures: [String: String]?) -> [String] {
      (signatures ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    }
    try checkpoint.requireSame(
      "data.impute", list(lines(Assembly.imputationSignatures(dataset, forcings))), list(lines(found.imputed)),
      article: "another")
    try checkpoint.requireSame("boundary", dataset.boundarySignature ?? "none", found.boundary ?? "none")
    try checkpoint.requireSame("step", "\(data.stepHours) h", "\(found.stepHours) h", article: "another")
    if !found.grid.matches(dataset.grid) {
      let (kept, own) = found.grid.summaries(against: dataset.grid)
      try checkpoint.requireSame("grid", own, kept, article: "another")
    }
    let model = try Assembly.description(
      configuration, dataset, forcings: forcings, tendencyScale: found.model.fields.tendencyScale)
    func steps(_ model: ModelDescription) -> String { list(model.fields.inputSteps.map { "\($0)" }) }
    try checkpoint.requireSame("input steps", steps(model), steps(found.model))
    func diagnostics(_ model: ModelDescription) -> String {
      list(model.fields.diagnostics.sorted().map { dataset.channels[$0].name })
    }
    try checkpoint.requireSame("diagnostic fields", diagnostics(model), diagnostics(found.model))
    try checkpoint.requireSame("model family", model.settings.family, found.model.settings.family, article: "another")
    let (own, kept) = (model.settings.computedEntries, found.model.settings.computedEntries)
    func words(_ entries: [(key: String, value: String)], without others: [(key: String, value: String)]) -> String {
      list(entries.filter { entry in !others.contains { $0 == entry } }.map { "\($0.key) \($0.value)" })
    }
    try checkpoint.requireSame("model", words(own, without: kept), words(kept, without: own), article: "another")
    try checkGraph(checkpoint, model)
    // An imported model has seen no samples here.
    if found.progress.samples > 0 { try checkSamples(checkpoint, samples) }
  }

  /// The checkpoint's graph is what the training resumes with: a file of another one is no place of it.
  private func checkGraph(_ checkpoint: Checkpoint, _ model: ModelDescription) throws {
    guard case .file(let path)? = try model.settings.graphSource(model.fields), Files.exists(path),
      let kept = try checkpoint.description().fields.graph
    else { return }
    try checkpoint.requireSame("graph", try GraphWorkflow.read(path).digest, kept.digest, article: "another")
  }

  /// Sample order follows from these.
  private func checkSamples(_ checkpoint: Checkpoint, _ samples: Int) throws {
    let found = checkpoint.manifest
    let (start, end) = try configuration.data.train.range("data.train")
    try checkpoint.requireSame(
      "training period", "\(start) to \(end)", "\(found.trainingStart) to \(found.trainingEnd)", article: "another")
    try checkpoint.requireSame(
      "set of training samples", "\(samples) samples", "\(found.progress.samplesPerEpoch) samples", article: "another")
    try checkpoint.requireSame("seed", "\(configuration.seed)", "\(found.progress.seed)", article: "another")
  }

  /// Fields must be normalised with the same numbers. Data that have changed otherwise are reported in a note.
  func checkStatistics(_ checkpoint: Checkpoint, _ expected: CheckpointManifest) throws {
    for (own, found) in zip(
      expected.channels + (expected.readForcings ?? []),
      checkpoint.manifest.channels + (checkpoint.manifest.readForcings ?? []))
    where !own.statistics.isNear(found.statistics) {
      func text(_ row: ChannelStatistics) -> String {
        "mean \(significant(row.mean)), stdev \(significant(row.deviation))"
      }
      try checkpoint.requireSame(
        "statistics of \(own.channel.name)", text(own.statistics), text(found.statistics))
    }
    if let difference = Lineage(data: checkpoint.manifest.data).difference(from: Lineage(data: expected.data)) {
      console.say("note: \(checkpoint.path): \(difference.sentence); training resumes with the data as they are now")
    }
  }
}

extension Checkpoint {
  /// - Throws: when what a configuration says differs from what the checkpoint was made with.
  fileprivate func requireSame(
    _ what: String, _ expected: String, _ found: String, article: String = "other"
  ) throws {
    if expected == found { return }
    throw JigsawError(
      path, "was made with \(article) \(what)", expected: expected, found: found,
      remedy: "resume with the configuration of the run, or start a new run")
  }
}
