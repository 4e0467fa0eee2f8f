import Basics
import Communication
import Configuration
import Datasets
import Verification

/// `jigsaw evaluate`: from a forecast store and the truth to scores.
public struct EvaluateWorkflow {
  private let configuration: RunConfiguration
  private let folder: RunFolder
  private let console: Console
  private let world: any Communicator

  public init(
    _ configuration: RunConfiguration, on world: any Communicator = SingleRank(), console: Console = Console()
  ) {
    self.configuration = configuration
    self.world = world
    self.console = world.rank == 0 ? console : .silent
    folder = RunFolder(configuration.run)
  }

  /// Verifies `forecast` (by default the run's own), writes scores, spectra and scorecard, returns the scorecard's text.
  @discardableResult
  public func run(forecast: String? = nil) throws -> String {
    guard let path = forecast ?? folder.existingForecast else {
      throw JigsawError(folder.path, "holds no forecast", remedy: "make one with 'jigsaw forecast \(folder.path)'")
    }
    let data = configuration.data
    let (start, end) = try data.train.range("data.train")
    let resources = try RankResources(world, threads: configuration.threads)
    let truth = try Ingredients.dataset(
      data, cacheBytes: Ingredients.cacheBytes(data, configuration.parallel, resources).rank,
      threads: resources.threads)
    var options = Evaluation.Options(trainingStart: start, trainingEnd: end, stepHours: data.stepHours)
    options.leadHours = configuration.evaluation.leadHours
    options.climatologyWindowDays = configuration.evaluation.climatologyWindowDays
    options.usesSpectra = configuration.evaluation.spectra
    options.usesDampedPersistence = configuration.evaluation.dampedPersistence
    let began = monotonicSeconds()
    let evaluation = try Evaluation(try ForecastReader(path), truth: truth, options: options, on: world) {
      console.progress("evaluate", done: $0, of: $1, since: began, detail: "forecasts")
    }
    let scorecard = Scorecard(evaluation)
    if world.rank > 0 { return scorecard.markdown() }
    try Files.createDirectory(folder.evaluation)
    try Files.writeAtomically(Scorecard.csv(evaluation), to: folder.scores)
    if !evaluation.spectra.isEmpty {
      try Files.writeAtomically(Scorecard.spectraCSV(evaluation), to: folder.spectra)
    }
    try Files.writeAtomically(scorecard.markdown(), to: "\(folder.evaluation)/scorecard.md")
    try Files.writeAtomically(scorecard.svg(), to: "\(folder.evaluation)/scorecard.svg")
    console.say("wrote \(folder.scores), scorecard.md and scorecard.svg")
    return scorecard.markdown()
  }
}
