import Execution
import OperationChecks
import Tensors
import Testing

@testable import Models

/// What turns a decoder's output into a prediction and the next input, by hand and against central differences.
@Suite struct GraphPredictionTests {
  private func tensor(_ shape: [Int], _ name: String) -> Tensor { GradientCheck.tensor(shape, name) }

  @Test func changesAreAddedToTheLastState() throws {
    let inputs = [tensor([5, 2, 4], "x"), tensor([5, 2, 3], "y")]
    let failures = try GradientCheck.failures(ParameterTable(), inputs: inputs) { operations, x in
      let sum = try operations.apply(AddColumns(x[0], to: x[1], pairs: [(to: 0, from: 3), (to: 2, from: 1)]))
      let (a, b, c) = (x[0].tensor.values, x[1].tensor.values, sum.tensor.values)
      #expect(c[0] == b[0] + a[3] && c[1] == b[1] && c[2] == b[2] + a[1])
      return sum
    }
    #expect(failures == [])
  }

  @Test(arguments: [
    GraphModelDescription.Bounding([1, 2], .floor(least: [-0.2, 0.1], slope: 0)),
    GraphModelDescription.Bounding([0], .floor(least: [0], slope: 0.01)),
    GraphModelDescription.Bounding([0, 2], .clamp(least: -0.5, most: 0.5, slope: 0)),
    GraphModelDescription.Bounding([2], .fraction(least: -0.5, most: 1, slope: 0.01, of: 0)),
  ]) func boundsAndTheirGradients(bounding: GraphModelDescription.Bounding) throws {
    // Two steps of three variables, none near a kink.
    let x = tensor([40, 1, 6], "x")
    for i in 0..<x.count where abs(abs(x.pointer[i]) - 0.5) < 0.03 || abs(x.pointer[i]) < 0.25 { x.pointer[i] += 0.3 }
    for i in 0..<x.count where abs(abs(x.pointer[i]) - 0.5) < 0.03 || abs(x.pointer[i] - 1) < 0.03 { x.pointer[i] = 2 }
    let failures = try GradientCheck.failures(ParameterTable(), inputs: [x]) {
      try $0.apply(Bound(x: $1[0], bounding: bounding, variables: 3))
    }
    #expect(failures == [])
  }

  @Test func boundsByHand() throws {
    let operations = LocalOperations(compute: Compute(threads: 1), parameters: ParameterStore(ParameterTable()))
    func bounded(_ kind: GraphModelDescription.Bounding.Kind) throws -> [Float] {
      let x = Value(Tensor([-2, 3, 0.5], shape: [1, 1, 3]))
      return try operations.apply(Bound(x: x, bounding: .init([0, 1], kind), variables: 3)).tensor.values
    }
    #expect(try bounded(.floor(least: [-1, 4], slope: 0)) == [-1, 4, 0.5])
    #expect(try bounded(.floor(least: [-1, 4], slope: 0.5)) == [-1.5, 3.5, 0.5])
    #expect(try bounded(.clamp(least: 0, most: 1, slope: 0)) == [0, 1, 0.5])
    #expect(try bounded(.fraction(least: -1, most: 1, slope: 0, of: 2)) == [-0.5, 0.5, 0.5])
  }

  private func description(inputSteps: Int, outputSteps: Int) -> GraphModelDescription {
    let layer = GraphModelDescription.Layer(hiddenWidth: 4, attentionChannels: 4)
    let mapper = GraphModelDescription.Mapper(.graphTransformer, layer, channels: 4)
    // Inputs: prognostic 1, forcing 0; outputs: diagnostic 0, prognostic 1.
    return GraphModelDescription(
      .init(inputs: 2, outputs: 2, prognosticInputs: [1], prognosticOutputs: [1], forcingInputs: [0]),
      inputSteps: inputSteps, outputSteps: outputSteps, channels: 4, encoder: mapper,
      processor: .init(.graphTransformer, layer, layers: 1), decoder: mapper)
  }

  @Test func theWindowMovesOn() throws {
    let operations = LocalOperations(compute: Compute(threads: 1), parameters: ParameterStore(ParameterTable()))
    func next(_ inputSteps: Int, _ outputSteps: Int, predicted: [Bool]?) throws -> [Float] {
      let x = Value(Tensor((0..<2 * inputSteps).map { Float($0) }, shape: [1, 1, 2 * inputSteps]))
      let y = Value(Tensor((0..<2 * outputSteps).map { Float(10 + $0) }, shape: [1, 1, 2 * outputSteps]))
      let moved = min(inputSteps, outputSteps)
      let truth = Tensor((0..<2 * moved).map { Float(100 + $0) }, shape: [1, 1, 2 * moved])
      return try operations.apply(
        NextWindow(
          x, prediction: y, truth: truth, predicted: predicted,
          description(inputSteps: inputSteps, outputSteps: outputSteps))
      ).tensor.values
    }
    #expect(try next(2, 1, predicted: nil) == [2, 3, 100, 11])
    #expect(try next(3, 2, predicted: nil) == [4, 5, 100, 11, 102, 13])
    #expect(try next(1, 2, predicted: nil) == [100, 13])
    #expect(try next(2, 1, predicted: [false]) == [2, 3, 100, 101])
  }

  @Test(arguments: [(3, 1), (2, 2), (1, 2)]) func gradientsOfTheWindow(steps: (input: Int, output: Int)) throws {
    let moved = min(steps.input, steps.output)
    var inputs = [tensor([4, 2, 2 * steps.output], "y")]
    // A window that is replaced as a whole has no gradient.
    if steps.input > moved { inputs.append(tensor([4, 2, 2 * steps.input], "x")) }
    let fixed = tensor([4, 2, 2 * steps.input], "x")
    let truth = tensor([4, 2, 2 * moved], "truth")
    let failures = try GradientCheck.failures(ParameterTable(), inputs: inputs) { operations, values in
      try operations.apply(
        NextWindow(
          values.count > 1 ? values[1] : Value(fixed), prediction: values[0], truth: truth,
          predicted: [true, false, true, true],
          description(inputSteps: steps.input, outputSteps: steps.output)))
    }
    #expect(failures == [])
  }
}
