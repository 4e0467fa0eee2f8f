import Basics
import Communication
import Datasets

/// The forecast and the truth of scores as they were before anything of them was read: what is replaced or changed while it is
/// scored would give scores of a mixture.
struct ScoredInputs {
  let path: String
  let sources: [SourceDescription]
  let forecast, truth: DataFingerprint

  /// The same on all ranks, which call it together.
  ///
  /// - Parameters:
  ///   - path: of the forecast.
  ///   - sources: of the truth.
  init(forecast path: String, truth sources: [SourceDescription], _ run: RunContext) throws {
    self.path = path
    self.sources = sources
    forecast = try DataFingerprint.shared([SourceDescription(path: path)], on: run.world)
    truth = try Agreement.data(sources, looks: run.resources.isFirstOfMachine, on: run.world)
  }

  /// - Throws: when the forecast or the truth are others than before.
  func requireUnchanged() throws {
    try require([path], forecast, path)
    try require(
      sources.flatMap(\.paths), truth, sources.map(\.display).joined(separator: ", "))
  }

  private func require(_ paths: [String], _ before: DataFingerprint, _ place: String) throws {
    let now = try? DataFingerprint(paths: paths)
    if let now, now.isSame(as: before) { return }
    throw JigsawError(
      place, "was changed or replaced while it was scored, so that scores would be of a mixture",
      expected: before.summary, found: now?.summary ?? "nothing that can be read",
      remedy: "evaluate again once nothing writes it any more")
  }

  /// Runs `body`, which reads both. What it trips over in files that were changed meanwhile is reported as that.
  func reading<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as JigsawError {
      try requireUnchanged()
      throw error
    }
  }
}
