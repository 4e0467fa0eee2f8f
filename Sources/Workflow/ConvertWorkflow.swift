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
    guard path.hasSuffix(".zarr") else {
      throw JigsawError(path, "can't be converted to", expected: "a name that ends in .zarr")
    }
    var lock: OutputLock?
    defer { withExtendedLifetime(lock) {} }
    try world.together(onlyOn: 0) {
      lock = try OutputLock(path)
      try Files.recover(path)
    }
    if Files.exists(path) && !request.overwrites {
      throw JigsawError(path, "already exists", remedy: "pass --overwrite or name another output")
    }
    try checkInputs(path)
    let (input, leftOut) = try self.input(request)
    var options = Conversion.Options()
    options.layout = request.layout
    options.zarrFormat = request.zarrFormat
    options.compression = request.zarrFormat == 3 ? .zstd() : .standard
    options.bands = configuration.parallel.domain
    options.levelParts = configuration.parallel.tensor
    options.dataKey = try DataFingerprint.shared(Ingredients.descriptions(configuration.data), on: world).key
    if let notice = configuration.data.notice { options.attributes["comment"] = notice }
    let conversion = try Conversion(input, to: path, options)
    let began = monotonicSeconds()
    try conversion.run(on: world) { console.progress("convert", done: $0, of: $1, since: began, detail: "dates") }
    return (["wrote \(path)"] + leftOut).joined(separator: "\n")
  }

  /// - Throws: when what is read would be overwritten.
  private func checkInputs(_ output: String) throws {
    let paths = Ingredients.descriptions(configuration.data).flatMap(\.paths)
    for input in try paths.flatMap({ try expand($0) }) {
      // The input itself, or a folder that holds it.
      var folders = [input]
      while let last = folders.last, case let parent = Files.parent(of: last), parent != last { folders.append(parent) }
      guard folders.contains(where: { Files.isSame($0, output) }) else { continue }
      throw JigsawError(output, "is where the data come from (\(input))", remedy: "name another output")
    }
  }

  /// What the configuration names, on its regular grid; or all of a single source on any points.
  /// - Returns: also which dates it lacks, a line for each reason.
  private func input(_ request: Request) throws -> (ConversionInput, leftOut: [String]) {
    // What has no values has none in the store.
    var data = configuration.data
    data.impute = [:]
    let resources = try RankResources(world, threads: configuration.threads)
    if request.layout == .anemoi, data.variables.isEmpty {
      let source = try wholeSource()
      let input = try ConversionInput(
        source.openView(key: "data.sources[0]", threads: resources.threads), origin: source.display,
        from: request.start, through: request.end, windowBytes: resources.fieldBytes(data))
      return (input, dates(input.missingDates, "that the source lacks are marked as missing"))
    }
    // Nothing is read twice, so that nothing need be kept.
    let dataset = try Ingredients.dataset(data, cacheBytes: 0, threads: resources.threads)
    let input = try ConversionInput(
      dataset, from: request.start, through: request.end, windowBytes: resources.fieldBytes(data))
    let partial = dataset.leftOutTimes.map { lacking, times in
      (lacking, times.filter { $0 >= request.start ?? $0 && $0 <= request.end ?? $0 })
    }
    let known = Set(partial.flatMap(\.1))
    let word = request.layout == .fields ? "are left out" : "are marked as missing"
    return (
      input,
      partial.flatMap { dates($1, "that \($0.joined(separator: ", ")) lack\($0.count == 1 ? "s" : "") are left out") }
        + dates(input.missingDates.filter { !known.contains($0) }, "that no source has \(word)")
    )
  }

  /// "5 dates that msl lacks are left out: 2001-01-01 00:00, …"; nothing for none.
  private func dates(_ dates: [Timestamp], _ what: String) -> [String] {
    if dates.isEmpty { return [] }
    let shown = dates.prefix(10).map(\.display).joined(separator: ", ")
    return ["\(dates.count) date\(dates.count == 1 ? "" : "s") \(what): \(shown)\(dates.count > 10 ? ", …" : "")"]
  }

  /// The single source of which all is wanted.
  /// - Throws: for settings that choose among what it has.
  private func wholeSource() throws -> SourceDescription {
    let data = configuration.data
    let sources = Ingredients.descriptions(data)
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
