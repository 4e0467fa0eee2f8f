import Basics
import Datasets
import TestSupport
import Testing

@Suite struct StatisticsTests {
  private func dataset(_ name: String = "plain.nc") throws -> FieldDataset {
    try FieldDataset(
      sources: [SourceDescription(path: Goldens.path(name))], variables: ["z", "t", "msl"], levelsHPa: [850, 500])
  }

  @Test(arguments: [6, 12]) func numbersAreThoseOfNumPy(stepHours: Int) throws {
    let dataset = try dataset()
    var told: [Int] = []
    let found = try DatasetStatistics.compute(
      dataset, from: dataset.times[0], through: dataset.times[7], stepHours: stepHours
    ) { done, all in told.append(done * 100 + all) }
    #expect(told == (1...8).map { $0 * 100 + 8 })
    #expect(found.timeCount == 8 && found.stepHours == stepHours && found.start == "2001-01-01T00:00:00")
    let expected = try #require(try Goldens.document()["statistics"]?["\(stepHours)"]?.object)
    #expect(Set(found.channels.keys) == Set(expected.keys))
    for (name, wanted) in expected {
      let row = try #require(found.channels[name])
      func isNear(_ value: Double, _ key: String, _ tolerance: Double, of scale: Double) -> Bool {
        abs(value - (wanted[key]?.double ?? .nan)) <= tolerance * scale
      }
      let deviation = try #require(wanted["deviation"]?.double)
      #expect(isNear(row.mean, "mean", 1e-9, of: abs(row.mean)), "\(name)")
      #expect(isNear(row.deviation, "deviation", 1e-6, of: deviation), "\(name)")
      #expect(isNear(row.minimum, "minimum", 0, of: 1) && isNear(row.maximum, "maximum", 0, of: 1), "\(name)")
      #expect(isNear(row.tendencyMean, "tendencyMean", 1e-6, of: deviation), "\(name)")
      #expect(isNear(row.tendencyDeviation, "tendencyDeviation", 1e-6, of: row.tendencyDeviation), "\(name)")
    }
    let normalization = try Normalization(found, channels: dataset.channels, place: "test")
    let first = try #require(found.channels["z_850"])
    #expect(normalization.mean[0] == Float(first.mean) && normalization.deviation[0] == Float(first.deviation))
    #expect(normalization.tendencyScale[0] == Float(first.tendencyDeviation / first.deviation))
  }

  private struct Stop: Error {}

  /// What a stopped pass has kept counts for its data alone.
  @Test func partsOfDataThatHaveChangedAreNotTaken() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.zarr"
    var data = SyntheticData()
    (data.upper, data.levels, data.statics) = ([], [], [])
    try data.write(path)
    func compute(parts: String?, stops: Bool = false) throws -> DatasetStatistics {
      let dataset = try FieldDataset(
        sources: [SourceDescription(path: path)], variables: ["msl"], levelsHPa: [])
      return try DatasetStatistics.compute(
        dataset, from: dataset.times[0], through: dataset.times[59], stepHours: 6,
        data: DataFingerprint(paths: [path]), parts: parts.map { "\(folder.path)/\($0)" }
      ) { done, _ in if stops && done > 30 { throw Stop() } }
    }
    #expect(throws: Stop.self) { try compute(parts: "parts", stops: true) }
    var changed = try EditedStore(path)
    for index in changed.arrays["msl"]?.values.indices ?? 0..<0 { changed.arrays["msl"]?.values[index] += 1_000 }
    try Files.remove(path)
    try changed.write(path)
    #expect(try compute(parts: "parts").channels == compute(parts: nil).channels)
  }

  @Test func periodsWithoutEnoughTimesAreRefused() throws {
    let dataset = try dataset()
    func problem(_ from: Int, _ through: Int, step: Int) -> String {
      let start = dataset.times[0]
      return #expect(throws: JigsawError.self) {
        try DatasetStatistics.compute(
          dataset, from: start.adding(hours: from), through: start.adding(hours: through), stepHours: step)
      }?.description ?? ""
    }
    #expect(problem(100, 200, step: 6).contains("holds 0 times of this data; expected at least 2"))
    #expect(problem(0, 5, step: 6).contains("holds 1 time"))
    #expect(problem(0, 42, step: 9).contains("no two times lie 9 h apart"))
    #expect(problem(0, 42, step: 48).contains("no two times lie 48 h apart"))
    let other = try Normalization(
      DatasetStatistics.compute(dataset, from: dataset.times[0], through: dataset.times[7], stepHours: 6),
      channels: [Channel(variable: "z", levelHPa: 500)], place: "test")
    #expect(other.mean.count == 1)
  }

  @Test func fieldsThatDoNotVaryAreRefused() throws {
    let folder = try TemporaryFolder()
    for (name, change) in [("constant", { (_: Int) in Float(5) }), ("still", { Float($0) })] {
      let path = "\(folder.path)/\(name).nc"
      try ConstantData.write(path, change)
      let dataset = try FieldDataset(
        sources: [SourceDescription(path: path)], variables: ["msl"], levelsHPa: [])
      let error = #expect(throws: JigsawError.self) {
        try DatasetStatistics.compute(dataset, from: dataset.times[0], through: dataset.times[3], stepHours: 6)
      }
      #expect(error?.place == "\(path): msl")
      #expect(error?.problem.contains(name == "constant" ? "is constant" : "doesn't change in 6 h") == true)
    }
  }

  @Test func momentsOfPartsMergeToThoseOfTheWhole() {
    var numbers = TestNumbers(9)
    let values = (0..<1_000).map { _ in Float(Int(numbers.next() % 10_000)) + 1e6 }
    let whole = moments(values[...])
    for cuts in [[500], [1, 2, 999], [0, 1_000], [333, 334, 700, 701, 702]] {
      var merged = Moments()
      var start = 0
      for cut in cuts + [1_000] {
        merged.merge(moments(values[start..<cut]))
        start = cut
      }
      #expect(merged.count == 1_000)
      #expect(abs(merged.mean - whole.mean) < 1e-12 * whole.mean)
      #expect(abs(merged.deviation - whole.deviation) < 1e-9 * whole.deviation)
      #expect(merged.minimum == whole.minimum && merged.maximum == whole.maximum)
    }
    let mean = values.reduce(0) { $0 + Double($1) } / 1_000
    #expect(abs(whole.mean - mean) < 1e-12 * mean)
    #expect(Moments().deviation == 0 && Moments().count == 0)
  }

  private func moments(_ values: ArraySlice<Float>) -> Moments {
    values.withUnsafeBufferPointer { Moments($0) }
  }
}
