import Basics
import Communication
import Configuration
import Datasets
import Stores

/// `jigsaw data convert` and `data fetch`: the fields that a configuration names, stored anew.
public struct ConvertWorkflow {
  public struct Request: Sendable {
    public var output: String
    public var layout = ConversionLayout.fields
    public var zarrFormat = 2
    public var start, end: Timestamp?
    public var overwrites = false

    public init(output: String) { self.output = output }
  }

  private let configuration: RunConfiguration
  private let console: Console
  private let world: any Communicator

  public init(
    _ configuration: RunConfiguration, on world: any Communicator = SingleRank(), console: Console = Console()
  ) {
    self.configuration = configuration
    self.world = world
    self.console = world.rank == 0 ? console : .silent
  }

  /// Runs on all ranks together. Says what was written.
  public func run(_ request: Request) throws -> String {
    let path = request.output
    try Agreement.check(
      "data convert", configuration,
      [
        ("output", path), ("--from", request.start?.display ?? "none"), ("--to", request.end?.display ?? "none"),
        ("--layout", "\(request.layout)"), ("--zarr-format", "\(request.zarrFormat)"),
        ("--overwrite", request.overwrites ? "yes" : "no"),
      ], on: world)
    guard path.ends(in: StoreEndings.zarr) else {
      throw JigsawError(path, "can't be converted to", expected: "a name that ends in .zarr")
    }
    if let start = request.start, let end = request.end, start > end {
      throw JigsawError("--from", "is later than --to", expected: "at most \(end.display)", found: start.display)
    }
    try Replaceable.require(path, inputs: Assembly.descriptions(configuration.data).flatMap(\.paths))
    var lock: OutputLock?
    defer { withExtendedLifetime(lock) {} }
    try world.together(onlyOn: 0) {
      lock = try OutputLock(path)
      try Files.recover(path)
    }
    if Files.exists(path) && !request.overwrites {
      throw JigsawError(path, "already exists", remedy: "pass --overwrite or name another output")
    }
    try ZarrStore.requireReplaceable(path)
    let run = try RunContext(world, threads: configuration.threads, console: console)
    let (input, leftOut) = try self.input(request, run.resources)
    var options = Conversion.Options()
    options.layout = request.layout
    options.zarrFormat = request.zarrFormat
    options.compression = request.zarrFormat == 3 ? .zstd() : .standard
    options.bands = configuration.parallel.domain
    options.levelParts = configuration.parallel.tensor
    options.dataKey = try DataFingerprint.shared(Assembly.descriptions(configuration.data), on: run.world).key
    if let notice = configuration.data.notice { options.attributes["comment"] = notice }
    let conversion = try Conversion(input, to: path, options)
    let began = monotonicSeconds()
    try conversion.run(on: run.world) { console.progress("convert", done: $0, of: $1, since: began, detail: "dates") }
    return (["wrote \(path)"] + cut(request, input) + leftOut).joined(separator: "\n")
  }

  /// The parts of the requested period, at its ends, that the data lack.
  private func cut(_ request: Request, _ input: ConversionInput) -> [String] {
    let (first, last) = input.period
    return [
      request.start.flatMap { $0 < first ? "--from \($0.display): the first date is \(first.display)" : nil },
      request.end.flatMap { $0 > last ? "--to \($0.display): the last date is \(last.display)" : nil },
    ].compactMap { $0 }
  }

  /// The fields that the configuration names, on its regular grid; or all of a single source on any points.
  /// - Returns: also which dates it lacks, a line for each reason.
  private func input(_ request: Request, _ resources: RankResources) throws -> (ConversionInput, leftOut: [String]) {
    // Points without values have none in the store.
    var data = configuration.data
    data.impute = [:]
    // A coordinate rises or falls throughout.
    let steps = zip(data.levels, data.levels.dropFirst())
    let isMonotonic = steps.allSatisfy { $0 < $1 } || steps.allSatisfy { $0 > $1 }
    if request.layout == .fields, !isMonotonic { data.levels.sort() }
    if request.layout == .anemoi, data.variables.isEmpty {
      let source = try wholeSource()
      let input = try ConversionInput(
        source.openView(key: "data.sources[0]", threads: resources.threads), origin: source.display,
        keepsOrder: source.open != nil, from: request.start, through: request.end,
        windowBytes: resources.fieldBytes(data))
      let partial = input.partialDates.flatMap { lacking, times in
        DateSentences.sentence(
          times, "have no values of \(lacking.joined(separator: ", ")), which the source lacks there")
      }
      return (
        input, DateSentences.sentence(input.missingDates, "that the source lacks are marked as missing") + partial
      )
    }
    // Nothing is read twice, so that nothing need be kept.
    let dataset = try Assembly.dataset(data, cacheBytes: 0, threads: resources.threads)
    let input = try ConversionInput(
      dataset, from: request.start, through: request.end, windowBytes: resources.fieldBytes(data))
    let partial = dataset.leftOutTimes.map { lacking, times in
      (lacking: lacking, times: times.filter { $0 >= request.start ?? $0 && $0 <= request.end ?? $0 })
    }
    let known = Set(partial.flatMap(\.times))
    let word = request.layout == .fields ? "are left out" : "are marked as missing"
    return (
      input,
      DateSentences.leftOut(partial)
        + DateSentences.sentence(input.missingDates.filter { !known.contains($0) }, "that no source has \(word)")
    )
  }

  /// The single source of which all is wanted.
  /// - Throws: for settings that choose among what it has.
  private func wholeSource() throws -> SourceDescription {
    let data = configuration.data
    let sources = Assembly.descriptions(data)
    guard sources.count == 1 else {
      throw JigsawError(
        "data.variables", "is empty", expected: "the variables to convert",
        remedy: "name them, or a single source to convert all of it")
    }
    let choices = [
      ("data.rows", data.rows != nil), ("data.levels", !data.levels.isEmpty),
      ("data.static", !data.staticFields.isEmpty),
      ("data.sources[0].names", !sources[0].names.isEmpty),
    ].filter(\.1).map(\.0)
    guard choices.isEmpty else {
      throw JigsawError(
        choices.joined(separator: ", "), "can't be followed where all of a source is converted",
        remedy: "name data.variables, or remove this and choose with "
          + "open: {dataset: …, select: […], rename: {…}, area: […]}")
    }
    return sources[0]
  }
}
