import Execution
import Tensors

/// How many steps ahead training looks.
public struct RolloutPlan: Sendable, Hashable {
  public enum Kind: String, Sendable, CaseIterable {
    /// The processor is applied k times between one encoding and one decoding; the loss is on the last state.
    case latent
    /// The prediction is fed back k times; the loss is on every state.
    case autoregressive
  }

  /// From `fraction` of the training on, up to `steps` steps.
  public struct Stage: Sendable, Hashable {
    public let fraction: Double
    public let steps: Int
    public init(fraction: Double, steps: Int) {
      self.fraction = fraction
      self.steps = steps
    }
  }

  public let kind: Kind
  public let stages: [Stage]
  /// Draws k from 1 … steps anew at each update, the same on every rank; else k = steps.
  public let isRandomized: Bool

  public init(kind: Kind, stages: [Stage], isRandomized: Bool) {
    precondition(!stages.isEmpty)
    self.kind = kind
    self.stages = stages
    self.isRandomized = isRandomized
  }

  public static let singleStep = RolloutPlan(
    kind: .autoregressive, stages: [Stage(fraction: 0, steps: 1)], isRandomized: false)

  public var largestSteps: Int { stages.map(\.steps).max() ?? 1 }

  /// k of an update.
  public func steps(update: Int, of total: Int, seed: UInt64) -> Int {
    let position = Double(update) / Double(max(1, total))
    let limit = stages.last { $0.fraction <= position }?.steps ?? 1
    guard isRandomized else { return limit }
    return 1 + RandomStream(seed: seed, name: "rollout", step: UInt64(update)).integer(below: limit, index: 0)
  }

  /// About how long an update with k = `steps` takes, in forward passes of the model: a backward pass counts two; in a
  /// chain of predictions all steps but the last run twice.
  public func work(steps: Int) -> Double { Double(kind == .latent ? 3 * steps : 4 * steps - 1) }
}

/// Back-propagation through a chain of equal steps with bounded memory.
///
/// At most `slots` + 2 states are alive, however long the chain; what lies between is computed again (Griewank and Walther
/// 2000). Up to slots + 1 steps each step runs at most twice, once plainly and once recorded.
public struct CheckpointedChain<State, Gradient> {
  /// State after step `index` from the state before it, without recording.
  let advance: (_ index: Int, _ state: State) throws -> State
  /// Runs step `index` recorded and back: from the state before it and the gradient of the state after it (nil if none)
  /// to the gradient of the state before it (nil when not needed).
  let reverse: (_ index: Int, _ state: State, _ gradient: Gradient?) throws -> Gradient?

  /// Runs all `count` steps backwards from the state before the first; returns the gradient of that state.
  func run(_ count: Int, from state: State, slots: Int) throws -> Gradient? {
    var gradient: Gradient?
    try run(0, count, from: state, gradient: &gradient, slots: slots)
    return gradient
  }

  /// Steps `lower` ..< `upper`, from the gradient behind them to that before them. The gradient is passed in place, and
  /// the left part is a loop, so that nothing waits on the stack that could be freed.
  private func run(_ lower: Int, _ upper: Int, from state: State, gradient: inout Gradient?, slots: Int) throws {
    var upper = upper
    while upper - lower > 1 {
      // The split: with slots, so that the right part needs one slot fewer; without, advance to the last step each time.
      let split = slots > 0 ? lower + max(1, (upper - lower) / (slots + 1)) : upper - 1
      var middle = state
      for index in lower..<split { middle = try advance(index, middle) }
      try run(split, upper, from: middle, gradient: &gradient, slots: max(0, slots - 1))
      upper = split
    }
    let behind = gradient
    gradient = nil
    gradient = try reverse(lower, state, behind)
  }
}
