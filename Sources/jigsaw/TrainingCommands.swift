import ArgumentParser
import Basics
import Communication
import Configuration
import Workflow

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a model as a configuration says.",
    discussion: """
      Writes to the configuration's run folder: resolved configuration, provenance, statistics, metrics.csv, TensorBoard
      events, log, checkpoints. SIGINT, SIGTERM or SIGUSR1 saves a checkpoint, if there is an update to save, and ends with
      status 0; 'jigsaw resume' or the same command with --set resume=auto continues.

      Under mpirun or srun all ranks train one model together, as 'parallel' in the configuration says (docs/parallel.md):

        mpirun -n 8 jigsaw train my.yaml --set parallel.domain=2 --set parallel.tensor=2
      """)

  @Argument(help: "The configuration (YAML).") var config: String
  @OptionGroup var settings: Settings
  @Flag(help: "Replace an earlier run in the same folder, once the new one has a checkpoint.") var overwrite = false
  @Option(
    help: ArgumentHelp(
      "Save and end after this many updates; the schedule stays that of the full length.", valueName: "updates"))
  var stopAfter: Int?

  func validate() throws { try checkStop(stopAfter) }

  @OptionGroup var ranks: RankOptions
  @Option(
    help: ArgumentHelp(
      "Write a trace of each rank (compute, transfers, waiting, reading) into this folder, for ui.perfetto.dev.",
      valueName: "folder"))
  var trace: String?

  func run() throws {
    StopSignal.install(isAlone: !Ranks.isUnderLauncher)
    let configuration = try settings.load(config)
    try ranks.run { [stopAfter, overwrite, trace] in
      try TrainWorkflow(configuration, on: $0, stopAfter: stopAfter, traceFolder: trace).start(overwrites: overwrite)
    }
  }
}

struct Resume: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Go on with a training from its newest checkpoint.",
    discussion: """
      The result is the same, byte by byte, as if the training had never stopped. The number of ranks and their mesh may be
      others than before; then it is the same but for rounding: every update keeps its number of samples. Settings given
      are kept in the run's config.yaml.
      """)

  @Argument(help: "The run folder.") var runFolder: String
  @OptionGroup var settings: Settings
  @Option(help: ArgumentHelp("Save and end after this many updates in all.", valueName: "updates")) var stopAfter: Int?

  func validate() throws { try checkStop(stopAfter) }

  @OptionGroup var ranks: RankOptions
  @Option(
    help: ArgumentHelp(
      "Write a trace of each rank (compute, transfers, waiting, reading) into this folder, for ui.perfetto.dev.",
      valueName: "folder"))
  var trace: String?

  func run() throws {
    StopSignal.install(isAlone: !Ranks.isUnderLauncher)
    let configuration = try settings.load(run: runFolder)
    try ranks.run { [stopAfter, trace] in
      try TrainWorkflow(configuration, on: $0, stopAfter: stopAfter, traceFolder: trace).resume()
    }
  }
}

private func checkStop(_ updates: Int?) throws {
  if let updates, updates < 1 { throw ValidationError("--stop-after must be at least 1 update.") }
}
