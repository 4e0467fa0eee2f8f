import Basics
import Communication
import Configuration
import TestSupport
import Testing
import Workflow

/// The whole job on meshes of ranks (as threads) against one rank: losses, checkpoints, forecasts, scores.
@Suite struct MeshTrainingTests {
  struct Layout: Sendable, CustomTestStringConvertible {
    var replicas = 1
    var domain = 1
    var tensor = 1
    var splitsOptimizer = false
    var ranks: Int { replicas * domain * tensor }
    var testDescription: String { "\(replicas) × \(domain) × \(tensor)\(splitsOptimizer ? ", split optimizer" : "")" }
  }

  /// Dropout, accumulation, drawn rollouts, rolled samples, an average; 5 fields, 16 tokens, sizes that don't divide.
  static func configuration(_ folder: String, run: String, _ layout: Layout, rollout: String = "autoregressive") throws
    -> RunConfiguration
  {
    var configuration = try ResumeTests.configuration(folder, run: run, rollout: rollout)
    configuration.threads = 1
    configuration.training.updates = 50
    configuration.training.batchSize = 4 / layout.replicas
    configuration.training.rollLongitudes = true
    configuration.training.validation.every = 25
    configuration.training.checkpoint.every = 25
    configuration.parallel.domain = layout.domain
    configuration.parallel.tensor = layout.tensor
    configuration.parallel.splitOptimizer = layout.splitsOptimizer
    return configuration
  }

  static func train(_ configuration: RunConfiguration, _ ranks: Int, stopAfter: Int? = nil, resumes: Bool = false)
    throws
  {
    try Ranks.run(asThreads: ranks) { world in
      let workflow = TrainWorkflow(configuration, on: world, stopAfter: stopAfter)
      if resumes { try workflow.resume() } else { try workflow.start() }
    }
  }

