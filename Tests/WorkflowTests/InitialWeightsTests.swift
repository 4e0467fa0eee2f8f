import Basics
import Checkpoints
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
    var data = SyntheticData()
    data.upper = ["z", "t", "u"]
    try data.write("\(folder)/data.nc")
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

  @Test func anotherStepIsSaid() throws {
    let folder = try TemporaryFolder()
    let source = try Self.source(folder.path)
    for (run, hours) in [("same", 6), ("other", 12)] {
      let configuration = try Self.configuration(
        folder.path, run, Self.stillLater + ["training.initialWeights=\(source)", "data.stepHours=\(hours)"])
      try TrainWorkflow(configuration).start()
      #expect(
        try Files.readText("\(configuration.run)/train.log").contains(
          "note: initial weights: the weights were trained for steps of 6 h, and these are of 12 h") == (hours == 12))
    }
  }

  @Test func anotherNormalisationIsSaid() throws {
    let folder = try TemporaryFolder()
    let source = try Self.source(folder.path)
    var data = SyntheticData()
    data.upper = ["t", "z", "u"]
    try Files.remove("\(folder.path)/data.nc")
    try data.write("\(folder.path)/data.nc")
    let configuration = try Self.configuration(
      folder.path, "run", Self.stillLater + ["training.initialWeights=\(source)"])
    try TrainWorkflow(configuration).start()
    #expect(
      try Files.readText("\(configuration.run)/train.log").contains(
        "note: normalised otherwise than where the weights come from: z_850, z_500, t_850, t_500; "))
  }

  /// Fields of the source: z_850, z_500, t_850, t_500, msl, of which the tests name these.
  private static let fields = ["z_850", "z_500", "t_850", "t_500", "msl"]

  /// What a tensor should be: rows and columns of the source's by field, at each of 8 points of a token, else those of a fresh one.
  private static func expected(
    _ name: String, _ fields: [String], _ source: [Float], _ fresh: [Float]
  ) -> [Float] {
    let (new, old) = (8 * fields.count, 8 * Self.fields.count)
    func place(_ column: Int) -> Int? {
      Self.fields.firstIndex(of: fields[column % fields.count]).map { column / fields.count * Self.fields.count + $0 }
    }
    switch name {
    case "encoder.weight":
      return fresh.indices.map { i in place(i % new).map { source[i / new * old + $0] } ?? fresh[i] }
    case "decoder.weight", "decoder.bias":
      let width = name == "decoder.bias" ? 1 : 32
      return fresh.indices.map { i in place(i / width).map { source[$0 * width + i % width] } ?? fresh[i] }
    default: return source
    }
  }

  /// In another order, with one that is new, and without one: each takes what was learned of it.
  @Test(arguments: [
    ("[t, z, msl]", ["t_850", "t_500", "z_850", "z_500", "msl"]),
    ("[msl, u, t]", ["msl", "u_850", "u_500", "t_850", "t_500"]),
    ("[z]", ["z_850", "z_500"]),
  ])
  func otherVariablesAreTakenByName(variables: String, fields: [String]) throws {
    let folder = try TemporaryFolder()
    let source = try Self.weights(Self.source(folder.path), "average")
    let settings = Self.stillLater + ["data.variables=\(variables)", "model.dropout=0.25"]
    let fresh = try Self.configuration(folder.path, "fresh", settings)
    try TrainWorkflow(fresh, console: .silent).start()
    let random = try Self.weights(fresh.run)
    for domain in [1, 2] {
      let tuned = try Self.configuration(
        folder.path, "tuned-\(domain)",
        settings + ["training.initialWeights=\(folder.path)/source", "parallel.domain=\(domain)"])
      _ = try ThreadRanks.run(domain) { try TrainWorkflow(tuned, on: $0).start() }
      for (name, values) in try Self.weights(tuned.run) {
        let (old, new) = (try #require(source[name]), try #require(random[name]))
        #expect(values == Self.expected(name, fields, old, new), "\(name)")
      }
      let log = try Files.readText("\(tuned.run)/train.log")
      let isNew = fields.contains("u_850")
      #expect(
        log.contains(
          "encoder.weight, decoder.weight, decoder.bias; new and as in a new model: \(isNew ? "u_850, u_500" : "none");"
        ))
      #expect(log.contains("trained with other settings of the model: dropout 0 there, 0.25 here"))
      let origin = try RunFolder(tuned.run).checkpoints().newest()?.manifest.initialWeights
      #expect(origin?.left == [] && origin?.partly == ["encoder.weight", "decoder.weight", "decoder.bias"])
    }
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
    #expect(error?.problem == "is for a new run, and this one resumes with its own weights")
    // And ends as if it had never stopped.
    try TrainWorkflow(configuration, console: .silent).resume()
    let whole = try Self.configuration(folder.path, "whole", settings)
    try TrainWorkflow(whole, console: .silent).start()
    #expect(try Self.weights(configuration.run) == Self.weights(whole.run))
    #expect(try RunFolder(configuration.run).checkpoints().newest()?.manifest.initialWeights == origin)
    #expect(origin != nil)
  }
}
