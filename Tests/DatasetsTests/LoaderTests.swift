import Basics
import Datasets
import Stores
import Tensors
import TestSupport
import Testing

@Suite struct LoaderTests {
  struct Listed: FrameSequence {
    var list: [[Int]]
    mutating func next() -> FrameRequest? { list.isEmpty ? nil : FrameRequest(indices: list.removeFirst()) }
  }

  /// Never ends.
  struct Endless: FrameSequence {
    var count = 0
    mutating func next() -> FrameRequest? {
      count += 1
      return FrameRequest(indices: [count % 8, (count * 3) % 8])
    }
  }

  private func reader(_ name: String = "plain.nc") throws -> FrameReader {
    let dataset = try FieldDataset(
      sources: [SourceDescription(path: Goldens.path(name))], variables: ["msl"], levelsHPa: [])
    let one = ChannelStatistics(
      mean: 100_000, deviation: 1_000, minimum: 0, maximum: 1, tendencyMean: 0, tendencyDeviation: 1)
    let normalization = try Normalization(
      DatasetStatistics(start: "", end: "", stepHours: 6, timeCount: 8, channels: ["msl": one]),
      channels: dataset.channels, place: "test")
    let tiling = try #require(Tiling(rows: 6, columns: 8, tileRows: 2, tileColumns: 4))
    return FrameReader(dataset, normalization, tiling, Compute(threads: 1))
  }

  @Test(arguments: [1, 2, 5]) func framesComeInOrder(depth: Int) throws {
    let reader = try reader()
    let plan = [[3], [0, 1], [7, 7, 2], [5], [4, 6]]
    let loader = try FrameLoader(reader, depth: depth, sequence: Listed(list: plan))
    for indices in plan {
      let frame = try loader.next()
      #expect(frame.times == indices.map { reader.dataset.times[$0] })
      #expect(frame.state.shape == [6, indices.count, 8])
      let alone = try reader.read(indices)
      #expect(frame.state.values == alone.state.values)
    }
    #expect(loader.waitedSeconds >= 0)
  }

  @Test func fieldsAreNormalisedAndTiled() throws {
    let reader = try reader()
    let frame = try reader.read([2])
    let msl = Array(try Goldens.fields().floats("truth/msl")[96..<144])
    // Second token: rows 0 … 1, columns 4 … 7; its sixth point is row 1, column 5.
    #expect(abs(frame.state.values[8 + 5] - (msl[8 + 5] - 100_000) / 1_000) < 1e-5)
    #expect(frame.state.values.count == 48)
  }

  /// The error comes in its place, after the good frames before it.
  @Test func errorsReachTheCaller() throws {
    let reader = try reader("packed.nc")  // one missing value at index 3
    let loader = try FrameLoader(reader, depth: 4, sequence: Listed(list: [[0], [1, 2], [4, 3], [5]]))
    #expect(try loader.next().times.count == 1)
    #expect(try loader.next().times.count == 2)
    let error = #expect(throws: JigsawError.self) { try loader.next() }
    #expect(error?.description.contains("missing values (NaN) in msl at 2001-01-01 18:00") == true)
  }

  @Test func droppedLoadersEnd() throws {
    let reader = try reader()
    for taken in 0..<20 {
      let loader = try FrameLoader(reader, depth: 1 + taken % 3, sequence: Endless())
      for _ in 0..<taken { _ = try loader.next() }
    }
    // Also one that has nothing to do, and one that has failed.
    _ = try FrameLoader(reader, depth: 1, sequence: Listed(list: []))
    let failing = try FrameLoader(self.reader("packed.nc"), depth: 1, sequence: Listed(list: [[3], [0]]))
    #expect(throws: JigsawError.self) { try failing.next() }
  }
}

@Suite struct SamplerTests {
  /// 60 times every 6 h from 2001-01-01, a gap of ten steps, 60 more.
  private func dataset(_ folder: TemporaryFolder) throws -> FieldDataset {
    var late = SyntheticData()
    (late.upper, late.times, late.statics) = ([], 60, [])
    try late.write("\(folder.path)/c1.nc")
    late.start = late.start.adding(hours: 70 * 6)
    try late.write("\(folder.path)/c2.nc")
    return try FieldDataset(
      sources: [SourceDescription(path: "\(folder.path)/c?.nc")], variables: ["msl"], levelsHPa: [])
  }

  private func sampler(
    _ dataset: FieldDataset, _ from: Int, _ through: Int, step: Int = 6, lead: Int = 1, seed: UInt64 = 1,
    isShuffled: Bool = true
  ) throws -> Sampler {
    let origin = dataset.times[0]
    return try Sampler(
      dataset, from: origin.adding(hours: 6 * from), through: origin.adding(hours: 6 * through),
      Sampler.Steps(hours: step, last: lead), seed: seed, isShuffled: isShuffled, place: "data.train")
  }

  @Test func samplesRespectPeriodsAndGaps() throws {
    let folder = try TemporaryFolder()
    let dataset = try dataset(folder)
    #expect(dataset.times.count == 120)
    #expect(try sampler(dataset, 0, 129).starts == Array(0..<59) + Array(60..<119))
    #expect(try sampler(dataset, 0, 129, lead: 4).starts == Array(0..<56) + Array(60..<116))
    #expect(try sampler(dataset, 10, 20, lead: 3).starts == Array(10...17))
    #expect(try sampler(dataset, 10, 20, step: 12, lead: 2).starts == Array(10...16))
    #expect(try sampler(dataset, 55, 75).starts == Array(55..<59) + Array(60..<65))
    for (from, through, step, lead) in [(200, 300, 6, 1), (60, 69, 6, 1), (0, 3, 6, 4), (0, 129, 7, 1)] {
      let error = #expect(throws: JigsawError.self) { try sampler(dataset, from, through, step: step, lead: lead) }
      #expect(error?.place == "data.train")
    }
  }

  @Test func everyEpochIsAPermutation() throws {
    let folder = try TemporaryFolder()
    let dataset = try dataset(folder)
    let sampler = try sampler(dataset, 0, 40)
    let count = sampler.count
    var epochs: [[Int]] = []
    for batchSize in [1, 3, 7, count, 64] {
      let visited = (0..<(4 * count + batchSize)).reduce(into: [Int]()) { list, batch in
        if list.count < 4 * count { list += sampler.samples(batch * batchSize..<(batch + 1) * batchSize) }
      }
      epochs = (0..<4).map { Array(visited[$0 * count..<($0 + 1) * count]) }
      for epoch in epochs { #expect(epoch.sorted() == sampler.starts) }
      #expect(Set(epochs).count == 4, "epochs differ")
    }
    // From seed and epoch alone.
    #expect((0..<4).map { sampler.samples($0 * count..<($0 + 1) * count) } == epochs)
    #expect(try self.sampler(dataset, 0, 40).samples(2 * count..<3 * count) == epochs[2])
    #expect(try self.sampler(dataset, 0, 40, seed: 2).samples(2 * count..<3 * count) != epochs[2])
    let plain = try self.sampler(dataset, 0, 40, isShuffled: false)
    #expect(plain.samples(0..<5) == [0, 1, 2, 3, 4] && plain.samples(40..<45) == [0, 1, 2, 3, 4])
  }
}
