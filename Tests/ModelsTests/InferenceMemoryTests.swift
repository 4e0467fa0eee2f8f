import Distribution
import Execution
import Models
import Tensors
import Testing

/// A model that only predicts holds its weights and, for one step, its activations.
@Suite struct InferenceMemoryTests {
  /// Large weights, few and small activations.
  private static let model = WeatherMixer(
    WeatherMixer.Sizes(
      tokens: 8, pointsPerToken: 2, variables: 3, auxiliaries: 1, channels: 256, tokenWidth: 16, channelWidth: 512,
      blocks: 4), output: .blend)

  @Test func aForecastHoldsNoGradients() throws {
    let model = Self.model
    var bytes = 0
    let parameters = ParameterStore(model.parameters, hasGradients: false) {
      bytes += $0.reduce(1, *) * ElementType.float32.byteCount
      return Tensor(zeros: $0)
    }
    parameters.initialize(seed: 1)
    let compute = Compute(threads: 1)
    let operations = LocalOperations(compute: compute, parameters: parameters)
    let form = model.form
    var state = Value(Tensor(zeros: [form.tokens, 1, form.pointsPerToken * form.variables]))
    let auxiliary = Value(Tensor(zeros: [form.tokens, 1, form.pointsPerToken * form.auxiliaries]))
    try operations.withFrozenWeights(uses: 1) {
      for _ in 0..<3 { state = try model.step(ModelInput(state: state, auxiliary: auxiliary), operations) }
    }
    let weights = model.parameters.elementCount * ElementType.float32.byteCount
    #expect(bytes + compute.pool.counters.peakBytesInUse < weights * 11 / 10)
  }

  @Test func soDoesEveryRankOfAMesh() throws {
    let model = Self.model
    let mesh = Mesh(domain: 2, tensor: 2)
    let plan = try ParallelPlan.make(mesh, model.parameters) { try model.dryStep($0) }
    var counts = [0, 0]
    for rank in 0..<mesh.count {
      for (index, trains) in [false, true].enumerated() {
        _ = plan.makeParameters(mesh.position(of: rank), hasGradients: trains) {
          counts[index] += $0.reduce(1, *)
          return Tensor(zeros: $0)
        }
      }
    }
    #expect(counts[1] == 2 * counts[0] && counts[0] < model.parameters.elementCount * 11 / 10)
  }
}
