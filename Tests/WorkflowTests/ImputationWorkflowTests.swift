import Basics
import Communication
import Configuration
import Datasets
import Stores
import TestSupport
import Testing
import Verification
import Workflow

/// The whole job on fields that lack values at some points.
@Suite struct ImputationWorkflowTests {
  static let missing = Set((0..<128).filter { $0 % 16 > 9 || $0 % 7 == 3 })

  /// msl lacks values, and so does t at both levels, at others.
  static func folder() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    var data = SyntheticData()
    data.missing = ["msl": missing, "t": [0, 1, 2, 50, 127], "orog": [5]]
    try data.write("\(folder.path)/data.nc")
    return folder
  }

  static func configuration(_ folder: String, run: String, _ layout: MeshTrainingTests.Layout) throws
    -> RunConfiguration
  {
    var configuration = try MeshTrainingTests.configuration(folder, run: run, layout)
    configuration.training.updates = 12
    configuration.training.validation.every = 6
    configuration.data.impute = ["msl": .nearest, "t": .mean, "orog": .constant(0)]
    configuration.forecast.leadHours = 24
    configuration.forecast.everyHours = 12
    return configuration
  }

  @Test func everyMeshTrainsAndForecastsTheSame() throws {
    let folder = try Self.folder()
    func scores(_ layout: MeshTrainingTests.Layout, _ run: String) throws -> [[Double]] {
      let configuration = try Self.configuration(folder.path, run: run, layout)
      try MeshTrainingTests.train(configuration, layout.ranks)
      var request = ForecastWorkflow.Request()
      request.output = "\(folder.path)/\(run).zarr"
      try Ranks.run(asThreads: layout.ranks) { [request] world in
        try ForecastWorkflow(configuration, checkpoint: .newest, on: world).run(request)
        try EvaluateWorkflow(configuration, on: world).run(forecast: request.output)
      }
      let path = "\(folder.path)/\(run)"
      return [
        try MeshTrainingTests.column("\(path)/metrics.csv", "loss"),
        try MeshTrainingTests.column("\(path)/metrics.csv", "gradient_norm"),
        try MeshTrainingTests.column("\(path)/validation.csv", "loss"),
        try MeshTrainingTests.column("\(path)/validation.csv", "rmse_msl"),
        try MeshTrainingTests.column("\(path)/evaluation-\(run)/scores.csv", "rmse"),
      ]
    }
    let expected = try scores(MeshTrainingTests.Layout(), "one")
    #expect(expected.allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isFinite) })
    let layouts = [
      MeshTrainingTests.Layout(domain: 4), .init(replicas: 2, tensor: 2), .init(domain: 3, tensor: 2),
    ]
    for (number, layout) in layouts.enumerated() {
      let found = try scores(layout, "mesh-\(number)")
      for (index, what) in ["loss", "norm", "validation", "rmse", "scores"].enumerated() {
        MeshTrainingTests.expectAlike(found[index], expected[index], 1e-3, "\(what), \(layout.testDescription)")
      }
      let (one, other) = (try forecast(folder.path, "one"), try forecast(folder.path, "mesh-\(number)"))
      #expect(zip(one, other).allSatisfy { $0.isNaN == $1.isNaN && ($0.isNaN || abs($0 - $1) < 1e-2) })
    }
  }

  /// Sea-level pressure of the first forecasts.
  private func forecast(_ folder: String, _ run: String) throws -> [Float] {
    let reader = try ForecastReader("\(folder)/\(run).zarr")
    let all = [Bool](repeating: true, count: 128)
    return try (0..<4).flatMap { try reader.read(Channel(variable: "msl"), initial: 0, lead: $0, isMissing: all) }
  }

  @Test func forecastsLackValuesWhereTheDataDo() throws {
    let folder = try Self.folder()
    let configuration = try Self.configuration(folder.path, run: "one", .init())
    try MeshTrainingTests.train(configuration, 1, stopAfter: 2)
    var first: [Float] = []
    for name in ["one.zarr", "one.nc", "one.grib"] {
      var request = ForecastWorkflow.Request()
      request.output = "\(folder.path)/\(name)"
      try ForecastWorkflow(configuration, checkpoint: .newest).run(request)
      let reader = try ForecastReader("\(folder.path)/\(name)")
      let all = [Bool](repeating: true, count: 128)
      for lead in reader.leadHours.indices {
        let field = try reader.read(Channel(variable: "msl"), initial: 1, lead: lead, isMissing: all)
        #expect(Set(field.indices.filter { field[$0].isNaN }) == Self.missing)
        if first.isEmpty { first = field }
        // GRIB packs in 16 bits.
        if lead == 0 { #expect(zip(field, first).allSatisfy { $0.isNaN || abs($0 - $1) < 0.1 }) }
        #expect(try reader.read(Channel(variable: "z", levelHPa: 500), initial: 1, lead: lead).allSatisfy(\.isFinite))
      }
    }
    // Another way to impute, or other points, is another model's.
    var other = configuration
    other.data.impute["msl"] = .mean
    let error = #expect(throws: JigsawError.self) { try ForecastWorkflow(other, checkpoint: .newest).run(.init()) }
    #expect(error?.description.contains("data.impute: msl: is imputed otherwise") == true)
    #expect(throws: JigsawError.self) { try MeshTrainingTests.train(other, 1, resumes: true) }
  }

  @Test func trainingGoesOnToTheBit() throws {
    let folder = try Self.folder()
    let whole = try Self.configuration(folder.path, run: "whole", .init())
    try MeshTrainingTests.train(whole, 1)
    let parts = try Self.configuration(folder.path, run: "parts", .init())
    try MeshTrainingTests.train(parts, 1, stopAfter: 5)
    try MeshTrainingTests.train(parts, 1, resumes: true)
    for file in ["model", "average", "optimizer"] {
      let name = "checkpoints/update-0000012/\(file).safetensors"
      #expect(try Files.read("\(folder.path)/whole/\(name)") == Files.read("\(folder.path)/parts/\(name)"))
    }
  }

  @Test func imputedVariablesAreReadAsWeAndAnemoiWriteThem() throws {
    func impute(_ text: String) throws -> [String: Imputation] {
      try RunConfiguration.parse("data: {impute: \(text)}", file: "test").data.impute
    }
    let expected: [String: Imputation] = ["sst": .mean, "ci": .constant(0), "swh": .constant(-1.5), "wap": .nearest]
    #expect(try impute("{sst: mean, ci: 0, swh: -1.5, wap: nearest}") == expected)
    #expect(try impute("{default: none, mean: [sst], 0: [ci], -1.5: [swh], nearest: [wap]}") == expected)
    #expect(try impute("{}").isEmpty)
    for (text, problem) in [
      ("{sst: median}", "a number, mean or nearest"), ("{maximum: [sst]}", "no way to impute"),
      ("{default: mean}", "none"), ("{mean: [sst], sst: 0}", "names sst twice"), ("[sst]", "{sst: mean}"),
      ("{sst: .nan}", "a number, mean or nearest"),
    ] {
      let error = #expect(throws: JigsawError.self) { try impute(text) }
      #expect(error?.description.contains(problem) == true, "\(text): \(error?.description ?? "")")
    }
  }
}
