import Basics
import Checkpoints
import Configuration
import Datasets
import Models
import Stores
import TestSupport
import Testing
import Training
import Workflow

/// Trainings and forecasts with several input times, diagnostic variables and forcings that are read.
@Suite struct InputTimesWorkflowTests {
  private static func configuration(
    _ folder: String, run: String, _ layout: MeshTrainingTests.Layout = .init(), family: String = "weather-mixer"
  ) throws -> RunConfiguration {
    var configuration = try MeshTrainingTests.configuration(folder, run: run, layout)
    configuration.data.variables = ["z", "msl"]
    configuration.data.forcings = ["insolation", "t"]
    configuration.data.diagnostic = ["msl"]
    configuration.data.inputSteps = [-12, 0]
    configuration.training.updates = 12
    configuration.training.validation.every = 6
    configuration.training.checkpoint.every = 6
    configuration.forecast.leadHours = 18
    if family != "weather-mixer" {
      configuration = try RunConfiguration.parse(
        configuration.yaml(comments: false).replacing(/(?s)\nmodel:.*?\ntraining:/, with: "\ntraining:"), file: "test",
        settings: ["model.family=\(family)"])
    }
    return configuration
  }

  private func folder() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    return folder
  }

  @Test(arguments: ["weather-mixer", "linear-regression"]) func everyMeshTrainsTheSameModel(family: String) throws {
    let folder = try folder()
    func column(_ run: String, _ name: String) throws -> [Double] {
      try MeshTrainingTests.column("\(folder.path)/\(run)/\(name).csv", "loss")
    }
    try MeshTrainingTests.train(Self.configuration(folder.path, run: "one", family: family), 1)
    // Three predicted and four input fields: with four tensor ranks, one has a forcing alone.
    typealias Layout = MeshTrainingTests.Layout
    for layout in [
      Layout(tensor: 2), Layout(domain: 2), Layout(domain: 2, tensor: 3), Layout(replicas: 2, domain: 2),
    ] {
      let run = "mesh-\(layout.replicas)-\(layout.domain)-\(layout.tensor)"
      try MeshTrainingTests.train(
        Self.configuration(folder.path, run: run, layout, family: family), layout.ranks)
      for name in ["metrics", "validation"] {
        MeshTrainingTests.expectAlike(
          try column(run, name), try column("one", name), 1e-4, "\(name), \(layout.testDescription)")
      }
    }
  }

  @Test func trainingGoesOnToTheBitAndForecastsReadWhatItRead() throws {
    let folder = try folder()
    let whole = try Self.configuration(folder.path, run: "whole")
    try TrainWorkflow(whole).start()
    let parts = try Self.configuration(folder.path, run: "parts")
    try TrainWorkflow(parts, stopAfter: 6).start()
    try TrainWorkflow(parts).resume()
    let name = "checkpoints/update-0000012"
    for file in try Files.list("\(folder.path)/whole/\(name)") {
      #expect(
        try Files.read("\(folder.path)/whole/\(name)/\(file)") == Files.read("\(folder.path)/parts/\(name)/\(file)"),
        "\(file)")
    }
    let manifest = try Checkpoint("\(folder.path)/whole/\(name)").manifest
    #expect(manifest.model.fields.inputSteps == [-2, 0] && manifest.model.fields.diagnostics == [2])
    #expect(manifest.readForcings?.map(\.channel.name) == ["t_850", "t_500"])

    // Another mesh forecasts the same.
    func forecast(_ output: String, _ ranks: Int) throws {
      var configuration = whole
      configuration.parallel.domain = ranks
      var request = ForecastWorkflow.Request()
      request.output = "\(folder.path)/\(output).nc"
      try Ranks.run(asThreads: ranks) { [configuration, request] world in
        try ForecastWorkflow(configuration, checkpoint: .newest, on: world, console: .silent).run(request)
      }
    }
    try forecast("one", 1)
    try forecast("two", 2)
    let (one, two) = (try openStore("\(folder.path)/one.nc"), try openStore("\(folder.path)/two.nc"))
    #expect(one.arrays.keys.sorted() == two.arrays.keys.sorted() && one.arrays["z"] != nil)
    for (name, array) in one.arrays where array.shape.count > 2 {
      let (found, expected) = (try two.read(name).doubles, try one.read(name).doubles)
      #expect(try largestDifference(found, expected) < 1e-5 * #require(expected.map(abs).max()), "\(name)")
    }

    // A forecast needs the states before its start, and the forcings of its steps.
    func problem(_ from: Timestamp) -> String {
      var request = ForecastWorkflow.Request()
      request.output = "\(folder.path)/none.nc"
      request.from = from
      return #expect(throws: JigsawError.self) {
        _ = try ForecastWorkflow(whole, checkpoint: .newest, console: .silent).run(request)
      }?.description ?? ""
    }
    #expect(problem(Timestamp(year: 2001, month: 1, day: 1)).contains("lacks the states at 2000-12-31 12:00"))
    #expect(problem(Timestamp(year: 2001, month: 1, day: 15, hour: 12)).contains("lacks the forcings at"))
  }

  @Test func resumingWithOtherInputsIsRefused() throws {
    let folder = try folder()
    let run = try Self.configuration(folder.path, run: "run")
    try TrainWorkflow(run, stopAfter: 6).start()
    func problem(_ change: (inout RunConfiguration) -> Void) -> String {
      var other = run
      change(&other)
      return #expect(throws: JigsawError.self) { try TrainWorkflow(other).resume() }?.description ?? ""
    }
    #expect(problem { $0.data.inputSteps = [-6, 0] }.contains("was made with other input steps"))
    #expect(problem { $0.data.diagnostic = [] }.contains("was made with other diagnostic fields"))
    #expect(problem { $0.data.forcings = ["insolation"] }.contains("was made with other forcings"))
    // A meridian 0.002° to the east, and the same bounds.
    var store = try EditedStore("\(folder.path)/data.nc")
    store.arrays["longitude"]?.values[1] += 0.002
    try Files.remove("\(folder.path)/data.nc")
    try store.write("\(folder.path)/data.nc")
    let elsewhere = problem { _ in }
    #expect(elsewhere.contains("was made with another grid") && elsewhere.contains("point 1 at"), "\(elsewhere)")
  }

  /// A forcing that lacks values at some points: how it is imputed is the model's, and so are its units.
  @Test func forcingsAreReadAsInTraining() throws {
    let folder = try TemporaryFolder()
    var data = SyntheticData()
    data.surface = ["msl", "moon"]
    data.missing = ["moon": [3, 4, 5]]
    try data.write("\(folder.path)/data.nc")
    var run = try Self.configuration(folder.path, run: "run")
    run.data.variables = ["msl"]
    run.data.diagnostic = []
    run.data.staticFields = []
    run.data.forcings = ["moon", "z"]
    run.data.impute = ["moon": .mean]
    try TrainWorkflow(run, stopAfter: 2, console: .silent).start()
    // On two levels, beside a surface field.
    let manifest = try Checkpoint("\(folder.path)/run/checkpoints/update-0000002").manifest
    #expect(manifest.readForcings?.map(\.channel.name) == ["moon", "z_850", "z_500"])
    var request = ForecastWorkflow.Request()
    request.output = "\(folder.path)/forecast.nc"
    try ForecastWorkflow(run, checkpoint: .newest, console: .silent).run(request)
    request.overwrites = true
    var other = run
    other.data.impute = ["moon": .constant(300_000)]
    for problem in [
      #expect(throws: JigsawError.self) {
        _ = try ForecastWorkflow(other, checkpoint: .newest, console: .silent).run(request)
      }, #expect(throws: JigsawError.self) { try TrainWorkflow(other, console: .silent).resume() },
    ] {
      #expect(problem?.description.contains("data.impute") == true, "\(problem?.description ?? "")")
    }
  }

  /// Refused before anything of the run is written.
  @Test func aShareOfOneGridIsRefusedAtOnce() throws {
    let folder = try folder()
    let run = try Self.configuration(folder.path, run: "run")
    try TrainWorkflow(run, stopAfter: 2, console: .silent).start()
    let before = try Files.readText("\(folder.path)/run/config.yaml")
    var other = run
    other.training.loss.firstGridShare = 0.5
    #expect(throws: JigsawError.self) { try TrainWorkflow(other, console: .silent).resume() }
    #expect(try Files.readText("\(folder.path)/run/config.yaml") == before)
  }

  @Test func inputsThatCanNotBeAreRefused() throws {
    let folder = try folder()
    let run = try Self.configuration(folder.path, run: "run")
    func problem(_ change: (inout RunConfiguration) -> Void) -> String {
      var other = run
      change(&other)
      return #expect(throws: JigsawError.self) { try TrainWorkflow(other).start() }?.description ?? ""
    }
    #expect(problem { $0.data.inputSteps = [-3, 0] }.contains("ascending multiples of data.stepHours (6)"))
    #expect(problem { $0.data.inputSteps = [-6] }.contains("that end with 0"))
    #expect(problem { $0.data.diagnostic = ["t"] }.contains("names 't', which is not among the predicted variables"))
    #expect(problem { $0.data.diagnostic = ["z", "msl"] }.contains("names all predicted variables"))
    #expect(problem { $0.data.forcings = ["z"] }.contains("names 'z', which is also predicted or static"))
    #expect(problem { $0.data.forcings = ["insolatio"] }.contains("did you mean 'insolation'?"))
  }
}
