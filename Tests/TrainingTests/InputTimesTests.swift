import Basics
import Datasets
import Distribution
import Execution
import Models
import Stepping
import Tensors
import TestSupport
import Testing

@testable import Training

/// Models that read several states, do not read what they only predict, and read forcings.
@Suite struct InputTimesTests {
  /// Reads states 12 h before and at the start, predicts z, t and msl, reads z and t, insolation and the forcing u.
  private struct Setting {
    let folder: TemporaryFolder
    let rank: ModelRank
    let runner: StepRunner
    let reader, forcings: FrameReader

    init(slots: Int = 3) throws {
      folder = try TemporaryFolder()
      var data = SyntheticData()
      data.upper = ["z", "t", "u"]
      try data.write("\(folder.path)/data.nc")
      let sources = [SourceDescription(path: "\(folder.path)/data.nc")]
      let dataset = try FieldDataset(
        sources: sources, variables: ["z", "t", "msl"], levelsHPa: [500], cacheBytes: 1 << 30)
      let driver = try FieldDataset(sources: sources, variables: ["u"], levelsHPa: [500], cacheBytes: 1 << 30)
      func normalization(_ dataset: FieldDataset) throws -> Normalization {
        try Normalization(
          DatasetStatistics.compute(dataset, from: dataset.times[0], through: dataset.times[59], stepHours: 6),
          channels: dataset.channels, place: "test")
      }
      var fields = ModelFields(
        gridRows: 8, gridColumns: 16, variables: 3, auxiliaries: 2,
        tendencyScale: try normalization(dataset).tendencyScale)
      fields.inputSteps = [-2, 0]
      fields.diagnostics = [2]
      let description = ModelDescription(
        WeatherMixerSettings(
          patch: [2, 2], channels: 12, tokenWidth: 8, channelWidth: 12, blocks: 1, output: .residual), fields)
      let (model, tiling, compute) = (try description.makeModel(), try description.tiling(), Compute(threads: 2))
      rank = try ModelRank(.single(), compute, model.parameters) { _ in }
      rank.initialize(seed: 1)
      runner = StepRunner(
        Stepper(
          model: model, fields: fields, rank: rank, auxiliary: try AuxiliaryFields(dataset, forcings: [.insolation]),
          tiling: tiling, stepHours: 6),
        weights: LossWeights(
          points: LossWeights.points(dataset.grid, tiling, .area), channels: dataset.channels,
          normalization: try normalization(dataset), variables: ["msl": 2], levelsHPa: [:],
          perTendency: false), slots: slots)
      reader = FrameReader(dataset, try normalization(dataset), tiling, compute)
      forcings = FrameReader(driver, try normalization(driver), tiling, compute)
      // The last layer is zero at first; here, every input matters.
      let values = rank.parameters.values
      for (i, number) in normal("weights", 0.3).enumerated() { values.pointer[i] += number }
    }

    func normal(_ name: String, _ deviation: Float) -> [Float] {
      var numbers = [Float](repeating: 0, count: rank.parameters.values.count)
      numbers.withUnsafeMutableBufferPointer {
        RandomStream(seed: 5, name: name).fillNormal(
          $0, deviation: deviation, row: 0, columns: 0..<$0.count)
      }
      return numbers
    }

    func start() throws -> RolloutStart { try runner.stepper.start(reader, [4, 9], forcings: forcings) }
    func target(_ step: Int) throws -> Frame { try reader.read([4 + step, 9 + step]) }

    /// The mean loss over a rollout, step by step.
    func loss(_ steps: Int) throws -> Double {
      let start = try start()
      var history = runner.stepper.history(start)
      var total = 0.0
      for step in 0..<steps {
        let state = try runner.stepper.advance(history, from: start, step: step)
        history = history.dropFirst() + [state]
        total += try runner.loss(
          state.tensor, try target(step + 1).state, gradient: nil, accumulate: false, scale: 1)
      }
      return total / Double(steps)
    }

    func backward(_ steps: Int) throws -> Double {
      rank.parameters.clearGradients()
      var next = steps + 1
      return try runner.autoregressive(start(), steps: steps, scale: 1) {
        next -= 1
        return try target(next)
      }
    }
  }

  @Test(arguments: [1, 3, 5]) func gradientsOfARolloutAreThoseOfTheLoss(steps: Int) throws {
    let setting = try Setting()
    let loss = try setting.backward(steps)
    #expect(abs(try setting.loss(steps) - loss) < 1e-5 * loss)
    let (values, gradients) = (setting.rank.parameters.values, setting.rank.parameters.gradients)
    let direction = setting.normal("direction", 1)
    let slope = (0..<values.count).reduce(0.0) { $0 + Double(gradients.pointer[$1]) * Double(direction[$1]) }
    let step: Float = 1e-3
    let before = values.floats.map { $0 }
    func moved(_ by: Float) throws -> Double {
      for i in before.indices { values.pointer[i] = before[i] + by * direction[i] }
      return try setting.loss(steps)
    }
    let difference = (try moved(step) - moved(-step)) / Double(2 * step)
    #expect(abs(difference - slope) < 1e-2 * abs(slope), "\(difference), \(slope)")
  }

  @Test func storedStatesDoNotChangeGradients() throws {
    var gradients: [[Float]] = []
    for slots in [1, 2, 7] {
      let setting = try Setting(slots: slots)
      _ = try setting.backward(6)
      gradients.append(setting.rank.parameters.gradients.values)
    }
    #expect(gradients[0] == gradients[1] && gradients[1] == gradients[2])
  }

  /// The first step of a prediction from changed inputs: which of them it depends on.
  @Test func everyInputCountsButDiagnosticOnes() throws {
    let setting = try Setting()
    let stepper = setting.runner.stepper
    func prediction(_ change: (RolloutStart) throws -> RolloutStart) throws -> [Float] {
      let start = try change(setting.start())
      return try stepper.advance(stepper.history(start), from: start, step: 0).tensor.values
    }
    func adding(_ frame: Frame, field: Int, of fields: Int) -> Frame {
      for i in stride(from: field, to: frame.state.count, by: fields) { frame.state.pointer[i] += 1 }
      return frame
    }
    let plain = try prediction { $0 }
    for (place, counts) in [true, false, true].enumerated() {
      for field in 0..<3 {
        let changed = try prediction { start in
          _ = adding(start.frames[place], field: field, of: 3)
          return start
        }
        #expect((changed != plain) == (counts && field != 2), "state \(place), field \(field)")
      }
    }
    for (step, counts) in [(-2, true), (-1, false), (0, true), (1, false)] {
      let changed = try prediction { start in
        RolloutStart(start.frames) {
          let frame = try start.forcings!($0)
          return $0 == step ? adding(frame, field: 0, of: 1) : frame
        }
      }
      #expect((changed != plain) == counts, "forcing at \(step)")
    }
  }

  @Test func startsNeedTheStatesBefore() throws {
    let setting = try Setting()
    let dataset = setting.reader.dataset
    func starts(_ first: Int) throws -> [Int] {
      try Sampler(
        dataset, forcings: setting.forcings.dataset, from: dataset.times[0], through: dataset.times[59],
        Sampler.Steps(hours: 6, first: first, last: 3), seed: 0, isShuffled: false, place: "test"
      ).starts
    }
    #expect(try starts(0) == Array(0...56) && starts(-2) == Array(2...56))
    let error = #expect(throws: JigsawError.self) {
      _ = try setting.runner.stepper.start(setting.reader, [1], forcings: setting.forcings)
    }
    #expect(error?.description.contains("at 2000-12-31 18:00") == true, "\(error?.description ?? "")")
  }
}
