import Basics
import Configuration
import TestSupport
import Testing
import Workflow

@Suite struct StatisticsReuseTests {
  /// Statistics that the configuration names are taken, and what they are of is said where it is something else.
  @Test func givenStatisticsOfOtherDataAreToldOf() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    let (file, console) = ("\(folder.path)/given.json", Console(secondsBetweenLines: 1e9))
    _ = try InspectWorkflow.statistics(configuration, output: file, console: console)
    configuration.data.statistics = file
    func log(_ run: String, _ setting: String? = nil) throws -> String {
      var own = configuration
      own.run = "\(folder.path)/\(run)"
      if let setting { try own.apply(setting) }
      try TrainWorkflow(own, stopAfter: 1, console: console).start()
      let text = try InspectWorkflow.validate(own, file: "test")
      let log = try Files.readText("\(own.run)/train.log")
      #expect(log.contains("warning: data.statistics") == text.contains("warning: data.statistics"))
      return log + text
    }
    #expect(try !log("same").contains("data.statistics: "))
    #expect(try log("period", "data.train.start=2001-01-02").contains("given.json: period: made from 2001-01-01"))
    var store = try EditedStore("\(folder.path)/data.nc")
    store.arrays["msl"]?.values[128] += 100
    try store.write("\(folder.path)/data.nc")
    #expect(try log("corrected").contains("warning: data.statistics: \(file): data: made from "))
    let text = try Files.readText(file)
    try Files.writeAtomically(text.replacing("\"data\" : {", with: "\"unknown\" : {"), to: file)
    #expect(try log("old").contains("note: data.statistics: \(file) does not say of which data it is"))
  }

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
    try TrainWorkflow(configuration, console: console).start(overwrites: true)
    #expect(try Files.readText("\(folder.path)/run/statistics.json") != first)
  }
}
