import Models
import Planning

/// Seconds per step of one of the published trainings.
public struct PublishedRun: Sendable {
  public var sizes: WeatherMixer.Sizes
  /// GPUs of one model instance: 1, 2, 4.
  public var ways: Int
  /// Of GEMMs, on one GPU.
  public var flopsPerSecond: Double
  public var machine: PublishedMachine

  /// How samples come in: published configurations and measurements.
  public struct Loading: Sendable {
    /// Seconds per step below which no step was, of models so small that computing doesn't count.
    public var floorSeconds: Double
    /// Processes that read ahead, each a sample of its own, and steps after which they are started anew.
    public var workers = 20, stepsPerEpoch = 100

    public init(floorSeconds: Double) { self.floorSeconds = floorSeconds }
  }

  /// Input and target: 69 fields of 720 × 1440 points each.
  static let sampleBytes = 2 * 69 * 720 * 1440 * 4.0

  public init(_ sizes: WeatherMixer.Sizes, ways: Int, flopsPerSecond: Double, machine: PublishedMachine) {
    self.sizes = sizes
    self.ways = ways
    self.flopsPerSecond = flopsPerSecond
    self.machine = machine
  }

  /// What one instance does in a step, without samples to wait for and without others to agree with.
  public struct Instance: Sendable {
    /// Until the slowest rank is through backward, and of the optimiser.
    public var backwardSeconds, optimizerSeconds: Double
    /// GEMMs of each rank.
    public var flops: [Double]
    /// All ranks together, to each other.
    public var bytesSent: Double
    /// Each rank's gradients: bytes, and when they are complete.
    var gradients: [[(bytes: Double, readyAt: Double)]]

    public var seconds: Double { backwardSeconds + optimizerSeconds }
  }

  public var instance: Instance {
    let costs = PublishedProducts.Costs(
      flopsPerSecond: flopsPerSecond, bytesPerSecond: machine.passBytesPerSecond)
    let scheme = PublishedStep(sizes, ways: ways, costs: costs).scheme
    let outcome = scheme.streams.run(
      latencySeconds: machine.link.latencySeconds, bytesPerSecond: machine.link.bytesPerSecond)
    let parameters = scheme.gradients.reduce(0, +) / 4
    return Instance(
      backwardSeconds: outcome.seconds.max() ?? 0,
      optimizerSeconds: Self.adamAccesses * 4 * parameters / machine.passBytesPerSecond,
      flops: scheme.flops, bytesSent: scheme.bytesSent,
      gradients: outcome.marks.map { marks in zip(scheme.gradients, marks).map { (bytes: $0, readyAt: $1) } })
  }

  /// Adam of torch.optim without fusion, numbers read and written per parameter: weight decay 3, first moment 3, second
  /// moment 2 + 3, root 2, bias correction 2, ε 2, update 4.
  static let adamAccesses = 21.0

  /// Seconds per step of so many GPUs together. Gradients are averaged over the instances: rank i of each with rank i of all
  /// others, one gradient after the other as backward completes them, in a ring, whose slowest part is a node's port.
  public func seconds(gpus: Int, loading: Loading? = nil) -> Double {
    let instance = instance
    let slowest = 1 + machine.straggling * Straggler.expectedMaximum(of: gpus)
    var end = instance.backwardSeconds * slowest
    let replicas = gpus / ways
    if replicas > 1 {
      let rate =
        gpus > machine.gpusPerNode
        ? machine.allReduceBytesPerSecond(groups: ways) : machine.link.bytesPerSecond
      for gradients in instance.gradients {
        var reduced = 0.0
        for gradient in gradients {
          let part = Double(replicas - 1) / Double(replicas)
          reduced = max(reduced, gradient.readyAt * slowest)
          reduced += 2 * (part * gradient.bytes / rate + machine.ringLatencySeconds * Double(replicas))
        }
        end = max(end, reduced)
      }
    }
    let computing = end + instance.optimizerSeconds * slowest
    guard let loading else { return computing }
    // The copy to the GPU is waited for. The first sample of an epoch takes as long as any: one worker's time.
    let copying = Self.sampleBytes / Double(ways) / machine.hostBytesPerSecond
    let first = loading.floorSeconds * Double(loading.workers) / Double(loading.stepsPerEpoch)
    return max(loading.floorSeconds, computing + copying) + first
  }
}
