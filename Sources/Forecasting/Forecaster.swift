import Basics
import Communication
import Datasets
import Distribution
import Execution
import Stepping
import Tensors

/// Rolls a trained model out from initial states, step by step; only the current state is in memory. On several ranks each
/// has its block of the state, and each model instance takes its share of the initial times.
public final class Forecaster {
  private let stepper: Stepper
  private let reader: FrameReader
  private let forcings: FrameReader?
  private let gather: FieldGather
  /// The least value of each of this rank's fields, in our units; nil for none.
  private let lowerBounds: [Float?]
  /// Smallest and largest value of each channel in the initial states that this rank has read, in our units; (∞, −∞) for channels
  /// of other ranks and those that lack values at some points.
  public private(set) var initialExtremes: [(low: Double, high: Double)]
  /// By channel of this rank: the points at which it is not predicted.
  private let unpredicted: [Int: [Bool]]

  /// - Parameters:
  ///   - forcings: reads those of the model; nil where it reads none.
  ///   - units: in which fields are handed out.
  ///   - toFirst: all to the first rank of each instance; else they are shared out.
  ///   - lowerBounds: the least value of each predicted field, in our units, to which fields are raised before they are handed
  ///     out, as the stepper has raised the normalised ones; empty for none.
  public init(
    stepper: Stepper, reader: FrameReader, forcings: FrameReader? = nil, units: [FieldGather.Unit], toFirst: Bool,
    lowerBounds: [Float?] = []
  ) {
    self.forcings = forcings
    self.lowerBounds = lowerBounds.isEmpty ? [] : Array(lowerBounds[stepper.block.fields])
    self.stepper = stepper
    self.reader = reader
    initialExtremes = reader.dataset.channels.map { _ in (.infinity, -.infinity) }
    unpredicted = Dictionary(
      uniqueKeysWithValues: stepper.block.fields.compactMap { channel in
        reader.dataset.unpredicted(channel).map { (channel, $0) }
      })
    gather = FieldGather(
      stepper.tiling, reader.communicator, blocks: reader.blocks, units: units, toFirst: toFirst, stepper.rank.compute)
  }

  /// Forecasts from several initial times, some at once, up to `steps` steps.
  ///
  /// - Parameters:
  ///   - keep: the leads to hand out, in steps, ascending.
  ///   - output: called, on the rank that has it, with the fields [fields, rows, columns] of a unit of (initial, index within
  ///     `keep`), in our units.
  ///   - progress: called after each step with (done, all) of this instance, in steps of single forecasts.
  public func run(
    _ initialTimes: [Timestamp], keep: [Int], batchSize: Int,
    output: (FieldGather.Unit, UnsafeBufferPointer<Float>, _ initial: Int, _ lead: Int) throws -> Void,
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
    let (block, normalization) = (stepper.block, reader.normalization)
    let scaling = Tiling.Scaling(
      mean: Array(normalization.mean[block.fields]), factor: Array(normalization.deviation[block.fields]))
    let rows = stepper.tiling.rows(block.tokens)
    let planes = UnsafeMutableBufferPointer<Float>.allocate(
      capacity: block.fields.count * rows.count * stepper.tiling.columns)
    defer { planes.deallocate() }
    // Where the block's tokens begin or end within a line of tiles, the rest of the line stays zero.
    planes.update(repeating: 0)
    let (mesh, position) = (stepper.rank.context.mesh, stepper.rank.context.position)
    let firsts = Array(stride(from: 0, to: indices.count, by: batchSize)).enumerated()
      .filter { $0.offset % mesh.replica == position.replica }.map(\.element)
    let total = steps * firsts.reduce(0) { $0 + min(batchSize, indices.count - $1) }
    var done = 0
    try stepper.rank.withFrozenWeights(uses: steps * firsts.count) {
      for first in firsts {
        let batch = Array(indices[first..<min(first + batchSize, indices.count)])
        let start = try stepper.start(reader, batch, forcings: forcings)
        if let newest = start.frames.last { noteExtremes(newest.state) }
        var history = stepper.history(start)
        for step in 0..<steps {
          let state = try stepper.advance(history, from: start, step: step)
          history = history.dropFirst() + [state]
          if let lead = keep.firstIndex(of: step + 1) {
            for sample in batch.indices {
              stepper.tiling.untile(
                state.tensor, sample: sample, scaling, into: planes.baseAddress!, tokens: block.tokens)
              try check(planes, initial: initialTimes[first + sample], hours: (step + 1) * stepper.stepHours)
              raise(planes)
              setUnpredicted(planes, to: .nan)
              try gather.gather(planes.baseAddress!) { try output($0, $1, first + sample, lead) }
              setUnpredicted(planes, to: 0)
            }
          }
          done += batch.count
          progress(done, total)
        }
      }
    }
  }

  /// - Parameter state_TBF: this rank's block of normalised initial states.
  private func noteExtremes(_ state_TBF: Tensor) {
    let (own, normalization) = (stepper.block.fields, reader.normalization)
    for (place, channel) in own.enumerated() where unpredicted[channel] == nil {
      var (low, high) = (Float.infinity, -Float.infinity)
      state_TBF.readOnHost { values in
        for index in stride(from: place, to: values.count, by: own.count) {
          (low, high) = (min(low, values[index]), max(high, values[index]))
        }
      }
      let (mean, deviation) = (Double(normalization.mean[channel]), Double(normalization.deviation[channel]))
      initialExtremes[channel].low = min(initialExtremes[channel].low, mean + deviation * Double(low))
      initialExtremes[channel].high = max(initialExtremes[channel].high, mean + deviation * Double(high))
    }
  }

  /// Raises [fields, rows, columns] to the lower bounds: a normalised bound comes back from de-normalisation not quite as it was.
  private func raise(_ planes: UnsafeMutableBufferPointer<Float>) {
    let size = planes.count / max(1, stepper.block.fields.count)
    for (place, bound) in lowerBounds.enumerated() {
      guard let bound else { continue }
      for index in place * size..<(place + 1) * size { planes[index] = max(planes[index], bound) }
    }
  }

  /// Where a field is not predicted, a forecast has no values: marks these points for its output, and unmarks them.
  private func setUnpredicted(_ planes: UnsafeMutableBufferPointer<Float>, to value: Float) {
    let (tiling, block) = (stepper.tiling, stepper.block)
    let rows = tiling.rows(block.tokens)
    for (place, channel) in block.fields.enumerated() {
      guard let isMissing = unpredicted[channel] else { continue }
      for row in rows {
        let line = (place * rows.count + row - rows.lowerBound) * tiling.columns
        for column in 0..<tiling.columns where isMissing[row * tiling.columns + column] {
          planes[line + column] = value
        }
      }
    }
  }

  /// A model that has blown up must not leave silent NaNs in a forecast.
  private func check(_ planes: UnsafeMutableBufferPointer<Float>, initial: Timestamp, hours: Int) throws {
    guard let bad = planes.firstIndex(where: { !$0.isFinite }) else { return }
    let field = bad / (stepper.tiling.rows(stepper.block.tokens).count * stepper.tiling.columns)
    let channel = reader.dataset.channels[stepper.block.fields.lowerBound + field]
    throw JigsawError(
      "forecast", "from \(initial.display) is no longer a number at +\(hours) h in \(channel.name)",
      remedy: "shorten the forecast or use another checkpoint")
  }
}
