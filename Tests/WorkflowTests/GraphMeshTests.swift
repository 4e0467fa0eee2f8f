import Basics
import Communication
import Configuration
import TestSupport
import Testing
import Workflow

/// Runs of graph models on meshes of ranks (as threads) against one rank.
@Suite struct GraphRunMeshTests {
  private static func configuration(_ folder: String, _ run: String, _ family: String, domain: Int = 1, tensor: Int = 1)
    throws -> RunConfiguration
  {
    try GraphRunTests.configuration(
      folder, run: run, family: family, ["threads=1", "parallel.domain=\(domain)", "parallel.tensor=\(tensor)"])
  }

  @Test(arguments: ["graph-transformer", "gnn", "transformer"]) func meshesTrainTheSameModel(family: String) throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    try MeshTrainingTests.train(try Self.configuration(folder.path, "one", family), 1)
    func column(_ run: String, _ file: String, _ name: String) throws -> [Double] {
      try MeshTrainingTests.column("\(folder.path)/\(run)/\(file).csv", name)
    }
    for (domain, tensor) in [(2, 1), (1, 2), (3, 2)] {
      let run = "mesh-\(domain)x\(tensor)"
      let configuration = try Self.configuration(folder.path, run, family, domain: domain, tensor: tensor)
      try MeshTrainingTests.train(configuration, domain * tensor)
      for (file, name) in [("metrics", "loss"), ("metrics", "gradient_norm"), ("validation", "loss")] {
        MeshTrainingTests.expectAlike(
          try column(run, file, name), try column("one", file, name), 1e-4, "\(family), \(run): \(file) \(name)")
      }
    }
  }

  /// Five updates on one mesh, three more on another; forecasts and scores on meshes are those of one rank.
  @Test func runsGoOnOnOtherMeshes() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    try MeshTrainingTests.train(try Self.configuration(folder.path, "one", "graph-transformer"), 1)
    let first = try Self.configuration(folder.path, "many", "graph-transformer", domain: 2, tensor: 2)
    try MeshTrainingTests.train(first, 4, stopAfter: 5)
    let second = try Self.configuration(folder.path, "many", "graph-transformer", domain: 3)
    try MeshTrainingTests.train(second, 3, resumes: true)
    MeshTrainingTests.expectAlike(
      try MeshTrainingTests.column("\(folder.path)/many/metrics.csv", "loss"),
      try MeshTrainingTests.column("\(folder.path)/one/metrics.csv", "loss"), 1e-4, "loss")
    func scores(_ domain: Int, _ tensor: Int) throws -> [Double] {
      let configuration = try Self.configuration(
        folder.path, "one", "graph-transformer", domain: domain, tensor: tensor)
      var request = ForecastWorkflow.Request()
      request.output = "\(folder.path)/forecast-\(domain)-\(tensor).zarr"
      try Ranks.run(asThreads: domain * tensor) { [request] world in
        try ForecastWorkflow(configuration, checkpoint: .newest, on: world).run(request)
        try EvaluateWorkflow(configuration, on: world).run(forecast: request.output)
      }
      return try MeshTrainingTests.column(
        "\(folder.path)/one/evaluation-forecast-\(domain)-\(tensor)/scores.csv", "rmse")
    }
    let expected = try scores(1, 1)
    #expect(expected.count > 5)
    for (domain, tensor) in [(2, 1), (1, 2), (2, 2)] {
      MeshTrainingTests.expectAlike(try scores(domain, tensor), expected, 1e-5, "\(domain) × \(tensor)")
    }
  }

  /// Two heads: no layout that is planned splits attention over more ranks.
  @Test func plansPartNoHead() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    var request = PlanWorkflow.Request(machine: "horeka-a100-40")
    request.ranks = 4
    let report = try PlanWorkflow(
      try Self.configuration(folder.path, "plan", "graph-transformer"), request, console: .silent
    ).run()
    // With and without checkpointing, with the optimiser whole or split: 4 replicas, two of two ranks; one of four ranks: 4 × 1 and 2 × 2.
    #expect(report.considered == 2 * (2 + 4 + 2))
  }
}
