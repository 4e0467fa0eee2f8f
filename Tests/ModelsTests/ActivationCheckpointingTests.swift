import Execution
import Models
import Tensors
import Testing

/// Blocks that backward computes again.
@Suite struct ActivationCheckpointingTests {
  private let sizes = WeatherMixer.Sizes(
    tokens: 48, pointsPerToken: 4, variables: 5, auxiliaries: 2, channels: 40, tokenWidth: 72, channelWidth: 56,
    blocks: 4)
  private let batch = 2

  private func random(_ shape: [Int], _ name: String) -> Tensor {
    let tensor = Tensor(zeros: shape)
    RandomStream(seed: 3, name: name).fillNormal(tensor.floats, deviation: 1, row: 0, columns: 0..<tensor.count)
    return tensor
  }

  /// Output, all gradients, and the most bytes that activations and temporary values took.
  private func pass(checkpointing: Bool, dropout: Float) throws -> (output: [Float], gradients: [Float], peak: Int) {
    let model = WeatherMixer(sizes, output: .blend, dropoutProbability: dropout)
    let parameters = ParameterStore(model.parameters)
    parameters.initialize(seed: 1)
    let compute = Compute(threads: 1)
    let operations = LocalOperations(compute: compute, parameters: parameters)
    operations.randomKey.seed = 9
    operations.checkpointsActivations = checkpointing
    let tape = Tape()
    operations.tape = tape
    let state = Value(random([sizes.tokens, batch, 4 * sizes.variables], "state"), requiresGradient: true)
    let auxiliary = Value(random([sizes.tokens, batch, 4 * sizes.auxiliaries], "auxiliary"))
    let y = try model.step(ModelInput(state: state, auxiliary: auxiliary), isTraining: true, operations)
    operations.tape = nil
    y.gradient = random(y.shape.dimensions, "loss")
    try tape.backward()
    return (
      y.tensor.values, parameters.gradients.values + state.takeGradient().values, compute.pool.counters.peakBytesInUse
    )
  }

  @Test(arguments: [Float(0), 0.3]) func theSameBitsInLessMemory(dropout: Float) throws {
    let (kept, again) = (
      try pass(checkpointing: false, dropout: dropout), try pass(checkpointing: true, dropout: dropout)
    )
    #expect(kept.output == again.output)
    #expect(kept.gradients == again.gradients)
    // docs/parallel.md: of each block but one T·D numbers stay instead of T·(2·D + H_c) + D·H_t.
    let s = sizes
    let block = batch * (s.tokens * (s.channels + s.channelWidth) + s.channels * s.tokenWidth)
    let saved = Double(4 * (s.blocks - 1) * block)
    #expect(abs(Double(kept.peak - again.peak) / saved - 1) < 0.07, "\(kept.peak) - \(again.peak), \(saved)")
  }
}
