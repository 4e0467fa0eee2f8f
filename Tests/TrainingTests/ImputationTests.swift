import Basics
import Datasets
import Distribution
import Execution
import Models
import Stepping
import TestSupport
import Testing
import Tensors

@testable import Training

/// Fields that lack values at some points: what the model gets there, and that nothing else depends on it.
@Suite struct ImputationTests {
  /// z at 500 hPa, whole, and msl without values at a third of the points.
  final class Gaps {
    let folder: TemporaryFolder
    let dataset: FieldDataset
    let statistics: DatasetStatistics
    let reader: FrameReader
    let runner: StepRunner
    let rank: ModelRank
    let compute = Compute(threads: 2)
    let missing: Set<Int>

    /// - Parameter isView: whether the file is opened as a view.
    init(_ imputation: Imputation, isView: Bool = false) throws {
      folder = try TemporaryFolder()
      var data = SyntheticData()
      missing = Set((0..<128).filter { $0 % 16 > 9 || $0 % 7 == 3 })
      data.missing = ["msl": missing]
      try data.write("\(folder.path)/data.nc")
      dataset = try FieldDataset(
        sources: [
          isView
            ? SourceDescription(path: "", open: .object(["dataset": .string("\(folder.path)/data.nc")]))
            : SourceDescription(path: "\(folder.path)/data.nc")
        ], variables: ["z", "msl"], levelsHPa: [500], impute: ["msl": imputation], cacheBytes: 1 << 30)
      statistics = try DatasetStatistics.compute(
        dataset, from: dataset.times[0], through: dataset.times[59], stepHours: 6)
      let normalization = try Normalization(statistics, channels: dataset.channels, place: "test")
      let description = ModelDescription(
        WeatherMixerSettings(
          patch: [2, 2], channels: 12, tokenWidth: 8, channelWidth: 12, blocks: 1, output: .residual),
        ModelFields(
          gridRows: 8, gridColumns: 16, variables: 2, auxiliaries: 0, tendencyScale: normalization.tendencyScale))
      let model = try description.makeModel()
      rank = try ModelRank(.single(), compute, model.parameters) { _ in }
      rank.initialize(seed: 1)
      let tiling = try description.tiling()
      runner = StepRunner(
        Stepper(
          model: model, fields: description.fields, rank: rank,
          auxiliary: AuxiliaryFields(grid: dataset.grid, statics: [], forcings: []),
          tiling: tiling, stepHours: 6),
        weights: LossWeights(
          points: LossWeights.points(dataset.grid, tiling, .area), channels: dataset.channels,
          normalization: normalization,
          variables: ["msl": 2], levelsHPa: [:], perTendency: false),
        unpredictedCount: dataset.unpredictedCount)
      reader = FrameReader(dataset, normalization, tiling, compute)
    }

    /// Grid point, field and sample of a place in a state of tiles of 2 × 2 points.
    func grid(_ place: Int, samples: Int, shift: Int = 0) -> (point: Int, field: Int, sample: Int) {
      let (field, rest) = (place % 2, place / 2)
      let (point, sample, token) = (rest % 4, rest / 4 % samples, rest / 4 / samples)
      let (row, column) = (token / 8 * 2 + point / 2, (token % 8 * 2 + point % 2 + shift) % 16)
      return (row * 16 + column, field, sample)
    }

    func isMissing(_ place: Int, samples: Int, shift: Int = 0) -> Bool {
      let (point, field, _) = grid(place, samples: samples, shift: shift)
      return field == 1 && missing.contains(point)
    }

    /// Mean loss of a rollout, forward alone.
    func loss(_ start: Frame, _ targets: [Frame]) throws -> Double {
      var history = [runner.stepper.state(start.state)]
      var total = 0.0
      for (step, target) in targets.enumerated() {
        let state = try runner.stepper.advance(history, from: RolloutStart([start]), step: step)
        history = [state]
        total += try runner.loss(
          state.tensor, target.state, imputed: target.imputed, gradient: nil, accumulate: false, scale: 1)
      }
      return total / Double(targets.count)
    }
  }

