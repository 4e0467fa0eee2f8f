import Execution
import OperationChecks
import Tensors
import Testing

/// The operations of graph models against central differences.
@Suite struct GraphGradientTests {
  /// Destinations 0 … 3 (1 without edges), sources 0 … 4 (3 without edges).
  private let edges = EdgeLists(
    destinationStarts: [0, 3, 3, 10, 12], sources: [0, 2, 4, 1, 0, 2, 4, 4, 0, 1, 2, 0], sourceCount: 5)
  private let batch = 2

  private func tensor(_ shape: [Int], _ name: String) -> Tensor { GradientCheck.tensor(shape, name) }

  @Test func edgeAttention() throws {
    var table = ParameterTable()
    let p = table.affine("edge", inputs: 3, outputs: 8, group: .processor)
    let failures = try GradientCheck.failures(
      table,
      inputs: [
        tensor([4, batch, 8], "q"), tensor([5, batch, 8], "k"), tensor([5, batch, 8], "v"), tensor([12, 1, 3], "a"),
      ]
    ) { operations, x in
      try operations.apply(
        EdgeAttention(edges, heads: 2, q: x[0], k: x[1], v: x[2], attributes: x[3], p))
    }
    #expect(failures == [])
  }

  @Test func windowAttention() throws {
    let inputs = ["q", "k", "v"].map { tensor([9, batch, 6], $0) }
    let failures = try GradientCheck.failures(ParameterTable(), inputs: inputs) { operations, x in
      try operations.apply(WindowAttention(q: x[0], k: x[1], v: x[2], heads: 2, reach: 3))
    }
    #expect(failures == [])
  }

  @Test(arguments: [false, true]) func affineWithSum(overwriting: Bool) throws {
    var table = ParameterTable()
    let first = table.affine("first", inputs: 5, outputs: 4, group: .encoder)
    let whole = table.affine("whole", inputs: 8, outputs: 4, group: .encoder)
    let part = AffineParameters(weight: whole.weight, bias: whole.bias, columns: 2..<7)
    let failures = try GradientCheck.failures(table, inputs: [tensor([6, batch, 5], "x")]) { operations, x in
      let z = try operations.apply(Affine(x[0], first))
      return try operations.apply(Affine(x[0], part, addTo: z, overwriting: overwriting))
    }
    #expect(failures == [])
  }

  @Test func affineWithoutBias() throws {
    var table = ParameterTable()
    let p = table.affine("linear", inputs: 5, outputs: 4, bias: false, group: .encoder)
    #expect(table.specs.map(\.name) == ["linear.weight"])
    let failures = try GradientCheck.failures(table, inputs: [tensor([6, batch, 5], "x")]) {
      try $0.apply(Affine($1[0], p))
    }
    #expect(failures == [])
  }

  @Test(arguments: ActivationKind.allCases) func activationsAndGates(kind: ActivationKind) throws {
    let inputs = [tensor([6, batch, 5], "gate"), tensor([6, batch, 5], "value")]
    let failures = try GradientCheck.failures(ParameterTable(), inputs: inputs) { operations, x in
      let gated = try operations.apply(Gate(x[0], x[1], kind, group: .processor))
      return try operations.apply(Activation(gated, kind, group: .processor))
    }
    #expect(failures == [])
  }

  @Test func headNorm() throws {
    var table = ParameterTable()
    let scale = table.add(
      ParameterSpec(name: "scale", shape: [4], initialization: .constant(1), group: .processor))
    let failures = try GradientCheck.failures(table, inputs: [tensor([6, batch, 12], "x")]) {
      try $0.apply(HeadNorm($1[0], scale: scale))
    }
    #expect(failures == [])
  }

  @Test func conditionalNorm() throws {
    let inputs = ["x", "scale", "shift"].map { tensor([6, batch, 8], $0) }
    let failures = try GradientCheck.failures(ParameterTable(), inputs: inputs) { operations, x in
      try operations.apply(ConditionalNorm(x[0], scale: x[1], shift: x[2], group: .processor))
    }
    #expect(failures == [])
  }

  @Test func concatenation() throws {
    var table = ParameterTable()
    let rows = table.add(
      ParameterSpec(name: "trainable", shape: [6, 2], initialization: .uniform(bound: 1), group: .encoder))
    let inputs = [tensor([6, batch, 3], "x"), tensor([6, 1, 2], "shared")]
    let constant = tensor([6, 4], "constant")
    let failures = try GradientCheck.failures(table, inputs: inputs) { operations, x in
      let y = try operations.apply(
        Concatenation(
          [.value(x[0]), .constant(constant), .value(x[1]), .parameter(rows), .columns(x[0], [2, 0]), .number(5)],
          rows: 6, batch: batch, group: .encoder))
      #expect(y.shape.columns == 14 && y.tensor.values[13] == 5 && y.tensor.values[11] == x[0].tensor.values[2])
      return y
    }
    #expect(failures == [])
  }

  @Test func sumsAlongEdges() throws {
    let inputs = [tensor([12, batch, 3], "x"), tensor([4, batch, 3], "a"), tensor([5, batch, 3], "b")]
    let failures = try GradientCheck.failures(ParameterTable(), inputs: inputs) { operations, x in
      // The sum is formed in the memory of a copy.
      let copy = try operations.apply(Concatenation([.value(x[0])], rows: 12, batch: batch, group: .processor))
      let sum = try operations.apply(
        EndpointSum(edges, overwriting: copy, destinations: x[1], sources: x[2], group: .processor))
      return try operations.apply(IncomingSum(edges, sum, group: .processor))
    }
    #expect(failures == [])
  }
}
