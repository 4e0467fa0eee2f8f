import Basics
import Checkpoints
import Datasets
import Distribution
import Execution
import FoundationEssentials
import Models
import Stepping
import Stores
import Tensors
import TestSupport
import Testing
import Training

/// Everything PyTorch computed for one small model (Tests/Goldens/make_model_goldens.py), loaded for comparison.
struct Golden {
  let file: Safetensors.File
  let description: ModelDescription
  let model: any ForecastModel
  let tiling: Tiling
  let compute: Compute
  let rank: ModelRank
  let weights: LossWeights
  var parameters: ParameterStore { rank.parameters }
  let runner: StepRunner
  let batch: Int

  struct Sizes: Codable {
    let grid, patch: [Int]
    let variables, auxiliaries, channels, token_width, channel_width, blocks: Int
  }

  init(_ name: String, threads: Int = 2, backend: any ProductBackend = standardProducts()) throws {
    let folder = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
    file = try Safetensors.File("/\(folder)/Goldens/model-\(name).safetensors")
    let s = try JSONDecoder().decode(Sizes.self, from: Data(file.metadata["sizes"]!.utf8))
    let isResidual = file.metadata["residual"] == "true"
    description = ModelDescription(
      WeatherMixerSettings(
        patch: s.patch, channels: s.channels, tokenWidth: s.token_width, channelWidth: s.channel_width,
        blocks: s.blocks, output: isResidual ? .residual : .blend),
      ModelFields(
        gridRows: s.grid[0], gridColumns: s.grid[1], variables: s.variables, auxiliaries: s.auxiliaries,
        tendencyScale: isResidual
          ? try file.floats("residual_scale") : [Float](repeating: 1, count: s.variables)))
    model = try description.makeModel()
    tiling = try description.tiling()
    compute = Compute(threads: threads, backend: backend)
    rank = try ModelRank(.single(), compute, model.parameters) { _ in }
    for (spec, tensor) in rank.parameters.named(in: rank.parameters.values) {
      try file.read("parameter.\(spec.name)", shape: spec.shape, into: tensor.floats)
    }
    let grid = FieldGrid.raster(
      LatLonGrid(
        latitudes: try file.floats("latitudes").map(Double.init), longitudes: (0..<s.grid[1]).map(Double.init)))
    let columns = try file.floats("variable_weights")
    batch = file.entries["state"]!.shape[0]
    let statics = s.auxiliaries > 0 ? try file.floats("auxiliary") : []
    weights = LossWeights(
      rows: Tensor(tiling.spread(rowValues: grid.cosineWeights.map(Float.init)), shape: [grid.count]),
      columns: Tensor(columns, shape: [columns.count]))
    runner = StepRunner(
      Stepper(
        model: model, fields: description.fields, rank: rank,
        auxiliary: AuxiliaryFields(grid: grid, statics: statics, forcings: []),
        tiling: tiling, stepHours: 6), weights: weights)
  }

  /// A field tensor [batch, variable, lat, lon] in the training layout.
  func frame(_ name: String) throws -> Frame {
    let planes = try file.floats(name)
    let v = description.fields.variables
    let state = Tensor(zeros: [tiling.tokens, batch, tiling.pointsPerToken * v])
    planes.withUnsafeBufferPointer {
      for sample in 0..<batch {
        tiling.tile(
          $0.baseAddress! + sample * v * tiling.fieldSize, .none(v), into: state, sample: sample)
      }
    }
    return Frame(state: state, times: Array(repeating: Timestamp(year: 2000, month: 1, day: 1), count: batch))
  }

  /// The same order as PyTorch's fields.
  func planes(_ state: Tensor) -> [Float] {
    let v = description.fields.variables
    var planes = [Float](repeating: 0, count: batch * v * tiling.fieldSize)
    planes.withUnsafeMutableBufferPointer {
      for sample in 0..<batch {
        tiling.untile(
          state, sample: sample, .none(v), into: $0.baseAddress! + sample * v * tiling.fieldSize)
      }
    }
    return planes
  }

  /// Largest difference relative to the largest value.
  func difference(_ found: [Float], _ name: String) throws -> Double {
    relativeDifference(found, try file.floats(name))
  }

  /// The worst of all parameters, compared with `prefix` + name.
  ///
  /// The second bias of token mixing shifts all channels of a token alike, which every LayerNorm takes away again: its
  /// gradient is zero but for rounding, and is compared on the scale of the others.
  func parameterDifference(_ piece: Tensor, _ prefix: String) throws -> Double {
    let expected = try parameters.table.specs.map { try file.floats(prefix + $0.name) }
    let largest = expected.joined().map { abs($0) }.largest
    return zip(parameters.named(in: piece), expected).map { found, expected in
      expected.allSatisfy { abs($0) < 1e-12 }
        ? Double(found.tensor.values.map { abs($0) }.largest / largest)
        : relativeDifference(found.tensor.values, expected)
    }.largest
  }
}

func relativeDifference(_ a: [Float], _ b: [Float]) -> Double {
  precondition(a.count == b.count && !a.isEmpty)
  return Double(largestDifference(a, b)) / max(b.map { Double(abs($0)) }.largest, 1e-30)
}

