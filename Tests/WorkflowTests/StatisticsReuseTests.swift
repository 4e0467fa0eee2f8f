import Basics
import Configuration
import TestSupport
import Testing
import Workflow

@Suite struct StatisticsReuseTests {
  /// The run's statistics serve again for the same data, and only for these.
  @Test func statisticsAreThoseOfTheData() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var other = SyntheticData()
    other.upper = ["t", "z"]  // other fields under the same names
    try other.write("\(folder.path)/other.nc")
    var configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    configuration.training.updates = 1
    configuration.training.epochs = nil
    let console = Console(secondsBetweenLines: 1e9)
    _ = try InspectWorkflow.statistics(configuration, output: nil, console: console)
    let first = try Files.readText("\(folder.path)/run/statistics.json")

    try TrainWorkflow(configuration, console: console).start()
    #expect(try Files.readText("\(folder.path)/run/statistics.json") == first)
    #expect(try !Files.readText("\(folder.path)/run/train.log").contains("statistics"), "not computed again")

    try Files.remove("\(folder.path)/run/checkpoints")
    configuration.data.sources[0].path = "\(folder.path)/other.nc"
    try TrainWorkflow(configuration, console: console).start()
    #expect(try Files.readText("\(folder.path)/run/statistics.json") != first)
  }
}
