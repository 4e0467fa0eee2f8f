import Basics
import Communication
import Distribution
import Stores
import Synchronization
import Tensors
import TestSupport
import Testing

@testable import Datasets

/// Several ranks read one sample together: the numbers of one rank, every chunk read once.
@Suite struct SharedReadingTests {
  static func normalization(_ dataset: FieldDataset) throws -> Normalization {
    let statistics = try DatasetStatistics.compute(
      dataset, from: dataset.times[0], through: dataset.times[dataset.times.count - 1], stepHours: 6)
    return try Normalization(statistics, channels: dataset.channels, place: "test")
  }

  static func open(_ path: String) throws -> FieldDataset {
    try FieldDataset(
      sources: [SourceDescription(path: path)], variables: ["z", "msl", "t"], levelsHPa: [500, 850])
  }

  @Test(arguments: SyntheticData.Chunking.allCases, ["nc", "zarr"])
  func blocksAreThoseOfOneRankAndChunksAreReadOnce(chunking: SyntheticData.Chunking, kind: String) throws {
    let folder = try TemporaryFolder()
    var data = SyntheticData()
    data.times = 12
    data.chunking = chunking
    let path = "\(folder.path)/data.\(kind)"
    try data.write(path)
    let dataset = try Self.open(path)
    let normalization = try Self.normalization(dataset)
    let tiling = try #require(Tiling(rows: 8, columns: 16, tileRows: 2, tileColumns: 4))
    let request = FrameRequest(indices: [3, 7, 4], columnShifts: [0, 4, 12])
    let whole = try FrameReader(dataset, normalization, tiling, Compute(threads: 1)).read(request).state
    let chunksPerTime =
      switch chunking {
      case .tenTimes, .wholeField: 3
      case .oneLevel: 5
      case .tiles: 3 * 3 * 4
      }
    for (domain, tensor) in [(1, 1), (1, 2), (2, 1), (2, 2), (1, 5), (3, 2), (16, 1)] {
      let chunks = Mutex(0)
      _ = try ThreadRanks.run(domain * tensor) { world in
        // Every rank opens the store itself, as processes do.
        let dataset = try Self.open(path)
        let blocks = (0..<domain * tensor).map {
          FieldBlock(fields: chunk(5, into: tensor, $0 % tensor), tokens: chunk(16, into: domain, $0 / tensor))
        }
        let reader = FrameReader(
          dataset, normalization, tiling, Compute(threads: 1),
          share: ReadingShare(world, blocks: blocks, cacheBytes: 0))
        let before = dataset.reads.chunks
        let frame = try reader.read(request)
        chunks.withLock { $0 += dataset.reads.chunks - before }
        let block = blocks[world.rank]
        var index = 0
        for token in block.tokens {
          for row in 0..<3 * tiling.pointsPerToken {
            for field in block.fields {
              let expected = whole.pointer[(token * 3 * tiling.pointsPerToken + row) * 5 + field]
              if frame.state.pointer[index] != expected {
                Issue.record("\(domain) × \(tensor), rank \(world.rank): token \(token), field \(field)")
                return
              }
              index += 1
            }
          }
        }
        #expect(index == frame.state.count)
      }
      #expect(chunks.withLock { $0 } == 3 * chunksPerTime, "\(domain) × \(tensor)")
    }
  }

  @Test func ownersShareTheWork() throws {
    let folder = try TemporaryFolder()
    var data = SyntheticData()
    data.times = 2
    data.chunking = .tiles
    try data.write("\(folder.path)/data.zarr")
    let dataset = try Self.open("\(folder.path)/data.zarr")
    let tiling = try #require(Tiling(rows: 8, columns: 16, tileRows: 2, tileColumns: 4))
    let blocks = (0..<4).map {
      FieldBlock(fields: chunk(5, into: 2, $0 % 2), tokens: chunk(16, into: 2, $0 / 2))
    }
    let plan = ReadingPlan(dataset.storedChunks(part: 0, bands: 2, channels: dataset.channels.indices), tiling, blocks)
    #expect(plan.recordCounts.reduce(0, +) == 5 * 8 * 16)
    for count in plan.recordCounts { #expect(abs(count - 5 * 32) <= 30) }
  }
}
