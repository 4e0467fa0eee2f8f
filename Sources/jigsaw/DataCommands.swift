import ArgumentParser
import Basics
import Communication
import Configuration
import Datasets
import Synchronization
import Workflow

struct Data: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Look into stores, check, convert and fetch them, compute statistics.",
    subcommands: [Inspect.self, Check.self, Stats.self, Convert.self, Fetch.self])

  struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "inspect",
      abstract: "Say whether a file or folder is usable, how it is understood and what is in it.",
      discussion: """
        The verdict comes first, then each field: what it is read as, or the line of data.sources that maps it. The matches of
        a pattern are one view. Ends with status 1 if nothing is usable.
        """)

    @Argument(help: "A path, or a quoted pattern such as 'data/*.nc'.") var path: String
    @OptionGroup var json: JSONOutput

    func run() throws {
      let report = try StoreInspection.report(path)
      try json.write(report.json(), text: report.text)
      if !report.isUsable { throw ExitCode.failure }
    }
  }

  struct Stats: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "stats",
      abstract: "Compute mean, deviation, extremes and typical change of every field over the training period.",
      discussion: """
        One pass through the data. Ranks share the dates, and the result is the same on any number of them. After an
        interruption the same command resumes it; a signal (SIGINT, SIGTERM, SIGUSR1) ends it with status 0.
        """)

    @Argument(help: "The configuration (YAML).") var config: String
    @Option(help: ArgumentHelp("Where to save; default: statistics.json in the run folder.", valueName: "path"))
    var output: String?
    @OptionGroup var settings: Settings
    @OptionGroup var ranks: RankOptions

    func run() throws {
      let configuration = try settings.load(config)
      StopSignal.install(isAlone: !Ranks.isUnderLauncher)
      try ranks.run { [output] world in
        let table = try InspectWorkflow.statistics(
          configuration, output: output, on: world, console: world.rank == 0 ? Console() : .silent)
        if world.rank == 0, let table { try show(table) }
      }
    }
  }
}

extension Data {
  struct Convert: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "convert",
      abstract: "Store the fields that a configuration names anew: chunked for training, or as an Anemoi dataset.",
      discussion: """
        Of the configuration the part 'data' counts: sources, variables, levels, static. The layout 'fields' is a CF Zarr group
        with one time per chunk, cut into parallel.domain bands of rows and parallel.tensor parts of levels, so that each rank
        of such a mesh reads its own chunks. The layout 'anemoi' is what anemoi-datasets writes, with statistics of the first
        80 % of the dates; without data.variables it takes all of a single source, on whatever points.

        Ranks share the dates. What is written has its final name only when it is complete; after an interruption the same
        command resumes it.
        """)

    @Argument(help: "The configuration (YAML).") var config: String
    @Argument(help: "The Zarr folder to write; its name ends in .zarr.") var output: String
    @Option(help: "What to write: fields or anemoi.") var layout = ConversionLayout.fields
    @Option(help: ArgumentHelp("Zarr's format: 2 or 3.", valueName: "format")) var zarrFormat = 2
    @Option(help: "First time, for example 2002-06-01; default: that of the data.") var from: Timestamp?
    @Option(help: "Last time.") var to: Timestamp?
    @Flag(help: "Replace an existing output.") var overwrite = false
    @OptionGroup var settings: Settings
    @OptionGroup var ranks: RankOptions

    func validate() throws {
      if ![2, 3].contains(zarrFormat) { throw ValidationError("--zarr-format must be 2 or 3, not \(zarrFormat).") }
    }

    func run() throws {
      var request = ConvertWorkflow.Request(output: output)
      request.layout = layout
      request.zarrFormat = zarrFormat
      request.start = from
      request.end = to
      request.overwrites = overwrite
      let configuration = try settings.load(config)
      try ranks.run { [request] world in
        let line = try ConvertWorkflow(configuration, on: world).run(request)
        if world.rank == 0 { try show(line) }
      }
    }
  }
}

extension ConversionLayout: ExpressibleByArgument {}

