import Basics
import Datasets
import Execution
import Tensors
import Training

/// Rolls a trained model out from initial states, step by step; only the state at hand is in memory.
public final class Forecaster {
  private let runner: StepRunner
  private let reader: FrameReader

  public init(runner: StepRunner, reader: FrameReader) {
    self.runner = runner
    self.reader = reader
  }

  /// Forecasts from several initial times, some at once, up to `steps` steps.
  ///
  /// - Parameters:
  ///   - keep: the leads to hand out, in steps, ascending.
  ///   - output: told the fields [channel, latitude, longitude] of (initial, index within `keep`), in our units.
  ///   - progress: told after each step (done, all), in steps of single forecasts.
  public func run(
    _ initialTimes: [Timestamp], keep: [Int], batchSize: Int,
    output: (UnsafeBufferPointer<Float>, _ initial: Int, _ lead: Int) throws -> Void,
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    let steps = keep.last ?? 0
    let indices = try initialTimes.map { time -> Int in
      guard let index = reader.dataset.index(of: time) else {
        throw JigsawError(
          "forecast", "no data at the initial time \(time.display)",
          found: reader.dataset.times.isEmpty
            ? "no times at all"
            : "times from \(reader.dataset.times[0].display) to \(reader.dataset.times.last?.display ?? "")",
          remedy: "choose initial times within the data")
      }
      return index
    }
    let channels = reader.dataset.channels.count
    let planes = UnsafeMutableBufferPointer<Float>.allocate(capacity: channels * reader.dataset.grid.count)
    defer { planes.deallocate() }
    var done = 0
    for first in stride(from: 0, to: indices.count, by: batchSize) {
      let batch = Array(indices[first..<min(first + batchSize, indices.count)])
      let frame = try reader.read(batch)
      var state = Value(frame.state)
      for step in 0..<steps {
        state = try runner.advance(state, from: frame, step: step)
        if let lead = keep.firstIndex(of: step + 1) {
          for sample in batch.indices {
            runner.tiling.untile(
              state.tensor, sample: sample, fields: channels, mean: reader.normalization.mean,
              factor: reader.normalization.deviation, into: planes.baseAddress!)
            try check(planes, initial: initialTimes[first + sample], hours: (step + 1) * runner.stepHours)
            try output(UnsafeBufferPointer(planes), first + sample, lead)
          }
        }
        done += batch.count
        progress(done, steps * indices.count)
      }
    }
  }

  /// A model that has blown up must not leave silent NaNs in a forecast.
  private func check(_ planes: UnsafeMutableBufferPointer<Float>, initial: Timestamp, hours: Int) throws {
    guard let bad = planes.firstIndex(where: { !$0.isFinite }) else { return }
    let channel = reader.dataset.channels[bad / reader.dataset.grid.count]
    throw JigsawError(
      "forecast", "from \(initial.display) is no longer a number at +\(hours) h in \(channel.name)",
      remedy: "shorten the forecast or use another checkpoint")
  }
}