  @Test(arguments: [Imputation.constant(101), .mean, .nearest], [false, true])
  func framesHoldWhatIsImputed(imputation: Imputation, isView: Bool) throws {
    let gaps = try Gaps(imputation, isView: isView)
    let frame = try gaps.reader.read(FrameRequest(indices: [3, 7], columnShifts: [0, 6]))
    let whole = try #require(gaps.statistics.channels["msl"])
    var data = SyntheticData()
    data.times = 60
    for place in 0..<frame.state.count {
      let sample = gaps.grid(place, samples: 2).sample
      let (point, field, _) = gaps.grid(place, samples: 2, shift: sample == 0 ? 0 : 6)
      let isMissing = field == 1 && gaps.missing.contains(point)
      #expect(isMissing == frame.imputed.contains(place))
      guard field == 1 else { continue }
      let plane = data.field(variable: 2, level: 0, time: sample == 0 ? 3 : 7)
      var expected = plane[point]
      if isMissing {
        switch imputation {
        case .constant(let value): expected = Float(value)
        case .mean: expected = Float(whole.mean)
        case .nearest:
          // Some of the points that are as near as the nearest.
          let points = gaps.dataset.grid.points
          func distance(_ other: Int) -> Double {
            func xyz(_ p: Int) -> [Double] {
              let (a, b) = (points.latitudes[p] * .pi / 180, points.longitudes[p] * .pi / 180)
              return [sine(a + .pi / 2) * sine(b + .pi / 2), sine(a + .pi / 2) * sine(b), sine(a)]
            }
            return zip(xyz(point), xyz(other)).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
          }
          let there = (0..<128).filter { !gaps.missing.contains($0) }
          let least = there.map(distance).min() ?? 0
          let found = frame.state.floats[place] * Float(whole.deviation) + Float(whole.mean)
          #expect(there.contains { distance($0) < least + 1e-9 && abs(plane[$0] - found) < 1e-3 })
          continue
        }
      }
      let normalised = (expected - Float(whole.mean)) / Float(whole.deviation)
      #expect(abs(frame.state.floats[place] - normalised) < 1e-5)
    }
  }

  /// sin by its series, so that the test needs no library of its own.
  private func sine(_ x: Double) -> Double {
    let x = x - (x / (2 * .pi)).rounded() * 2 * .pi
    var (term, sum) = (x, x)
    for n in 1..<14 {
      term *= -x * x / Double(2 * n * (2 * n + 1))
      sum += term
    }
    return sum
  }

