import Basics
import Communication

/// A survey of the values of a dataset's fields: a pass over its times that finds missing values, extremes, fill values that no
/// attribute names, and fields that don't vary.
public struct ValueSurvey: Sendable, Equatable {
  /// Elements that are no number; in fields that lack values at the same points at all times, those that are more or fewer than at the first
  /// time.
  public struct Missing: Sendable, Equatable {
    /// In so many times.
    public let times: Int
    public let values: Int
    /// The first such time's index in the dataset.
    public let firstTime: Int
  }

  public struct Extreme: Sendable, Equatable {
    public let value: Double
    /// The first time's index in the dataset.
    public let time: Int
  }

  /// Findings of one channel.
  public struct Row: Sendable, Equatable {
    public var missing: Missing?
    /// Nil without any number.
    public var minimum, maximum: Extreme?
    /// Values outside the plausible range, or such that mark missing ones in other data and lie far from all others.
    public var odd: Missing?
    /// Whether the odd values are all the same.
    public var mark: Double?
    /// Times at which the field is one number everywhere; the first one's index.
    public var flatTimes = 0
    public var firstFlat: Extreme?
    /// The times over which fields are normalised.
    public var normalisedTimes = 0
    /// The one number that the field is everywhere at these times.
    public var constant: Double?
    /// Whether the field is the same at all of these times, of which there are several.
    public var isUnchanging = false
  }

  /// By channel.
  public let rows: [Row]

  /// Reads times once, each stored chunk about once, on all ranks of the communicator together.
  ///
  /// - Parameters:
  ///   - times: indices in the dataset, ascending.
  ///   - normalised: those of them over which fields are normalised; nil: all.
  ///   - windowBytes: memory for the times that are stored together; nil: a little.
  ///   - progress: called with (done, all).
  /// - Returns: the same on every rank.
  public init(
    _ dataset: FieldDataset, times: [Int], normalised: [Int]? = nil, on world: any Communicator = SingleRank(),
    windowBytes: Int? = nil, progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    let normalised = Set(normalised ?? times)
    let (channels, points) = (dataset.channels.count, dataset.grid.count)
    let blocks = DateBlocks(count: times.count) { dataset.startsChunk(times[$0], after: times[$0 - 1]) }
    var scans = dataset.channels.map { FieldScan(plausible: Lexicon[$0.variable]?.plausible) }
    try dataset.inOrder(windowBytes: windowBytes) { window in
      try withTemporary(channels * points) { planes in
        try blocks.forEach(on: world, progress: progress) { number, done in
          for time in times[blocks.blocks[number]] {
            try dataset.read(time, isChecked: false, window: window, into: planes)
            for channel in 0..<channels {
              let plane = UnsafeMutableBufferPointer(start: planes + channel * points, count: points)
              scans[channel].add(
                plane, dataset.imputed[channel], columns: dataset.grid.columns, time: time,
                isNormalised: normalised.contains(time))
            }
            try done(1)
          }
        }
      }
    }
    let sums = try world.allReduce(scans.flatMap(\.sums))
    let lowest = try world.allReduce(scans.flatMap(\.lowest), .minimum)
    // The first time of each extreme that is one of all ranks.
    let firsts = try world.allReduce(
      zip(scans, lowest.pieces(of: FieldScan.lowestCount)).flatMap { $0.firstTimes(of: $1) }, .minimum)
    rows = (0..<channels).map { channel in
      FieldScan.row(
        sums: sums.pieces(of: FieldScan.sumCount)[channel], lowest: lowest.pieces(of: FieldScan.lowestCount)[channel],
        firsts: firsts.pieces(of: FieldScan.firstCount)[channel])
    }
  }
}

extension [Double] {
  /// Consecutive pieces of one length.
  fileprivate func pieces(of length: Int) -> [[Double]] {
    stride(from: 0, to: count, by: length).map { Array(self[$0..<$0 + length]) }
  }
}