@Suite struct GoldenTests {
  static let tolerance = 1e-5

  @Test(arguments: ["blend", "residual"]) func forwardAndGradientsMatchPyTorch(name: String) throws {
    let golden = try Golden(name)
    let start = try golden.frame("state")
    let state = Value(start.state, requiresGradient: true)
    let tape = Tape()
    golden.rank.operations.tape = tape
    let prediction = try golden.model.step(
      ModelInput(state: state, auxiliary: golden.runner.stepper.auxiliaryInput(RolloutStart([start]), step: 0)),
      golden.rank.operations)
    golden.rank.operations.tape = nil
    #expect(try golden.difference(golden.planes(prediction.tensor), "step.prediction") < Self.tolerance)

    let gradient = golden.compute.tensor(prediction.shape.dimensions)
    let loss = try golden.runner.loss(
      prediction.tensor, try golden.frame("target.0").state, gradient: gradient, accumulate: false, scale: 1)
    #expect(try golden.difference([Float(loss)], "step.loss") < Self.tolerance)
    prediction.gradient = gradient
    try tape.backward()
    #expect(try golden.parameterDifference(golden.parameters.gradients, "step.gradient.") < Self.tolerance)
    #expect(try golden.difference(golden.planes(state.takeGradient()), "step.gradient.state") < Self.tolerance)
  }

  @Test(arguments: ["blend", "residual"]) func latentRolloutMatchesPyTorch(name: String) throws {
    let golden = try Golden(name)
    let loss = try golden.runner.latent(
      RolloutStart([golden.frame("state")]), steps: 2, scale: 1, target: golden.frame("target.0"))
    #expect(try golden.difference([Float(loss)], "latent.loss") < Self.tolerance)
    #expect(try golden.parameterDifference(golden.parameters.gradients, "latent.gradient.") < Self.tolerance)
  }

  @Test(arguments: ["blend", "residual"], [0, 1, 3]) func autoregressiveRolloutMatchesPyTorch(
    name: String, slots: Int
  ) throws {
    let golden = try Golden(name)
    let runner = StepRunner(golden.runner.stepper, weights: golden.weights, slots: slots)
    var targets = ["target.0", "target.1", "target.2"]
    let loss = try runner.autoregressive(RolloutStart([golden.frame("state")]), steps: 3, scale: 1) {
      try golden.frame(targets.removeLast())
    }
    #expect(targets.isEmpty)
    #expect(try golden.difference([Float(loss)], "rollout.loss") < Self.tolerance)
    #expect(try golden.parameterDifference(golden.parameters.gradients, "rollout.gradient.") < Self.tolerance)
  }

  @Test(arguments: ["blend", "residual"]) func rootsOfSamplesLossesMatchPyTorch(name: String) throws {
    let golden = try Golden(name)
    let runner = StepRunner(golden.runner.stepper, weights: golden.weights, kind: .rootOfSquared)
    var targets = ["target.0", "target.1", "target.2"]
    let loss = try runner.autoregressive(RolloutStart([golden.frame("state")]), steps: 3, scale: 1) {
      try golden.frame(targets.removeLast())
    }
    #expect(try golden.difference([Float(loss)], "root.loss") < Self.tolerance)
    #expect(try golden.parameterDifference(golden.parameters.gradients, "root.gradient.") < Self.tolerance)
  }

  @Test(arguments: ["blend", "residual"]) func twentyTrainingLossesMatchPyTorch(name: String) throws {
    let golden = try Golden(name)
    var options = OptimizerOptions()
    options.weightDecay = 1e-2
    options.decayKind = .coupled
    options.clipNorm = 0.5
    let optimizer = Optimizer(golden.parameters, golden.compute, options)
    let schedule = LearningRateSchedule(peak: 3e-3, final: 1e-4, warmUpUpdates: 5, totalUpdates: 20)
    let (start, target) = (try golden.frame("state"), try golden.frame("target.0"))
    var losses: [Float] = []
    for update in 0..<20 {
      losses.append(Float(try golden.runner.autoregressive(RolloutStart([start]), steps: 1, scale: 1) { target }))
      optimizer.step(
        update: update, learningRate: schedule.rate(update),
        gradientNorm: golden.compute.sumOfSquares(golden.parameters.gradients).squareRoot())
    }
    let expected = try golden.file.floats("training.losses")
    for (found, wanted) in zip(losses, expected) { #expect(abs(found - wanted) < 1e-4 * wanted) }
    // Adam turns the rounding noise of the gradient that is zero into steps; they change nothing in the output.
    for (spec, tensor) in golden.parameters.named(in: golden.parameters.values)
    where !spec.name.hasSuffix("tokens.second.bias") {
      #expect(try golden.difference(tensor.values, "trained.\(spec.name)") < 1e-4, "\(spec.name)")
    }
  }

  @Test func referenceProductsGiveTheSame() throws {
    let golden = try Golden("blend", threads: 1, backend: ReferenceProducts())
    _ = try golden.runner.latent(
      RolloutStart([golden.frame("state")]), steps: 2, scale: 1, target: golden.frame("target.0"))
    #expect(try golden.parameterDifference(golden.parameters.gradients, "latent.gradient.") < Self.tolerance)
  }
}
