import Basics
import Communication

/// What is no number in the fields of a dataset, or in fields that lack values at the same points at all times is one more or
/// fewer than at the first time.
public struct MissingValues: Sendable, Equatable {
  /// In so many times.
  public let times: Int
  public let values: Int
  /// The first such time's index in the dataset.
  public let firstTime: Int

  /// Reads times once, each stored chunk about once, on all ranks of the communicator together.
  ///
  /// - Parameters:
  ///   - times: indices in the dataset, ascending.
  ///   - windowBytes: memory for the times that are stored together; nil: a little.
  ///   - progress: told (done, all).
  /// - Returns: by channel; nil where nothing is missing. The same on every rank.
  public static func count(
    _ dataset: FieldDataset, times: [Int], on world: any Communicator = SingleRank(), windowBytes: Int? = nil,
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws -> [MissingValues?] {
    let (channels, points) = (dataset.channels.count, dataset.grid.count)
    let blocks = DateBlocks(count: times.count) { dataset.startsChunk(times[$0], after: times[$0 - 1]) }
    var counts = [Double](repeating: 0, count: 2 * channels)
    var firsts = [Double](repeating: .infinity, count: channels)
    try dataset.inOrder(windowBytes: windowBytes) { window in
      try withTemporary(channels * points) { planes in
        try blocks.forEach(on: world, progress: progress) { number, done in
          for time in times[blocks.blocks[number]] {
            try dataset.read(time, isChecked: false, window: window, into: planes)
            for channel in 0..<channels {
              let plane = planes + channel * points
              let missing: Int
              if let imputed = dataset.imputed[channel] {
                // Filled as it is read, and refused where its mask changes.
                if imputed.sources != nil { continue }
                let whole = Rectangle(rows: 0..<dataset.grid.rows, columns: 0..<dataset.grid.columns)
                let found = imputed.differences(
                  plane, stride: dataset.grid.columns, whole, columns: dataset.grid.columns)
                missing = found.lacking + found.unexpected
              } else {
                missing = (0..<points).reduce(0) { $0 + (plane[$1].isFinite ? 0 : 1) }
              }
              if missing == 0 { continue }
              counts[2 * channel] += 1
              counts[2 * channel + 1] += Double(missing)
              firsts[channel] = min(firsts[channel], Double(time))
            }
            try done(1)
          }
        }
      }
    }
    counts = try world.allReduce(counts)
    firsts = try world.allReduce(firsts, .minimum)
    return (0..<channels).map { channel in
      let (times, values) = (Int(counts[2 * channel]), Int(counts[2 * channel + 1]))
      return times == 0 ? nil : MissingValues(times: times, values: values, firstTime: Int(firsts[channel]))
    }
  }
}
