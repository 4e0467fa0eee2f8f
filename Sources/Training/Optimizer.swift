import CKernels
import Checkpoints
import Distribution
import Execution
import Tensors

/// Adam with parameter groups (Kingma and Ba 2015; decoupled decay: Loshchilov and Hutter 2019), clipping by global norm
/// or by element, and an exponential moving average of the weights.
public final class Optimizer {
  public let options: OptimizerOptions
  public let state: OptimizerState
  private let parameters: ParameterStore
  private let compute: Compute

  /// - Parameter shard: what this rank updates; nil: everything that it holds.
  public init(
    _ parameters: ParameterStore, _ compute: Compute, _ options: OptimizerOptions, shard: OptimizerShard? = nil
  ) {
    self.parameters = parameters
    self.compute = compute
    self.options = options
    state = OptimizerState(
      shard ?? OptimizerShard([0..<parameters.length]), averages: options.averageDecay > 0, makeZeros: compute.zeros)
  }

  /// The average starts at the initial weights.
  public func startAverage() {
    guard let average = state.average else { return }
    for part in state.shard.overlaps(0..<parameters.length) {
      average.elements(part.compact..<part.compact + part.piece.count).copy(
        from: parameters.values.elements(part.piece))
    }
  }

  /// Exchanges weights and average within the shard, to evaluate the average and to come back.
  public func swapAverage() {
    guard let average = state.average else { return }
    for part in state.shard.overlaps(0..<parameters.length) {
      compute.exchange(
        parameters.values.elements(part.piece), average.elements(part.compact..<part.compact + part.piece.count))
    }
  }

  /// One update with the local gradients, whose norm the caller has taken; clears them.
  ///
  /// - Parameter update: counted from 0.
  public func step(update: Int, learningRate: Double, gradientNorm: Double) {
    let scale =
      options.clipNorm > 0 && gradientNorm > options.clipNorm ? options.clipNorm / (gradientNorm + 1e-6) : 1
    let n = Double(update + 1)
    // The average follows faster in the beginning, so that it forgets the initial weights.
    let averageDecay = min(options.averageDecay, (1 + n) / (10 + n))
    for (index, spec) in parameters.table.specs.enumerated() {
      let id = ParameterID(index: index)
      let decay = spec.decays ? options.weightDecay : 0
      let coefficients = jk_adam(
        learning_rate: Float(learningRate * (options.groupRates[spec.group.rawValue] ?? 1)),
        beta1: Float(options.beta1),
        beta2: Float(options.beta2), epsilon: Float(options.epsilon),
        bias_correction1: Float(1 - power(options.beta1, update + 1)),
        bias_correction2: Float(1 - power(options.beta2, update + 1)),
        coupled_decay: Float(options.decayKind == .coupled ? decay : 0),
        decoupled_decay: Float(options.decayKind == .decoupled ? decay : 0), gradient_scale: Float(scale),
        average_decay: Float(averageDecay))
      for part in state.shard.overlaps(parameters.range(id)) {
        if let limit = options.clipValue { compute.clamp(parameters.gradients.elements(part.piece), to: Float(limit)) }
        let own = part.compact..<part.compact + part.piece.count
        compute.adam(
          coefficients, parameter: parameters.values.elements(part.piece),
          gradient: parameters.gradients.elements(part.piece), moment1: state.moment1.elements(own),
          moment2: state.moment2.elements(own), average: state.average?.elements(own))
      }
    }
    for part in state.shard.others(in: 0..<parameters.length) { parameters.gradients.elements(part).fill() }
  }

  private func power(_ base: Double, _ exponent: Int) -> Double {
    var result = 1.0
    var factor = base
    var n = exponent
    while n > 0 {
      if n & 1 == 1 { result *= factor }
      factor *= factor
      n >>= 1
    }
    return result
  }
}
