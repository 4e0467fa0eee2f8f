import Basics
import Communication
import Configuration
import TestSupport
import Testing

@testable import Checkpoints
@testable import Workflow

/// Checkpoints that their training replaces while they are read.
@Suite struct ReplacedCheckpointTests {
  private let folder: TemporaryFolder
  private let configuration: RunConfiguration
  private var checkpoints: String { "\(configuration.run)/checkpoints" }

  init() throws {
    folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    configuration.training.validation.every = 1
    self.configuration = configuration
    try TrainWorkflow(configuration, stopAfter: 1, console: .silent).start()
  }

  private func replaceBest() throws {
    var longer = configuration
    longer.training.validation.samples = 3
    let update = try CheckpointFolder(checkpoints).newest()?.manifest.progress.update ?? 0
    try TrainWorkflow(longer, stopAfter: update + 1, console: .silent).resume()
  }

  @Test(arguments: [1, 2]) func damageOfAnotherCheckpointIsNone(ranks: Int) throws {
    let damage = JigsawError("average.safetensors", "was changed since it was written")
    let best = try Checkpoint("\(checkpoints)/best")
    func failures() throws -> [String] {
      try ThreadRanks.run(ranks) { world in
        do {
          try best.unlessReplaced(on: world) { if world.rank == ranks - 1 { throw damage } }
          return "nothing"
        } catch { return "\(error)" }
      }
    }
    #expect(try failures().last == "\(damage)")
    try replaceBest()
    for failure in try failures() { #expect(failure.contains("is replaced by its training again and again")) }
  }

  @Test func aForecastOpensItAgain() throws {
    let workflow = ForecastWorkflow(configuration, checkpoint: .best, console: .silent)
    var seen: [Int] = []
    try workflow.withCheckpoint { checkpoint in
      seen.append(checkpoint.manifest.progress.update)
      if seen.count == 1 { try replaceBest() }
      try checkpoint.unlessReplaced(on: SingleRank()) {
        if seen.count == 1 { throw JigsawError("average.safetensors", "was changed since it was written") }
      }
    }
    #expect(seen == [1, 2])
    let given = #expect(throws: JigsawError.self) {
      try workflow.withCheckpoint { throw ReplacedCheckpoint(error: JigsawError($0.path, "is replaced")) }
    }
    #expect(given?.problem == "is replaced")
  }

  /// What fails while checkpoints come and go is done again; what fails in a folder at rest isn't.
  @Test func theFolderIsReadUntilItIsSettled() throws {
    let found = CheckpointFolder(checkpoints)
    var tries = 0
    let update = try found.settled {
      tries += 1
      if tries < 3 {
        try Files.createDirectory("\(checkpoints)/update-000010\(tries)")
        throw JigsawError("best", "is not the best checkpoint of this run")
      }
      return tries
    }
    #expect(update == 3)
    #expect(throws: JigsawError.self) {
      try found.settled {
        tries += 1
        throw JigsawError("best", "is not the best checkpoint of this run")
      }
    }
    #expect(tries == 4)
  }
}
