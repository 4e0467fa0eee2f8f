import Basics
import Configuration
import Datasets
import TestSupport
import Testing

@testable import Workflow

/// Scores are of one forecast and one truth, however long they take.
@Suite struct ScoredInputsTests {
  private let folder: TemporaryFolder
  private let configuration: RunConfiguration

  init() throws {
    folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    (configuration.training.updates, configuration.training.warmUpUpdates) = (1, 0)
    (configuration.forecast.leadHours, configuration.forecast.everyHours) = (12, 12)
    self.configuration = configuration
    try TrainWorkflow(configuration, console: .silent).start()
    try forecast(from: 13)
  }

  private func forecast(from day: Int) throws {
    var request = ForecastWorkflow.Request()
    request.from = Timestamp(year: 2001, month: 1, day: day)
    request.overwrites = true
    try ForecastWorkflow(configuration, checkpoint: .newest, console: .silent).run(request)
  }

  @Test func aForecastThatIsReplacedMeanwhileIsNotScored() throws {
    let evaluate = EvaluateWorkflow(configuration, console: .silent)
    let scored = try evaluate.score(nil)
    try forecast(from: 14)
    let error = #expect(throws: JigsawError.self) { try evaluate.save(scored) }
    #expect(error?.place.hasSuffix("run/forecast.zarr") == true)
    #expect(error?.problem.contains("was changed or replaced while it was scored") == true)
    #expect(!Files.exists("\(folder.path)/run/evaluation/scores.csv"))
    // What is found in it meanwhile is no damage.
    let damage = #expect(throws: JigsawError.self) {
      try scored.inputs.reading { throw JigsawError("forecast.zarr", "has missing values") }
    }
    #expect(damage?.problem.contains("was changed or replaced") == true)
    try evaluate.run()
  }

  @Test func aTruthThatIsCorrectedMeanwhileGivesNoScores() throws {
    let evaluate = EvaluateWorkflow(configuration, console: .silent)
    let scored = try evaluate.score(nil)
    var store = try EditedStore("\(folder.path)/data.nc")
    store.arrays["msl"]?.values[7_000] += 1
    try store.write("\(folder.path)/data.nc")
    let error = #expect(throws: JigsawError.self) { try evaluate.save(scored) }
    #expect(error?.place.hasSuffix("data.nc") == true)
    try evaluate.run()
  }

  /// Scores of some variables are no scores of the run.
  @Test func scoresOfOtherFieldsLieBeside() throws {
    try EvaluateWorkflow(configuration, console: .silent).run()
    let scores = "\(folder.path)/run/evaluation/scores.csv"
    let before = try Files.readText(scores)
    for setting in ["data.variables=[msl]", "data.levels=[850]"] {
      var part = configuration
      try part.apply(setting)
      try EvaluateWorkflow(part, console: .silent).run()
    }
    #expect(try Files.readText(scores) == before)
    #expect(try Files.list("\(folder.path)/run").count { $0.hasPrefix("evaluation-of-") } == 2)
  }
}
