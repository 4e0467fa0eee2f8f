import Basics
import Communication
import Datasets
import Distribution
import Execution
import Stepping
import Tensors

/// Rolls a trained model out from initial states, step by step; only the state at hand is in memory. On several ranks each
/// has its block of the state, and each model instance takes its share of the initial times.
public final class Forecaster {
  private let stepper: Stepper
  private let reader: FrameReader
  private let forcings: FrameReader?
  private let gather: FieldGather
  /// The least value of each of this rank's fields, in our units; nil for none.
  private let lowerBounds: [Float?]
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
  ///   - output: told on the rank that has it the fields [fields, rows, columns] of a unit of (initial, index within
  ///     `keep`), in our units.
  ///   - progress: told after each step (done, all) of this instance, in steps of single forecasts.
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
    let (mean, deviation) = (Array(normalization.mean[block.fields]), Array(normalization.deviation[block.fields]))
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
    try stepper.rank.whileWeightsStay(uses: steps * firsts.count) {
      for first in firsts {
        let batch = Array(indices[first..<min(first + batchSize, indices.count)])
        let start = try stepper.start(reader, batch, forcings: forcings)
        var history = stepper.history(start)
        for step in 0..<steps {
          let state = try stepper.advance(history, from: start, step: step)
          history = history.dropFirst() + [state]
          if let lead = keep.firstIndex(of: step + 1) {
            for sample in batch.indices {
              stepper.tiling.untile(
                state.tensor, sample: sample, fields: block.fields.count, mean: mean, factor: deviation,
                into: planes.baseAddress!, tokens: block.tokens)
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