  static func column(_ path: String, _ name: String) throws -> [Double] {
    let lines = try Files.readText(path).split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false)
    }
    let index = try #require(lines[0].firstIndex(of: Substring(name)))
    return lines.dropFirst().compactMap { Double($0[index]) }
  }

  static func expectAlike(_ found: [Double], _ expected: [Double], _ tolerance: Double, _ comment: Comment) {
    #expect(found.count == expected.count, comment)
    for (a, b) in zip(found, expected) where abs(a - b) > tolerance * abs(b) {
      Issue.record("\(comment): \(a), not \(b)")
      return
    }
  }

  @Test(arguments: ["autoregressive", "latent"]) func everyMeshTrainsTheSameModel(rollout: String) throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    let one = try Self.configuration(folder.path, run: "one", Layout(), rollout: rollout)
    try Self.train(one, 1)
    let losses = try Self.column("\(folder.path)/one/metrics.csv", "loss")
    let norms = try Self.column("\(folder.path)/one/metrics.csv", "gradient_norm")
    let validation = try Self.column("\(folder.path)/one/validation.csv", "loss")
    #expect(losses.count == 50)
    let layouts =
      rollout == "latent"
      ? [Layout(replicas: 2, domain: 2)]
      : [
        Layout(tensor: 2), Layout(domain: 2), Layout(domain: 2, tensor: 2), Layout(tensor: 4), Layout(domain: 4),
        Layout(domain: 2, tensor: 3), Layout(domain: 3), Layout(replicas: 2),
        Layout(replicas: 4, splitsOptimizer: true),
        Layout(replicas: 2, tensor: 2, splitsOptimizer: true),
      ]
    for layout in layouts {
      let name = "mesh-\(layout.replicas)-\(layout.domain)-\(layout.tensor)-\(layout.splitsOptimizer)"
      try Self.train(Self.configuration(folder.path, run: name, layout, rollout: rollout), layout.ranks)
      let run = "\(folder.path)/\(name)"
      Self.expectAlike(try Self.column("\(run)/metrics.csv", "loss"), losses, 1e-4, "loss, \(layout.testDescription)")
      Self.expectAlike(
        try Self.column("\(run)/metrics.csv", "gradient_norm"), norms, 1e-3, "norm, \(layout.testDescription)")
      Self.expectAlike(
        try Self.column("\(run)/validation.csv", "loss"), validation, 1e-4, "validation, \(layout.testDescription)")
    }
  }

  @Test func trainingGoesOnWithAnotherMesh() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    try Self.train(Self.configuration(folder.path, run: "one", Layout()), 1)
    let losses = try Self.column("\(folder.path)/one/metrics.csv", "loss")
    // 2 × 2, then one rank, then 4 × 1, then two replicas with a split optimiser.
    func next(_ layout: Layout, from: Int, to: Int) throws {
      let configuration = try Self.configuration(folder.path, run: "moved", layout)
      try Self.train(configuration, layout.ranks, stopAfter: to, resumes: from > 0)
    }
    try next(Layout(domain: 2, tensor: 2), from: 0, to: 12)
    try next(Layout(), from: 12, to: 25)
    try next(Layout(domain: 4), from: 25, to: 37)
    try next(Layout(replicas: 2, tensor: 2, splitsOptimizer: true), from: 37, to: 50)
    Self.expectAlike(try Self.column("\(folder.path)/moved/metrics.csv", "loss"), losses, 1e-4, "loss")
  }

  @Test func forecastsAndScoresAreAlikeOnAllMeshes() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var one = try Self.configuration(folder.path, run: "one", Layout())
    one.forecast.leadHours = 24
    one.forecast.everyHours = 6
    one.forecast.batchSize = 2
    try Self.train(one, 1, stopAfter: 10)
    func scores(_ layout: Layout, _ output: String) throws -> [Double] {
      var configuration = one
      configuration.parallel.domain = layout.domain
      configuration.parallel.tensor = layout.tensor
      var request = ForecastWorkflow.Request()
      request.output = "\(folder.path)/\(output)"
      try Ranks.run(asThreads: layout.ranks) { [configuration, request] world in
        try ForecastWorkflow(configuration, checkpoint: .newest, on: world).run(request)
        try EvaluateWorkflow(configuration, on: world).run(forecast: request.output)
      }
      // Beside the run's own.
      let name = output.split(separator: ".")[0]
      return try Self.column("\(folder.path)/one/evaluation-\(name)/scores.csv", "rmse")
    }
    let expected = try scores(Layout(), "one.zarr")
    #expect(expected.count > 100)
    for layout in [
      Layout(tensor: 2), Layout(domain: 2), Layout(domain: 3, tensor: 2), Layout(replicas: 2, domain: 2),
      Layout(replicas: 3),
    ] {
      let found = try scores(layout, "mesh-\(layout.replicas)-\(layout.domain)-\(layout.tensor).zarr")
      Self.expectAlike(found, expected, 1e-5, "\(layout.testDescription)")
    }
    Self.expectAlike(try scores(Layout(domain: 2, tensor: 2), "mesh.nc"), expected, 1e-5, "NetCDF")
    #expect(throws: JigsawError.self) { try scores(Layout(replicas: 2), "replicas.nc") }
  }

  @Test func reshardingCountsEveryPart() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    try Self.train(Self.configuration(folder.path, run: "run", Layout(domain: 2)), 2, stopAfter: 1)
    let path = "\(folder.path)/run/checkpoints/update-0000001"
    let lines = try InspectWorkflow.reshard(path, domain: 2, tensor: 2).split(separator: "\n")
    #expect(lines.count == 6 && lines[1].contains("rank 0 (0, 0): "))
    #expect(lines[5].contains("resume with --set parallel.domain=2 --set parallel.tensor=2"))
    #expect(throws: JigsawError.self) { try InspectWorkflow.reshard(path, domain: 1, tensor: 6) }
    try Files.remove("\(path)/model.safetensors")
    #expect(throws: JigsawError.self) { try InspectWorkflow.reshard(path, domain: 2, tensor: 2) }
  }

  @Test func resumeAutoGoesOn() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var configuration = try Self.configuration(folder.path, run: "run", Layout())
    configuration.resume = .auto
    try Self.train(configuration, 1, stopAfter: 3)
    try Self.train(configuration, 1, stopAfter: 5)
    #expect(try Self.column("\(folder.path)/run/metrics.csv", "update") == [1, 2, 3, 4, 5])
    configuration.resume = .never
    #expect(throws: JigsawError.self) { try Self.train(configuration, 1) }
  }

  @Test func impossibleMeshesAreRefusedWithThePossibleOnes() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    // Four is no part of six, and there are only five fields.
    for layout in [Layout(domain: 4), Layout(tensor: 6)] {
      let configuration = try Self.configuration(folder.path, run: "run", layout)
      let error = #expect(throws: JigsawError.self) { try Self.train(configuration, 6) }
      #expect(error?.expected?.contains("1 × 2 (replicas: 3), 1 × 3 (replicas: 2), 2 × 1") == true)
      #expect(error?.expected?.contains("1 × 6") == false)
    }
  }
}
