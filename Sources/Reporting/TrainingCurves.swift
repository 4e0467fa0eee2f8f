import Datasets

/// The measurements of a training. All series of `Updates` have the same length, as have those of `Validations`.
public struct TrainingCurves: Sendable {
  public struct Updates: Sendable {
    /// Number of the update, ascending.
    public var update: [Int] = []
    public var loss: [Double] = []
    public var learningRate: [Double] = []
    public var gradientNorm: [Double] = []
    public var samplesPerSecond: [Double] = []
    /// Duration of each update.
    public var seconds: [Double] = []
    /// Steps of rollout.
    public var steps: [Int] = []

    public init() {}
  }

  public struct Validations: Sendable {
    public var update: [Int] = []
    public var loss: [Double] = []
    /// One-step RMSE in stored units, in the model's order of channels.
    public var rmse: [(channel: Channel, values: [Double])] = []

    public init() {}
  }

  public let updates: Updates
  public let validations: Validations

  public init(updates: Updates, validations: Validations = Validations()) {
    self.updates = updates
    self.validations = validations
  }

  /// Time spent in updates.
  public var seconds: Double { updates.seconds.filter(\.isFinite).reduce(0, +) }

  /// Updates at which the rollout got longer or shorter, with the new number of steps.
  public var stages: [(update: Int, steps: Int)] {
    updates.steps.indices.dropFirst().filter { updates.steps[$0] != updates.steps[$0 - 1] }
      .map { (updates.update[$0], updates.steps[$0]) }
  }

  /// Means over blocks of neighbouring updates, so that at most `count` points remain; `update` is the last of a block.
  func thinned(to count: Int) -> (updates: Updates, block: Int) {
    let block = (updates.update.count + count - 1) / max(1, count)
    if block <= 1 { return (updates, 1) }
    func mean(_ values: [Double]) -> [Double] {
      stride(from: 0, to: values.count, by: block).map { start in
        let part = values[start..<min(start + block, values.count)]
        return part.reduce(0, +) / Double(part.count)
      }
    }
    func last(_ values: [Int]) -> [Int] {
      stride(from: 0, to: values.count, by: block).map { values[min($0 + block, values.count) - 1] }
    }
    var thin = Updates()
    thin.update = last(updates.update)
    thin.loss = mean(updates.loss)
    thin.learningRate = mean(updates.learningRate)
    thin.gradientNorm = mean(updates.gradientNorm)
    thin.samplesPerSecond = mean(updates.samplesPerSecond)
    thin.steps = last(updates.steps)
    return (thin, block)
  }
}
