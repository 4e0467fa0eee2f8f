import Basics
import Communication
import Distribution
import GraphChecks
import Models
import Stores
import TestSupport
import Testing

/// Whole graph models against an independent implementation in double precision (Tests/Goldens/make_graph_model_goldens.py): predictions,
/// intermediate results, gradients, a rollout of two steps and ten updates.
@Suite struct GraphGoldenTests {
  private static let folder =
    "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/") + "/Goldens/graph-models"

  @Test(
    arguments: ["graph-transformer", "edge-network", "transformer", "ensemble"],
    [(threads: 1, parts: nil), (threads: 2, parts: ComputationParts(mapper: 3, processor: 1))])
  func modelsComputeWhatTheReferenceDoes(name: String, how: (threads: Int, parts: ComputationParts?)) throws {
    let check = try GraphCheck(
      "\(Self.folder)/\(name)", threads: how.threads, checkpointsActivations: how.parts != nil,
      parts: how.parts ?? ComputationParts())
    let report = try check.run().object ?? [:]
    var compared = 0
    for (key, entry) in report {
      if let error = entry["relative_l2"]?.double {
        compared += 1
        // On its way to the inputs a gradient passes LayerNorms of eight channels, which amplify rounding errors.
        #expect(error < (key == "grad_x" ? 6e-6 : 2e-6), "\(name): \(key)")
      } else if let error = entry["worst_of_whole_norm"]?["error"]?.double {
        compared += 1
        // Two steps with weights drawn at random amplify rounding errors.
        #expect(error < (key == "grad" ? 2e-6 : 6e-6), "\(name): \(key)")
      } else if key != "param_l2_after", let error = entry["relative"]?.double {
        compared += 1
        // Ten updates amplify rounding errors.
        #expect(error < (key == "losses" ? 3e-6 : 1e-6), "\(name): \(key)")
      }
    }
    // Input, prediction, gradients, rollout, losses, and at least four intermediate results.
    #expect(compared >= 16, "\(name): \(report.keys.sorted())")
  }

  struct MeshCase: Sendable, CustomTestStringConvertible {
    var mesh: Mesh
    var parts: ComputationParts?
    var testDescription: String { "\(mesh)\(parts == nil ? "" : " in parts")" }
  }

  /// The same on meshes of ranks, against the reference and against one rank.
  @Test(
    arguments: ["graph-transformer", "edge-network", "transformer", "ensemble"],
    [
      MeshCase(mesh: Mesh(domain: 2, tensor: 2)), MeshCase(mesh: Mesh(replica: 2, domain: 1, tensor: 2)),
      MeshCase(mesh: Mesh(domain: 3, tensor: 1)),
      MeshCase(mesh: Mesh(domain: 2, tensor: 2), parts: ComputationParts(mapper: 3, processor: 1)),
    ])
  func meshesComputeWhatTheReferenceDoes(name: String, how: MeshCase) throws {
    for report in try Self.reports("\(Self.folder)/\(name)", how) {
      for (members, limit) in [(report, 6e-6), (try #require(report["one_rank"]), 1e-5)] {
        for key in ["y_pred", "grad_x"] {
          #expect(try #require(members[key]?["relative_l2"]?.double) < limit, "\(name), \(how): \(key)")
        }
        #expect(try #require(members["loss"]?["relative"]?.double) < 1e-6, "\(name), \(how)")
        #expect(try #require(members["grad"]?["worst_of_whole_norm"]?["error"]?.double) < 2e-6, "\(name), \(how)")
        #expect(try #require(members["losses"]?["relative"]?.double) < 3e-6, "\(name), \(how)")
      }
    }
  }

  private static func reports(_ folder: String, _ how: MeshCase) throws -> [JSONValue] {
    try ThreadRanks.run(how.mesh.count) {
      try MeshCheck(
        folder, checkpointsActivations: how.parts != nil, parts: how.parts ?? ComputationParts(),
        RankContext(how.mesh, $0)
      ).run()
    }
  }

  /// Losses that no golden case has are those of one rank on meshes.
  @Test(arguments: ["RMSELoss", "MSELoss"]) func meshesComputeTheLossOfOneRank(_ loss: String) throws {
    let folder = try Self.changed("losses.MAELoss", to: "losses.\(loss)")
    for report in try Self.reports(folder.path, MeshCase(mesh: Mesh(domain: 2, tensor: 2))) {
      let members = try #require(report["one_rank"])
      #expect(try #require(members["loss"]?["relative"]?.double) < 1e-6)
      #expect(try #require(members["grad"]?["worst_of_whole_norm"]?["error"]?.double) < 1e-5)
      #expect(try #require(members["losses"]?["relative"]?.double) < 3e-6)
      // The case's own loss is another one.
      #expect(try #require(report["loss"]?["relative"]?.double) > 1e-3)
    }
  }

  /// What was imputed before a case was made is not computed here.
  @Test func casesWithOtherProcessorsAreRefused() throws {
    let folder = try Self.changed(
      "\"anemoi_config\": {",
      to:
        "\"anemoi_config\": {\"data\": {\"processors\": {\"imputer\": {\"_target_\": \"anemoi.models.preprocessing.imputer.InputImputer\"}}},"
    )
    let error = #expect(throws: JigsawError.self) { try GraphCheck(folder.path, threads: 1) }
    #expect(
      try #require(error).description.contains("data.processors.imputer: is a processor that is not computed here"))
  }

  /// A wrapper of one scale multiplies the loss; of anything else that a loss may have nothing is passed over.
  @Test func settingsOfLossesAreReadOrRefused() throws {
    let own = #""_target_": "anemoi.training.losses.MAELoss""#
    func wrapped(_ settings: String) throws -> TemporaryFolder {
      try Self.changed(
        #""data": {\#n      \#(own),"#,
        to:
          #""data": {"_target_": "MultiscaleLossWrapper", \#(settings), "per_scale_loss": {\#(own), "ignore_nans": false},"#
      )
    }
    let folder = try wrapped(#""multiscale_config": null, "weights": [0.5]"#)
    let mine = try GraphCheck(folder.path, threads: 1).run()
    let whole = try GraphCheck("\(Self.folder)/transformer", threads: 1).run()
    for (key, name) in [("loss", "value"), ("rollout2/loss", "value"), ("grad", "norm")] {
      let (a, b) = (mine[key]?[name]?.double, whole[key]?[name]?.double)
      // The norm is the original's.
      #expect(key == "grad" ? a == b : abs(try #require(a) / #require(b) - 0.5) < 1e-6, "\(key)")
    }
    #expect(abs(try #require(mine["grad"]?["worst_of_whole_norm"]?["error"]?.double)) > 0.1)
    for (settings, word) in [
      (#""weights": [0.5, 1]"#, "training_loss.weights: are not those of one scale"),
      (#""weights": [1], "loss_matrices": ["a.npz"]"#, "found loss_matrices"),
      (#""weights": [1], "multiscale_config": {"num_scales": 3}"#, "has a multi-scale loss"),
    ] {
      let folder = try wrapped(settings)
      let error = #expect(throws: JigsawError.self) { try GraphCheck(folder.path, threads: 1).run() }
      #expect(try #require(error).description.contains(word))
    }
    let other = try Self.changed(own, to: #"\#(own), "predicted_variables": ["a"]"#)
    let error = #expect(throws: JigsawError.self) { try GraphCheck(other.path, threads: 1).run() }
    #expect(try #require(error).description.contains("found predicted_variables"))
  }

  /// A transformer looks at no edges; anemoi-models keeps trainable numbers of them.
  @Test func parametersWithoutUseAreNoObstacle() throws {
    let folder = try Self.changed("MAELoss", to: "MAELoss")
    let path = "\(folder.path)/weights.safetensors"
    func add(_ name: String) throws {
      let file = try Safetensors.File("\(Self.folder)/transformer/weights.safetensors")
      var tensors: [String: Safetensors.Tensor] = [:]
      for entry in file.entries.keys { tensors[entry] = try file.tensor(entry) }
      tensors[name] = .init([Float(1), 2], shape: [2, 1])
      try Safetensors.write(tensors, to: path)
    }
    try add("model.processor_graph_provider.trainable.trainable")
    let report = try GraphCheck(folder.path, threads: 1).run()
    #expect(try #require(report["y_pred"]?["relative_l2"]?.double) < 2e-6)
    try add("model.processor.trainable")
    #expect(throws: JigsawError.self) { try GraphCheck(folder.path, threads: 1) }
  }

  /// A variable that the loss knows and the model does not predict.
  @Test func targetsThatAreNotPredictedAreLeftOut() throws {
    let folder = try Self.changed(
      #""output": {\#n    "full": [\#n     0,"#, to: #""output": {\#n    "full": [\#n     4,\#n     0,"#)
    let report = try GraphCheck(folder.path, threads: 1).run()
    #expect(try #require(report["y_pred_physical"]?["relative_l2"]?.double) < 2e-6)
    #expect(try #require(report["loss"]?["relative"]?.double) < 1e-6)
  }

  /// The case of a transformer with another text in its configuration.
  private static func changed(_ text: String, to other: String) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let source = "\(Self.folder)/transformer"
    for file in ["graph.safetensors", "weights.safetensors", "case.safetensors", "losses.json"] {
      try Files.writeAtomically(Files.read("\(source)/\(file)"), to: "\(folder.path)/\(file)")
    }
    let config = try Files.readText("\(source)/config.json")
    try #require(config.contains(text))
    try Files.writeAtomically(config.replacing(text, with: other, maxReplacements: 1), to: "\(folder.path)/config.json")
    return folder
  }

  /// A dataset that is not called `data` and mappers that are not called `0`.
  @Test func casesMayHaveOtherNames() throws {
    let temporary = try TemporaryFolder()
    let folder = temporary.path
    func renamed(_ name: String) -> String {
      name.replacing("processors.data.", with: "processors.era5.").replacing("_provider.data.", with: "_provider.era5.")
        .replacing("model.encoder.0.", with: "model.encoder.m.").replacing("model.decoder.0.", with: "model.decoder.m.")
    }
    let source = "\(Self.folder)/graph-transformer"
    for name in ["graph", "weights", "case"] {
      let file = try Safetensors.File("\(source)/\(name).safetensors")
      var tensors: [String: Safetensors.Tensor] = [:]
      for entry in file.entries.keys { tensors[renamed(entry)] = try file.tensor(entry) }
      try Safetensors.write(tensors, to: "\(folder)/\(name).safetensors")
    }
    func renamed(_ json: JSONValue, dataset: String) -> JSONValue {
      if let members = json.object {
        return .object(
          members.reduce(into: [:]) { result, member in
            var value = renamed(member.value, dataset: dataset)
            if member.key == "datasets", let own = value["data"] { value = .object([dataset: own]) }
            result[renamed(member.key)] = value
          })
      }
      if let items = json.array { return .array(items.map { renamed($0, dataset: dataset) }) }
      return json.string.map { .string(renamed($0)) } ?? json
    }
    let config = try JSONValue(parsing: Files.read("\(source)/config.json"), place: "config.json")
    try Files.writeAtomically(renamed(config, dataset: "era5").text(), to: "\(folder)/config.json")
    let report = try GraphCheck(folder, threads: 1).run()
    #expect(try #require(report["y_pred"]?["relative_l2"]?.double) < 2e-6)
    #expect(try #require(report["grad"]?["worst_of_whole_norm"]?["error"]?.double) < 2e-6)
    // Settings of another dataset are no settings of this one.
    try Files.writeAtomically(renamed(config, dataset: "cerra").text(), to: "\(folder)/config.json")
    #expect(throws: JigsawError.self) { try GraphCheck(folder, threads: 1).run() }
  }

  /// A recorded forecast of another model's shape is refused.
  @Test func forecastsOfOtherShapesAreRefused() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/forecast.safetensors"
    let checkpoint = "\(Self.folder)/../anemoi/inference-tiny.ckpt"
    let shape = [1, 2, 684, 21]
    try Safetensors.write(["input_0": .init([Float](repeating: 0, count: 2 * 684 * 21), shape: shape)], to: path)
    let error = #expect(throws: JigsawError.self) { try ForecastCheck(checkpoint, path, threads: 1) }
    #expect(error?.description.contains("input_0") == true)
    try Safetensors.write(["output_0": .init([Float(0)], shape: [1])], to: path)
    #expect(throws: JigsawError.self) { try ForecastCheck(checkpoint, path, threads: 1) }
  }

  /// A changed weight shows: the check can fail.
  @Test func aWrongWeightIsNoticed() throws {
    let check = try GraphCheck("\(Self.folder)/transformer", threads: 1)
    check.scaleParameter("model.processor.proc.1.attention.lin_v.weight", by: 1.001)
    let error = try check.run()["y_pred"]?["relative_l2"]?.double ?? 0
    #expect(error > 1e-5)
  }
}
