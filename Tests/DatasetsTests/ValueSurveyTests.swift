import Basics
import Communication
import Stores
import TestSupport
import Testing

@testable import Datasets

/// What `data check` finds in values.
@Suite struct ValueSurveyTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Temperatures around 200 K, and a variable that the lexicon lacks.
  private func write(_ name: String = "data.nc", _ change: (inout EditedStore) -> Void = { _ in }) throws {
    var data = SyntheticData()
    (data.upper, data.levels, data.statics, data.surface, data.times) = ([], [], [], ["dust", "t2m"], 12)
    try data.write("\(folder.path)/\(name)")
    var store = try EditedStore("\(folder.path)/\(name)")
    store.arrays["t2m"]?.attributes["units"] = .text("K")
    change(&store)
    try Files.remove("\(folder.path)/\(name)")
    try store.write("\(folder.path)/\(name)")
  }

  private func findings(_ name: String = "data.nc", ranks: Int = 1, absent: Set<String> = []) throws
    -> ValueSurvey.Findings
  {
    let found = try ThreadRanks.run(ranks) { world in
      let dataset = try FieldDataset(
        sources: [SourceDescription(path: "\(folder.path)/\(name)")], variables: ["dust", "t2m"], levelsHPa: [])
      let survey = try ValueSurvey(dataset, times: Array(dataset.times.indices), on: world)
      return (survey, survey.findings(dataset, timeCount: 12, needsChange: true, absent: absent))
    }
    #expect(found.allSatisfy { $0.0 == found[0].0 })
    return found[0].1
  }

  private static let points = 8 * 16

  @Test(arguments: [1, 3]) func plausibleValuesPass(ranks: Int) throws {
    try write()
    let found = try findings(ranks: ranks)
    #expect(found.problems.isEmpty && found.notes.isEmpty, "\(found)")
  }

  /// With value, variable, date and what was expected; on any number of ranks.
  @Test(arguments: [1, 3]) func valuesOutsideTheRangeAreNamed(ranks: Int) throws {
    try write { store in
      store.arrays["t2m"]?.values[5 * Self.points + 3] = 1e20
      store.arrays["t2m"]?.values[7 * Self.points] = 1e20
    }
    let found = try findings(ranks: ranks)
    #expect(found.problems.count == 1 && found.notes.isEmpty, "\(found)")
    for text in [
      "t2m has 2 values in 2 of 12 times that can't be, first at 2001-01-02 06:00",
      "expected 150.0 … 350.0 K, found 1.000e20 K at 2001-01-02 06:00", "a fill value that no attribute names?",
    ] { #expect(found.problems.first?.contains(text) == true, "\(text) in \(found.problems)") }
  }

  @Test func fillValuesOfUnknownVariablesAreFound() throws {
    for (mark, isFound) in [
      (-32_768.0, true), (1e20, true), (-9_999, true), (-9.99e8, true), (-1e34, true), (1e13, true), (123_456, false),
    ] {
      try write { $0.arrays["dust"]?.values[2 * Self.points + 1] = mark }
      let found = try findings()
      #expect(found.problems.count == (isFound ? 1 : 0), "\(mark): \(found)")
      if isFound {
        #expect(found.problems[0].contains("dust has 1 value in 1 of 12 times far from all others"), "\(found)")
      }
    }
  }

  /// Molecules in a column of air, none of them at some points.
  @Test func largeValuesOfUnknownVariablesPass() throws {
    try write { store in
      store.arrays["dust"]?.values = (0..<12 * Self.points).map { $0 % 7 == 0 ? 0 : 1e18 + 1e15 * Double($0) }
    }
    #expect(try findings().problems.isEmpty)
  }

  @Test(arguments: [1, 3]) func constantFieldsAreNamed(ranks: Int) throws {
    try write { store in
      store.arrays["dust"]?.values = [Double](repeating: 5, count: 12 * Self.points)
      if let first = store.arrays["t2m"]?.values[..<Self.points] {
        store.arrays["t2m"]?.values = (0..<12).flatMap { _ in first }
      }
    }
    let problems = try findings(ranks: ranks).problems
    #expect(problems.count == 2)
    #expect(problems.first?.contains("dust is 5.000 everywhere at all 12 times") == true, "\(problems)")
    #expect(problems.last?.contains("t2m is the same at all 12 times") == true, "\(problems)")
    try write { store in
      for i in 3 * Self.points..<4 * Self.points { store.arrays["t2m"]?.values[i] = 280 }
    }
    let flat = try findings(ranks: ranks)
    #expect(flat.problems.isEmpty && flat.notes.count == 1)
    #expect(
      flat.notes.first?.contains("t2m is 280.0 K everywhere at 1 of 12 times, first at 2001-01-01 18:00") == true,
      "\(flat)")
    let absent = try findings(ranks: ranks, absent: ["\(folder.path)/data.nc: t2m"])
    #expect(absent.notes.isEmpty && absent.problems.count == 1)
    #expect(absent.problems.first?.hasSuffix("; chunks of it were never written") == true, "\(absent)")
  }

  /// Statistics are those of the training period alone.
  @Test(arguments: [1, 3]) func constantFieldsOfTheTrainingPeriodAreNamed(ranks: Int) throws {
    try write { store in
      for i in 0..<6 * Self.points { store.arrays["dust"]?.values[i] = 5 }
      if let first = store.arrays["t2m"]?.values[..<Self.points] {
        for i in 0..<6 * Self.points { store.arrays["t2m"]?.values[i] = first[i % Self.points] }
      }
    }
    let found = try ThreadRanks.run(ranks) { world in
      let dataset = try FieldDataset(
        sources: [SourceDescription(path: "\(folder.path)/data.nc")], variables: ["dust", "t2m"], levelsHPa: [])
      return try [Array(0..<6), Array(0..<7), nil].map { trained in
        let survey = try ValueSurvey(dataset, times: Array(0..<12), normalised: trained, on: world)
        return survey.findings(dataset, timeCount: 12, needsChange: true, period: trained.map { _ in "data.train" })
          .problems
      }
    }
    for problems in found {
      #expect(problems[1].isEmpty && problems[2].isEmpty, "\(problems)")
      #expect(
        problems[0] == [
          "dust is 5.000 everywhere at all 6 times of data.train, and can't be normalised; leave it out",
          "t2m is the same at all 6 times of data.train; choose another period, or leave it out",
        ], "\(problems[0])")
    }
  }

  /// A chunk that was never written reads as the store's fill value, and is counted.
  @Test func absentChunksAreCounted() throws {
    try write("data.zarr") { store in
      store.arrays["t2m"]?.chunks = [1, 8, 16]
      store.arrays["dust"]?.chunks = [1, 8, 8]
    }
    let path = "\(folder.path)/data.zarr"
    for file in try Files.list("\(path)/t2m") where file.hasPrefix("3.") { try Files.remove("\(path)/t2m/\(file)") }
    try Files.remove("\(path)/dust/0.0.1")
    let dataset = try FieldDataset(
      sources: [SourceDescription(path: path)], variables: ["t2m", "dust"], levelsHPa: [])
    for _ in 0..<2 {
      _ = try ValueSurvey(dataset, times: Array(dataset.times.indices))
      #expect(dataset.reads.absent == ["\(path): t2m": 1, "\(path): dust": 1])
    }
    let view = try SourceDescription(path: path).openView(key: "test")
    _ = try view.read(date: 3)
    #expect(view.reads.absent == ["\(path): t2m": 1])
  }

  @Test func statisticsThatCannotBeAreNamed() {
    func row(_ minimum: Double, _ maximum: Double) -> ChannelStatistics {
      ChannelStatistics(
        mean: 0, deviation: 1, minimum: minimum, maximum: maximum, tendencyMean: 0, tendencyDeviation: 1)
    }
    let statistics = DatasetStatistics(
      start: "", end: "", stepHours: 6, timeCount: 2,
      channels: ["t2m": row(0, 300), "t_850": row(250, 1e20), "u10": row(-30, 30), "dust_850": row(-1e30, 1e30)])
    #expect(statistics.implausible.count == 2)
    #expect(statistics.implausible.last?.hasPrefix("t_850 goes from 250.0 to 1.000e20 K, outside") == true)
  }
}
