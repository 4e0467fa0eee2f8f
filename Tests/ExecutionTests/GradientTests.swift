import Tensors
import Testing

@testable import Execution

/// Every operation's backward against central differences: the loss Σ c·y changes along the gradient as the gradient says.
@Suite struct GradientTests {
  private let rows = 6
  private let batch = 2
  private let columns = 8

  private func tensor(_ shape: [Int], _ name: String, scale: Float = 1) -> Tensor {
    let tensor = Tensor(zeros: shape)
    RandomStream(seed: 7, name: name).fillNormal(tensor.pointer, deviation: scale, row: 0, columns: 0..<tensor.count)
    return tensor
  }

  /// Checks d loss / d (every input and every parameter) of `operation`.
  private func check(
    _ table: ParameterTable, inputs: [Tensor], dropoutSeed: UInt64 = 0,
    _ operation: (LocalOperations, [Value]) throws -> Value
  ) throws {
    let compute = Compute(threads: 2)
    let parameters = ParameterStore(table)
    parameters.initialize(seed: 1)
    for (spec, tensor) in parameters.named(in: parameters.values) where spec.shape.count == 1 {
      compute.add(self.tensor(spec.shape, spec.name, scale: 0.3), to: tensor)
    }
    let operations = LocalOperations(compute: compute, parameters: parameters)
    operations.randomKey.seed = dropoutSeed
    var weights: Tensor?
    func loss() throws -> Double {
      let y = try operation(operations, inputs.map { Value($0) })
      let c = weights ?? self.tensor(y.shape.dimensions, "loss")
      weights = c
      return zip(y.tensor.values, c.values).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    _ = try loss()

    let tape = Tape()
    operations.tape = tape
    let values = inputs.map { Value($0, requiresGradient: true) }
    let y = try operation(operations, values)
    operations.tape = nil
    let seed = compute.tensor(y.shape.dimensions)
    seed.copy(from: weights!)
    y.gradient = seed
    try tape.backward()

    var variables = zip(inputs, values).enumerated().map { ("input \($0)", $1.0, $1.1.takeGradient().values) }
    for ((spec, value), (_, gradient)) in zip(
      parameters.named(in: parameters.values), parameters.named(in: parameters.gradients))
    {
      variables.append((spec.name, value, gradient.values))
    }
    for (name, variable, gradient) in variables {
      let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      #expect(norm > 1e-3, "\(name) has no gradient")
      let original = variable.values
      let step = 4e-3
      func shifted(_ sign: Double) throws -> Double {
        for i in original.indices {
          variable.pointer[i] = original[i] + Float(sign * step * Double(gradient[i]) / norm)
        }
        return try loss()
      }
      let slope = try (shifted(1) - shifted(-1)) / (2 * step)
      for i in original.indices { variable.pointer[i] = original[i] }
      #expect(abs(slope - norm) < 3e-3 * norm, "\(name): \(slope) by differences, \(norm) by backward")
    }
  }

  @Test func linearWithTwoInputs() throws {
    var table = ParameterTable()
    let p = table.linear("linear", inputs: [5, 3], outputs: 7, group: .encoder)
    try check(table, inputs: [tensor([rows, batch, 5], "a"), tensor([rows, batch, 3], "b")]) { $0.linear($1, p) }
  }

  @Test func layerNorm() throws {
    var table = ParameterTable()
    let p = table.norm("norm", lengths: [columns], group: .processor)
    try check(table, inputs: [tensor([rows, batch, columns], "a", scale: 3)]) { $0.layerNorm($1[0], p) }
  }

  @Test(arguments: [MixingDimension.tokens, .channels], [nil, Dropout(probability: 0.3, application: 1)])
  func residualMLP(dimension: MixingDimension, dropout: Dropout?) throws {
    var table = ParameterTable()
    let inputs = dimension == .tokens ? rows : columns
    let p = MLPParameters(
      name: "mlp", norm: table.norm("norm", lengths: [columns], group: .processor),
      first: table.linear("first", inputs: [inputs], outputs: 11, group: .processor),
      second: table.linear("second", inputs: [11], outputs: inputs, group: .processor))
    try check(table, inputs: [tensor([rows, batch, columns], "a")], dropoutSeed: 5) {
      $0.residualMLP($1[0], along: dimension, p, dropout: dropout)
    }
  }

  @Test func blend() throws {
    var table = ParameterTable()
    let inner = table.norm("inner", lengths: [3], group: .decoder)
    let outer = table.norm("outer", lengths: [3, 3], group: .decoder)
    let p = table.linear("blend", inputs: [3, 3], outputs: 3, group: .decoder)
    // More points than fit one piece, so that threads share them.
    let shape = [700, 2, 3]
    try check(table, inputs: [tensor(shape, "y"), tensor(shape, "x")]) {
      $0.blend($1[0], with: $1[1], inner: inner, outer: outer, p)
    }
  }

  @Test func scaledSumAndReshape() throws {
    let factor: [Float] = [0.5, 2]
    try check(ParameterTable(), inputs: [tensor([rows, batch, 4], "y"), tensor([rows, batch, 4], "x")]) {
      operations, inputs in
      let y = try operations.reshape(inputs[0], batch: 2 * batch, columns: 2)
      let x = try operations.reshape(inputs[1], batch: 2 * batch, columns: 2)
      return try operations.reshape(operations.addScaled(y, factor: factor, to: x), batch: batch, columns: 4)
    }
  }

  /// A value used twice receives both contributions.
  @Test func gradientsOfSeveralUsesAddUp() throws {
    var table = ParameterTable()
    let a = table.linear("a", inputs: [4], outputs: 4, group: .encoder)
    let b = table.linear("b", inputs: [4, 4], outputs: 4, group: .encoder)
    try check(table, inputs: [tensor([rows, batch, 4], "x")]) { operations, inputs in
      operations.linear([operations.linear([inputs[0]], a), inputs[0]], b)
    }
  }

  @Test func dropoutIsTheSameForEqualKeysAndChangesWithThem() throws {
    var table = ParameterTable()
    let p = MLPParameters(
      name: "mlp", norm: table.norm("norm", lengths: [columns], group: .processor),
      first: table.linear("first", inputs: [columns], outputs: 32, group: .processor),
      second: table.linear("second", inputs: [32], outputs: columns, group: .processor))
    let parameters = ParameterStore(table)
    parameters.initialize(seed: 1)
    func output(threads: Int, step: UInt64, application: Int) -> [Float] {
      let operations = LocalOperations(compute: Compute(threads: threads), parameters: parameters)
      operations.randomKey.step = step
      return operations.residualMLP(
        Value(tensor([rows, batch, columns], "a")), along: .channels, p,
        dropout: Dropout(probability: 0.5, application: application)
      ).tensor.values
    }
    let reference = output(threads: 1, step: 3, application: 0)
    #expect(output(threads: 1, step: 3, application: 0) == reference)
    #expect(output(threads: 1, step: 4, application: 0) != reference)
    #expect(output(threads: 1, step: 3, application: 1) != reference)
    for (a, b) in zip(output(threads: 3, step: 3, application: 0), reference) { #expect(abs(a - b) < 1e-5) }
  }
}

@Suite struct ParameterTests {
  @Test func piecesShareALayout() throws {
    var table = ParameterTable()
    let p = table.linear("layer", inputs: [3, 2], outputs: 4, group: .encoder)
    let store = ParameterStore(table)
    store.initialize(seed: 1)
    #expect(table.elementCount == 24 && store.value(p.weight).shape == [4, 5] && store.value(p.bias).shape == [4])
    let bound = 1 / Float(5).squareRoot()
    #expect(store.value(p.weight).values.allSatisfy { abs($0) <= bound })
    #expect(Set(store.value(p.weight).values).count == 20)
    let again = ParameterStore(table)
    again.initialize(seed: 1)
    #expect(again.value(p.weight).values == store.value(p.weight).values)
    again.initialize(seed: 2)
    #expect(again.value(p.weight).values != store.value(p.weight).values)
    let piece = store.makePiece()
    #expect(store.view(p.bias, in: piece).values == [0, 0, 0, 0])
  }
}
