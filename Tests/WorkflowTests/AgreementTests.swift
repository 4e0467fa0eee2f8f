import Basics
import Communication
import Configuration
import Datasets
import TestSupport
import Testing

@testable import Workflow

/// Ranks that were given different things don't start: the sentence names rank and key with both values.
@Suite struct AgreementTests {
  struct Difference: Sendable, CustomTestStringConvertible {
    let key: String
    let settings: [String]
    var testDescription: String { key }
  }

  private static let differences = [
    Difference(key: "seed", settings: ["seed=4"]),
    Difference(key: "training.learningRate", settings: ["training.learningRate=0.5"]),
    Difference(key: "precision", settings: ["precision=bf16x3"]),
    Difference(key: "data.variables", settings: ["data.variables=[z]"]),
  ]

  /// What a rank threw, by rank.
  private static func failures(_ ranks: Int, _ body: @escaping @Sendable (any Communicator) throws -> Void) throws
    -> [String]
  {
    try ThreadRanks.run(ranks) { world in
      do {
        try body(world)
        return "nothing"
      } catch { return "\(error)" }
    }
  }

  /// A machine with a copy of its own: one number of one field is another.
  @Test func oneMachineWithOtherData() throws {
    let folder = try TemporaryFolder()
    for name in ["a", "b"] { try SyntheticData().write("\(folder.path)/\(name).nc") }
    var bytes = try Files.read("\(folder.path)/b.nc")
    bytes[bytes.count / 2] ^= 1
    try Files.writeAtomically(bytes, to: "\(folder.path)/b.nc")
    func messages(_ last: String, looks: Bool) throws -> [String] {
      try Self.failures(4) { world in
        let name = world.rank == 3 ? last : "a"
        _ = try Agreement.data([SourceDescription(path: "\(folder.path)/\(name).nc")], looks: looks, on: world)
      }
    }
    #expect(try messages("a", looks: true) == [String](repeating: "nothing", count: 4))
    for message in try messages("b", looks: true) {
      #expect(message.hasPrefix("rank 3: data: is not what rank 0 was given; expected 1 files, "), "\(message)")
    }
    #expect(try messages("b", looks: false) == [String](repeating: "nothing", count: 4))
  }

  @Test(arguments: [2, 4], differences) func oneRankWithAnotherSetting(ranks: Int, difference: Difference) throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    let common = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    let began = monotonicSeconds()
    let failures = try Self.failures(ranks) { world in
      var own = common
      if world.rank == ranks - 1 { for setting in difference.settings { try own.apply(setting) } }
      try TrainWorkflow(own, on: world).start()
    }
    #expect(monotonicSeconds() - began < 60)
    for failure in failures {
      #expect(failure.hasPrefix("rank \(ranks - 1): \(difference.key): is not what rank 0 was given"), "\(failure)")
    }
    #expect(!Files.exists("\(folder.path)/run/checkpoints"))
  }

  @Test(arguments: [2, 4]) func oneRankWithAnotherVerbOrVersion(ranks: Int) throws {
    let folder = try TemporaryFolder()
    let configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    let verbs = try Self.failures(ranks) { world in
      if world.rank == 1 {
        _ = try EvaluateWorkflow(configuration, on: world).run()
      } else {
        try TrainWorkflow(configuration, on: world).start()
      }
    }
    for failure in verbs {
      #expect(failure.contains("rank 1: verb: is not what rank 0 was given"))
      #expect(failure.contains("train") && failure.contains("evaluate"))
    }
    let ofData = try Self.failures(ranks) { world in
      if world.rank == 1 {
        _ = try ConvertWorkflow(configuration, on: world, console: .silent).run(
          ConvertWorkflow.Request(output: "\(folder.path)/other.zarr"))
      } else {
        _ = try InspectWorkflow.statistics(configuration, output: nil, on: world, console: .silent)
      }
    }
    for failure in ofData {
      #expect(failure.contains("rank 1: verb: is not what rank 0 was given; expected data stats, found data convert"))
    }
    let versions = try Self.failures(ranks) { world in
      try Agreement.check("train", configuration, version: world.rank == 1 ? "9.9" : jigsawVersion, on: world)
    }
    for failure in versions { #expect(failure.contains("rank 1: version") && failure.contains("9.9")) }
  }

  @Test func oneRankWithOtherData() throws {
    let folder = try TemporaryFolder()
    let failures = try Self.failures(2) { world in
      try Agreement.check([("data: times", world.rank == 1 ? "59 from A to B" : "60 from A to B")], on: world)
    }
    for failure in failures { #expect(failure.contains("rank 1: data: times") && failure.contains("59 from A to B")) }
    withExtendedLifetime(folder) {}
  }

  /// The same relative path elsewhere is another file.
  @Test func ranksOfOneMachineStartInOneFolder() throws {
    let failures = try Self.failures(3) { world in
      try Agreement.check("train", RunConfiguration(), folder: world.rank == 1 ? "/b" : "/a", on: world)
    }
    for failure in failures {
      #expect(
        failure
          == "rank 1: working folder: is not that of rank 0 on the same machine; expected /a, found /b; start all ranks in one folder."
      )
    }
  }

  @Test func optionsAreCompared() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    let configuration = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    let traced = try Self.failures(2) { world in
      let trace = world.rank == 1 ? "\(folder.path)/trace" : nil
      try TrainWorkflow(configuration, on: world, traceFolder: trace, console: .silent).start()
    }
    for failure in traced { #expect(failure.hasPrefix("rank 1: --trace: is not what rank 0 was given; expected none")) }
    let checked = try Self.failures(2) { world in
      _ = try CheckWorkflow(configuration, on: world, console: .silent).run(
        checkpoint: nil, readsValues: world.rank == 0)
    }
    for failure in checked { #expect(failure.hasPrefix("rank 1: --no-values: is not what rank 0 was given")) }
    let measured = try Self.failures(2) { world in
      var request = BenchStep.Request()
      request.updates += world.rank
      _ = try BenchStep(configuration, request, on: world, console: .silent).run()
    }
    for failure in measured { #expect(failure.hasPrefix("rank 1: --updates: is not what rank 0 was given")) }
  }

  /// Ranks of a launcher that are each asked to be several.
  @Test func allRanksLearnOfThreadsThatOneIsAskedFor() throws {
    let asked = try ThreadRanks.run(3) { world in
      try Agreement.several(world.rank == 2 ? 4 : 1, on: world).map { "\($0.rank) \($0.count)" } ?? "none"
    }
    #expect(asked == ["2 4", "2 4", "2 4"])
    #expect(try Agreement.several(1, on: SingleRank()) == nil)
  }

  @Test func threadsMayDiffer() throws {
    let folder = try TemporaryFolder()
    let common = try ResumeTests.configuration(folder.path, run: "run", rollout: "latent")
    let failures = try Self.failures(2) { world in
      var own = common
      own.threads = 1 + world.rank
      try Agreement.check("train", own, on: world)
    }
    #expect(failures == ["nothing", "nothing"])
  }
}
