import Basics
import Configuration
import TestSupport
import Testing
import Workflow

@Suite struct ResumeTests {
  /// Training with everything that has state: moments, average, dropout, drawn rollouts, accumulation, shuffling.
  static func configuration(_ folder: String, run: String, rollout: String) throws -> RunConfiguration {
    try RunConfiguration.parse(
      """
      run: \(folder)/\(run)
      seed: 3
      threads: 2
      data:
        sources: [{path: \(folder)/data.nc}]
        variables: [z, t, msl]
        levels: [850, 500]
        static: [orog]
        forcings: [cos_julian_day, insolation]
        train: {start: 2001-01-01, end: 2001-01-10}
        validation: {start: 2001-01-11, end: 2001-01-13}
        test: {start: 2001-01-13, end: 2001-01-15}
      model: {patch: [2, 4], channels: 16, tokenWidth: 12, channelWidth: 20, blocks: 2, dropout: 0.1}
      training:
        updates: 20
        batchSize: 3
        accumulation: 2
        warmUpUpdates: 4
        weightDecay: 0.01
        averageDecay: 0.9
        rollout: {kind: \(rollout), randomized: true, stages: [{fraction: 0, steps: 1}, {fraction: 0.3, steps: 3}]}
        validation: {every: 7, samples: 4}
        checkpoint: {every: 10, keep: 3}
      """, file: "test")
  }

  @Test(arguments: ["autoregressive", "latent"]) func twentyUpdatesAreTenAndTenMore(rollout: String) throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    let whole = try Self.configuration(folder.path, run: "whole", rollout: rollout)
    try TrainWorkflow(whole).start()
    let parts = try Self.configuration(folder.path, run: "parts", rollout: rollout)
    try TrainWorkflow(parts, stopAfter: 10).start()
    #expect(try Files.list("\(folder.path)/parts/checkpoints").contains("update-0000020") == false)
    try TrainWorkflow(parts).resume()

    for name in ["update-0000010", "update-0000020", "best"] {
      let files = try Files.list("\(folder.path)/whole/checkpoints/\(name)")
      #expect(files.contains("model.safetensors") && files.contains("average.safetensors"))
      #expect(files.contains("optimizer.safetensors") == (name != "best"))
      for file in files {
        #expect(
          try Files.read("\(folder.path)/whole/checkpoints/\(name)/\(file)")
            == Files.read("\(folder.path)/parts/checkpoints/\(name)/\(file)"), "\(name)/\(file)")
      }
    }
    // The metrics continue, too: same updates, same losses.
    func losses(_ run: String) throws -> [String] {
      try Files.readText("\(folder.path)/\(run)/metrics.csv").split(separator: "\n").map {
        $0.split(separator: ",", omittingEmptySubsequences: false)[0...6].joined(separator: ",")
      }
    }
    #expect(try losses("whole") == losses("parts"))
    #expect(try losses("whole").count == 21)
  }

  @Test func aLaterCheckpointReplacesTheOldestOnly() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var configuration = try Self.configuration(folder.path, run: "run", rollout: "latent")
    configuration.training.checkpoint.every = 5
    configuration.training.checkpoint.keep = 2
    try TrainWorkflow(configuration).start()
    #expect(
      try Files.list("\(folder.path)/run/checkpoints") == ["best", "update-0000015", "update-0000020"])
  }

  @Test func aRunFolderBelongsToOneTrainingAtATime() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    let configuration = try Self.configuration(folder.path, run: "run", rollout: "latent")
    try Files.createDirectory("\(folder.path)/run")
    do {
      let lock = try OutputLock(folder: "\(folder.path)/run")
      let error = #expect(throws: JigsawError.self) { try TrainWorkflow(configuration).start() }
      #expect(error?.problem == "is in use by another training")
      withExtendedLifetime(lock) {}
    }
    try TrainWorkflow(configuration, stopAfter: 1).start()
  }
}
