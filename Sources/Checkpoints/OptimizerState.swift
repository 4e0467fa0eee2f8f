import Distribution
import Execution
import Tensors

/// Settings of the optimiser, as configuration files give them and manifests record them.
public struct OptimizerOptions: Sendable, Equatable, Codable {
  public enum DecayKind: String, Sendable, CaseIterable, Codable {
    /// Added to the gradient, as in the published runs ("Adam with weight decay").
    case coupled
    /// Apart from the gradient (AdamW).
    case decoupled
  }

  public var beta1 = 0.9
  public var beta2 = 0.999
  public var epsilon = 1e-8
  public var weightDecay = 0.0
  public var decayKind = DecayKind.decoupled
  /// Largest global gradient norm; 0 switches clipping off.
  public var clipNorm = 1.0
  /// Largest magnitude of a gradient's element; nil: as it is.
  public var clipValue: Double?
  /// The decay of the moving average per update; 0 switches it off.
  public var averageDecay = 0.0
  /// Learning rates of groups (`ParameterGroup`) as multiples of the schedule's.
  public var groupRates: [String: Double] = [:]

  public init() {}
}

/// The state that a rank's optimiser keeps between updates, and that checkpoints store: FP32 tensors [shard.count], which hold
/// the ranges of the shard one after the other.
public struct OptimizerState {
  /// The ranges that this rank updates: all that it holds, unless the optimiser is split over replicas.
  public let shard: OptimizerShard
  /// Moving averages of the gradient and of its square.
  public let moment1, moment2: Tensor
  /// The moving average of the weights; nil: none is kept.
  public let average: Tensor?

  /// The state before the first update: zeros.
  public init(_ shard: OptimizerShard, averages: Bool, makeZeros: ([Int]) -> Tensor) {
    self.shard = shard
    moment1 = makeZeros([shard.count])
    moment2 = makeZeros([shard.count])
    average = averages ? makeZeros([shard.count]) : nil
  }
}
