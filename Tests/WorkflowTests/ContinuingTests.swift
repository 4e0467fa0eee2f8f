import Basics
import Checkpoints
import Configuration
import Datasets
import TestSupport
import Testing
import Training

@testable import Workflow

/// What a resumed training keeps, reports and refuses.
@Suite struct ContinuingTests {
  private static func configuration(_ folder: String, run: String) throws -> RunConfiguration {
    var configuration = try ResumeTests.configuration(folder, run: run, rollout: "autoregressive")
    configuration.threads = 1
    configuration.training.batchSize = 4
    configuration.training.accumulation = 1
    configuration.training.updates = nil
    configuration.training.epochs = 2
    configuration.training.rollLongitudes = true
    return configuration
  }

  private static func log(_ configuration: RunConfiguration) throws -> String {
    try Files.readText("\(configuration.run)/train.log")
  }

  /// 1, 2, 4 replicas and back: the samples, the rate and the end of a training that was never stopped.
  @Test(arguments: [true, false]) func anotherNumberOfReplicas(inEpochs: Bool) throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var whole = try Self.configuration(folder.path, run: "whole")
    if !inEpochs { (whole.training.epochs, whole.training.updates) = (nil, 16) }
    var parts = whole
    parts.run = "\(folder.path)/parts"
    try MeshTrainingTests.train(whole, 1)
    try MeshTrainingTests.train(parts, 1, stopAfter: 3)
    for (ranks, stop) in [(2, 6), (4, 9), (2, 12), (1, nil)] {
      try MeshTrainingTests.train(parts, ranks, stopAfter: stop, resumes: true)
    }
    for (name, tolerance) in [
      ("samples", 0), ("rollout_steps", 0), ("learning_rate", 0), ("loss", 1e-6),
    ] {
      MeshTrainingTests.expectAlike(
        try MeshTrainingTests.column("\(parts.run)/metrics.csv", name),
        try MeshTrainingTests.column("\(whole.run)/metrics.csv", name), tolerance, "\(name)")
    }
    let refused = #expect(throws: JigsawError.self) { try MeshTrainingTests.train(parts, 3, resumes: true) }
    #expect(refused?.problem.contains("can't be shared among 3 replicas") == true)
    var larger = parts
    larger.training.batchSize = 8
    #expect(throws: JigsawError.self) { try TrainWorkflow(larger).resume() }
  }

  @Test func settingsGivenStay() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    configuration.training.validation.every = 5
    try TrainWorkflow(configuration, stopAfter: 5).start()
    let events = RunFolder(configuration.run).tensorBoard
    let later = try TensorBoardFile(folder: events, unixSeconds: 1, firstUpdate: 0)
    let file = try #require(try Files.list(events).min())
    let size = Files.size("\(events)/\(file)")
    let metrics = "\(configuration.run)/metrics.csv"
    try Files.writeAtomically(Files.readText(metrics) + "9,of before\n", to: metrics)
    try later.add([("loss", 1)], step: 9, unixSeconds: 1)
    configuration.training.updates = 30
    configuration.training.learningRate = 0.0005
    configuration.training.validation.samples = 5
    try TrainWorkflow(configuration, stopAfter: 10).resume()
    let stored = try RunConfiguration.load("\(configuration.run)/config.yaml")
    #expect(stored.training.learningRate == 0.0005 && stored.training.updates == 30)
    let log = try Self.log(configuration)
    #expect(log.contains("setting changed: training.learningRate 0.001 → 0.0005"))
    #expect(log.contains("learning rate: "))
    #expect(log.contains("the validation loss is another than before (now training.validation.samples 5)"))
    let best = try #require(try RunFolder(configuration.run).checkpoints().best())
    #expect(best.manifest.progress.update == 10)
    // What was logged of an update that came again.
    #expect(try !Files.readText(metrics).contains("of before"))
    #expect(Files.size("\(events)/\(file)") == size)
  }

  @Test func whatLiesBehindIsRefused() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    try TrainWorkflow(configuration, stopAfter: 5).start()
    let behind = #expect(throws: JigsawError.self) { try TrainWorkflow(configuration, stopAfter: 4).resume() }
    #expect(behind?.place == "--stop-after 4")
    try TrainWorkflow(configuration, stopAfter: 5).resume()
    #expect(try RunFolder(configuration.run).checkpoints().newest()?.manifest.progress.update == 5)
    configuration.training.updates = 4
    #expect(throws: JigsawError.self) { try TrainWorkflow(configuration).resume() }
    #expect(try RunConfiguration.load("\(configuration.run)/config.yaml").training.updates == 20)
    // resume: auto begins nothing anew where checkpoints have been.
    configuration.resume = .auto
    try Files.remove("\(configuration.run)/checkpoints")
    let gone = #expect(throws: JigsawError.self) { try TrainWorkflow(configuration).start() }
    #expect(gone?.problem == "holds a trained run but no checkpoint to resume from")
  }

  /// Settings that were changed in the run's own file are compared with those that the checkpoint was trained with.
  @Test func anEditedConfigurationIsNoticed() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    try TrainWorkflow(configuration, stopAfter: 2, console: .silent).start()
    func edit() throws {
      try Files.writeAtomically(configuration.yaml(comments: true), to: "\(configuration.run)/config.yaml")
    }
    configuration.training.updates = 30
    try edit()
    try TrainWorkflow(configuration, stopAfter: 3).resume()
    let log = try Self.log(configuration)
    #expect(log.contains("setting changed: training.updates 20 → 30") && log.contains("learning rate: "))
    configuration.training.batchSize = 6
    try edit()
    let refused = #expect(throws: JigsawError.self) { try TrainWorkflow(configuration).resume() }
    #expect(refused?.problem.hasPrefix("changes the samples of an update") == true)
  }

  /// The best by other values is not the best of these.
  @Test func correctedDataBeginANewBest() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    configuration.training.validation.every = 1
    try TrainWorkflow(configuration, stopAfter: 2, console: .silent).start()
    var store = try EditedStore("\(folder.path)/data.nc")
    let validation = 45 * 128..<47 * 128
    for index in validation { store.arrays["msl"]?.values[index] += 5_000 }
    try store.write("\(folder.path)/data.nc")
    try TrainWorkflow(configuration, stopAfter: 4).resume()
    #expect(
      try Self.log(configuration).contains("the data are others than those by which the best checkpoint was chosen"))
    let progress = try #require(try RunFolder(configuration.run).checkpoints().best()).manifest.progress
    #expect(progress.update == 4 && progress.bestValidationLoss.map { $0 > 1 } == true)
    try TrainWorkflow(configuration, stopAfter: 5).resume()
    let lines = try Self.log(configuration).split(separator: "\n")
    #expect(lines.count { $0.contains("the data are others") } == 1)
  }

  /// A resumed training compares static fields with those of its checkpoint, as a forecast does.
  @Test func otherStaticFieldsAreRefused() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    let configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    try TrainWorkflow(configuration, stopAfter: 2, console: .silent).start()
    var store = try EditedStore("\(folder.path)/data.nc")
    store.arrays["orog"]?.values.reverse()
    try store.write("\(folder.path)/data.nc")
    let error = #expect(throws: JigsawError.self) { try TrainWorkflow(configuration, stopAfter: 3).resume() }
    #expect(error?.problem == "is another static field than the one that the model was trained with")
    #expect(try RunFolder(configuration.run).checkpoints().newest()?.manifest.progress.update == 2)
  }

  /// Whatever of a trained run is left, and whatever the log says.
  @Test func nothingBeginsAnewOverTheRemainsOfARun() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    configuration.training.checkpoint.every = 2
    try TrainWorkflow(configuration, stopAfter: 4, console: .silent).start()
    for name in ["checkpoints", "train.log", "validation.csv"] { try Files.remove("\(configuration.run)/\(name)") }
    for resume in [RunConfiguration.Resume.auto, .never] {
      configuration.resume = resume
      let error = #expect(throws: JigsawError.self) { try TrainWorkflow(configuration).start() }
      #expect(error?.problem == "holds a trained run but no checkpoint to resume from")
      #expect(error?.found?.hasSuffix("run/metrics.csv") == true)
    }
    // A training that is killed before its first checkpoint leaves these files.
    let metrics = "\(configuration.run)/metrics.csv"
    let rows = try Files.readText(metrics).split(separator: "\n")
    try Files.writeAtomically(rows.prefix(3).joined(separator: "\n") + "\n", to: metrics)
    try TrainWorkflow(configuration, stopAfter: 1, console: .silent).start()
    try Files.remove("\(configuration.run)/checkpoints")
    try TrainWorkflow(configuration, stopAfter: 1, console: .silent).start(overwrites: true)
  }

  @Test func theFirstBestCanBeGoneOnFrom() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    configuration.training.validation.every = 2
    configuration.training.checkpoint.every = 0
    try TrainWorkflow(configuration, stopAfter: 5).start()
    #expect(
      try Files.list("\(configuration.run)/checkpoints") == ["best", "update-0000002", "update-0000005"])
  }

  @Test func periodsThatOverlapOrLieOutsideAreToldOf() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    try configuration.apply("data.train.start=2000-12-01")
    try configuration.apply("data.validation.start=2001-01-08")
    let text = try InspectWorkflow.validate(configuration, file: "test")
    #expect(text.contains("warning: data.train and data.validation overlap"))
    #expect(text.contains("warning: data.train reaches beyond the data"))
    let findings = try CheckWorkflow(configuration, console: .silent).run(checkpoint: nil, readsValues: false)
    #expect(findings.lines.filter { $0.hasPrefix("warning: ") }.count >= 2)
  }

  @Test func gapsWithinPeriodsAreToldOf() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    let configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    #expect(try !InspectWorkflow.validate(configuration, file: "test").contains("lacks"))
    let store = try EditedStore("\(folder.path)/data.nc")
    for (name, times) in [("1", 0..<10), ("2", 14..<60)] {
      var part = store
      part.keep(times)
      try part.write("\(folder.path)/part-\(name).nc")
    }
    var gappy = configuration
    try gappy.apply("data.sources=[{path: \(folder.path)/part-*.nc}]")
    let text = try InspectWorkflow.validate(gappy, file: "test")
    #expect(
      text.contains("warning: data.train lacks 4 times between 2001-01-03 06:00 and 2001-01-04 12:00: nothing"),
      "\(text)")
    #expect(!text.contains("data.validation lacks"))
  }

  /// A raster may have one row: what is saved is read again.
  @Test func checkpointsOfOneRowAreRead() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    let dataset = try FieldDataset(
      sources: [SourceDescription(path: "\(folder.path)/data.nc")], variables: ["msl"], levelsHPa: [])
    let row = dataset.grid.raster?.latitudes[2] ?? 0
    var configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    try configuration.apply("data.static=[]")
    try configuration.apply("model={family: linear-regression, patch: [1, 1]}")
    try configuration.apply("training.rollout={kind: autoregressive}")
    try configuration.apply(
      "data.sources=[{open: {dataset: \(folder.path)/data.nc, area: [\(row + 1), -180, \(row - 1), 180]}}]")
    configuration.training.updates = 2
    try TrainWorkflow(configuration, console: .silent).start()
    let checkpoint = try Checkpoint("\(configuration.run)/checkpoints/update-0000002")
    #expect(checkpoint.manifest.grid.rows == 1)
    #expect(try checkpoint.problems().isEmpty)
  }

  /// What 'forecast' and 'evaluate' will refuse is said before the training.
  @Test func settingsOfLaterVerbsAreJudgedBefore() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    let plain = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    #expect(try !InspectWorkflow.validate(plain, file: "test").contains("will refuse"))
    for (setting, words) in [
      ("forecast.leadHours=7", "forecast.leadHours is 7, which is no multiple of data.stepHours, 6"),
      ("evaluation.leadHours=[6, 9999]", "evaluation.leadHours has 9999, which forecasts of"),
      ("forecast.everyHours=7", "forecast.everyHours is 7, and the data are 6 h apart"),
      ("training.loss.variableWeights={z: 0, t: 0, msl: 0}", "are all 0: nothing will be learnt"),
      ("training.warmUpUpdates=50", "training.warmUpUpdates is 50, and there are 20 updates"),
      ("training.validation.samples=500", "training.validation.samples is 500, and data.validation holds 8"),
    ] {
      var configuration = plain
      try configuration.apply(setting)
      let text = try InspectWorkflow.validate(configuration, file: "test")
      #expect(text.contains(words), "\(setting): \(text)")
    }
    for (setting, words) in [
      ("data.forcings=[insolation, insolation]", "names insolation twice"),
      ("data.statistics=\(folder.path)/data.nc", "is not a statistics file"),
    ] {
      var configuration = plain
      try configuration.apply(setting)
      let error = #expect(throws: JigsawError.self) { try InspectWorkflow.validate(configuration, file: "test") }
      #expect(error?.description.contains(words) == true, "\(setting): \(String(describing: error))")
    }
  }

  /// Records of updates that come again are in no event file twice, and none is lost.
  @Test func eventsAfterAKillAreWhole() throws {
    let folder = try TemporaryFolder()
    func log(_ updates: ClosedRange<Int>, after first: Int) throws {
      try TensorBoardFile.removeEvents(after: first, in: folder.path)
      let file = try TensorBoardFile(folder: folder.path, unixSeconds: 1, firstUpdate: first)
      for update in updates { try file.add([("loss", Double(update))], step: update, unixSeconds: 1) }
    }
    try log(1...200, after: 0)
    let whole = Files.size("\(folder.path)/\(try Files.list(folder.path)[0])")
    try log(131...200, after: 130)
    let sizes = try Files.list(folder.path).map { Files.size("\(folder.path)/\($0)") ?? 0 }
    #expect(sizes.count == 2 && sizes[0] < whole ?? 0)
    // All 200 events, and once more the header and the mark of the restart.
    let header = try { () throws -> Int in
      let other = try TemporaryFolder()
      _ = try TensorBoardFile(folder: other.path, unixSeconds: 1, firstUpdate: 130)
      return Files.size("\(other.path)/\(try Files.list(other.path)[0])") ?? 0
    }()
    #expect(sizes[0] + sizes[1] - header == whole)
    try log(1...1, after: 0)
    #expect(try Files.list(folder.path).count == 1)
  }
}
