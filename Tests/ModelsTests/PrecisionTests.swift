import CKernels
import Datasets
import Distribution
import Execution
import KernelEmulation
import Models
import Stepping
import Stores
import Testing
import Training

@testable import Tensors

/// Products in bf16 against numbers of other programs: ml_dtypes for the rounding, PyTorch for the model's gradients.
@Suite struct PrecisionTests {
  static let units: [BF16Unit] =
    BF16Unit.available
    + ["amx", "avx512bf16"].compactMap { (name: String) in emulated_unit(name).map(BF16Unit.init(table:)) }

  private static func golden() throws -> Safetensors.File {
    let folder = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
    return try Safetensors.File("/\(folder)/Goldens/bf16.safetensors")
  }

  @Test func roundingMatchesThatOfOthers() throws {
    let file = try Self.golden()
    let numbers = try file.floats("numbers")
    let expected = try file.floats("numbers.rounded").map(\.bitPattern)
    for unit in Self.units {
      let found = unit.widened(unit.rounded(Tensor(numbers, shape: [numbers.count])))
      #expect(found.values.map(\.bitPattern) == expected, "\(unit.name)")
    }
  }

  @Test func productsMatchThoseOfOthers() throws {
    let file = try Self.golden()
    func tensor(_ name: String) throws -> Tensor { Tensor(try file.floats(name), shape: file.entries[name]!.shape) }
    let (a, b) = (try tensor("a"), try tensor("b"))
    let magnitude = try file.floats("product.magnitude")
    for unit in Self.units {
      for (parts, name, bound) in [(1, "product.rounded", Float(0x1p-19)), (2, "product", 0x1p-17)] {
        let c = Tensor(zeros: [a.shape[0], b.shape[1]])
        BF16Products(unit, parts: parts).multiply(a.matrix.plain, b.matrix.plain, into: c.matrix, accumulate: false)
        for (index, expected) in try file.floats(name).enumerated() {
          #expect(abs(c.values[index] - expected) < bound * magnitude[index], "\(unit.name) \(name) \(index)")
        }
      }
    }
  }

  /// A step's prediction, loss and gradients against PyTorch's in double precision, relative to the largest value: bf16,
  /// with 8 bits of each operand, is off by 2⁻⁸ in the prediction and 2⁻⁶ in gradients, two parts by 2⁻¹⁵ in both.
  @Test(arguments: ["blend", "residual"], [1, 2]) func gradientsMatchPyTorch(name: String, parts: Int) throws {
    let tolerance = parts == 1 ? 0x1p-5 : 0x1p-14
    for unit in Self.units {
      let golden = try Golden(name, backend: BF16Products(unit, parts: parts))
      let start = try golden.frame("state")
      let tape = Tape()
      golden.rank.operations.tape = tape
      let state = Value(start.state, requiresGradient: true)
      let prediction = try golden.model.step(
        ModelInput(state: state, auxiliary: golden.runner.stepper.auxiliaryInput(RolloutStart([start]), step: 0)),
        golden.rank.operations)
      golden.rank.operations.tape = nil
      let gradient = golden.compute.tensor(prediction.shape.dimensions)
      let loss = try golden.runner.loss(
        prediction.tensor, try golden.frame("target.0").state, gradient: gradient, accumulate: false, scale: 1)
      prediction.gradient = gradient
      try tape.backward()
      let differences = [
        try golden.difference([Float(loss)], "step.loss"),
        try golden.difference(golden.planes(prediction.tensor), "step.prediction"),
        try golden.parameterDifference(golden.parameters.gradients, "step.gradient."),
        try golden.difference(golden.planes(state.takeGradient()), "step.gradient.state"),
      ]
      #expect(differences.allSatisfy { $0 < tolerance }, "\(unit.name): \(differences)")
    }
  }

