import Basics
import Communication
import Configuration
import Datasets
import Stores
import TestSupport
import Testing

@testable import Workflow

/// `jigsaw data check` and `data convert`, on one rank and several.
@Suite struct DataWorkflowTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try SyntheticData().write("\(folder.path)/data.zarr")
  }

  private func configuration(_ data: String) throws -> RunConfiguration {
    try RunConfiguration.parse("threads: 1\ndata:\n\(data)", file: "test")
  }

  private func named(_ sources: String? = nil, extra: String = "") throws -> RunConfiguration {
    try configuration(
      """
        sources: [\(sources ?? "{path: \(folder.path)/data.zarr}")]
        variables: [z, t, msl]
        levels: [850, 500]
        static: [orog]
        train: {start: 2001-01-01, end: 2001-01-10}
        validation: {start: 2001-01-11, end: 2001-01-12}
        test: {start: 2001-01-13, end: 2001-01-15T18}
      \(extra)
      """)
  }

  /// What was written of data that have changed since is not gone on with.
  @Test func aStoppedConversionOfChangedDataBeginsAnew() throws {
    let configuration = try named()
    let (source, output) = ("\(folder.path)/data.zarr", "\(folder.path)/out.zarr")
    var changed = try EditedStore(source)
    let last = "\(source)/msl/5.0.0"
    try Files.writeAtomically(Array(Files.read(last).prefix(3)), to: last)
    func convert() throws { _ = try ConvertWorkflow(configuration, console: .silent).run(.init(output: output)) }
    #expect(throws: JigsawError.self) { try convert() }
    for index in changed.arrays["msl"]?.values.indices ?? 0..<0 { changed.arrays["msl"]?.values[index] += 1_000 }
    try Files.remove(source)
    try changed.write(source)
    try convert()
    let first = try openStore(output).read("msl", [0..<1, 0..<8, 0..<16]).doubles
    #expect(first == changed.arrays["msl"]?.values.prefix(128).map { Double(Float($0)) })
  }

  // MARK: Check

  /// Three variables of 60 times lie in 18 chunks of ten; the periods leave out some times of each.
  @Test(arguments: [1, 3]) func checksDecodeEachChunkOnce(ranks: Int) throws {
    let configuration = try named()
    let findings = try ThreadRanks.run(ranks) { world in
      try CheckWorkflow(configuration, on: world, console: .silent).run(checkpoint: nil, readsValues: true)
    }
    for found in findings {
      #expect(found.problems == [] && found.chunksRead == 18)
      #expect(found.lines.contains { $0.hasPrefix("values: 54 times read, ") && $0.hasSuffix(" in 18 chunks") })
    }
  }

  /// A check names what statistics refuse: fields that vary only after the training period, and steps between no two of its dates.
  @Test func checksJudgeTheTrainingPeriod() throws {
    var store = try EditedStore("\(folder.path)/data.zarr")
    for index in 0..<37 * 128 { store.arrays["msl"]?.values[index] = 101_325 }
    try Files.remove("\(folder.path)/data.zarr")
    try store.write("\(folder.path)/data.zarr")
    var configuration = try named()
    func problems() throws -> [String] {
      try CheckWorkflow(configuration, console: .silent).run(checkpoint: nil, readsValues: true).problems
    }
    let found = try problems()
    #expect(
      found.count == 1 && found[0].contains("msl is 101325 Pa everywhere at all 37 times of data.train"), "\(found)")
    let error = #expect(throws: JigsawError.self) {
      try Assembly.computeStatistics(
        Assembly.dataset(configuration.data, cacheBytes: 0, threads: 1), configuration.data,
        DataFingerprint(paths: ["\(folder.path)/data.zarr"]), output: "\(folder.path)/statistics.json",
        RunContext(SingleRank(), threads: 1, console: .silent))
    }
    #expect(error?.problem.hasPrefix("is constant over") == true)
    configuration.data.statistics = "other.json"
    #expect(try problems() == [])
    configuration.data.statistics = nil
    configuration.data.variables = ["z", "t"]
    configuration.data.stepHours = 600
    #expect(try problems() == ["data.stepHours: no two times lie 600 h apart in the training period"])
  }

  @Test func checksNameAllThatIsMissing() throws {
    var configuration = try named()
    configuration.data.variables += ["q", "sp"]
    configuration.data.staticFields += ["lsm"]
    let problems = try CheckWorkflow(configuration, console: .silent).run(checkpoint: nil, readsValues: true).problems
    #expect(problems.count == 3)
    for name in ["'q'", "'sp'", "'lsm'"] { #expect(problems.contains { $0.contains(name) }) }
    try Files.remove("\(folder.path)/data.zarr")
    let missing = try CheckWorkflow(named(), console: .silent).run(checkpoint: nil, readsValues: true).problems
    #expect(missing.count == 1 && missing[0].contains("no such file or folder"))
  }

  /// Variables are checked one by one, and `names` may be of any of them.
  @Test func checksTakeNamesOfOneVariable() throws {
    var configuration = try named()
    try #require(configuration.data.variables.count > 1)
    let name = configuration.data.variables[0]
    configuration.data.sources[0].names = [name: name]
    let problems = try CheckWorkflow(configuration, console: .silent).run(checkpoint: nil, readsValues: false).problems
    #expect(problems.isEmpty, "\(problems)")
  }

  // MARK: Memory

  /// Ranks of one machine share what is free; what is configured is each rank's.
  @Test func ranksShareTheMemory() throws {
    let configuration = try named()
    let alone = try RankResources(SingleRank(), threads: 1).fieldBytes(configuration.data)
    let shares = try ThreadRanks.run(8) { world in
      try RankResources(world, threads: 1).fieldBytes(configuration.data)
    }
    #expect(shares.allSatisfy { $0 < alone / 4 && $0 > 0 })
    var configured = configuration.data
    configured.cacheGiB = 0.5
    #expect(try RankResources(SingleRank(), threads: 1).fieldBytes(configured) == 1 << 29)
  }

  // MARK: Convert

  private func problem(
    _ configuration: RunConfiguration, to output: String, layout: ConversionLayout = .anemoi
  ) -> String {
    var request = ConvertWorkflow.Request(output: output)
    request.layout = layout
    request.overwrites = true
    return #expect(throws: JigsawError.self) {
      try ConvertWorkflow(configuration, console: .silent).run(request)
    }?.description ?? ""
  }

  /// All of a source is all: what would choose among it is not passed over.
  @Test func settingsThatAllOfASourceIgnoresAreRefused() throws {
    let path = "\(folder.path)/data.zarr"
    for (sources, extra, key) in [
      ("{path: \(path)}", "  rows: 4", "data.rows"), ("{path: \(path)}", "  levels: [500]", "data.levels"),
      ("{path: \(path)}", "  static: [orog]", "data.static"),
      ("{path: \(path), names: {sp: msl}}", "", "data.sources[0].names"),
    ] {
      let configuration = try configuration("  sources: [\(sources)]\n\(extra)")
      let found = problem(configuration, to: "\(folder.path)/out.zarr")
      #expect(found.hasPrefix("\(key): can't be followed where all of a source is converted"), "\(found)")
    }
    let all = try configuration("  sources: [{path: \(path)}]")
    var request = ConvertWorkflow.Request(output: "\(folder.path)/out.zarr")
    request.layout = .anemoi
    #expect(try ConvertWorkflow(all, console: .silent).run(request) == "wrote \(folder.path)/out.zarr")
  }

  /// A coordinate rises or falls throughout, in whatever order levels are chosen.
  @Test func levelsAreConvertedInOrder() throws {
    var data = SyntheticData()
    data.levels = [850, 500, 250]
    try data.write("\(folder.path)/three.nc")
    let request = ConvertWorkflow.Request(output: "\(folder.path)/out.zarr")
    var configuration = try named("{path: \(folder.path)/three.nc}")
    configuration.data.levels = [500, 850, 250]
    _ = try ConvertWorkflow(configuration, console: .silent).run(request)
    let (out, stored) = (try openStore(request.output), try openStore("\(folder.path)/three.nc"))
    #expect(try out.read("level").doubles == [250, 500, 850])
    let points = 8 * 16
    let first = try out.read("t", [0..<1, 0..<3, 0..<8, 0..<16]).doubles
    let levels = try stored.read("level").doubles
    for (index, level) in [250.0, 500, 850].enumerated() {
      let place = try #require(levels.firstIndex(of: level))
      let expected = try stored.read("t", [0..<1, place..<place + 1, 0..<8, 0..<16]).doubles
      #expect(Array(first[index * points..<(index + 1) * points]) == expected, "\(level)")
    }
  }

  @Test func periodsBeyondTheDataAreSaid() throws {
    var request = ConvertWorkflow.Request(output: "\(folder.path)/out.zarr")
    (request.start, request.end) = (Timestamp("2000-01-01"), Timestamp("2001-01-02"))
    let early = try ConvertWorkflow(named(), console: .silent).run(request)
    #expect(early.contains("--from 2000-01-01 00:00: the first date is 2001-01-01 00:00") && !early.contains("--to"))
    (request.start, request.end, request.overwrites) = (Timestamp("2001-01-02"), Timestamp("2030-01-01"), true)
    let late = try ConvertWorkflow(named(), console: .silent).run(request)
    #expect(late.contains("--to 2030-01-01 00:00: the last date is 2001-01-15 18:00") && !late.contains("--from"))
    (request.start, request.end) = (Timestamp("2001-01-05"), Timestamp("2001-01-03"))
    let error = #expect(throws: JigsawError.self) { try ConvertWorkflow(named(), console: .silent).run(request) }
    #expect(error?.description.contains("--from: is later than --to") == true)
  }

  /// Nothing that is read is written over: not what points, weights or statistics come from either, nor what lies in the
  /// output's folder.
  @Test func inputsAreNotOverwritten() throws {
    let path = folder.path
    for name in ["other", "weights"] { try Files.copy("\(path)/data.zarr", to: "\(path)/\(name).zarr") }
    try Files.copy("\(path)/data.zarr", to: "\(path)/outer.zarr/inner.zarr")
    for (options, output) in [
      ("statistics: \(path)/other.zarr", "other"), ("area: \(path)/other.zarr", "other"),
      ("regrid: {like: \(path)/other.zarr}", "other"), ("regrid: {like: {dataset: \(path)/other.zarr}}", "other"),
      ("regrid: {grid: [4, 8], weights: \(path)/weights.zarr}", "weights"),
      ("join: [{dataset: \(path)/outer.zarr/inner.zarr}]", "outer"),
    ] {
      let open = options.hasPrefix("join") ? options : "dataset: \(path)/data.zarr, \(options)"
      let found = problem(try named("{open: {\(open)}}"), to: "\(path)/\(output).zarr", layout: .fields)
      #expect(found.contains("\(output).zarr: is where the data come from (\(path)/\(output)"), "\(options): \(found)")
    }
  }
}