  @Test(arguments: [Imputation.constant(0), .nearest])
  func statisticsAreThoseOfTheValues(imputation: Imputation) throws {
    let gaps = try Gaps(imputation)
    let there = (0..<128).filter { !gaps.missing.contains($0) }
    let fields = (0..<60).map { time in
      let plane = SyntheticData().field(variable: 2, level: 0, time: time)
      return there.map { Double(plane[$0]) }
    }
    func moments(_ values: [Double]) -> (mean: Double, deviation: Double) {
      let mean = values.reduce(0, +) / Double(values.count)
      return (mean, (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot())
    }
    let (values, change) = (
      moments(fields.flatMap { $0 }),
      moments(zip(fields, fields.dropFirst()).flatMap { zip($1, $0).map { Double(Float($0) - Float($1)) } })
    )
    let found = try #require(gaps.statistics.channels["msl"])
    #expect(abs(found.mean - values.mean) < 1e-9 * abs(values.mean))
    #expect(abs(found.deviation - values.deviation) < 1e-9 * values.deviation)
    #expect(abs(found.tendencyDeviation - change.deviation) < 1e-6 * change.deviation)
    #expect(found.minimum == fields.flatMap { $0 }.min() && found.maximum == fields.flatMap { $0 }.max())
  }

  /// Against the plain formula, over the points that have values.
  @Test func lossAndItsGradientIgnoreMissingPoints() throws {
    let gaps = try Gaps(.mean)
    let (start, target) = (try gaps.reader.read([0, 1]), try gaps.reader.read([1, 2]))
    let prediction = try gaps.runner.stepper.advance(
      [gaps.runner.stepper.state(start.state)], from: RolloutStart([start]), step: 0
    )
    .tensor
    // Whatever the model says there.
    for place in target.imputed { prediction.pointer[place] = 1e6 }
    let expectedTarget = target.state.floats.map { $0 }
    let gradient = gaps.compute.tensor(prediction.shape)
    let loss = try gaps.runner.loss(
      prediction, target.state, imputed: target.imputed, gradient: gradient, accumulate: false, scale: 3)
    let weights = gaps.dataset.grid.cosineWeights
    var (sum, count) = (0.0, 0)
    func weight(_ place: Int) -> Double {
      let (point, field, _) = gaps.grid(place, samples: 2)
      return weights[point / 16] * (field == 1 ? 4 : 1)
    }
    for place in 0..<prediction.count where !gaps.isMissing(place, samples: 2) {
      let error = Double(prediction.floats[place]) - Double(expectedTarget[place])
      sum += weight(place) * error * error
      count += 1
    }
    #expect(count == prediction.count - 2 * gaps.missing.count)
    #expect(abs(loss - sum / Double(count)) < 1e-5 * loss)
    for place in 0..<prediction.count {
      let error = Double(prediction.floats[place]) - Double(expectedTarget[place])
      let expected = gaps.isMissing(place, samples: 2) ? 0 : 3 * 2 * weight(place) * error / Double(count)
      #expect(abs(Double(gradient.floats[place]) - expected) <= 1e-5 * abs(expected))
    }
  }

  /// Back-propagation through three steps against differences of the loss along a direction.
  @Test(arguments: [Imputation.mean, .nearest])
  func gradientsOfARolloutAreThoseOfTheLoss(imputation: Imputation) throws {
    let gaps = try Gaps(imputation)
    let start = try gaps.reader.read([0, 5])
    let targets = try (1...3).map { try gaps.reader.read([$0, 5 + $0]) }
    // The last layer is zero at first; here, what a state lacks would matter to the next.
    let values = gaps.rank.parameters.values
    func normal(_ name: String, _ deviation: Float) -> [Float] {
      var numbers = [Float](repeating: 0, count: values.count)
      numbers.withUnsafeMutableBufferPointer {
        RandomStream(seed: 5, name: name).fillNormal(
          $0, deviation: deviation, row: 0, columns: 0..<$0.count)
      }
      return numbers
    }
    for (i, number) in normal("weights", 0.3).enumerated() { values.pointer[i] += number }
    gaps.rank.parameters.clearGradients()
    var next = 3
    let loss = try gaps.runner.autoregressive(RolloutStart([start]), steps: 3, scale: 1) {
      next -= 1
      return targets[next]
    }
    #expect(abs(try gaps.loss(start, targets) - loss) < 1e-5 * loss)
    let first = try gaps.runner.stepper.advance(
      [gaps.runner.stepper.state(start.state)], from: RolloutStart([start]), step: 0
    ).tensor
    #expect(start.imputed.allSatisfy { first.floats[$0] == start.state.floats[$0] })
    let gradients = gaps.rank.parameters.gradients
    let direction = normal("direction", 1)
    let slope = (0..<values.count).reduce(0.0) { $0 + Double(gradients.pointer[$1]) * Double(direction[$1]) }
    let step: Float = 2e-3
    let before = values.floats.map { $0 }
    func moved(_ by: Float) throws -> Double {
      for i in before.indices { values.pointer[i] = before[i] + by * direction[i] }
      return try gaps.loss(start, targets)
    }
    let difference = (try moved(step) - moved(-step)) / Double(2 * step)
    #expect(abs(difference - slope) < 1e-2 * abs(slope), "\(difference), \(slope)")
  }

  @Test func whatCanNotBeImputedIsRefused() throws {
    let folder = try TemporaryFolder()
    var data = SyntheticData()
    data.missing = ["msl": [3, 4]]
    try data.write("\(folder.path)/data.nc")
    func problem(_ path: String, _ impute: [String: Imputation]) -> String {
      #expect(throws: JigsawError.self) {
        let dataset = try FieldDataset(
          sources: [SourceDescription(path: path)], variables: ["msl"], levelsHPa: [], impute: impute)
        _ = try DatasetStatistics.compute(
          dataset, from: dataset.times[0], through: dataset.times[59], stepHours: 6)
      }?.description ?? ""
    }
    // Nothing is imputed that isn't named.
    #expect(problem("\(folder.path)/data.nc", [:]).contains("has 2 missing values (NaN) in msl"))
    #expect(problem("\(folder.path)/data.nc", [:]).contains("data.impute"))
    data.missingLater = ("msl", 77, 20)
    try data.write("\(folder.path)/ice.nc")
    for imputation in [Imputation.mean, .constant(0), .nearest] {
      let found = problem("\(folder.path)/ice.nc", ["msl": imputation])
      #expect(found.contains("at other points at 2001-01-06 00:00") && found.contains("1 more and 0 fewer"), "\(found)")
      #expect(found.contains("a mask that changes in time, such as sea ice's"))
    }
    data.missingLater = nil
    data.missing = ["msl": Set(0..<128)]
    try data.write("\(folder.path)/none.nc")
    #expect(problem("\(folder.path)/none.nc", ["msl": .mean]).contains("has no values at all"))
  }

  @Test func staticFieldsAreFilled() throws {
    let folder = try TemporaryFolder()
    var data = SyntheticData()
    data.missing = ["orog": [0, 1, 40]]
    try data.write("\(folder.path)/data.nc")
    func statics(_ impute: [String: Imputation]) throws -> [Float] {
      try FieldDataset(
        sources: [SourceDescription(path: "\(folder.path)/data.nc")], variables: ["msl"], levelsHPa: [],
        staticVariables: ["orog"], impute: impute
      ).readStatics()
    }
    #expect(throws: JigsawError.self) { try statics([:]) }
    let zero = try statics(["orog": .constant(0)])
    #expect(zero[0] == 0 && zero[40] == 0 && zero[2] == 200)
    let there = (0..<128).filter { ![0, 1, 40].contains($0) }.map { Float($0 % 7) * 100 }
    #expect(abs(try statics(["orog": .mean])[40] - there.reduce(0, +) / Float(there.count)) < 1e-2)
    let nearest = try statics(["orog": .nearest])
    // Of its neighbours in the north, west, east and south, those in its row are the nearest.
    #expect([Float(400), 600].contains(nearest[40]))
  }
}
