import ArgumentParser
import Basics
import Communication
import Configuration
import Stores
import Workflow

#if canImport(Glibc)
  import Glibc
#endif

// Every command gives its name: made from a type's name, it took a search through all protocol conformances, a tenth of the start.
@main
struct Jigsaw: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jigsaw",
    abstract: "Trains and runs AI weather models: from stored fields to verified forecasts.",
    discussion: """
      A run is described by one YAML file and lives in one folder:

        jigsaw init my.yaml              write a commented configuration
        jigsaw plan my.yaml              memory and time it would take, on this machine or another
        jigsaw data inspect era5.zarr    see what is in a store
        jigsaw train my.yaml             statistics, training, checkpoints
        jigsaw forecast runs/my          roll the trained model out
        jigsaw evaluate runs/my          scores against persistence and climatology
        jigsaw report runs/my            one HTML page with curves, scores and maps
      """,
    version: jigsawVersion,
    subcommands: [
      Train.self, Resume.self, Forecast.self, Evaluate.self, Report.self, Data.self, CheckpointCommand.self,
      GraphCommand.self, Import.self, Export.self, Config.self, Init.self, Plan.self, Machines.self, Bench.self,
      DoctorCommand.self, Version.self,
    ])

  /// Errors meant for people go out as one sentence; exit status 1, or 64 for wrong usage.
  static func main() {
    StandardStreams.openMissing()
    // A limit on file sizes then shows as an error of the write, with the path, like a full disk.
    signal(SIGXFSZ, SIG_IGN)
    // Nobody reading what is printed any more (a closed pager, a lost connection) doesn't end the work.
    signal(SIGPIPE, SIG_IGN)
    endInSentencesWhereLibrariesCrash()
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let error as JigsawError {
      Console().say("error: \(error)")
      exit(withError: ExitCode.failure)
    } catch {
      exit(withError: error)
    }
  }
}

/// For verbs that run on several ranks.
struct RankOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Run so many ranks as threads of this process. Under mpirun or srun the started processes are the ranks.",
      valueName: "count"))
  var ranks = 1

  func validate() throws {
    if !(1...1_024).contains(ranks) { throw ValidationError("--ranks must be between 1 and 1024, not \(ranks).") }
  }

  func run(_ body: @escaping @Sendable (any Communicator) throws -> Void) throws {
    try Ranks.run(asThreads: ranks, body)
  }
}

/// Settings that every verb with a configuration takes.
struct Settings: ParsableArguments {
  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Change one setting, for example --set training.updates=100.", valueName: "key=value"))
  var settings: [String] = []

  func load(_ path: String) throws -> RunConfiguration { try RunConfiguration.load(path, settings: settings) }

  /// The configuration that a run was made with; its folder is where it lies now.
  /// - Parameter check: throws for settings that can't be others than in the second configuration, the run's.
  func load(
    run: String, check: (RunConfiguration) -> (RunConfiguration) throws -> Void = { _ in { _ in } }
  ) throws -> RunConfiguration {
    let folder = RunFolder(run)
    try folder.recover()
    guard Files.exists(folder.configuration) else {
      throw JigsawError(
        run, "is not the folder of a run", expected: "a folder with config.yaml",
        remedy: "start one with 'jigsaw train'")
    }
    var configuration = try RunConfiguration.load(folder.configuration)
    try configuration.move(to: folder.path)
    let stored = configuration
    for setting in settings { try configuration.apply(setting) }
    try check(configuration)(stored)
    return configuration
  }
}
