import ArgumentParser
import Configuration
import Workflow

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Show a run on one HTML page: curves, scores, spectra and maps.",
    discussion: """
      Writes report.html into the run folder. The page holds everything it shows and needs no network. Parts that the run
      doesn't have yet are left out; the page says which command makes them.
      """)

  @Argument(help: "The run folder.") var runFolder: String
  @Option(help: ArgumentHelp("The forecast store for the maps; default: the run's own.", valueName: "path"))
  var forecast: String?
  @Option(help: ArgumentHelp("Where to write; default: report.html in the run folder.", valueName: "path"))
  var output: String?
  @OptionGroup var settings: Settings

  func run() throws {
    try ReportWorkflow(settings.load(run: runFolder)).run(forecast: forecast, output: output)
  }
}
