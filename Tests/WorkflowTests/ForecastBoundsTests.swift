import Basics
import Configuration
import Datasets
import Stores
import TestSupport
import Testing
import Verification

@testable import Workflow

/// What can't be negative isn't in forecasts with `forecast.bounds: physical`.
@Suite struct ForecastBoundsTests {
  private static let start = Timestamp(year: 2001, month: 1, day: 10)

  /// Rain in places, and pressure.
  private static func data(_ path: String) throws {
    var data = SyntheticData()
    (data.upper, data.surface, data.times) = ([], ["msl", "tp"], 48)
    try data.write(path + ".nc")
    var store = try EditedStore(path + ".nc")
    store.arrays["tp"]?.attributes["units"] = .text("m")
    let rain = try #require(store.arrays["tp"]).values.map { max(0, $0 - 205) }
    store.arrays["tp"]?.values = rain
    try store.write(path)
  }

  private static func configuration(_ folder: String, _ more: String = "{}") throws -> RunConfiguration {
    try RunConfiguration.parse(
      """
      run: \(folder)/run
      threads: 1
      data:
        sources: [{path: \(folder)/data.zarr}]
        variables: [msl, tp]
        train: {start: 2001-01-01, end: 2001-01-09}
        test: {start: 2001-01-10, end: 2001-01-12}
      model: {patch: [2, 4], channels: 16, tokenWidth: 12, channelWidth: 20, blocks: 1, output: blend}
      training: {updates: 4, batchSize: 2}
      forecast: {leadHours: 12}
      """, file: "test")
  }

  private static func forecast(_ configuration: RunConfiguration, _ bounds: ForecastSection.Bounds, leadHours: Int = 12)
    throws -> ForecastReader
  {
    var configuration = configuration
    configuration.forecast.bounds = bounds
    var request = ForecastWorkflow.Request()
    (request.from, request.leadHours, request.overwrites) = (start, leadHours, true)
    request.output = "\(configuration.run)/\(bounds.rawValue)-\(leadHours).zarr"
    return try ForecastReader(
      ForecastWorkflow(configuration, checkpoint: .newest, console: .silent).run(request))
  }

  @Test func rainIsNeverNegativeAndTheNextStepStartsFromThat() throws {
    let folder = try TemporaryFolder()
    try Self.data("\(folder.path)/data.zarr")
    let configuration = try Self.configuration(folder.path)
    try TrainWorkflow(configuration, console: .silent).start()
    let (free, bounded) = (try Self.forecast(configuration, .none), try Self.forecast(configuration, .physical))
    let rain = Channel(variable: "tp")
    func rainAt(_ lead: Int, _ reader: ForecastReader) throws -> [Float] {
      try reader.read(rain, initial: 0, lead: lead)
    }
    let (first, second) = (try rainAt(0, bounded), try rainAt(1, bounded))
    #expect(try rainAt(0, free).contains { $0 < 0 }, "something to bound")
    #expect(try first == rainAt(0, free).map { max(0, $0) })
    #expect(second.allSatisfy { $0 >= 0 })
    #expect(
      try bounded.read(Channel(variable: "msl"), initial: 0, lead: 0)
        == free.read(Channel(variable: "msl"), initial: 0, lead: 0), "pressure has no bound")

