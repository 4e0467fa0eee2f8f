import OperationChecks
import Tensors
import Testing

@testable import Execution

/// The backward of every core operation against central differences.
@Suite struct GradientTests {
  private let rows = 6
  private let batch = 2
  private let columns = 8

  private func tensor(_ shape: [Int], _ name: String, scale: Float = 1) -> Tensor {
    GradientCheck.tensor(shape, name, scale: scale)
  }

  @Test func linearWithTwoInputs() throws {
    var table = ParameterTable()
    let p = table.linear("linear", inputs: [5, 3], outputs: 7, group: .encoder)
    let failures = try GradientCheck.failures(
      table, inputs: [tensor([rows, batch, 5], "a"), tensor([rows, batch, 3], "b")]
    ) { try $0.linear($1, p) }
    #expect(failures == [])
  }

  @Test func layerNorm() throws {
    var table = ParameterTable()
    let p = table.norm("norm", lengths: [columns], group: .processor)
    let failures = try GradientCheck.failures(table, inputs: [tensor([rows, batch, columns], "a", scale: 3)]) {
      try $0.layerNorm($1[0], p)
    }
    #expect(failures == [])
  }

  @Test func scaledSumAndReshape() throws {
    let factor: [Float] = [0.5, 2]
    let failures = try GradientCheck.failures(
      ParameterTable(), inputs: [tensor([rows, batch, 4], "y"), tensor([rows, batch, 4], "x")]
    ) { operations, inputs in
      let y = try operations.reshape(inputs[0], batch: 2 * batch, columns: 2)
      let x = try operations.reshape(inputs[1], batch: 2 * batch, columns: 2)
      return try operations.reshape(operations.addScaled(y, factor: factor, to: x), batch: batch, columns: 4)
    }
    #expect(failures == [])
  }

  /// A value used twice receives both contributions.
  @Test func gradientsOfSeveralUsesAddUp() throws {
    var table = ParameterTable()
    let a = table.linear("a", inputs: [4], outputs: 4, group: .encoder)
    let b = table.linear("b", inputs: [4, 4], outputs: 4, group: .encoder)
    let failures = try GradientCheck.failures(table, inputs: [tensor([rows, batch, 4], "x")]) { operations, inputs in
      try operations.linear([operations.linear([inputs[0]], a), inputs[0]], b)
    }
    #expect(failures == [])
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
