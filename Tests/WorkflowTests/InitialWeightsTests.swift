import Basics
import Communication
import Configuration
import Stores
import TestSupport
import Testing
import Training

@testable import Workflow

/// Training from another run's weights: what fits is taken, and only that.
@Suite struct InitialWeightsTests {
  private static func configuration(_ folder: String, _ run: String, _ settings: [String] = []) throws
    -> RunConfiguration
  {
    try RunConfiguration.parse(
      """
      run: \(folder)/\(run)
      threads: 1
      data:
        sources: [{path: \(folder)/data.nc}]
        variables: [z, t, msl]
        levels: [850, 500]
        train: {start: 2001-01-01, end: 2001-01-05}
      model: {patch: [2, 4], channels: 16, tokenWidth: 12, channelWidth: 20, blocks: 1}
      training: {updates: 3, batchSize: 2, averageDecay: 0.5}
      """, file: "test", settings: settings)
  }

  /// Other years, and nothing is learned: the weights of the first checkpoint are those that training began with.
  private static let stillLater = [
    "data.train={start: 2001-01-06, end: 2001-01-09}", "training.learningRate=0", "training.finalLearningRate=0",
    "training.updates=1", "seed=7",
  ]

  private static func weights(_ run: String, _ file: String = "model") throws -> [String: [Float]] {
    let newest = try #require(try RunFolder(run).checkpoints().newest())
    let stored = try Safetensors.File("\(newest.path)/\(file).safetensors")
    return try Dictionary(uniqueKeysWithValues: stored.entries.keys.map { ($0, try stored.floats($0)) })
  }

  private static func source(_ folder: String) throws -> String {
    try SyntheticData().write("\(folder)/data.nc")
    try TrainWorkflow(configuration(folder, "source"), console: .silent).start()
    return "\(folder)/source"
  }

  @Test func otherYearsBeginWithAllOfIt() throws {
    let folder = try TemporaryFolder()
    let source = try Self.source(folder.path)
    let averaged = try Self.weights(source, "average")
    #expect(try averaged != Self.weights(source))
    let newest = try #require(try RunFolder(source).checkpoints().newest())
    for (name, path) in [("run", source), ("checkpoint", newest.path)] {
      let configuration = try Self.configuration(
        folder.path, name, Self.stillLater + ["training.initialWeights=\(path)"])
      // A console of its own: the silent one, which tests share, has one log.
      try TrainWorkflow(configuration).start()
      #expect(try Self.weights(configuration.run) == averaged)
      for (tensor, values) in try Self.weights(configuration.run, "average") {
        #expect(zip(values, averaged[tensor] ?? []).allSatisfy { abs($0 - $1) <= 1e-6 * abs($1) }, "\(tensor)")
      }
      let origin = try #require(try RunFolder(configuration.run).checkpoints().newest()?.manifest.initialWeights)
      #expect(origin.model == newest.manifest.identity && origin.left.isEmpty)
      #expect(
        try Files.readText("\(configuration.run)/train.log").contains(
          " tensors (100.0 % of the parameters) of \(newest.path)"))
    }
    // On a mesh each rank takes its parts.
    let shared = try Self.configuration(
      folder.path, "shared", Self.stillLater + ["training.initialWeights=\(source)", "parallel.domain=2"])
    _ = try ThreadRanks.run(2) { try TrainWorkflow(shared, on: $0, console: .silent).start() }
    #expect(try Self.weights(shared.run) == averaged)
  }

  @Test func otherVariablesTakeWhatKnowsNoFields() throws {
    let folder = try TemporaryFolder()
    let source = try Self.weights(Self.source(folder.path), "average")
    // As many fields as before, so that every shape is the same.
    let settings = Self.stillLater + ["data.variables=[t, z, msl]"]
    let fresh = try Self.configuration(folder.path, "fresh", settings)
    try TrainWorkflow(fresh, console: .silent).start()
    let tuned = try Self.configuration(
      folder.path, "tuned", settings + ["training.initialWeights=\(folder.path)/source"])
    try TrainWorkflow(tuned).start()
    let (random, found) = (try Self.weights(fresh.run), try Self.weights(tuned.run))
    for (name, values) in found {
      let isBetween = name.hasPrefix("blocks.")
      #expect(values == (isBetween ? source[name] : random[name]), "\(name)")
    }
    let log = try Files.readText("\(tuned.run)/train.log")
    #expect(log.contains("not taken (for other fields): encoder.weight, encoder.bias"))
    let origin = try RunFolder(tuned.run).checkpoints().newest()?.manifest.initialWeights
    #expect(origin?.left.contains("decoder.weight") == true)
  }

  @Test func whatFitsNowhereIsRefused() throws {
    let folder = try TemporaryFolder()
    let source = try Self.source(folder.path)
    func problem(_ settings: String...) throws -> String? {
      let configuration = try Self.configuration(folder.path, "refused", Self.stillLater + settings)
      return #expect(throws: JigsawError.self) {
        try TrainWorkflow(configuration, console: .silent).start()
      }?.problem
    }
    #expect(
      try problem("training.initialWeights=\(source)", "model.patch=[4, 2]")
        == "names a model of which nothing fits this one")
    #expect(
      try problem("training.initialWeights=\(folder.path)/nowhere")
        == "names no run with checkpoints, and no checkpoint")
  }

  @Test func aRunThatGoesOnKeepsWhereItBegan() throws {
    let folder = try TemporaryFolder()
    let source = try Self.source(folder.path)
    let settings = ["seed=7", "training.initialWeights=\(source)"]
    let configuration = try Self.configuration(folder.path, "run", settings)
    try TrainWorkflow(configuration, stopAfter: 1, console: .silent).start()
    let origin = try RunFolder(configuration.run).checkpoints().newest()?.manifest.initialWeights
    let other = try Self.configuration(
      folder.path, "run", ["seed=7", "training.initialWeights=\(source)/checkpoints/update-0000003"])
    let error = #expect(throws: JigsawError.self) { try TrainWorkflow(other, console: .silent).resume() }
    #expect(error?.problem == "is for a new run, and this one goes on with its own weights")
    // And ends as if it had never stopped.
    try TrainWorkflow(configuration, console: .silent).resume()
    let whole = try Self.configuration(folder.path, "whole", settings)
    try TrainWorkflow(whole, console: .silent).start()
    #expect(try Self.weights(configuration.run) == Self.weights(whole.run))
    #expect(try RunFolder(configuration.run).checkpoints().newest()?.manifest.initialWeights == origin)
    #expect(origin != nil)
  }
}
