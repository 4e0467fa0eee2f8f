import Execution
import Models
import OperationChecks
import Tensors
import Testing

/// The operations of WeatherMixer: backward against central differences, dropout by its keys.
@Suite struct MixerOperationTests {
  private let rows = 6
  private let batch = 2
  private let columns = 8

  private func tensor(_ shape: [Int], _ name: String) -> Tensor { GradientCheck.tensor(shape, name) }

  @Test(arguments: [MixingDimension.tokens, .channels], [nil, Dropout(probability: 0.3, application: 1)])
  func residualMLP(dimension: MixingDimension, dropout: Dropout?) throws {
    var table = ParameterTable()
    let inputs = dimension == .tokens ? rows : columns
    let p = MLPParameters(
      name: "mlp", norm: table.norm("norm", lengths: [columns], group: .processor),
      first: table.linear("first", inputs: [inputs], outputs: 11, group: .processor),
      second: table.linear("second", inputs: [11], outputs: inputs, group: .processor))
    let failures = try GradientCheck.failures(table, inputs: [tensor([rows, batch, columns], "a")], dropoutSeed: 5) {
      try $0.apply(ResidualMLP($1[0], along: dimension, p, dropout: dropout))
    }
    #expect(failures == [])
  }

  @Test func blend() throws {
    var table = ParameterTable()
    let inner = table.norm("inner", lengths: [3], group: .decoder)
    let outer = table.norm("outer", lengths: [3, 3], group: .decoder)
    let p = table.linear("blend", inputs: [3, 3], outputs: 3, group: .decoder)
    // More points than fit one piece, so that threads share them.
    let shape = [700, 2, 3]
    let failures = try GradientCheck.failures(table, inputs: [tensor(shape, "y"), tensor(shape, "x")]) {
      try $0.apply(Blend($1[0], with: $1[1], inner: inner, outer: outer, p))
    }
    #expect(failures == [])
  }

  @Test func dropoutIsTheSameForEqualKeysAndChangesWithThem() throws {
    var table = ParameterTable()
    let p = MLPParameters(
      name: "mlp", norm: table.norm("norm", lengths: [columns], group: .processor),
      first: table.linear("first", inputs: [columns], outputs: 32, group: .processor),
      second: table.linear("second", inputs: [32], outputs: columns, group: .processor))
    let parameters = ParameterStore(table)
    parameters.initialize(seed: 1)
    func output(threads: Int, step: UInt64, application: Int) throws -> [Float] {
      let operations = LocalOperations(compute: Compute(threads: threads), parameters: parameters)
      operations.randomKey.step = step
      return try operations.apply(
        ResidualMLP(
          Value(tensor([rows, batch, columns], "a")), along: .channels, p,
          dropout: Dropout(probability: 0.5, application: application))
      ).tensor.values
    }
    let reference = try output(threads: 1, step: 3, application: 0)
    #expect(try output(threads: 1, step: 3, application: 0) == reference)
    #expect(try output(threads: 1, step: 4, application: 0) != reference)
    #expect(try output(threads: 1, step: 3, application: 1) != reference)
    for (a, b) in zip(try output(threads: 3, step: 3, application: 0), reference) { #expect(abs(a - b) < 1e-5) }
  }
}
