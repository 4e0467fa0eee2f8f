import Basics
import Communication
import Distribution
import Stores
import Tensors
import TestSupport
import Testing

@testable import Datasets

/// What reading costs: memory, chunks and bytes; and that the number of threads doesn't matter.
@Suite struct ReadingTests {
  private func dataset(
    _ folder: TemporaryFolder, _ chunking: SyntheticData.Chunking = .wholeField, threads: Int, cacheBytes: Int = 0,
    levels: [Double] = [500, 850]
  ) throws -> FieldDataset {
    let path = "\(folder.path)/\(chunking.rawValue).zarr"
    if !Files.exists(path) {
      var data = SyntheticData()
      (data.times, data.chunking) = (12, chunking)
      try data.write(path)
    }
    return try FieldDataset(
      sources: [SourceDescription(path: path)], variables: ["z", "msl", "t"], levelsHPa: levels,
      cacheBytes: cacheBytes, threads: threads)
  }

  private func reader(_ dataset: FieldDataset) throws -> FrameReader {
    let tiling = try #require(Tiling(rows: 8, columns: 16, tileRows: 2, tileColumns: 4))
    return FrameReader(dataset, try SharedReadingTests.normalization(dataset), tiling, Compute(threads: 1))
  }

  @Test(arguments: SyntheticData.Chunking.allCases, [0, 1 << 30])
  func theNumberOfThreadsDoesNotMatter(chunking: SyntheticData.Chunking, cacheBytes: Int) throws {
    let folder = try TemporaryFolder()
    let request = FrameRequest(indices: [3, 11, 4, 4], columnShifts: [0, 4, 12, 8])
    let alone = try reader(dataset(folder, chunking, threads: 1, cacheBytes: cacheBytes))
    let together = try reader(dataset(folder, chunking, threads: 4, cacheBytes: cacheBytes))
    for _ in 0..<3 { #expect(try alone.read(request).state.values == together.read(request).state.values) }
    #expect(alone.dataset.reads.chunks == together.dataset.reads.chunks)
    #expect(alone.dataset.reads.bytes == together.dataset.reads.bytes)
  }

  /// From the second frame on, reading takes all its memory from the pools: a record of one sample and the frame.
  @Test func framesAllocateNothingAfterTheFirst() throws {
    let folder = try TemporaryFolder()
    let reader = try reader(dataset(folder, threads: 2))
    let compute = Compute(threads: 1)
    let counted = FrameReader(reader.dataset, reader.normalization, reader.tiling, compute)
    let sample = 5 * 8 * 16 * 4
    var counts: [Int] = []
    reader.dataset.memory.resetPeak()
    for index in 0..<8 {
      _ = try counted.read([index, index + 1])
      counts.append(compute.pool.counters.allocations + reader.dataset.memory.counters.allocations)
    }
    #expect(Set(counts).count == 1, "\(counts)")
    #expect(reader.dataset.memory.counters.peakBytesInUse == sample)
    #expect(compute.pool.counters.peakBytesInUse == 2 * sample)
  }

  private struct Cycle: FrameSequence {
    var number = 0
    mutating func next() -> FrameRequest? {
      number += 1
      return FrameRequest(indices: [number % 12])
    }
  }

  /// Two samples and what is read ahead: the frame in use, and the record of the one that is made.
  @Test(arguments: [1, 3]) func memoryIsThatOfTwoSamplesAndThoseReadAhead(depth: Int) throws {
    let folder = try TemporaryFolder()
    let made = try reader(dataset(folder, threads: 2))
    let compute = Compute(threads: 1)
    let reader = FrameReader(made.dataset, made.normalization, made.tiling, compute)
    let sample = 5 * 8 * 16 * 4
    reader.dataset.memory.resetPeak()
    let loader = try FrameLoader(reader, depth: depth, sequence: Cycle())
    var frame = try loader.next()
    for _ in 0..<50 {
      // The frame before is let go first, as in a training step.
      frame = Frame(state: Tensor(zeros: [0]), times: [])
      frame = try loader.next()
    }
    #expect(frame.times.count == 1)
    let peak = compute.pool.counters.peakBytesInUse + reader.dataset.memory.counters.peakBytesInUse
    #expect(peak <= (2 + depth) * sample)
  }

  /// A few levels of chunks that hold all: the same files, nothing else.
  @Test func eachChunkIsReadOncePerFrame() throws {
    let folder = try TemporaryFolder()
    for (levels, chunks) in [([500.0, 850.0], 3), ([850.0], 3)] {
      let dataset = try dataset(folder, threads: 3, levels: levels)
      let planes = UnsafeMutablePointer<Float>.allocate(capacity: dataset.channels.count * dataset.grid.count)
      defer { planes.deallocate() }
      let before = dataset.reads
      try dataset.readChecked(time: 5, into: planes)
      #expect(dataset.reads.chunks - before.chunks == chunks)
      let first = dataset.reads.bytes - before.bytes
      try dataset.readChecked(time: 5, into: planes)
      #expect(dataset.reads.bytes - before.bytes == 2 * first)
    }
  }
}