extension Data {
  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "check", abstract: "Check that the data have what a configuration or a checkpoint needs.",
      discussion: """
        Names every variable and static field that is missing, the first missing level of each, gaps between the times, and
        missing values in the training, validation and test periods. Ends with status 1 if something stands in the way.
        """)

    @Argument(help: "The configuration (YAML) that names the data.") var config: String
    @Option(help: ArgumentHelp("A checkpoint folder whose inputs are looked for.", valueName: "path"))
    var checkpoint: String?
    @Flag(help: "Leave the values unread: metadata and times alone.") var noValues = false
    @OptionGroup var json: JSONOutput
    @OptionGroup var settings: Settings
    @OptionGroup var ranks: RankOptions

    func run() throws {
      let configuration = try settings.load(config)
      let isBad = Mutex(false)
      try ranks.run { [checkpoint, noValues, json] world in
        let findings = try CheckWorkflow(configuration, on: world).run(checkpoint: checkpoint, readsValues: !noValues)
        guard world.rank == 0 else { return }
        let report = CheckReport(findings)
        try json.write(report.json(), text: report.text)
        isBad.withLock { $0 = !report.isFine }
      }
      if isBad.withLock({ $0 }) { throw ExitCode.failure }
    }
  }

  struct Fetch: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "fetch", abstract: "Copy a part of a public dataset here.", subcommands: [WeatherBench.self])

    struct WeatherBench: ParsableCommand {
      static let configuration = CommandConfiguration(
        commandName: "weatherbench2",
        abstract: "Copy years and variables of WeatherBench 2's ERA5 into a Zarr folder.",
        discussion: """
          ERA5 as WeatherBench 2 offers it over HTTPS, without an account. What is copied is chunked for training: one time per
          chunk. After an interruption the same command resumes it.

            jigsaw data fetch weatherbench2 data/era5.zarr --resolution 64x32 --years 2018-2020 \\
              --variables z,t,u,v,q,msl,t2m --levels 850,500,250 --static lsm,zs
          """)

      @Argument(help: "The Zarr folder to write; its name ends in .zarr.") var output: String
      @Option(
        help:
          "Longitudes x latitudes: \(PublicStores.weatherBench.map(\.resolution).joined(separator: ", ")).")
      var resolution = "64x32"
      @Option(help: "One year or several: 2020 or 2018-2020.") var years: String
      @Option(help: "Variables, with commas between them: z,t,msl.") var variables: String
      @Option(help: "Pressure levels in hPa, with commas between them; for variables on levels.") var levels = ""
      @Option(name: .customLong("static"), help: "Fields without time, with commas between them.") var staticFields = ""
      @Option(help: ArgumentHelp("Take the stores from another place.", valueName: "address"))
      var folder = PublicStores.weatherBenchFolder
      @Option(help: ArgumentHelp("Parts of rows and of levels that ranks will read: 2x2.", valueName: "mesh"))
      var mesh = "1x1"
      @Flag(help: "Replace an existing output.") var overwrite = false
      @OptionGroup var ranks: RankOptions

      private func list(_ text: String) -> [String] { text.split { $0 == "," || $0 == " " }.map(String.init) }

      func run() throws {
        let ends = years.split(separator: "-").map { Int($0) }
        guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first <= last,
          (1...9_999).contains(first), (1...9_999).contains(last)
        else { throw ValidationError("--years must be one year or two, such as 2018-2020, not '\(years)'.") }
        let parts = mesh.split(separator: "x").compactMap { Int($0) }
        guard parts.count == 2, parts.allSatisfy({ (1...10_000).contains($0) }) else {
          throw ValidationError("--mesh must be two numbers, such as 2x1, not '\(mesh)'.")
        }
        var configuration = RunConfiguration()
        var source = SourceSection()
        source.path = try PublicStores.weatherBench(resolution, folder: folder)
        configuration.data.sources = [source]
        configuration.data.variables = list(variables)
        configuration.data.levels = try list(levels).map {
          guard let level = Double($0) else { throw ValidationError("--levels must be numbers, not '\($0)'.") }
          return level
        }
        configuration.data.staticFields = list(staticFields)
        (configuration.parallel.domain, configuration.parallel.tensor) = (parts[0], parts[1])
        var request = ConvertWorkflow.Request(output: output)
        request.start = Timestamp(year: first, month: 1, day: 1)
        request.end = Timestamp(seconds: Timestamp(year: last + 1, month: 1, day: 1).seconds - 1)
        request.overwrites = overwrite
        try ranks.run { [configuration, request] world in
          let line = try ConvertWorkflow(configuration, on: world).run(request)
          if world.rank == 0 { try show(line) }
        }
      }
    }
  }
}
