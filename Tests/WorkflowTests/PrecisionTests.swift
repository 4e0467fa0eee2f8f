import Basics
import Configuration
import TestSupport
import Testing
import Workflow

/// The whole job with products in bf16.
@Suite struct PrecisionTests {
  /// Losses stay near those of FP32, on one rank and on several; the record says what was computed with; another precision
  /// may resume and forecast.
  @Test func trainingInBF16StaysNearFP32() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    func train(_ precision: String, tensor: Int = 1, _ run: String) throws -> [Double] {
      var configuration = try MeshTrainingTests.configuration(
        folder.path, run: run, MeshTrainingTests.Layout(tensor: tensor))
      try configuration.apply("precision=\(precision)")
      configuration.training.updates = 20
      configuration.training.checkpoint.every = 10
      try MeshTrainingTests.train(configuration, tensor)
      return try MeshTrainingTests.column("\(folder.path)/\(run)/metrics.csv", "loss")
    }
    let expected = try train("fp32", "fp32")
    let found = try train("bf16", "bf16")
    #expect(found != expected)
    MeshTrainingTests.expectAlike(found, expected, 0.02, "bf16")
    MeshTrainingTests.expectAlike(try train("bf16", tensor: 2, "two"), expected, 0.02, "bf16 on two ranks")
    MeshTrainingTests.expectAlike(try train("bf16x3", "split"), expected, 0.002, "bf16x3")

    func value(_ path: String, _ key: String) throws -> String? {
      try JSONValue(parsing: Files.read("\(folder.path)/\(path)"), place: path)[key]?.string
    }
    #expect(try value("bf16/checkpoints/update-0000020/manifest.json", "precision") == "bf16")
    #expect(try value("bf16/provenance.json", "products")?.hasPrefix("bf16 products") == true)
    #expect(try value("fp32/provenance.json", "products")?.hasPrefix("bf16") == false)

    var other = try MeshTrainingTests.configuration(folder.path, run: "bf16", MeshTrainingTests.Layout())
    other.training.updates = 22
    try TrainWorkflow(other).resume()
    #expect(try value("bf16/checkpoints/update-0000022/manifest.json", "precision") == "fp32")
    try other.apply("precision=bf16")
    var request = ForecastWorkflow.Request()
    request.leadHours = 12
    try ForecastWorkflow(other, checkpoint: .best).run(request)
  }
}
