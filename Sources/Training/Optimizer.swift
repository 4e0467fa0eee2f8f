import CKernels
import Distribution
import Execution
import Tensors

/// Adam with parameter groups (Kingma and Ba 2015; decoupled decay: Loshchilov and Hutter 2019), clipping by global norm
/// or by element, and an exponential moving average of the weights.
public final class Optimizer {
  public enum DecayKind: String, Sendable, CaseIterable, Codable {
    /// Added to the gradient, as in the published runs ("Adam with weight decay").
    case coupled
    /// Apart from the gradient (AdamW).
    case decoupled
  }

  public struct Options: Sendable, Equatable, Codable {
    public var beta1 = 0.9
    public var beta2 = 0.999
    public var epsilon = 1e-8
    public var weightDecay = 0.0
    public var decayKind = DecayKind.decoupled
    /// Largest global gradient norm; 0 switches clipping off.
    public var clipNorm = 1.0
    /// Largest magnitude of a gradient's element; nil: as it is.
    public var clipValue: Double?
    /// Of the moving average per update; 0 switches it off.
    public var averageDecay = 0.0
    /// Learning rates of groups (`ParameterGroup`) as multiples of the schedule's.
    public var groupRates: [String: Double] = [:]

    public init() {}
  }

  public let options: Options
  /// What this rank updates: everything it holds, unless the optimiser is split over replicas.
  public let owned: OwnedParts
  /// Of the owned parts, one after the other.
  public let moment1, moment2: Tensor
  public let average: Tensor?
  private let parameters: ParameterStore
  private let compute: Compute

  public init(_ parameters: ParameterStore, _ compute: Compute, _ options: Options, owned: OwnedParts? = nil) {
    let owned = owned ?? OwnedParts([0..<parameters.length])
    self.owned = owned
    self.parameters = parameters
    self.compute = compute
    self.options = options
    moment1 = compute.zeros([owned.count])
    moment2 = compute.zeros([owned.count])
    average = options.averageDecay > 0 ? compute.zeros([owned.count]) : nil
  }

  /// The average starts at the initial weights.
  public func startAverage() {
    guard let average else { return }
    for part in owned.overlaps(0..<parameters.length) {
      average.elements(part.compact..<part.compact + part.piece.count).copy(
        from: parameters.values.elements(part.piece))
    }
  }

  /// Exchanges weights and average in the owned parts, to evaluate the average and to come back.
  public func swapAverage() {
    guard let average else { return }
    for part in owned.overlaps(0..<parameters.length) {
      let (values, averages) = (
        parameters.values.pointer + part.piece.lowerBound, average.pointer + part.compact
      )
      compute.team.split(part.piece.count, grain: 4_096) { range in
        for i in range { swap(&values[i], &averages[i]) }
      }
    }
  }

  /// One update with the gradients at hand, whose norm the caller has taken; clears them.
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
      for part in owned.overlaps(parameters.range(id)) {
        clip(parameters.gradients.elements(part.piece))
        let own = part.compact..<part.compact + part.piece.count
        compute.adam(
          coefficients, parameter: parameters.values.elements(part.piece),
          gradient: parameters.gradients.elements(part.piece), moment1: moment1.elements(own),
          moment2: moment2.elements(own), average: average?.elements(own))
      }
    }
    for part in owned.others(in: 0..<parameters.length) { parameters.gradients.elements(part).fill() }
  }

  /// Limits every element of a gradient.
  private func clip(_ gradient: Tensor) {
    guard let limit = options.clipValue.map({ Float($0) }) else { return }
    compute.pass(gradient.count, grain: 4_096, bytes: 2 * gradient.byteCount) { range in
      for i in range { gradient.pointer[i] = min(max(gradient.pointer[i], -limit), limit) }
    }
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
