import Basics
import Tensors
import Testing

@testable import Execution
@testable import Models

/// Operations that are traced compute the same, and the trace has every phase of forward and backward.
@Suite struct TracedStepTests {
  private struct Layers {
    var table = ParameterTable()
    let encoder, decoder: LinearParameters
    let tokens, channels: MLPParameters

    init() {
      var table = ParameterTable()
      func mlp(_ name: String, _ inputs: Int) -> MLPParameters {
        MLPParameters(
          name: name, norm: table.norm("\(name).norm", lengths: [8], group: .processor),
          first: table.linear("\(name).first", inputs: [inputs], outputs: 12, group: .processor),
          second: table.linear("\(name).second", inputs: [12], outputs: inputs, group: .processor))
      }
      encoder = table.linear("encoder", inputs: [5, 3], outputs: 8, group: .encoder)
      tokens = mlp("tokens", 6)
      channels = mlp("channels", 8)
      decoder = table.linear("decoder", inputs: [8, 8], outputs: 5, group: .decoder)
      self.table = table
    }

    /// [6, 2, 5] and [6, 2, 3] → [6, 2, 5].
    func step(_ state: Value, _ auxiliary: Value, _ operations: any Operations) throws -> Value {
      let encoded = try operations.linear([state, auxiliary], encoder)
      var x = try operations.apply(ResidualMLP(encoded, along: .tokens, tokens, dropout: nil))
      x = try operations.apply(ResidualMLP(x, along: .channels, channels, dropout: nil))
      let y = try operations.linear([x, encoded], decoder)
      return try operations.addScaled(y, factor: [Float](repeating: 0.5, count: 5), to: state)
    }
  }

  @Test func tracedOperationsComputeTheSame() throws {
    let layers = Layers()
    let parameters = ParameterStore(layers.table)
    parameters.initialize(seed: 3)
    let trace = Trace()
    let compute = Compute(threads: 1, trace: trace)
    func run(_ operations: any Operations) throws -> (output: [Float], gradients: [Float]) {
      parameters.clearGradients()
      let tape = Tape()
      operations.tape = tape
      let (state, auxiliary) = (Tensor(zeros: [6, 2, 5]), Tensor(zeros: [6, 2, 3]))
      for (tensor, name) in [(state, "state"), (auxiliary, "auxiliary")] {
        RandomStream(seed: 1, name: name).fillNormal(tensor.floats, deviation: 1, row: 0, columns: 0..<tensor.count)
      }
      let output = try layers.step(Value(state), Value(auxiliary), operations)
      operations.tape = nil
      let gradient = compute.tensor(output.shape.dimensions)
      gradient.copy(from: output.tensor)
      output.gradient = gradient
      try tape.backward()
      return (output.tensor.values, parameters.gradients.values)
    }
    let plain = try run(LocalOperations(compute: compute, parameters: parameters))
    let products = trace.takeSpans()
    let traced = try run(
      TracedOperations(LocalOperations(compute: compute, parameters: parameters), layers.table, trace))
    #expect(plain.output == traced.output && plain.gradients == traced.gradients)

    // Without the wrapper products alone are noted: 2 + 2 + 2 + 2 forward, 2 + 4 + 4 + 4 backward.
    #expect(products.allSatisfy { $0.lane == .compute && $0.name == "product" } && products.count == 22)
    let spans = trace.takeSpans()
    #expect(trace.takeSpans() == [], "what is taken is gone")
    #expect(spans.filter { $0.lane == .compute }.count == 22)
    let phases: [StepPhase] = [.encoder, .tokenMixing, .channelMixing, .decoder, .output]
    let names = phases.map(\.forward) + phases.reversed().map(\.backward)
    let noted = spans.filter { $0.lane == .phases }
    #expect(noted.map(\.name) == names)
    for (before, after) in zip(noted, noted.dropFirst()) { #expect(before.end <= after.start) }
    #expect(noted.allSatisfy { $0.start <= $0.end })
    // Every product lies in a phase.
    for product in spans where product.lane == .compute {
      #expect(noted.contains { $0.start <= product.start && product.end <= $0.end })
    }
  }

  /// By hand, for 6 tokens, batch 2, 5 + 3 fields, 8 channels, hidden widths 12.
  @Test func countingOperationsCount() throws {
    let layers = Layers()
    let counting = CountingOperations(layers.table)
    func dry(_ columns: Int) -> Value {
      Value(shape: ValueShape(rows: 6, batch: 2, columns: columns), data: nil, requiresGradient: false)
    }
    _ = try layers.step(dry(5), dry(3), counting)
    // X 96, W and b 72, Y 96; backward without the gradient of the input: dY, X, and W's and b's read and written.
    #expect(counting.forward[.encoder] == Work(flops: 2 * 12 * 64, elements: 96 + 72 + 96))
    #expect(counting.backward[.encoder] == Work(flops: 2 * 12 * 64, elements: 96 + 96 + 2 * 72))
    // Weights 2 · 72, biases 12 + 6, norm 16; hidden [12, 2·8].
    #expect(counting.forward[.tokenMixing] == Work(flops: 2 * 144 * 16, elements: 2 * 96 + 192 + 178))
    #expect(counting.backward[.tokenMixing] == Work(flops: 4 * 144 * 16, elements: 3 * 96 + 192 + 3 * 178))
    // Weights 2 · 96, biases 12 + 8, norm 16; hidden [12, 12].
    #expect(counting.forward[.channelMixing] == Work(flops: 2 * 192 * 12, elements: 2 * 96 + 144 + 228))
    #expect(counting.backward[.channelMixing] == Work(flops: 4 * 192 * 12, elements: 3 * 96 + 144 + 3 * 228))
    // Two inputs of 96, W 80 and b 5, Y 60.
    #expect(counting.forward[.decoder] == Work(flops: 2 * 12 * 80, elements: 192 + 85 + 60))
    #expect(counting.backward[.decoder] == Work(flops: 4 * 12 * 80, elements: 60 + 192 + 192 + 80 + 2 * 85))
    #expect(counting.forward[.output] == Work(elements: 3 * 60))
    #expect(counting.backward[.output] == Work(elements: 2 * 60))
    #expect(counting.productFLOPs == 2 * (12 * 64 + 144 * 16 + 192 * 12 + 12 * 80))
  }
}
