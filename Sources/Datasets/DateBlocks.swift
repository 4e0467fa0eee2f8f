import Basics
import Communication

/// The dates of a pass in blocks, which several ranks share: whole stored chunks as far as these are small. The bounds follow
/// from the data alone, not from the number of ranks, so that sums by block come out the same on any number of them.
struct DateBlocks {
  let blocks: [Range<Int>]

  /// No block has more dates: what a failure or an interruption costs.
  static let limit = 64

  /// - Parameter startsChunk: whether a date, other than the first, lies in another stored chunk than the one before it.
  init(count: Int, startsChunk: (Int) -> Bool) {
    // Few enough for several ranks to share, so many that what is read again at their starts costs little.
    let wanted = max(8, min(DateBlocks.limit, count / 32))
    var blocks: [Range<Int>] = []
    var start = 0
    let ends = (1..<max(1, count)).filter(startsChunk) + (count > 0 ? [count] : [])
    var last = 0
    for end in ends {
      if end - start > DateBlocks.limit {
        if last > start { blocks.append(start..<last) }
        let pieces = (end - last + DateBlocks.limit - 1) / DateBlocks.limit
        blocks += (0..<pieces).map { piece in
          let part = chunk(end - last, into: pieces, piece)
          return last + part.lowerBound..<last + part.upperBound
        }
        start = end
      } else if end - start >= wanted {
        blocks.append(start..<end)
        start = end
      }
      last = end
    }
    if last > start { blocks.append(start..<last) }
    self.blocks = blocks
  }

  /// The blocks of a rank: they follow each other, so that it reads on where it was.
  func own(_ rank: Int, of size: Int) -> Range<Int> { chunk(blocks.count, into: size, rank) }

  /// Whose each block is.
  func owners(of size: Int) -> [Int] { (0..<size).flatMap { rank in own(rank, of: size).map { _ in rank } } }

  /// Goes through this rank's blocks in order, on all ranks together. `body` is given a block's number, and a function to tell
  /// how many more dates are done; that throws when another rank has failed meanwhile.
  ///
  /// - Parameter progress: called with (done, all) dates, as far as this rank knows; ends the work by throwing.
  /// - Throws: on every rank soon after one fails.
  func forEach(
    on world: any Communicator, progress: (Int, Int) throws -> Void,
    _ body: (Int, _ done: (Int) throws -> Void) throws -> Void
  ) throws {
    let own = own(world.rank, of: world.size)
    let mine = own.reduce(0) { $0 + blocks[$1].count }
    let all = blocks.last?.upperBound ?? 0
    var finished = 0
    try withoutActuallyEscaping(progress) { progress in
      try world.togetherAsking { ask in
        for number in own {
          try body(number) { count in
            finished += count
            // The other ranks are about as far.
            try progress(all * finished / mine, all)
            try ask()
          }
        }
      }
    }
  }
}
