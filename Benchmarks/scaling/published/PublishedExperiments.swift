import Models
import Planning

/// The published experiments, predicted. Calibrated on the eight figures of one GPU and on two efficiencies: that of the 16 TFLOP
/// model in TF32 on 2 GPUs (which gives the link within a node) and that of 1-way at 8 GPUs (which gives the share of a
/// node's port that one all-reduce gets).
public struct PublishedExperiments: Sendable {

  public private(set) var machine: PublishedMachine
  /// What GEMMs took on one GPU, by what remains of a step when the passes are subtracted, in ascending order of size.
  private let products: [PublishedFigures.Precision: [(flops: Double, seconds: Double)]]

  /// With GEMM rates from the steps on one GPU, and all else as given.
  public init(fixed machine: PublishedMachine) {
    self.machine = machine
    var products: [PublishedFigures.Precision: [(flops: Double, seconds: Double)]] = [:]
    for row in PublishedFigures.strongScaling {
      let passes = PublishedRun(row.sizes, ways: 1, flopsPerSecond: .infinity, machine: machine).instance
      products[row.precision, default: []].append(
        (flops: passes.flops[0], seconds: row.secondsPerStep[0] - passes.seconds))
    }
    self.products = products
  }

  /// Calibrated.
  public init() {
    self.init(fixed: PublishedMachine())
    guard let pair = PublishedFigures.strongScaling.first(where: { Self.calibrates($0, gpus: 2) }),
      let one = PublishedFigures.dataParallel.first(where: { Self.calibrates($0, gpus: 8) })
    else { preconditionFailure("no figure to calibrate with") }
    self.machine.link.bytesPerSecond = bisect(20e9, 200e9) {
      var trial = self
      trial.machine.link.bytesPerSecond = $0
      return trial.secondsPerStep(pair, gpus: 2) > pair.secondsPerStep[1]
    }
    self.machine.flowShare = bisect(0.05, 0.95) {
      var trial = self
      trial.machine.flowShare = $0
      return trial.efficiency(one, gpus: 8) < one.efficiencies[0]
    }
  }

  /// FLOP/s of GEMMs on one GPU: measured for the models of the strong scaling; between and beyond these their seconds are taken
  /// to be linear in the number of operations.
  public func flopsPerSecond(_ sizes: WeatherMixer.Sizes, _ precision: PublishedFigures.Precision) -> Double {
    let flops = PublishedRun(sizes, ways: 1, flopsPerSecond: .infinity, machine: machine).instance.flops[0]
    guard let points = products[precision] else { preconditionFailure("every precision is measured") }
    let upper = points.dropFirst().dropLast().firstIndex { flops <= $0.flops } ?? points.count - 1
    let (a, b) = (points[upper - 1], points[upper])
    return flops / (a.seconds + (flops - a.flops) * (b.seconds - a.seconds) / (b.flops - a.flops))
  }

  /// Seconds per step without loading.
  public func secondsPerStep(_ row: PublishedFigures.StrongScaling, gpus: Int) -> Double {
    run(row.sizes, ways: gpus, row.precision).instance.seconds
  }

  /// Seconds per step with loading, in TF32, of one instance if `gpus` are as many as it has.
  public func secondsPerStep(_ row: PublishedFigures.DataParallel, gpus: Int) -> Double {
    run(row.sizes, ways: row.ways, .tf32).seconds(gpus: gpus, loading: .init(floorSeconds: row.floorSeconds))
  }

  public func efficiency(_ row: PublishedFigures.DataParallel, gpus: Int) -> Double {
    secondsPerStep(row, gpus: row.ways) / secondsPerStep(row, gpus: gpus)
  }

  public func run(_ sizes: WeatherMixer.Sizes, ways: Int, _ precision: PublishedFigures.Precision) -> PublishedRun {
    PublishedRun(sizes, ways: ways, flopsPerSecond: flopsPerSecond(sizes, precision), machine: machine)
  }

  /// Mean of |predicted − published|, relative for seconds, absolute for efficiencies, over all figures that did not calibrate.
  public var meanErrors: (strongScaling: Double, dataParallelSeconds: Double, efficiencies: Double) {
    let strong = PublishedFigures.strongScaling.flatMap { row in
      zip(PublishedFigures.ways, row.secondsPerStep).filter { !Self.calibrates(row, gpus: $0.0) }
        .map { abs(secondsPerStep(row, gpus: $0) / $1 - 1) }
    }
    let seconds = PublishedFigures.dataParallel.flatMap { row in
      [(row.ways, row.secondsOfOne), (256, row.secondsOf256)].map { abs(secondsPerStep(row, gpus: $0) / $1 - 1) }
    }
    let efficiencies = PublishedFigures.dataParallel.flatMap { row in
      zip(PublishedFigures.gpus, row.efficiencies).filter { !Self.calibrates(row, gpus: $0.0) }
        .map { abs(efficiency(row, gpus: $0) - $1) }
    }
    func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
    return (mean(strong), mean(seconds), mean(efficiencies))
  }

  /// Whether a published figure is one that calibrates.
  public static func calibrates(_ row: PublishedFigures.StrongScaling, gpus: Int) -> Bool {
    gpus == 1 || (row.name, row.precision, gpus) == (16, .tf32, 2)
  }

  /// Whether a published figure is one that calibrates.
  public static func calibrates(_ row: PublishedFigures.DataParallel, gpus: Int) -> Bool {
    (row.ways, gpus) == (1, 8)
  }

  /// Where a condition that holds at the lower end ceases to hold.
  private func bisect(_ low: Double, _ high: Double, holds: (Double) -> Bool) -> Double {
    var (low, high) = (low, high)
    for _ in 0..<30 {
      let middle = (low + high) / 2
      if holds(middle) { low = middle } else { high = middle }
    }
    return low
  }
}
