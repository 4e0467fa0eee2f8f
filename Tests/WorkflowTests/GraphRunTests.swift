import Basics
import Checkpoints
import Configuration
import Models
import TestSupport
import Testing
import Training
import Verification
import Workflow

/// Graph models as runs: trained, resumed, forecast with.
@Suite struct GraphRunTests {
  static func configuration(_ folder: String, run: String, family: String, _ more: [String] = []) throws
    -> RunConfiguration
  {
    let heads = family == "gnn" ? "" : "heads: 2, "
    var configuration = try RunConfiguration.parse(
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
        diagnostic: [msl]
        inputSteps: [-6, 0]
        train: {start: 2001-01-01, end: 2001-01-10}
        validation: {start: 2001-01-11, end: 2001-01-13}
        test: {start: 2001-01-13, end: 2001-01-15}
      model:
        family: \(family)
        channels: 8
        trainableData: 2
        trainableHidden: 2
        encoder: {\(heads)mlpRatio: 2}
        processor: {\(heads)layers: 2, mlpRatio: 2}
        decoder: {\(heads)mlpRatio: 2}
        graph: {level: 1}
      training:
        updates: 8
        batchSize: 3
        accumulation: 2
        warmUpUpdates: 4
        averageDecay: 0.9
        rollout: {randomized: true, stages: [{fraction: 0, steps: 1}, {fraction: 0.3, steps: 3}]}
        validation: {every: 3, samples: 4}
        checkpoint: {every: 4, keep: 3}
      forecast: {leadHours: 12}
      """, file: "test")
    for setting in more { try configuration.apply(setting) }
    return configuration
  }

  /// Bit by bit, graph included; the graph is read, not made again: where the settings' file has gone, training resumes.
  @Test(arguments: ["graph-transformer", "gnn", "transformer"]) func eightUpdatesAreFiveAndThreeMore(family: String)
    throws
  {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    try TrainWorkflow(Self.configuration(folder.path, run: "whole", family: family), console: .silent).start()
    let parts = try Self.configuration(folder.path, run: "parts", family: family)
    try TrainWorkflow(parts, stopAfter: 5, console: .silent).start()
    try TrainWorkflow(parts, console: .silent).resume()
    for name in ["update-0000008", "best"] {
      let files = try Files.list("\(folder.path)/whole/checkpoints/\(name)")
      #expect(files.contains("graph.safetensors"))
      for file in files {
        #expect(
          try Files.read("\(folder.path)/whole/checkpoints/\(name)/\(file)")
            == Files.read("\(folder.path)/parts/checkpoints/\(name)/\(file)"), "\(name)/\(file)")
      }
    }
    let forecast = try ForecastWorkflow(parts, checkpoint: .newest, console: .silent).run(.init())
    #expect(try ForecastReader(forecast).leadHours == [6, 12])
    #expect(try Checkpoint("\(folder.path)/parts/checkpoints/best").problems().isEmpty)
  }

  /// A graph is its content: its file may lie elsewhere or be gone, but not hold another one.
  @Test func aTrainingGoesOnWithItsGraphWhereverTheFileLies() throws {
    let folder = try TemporaryFolder()
    let path = folder.path
    try SyntheticData().write("\(path)/data.nc")
    func train(_ run: String, _ more: [String]) throws {
      try TrainWorkflow(
        Self.configuration(path, run: run, family: "gnn", more), stopAfter: 2, console: .silent
      ).start()
    }
    try train("first", [])
    try train("other", ["model.graph.hops=2"])
    let graph = "\(path)/first/checkpoints/update-0000002/graph.safetensors"
    try train("run", ["model.graph.file=\(graph)"])
    func resume(_ file: String, stopAfter: Int) throws {
      let configuration = try Self.configuration(path, run: "run", family: "gnn", ["model.graph.file=\(file)"])
      try TrainWorkflow(configuration, stopAfter: stopAfter, console: .silent).resume()
    }
    let moved = "\(path)/moved.safetensors"
    try Files.writeAtomically(Files.read(graph), to: moved)
    try resume(moved, stopAfter: 3)
    try Files.writeAtomically(
      Files.read("\(path)/other/checkpoints/update-0000002/graph.safetensors"), to: moved)
    let error = #expect(throws: JigsawError.self) { try resume(moved, stopAfter: 4) }
    #expect(error?.problem == "was made with another graph")
    try Files.remove(moved)
    try resume(moved, stopAfter: 4)
    #expect(Files.exists("\(path)/run/checkpoints/update-0000004"))
  }

  /// How a model is computed is chosen by memory, said, kept for forecasts, and may change when a training is resumed.
  @Test func aTrainingGoesOnInOtherChunks() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    let limited = try Self.configuration(folder.path, run: "run", family: "transformer", ["model.memoryGiB=2"])
    try TrainWorkflow(limited, stopAfter: 2, console: .silent).start()
    let log = try Files.readText("\(folder.path)/run/train.log")
    #expect(log.contains("model.memoryGiB 2.000: encoder and decoder whole; an update takes"), "\(log)")
    let parts = try Self.configuration(
      folder.path, run: "run", family: "transformer",
      ["model.mapperChunks=3", "model.processorChunks=1", "training.checkpointActivations=true"])
    try TrainWorkflow(parts, stopAfter: 4, console: .silent).resume()
    let checkpoint = try Checkpoint("\(folder.path)/run/checkpoints/update-0000004")
    #expect(checkpoint.manifest.model.settings.entries.contains { $0 == ("mapperChunks", "3") })
    let forecast = try ForecastWorkflow(parts, checkpoint: .newest, console: .silent).run(.init())
    #expect(try ForecastReader(forecast).leadHours == [6, 12])
    // Other settings of the model may not.
    let other = try Self.configuration(folder.path, run: "run", family: "transformer", ["model.processor.window=3"])
    #expect(throws: JigsawError.self) { try TrainWorkflow(other, console: .silent).resume() }
  }

  @Test func theGraphOfACheckpointIsItsOwn() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    let first = try Self.configuration(folder.path, run: "first", family: "graph-transformer")
    try TrainWorkflow(first, stopAfter: 1, console: .silent).start()
    let path = "\(folder.path)/first/checkpoints/update-0000001/graph.safetensors"
    // The same from a file, which then goes.
    let file = "\(folder.path)/graph.safetensors"
    try Files.writeAtomically(Files.read(path), to: file)
    let second = try Self.configuration(
      folder.path, run: "second", family: "graph-transformer", ["model.graph={file: \(file)}"])
    try TrainWorkflow(second, stopAfter: 1, console: .silent).start()
    try Files.remove(file)
    try TrainWorkflow(second, stopAfter: 2, console: .silent).resume()
    #expect(throws: JigsawError.self) { try TrainWorkflow(second, console: .silent).start(overwrites: true) }
    // Another bit of it is another graph.
    var bytes = try Files.read(path)
    bytes[bytes.count - 1] ^= 1
    try Files.writeAtomically(bytes, to: path)
    let error = #expect(throws: JigsawError.self) {
      try ForecastWorkflow(first, checkpoint: .newest, console: .silent).run(.init())
    }
    #expect(error?.description.contains("graph.safetensors") == true)
  }

  /// Weights of columns in another order, or of other variables, are taken by these; those that belong to other edges are not.
  @Test func initialWeightsAreThoseOfTheSameColumnsAndGraph() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    let family = "graph-transformer"
    let first = try Self.configuration(folder.path, run: "first", family: family)
    try TrainWorkflow(first, stopAfter: 1, console: .silent).start()
    func origin(_ run: String, _ settings: [String]) throws -> InitialWeights.Origin {
      let other = try Self.configuration(
        folder.path, run: run, family: family, settings + ["training.initialWeights=\(folder.path)/first"])
      try TrainWorkflow(other, stopAfter: 1, console: .silent).start()
      let checkpoint = try #require(try RunFolder("\(folder.path)/\(run)").checkpoints().newest())
      return try #require(checkpoint.manifest.initialWeights)
    }
    let same = try origin("same", [])
    #expect(same.left == [] && same.partly == [])
    let (source, last) = ("model.encoder.0.emb_nodes_src.weight", "model.decoder.0.node_data_extractor.1")
    let target = "model.decoder.0.emb_nodes_dst.weight"
    let reordered = try origin("reordered", ["model.outputOrder=[1, 0, 2, 3, 4]"])
    #expect(reordered.left == [] && reordered.partly == ["\(last).weight", "\(last).bias"])
    let fewer = try origin("fewer", ["data.variables=[t, msl]"])
    #expect(fewer.left == [] && fewer.partly == [source, target, "\(last).weight", "\(last).bias"])
    let elsewhere = try origin("elsewhere", ["model.graph={level: 1, lengthNorm: unit-max}"]).left
    #expect(!elsewhere.isEmpty && elsewhere.allSatisfy { $0.hasSuffix("trainable") })
  }

  @Test func theModelMayNotChange() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    let first = try Self.configuration(folder.path, run: "run", family: "transformer")
    try TrainWorkflow(first, stopAfter: 1, console: .silent).start()
    let bounded = try Self.configuration(
      folder.path, run: "run", family: "transformer", ["model.bounds=[{variables: [msl], least: 0}]"])
    let error = #expect(throws: JigsawError.self) { try TrainWorkflow(bounded, console: .silent).resume() }
    #expect(error?.description.contains("bounds") == true)
  }

  @Test func aPlanCountsTheGraph() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.nc")
    let configuration = try Self.configuration(folder.path, run: "run", family: "graph-transformer")
    let report = try PlanWorkflow(
      configuration, PlanWorkflow.Request(machine: "horeka-a100-40"), console: .silent
    ).run()
    #expect(report.best.memory.total > 0)
  }
}
