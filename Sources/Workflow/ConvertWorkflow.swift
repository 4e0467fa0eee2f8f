import Basics
import Communication
import Configuration
import Datasets
import Stores
import Tensors

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
    if Files.exists(path) && !request.overwrites {
      throw JigsawError(path, "already exists", remedy: "pass --overwrite or name another output")
    }
    let paths = Ingredients.descriptions(configuration.data).flatMap(\.paths)
    if let input = try paths.flatMap({ try expand($0) }).first(where: { Files.isSame($0, path) }) {
      throw JigsawError(path, "is where the data come from (\(input))", remedy: "name another output")
    }
    let input = try self.input(request)
    var options = Conversion.Options()
    options.layout = request.layout
    options.zarrFormat = request.zarrFormat
    options.compression = request.zarrFormat == 3 ? .zstd() : .standard
    options.bands = configuration.parallel.domain
    options.levelParts = configuration.parallel.tensor
    if let notice = configuration.data.notice { options.attributes["comment"] = notice }
    let conversion = try Conversion(input, to: path, options)
    let began = monotonicSeconds()
    try conversion.run(on: world) { console.progress("convert", done: $0, of: $1, since: began, detail: "dates") }
    return "wrote \(path)"
  }

  /// What the configuration names, on its regular grid; or all of a single source on any points.
  private func input(_ request: Request) throws -> ConversionInput {
    let data = configuration.data
    let sources = Ingredients.descriptions(data)
    if request.layout == .anemoi, data.variables.isEmpty {
      guard sources.count == 1 else {
        throw JigsawError(
          "data.variables", "is empty", expected: "the variables to convert",
          remedy: "name them, or a single source to convert all of it")
      }
      return try ConversionInput(
        sources[0].openView(key: "data.sources[0]", threads: ThreadTeam.availableCPUs), origin: sources[0].display,
        from: request.start, through: request.end)
    }
    return try ConversionInput(Ingredients.dataset(data), from: request.start, through: request.end)
  }
}