    // A forecast of one step from the bounded state, as if it had been observed.
    let msl = try bounded.read(Channel(variable: "msl"), initial: 0, lead: 0)
    var store = try EditedStore("\(folder.path)/data.zarr")
    let time = Int(Self.start.hours(since: Timestamp(year: 2001, month: 1, day: 1))) / 6
    for (name, field) in [("msl", msl), ("tp", first)] {
      store.arrays[name]?.values.replaceSubrange(
        time * field.count..<(time + 1) * field.count, with: field.map(Double.init))
    }
    try Files.remove("\(folder.path)/data.zarr")
    try store.write("\(folder.path)/data.zarr")
    let again = try rainAt(0, Self.forecast(configuration, .physical, leadHours: 6))
    let fromFree = try largestDifference(rainAt(1, free).map { max(0, $0) }, again)
    let difference = largestDifference(second, again)
    #expect(difference < 1e-5)
    #expect(fromFree > 1e-3, "the bound matters for the next step")
  }

  /// Rain since the start of a forecast is not compared with rain of six hours.
  @Test func amountsSinceTheStartAreRefused() throws {
    let folder = try TemporaryFolder()
    try Self.data("\(folder.path)/data.zarr")
    var configuration = try Self.configuration(folder.path)
    try TrainWorkflow(configuration, console: .silent).start()
    configuration.forecast.leadHours = 24
    let path = try ForecastWorkflow(configuration, checkpoint: .newest, console: .silent).run(.init())
    let evaluate = EvaluateWorkflow(configuration, console: .silent)
    _ = try evaluate.run()
    // As other centres have it: every lead holds what fell since the start. Here what truly fell, so that scores would be bad.
    var store = try EditedStore(path)
    let truth = try FieldDataset(
      sources: [SourceDescription(path: "\(folder.path)/data.zarr")], variables: ["tp"], levelsHPa: [])
    let (initial, leads) = (try ForecastReader(path).initialTimes, 4)
    var sums: [Double] = []
    for time in initial {
      var sum = [Float](repeating: 0, count: truth.grid.count)
      for lead in 1...leads {
        var field = sum
        try field.withUnsafeMutableBufferPointer {
          try truth.read(time: truth.index(of: time.adding(hours: 6 * lead))!, into: $0.baseAddress!)
        }
        sum = zip(sum, field).map { $0 + $1 }
        sums += sum.map(Double.init)
      }
    }
    store.arrays["tp"]?.values = sums
    try Files.remove(path)
    try store.write(path)
    let error = #expect(throws: JigsawError.self) { try evaluate.run(forecast: path) }
    #expect(
      error?.description.contains("is the amount since the start of the forecast, as it seems: it hardly ever falls")
        == true)
    // One lead alone is of the same period in both.
    configuration.evaluation.leadHours = [6]
    _ = try EvaluateWorkflow(configuration, console: .silent).run(forecast: path)
  }

  /// Values that can't be, at the dates of validation alone.
  @Test func impossibleValuesInValidationAreWarnedAbout() throws {
    let folder = try TemporaryFolder()
    try Self.data("\(folder.path)/data.zarr")
    var configuration = try Self.configuration(folder.path)
    for setting in [
      "data.variables=[msl]", "data.train.end=2001-01-07", "data.validation={start: 2001-01-08, end: 2001-01-09T18}",
      "training.validation.every=2",
    ] {
      try configuration.apply(setting)
    }
    func log(_ run: String) throws -> String {
      configuration.run = "\(folder.path)/\(run)"
      try TrainWorkflow(configuration).start()
      return try Files.readText("\(configuration.run)/train.log")
    }
    #expect(try !log("sound").contains("warning"))
    var store = try EditedStore("\(folder.path)/data.zarr")
    // The third day of validation, which samples read as their target.
    store.arrays["msl"]?.values.replaceSubrange(30 * 128..<32 * 128, with: [Double](repeating: 9e9, count: 2 * 128))
    try Files.remove("\(folder.path)/data.zarr")
    try store.write("\(folder.path)/data.zarr")
    let text = try log("damaged")
    #expect(text.contains("warning: the true msl at the validation dates goes from "))
    #expect(text.split(separator: "\n").filter { $0.contains("warning:") }.count == 1, "said once: \(text)")
  }

  @Test func newConfigurationsHaveBoundsAndOthersNone() {
    #expect(RunConfiguration.example.forecast.bounds == .physical)
    #expect(RunConfiguration().forecast.bounds == .none)
  }

  @Test func lexiconKnowsWhatCanNotBeNegative() {
    for name in ["tp", "q", "ssrd", "tcc", "sd", "sf", "ci", "r"] { #expect(Lexicon.lowerBound(name) == 0, "\(name)") }
    for name in ["t", "u", "z", "str", "sshf", "e", "msl", "d", "unheard"] {
      #expect(Lexicon.lowerBound(name) == nil, "\(name)")
    }
    #expect(Lexicon.variables.filter { Lexicon.lowerBound($0.name) != nil }.count > 50)
  }
}