  /// What forward keeps of the hidden values takes half the memory, and a step takes no more from the system than the one before.
  @Test func hiddenValuesTakeHalfTheMemory() throws {
    let s = WeatherMixer.Sizes(
      tokens: 48, pointsPerToken: 4, variables: 5, auxiliaries: 2, channels: 40, tokenWidth: 72, channelWidth: 56,
      blocks: 3)
    let batch = 2
    func kept(_ backend: any ProductBackend) throws -> Int {
      let model = WeatherMixer(s, output: .blend)
      let parameters = ParameterStore(model.parameters)
      parameters.initialize(seed: 1)
      let compute = Compute(threads: 2, backend: backend)
      let operations = LocalOperations(compute: compute, parameters: parameters)
      var bytes = 0
      func step() throws {
        let tape = Tape()
        operations.tape = tape
        let state = Value(Tensor(zeros: [s.tokens, batch, 4 * s.variables]))
        let auxiliary = Value(Tensor(zeros: [s.tokens, batch, 4 * s.auxiliaries]))
        let y = try model.step(ModelInput(state: state, auxiliary: auxiliary), isTraining: true, operations)
        operations.tape = nil
        bytes = compute.pool.counters.bytesInUse
        y.gradient = compute.tensor(y.shape.dimensions)
        y.gradient!.fill()
        try tape.backward()
      }
      try step()
      let allocations = compute.pool.counters.allocations
      try step()
      #expect(compute.pool.counters.allocations == allocations)
      return bytes
    }
    let hidden = s.blocks * batch * (s.channels * s.tokenWidth + s.tokens * s.channelWidth)
    let unit = BF16Unit.available[0]
    let whole = try kept(PackedProducts())
    #expect(try kept(BF16Products(unit, parts: 1)) == whole - 2 * hidden)
    #expect(try kept(BF16Products(unit, parts: 2)) == whole)
  }

  /// Weights packed once give the same bits as weights packed at each use, on any number of threads.
  @Test(arguments: [1, 3]) func packedWeightsGiveTheSame(threads: Int) throws {
    let s = WeatherMixer.Sizes(
      tokens: 70, pointsPerToken: 4, variables: 5, auxiliaries: 2, channels: 40, tokenWidth: 33, channelWidth: 90,
      blocks: 2)
    func numbers(_ shape: [Int], _ name: String) -> Tensor {
      let tensor = Tensor(zeros: shape)
      RandomStream(seed: 3, name: name).fillNormal(tensor.floats, deviation: 1, row: 0, columns: 0..<tensor.count)
      return tensor
    }
    for unit in Self.units {
      let parameters = ParameterStore(WeatherMixer(s, output: .blend).parameters)
      parameters.initialize(seed: 1)
      let compute = Compute(threads: threads, backend: BF16Products(unit, parts: 1))
      let operations = LocalOperations(compute: compute, parameters: parameters)
      func pass() throws -> [Float] {
        let tape = Tape()
        operations.tape = tape
        let state = Value(numbers([s.tokens, 2, 4 * s.variables], "state"), requiresGradient: true)
        let auxiliary = Value(numbers([s.tokens, 2, 4 * s.auxiliaries], "auxiliary"))
        let y = try WeatherMixer(s, output: .blend).step(
          ModelInput(state: state, auxiliary: auxiliary), isTraining: true, operations)
        operations.tape = nil
        y.gradient = numbers(y.shape.dimensions, "loss")
        try tape.backward()
        defer { parameters.clearGradients() }
        return y.tensor.values + parameters.gradients.values + state.takeGradient().values
      }
      let expected = try pass()
      let idle = compute.pool.counters.bytesInUse
      let (first, second, bytes) = try operations.withFrozenWeights(uses: 2) {
        (try pass(), try pass(), compute.pool.counters.bytesInUse)
      }
      #expect(first == expected && second == expected, "\(unit.name)")
      // Once for forward, once for backward, in whole panels.
      #expect(bytes - idle >= 4 * parameters.table.elementCount * 9 / 10)
      #expect(compute.pool.counters.bytesInUse == idle)
      let once = try operations.withFrozenWeights(uses: 1, pass)
      #expect(once == expected)
      // Nothing of it is left: changed weights count.
      parameters.values.floats[100] += 1
      let changed = try operations.withFrozenWeights(uses: 2, pass)
      #expect(changed != expected)
    }
  }
}
