import ArgumentParser
import Basics
import Communication
import Configuration
import Forecasting
import Workflow

extension Timestamp: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

struct Forecast: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "forecast", abstract: "Roll a trained model out from initial states.",
    discussion: """
      Without --from, forecasts start throughout the run's test period. Initial states come from data.sources of the run's
      configuration; other data can be named with --set. The ending of the output's name tells its format:
      \(ForecastFormat.endingsInWords). Its dimensions are time, prediction_timedelta, level, latitude, longitude, of a single
      forecast in NetCDF time (of validity), level, latitude, longitude. With forecast.layout perForecast it is a folder of such
      files. Under mpirun or srun all ranks forecast together, and each writes its own chunks of a Zarr store.
      """)

  @Argument(help: "The run folder.") var runFolder: String
  @Option(help: "First initial time, for example 2002-06-01T00.") var from: Timestamp?
  @Option(help: "Last initial time.") var to: Timestamp?
  @Option(help: ArgumentHelp("Hours between initial times.", valueName: "hours")) var every: Int?
  @Option(help: ArgumentHelp("How far to forecast.", valueName: "hours")) var lead: Int?
  @Option(
    help: ArgumentHelp(
      "Where to write; default: forecast\(ForecastFormat.endings().joined(separator: ", ")) in the run folder.",
      valueName: "path"))
  var output: String?
  @Option(
    help: ArgumentHelp(
      "'best', 'newest', or a checkpoint folder; default: best if there is one, else newest.", valueName: "which"))
  var checkpoint: String?
  @Flag(help: "Replace an existing output.") var overwrite = false
  @OptionGroup var settings: Settings
  @OptionGroup var ranks: RankOptions

  func validate() throws {
    for (name, hours) in [("--every", every), ("--lead", lead)] {
      if let hours, !(1...87_600).contains(hours) {
        throw ValidationError("\(name) must be between 1 and 87600 hours, not \(hours).")
      }
    }
    if to != nil && from == nil { throw ValidationError("--to needs --from.") }
    if every != nil && from != nil && to == nil {
      throw ValidationError("--every with --from needs --to: without it there is one forecast.")
    }
  }

  func run() throws {
    var request = ForecastWorkflow.Request()
    request.from = from
    request.through = to
    request.everyHours = every
    request.leadHours = lead
    request.output = output
    request.overwrites = overwrite
    let choice: ForecastWorkflow.Choice =
      switch checkpoint {
      case nil: .automatic
      case "best": .best
      case "newest": .newest
      case let path?: .path(path)
      }
    let configuration = try settings.load(run: runFolder, check: RunConfiguration.requireForecastable)
    try ranks.run { [request] in
      try ForecastWorkflow(configuration, checkpoint: choice, on: $0).run(request)
    }
  }
}

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Score forecasts against the truth, persistence and climatology.",
    discussion: """
      Writes scores.csv, spectra.csv, scorecard.md and scorecard.svg into the run's evaluation folder, those of a store that
      is named into evaluation-NAME beside, and prints the scorecard. A forecast of the run that is not of its checkpoint as
      it is now is refused.
      """)

  @Argument(help: "The run folder.") var runFolder: String
  @Option(
    help: ArgumentHelp(
      "A forecast store, ours or another's, a folder or pattern of files; default: the run's own.", valueName: "path"))
  var forecast: String?
  @OptionGroup var json: JSONOutput
  @OptionGroup var settings: Settings
  @OptionGroup var ranks: RankOptions

  func run() throws {
    let configuration = try settings.load(run: runFolder, check: RunConfiguration.requireVerifiable)
    try ranks.run { [forecast, json] world in
      let scores = try EvaluateWorkflow(configuration, on: world).run(forecast: forecast)
      if world.rank == 0 { try json.write(scores.json, text: scores.text, terminator: "") }
    }
  }
}
