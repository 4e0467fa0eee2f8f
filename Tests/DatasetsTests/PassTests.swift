import Basics
import Communication
import Stores
import Tensors
import TestSupport
import Testing

@testable import Datasets

/// What passes over all dates read, of stores with ten times in a chunk: 60 times of three variables in 18 chunks.
@Suite struct PassTests {
  private static let chunks = 18
  private static let recordBytes = 5 * 8 * 16 * 4

  private func dataset(_ folder: TemporaryFolder, cacheBytes: Int = 0, damage: Bool = false) throws -> FieldDataset {
    let path = "\(folder.path)/data.zarr"
    if !Files.exists(path) {
      try SyntheticData().write(path)
      if damage {
        var store = try EditedStore(path)
        for (name, index) in [
          ("msl", 20 * 128 + 3), ("msl", 20 * 128 + 4), ("msl", 41 * 128), ("t", (59 * 2 + 1) * 128),
        ] {
          store.arrays[name]?.values[index] = .nan
        }
        try Files.remove(path)
        try store.write(path)
      }
    }
    return try FieldDataset(
      sources: [SourceDescription(path: path)], variables: ["z", "t", "msl"], levelsHPa: [850, 500],
      staticVariables: ["orog"], cacheBytes: cacheBytes)
  }

  private func statistics(
    _ dataset: FieldDataset, on world: any Communicator = SingleRank(), windowBytes: Int? = nil
  ) throws -> (statistics: DatasetStatistics, chunks: Int) {
    let before = dataset.reads.chunks
    let found = try DatasetStatistics.compute(
      dataset, from: dataset.times[0], through: dataset.times[59], stepHours: 6, on: world, windowBytes: windowBytes)
    return (found, dataset.reads.chunks - before)
  }

  @Test func statisticsDecodeEachChunkOnce() throws {
    let folder = try TemporaryFolder()
    let kept = try statistics(dataset(folder, cacheBytes: 1 << 30))
    let passed = try statistics(dataset(folder))
    #expect(kept.chunks == Self.chunks && passed.chunks == Self.chunks && kept.statistics == passed.statistics)
    // With memory for four times each chunk is read three times; with less than one, for every time.
    #expect(try statistics(dataset(folder), windowBytes: 4 * Self.recordBytes).chunks == 3 * Self.chunks)
    #expect(try statistics(dataset(folder), windowBytes: 0).chunks == 10 * Self.chunks)
    // What is over the memory for what is kept goes through the window.
    let partly = try dataset(folder, cacheBytes: 25 * Self.recordBytes)
    #expect(try statistics(partly).chunks == Self.chunks)
    #expect(try statistics(partly).chunks < Self.chunks)
  }

  /// Ranks have runs of dates. Each reads the time before its first again, and with it that time's chunks.
  @Test(arguments: [2, 3]) func ranksDoNotDecodeEachOthersChunks(ranks: Int) throws {
    let folder = try TemporaryFolder()
    let alone = try statistics(dataset(folder)).statistics
    let found = try ThreadRanks.run(ranks) { world in try statistics(dataset(folder), on: world) }
    #expect(found.allSatisfy { $0.statistics == alone })
    #expect(found.reduce(0) { $0 + $1.chunks } == Self.chunks + 3 * (ranks - 1))
  }

  /// Memory for times behind the pass is given back.
  @Test func aPassNeedsMemoryForOneChunk() throws {
    let folder = try TemporaryFolder()
    let dataset = try dataset(folder)
    _ = try statistics(dataset)
    #expect(dataset.memory.counters.peakBytesInUse == 10 * Self.recordBytes)
  }

  /// Reading in any order, as training does, decodes once what has room and nothing else changes.
  @Test func theCacheOfTrainingKeepsWhatItHas() throws {
    let folder = try TemporaryFolder()
    let dataset = try dataset(folder, cacheBytes: 1 << 30)
    let before = dataset.reads.chunks
    for round in 0..<3 {
      for time in 0..<60 { _ = try dataset.checkedPlanes(time: (time * 37 + round) % 60) }
    }
    #expect(dataset.reads.chunks - before == Self.chunks)
  }

  // MARK: Missing values

  @Test(arguments: [1, 2, 5]) func missingValuesAreCounted(ranks: Int) throws {
    let folder = try TemporaryFolder()
    _ = try dataset(folder, damage: true)
    let found = try ThreadRanks.run(ranks) { world in
      let dataset = try dataset(folder)
      let before = dataset.reads.chunks
      let found = try ValueSurvey(dataset, times: Array(dataset.times.indices), on: world).rows.map(\.missing)
      return (found: found, chunks: dataset.reads.chunks - before)
    }
    let expected: [ValueSurvey.Missing?] = [
      nil, nil, nil, ValueSurvey.Missing(times: 1, values: 1, firstTime: 59),
      ValueSurvey.Missing(times: 2, values: 3, firstTime: 20),
    ]
    #expect(found.allSatisfy { $0.found == expected })
    #expect(found.reduce(0) { $0 + $1.chunks } == Self.chunks)
    let some = try ValueSurvey(dataset(folder), times: [3, 4, 41, 42]).rows.map(\.missing)
    #expect(some == [nil, nil, nil, nil, ValueSurvey.Missing(times: 1, values: 1, firstTime: 41)])
  }

  // MARK: Opening

  /// Several datasets of one opening share its stores.
  @Test func sourcesAreOpenedOnce() throws {
    let folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.zarr")
    let opened = try OpenedSources([SourceDescription(path: "\(folder.path)/data.zarr")])
    try Files.remove("\(folder.path)/data.zarr/.zmetadata")
    try Files.remove("\(folder.path)/data.zarr/.zgroup")
    for variable in ["z", "t", "msl"] {
      let dataset = try FieldDataset(opened, variables: [variable], levelsHPa: [500])
      #expect(dataset.channels.count == 1 && dataset.times.count == 60)
    }
    let error = #expect(throws: JigsawError.self) { _ = try FieldDataset(opened, variables: ["q"], levelsHPa: [500]) }
    #expect(error?.problem.contains("no variable 'q'") ?? false)
  }

  // MARK: Conversion

  @Test(arguments: [ConversionLayout.fields, .anemoi]) func conversionsDecodeEachChunkOnce(layout: ConversionLayout)
    throws
  {
    let folder = try TemporaryFolder()
    let dataset = try dataset(folder)
    let before = dataset.reads.chunks
    var options = Conversion.Options()
    options.layout = layout
    let path = "\(folder.path)/converted.zarr"
    try Conversion(ConversionInput(dataset, from: nil, through: nil), to: path, options).run(on: SingleRank()) { _, _ in
    }
    #expect(dataset.reads.chunks - before == Self.chunks + 1, "and the static field")
    let converted = try FieldDataset(
      sources: [SourceDescription(path: path)], variables: ["z", "t", "msl"], levelsHPa: [850, 500])
    for time in [0, 9, 10, 59] {
      #expect(try converted.checkedPlanes(time: time).values == dataset.checkedPlanes(time: time).values)
    }
  }
}
