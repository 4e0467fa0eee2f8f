import Basics
import Checkpoints
import Configuration
import Datasets
import TestSupport
import Testing
import Training
import Workflow

/// A limited area in a cutout, from training to scores, on several meshes.
@Suite struct BoundaryWorkflowTests {
  private static func configuration(_ folder: String, run: String, domain: Int = 1, tensor: Int = 1, replicas: Int = 1)
    throws -> RunConfiguration
  {
    try RunConfiguration.parse(
      """
      run: \(folder)/\(run)
      threads: 1
      parallel: {domain: \(domain), tensor: \(tensor)}
      data:
        sources:
          - open:
              cutout: [{dataset: \(folder)/fine.nc, area: [60, 0, 20, 90]}, \(folder)/around.nc]
              adjust: all
        variables: [z, t, msl]
        levels: [850, 500]
        forcings: [insolation]
        boundary: cutout
        inputSteps: [-6, 0]
        train: {start: 2001-01-01, end: 2001-01-10}
        validation: {start: 2001-01-11, end: 2001-01-13}
        test: {start: 2001-01-13, end: 2001-01-15}
      model: {family: linear-regression}
      training:
        updates: 20
        batchSize: \(4 / replicas)
        learningRate: 0.01
        warmUpUpdates: 4
        averageDecay: 0.9
        rollout: {stages: [{fraction: 0, steps: 1}, {fraction: 0.3, steps: 3}]}
        validation: {every: 10, samples: 4, steps: 2}
        checkpoint: {every: 10}
      forecast: {leadHours: 24, everyHours: 6}
      evaluation: {climatologyWindowDays: 9, spectra: false}
      """, file: "test")
  }

  @Test func theAreaIsPredictedAndItsSurroundingsAreGiven() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/around.nc")
    var fine = SyntheticData()
    (fine.rows, fine.columns) = (16, 32)
    try fine.write("\(folder.path)/fine.nc")
    func column(_ run: String, _ file: String, _ name: String = "loss") throws -> [Double] {
      try MeshTrainingTests.column("\(folder.path)/\(run)/\(file).csv", name)
    }
    let one = try Self.configuration(folder.path, run: "one")
    try MeshTrainingTests.train(one, 1)
    for (domain, tensor, replicas) in [(2, 1, 1), (3, 1, 1), (2, 2, 1), (1, 1, 2)] {
      let run = "mesh-\(replicas)-\(domain)-\(tensor)"
      try MeshTrainingTests.train(
        Self.configuration(folder.path, run: run, domain: domain, tensor: tensor, replicas: replicas),
        domain * tensor * replicas)
      for file in ["metrics", "validation"] {
        MeshTrainingTests.expectAlike(try column(run, file), try column("one", file), 1e-4, "\(run), \(file)")
      }
    }
    // As if never stopped.
    let parts = try Self.configuration(folder.path, run: "parts")
    try TrainWorkflow(parts, stopAfter: 10).start()
    try TrainWorkflow(parts).resume()
    #expect(try column("parts", "metrics") == column("one", "metrics"))

    let manifest = try #require(try RunFolder("\(folder.path)/one").checkpoints().newest()).manifest
    #expect(manifest.boundary != nil)
    var request = ForecastWorkflow.Request()
    request.output = "\(folder.path)/forecast.zarr"
    try ForecastWorkflow(one, checkpoint: .newest, console: .silent).run(request)

    // Scores are over the area alone, and the report shows it.
    try EvaluateWorkflow(one).run(forecast: request.output)
    let scores = try Files.readText("\(folder.path)/one/evaluation-forecast/scores.csv")
    #expect(scores.contains(",domain,") && !scores.contains(",globe,"))
    #expect(try column("one/evaluation-forecast", "scores", "rmse").allSatisfy(\.isFinite))
    let report = try ReportWorkflow(one, console: .silent).run(forecast: request.output)
    #expect(Files.exists(report))

    // Other points, or none.
    var other = one
    other.data.boundary = .none
    request.overwrites = true
    let error = #expect(throws: JigsawError.self) {
      _ = try ForecastWorkflow(other, checkpoint: .newest, console: .silent).run(request)
    }
    #expect(error?.description.contains("data.boundary: has other points") == true, "\(error?.description ?? "")")
    // The surroundings must be there up to the end.
    request.from = Timestamp(year: 2001, month: 1, day: 15, hour: 6)
    let late = #expect(throws: JigsawError.self) {
      _ = try ForecastWorkflow(one, checkpoint: .newest, console: .silent).run(request)
    }
    #expect(late?.description.contains("lacks the boundary at 2001-01-16") == true, "\(late?.description ?? "")")
  }
}
