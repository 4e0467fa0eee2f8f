import Basics
import Checkpoints
import Communication
import Configuration
import Datasets

/// `jigsaw train` and `jigsaw resume`: from a configuration to a run folder with checkpoints and metrics. All ranks run it;
/// the first one writes what is not a checkpoint.
public struct TrainWorkflow {
  let configuration: RunConfiguration
  let console: Console
  let folder: RunFolder
  /// Ends after this many updates in all, as if interrupted; for staged runs and tests.
  let stopAfter: Int?
  let world: any Communicator
  /// Folder for the ranks' traces, if they are wanted.
  let traceFolder: String?

  public init(
    _ configuration: RunConfiguration, on world: any Communicator = SingleRank(), stopAfter: Int? = nil,
    traceFolder: String? = nil, console: Console = Console()
  ) {
    self.traceFolder = traceFolder
    self.configuration = configuration
    self.world = world
    self.console = world.rank == 0 ? console : .silent
    self.stopAfter = stopAfter
    folder = RunFolder(configuration.run)
  }

  /// Starts a new run. A folder that already holds checkpoints, or what is made with some, is refused unless `overwrites`, or resumed
  /// if the configuration says `resume: auto` and there are numbered ones.
  public func start(overwrites: Bool = false) throws {
    try Agreement.check(
      "train", configuration, [stopFact, traceFact, ("--overwrite", overwrites ? "yes" : "no")], on: world)
    try recover()
    let checkpoints = folder.checkpoints()
    let isThere = try !checkpoints.isEmpty || checkpoints.incomplete() != nil
    if !overwrites, configuration.resume == .auto,
      try !checkpoints.numbered().isEmpty || checkpoints.incomplete() != nil
    {
      return try goOn()
    }
    if isThere && !overwrites && configuration.resume != .auto {
      throw JigsawError(
        folder.path, "already holds a trained run",
        remedy:
          "resume it with 'jigsaw resume \(folder.path)' or --set resume=auto, choose another folder with --set run=…, or pass --overwrite"
      )
    }
    // A training that was killed before its first checkpoint begins anew; one that had one doesn't.
    let remains = try isThere ? "no numbered one in \(checkpoints.path)" : folder.remains()
    if !overwrites, let remains {
      throw JigsawError(
        folder.path, "holds a trained run but no checkpoint to resume from", found: remains,
        remedy: "bring its checkpoints back, choose another folder with --set run=…, or begin anew with --overwrite")
    }
    if !isThere { try requireNoOtherConfiguration() }
    try start(replacing: remains != nil)
  }

  /// - Throws: where a file that no training wrote has the name under which the run's settings are written.
  private func requireNoOtherConfiguration() throws {
    guard Files.exists(folder.configuration), !Files.exists(folder.provenance) else { return }
    throw JigsawError(
      folder.configuration, "already exists and was not written by a training, whose settings get this name",
      remedy: "call it otherwise, or choose another folder with --set run=…")
  }

  /// A new run; if it fails before it has a checkpoint, one that it was to replace comes back.
  private func start(replacing: Bool) throws {
    do { try run(from: nil, replacing: replacing) } catch {
      if replacing && world.rank == 0 {
        do { try folder.recover() } catch { console.say("error: \(error)") }
      }
      throw error
    }
  }

  private func recover() throws {
    try world.together(onlyOn: 0) {
      try folder.requireNoLinks()
      try folder.recover()
    }
  }

  /// Goes on from the newest checkpoint, bit by bit as if never stopped.
  public func resume() throws {
    try Agreement.check("resume", configuration, [stopFact, traceFact], on: world)
    try recover()
    try goOn()
  }

  private var stopFact: Agreement.Fact { ("--stop-after", stopAfter.map(String.init) ?? "none") }
  private var traceFact: Agreement.Fact { ("--trace", traceFolder ?? "none") }

  private func goOn() throws {
    let checkpoints = folder.checkpoints()
    guard let checkpoint = try checkpoints.newest() else {
      if let incomplete = try checkpoints.incomplete() { throw checkpoints.obstacle(incomplete) }
      if let holder = OutputLock.holder(folder: folder.path) { throw OutputLock.inUse(folder.path, by: holder) }
      throw JigsawError(
        folder.path, "holds no checkpoint to resume from", remedy: "start with 'jigsaw train'")
    }
    if let incomplete = try checkpoints.incomplete(after: checkpoint.manifest.progress.update) {
      console.say("note: \(checkpoints.obstacle(incomplete)) Resuming from \(checkpoint.path)")
    }
    try run(from: checkpoint)
  }

  /// - Parameter replacing: whether an earlier run goes, once everything has been checked that can be.
  private func run(from checkpoint: Checkpoint?, replacing: Bool = false) throws {
    try Agreement.check(
      [("checkpoint", checkpoint.map { "\($0.path), \($0.manifest.identity.summary)" } ?? "none")], on: world)
    _ = try StopSignal.unlessStopped("before the first update", on: world, console) {
      try train(from: checkpoint, replacing: replacing)
    }
  }
}
