import Basics
import Communication
import Configuration
import Datasets
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
