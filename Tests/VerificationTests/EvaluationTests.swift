import Basics
import Communication
import Datasets
import Forecasting
import Stores
import TestSupport
import Testing

@testable import Verification

/// Scores of small stores.
@Suite struct EvaluationTests {
  static let leads = [6, 12, 18, 24]

  /// A model may have its levels in any order; a coordinate rises or falls throughout.
  @Test(arguments: ["f.zarr", "f.nc"]) func levelsAreStoredInOrder(name: String) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/\(name)"
    let grid = LatLonGrid(latitudes: [10, 0], longitudes: [0, 10, 20])
    let channels =
      ["z", "t"].flatMap { variable in [500, 850, 250].map { Channel(variable: variable, levelHPa: $0) } }
      + [Channel(variable: "msl")]
    let contents = try ForecastContents(
      grid: .raster(grid), channels: channels, initialTimes: [Timestamp(year: 2001, month: 1, day: 1)], leadHours: [6],
      source: "a test")
    let writer = try ForecastWriter(path, contents)
    for unit in contents.units(bands: 1) {
      let values = unit.fields.flatMap { [Float](repeating: Float(channels[$0].levelHPa ?? 1), count: 6) }
      try values.withUnsafeBufferPointer { try writer.write(unit, $0, initial: 0, lead: 0) }
    }
    try writer.finish()
    let store = try openStore(path)
    #expect(try store.read("level").doubles == [250, 500, 850])
    for variable in ["z", "t"] {
      #expect(try store.read(variable).doubles == [250, 500, 850].flatMap { [Double](repeating: $0, count: 6) })
    }
    #expect(try ForecastReader(path).read(channels[1], initial: 0, lead: 0).allSatisfy { $0 == 850 })
  }

  /// A field that isn't there is another fault than one with holes.
  @Test func absentFieldsAndMissingValuesAreToldApart() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/f.nc"
    let contents = try ForecastContents(
      grid: .raster(LatLonGrid(latitudes: [10, 0], longitudes: [0, 10, 20])), channels: [Channel(variable: "msl")],
      initialTimes: [Timestamp(year: 2001, month: 1, day: 1)], leadHours: [6, 12, 18], source: "a test")
    let writer = try ForecastWriter(path, contents)
    for lead in 0..<3 {
      for unit in contents.units(bands: 1) {
        // None, then one, then all are missing.
        let values: [Float] = (0..<6).map { lead == 2 || lead == 1 && $0 == 4 ? .nan : 1e5 }
        try values.withUnsafeBufferPointer { try writer.write(unit, $0, initial: 0, lead: lead) }
      }
    }
    try writer.finish()
    let reader = try ForecastReader(path)
    func problem(_ lead: Int) -> String? {
      #expect(throws: JigsawError.self) { try reader.read(reader.channels[0], initial: 0, lead: lead) }?.problem
    }
    #expect(try reader.read(reader.channels[0], initial: 0, lead: 0).allSatisfy { $0 == 1e5 })
    #expect(problem(1) == "has missing values at 2001-01-01 00:00 +12 h")
    #expect(problem(2) == "has no field at 2001-01-01 00:00 +18 h")
  }

  /// Truth of 15 days and forecasts that start on the days from the 9th on, off by 1 + day/8 at the first lead, twice that at the
  /// second, and so on.
  struct Case {
    let folder: TemporaryFolder
    let truth: FieldDataset
    let initialTimes: [Timestamp]
    let forecasts: ForecastReader

    init(cacheBytes: Int = 0) throws {
      folder = try TemporaryFolder()
      var data = SyntheticData()
      (data.rows, data.columns, data.times) = (9, 12, 60)
      try data.write("\(folder.path)/truth.nc")
      truth = try FieldDataset(
        sources: [SourceDescription(path: "\(folder.path)/truth.nc")], variables: ["z", "msl"], levelsHPa: [850, 500],
        cacheBytes: cacheBytes)
      initialTimes = (8..<14).map { data.start.adding(hours: 24 * $0) }
      let contents = try ForecastContents(
        grid: truth.grid, channels: truth.channels, initialTimes: initialTimes, leadHours: EvaluationTests.leads,
        source: "a test")
      let writer = try ForecastWriter("\(folder.path)/forecast.zarr", contents)
      for (initial, time) in initialTimes.enumerated() {
        for (lead, hours) in EvaluationTests.leads.enumerated() {
          let values = try Case.planes(truth, time.adding(hours: hours)).map { $0 + Float(Case.error(initial, lead)) }
          for unit in contents.units(bands: 1) {
            let first = unit.fields.lowerBound * truth.grid.count
            try Array(values[first..<first + unit.fields.count * truth.grid.count]).withUnsafeBufferPointer {
              try writer.write(unit, $0, initial: initial, lead: lead)
            }
          }
        }
      }
      try writer.finish()
      forecasts = try ForecastReader("\(folder.path)/forecast.zarr")
    }

    static func error(_ initial: Int, _ lead: Int) -> Double { (1 + Double(initial) / 8) * Double(lead + 1) }

    static func planes(_ truth: FieldDataset, _ time: Timestamp) throws -> [Float] {
      let reader = truth.reader(of: truth.channels.indices)
      var planes = [Float](repeating: 0, count: reader.count)
      try reader.readChecked(time: truth.index(of: time)!, into: &planes)
      return planes
    }

    /// - Parameter days: of the training period.
    func options(days: Int = 8) -> Evaluation.Options {
      let start = Timestamp(year: 2001, month: 1, day: 1)
      return Evaluation.Options(trainingStart: start, trainingEnd: start.adding(hours: 24 * days - 6), stepHours: 6)
    }

    func csv(_ options: Evaluation.Options) throws -> (scores: String, spectra: String) {
      let scorecard = Scorecard(
        try Evaluation(forecasts, truth: truth, options: options),
        of: .init(forecast: "forecast", checkpoint: "checkpoint", truth: "truth"))
      return (scorecard.csv(), scorecard.spectraCSV())
    }
  }

  @Test func initialTimesAreKeptAndAveragedOver() throws {
    let setup = try Case()
    let found = try Evaluation(setup.forecasts, truth: setup.truth, options: setup.options())
    #expect(found.initialTimes == setup.initialTimes && found.systems == [.model, .persistence, .climatology])
    let squared = try #require(found.table.statistics.firstIndex { $0 == SquaredError.self })
    for lead in Self.leads.indices {
      var sum = 0.0
      for initial in found.initialTimes.indices {
        let error = Case.error(initial, lead)
        let mean = try #require(
          found.table.value(system: 0, channel: 2, lead: lead, region: 0, initial: initial, statistic: squared))
        // msl is near 1e5, where FP32 has steps of 2^-7.
        #expect(abs(mean - error * error) < 0.02 * error)
        sum += mean
      }
      let means = try #require(found[.model, "msl", Self.leads[lead], "globe"])
      #expect(means.forecasts == 6 && RMSE.value(means) == (sum / 6).squareRoot())
    }
  }

  /// On three ranks every number is that of one rank, to the last bit.
  @Test func ranksHaveTheScoresOfOne() throws {
    let setup = try Case()
    let expected = try setup.csv(setup.options())
    let found = try ThreadRanks.run(3) { world in
      let own = try Evaluation(setup.forecasts, truth: setup.truth, options: setup.options(), on: world)
      return Scorecard(own, of: .init(forecast: "forecast", checkpoint: "checkpoint", truth: "truth")).csv()
    }
    #expect(found.count == 3 && found.allSatisfy { $0 == expected.scores })
  }

  /// With memory for a single day of the climatology channels and initial times are done one by one; threads share them.
  @Test func memoryAndThreadsChangeNothing() throws {
    for damped in [false, true] {
      let setup = try Case(cacheBytes: damped ? 1 << 20 : 0)
      var options = setup.options()
      options.usesDampedPersistence = damped
      let expected = try setup.csv(options)
      #expect(expected.scores.split(separator: "\n").count == 1 + (damped ? 4 : 3) * 3 * 4 * 4)
      options.climatologyBytes = setup.truth.grid.count * 8
      let plan = try EvaluationPlan(setup.forecasts, truth: setup.truth, options: options, on: SingleRank())
      #expect(plan.groups == [0..<1, 1..<2, 2..<3] && plan.blocks.count == (damped ? 1 : 6))
      options.threads = 5
      let found = try setup.csv(options)
      #expect(found.scores == expected.scores && found.spectra == expected.spectra)
    }
  }

  /// Mean error over its root mean square.
  private enum BiasShare: Metric {
    static let name = "bias_share"
    static let label = "Bias share"
    static let title = "Share of the bias"
    static let note = "A metric of this test."
    static var statistics: [any Statistic.Type] { [SignedError.self, SquaredError.self, LargeError.self] }
    static func value(_ means: StatisticMeans) -> Double {
      means[SignedError.self] / means[SquaredError.self].squareRoot() + means[LargeError.self]
    }
  }

  /// The share of the area that is off by more than 100.
  private enum LargeError: Statistic {
    static func value(_ point: PointValues) -> Double { abs(point.error) > 100 ? 1 : 0 }
  }

  @Test func aMetricIsListedByItself() throws {
    let setup = try Case()
    var options = setup.options()
    options.metrics = Metrics.all + [BiasShare.self]
    let scorecard = Scorecard(
      try Evaluation(setup.forecasts, truth: setup.truth, options: options),
      of: .init(forecast: "forecast", checkpoint: "checkpoint", truth: "truth"))
    let lines = scorecard.csv().split(separator: "\n")
    let column = try #require(lines[0].split(separator: ",").firstIndex(of: "bias_share"))
    let value = try #require(Double(lines[1].split(separator: ",", omittingEmptySubsequences: false)[column]))
    // At the first lead forecasts are off by 1, 1 + 1/8, … 1 + 5/8.
    let errors = (0..<6).map { Case.error($0, 0) }
    let rms = (errors.reduce(0) { $0 + $1 * $1 } / 6).squareRoot()
    #expect(abs(value - errors.reduce(0, +) / 6 / rms) < 1e-5)
    let document = try JSONValue(parsing: Array(try scorecard.report.json().utf8), place: "scores")
    #expect(document["scores"]?.array?[0]["bias_share"]?.double == value)
    // Existing columns are as before.
    let plain = try setup.csv(setup.options()).scores.split(separator: "\n")
    for (line, other) in zip(lines, plain) {
      let (cells, others) = (
        line.split(separator: ",", omittingEmptySubsequences: false),
        other.split(separator: ",", omittingEmptySubsequences: false)
      )
      #expect(cells[..<column] == others[..<column])
    }
  }
}
