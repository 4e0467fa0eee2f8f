import Basics
import Datasets

/// The groups of initial times and channels that an evaluation does at a time, so that its climatology fits into memory.
struct EvaluationGroups: Sendable {
  /// This rank's initial times in blocks that follow each other.
  let blocks: [Range<Int>]
  /// Channels that are done together.
  let channels: [Range<Int>]
  /// Dates of the climatology that the largest block needs.
  let keys: Set<Climatology.Key>

  /// - Parameters:
  ///   - initialTimes: of all ranks.
  ///   - own: the places of this rank's among them.
  init(
    _ initialTimes: [Timestamp], leadHours: [Int], truth: FieldDataset, options: Evaluation.Options, own: Range<Int>
  ) {
    let times = own.map { initial in
      ([0] + leadHours).map { Climatology.Key(initialTimes[initial].adding(hours: $0)) }
    }
    let training = truth.indices(from: options.trainingStart, through: options.trainingEnd).map {
      Climatology.Key(truth.times[$0])
    }
    let always = options.usesDampedPersistence ? Set(training) : []
    let fieldBytes = truth.grid.count * Climatology.bytesPerElement
    let fields = options.climatologyBytes / max(1, fieldBytes)
    let cut = EvaluationGroups.blocks(times, always: always, atMost: fields)
    blocks = cut.map { own.lowerBound + $0.lowerBound..<own.lowerBound + $0.upperBound }
    let needed = cut.map { block in always.union(block.flatMap { times[$0] }) }
    keys = needed.max { $0.count < $1.count } ?? []
    let most = keys.count + Climatology.Key.hours(times.joined()).count
    let count = truth.channels.count
    let atOnce = min(count, max(1, fields / max(1, most)))
    let parts = (count + atOnce - 1) / max(1, atOnce)
    channels = (0..<parts).map { chunk(count, into: parts, $0) }
  }

  /// Cuts initial times, each with its days of the climatology, into blocks that together need no more than so many days; a
  /// block has one initial time at least.
  static func blocks(_ keys: [[Climatology.Key]], always: Set<Climatology.Key>, atMost: Int) -> [Range<Int>] {
    var blocks: [Range<Int>] = []
    var held = always
    var start = 0
    for (index, own) in keys.enumerated() {
      if index > start, held.union(own).count > atMost {
        // Days of the whole training period have to be there for any block: more blocks would need no less.
        if !always.isEmpty { return [0..<keys.count] }
        blocks.append(start..<index)
        (held, start) = ([], index)
      }
      held.formUnion(own)
    }
    return start < keys.count ? blocks + [start..<keys.count] : blocks
  }
}
